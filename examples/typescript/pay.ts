// Posts one customer payment, and retries without paying twice.
// Needs Node 22.18 or newer, which runs TypeScript as it is, and nothing else:
//
//     node pay.ts http://127.0.0.1:8080 LD-1001 1250.10 ACH-1
//
// ALVYS_TOKEN is sent as the access token, if it is set. Exit status: 0 recorded, 1 refused, 2 no response.

declare global {
  interface JSON {
    rawJSON(text: string): unknown;
  }
}

interface Payment {
  LoadNumber: string;
  Amount: { Amount: unknown; Currency: number };
  PaymentDate: string;
  ReferenceNumber: string;
}

const PATH = "/api/p/v1.0/invoices/customer-payments";
const RETRIED = [408, 429, 500, 502, 503, 504];
const ATTEMPTS = 5;
// Who is told to wait longer should come back later, with the same reference.
const LONGEST_WAIT_SECONDS = 300;

// The service refuses the payment. To send the same request again would change nothing.
class PaymentRefused extends Error {}

// Whether the payment was recorded is unknown. Send it again later, with the same reference.
class NoResponse extends Error {}

// Posts a payment until there is a response, and returns the response; PaymentRefused, NoResponse.
//
// Every attempt sends the same ReferenceNumber. If an earlier attempt was recorded and only its
// response was lost, the service returns that payment and records no second one.
async function pay(url: string, payment: Payment, token?: string): Promise<{ Status: string }> {
  const headers: Record<string, string> = { "Content-Type": "application/json-patch+json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const body = JSON.stringify(payment);
  let wait = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, wait * 1000));
    wait = (0.5 + Math.random() / 2) * 0.2 * 2 ** attempt;
    let response: Response;
    let text: string;
    try {
      response = await fetch(url + PATH, { method: "POST", headers, body, signal: AbortSignal.timeout(30_000) });
      text = await response.text();
      if (response.status === 200) return JSON.parse(text);
    } catch {
      continue;
    }
    if (!RETRIED.includes(response.status)) throw new PaymentRefused(`${response.status}: ${sentence(text)}`);
    wait = Number(response.headers.get("Retry-After") ?? wait);
    if (!(wait <= LONGEST_WAIT_SECONDS)) throw new NoResponse(`the service asks to wait for ${wait} seconds`);
  }
  throw new NoResponse(`no response after ${ATTEMPTS} attempts`);
}

// What a refusal says, for a person to read.
function sentence(text: string): string {
  try {
    const problem = JSON.parse(text);
    return problem.detail ?? problem.title ?? text;
  } catch {
    return text;
  }
}

const [url, load, amount, reference] = process.argv.slice(2);
const payment = {
  LoadNumber: load,
  // Sent digit by digit as it was given: a JavaScript number cannot hold every amount.
  Amount: { Amount: JSON.rawJSON(amount), Currency: 840 },
  PaymentDate: new Date().toISOString(),
  ReferenceNumber: reference,
};
try {
  const recorded = await pay(url, payment, process.env.ALVYS_TOKEN);
  console.log(`Recorded ${reference} on ${load}, which is ${recorded.Status}`);
} catch (error) {
  if (error instanceof PaymentRefused) {
    console.error(`Refused with ${error.message}`);
    process.exitCode = 1;
  } else if (error instanceof NoResponse) {
    console.error(`Unknown whether it was recorded: ${error.message}`);
    process.exitCode = 2;
  } else {
    throw error;
  }
}

export {};
