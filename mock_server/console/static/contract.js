// The contract: finds rules and assumptions, and shows the last report.

import { settings } from "./api.js";
import { attempt, byId } from "./ui.js";

const rows = [...document.querySelectorAll(".rules tbody tr")].map((row) => [row, row.textContent.toLowerCase()]);

function find() {
  const wanted = byId("find").value.trim().toLowerCase();
  const different = byId("different").checked;
  let found = 0;
  for (const [row, text] of rows) {
    row.hidden = !text.includes(wanted) || (different && !row.classList.contains("different"));
    found += !row.hidden;
  }
  byId("found").textContent = wanted || different ? `${found} of ${rows.length}` : "";
  for (const card of document.querySelectorAll(".rules")) card.hidden = !card.querySelector("tbody tr:not([hidden])");
}

byId("different").closest("label").hidden = !document.querySelector(".different");
byId("find").addEventListener("input", find);
byId("different").addEventListener("change", find);

// A rule such as A7 has several questions: A7a, A7b.
const named = location.hash.slice(1);
if (named && !byId(named)) document.querySelector(`.rules tr[id^="${CSS.escape(named)}"]`)?.scrollIntoView();

attempt(async () => {
  const { report } = await settings();
  if (!report) return;
  byId("report").hidden = false;
  const { ok } = await fetch(report);
  byId("report-none").hidden = ok;
  byId("report-frame").hidden = byId("report-link").hidden = !ok;
  if (!ok) return;
  byId("report-link").href = report;
  byId("report-frame").src = report;
});
