// What every page is made of. Data becomes text nodes, never markup.

/** An element with attributes, listeners (`onclick`), properties (`.value`) and children: nodes and texts. */
export function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.startsWith(".")) element[key.slice(1)] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element with an id. */
export const byId = (id) => document.getElementById(id);

/** Replaces what is in an element. */
export const fill = (element, ...children) => {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
};

/** Says in a few words what has happened, to the eye and to a screen reader. `kind`: done or failed. */
export function flash(text, kind = "done") {
  const close = el("button", { type: "button", class: "quiet", "aria-label": "Close the message" }, "×");
  const message = el("div", { class: `message ${kind}` }, el("span", {}, text), close);
  const remove = () => message.remove();
  close.addEventListener("click", remove);
  const places = byId("messages");
  while (places.childElementCount > 2) places.firstElementChild.remove();
  places.append(message);
  if (kind === "done") setTimeout(remove, 8000);
}

/** Runs what a person asked for; what goes wrong is said. Returns its result, or undefined. */
export async function attempt(what, button) {
  if (button) button.disabled = true;
  try {
    return await what();
  } catch (error) {
    flash(error.message, "failed");
    return undefined;
  } finally {
    if (button) button.disabled = false;
  }
}

/** Puts a text on the clipboard, and says so. */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where the page is not secure, as on an address of the network, only the old way works.
    const area = el("textarea", { readonly: true, class: "offscreen" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  flash(`Copied: ${what}`);
}

/** A button that copies a text, or what a function returns. */
export const copyButton = (text, what, label = "Copy") =>
  el(
    "button",
    {
      type: "button",
      class: "small",
      "aria-label": label === "Copy" ? `Copy ${what}` : null,
      onclick: () => copy(typeof text === "function" ? text() : text, what),
    },
    label,
  );

/** Asks whether to go on; resolves to true or false. `action` is the verb on the button. */
export function confirm(question, action) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { "aria-labelledby": "question" },
      el("p", { id: "question" }, question),
      el(
        "div",
        { class: "actions" },
        el("button", { type: "button", onclick: () => dialog.close() }, "Cancel"),
        el("button", { type: "button", class: "danger", onclick: () => dialog.close("yes") }, action),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A status code as a badge; a request without a response has none. */
export function statusBadge(status) {
  const kind = status === null ? "none" : status < 300 ? "good" : status < 500 ? "refused" : "failed";
  return el("span", { class: `status ${kind}` }, status === null ? "no response" : String(status));
}

/** The status of a load as a badge; payable ones stand out. */
export const PAYABLE = ["Invoiced", "Completed", "Financed"];
export const loadBadge = (status) =>
  el("span", { class: `status ${PAYABLE.includes(status) ? "good" : "none"}` }, status);

/** An instant as the time of day, with the whole instant as its title. */
export const timeOf = (at) =>
  el("time", { datetime: at, title: at }, new Date(at).toLocaleTimeString([], { hour12: false }));

/** JSON as people like to read it; what is not JSON stays as it is. Numbers keep their digits. */
export function pretty(text) {
  let out = "";
  let depth = 0;
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  const line = () => `\n${"  ".repeat(depth)}`;
  const empty = /^\s*[\]}]/;
  for (let rest = text.trim(); rest; ) {
    const [token] = rest.match(/^("(?:[^"\\]|\\.)*"|[^\s",:{}[\]]+|[{}[\],:]|\s+)/);
    rest = rest.slice(token.length);
    if (token === "{" || token === "[") {
      if (empty.test(rest)) {
        out += token + rest.trimStart()[0];
        rest = rest.trimStart().slice(1);
      } else {
        depth += 1;
        out += token + line();
      }
    } else if (token === "}" || token === "]") {
      depth -= 1;
      out += line() + token;
    } else if (token === ",") out += token + line();
    else if (token === ":") out += ": ";
    else if (token.trim()) out += token;
  }
  return out;
}

/** The name of a field as a document spells it, whatever its case. */
export const spelled = (object, name) => Object.keys(object ?? {}).find((key) => key.toLowerCase() === name.toLowerCase()) ?? name;

/** The value of a field, whatever the case of its name. */
export const valueOf = (object, name) => object?.[spelled(object, name)];

/** JSON, in which a number that JavaScript would write otherwise is a text with its digits. */
export const exact = (text) =>
  JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context?.source !== undefined && context.source !== String(value) ? context.source : value,
  );

const digits = (number) => (typeof number === "string" ? number : Number.isInteger(number * 100) || /\.\d?$/.test(number) ? number.toFixed(2) : String(number));

/** An amount of money: `1250.10 USD`. Currencies are numbers of ISO 4217. */
const CURRENCIES = { 840: "USD", 124: "CAD", 484: "MXN" };
export const money = (amount) =>
  amount ? `${digits(amount.Amount)} ${CURRENCIES[amount.Currency] ?? `(currency ${amount.Currency})`}` : "–";

/** A fault as the command line writes it: `next=1,drop=after`. */
export const written = (fault) => Object.entries(fault).map(([name, value]) => `${name}=${value}`).join(",");

/** The same as code that may break after its commas. */
export const faultCode = (fault) =>
  el("code", {}, written(fault).split(/(?<=,)/).flatMap((part) => [part, el("wbr")]));
