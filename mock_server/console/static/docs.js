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

attempt(async () => {
  const told = await settings();
  const ui = SwaggerUIBundle({
    domNode: byId("reference"),
    url: byId("reference").dataset.document,
    deepLinking: true,
    defaultModelsExpandDepth: 0,
    docExpansion: "list",
    requestInterceptor: asPublished(told),
    tryItOutEnabled: true,
    validatorUrl: null,
  });
  const [{ id, secret, scopes }] = told.clients;
  ui.initOAuth({ clientId: id, clientSecret: secret, scopes });
});
