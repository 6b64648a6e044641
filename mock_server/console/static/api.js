// Calls the admin API, and the API that the sandbox stands in for.

/** The base URL of the API. The admin API is on the server of this page. */
export const API = document.body.dataset.api;

const KEY = "alvys-sandbox-admin-key";

/** A response that is not 2xx. `problem` is its problem document, `status` 0 for no response at all. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail || Object.values(problem.errors ?? {})[0]?.[0] || problem.title || `Status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

const keyHeader = () => {
  const key = sessionStorage.getItem(KEY);
  return key ? { "X-Admin-Key": key } : {};
};

/** Sends a request to the admin API; asks for the key where it wants one. Returns the response. Refused. */
export async function send(method, path, body, options = {}) {
  for (;;) {
    const headers = { ...keyHeader(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
    let response;
    try {
      response = await fetch(path, {
        ...options,
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
        cache: "no-store",
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused(0, { title: "The sandbox does not respond. Is it still running?" });
    }
    if (response.ok) return response;
    if (response.status !== 401) throw new Refused(response.status, await problemOf(response));
    await askForKey();
  }
}

/** What the admin API responds to a request, as JSON. Refused. */
export async function admin(method, path, body) {
  return (await send(method, `/_mock/${path}`, body)).json();
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { title: `${response.status} ${response.statusText}` };
  }
}

let asking = null;

/** Asks once, however many requests wait for the key. */
function askForKey() {
  asking ??= new Promise((resolve) => {
    const dialog = document.getElementById("key");
    const form = dialog.querySelector("form");
    const input = form.elements.key;
    dialog.querySelector(".wrong").hidden = !sessionStorage.getItem(KEY);
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        sessionStorage.setItem(KEY, input.value.trim());
        input.value = "";
        dialog.close();
        asking = null;
        resolve();
      },
      { once: true },
    );
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.showModal();
  });
  return asking;
}
