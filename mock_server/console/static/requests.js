// The requests: live, filtered, and each with its reason.

import { admin, authorization, call, send, settings } from "./api.js";
import { asCurl, asPytest } from "./copies.js";
import { follow } from "./events.js";
import { attempt, byId, confirm, copyButton, el, fill, flash, pretty, statusBadge, timeOf } from "./ui.js";

const STEP = 100;
const form = byId("filters");
const rows = byId("rows");

/** All requests, newest first; which of them are open, by id; how many are shown. */
let entries = [];
const open = new Set();
let shown = STEP;
let capacity = 1000;

// --- filters -----------------------------------------------------------------------------------------

const filters = () => Object.fromEntries(new FormData(form));

function passes(entry, { text, operation, status, load, reference, fault }) {
  const said = [entry.method, entry.path, entry.load, entry.reference, entry.userAgent, entry.fault, entry.reason?.rule, entry.reason?.text, entry.body, entry.response];
  return (
    (!operation || entry.operation === operation) &&
    (!load || entry.load === load) &&
    (!reference || entry.reference === reference) &&
    (!fault || entry.fault !== null) &&
    (!status || (status === "none" ? entry.status === null : String(entry.status).startsWith(status))) &&
    (!text || said.join("\n").toLowerCase().includes(text.toLowerCase()))
  );
}

function readAddress() {
  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = form.elements[name];
    if (field?.type === "checkbox") field.checked = true;
    else if (field) field.value = value;
  }
}

function writeAddress() {
  const asked = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
}

// --- the table ---------------------------------------------------------------------------------------

const cell = (name, ...content) => el("td", { class: name }, ...content);
const cut = (text, name = "") => el("span", { class: `cut ${name}`, title: text }, text);

/** A user agent in a word: `Chrome 156`, `httpx2`. The detail shows all of it. */
function inShort(userAgent) {
  const browser = /(Firefox|Edg|Chrome|Version)\/(\d+)/.exec(userAgent);
  if (userAgent.startsWith("Mozilla/") && browser) return `${browser[1].replace("Version", "Safari").replace("Edg", "Edge")} ${browser[2]}`;
  return userAgent.split("/")[0];
}

function rowOf(entry, isNew) {
  const isOpen = open.has(entry.id);
  const toggle = el(
    "button",
    { type: "button", class: "quiet toggle", "aria-expanded": String(isOpen), "aria-controls": `detail-${entry.id}` },
    timeOf(entry.at),
    el("span", { class: "offscreen" }, `, request ${entry.id}, details`),
  );
  const row = el(
    "tr",
    { class: isNew ? "new" : null, "data-id": String(entry.id) },
    cell("time", toggle),
    cell("outcome", statusBadge(entry.status), isOfContract(entry.reason) ? el("span", { class: "rule" }, entry.reason.rule) : null),
    cell("request", cut(`${entry.method} ${entry.path}`, "mono")),
    cell("load", cut(entry.load ?? "")),
    cell("reference", cut(entry.reference ?? "")),
    cell("number", `${entry.milliseconds.toFixed(1)} ms`),
    cell("fault", entry.fault ? el("span", { class: "status refused cut", title: entry.fault }, entry.fault) : null),
    cell("agent", el("span", { class: "cut", title: entry.userAgent ?? "" }, inShort(entry.userAgent ?? ""))),
  );
  const detail = el("tr", { class: "detail", id: `detail-${entry.id}`, hidden: !isOpen });
  if (isOpen) detail.append(detailOf(entry));
  row.addEventListener("click", (event) => {
    if (getSelection().toString() && !toggle.contains(event.target)) return;
    const opens = detail.hidden;
    open[opens ? "add" : "delete"](entry.id);
    toggle.setAttribute("aria-expanded", String(opens));
    if (opens) fill(detail, detailOf(entry));
    detail.hidden = !opens;
  });
  return [row, detail];
}

function show() {
  const asked = filters();
  const found = entries.filter((entry) => passes(entry, asked));
  fill(rows, found.slice(0, shown).flatMap((entry) => rowOf(entry, false)));
  count(found.length);
}

function count(found) {
  const all = entries.length;
  byId("count").textContent = all === found ? `${all} request${all === 1 ? "" : "s"}` : `${found} of ${all} requests`;
  byId("more").hidden = found <= shown;
  byId("none").hidden = found > 0;
  byId("none").textContent = all ? "No request passes these filters." : "No request yet. Send one, and it appears here at once.";
}

function add(entry) {
  entries = [entry, ...entries].slice(0, capacity);
  const asked = filters();
  if (passes(entry, asked)) {
    rows.prepend(...rowOf(entry, true));
    while (rows.childElementCount > 2 * shown) rows.lastElementChild.remove();
  }
  count(entries.filter((each) => passes(each, asked)).length);
}

// --- one request -------------------------------------------------------------------------------------

/** Whether a rule or an assumption of the contract decided, and no fault. */
const isOfContract = (reason) => /^[A-Z]/.test(reason?.rule ?? "");

/** Why it was responded to so: the rule, as a link to the contract, and what it means here; and the fault. */
function why({ reason, fault }) {
  if (!reason && !fault) return null;
  const { rule, text } = reason ?? { text: "A fault was injected." };
  const named = isOfContract(reason) ? el("a", { href: `${document.body.dataset.contract}#${rule}` }, rule) : rule;
  return el(
    "p",
    { class: fault ? "why fault" : "why" },
    rule ? [el("strong", {}, named), ": "] : null,
    text,
    fault ? [" ", el("code", {}, fault)] : null,
  );
}

function bodyOf(title, text, size, what) {
  const kept = new TextEncoder().encode(text).length;
  return el(
    "section",
    {},
    el("div", { class: "row spread" }, el("h2", {}, title), text ? copyButton(text, what) : null),
    text ? el("pre", { tabindex: "0", "aria-label": title }, pretty(text)) : el("p", { class: "muted" }, "No body"),
    size > kept ? el("p", { class: "hint" }, `The first ${kept} of ${size} bytes; --journal-body keeps more.`) : null,
  );
}

function detailOf(entry) {
  const again = el("button", { type: "button", class: "primary", disabled: whyNot(entry) !== "" }, "Send again");
  again.addEventListener("click", () => attempt(() => sendAgain(entry), again));
  const { headers } = entry;
  return el(
    "td",
    { colspan: "8" },
    el(
      "div",
      { class: "detail-body" },
      why(entry),
      el(
        "div",
        { class: "row" },
        again,
        copyButton(() => asCurl(entry), "the request as curl", "Copy as curl"),
        copyButton(() => asPytest(entry), "the request as a pytest test", "Copy as pytest"),
        el("span", { class: "hint" }, whyNot(entry)),
      ),
      el(
        "div",
        { class: "grid" },
        bodyOf("Request body", entry.body, entry.bodySize, "the request body"),
        bodyOf("Response body", entry.response, entry.responseSize, "the response body"),
      ),
      el(
        "details",
        {},
        el("summary", {}, `Request ${entry.id}: headers and more`),
        el(
          "dl",
          { class: "facts mono" },
          [["at", entry.at], ["operation", entry.operation ?? "none"], ...Object.entries(headers)].flatMap(([name, value]) => [
            el("dt", {}, name),
            el("dd", {}, value),
          ]),
        ),
      ),
    ),
  );
}

/** Why a request can't be sent again; empty if it can. */
function whyNot({ body, bodySize, path }) {
  if (new TextEncoder().encode(body).length < bodySize) return "Its body was cut, so it can't be sent again.";
  return /\*\*\*/.test(body + path) ? "Its secrets are masked, so it can't be sent again." : "";
}

async function sendAgain({ method, path, headers, body }) {
  const kept = Object.fromEntries(["content-type", "accept"].filter((name) => headers[name]).map((name) => [name, headers[name]]));
  const secret = headers.authorization?.startsWith("Bearer") ? await authorization() : {};
  const answer = await call({ method, path, headers: { ...kept, ...secret }, body: body || undefined });
  flash(answer.status ? `Sent again: ${answer.status} ${answer.statusText}` : "Sent again, and no response came.", answer.status ? "done" : "failed");
}

// --- start -------------------------------------------------------------------------------------------

form.addEventListener("input", () => {
  shown = STEP;
  writeAddress();
  show();
});
form.addEventListener("submit", (event) => event.preventDefault());
byId("more").addEventListener("click", () => {
  shown += STEP;
  show();
});
byId("archive").addEventListener("click", ({ currentTarget }) =>
  attempt(async () => {
    const archive = await (await send("GET", "/_mock/requests.har")).blob();
    const url = URL.createObjectURL(archive);
    el("a", { href: url, download: "requests.har" }).click();
    URL.revokeObjectURL(url);
  }, currentTarget),
);
byId("clear").addEventListener("click", async () => {
  if (!(await confirm("Remove all requests from the journal?", "Remove"))) return;
  await attempt(async () => {
    await admin("DELETE", "requests");
  }, byId("clear"));
});

attempt(async () => {
  const { operations, journal } = await settings();
  capacity = journal;
  if (!journal) {
    byId("live").textContent = "Off";
    byId("none").textContent = "The journal is switched off: the mock was started with --journal 0.";
    byId("none").hidden = false;
    return;
  }
  form.elements.operation.append(...operations.map(({ id }) => el("option", {}, id)));
  readAddress();
  byId("further").open = innerWidth > 900 || location.search !== "";
  await follow({
    onStart(items) {
      entries = items.toReversed();
      const asked = filters();
      // Who comes for one request wants to see it.
      const found = entries.filter((entry) => passes(entry, asked));
      if (location.search && found.length) open.add(found[0].id);
      show();
    },
    onRequest: add,
    onCleared() {
      entries = [];
      show();
    },
    onState(isLive) {
      byId("live").textContent = isLive ? "Live" : "Not connected";
      byId("live").className = `status ${isLive ? "good" : "failed"}`;
    },
  });
});
