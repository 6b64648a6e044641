// Filters and copy buttons. Without it the page shows everything.
"use strict";
const said = document.getElementById("said");

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.of);
    try {
      await navigator.clipboard.writeText(text.textContent);
      said.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(text);
      said.textContent = "Selected; copy it with the keyboard.";
    }
  });
}

for (const filter of document.querySelectorAll(".filter")) {
  const rows = [...document.querySelectorAll(`#${filter.dataset.of} tbody tr`)];
  const buttons = [...filter.querySelectorAll("button")];
  const search = filter.querySelector("input");
  const count = filter.querySelector("output");

  function show() {
    const kind = buttons.find((one) => one.getAttribute("aria-pressed") === "true").dataset.show;
    const words = search.value.toLowerCase();
    for (const row of rows) {
      row.hidden = (kind && row.dataset.is !== kind) || !row.textContent.toLowerCase().includes(words);
    }
    count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
  }

  function press(button) {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one === button));
    show();
  }

  for (const button of buttons) button.addEventListener("click", () => press(button));
  search.addEventListener("input", show);
  // A link leads to a row that is filtered out: it must be there.
  function reveal() {
    const row = rows.find((one) => location.hash === `#${one.id}`);
    if (row && row.hidden) {
      search.value = "";
      press(buttons.find((one) => !one.dataset.show));
      row.scrollIntoView();
    }
  }
  addEventListener("hashchange", reveal);
  filter.hidden = false;
  show();
  reveal();
}
