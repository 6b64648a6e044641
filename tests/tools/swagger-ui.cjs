// `node swagger-ui.cjs URL`: opens the document in Swagger UI, executes each operation with what is filled in,
// and prints, by operationId: the parameters with their values, the request body, and the status of the response.

const { readFileSync } = require("node:fs");
const { JSDOM, VirtualConsole } = require("jsdom");

const url = process.argv[2];
const options = {
  pretendToBeVisual: true,
  runScripts: "outside-only",
  url: "http://console.invalid/",
  virtualConsole: new VirtualConsole(), // silent: jsdom complains of style sheets that it does not know
};
const { window } = new JSDOM('<div id="ui"></div>', options);

// What browsers have and jsdom has not.
Object.assign(window, { fetch, Headers, Request, Response, structuredClone, TextDecoder, TextEncoder });
window.matchMedia = () => ({ matches: false, addEventListener() {}, addListener() {} });
window.scrollTo = () => {};

const all = (node, selector) => [...node.querySelectorAll(selector)];
const operations = () => all(window.document, ".opblock");

async function until(done) {
  while (!done()) await new Promise((resolve) => setTimeout(resolve, 50));
}

function shown(operation) {
  const parameters = all(operation, "tr[data-param-name]").map((row) => [
    row.dataset.paramName,
    row.querySelector("input, select")?.value ?? null,
  ]);
  return {
    parameters: Object.fromEntries(parameters),
    body: operation.querySelector("textarea.body-param__text")?.value ?? null,
    status: operation.querySelector(".live-responses-table tbody td.response-col_status")?.textContent.trim() ?? null,
  };
}

function isFilled(operation) {
  const { parameters, body } = shown(operation);
  return body !== null || Object.values(parameters).length > 0;
}

async function main(count) {
  await until(() => operations().length === count && operations().every(isFilled));
  all(window.document, "button.execute").forEach((button) => button.click());
  await until(() => operations().every((operation) => shown(operation).status));
  const ids = operations().map((operation) => [operation.id.split("-").pop(), shown(operation)]);
  console.log(JSON.stringify(Object.fromEntries(ids)));
  process.exit(); // what Swagger UI still waits for keeps no process alive
}

fetch(url)
  .then((response) => response.json())
  .then(({ paths }) => {
    window.eval(readFileSync(require.resolve("swagger-ui-dist/swagger-ui-bundle.js"), "utf8"));
    const domNode = window.document.getElementById("ui");
    window.SwaggerUIBundle({ url, domNode, docExpansion: "full", tryItOutEnabled: true });
    return main(Object.values(paths).flatMap((item) => Object.keys(item)).length);
  });
