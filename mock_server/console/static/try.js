// Try it: a request, its response, and the load before and after it.

import { API, accessToken, admin, authorization, call, mayCall, send, settings } from "./api.js";
import { codeFor, isTypeless, LANGUAGES } from "./code.js";
import { attempt, byId, copyButton, el, exact, fill, loadBadge, money, PAYABLE, pretty, spelled, statusBadge, valueOf } from "./ui.js";

const PAY = "recordCustomerPayment";
const form = byId("request");
const PRESETS = JSON.parse(form.dataset.presets);
const field = form.elements;
/** What nobody can use while the page writes it. */
const FILLED = byId("filled");

let operations = [];
let preset = {};
/** The request that was sent last, and whether the second one of the preset is in the form. */
let last = null;
let isSecond = false;

const operation = () => operations.find(({ id, path, method }) => field.operation.value === (id || `${method} ${path}`));
const pays = () => operation()?.id === PAY;
const fresh = () => `TRY-${Date.now().toString(36).toUpperCase()}-${Math.floor(Math.random() * 46656).toString(36).toUpperCase()}`;

// --- the form ----------------------------------------------------------------------------------------

/** What was typed as JSON: a number keeps its digits, a text in quotes stays one. */
const json = (typed) => (/^(-?\d+(\.\d+)?([eE][-+]?\d+)?|".*"|null)$/.test(typed.trim()) ? typed.trim() : JSON.stringify(typed));

function paymentBody(more = {}) {
  const example = operation().example;
  const amount = valueOf(example, "Amount");
  const name = (text) => JSON.stringify(spelled(example, text));
  const parts = [
    `${name("LoadNumber")}: ${JSON.stringify(field.load.value)}`,
    `${name("Amount")}: {${JSON.stringify(spelled(amount, "Amount"))}: ${json(field.amount.value)}, ${JSON.stringify(spelled(amount, "Currency"))}: ${json(field.currency.value)}}`,
    `${name("PaymentDate")}: ${JSON.stringify(field.date.value)}`,
    `${name("ReferenceNumber")}: ${JSON.stringify(field.reference.value)}`,
    ...Object.entries(more).map(([key, value]) => `${name(key)}: ${JSON.stringify(value)}`),
  ];
  return `{\n  ${parts.join(",\n  ")}\n}`;
}

function writeBody() {
  field.body.value = preset.body ?? (pays() ? paymentBody(preset.more) : operation().example ? JSON.stringify(operation().example, null, 2) : "");
}

const loads = async (query) => exact(await (await send("GET", `/_mock/loads?${new URLSearchParams(query)}`)).text());

async function loadIn(statuses, except) {
  for (const status of statuses) {
    const { items } = await loads({ status, limit: 2 });
    const found = items.find(({ LoadNumber }) => LoadNumber !== except);
    if (found) return found.LoadNumber;
  }
  throw new Error(`No load is ${statuses.join(" or ")}. Add one on the page Loads, or reset the sandbox.`);
}

/** Fills the form for an operation and a preset. */
async function prepare() {
  const { method, path, examplePath, mediaTypes, example, scopes } = operation();
  isSecond = false;
  byId("payment").hidden = byId("losing").hidden = !pays();
  if (!pays()) field.lose.checked = false;
  byId("method").textContent = `${method}, path and query`;
  byId("body").hidden = !mediaTypes.length;
  field.headers.value = preset.headers ?? (mediaTypes.length ? `Content-Type: ${mediaTypes[0]}` : "");
  field.token.value = preset.token ?? ((await settings()).tokens.required && scopes ? "valid" : "none");
  const query = preset.query ?? (operation().id === "getLoad" ? `loadNumber=${encodeURIComponent(await loadIn(PAYABLE))}` : "");
  field.path.value = (preset.path ?? examplePath.split("?")[0]) + (query && `?${query}`);
  if (pays()) {
    field.load.value = await loadIn(preset.load ? [preset.load] : PAYABLE);
    field.reference.value = fresh();
    field.amount.value = "100.10";
    field.currency.value = "840";
    field.date.value = new Date().toISOString().replace(/\.\d+/, "");
    for (const [name, value] of Object.entries(preset.fields ?? {})) field[name].value = value;
    await showStatus();
  } else if (example && path === (await settings()).tokens.path) {
    const [{ id, secret }] = (await settings()).clients;
    field.body.value = JSON.stringify({ ...example, client_id: id, client_secret: secret }, null, 2);
  }
  if (!field.body.value || pays() || preset.body !== undefined || path !== (await settings()).tokens.path) writeBody();
  say(preset.hint);
  showCode();
}

/** The second request of a preset, once the first was sent. */
async function prepareSecond() {
  if (preset.then === undefined || isSecond || !pays()) return;
  isSecond = true;
  for (const [name, value] of Object.entries(preset.then)) {
    const change = { lowercase: (text) => text.toLowerCase(), new: fresh }[value];
    field[name].value = name === "load" && !value ? await loadIn(PAYABLE, field.load.value) : change ? change(field[name].value) : value;
  }
  writeBody();
  await showStatus();
  say("Now send the second request, which is filled in.");
  showCode();
}

function say(hint) {
  byId("hint").hidden = !hint;
  byId("hint").textContent = hint ?? "";
}

let asked = 0;
async function showStatus() {
  const mine = (asked += 1);
  const number = field.load.value;
  const { items } = await loads({ find: number, limit: 20 });
  if (mine !== asked) return; // another was typed since
  fill(byId("some-loads"), items.map(({ LoadNumber, Status }) => el("option", { value: LoadNumber }, Status)));
  const found = items.find(({ LoadNumber }) => LoadNumber === number);
  fill(byId("load-status"), found ? [loadBadge(found.Status), ` ${money(found.InvoicedAmount ?? found.CustomerRate)} billed, ${money(valueOf(found, "totalPaid"))} paid`] : "There is no load of this number.");
}

// --- what is sent ------------------------------------------------------------------------------------

/** The request of the form: {method, path, headers as pairs, body}. */
async function requestOf() {
  const headers = field.headers.value
    .split("\n")
    .filter((line) => line.trim())
    .map((line) => /^\s*([^:]*?)\s*(?::\s*(.*?)\s*)?$/.exec(line))
    .map(([, name, value = ""]) => [name, value]);
  const token = { none: [], wrong: [["Authorization", "Bearer wrong"]], valid: null }[field.token.value] ?? [["Authorization", `Bearer ${await accessToken()}`]];
  return {
    method: operation().method,
    path: field.path.value,
    headers: [...headers, ...token],
    body: operation().mediaTypes.length ? field.body.value : "",
    pays: pays(),
  };
}

const showCode = () =>
  attempt(async () => {
    const request = await requestOf();
    byId("code").textContent = codeFor(byId("language").value, { ...request, url: urlOf(request) }, request.pays);
  });

/** The URL as a browser sends it. */
const urlOf = ({ path }) => (URL.canParse(API + path) ? new URL(API + path).href : API + path);

/** Says what of a request no browser can send. */
function check({ path, headers }) {
  if (!path.startsWith("/") || !URL.canParse(API + path)) throw new Error("The path must begin with a slash.");
  for (const [name, value] of headers) {
    try {
      new Headers([[name, value]]);
    } catch {
      throw new Error(`A browser can't send the header “${name}: ${value}”.`);
    }
  }
}

/** The number of the load that a request is about. */
function loadOf({ path, body }) {
  try {
    const named = valueOf(JSON.parse(body), "LoadNumber");
    if (typeof named === "string") return named;
  } catch {
    // It is no JSON: then the query may name one.
  }
  return new URL(path, API).searchParams.get("loadNumber");
}

async function loadNamed(number) {
  if (!number) return null;
  try {
    return exact(await (await send("GET", `/_mock/loads/${encodeURIComponent(number)}`)).text());
  } catch {
    return null;
  }
}

async function transmit(request) {
  check(request);
  const number = loadOf(request);
  const [before, { now }] = await Promise.all([loadNamed(number), admin("GET", "clock")]);
  const body = isTypeless(request.headers) ? new TextEncoder().encode(request.body) : request.body;
  const answer = await losing(field.lose.checked, () => call({ ...request, body: request.body ? body : undefined }));
  field.lose.checked = false;
  if (answer.status === 401 && field.token.value === "valid") await authorization(true);
  const after = await loadNamed(number);
  last = request;
  byId("again").disabled = false;
  show(request, answer, before, after, await reasonOf(request, now));
  await prepareSecond();
}

/** Does something while responses are lost: as long as it lasts, for a browser may send a request twice by itself. */
async function losing(isLost, what) {
  if (!isLost) return what();
  const { id } = await admin("POST", "faults", { operation: PAY, drop: "after" });
  try {
    return await what();
  } finally {
    await admin("DELETE", `faults/${id}`);
  }
}

/** Why it was responded to so, if there is a journal. */
async function reasonOf(request, now) {
  if (!(await settings()).journal) return null;
  const { items } = await admin("GET", `requests?${new URLSearchParams({ since: now })}`);
  return items.findLast(({ method, path }) => method === request.method && API + path === urlOf(request))?.reason ?? null;
}

// --- what came of it ---------------------------------------------------------------------------------

const paymentsOf = (load) => valueOf(load, "payments") ?? [];
const plural = (count) => `${count} payment${count === 1 ? "" : "s"}`;

/** What the request did, in a sentence. */
function sentence({ body, pays: paid }, { status }, before, after) {
  const count = paymentsOf(after).length;
  const grew = count - paymentsOf(before).length;
  let reference = "";
  try {
    reference = valueOf(JSON.parse(body), "ReferenceNumber");
  } catch {
    // Then it names none.
  }
  if (paid && after && grew > 0) {
    const lost = status ? "" : "No response came, yet the payment is recorded: a client can't know, and sends it again with the same reference. ";
    return `${lost}The load has ${plural(count)} now.`;
  }
  if (paid && after && status === 200) {
    const same = paymentsOf(after).filter((each) => valueOf(each, "ReferenceNumber") === reference).length;
    return same === 1 ? `There is still one payment of ${reference}: nothing was paid twice.` : `The load still has ${plural(count)}.`;
  }
  return status ? "" : `No response came.${paid ? " Send it again with the same reference: nothing is paid twice." : ""}`;
}

function show(request, answer, before, after, reason) {
  const { status, statusText, milliseconds, headers, text, broken, resent } = answer;
  const said = sentence(request, answer, before, after);
  const contract = /^[A-Z]/.test(reason?.rule ?? "") ? el("a", { href: `${document.body.dataset.contract}#${reason.rule}` }, reason.rule) : reason?.rule;
  fill(
    byId("response"),
    el("p", { class: "row" }, statusBadge(status || null), el("span", { class: "muted" }, `${statusText} ${Math.round(milliseconds)} ms`)),
    said ? el("p", {}, el("strong", {}, said)) : null,
    broken && status ? el("p", { class: "error" }, "The connection closed before the response was whole.") : null,
    resent ? el("p", { class: "hint" }, "The first response was lost, and the browser sent the request again by itself.") : null,
    reason ? el("p", { class: "why" }, contract ? [el("strong", {}, contract), ": "] : null, reason.text) : null,
    text ? el("div", { class: "row spread" }, el("h3", {}, "Body"), copyButton(text, "the response body")) : null,
    text ? el("pre", { tabindex: "0", "aria-label": "Response body" }, pretty(text)) : null,
    headers.length
      ? el("details", {}, el("summary", {}, "Headers"), el("dl", { class: "facts mono" }, headers.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])))
      : null,
  );
  byId("effect").hidden = !before && !after;
  if (before || after) showEffect(before ?? {}, after ?? {});
}

const ALWAYS = ["Status", "totalPaid", "paidAt", "payments"];

/** The fields that tell of payments, and all others that have changed. */
function showEffect(before, after) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const isChanged = (name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]);
  const isShown = (name) => isChanged(name) || ALWAYS.some((each) => each.toLowerCase() === name.toLowerCase());
  const known = new Set(paymentsOf(before).map((each) => JSON.stringify(each)));
  const rows = names.filter(isShown).map((name) =>
    el(
      "tr",
      { class: isChanged(name) ? "changed" : null },
      el("th", { scope: "row" }, name, isChanged(name) ? el("span", { class: "offscreen" }, ", changed") : null),
      el("td", { "data-name": "Before" }, shown(before[name], known)),
      el("td", { "data-name": "After" }, shown(after[name], known)),
    ),
  );
  fill(byId("effect").querySelector("tbody"), rows);
}

function shown(value, known) {
  if (value === undefined || value === null || value === "") return "–";
  if (Array.isArray(value)) {
    const line = (each) => `${money(valueOf(each, "Amount"))} ${valueOf(each, "ReferenceNumber") ?? valueOf(each, "Id") ?? ""}`;
    const item = (each) => el("li", {}, known.has(JSON.stringify(each)) ? line(each) : el("mark", {}, line(each)));
    return value.length ? el("ol", { class: "plain" }, value.map((each) => (typeof each === "object" ? item(each) : el("li", {}, String(each))))) : "none";
  }
  if (typeof value === "object") return valueOf(value, "Currency") === undefined ? JSON.stringify(value) : money(value);
  return String(value);
}

// --- start -------------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => transmit(await requestOf()), event.submitter);
});
byId("again").addEventListener("click", () => attempt(() => transmit(last), byId("again")));
byId("fresh").addEventListener("click", () => {
  field.reference.value = fresh();
  writeBody();
  showCode();
});
byId("payment").addEventListener("input", (event) => {
  writeBody();
  if (event.target === field.load) attempt(showStatus);
});
form.addEventListener("input", (event) => {
  if (event.target !== field.preset && event.target !== field.operation) showCode();
});
field.operation.addEventListener("change", () => {
  field.preset.value = "";
  preset = {};
  attempt(prepare, FILLED);
});
field.preset.addEventListener("change", () => choose(field.preset.value));

/** Takes up a preset, which the address names from then on. */
async function choose(name) {
  preset = PRESETS[name] ?? {};
  history.replaceState(null, "", PRESETS[name] ? `?preset=${name}` : location.pathname);
  const wanted = preset.operation ?? PAY;
  if (operations.some(({ id }) => id === wanted)) field.operation.value = wanted;
  await attempt(prepare, FILLED);
}

byId("language").append(...Object.keys(LANGUAGES).map((name) => el("option", {}, name)));
byId("language").addEventListener("change", showCode);
byId("copy").append(copyButton(() => byId("code").textContent, "the code"));

attempt(async () => {
  operations = (await settings()).operations;
  field.operation.append(
    ...operations.map(({ id, method, path, keepsState }) =>
      el("option", { value: id || `${method} ${path}` }, `${method} ${path}${keepsState ? "" : " (examples)"}`),
    ),
  );
  if (!(await mayCall())) {
    const note = document.querySelector(".elsewhere");
    note.hidden = false;
    note.textContent = `This page is not where the API is. It can send requests if the mock is started with --cors ${location.origin}`;
    for (const button of form.querySelectorAll(".actions button")) button.hidden = true;
  }
  const address = new URLSearchParams(location.search);
  const named = address.get("preset") ?? "";
  field.preset.value = named in PRESETS ? named : "";
  await choose(field.preset.value);
  if (address.has("load") && pays()) {
    field.load.value = address.get("load");
    writeBody();
    await showStatus();
    showCode();
  }
});
