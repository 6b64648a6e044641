// The requests as they happen: server-sent events, read through fetch() so that the admin key can be sent.

import { admin, send } from "./api.js";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const visible = () =>
  document.hidden
    ? new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true })).then(visible)
    : Promise.resolve();

/**
 * Calls `onStart` with the requests that the journal has, oldest first, `onRequest` with each one that ends
 * after that, and `onCleared` when the journal is emptied. `onState` is told whether it is live.
 *
 * A tab that nobody sees listens to nothing, and catches up later: a browser has few connections to a server.
 */
export async function follow({ onStart, onRequest, onCleared, onState }) {
  const { items } = await admin("GET", "requests");
  let latest = items.at(-1)?.id ?? 0;
  onStart(items);
  const on = {
    request(entry) {
      latest = entry.id;
      onRequest(entry);
    },
    cleared: onCleared,
  };
  for (;;) {
    await visible();
    const leaving = new AbortController();
    const leave = () => document.hidden && leaving.abort();
    document.addEventListener("visibilitychange", leave);
    try {
      const response = await send("GET", `/_mock/requests/events?after=${latest}`, undefined, { signal: leaving.signal });
      onState(true);
      for await (const { name, data } of eventsIn(response.body)) on[name]?.(JSON.parse(data));
    } catch {
      // The sandbox has stopped, or the tab is hidden: it begins again.
    }
    document.removeEventListener("visibilitychange", leave);
    onState(false);
    await pause(1000);
  }
}

/** The events in a stream of bytes. */
async function* eventsIn(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
      if (fields.has("data")) yield { name: fields.get("event"), data: fields.get("data") };
    }
  }
}
