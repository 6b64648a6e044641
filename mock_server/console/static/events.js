// The requests as they happen.

import { admin } from "./api.js";

/**
 * Calls `onStart` with the requests that the journal has, and then `onRequest` with each new one.
 * `onState` is told whether it is live.
 */
export async function follow({ onStart, onRequest, onState }) {
  let latest = 0;
  const { items } = await admin("GET", "requests");
  onStart(items);
  onState(true);
  latest = items.at(-1)?.id ?? 0;
  setInterval(async () => {
    try {
      const { items: now } = await admin("GET", "requests");
      for (const entry of now.filter(({ id }) => id > latest)) onRequest(entry);
      latest = now.at(-1)?.id ?? latest;
      onState(true);
    } catch {
      onState(false);
    }
  }, 1000);
}
