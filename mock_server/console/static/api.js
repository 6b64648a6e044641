// Calls the admin API, and the API that the sandbox stands in for.

/** The base URL of the API. The admin API is on the server of this page. */
export const API = document.body.dataset.api;

const KEY = "alvys-sandbox-admin-key";

/** A response that is not 2xx. `problem` is its problem document, `status` 0 for no response at all. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || Object.values(problem.errors ?? {})[0]?.[0] || problem.title || `Status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

const keyHeader = () => {
  const key = sessionStorage.getItem(KEY);
  return key ? { "X-Admin-Key": key } : {};
};

/** Sends a request to the admin API, whose body may be JSON already; asks for the key where it wants one. Returns the response. Refused. */
export async function send(method, path, body, options = {}) {
  for (;;) {
    const headers = { ...keyHeader(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    let response;
    try {
      response = await fetch(path, {
        ...options,
        method,
        headers,
        body: body === undefined || typeof body === "string" ? body : JSON.stringify(body),
        cache: "no-store",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, { title: "The sandbox does not respond. Is it still running?" });
    }
    if (response.ok) return response;
    if (response.status !== 401) throw new Refused(response.status, await problemOf(response));
    await askForKey();
  }
}

/** What the admin API responds to a request, as JSON. Refused. */
export async function admin(method, path, body) {
  return (await send(method, `/_mock/${path}`, body)).json();
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { title: `${response.status} ${response.statusText}` };
  }
}

let asking = null;

/** Asks once, however many requests wait for the key. */
function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key");
    const form = dialog.querySelector("form");
    const input = form.elements.key;
    dialog.querySelector(".wrong").hidden = !sessionStorage.getItem(KEY);
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        sessionStorage.setItem(KEY, input.value.trim());
        input.value = "";
        dialog.close();
        asking = null;
        resolve();
      },
      { once: true },
    );
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.showModal();
  });
  return asking;
}

/** How the sandbox was started; asked for once. */
let told = null;
export const settings = () => (told ??= admin("GET", "settings"));

/** Whether this page may call the API, which may be on another port. */
export async function mayCall() {
  const { cors } = await settings();
  return new URL(API).origin === location.origin || cors.includes("*") || cors.includes(location.origin);
}

let token = null;

/** An access token for the sandbox's first client, for a page that calls the API. Refused. */
export async function accessToken(renew = false) {
  if (token && !renew) return token;
  const { tokens, clients } = await settings();
  const { id, secret } = clients[0];
  const fields = { grant_type: "client_credentials", client_id: id, client_secret: secret, audience: tokens.audience };
  const answer = await call({
    method: "POST",
    path: tokens.path,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  if (answer.status !== 200) throw new Refused(answer.status, { title: `No token: ${answer.text}` });
  token = JSON.parse(answer.text).access_token;
  return token;
}

/** The header that a request needs where tokens are required, else none. */
export async function authorization(renew = false) {
  return (await settings()).tokens.required ? { Authorization: `Bearer ${await accessToken(renew)}` } : {};
}

/**
 * Sends a request to the API. Resolves, whatever happens, to {status, statusText, headers, text, milliseconds,
 * resent}: status is 0 if no response came, headers are pairs of name and value, text is what came of the body.
 *
 * A browser sends a request again by itself if its connection, used before, closes without a response:
 * a fault that drops the response then seems to do nothing. `resent` says that this has happened.
 */
export async function call({ method, path, headers = {}, body }) {
  const before = await dropping();
  const started = performance.now();
  const answer = { status: 0, statusText: "", headers: [], text: "", resent: false };
  try {
    const response = await fetch(API + path, { method, headers, body, cache: "no-store", redirect: "manual" });
    Object.assign(answer, { status: response.status, statusText: response.statusText });
    answer.headers = [...response.headers];
    for (const reader = response.body.getReader(), decoder = new TextDecoder(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      answer.text += decoder.decode(value, { stream: true });
    }
  } catch {
    // No response, or half of one: the status says which.
    answer.broken = true;
  }
  answer.milliseconds = performance.now() - started;
  if (before && answer.status) answer.resent = before !== (await dropping());
  return answer;
}

/** The faults that drop responses, and how often they did; empty without one. */
async function dropping() {
  const { items } = await admin("GET", "faults");
  return items
    .filter(({ fault }) => fault.drop)
    .map(({ id, applied }) => `${id}:${applied}`)
    .join();
}
