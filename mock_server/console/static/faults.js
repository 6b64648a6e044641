// Faults to inject, and the clock.

import { admin, settings } from "./api.js";
import { attempt, byId, confirm, copyButton, el, faultCode, fill, flash, written } from "./ui.js";

const PAY = "recordCustomerPayment";
const NEXT = [
  ["Lose the next response", "The payment is recorded, then the connection closes.", { drop: "after" }],
  ["503 Service Unavailable", "The payment is not recorded; try again in 2 seconds.", { status: 503, retryAfter: 2 }],
  ["Slow response", "The payment is recorded at once, the response is 5 seconds late.", { delay: 5 }],
  ["429 Too Many Requests", "The payment is not recorded; try again in 60 seconds.", { status: 429 }],
  ["Truncated response", "The payment is recorded, and half of the response arrives.", { body: "truncated" }],
];

// --- faults ------------------------------------------------------------------------------------------

async function inject(fault) {
  const { id } = await admin("POST", "faults", fault);
  flash(`${id} is injected: ${written(fault)}`);
  await showFaults();
}

async function showFaults() {
  const { items } = await admin("GET", "faults");
  byId("remove-all").hidden = !items.length;
  const row = ({ id, applied, fault }) =>
    el(
      "tr",
      {},
      el("td", { "data-label": "Fault" }, faultCode(fault)),
      el("td", { "data-label": "Injected" }, `${applied} time${applied === 1 ? "" : "s"}`),
      el(
        "td",
        { class: "number" },
        el("button", { type: "button", class: "small", "aria-label": `Remove ${id}: ${written(fault)}`, onclick: (event) => remove(id, event.currentTarget) }, "Remove"),
      ),
    );
  const head = el("thead", {}, el("tr", {}, ["Fault", "Injected", ""].map((name) => (name ? el("th", { scope: "col" }, name) : el("td")))));
  fill(
    byId("active"),
    items.length
      ? el("table", { class: "stack" }, head, el("tbody", {}, items.map(row)))
      : el("p", { class: "empty" }, "No fault is active: every request is processed as the contract says."),
  );
}

const remove = (id, button) =>
  attempt(async () => {
    await admin("DELETE", `faults/${encodeURIComponent(id)}`);
    flash(`${id} is removed.`);
    await showFaults();
  }, button);

byId("remove-all").addEventListener("click", async ({ currentTarget }) => {
  if (!(await confirm("Remove all faults, also those of --fault?", "Remove"))) return;
  await attempt(async () => {
    await admin("DELETE", "faults");
    await showFaults();
  }, currentTarget);
});

// --- the form ----------------------------------------------------------------------------------------

const own = byId("own");
const fields = [...own.querySelectorAll("[data-type]")];

/** What the form says; a number that is none stays a text, and the sandbox says so. */
function filledIn() {
  const given = fields.filter(({ value }) => value.trim()).map(({ name, value, dataset }) => [name, valueOf(value.trim(), dataset.type)]);
  return Object.fromEntries(given);
}

function valueOf(text, type) {
  if (type === "boolean") return text === "true";
  return type === "string" || Number.isNaN(Number(text)) ? text : Number(text);
}

function preview() {
  const fault = filledIn();
  const option = `--fault ${written(fault)}`;
  fill(byId("as-option"), Object.keys(fault).length ? [el("span", {}, option), copyButton(option, "the option")] : []);
}

function showErrors(errors = {}) {
  for (const field of fields) field.setAttribute("aria-invalid", String(field.name in errors));
  const sentences = Object.entries(errors).map(([name, [sentence]]) => (fields.some((field) => field.name === name) ? `${name}: ${sentence}` : sentence));
  byId("own-error").textContent = sentences.join(" ");
  fields.find((field) => field.name in errors)?.focus();
}

own.addEventListener("input", preview);
own.addEventListener("reset", () => setTimeout(() => (preview(), showErrors())));
own.addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await inject(filledIn());
    showErrors();
  } catch (error) {
    showErrors(error.problem?.errors ?? { $: [error.message] });
  }
});

// --- the clock ---------------------------------------------------------------------------------------

/** How far the clock is from that of this machine, in milliseconds; and where it stands if it is frozen. */
let clock = { ahead: 0, stands: null };

function showClock({ now, frozen }) {
  clock = { ahead: Date.parse(now) - Date.now(), stands: frozen ? Date.parse(now) : null };
  byId("frozen").textContent = frozen ? "frozen" : "running";
  byId("frozen").className = `status ${frozen ? "refused" : "good"}`;
  byId("freeze").disabled = frozen;
  byId("thaw").disabled = !frozen;
  tick();
}

function tick() {
  const text = new Date(clock.stands ?? Date.now() + clock.ahead).toISOString();
  byId("now").dateTime = text;
  byId("now").textContent = `${text.slice(0, 10)} ${text.slice(11, 19)} UTC`;
}

const change = (what, button) => attempt(async () => showClock(await admin("PATCH", "clock", what)), button);

byId("freeze").addEventListener("click", () => change({ frozen: true }));
byId("thaw").addEventListener("click", () => change({ frozen: false }));
for (const button of document.querySelectorAll("[data-move]")) {
  button.addEventListener("click", () => change({ move: Number(button.dataset.move) }, button));
}
byId("set").addEventListener("submit", (event) => {
  event.preventDefault();
  change({ at: new Date(`${event.target.elements.at.value}Z`).toISOString() });
});
byId("real").addEventListener("click", ({ currentTarget }) =>
  attempt(async () => {
    await admin("POST", "reset/clock");
    showClock(await admin("GET", "clock"));
  }, currentTarget),
);

// --- start -------------------------------------------------------------------------------------------

attempt(async () => {
  const { operations } = await settings();
  const pays = operations.some(({ id }) => id === PAY);
  byId("next-title").parentElement.hidden = !pays;
  fill(
    byId("quick"),
    NEXT.map(([title, words, fault]) => {
      const button = el("button", { type: "button" }, el("strong", {}, title), el("span", { class: "hint" }, words));
      button.addEventListener("click", () => attempt(() => inject({ operation: PAY, next: 1, ...fault }), button));
      return button;
    }),
  );
  own.elements.operation.append(...operations.map(({ id }) => el("option", {}, id)));
  await Promise.all([showFaults(), admin("GET", "clock").then(showClock)]);
  setInterval(tick, 1000);
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) attempt(() => Promise.all([showFaults(), admin("GET", "clock").then(showClock)]));
});
