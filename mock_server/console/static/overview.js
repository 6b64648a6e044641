// The overview: what to call, how strict it is, what it holds; and four first payments.

import { API, admin, authorization, call, mayCall, settings } from "./api.js";
import { follow } from "./events.js";
import { attempt, byId, confirm, copyButton, el, faultCode, fill, flash, loadBadge, money, PAYABLE, statusBadge } from "./ui.js";

const PAY = "recordCustomerPayment";

// --- what there is -----------------------------------------------------------------------------------

const fact = (name, ...value) => [el("dt", {}, name), el("dd", {}, ...value)];
const copied = (text, what) => el("div", { class: "copied" }, el("code", {}, text), copyButton(text, what));

function showSettings(told) {
  const { tokens, clients } = told;
  const tokenUrl = tokens.path && API + tokens.path;
  fill(
    byId("connect"),
    fact("Base URL", copied(API, "the base URL")),
    tokenUrl ? fact("Token URL", copied(tokenUrl, "the token URL")) : [],
    clients.flatMap(({ id, secret, scopes }) => [
      ...fact("Client", copied(id, "the client")),
      ...fact("Secret", copied(secret, "the secret")),
      ...fact("Scopes", el("code", {}, scopes.join(" "))),
    ]),
    tokenUrl ? fact("Audience", copied(tokens.audience, "the audience")) : [],
  );
  fill(
    byId("strict"),
    fact("Tokens", tokens.required ? "An access token is required." : "No access token is needed."),
    fact("Rate limit", told.rateLimit === "off" ? "Off" : told.rateLimit),
    fact("Revision", told.revision === "page" ? "page: the endpoint's own page" : told.revision),
    fact("Profile", told.profile, told.notes.map((note) => el("div", { class: "hint" }, note))),
    fact("Journal", told.journal ? `The latest ${told.journal} requests` : "Off"),
  );
}

function showLoads({ counts }) {
  const payable = ([status]) => !PAYABLE.includes(status);
  const rows = Object.entries(counts).sort((one, other) => payable(one) - payable(other));
  fill(
    byId("loads"),
    rows.length
      ? el(
          "ul",
          { class: "counts" },
          rows.map(([status, count]) => el("li", {}, loadBadge(status), el("span", {}, String(count)))),
        )
      : el("p", { class: "empty" }, "There are no loads."),
  );
}

function showNow({ now, frozen }, { items }) {
  fill(byId("clock"), el("time", { datetime: now }, now.replace("T", " ").replace(/\.\d+/, "")), frozen ? ", frozen" : "");
  fill(
    byId("faults"),
    items.length
      ? el("ul", { class: "plain" }, items.map(({ fault }) => el("li", {}, faultCode(fault))))
      : "None",
  );
}

async function refresh() {
  const [told, loads, clock, faults] = await Promise.all([
    settings(),
    admin("GET", "loads?limit=0"),
    admin("GET", "clock"),
    admin("GET", "faults"),
  ]);
  showSettings(told);
  showLoads(loads);
  showNow(clock, faults);
}

// --- the first steps ---------------------------------------------------------------------------------

let first = null;

const fresh = () => `FIRST-${Date.now().toString(36).toUpperCase()}-${Math.floor(Math.random() * 1296).toString(36).toUpperCase()}`;

const payment = (load, ReferenceNumber) => ({
  LoadNumber: load,
  Amount: { Amount: 100.1, Currency: 840 },
  PaymentDate: new Date().toISOString().replace(/\.\d+/, ""),
  ReferenceNumber,
});

/** Sends a payment, with a token where one is needed. */
async function pay(document) {
  const operation = (await settings()).operations.find(({ id }) => id === PAY);
  const send = async (renew) =>
    call({
      method: operation.method,
      path: operation.examplePath,
      headers: { "Content-Type": operation.mediaTypes[0], ...(await authorization(renew)) },
      body: JSON.stringify(document),
    });
  const answer = await send(false);
  return answer.status === 401 ? send(true) : answer;
}

async function loadIn(...statuses) {
  for (const status of statuses) {
    const { items } = await admin("GET", `loads?${new URLSearchParams({ status, limit: 1 })}`);
    if (items.length) return items[0];
  }
  throw new Error(`No load is ${statuses.join(" or ")}. Reset the sandbox, or add one.`);
}

const paymentsOf = async (load) => {
  const shown = await admin("GET", `loads/${encodeURIComponent(load)}`);
  const [total, payments] = ["totalPaid", "payments"].map(
    (name) => shown[Object.keys(shown).find((key) => key.toLowerCase() === name.toLowerCase())],
  );
  return { count: payments?.length ?? 0, total: money(total), status: shown.Status };
};

/** Says under a step what happened: the status, a sentence, and where to see more. */
function tell(button, answer, sentence, reference) {
  const more = new URL(document.body.dataset.requests, location);
  more.searchParams.set("reference", reference);
  fill(
    button.parentElement.querySelector(".outcome"),
    el("div", {}, statusBadge(answer.status || null)),
    el("p", {}, sentence),
    el("a", { href: more.pathname + more.search }, "See the request"),
  );
}

const step = (id, what) =>
  byId(id).addEventListener("click", (event) =>
    attempt(async () => {
      await what(event.currentTarget ?? byId(id));
      await refresh();
    }, byId(id)),
  );

const plural = (count) => `${count} payment${count === 1 ? "" : "s"}`;

step("record", async (button) => {
  const load = (await loadIn(...PAYABLE)).LoadNumber;
  const sent = payment(load, fresh());
  const answer = await pay(sent);
  if (answer.status !== 200) {
    tell(button, answer, refusalIn(answer), sent.ReferenceNumber);
    return;
  }
  first = sent;
  byId("replay").disabled = false;
  const { count, total, status } = await paymentsOf(load);
  tell(button, answer, `${load} is ${status} and has ${plural(count)}, ${total} in all.`, sent.ReferenceNumber);
});

step("replay", async (button) => {
  const answer = await pay(first);
  const { count, total } = await paymentsOf(first.LoadNumber);
  const sentence =
    answer.status === 200
      ? `The original payment is returned: ${first.LoadNumber} still has ${plural(count)}, ${total} in all. That is rule R6.`
      : refusalIn(answer);
  tell(button, answer, sentence, first.ReferenceNumber);
});

step("lose", async (button) => {
  const load = (await loadIn(...PAYABLE)).LoadNumber;
  const before = await paymentsOf(load);
  const sent = payment(load, fresh());
  // Until it is removed again, and not for the next request alone: a browser may repeat a request by itself.
  const { id } = await admin("POST", "faults", { operation: PAY, reference: sent.ReferenceNumber, drop: "after" });
  const answer = await pay(sent);
  await admin("DELETE", `faults/${id}`);
  const { count, total } = await paymentsOf(load);
  const sentence =
    count > before.count
      ? `No response came, yet the payment is there: ${load} has ${plural(count)}, ${total} in all. Send it again, as a client must: nothing is paid twice.`
      : "No response came.";
  tell(button, answer, sentence, sent.ReferenceNumber);
  const again = el("button", { type: "button", class: "small" }, "Send it again");
  again.addEventListener("click", () =>
    attempt(async () => {
      const repeated = await pay(sent);
      const now = await paymentsOf(load);
      const kept = `The payment is returned that was recorded before: ${load} still has ${plural(now.count)}, ${now.total} in all.`;
      tell(button, repeated, repeated.status === 200 ? kept : refusalIn(repeated), sent.ReferenceNumber);
    }, again),
  );
  button.parentElement.querySelector(".outcome a").before(again);
});

step("refuse", async (button) => {
  const load = await loadIn("Dispatched", "In Transit", "Delivered", "Open", "Paid", "Cancelled");
  const sent = payment(load.LoadNumber, fresh());
  const answer = await pay(sent);
  tell(button, answer, `${refusalIn(answer)} ${load.LoadNumber} is ${load.Status}.`, sent.ReferenceNumber);
});

/** The sentence of a problem document, or what came instead. */
function refusalIn({ status, text }) {
  if (!status) return "No response came.";
  try {
    const { detail, title } = JSON.parse(text);
    return detail || title;
  } catch {
    return text || `Status ${status}.`;
  }
}

// --- reset -------------------------------------------------------------------------------------------

byId("reset").addEventListener("click", async () => {
  const question = "Take loads, tokens, limits, faults, requests and the clock back to how they were at the start?";
  if (!(await confirm(question, "Reset"))) return;
  await attempt(async () => {
    await admin("POST", "reset");
    first = null;
    byId("replay").disabled = true;
    for (const outcome of document.querySelectorAll(".outcome")) outcome.replaceChildren();
    await refresh();
    flash("The sandbox is as it was at the start.");
  }, byId("reset"));
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) attempt(refresh);
});

/** Shows what has changed, once for all requests of a moment. */
let due = 0;
function refreshSoon() {
  clearTimeout(due);
  due = setTimeout(() => attempt(refresh), 300);
}

attempt(async () => {
  const told = await settings();
  if (!told.operations.some(({ id }) => id === PAY)) {
    document.querySelector("[aria-labelledby=steps-title]").hidden = true;
  } else if (!(await mayCall())) {
    const note = document.querySelector(".elsewhere");
    note.hidden = false;
    note.textContent = `This page is not where the API is. It can send payments if the mock is started with --cors ${location.origin}`;
  }
  await refresh();
  if (told.journal) await follow({ onStart() {}, onRequest: refreshSoon, onCleared: refreshSoon, onState() {} });
});
