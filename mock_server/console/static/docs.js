// The reference: Swagger UI on the document of this sandbox.

import { API, settings } from "./api.js";
import { attempt, byId } from "./ui.js";

/** Swagger UI asks for a token without its audience, and names its client in a header: the vendor wants all in the body. */
const asPublished = ({ tokens }) => (request) => {
  const authorization = request.headers?.Authorization;
  if (tokens.path && request.url.split("?")[0] === API + tokens.path && authorization?.startsWith("Basic ")) {
    const [, id, secret] = /^([^:]*):(.*)$/.exec(atob(authorization.slice(6)));
    delete request.headers.Authorization;
    request.body = new URLSearchParams({
      grant_type: "client_credentials",
      client_id: id,
      client_secret: secret,
      audience: tokens.audience,
    }).toString();
  }
  return request;
};

const dark = matchMedia("(prefers-color-scheme: dark)");
const dress = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", dress);
dress();

/** Swagger UI leaves some of its fields without a name for screen readers, and what scrolls without a way for keys. */
const NAMES = {
  "#servers": () => "Server",
  "select.examples-select-element": () => "Example",
  "textarea.body-param__text": () => "Request body",
  "[data-param-name] :is(select, input)": (field) => field.closest("[data-param-name]").dataset.paramName,
  ".content-type": () => "Media type",
  ".copy-to-clipboard button": () => "Copy",
  ".close-modal": () => "Close the dialog",
};

function name() {
  for (const [selector, called] of Object.entries(NAMES)) {
    for (const field of document.querySelectorAll(`#reference :is(${selector}):not([aria-label])`)) {
      field.setAttribute("aria-label", called(field));
    }
  }
  document.querySelector("#reference h1")?.setAttribute("aria-level", "2");
  for (const text of document.querySelectorAll("#reference pre:not([tabindex])")) text.tabIndex = 0;
}

new MutationObserver(name).observe(byId("reference"), { childList: true, subtree: true });

attempt(async () => {
  const told = await settings();
  const ui = SwaggerUIBundle({
    domNode: byId("reference"),
    url: byId("reference").dataset.document,
    deepLinking: false, // its links would stand in buttons
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    requestInterceptor: asPublished(told),
    syntaxHighlight: { activated: false }, // its colors are hard to read
    tryItOutEnabled: true,
    validatorUrl: null,
  });
  const [{ id, secret, scopes }] = told.clients;
  ui.initOAuth({ clientId: id, clientSecret: secret, scopes });
});
