// The loads: found, looked at, added, changed, removed, saved and restored.

import { admin, send } from "./api.js";
import { attempt, byId, confirm, el, exact, fill, flash, loadBadge, money, valueOf } from "./ui.js";

const STEP = 50;
const STATUSES = [
  "Invoiced", "Completed", "Financed", "In Review", "Open", "Quoted", "Reserved", "Covered", "Dispatched", "In Transit",
  "Delivered", "TONU", "Released", "Queued", "Paid", "Cancelled",
];
const filters = byId("filters");
const rows = byId("rows");
const options = (selected) => STATUSES.map((status) => el("option", { selected: status === selected }, status));
const at = (number) => `loads/${encodeURIComponent(number)}`;

let opened = new URLSearchParams(location.search).get("load");
let latest = 0;

/** Shows the loads that pass the filters: the first, or with `offset` those after them. */
async function show(offset = 0) {
  const mine = (latest += 1);
  const asked = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  const text = await (await send("GET", `/_mock/loads?${asked}${asked.size ? "&" : ""}limit=${STEP}&offset=${offset}`)).text();
  if (mine !== latest) return; // something else was asked for since
  const { total, counts, items } = exact(text);
  if (!offset) rows.replaceChildren();
  rows.append(...items.flatMap(rowsOf));
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  byId("count").textContent = `${total === all ? "" : `${total} of `}${all} load${all === 1 ? "" : "s"}`;
  byId("none").hidden = total > 0;
  byId("more").hidden = offset + items.length >= total;
  byId("more").onclick = () => attempt(() => show(offset + items.length), byId("more"));
  for (const option of filters.elements.status.options)
    if (option.value) option.textContent = `${option.value} (${counts[option.value] ?? 0})`;
}

/** What was paid of what was billed, from 0 to 1; null where they can't be compared. */
function share(load) {
  const [billed, paid] = [load.InvoicedAmount ?? load.CustomerRate, valueOf(load, "totalPaid")];
  if (!billed || !Number(billed.Amount) || (paid && Number(paid.Currency) !== Number(billed.Currency))) return null;
  return Number(paid?.Amount ?? 0) / Number(billed.Amount);
}

function bar(load) {
  const part = share(load);
  if (part === null) return "–";
  const said = `${Math.floor(part * 100)} %`;
  return el("span", { class: "share" }, el("meter", { min: "0", max: "1", value: String(part), "aria-label": `${said} paid` }), el("span", {}, said));
}

function rowsOf(load) {
  const number = load.LoadNumber;
  const isOpen = number === opened;
  const detail = el("tr", { class: "detail", hidden: !isOpen }, isOpen ? detailOf(load) : null);
  const toggle = el(
    "button",
    {
      type: "button",
      class: "quiet toggle",
      "aria-expanded": String(isOpen),
      onclick: () => {
        const opens = detail.hidden;
        opened = opens ? number : null;
        toggle.setAttribute("aria-expanded", String(opens));
        if (opens) fill(detail, detailOf(load));
        detail.hidden = !opens;
      },
    },
    number,
  );
  const row = el(
    "tr",
    {},
    el("th", { scope: "row" }, toggle),
    el("td", { "data-label": "Status" }, loadBadge(load.Status)),
    el("td", { "data-label": "Customer" }, load.CustomerName ?? load.CustomerId ?? ""),
    el("td", { class: "number", "data-label": "Billed" }, money(load.InvoicedAmount ?? load.CustomerRate)),
    el("td", { class: "number", "data-label": "Paid" }, money(valueOf(load, "totalPaid"))),
    el("td", { "data-label": "Share paid" }, bar(load)),
  );
  return [row, detail];
}

// --- one load ----------------------------------------------------------------------------------------

function timeline(payments) {
  if (!payments.length) return el("p", { class: "empty" }, "No payment is recorded.");
  return el(
    "ol",
    { class: "timeline" },
    payments.map((each) => {
      const texts = ["PaymentMethod", "CheckNumber", "InvoiceNumber"].map((name) => valueOf(each, name)).filter(Boolean);
      const day = valueOf(each, "PaymentDate") ?? valueOf(each, "PaidAt");
      return el(
        "li",
        {},
        el("strong", {}, money(valueOf(each, "Amount"))),
        el("span", { class: "mono" }, valueOf(each, "ReferenceNumber") ?? valueOf(each, "Id")),
        el("span", { class: "muted" }, [day?.slice(0, 10), ...texts].filter(Boolean).join(" · ")),
      );
    }),
  );
}

function detailOf(load) {
  const number = load.LoadNumber;
  const status = el("select", { "aria-label": `Status of ${number}` }, options(load.Status));
  const change = el("button", { type: "button" }, "Change the status");
  const remove = el("button", { type: "button", class: "danger" }, "Remove the load");
  change.addEventListener("click", () =>
    attempt(async () => {
      await admin("PATCH", at(number), { Status: status.value });
      flash(`${number} is ${status.value}.`);
      await show();
    }, change),
  );
  remove.addEventListener("click", async () => {
    if (!(await confirm(`Remove ${number} and its payments?`, "Remove"))) return;
    await attempt(async () => {
      await admin("DELETE", at(number));
      flash(`${number} is removed.`);
      await show();
    }, remove);
  });
  return el(
    "td",
    { colspan: "6" },
    el(
      "div",
      { class: "detail-body" },
      el("div", { class: "row" }, el("a", { class: "button", href: `${document.body.dataset.try}?load=${encodeURIComponent(number)}` }, "Pay it"), status, change, remove),
      el("h2", {}, "Payments"),
      timeline(valueOf(load, "payments") ?? []),
      el("details", {}, el("summary", {}, "All fields"), el("pre", { tabindex: "0", "aria-label": `All fields of ${number}` }, JSON.stringify(load, null, 2))),
    ),
  );
}

// --- more and less of them ---------------------------------------------------------------------------

byId("add").addEventListener("submit", (event) => {
  event.preventDefault();
  const { number, status, amount, currency } = byId("add").elements;
  attempt(async () => {
    // The amount is sent as it was typed: a number of JavaScript might lose digits of it.
    const billed = amount.value ? `, "InvoicedAmount": {"Amount": ${amount.value}, "Currency": ${Number(currency.value)}}` : "";
    await send("PUT", `/_mock/${at(number.value)}`, `{"Status": ${JSON.stringify(status.value)}${billed}}`);
    flash(`${number.value} is there.`);
    opened = number.value;
    filters.reset();
    filters.elements.find.value = number.value;
    await show();
    byId("add").reset();
  }, event.submitter);
});

byId("snapshot").addEventListener("click", () =>
  attempt(async () => {
    const text = await (await send("GET", "/_mock/snapshot")).text();
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    el("a", { href: url, download: "loads.json" }).click();
    URL.revokeObjectURL(url);
    flash("Saved as loads.json, a file for --fixtures.");
  }, byId("snapshot")),
);

byId("restore").addEventListener("click", () => byId("file").click());
byId("file").addEventListener("change", async () => {
  const [file] = byId("file").files;
  byId("file").value = "";
  if (!file || !(await confirm(`Put the loads of ${file.name} in the place of all that there are?`, "Restore"))) return;
  await attempt(async () => {
    await send("PUT", "/_mock/snapshot", await file.text());
    flash(`The loads are those of ${file.name}.`);
    await show();
  }, byId("restore"));
});

filters.addEventListener("input", () => attempt(() => show()));
filters.addEventListener("submit", (event) => event.preventDefault());
filters.elements.status.append(...STATUSES.map((status) => el("option", { value: status }, status)));
byId("add").elements.status.append(...options("Invoiced"));
filters.elements.find.value = opened ?? "";
attempt(() => show());
