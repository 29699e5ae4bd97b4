// Two ways to read a stream: streaming fetch, which can send a token and tells an answer's status, and the browser's
// EventSource, which shows its events in the developer tools. Each returns what closes it; it tells nothing after that.

import { eventsOf } from "./events.js";

const NAMES = ["hello", "symbols", "message", "patch", "heartbeat", "bye"];

/** What an answer says that is not a stream: its status, the kind and detail of its problem document, and how long to wait, in ms. */
export async function refusal(answer) {
  const { type = "", detail = "" } = await answer.json().catch(() => null) ?? {};
  const after = answer.headers.get("retry-after");
  const millis = after * 1_000 || Date.parse(after) - Date.now(); // seconds, or a date
  return { status: answer.status, kind: type.split(":").pop(), detail, after: millis > 0 ? millis : 0 };
}

/** `on` has event(name, data, id), retry(millis), refused(refusal) and ended(). */
export function readFetch(fetch, url, init, on) {
  const abort = new AbortController();
  const { signal } = abort;
  const tell = (name) => (...args) => { if (!signal.aborted) on[name](...args); };
  const read = eventsOf(tell("event"), tell("retry"));
  (async () => {
    const answer = await fetch(url, { ...init, signal });
    if (answer.status >= 400) return tell("refused")(await refusal(answer));
    // Anything else than a stream is a proxy's or a hotel's: the gateway may be back later.
    if (answer.headers.get("content-type")?.startsWith("text/event-stream")) {
      const body = answer.body.getReader();
      const decoder = new TextDecoder();
      for (;;) {
        const { done, value } = await body.read();
        if (done) break;
        read(decoder.decode(value, { stream: true }));
      }
    } else await answer.body?.cancel();
    tell("ended")();
  })().catch(tell("ended"));
  return () => abort.abort();
}

/** The same. It cannot say which answer it got: `refused` gets nothing. */
export function readEventSource(EventSource, url, withCredentials, on) {
  const source = new EventSource(url, { withCredentials });
  let isOpen = true;
  for (const name of NAMES) {
    source.addEventListener(name, ({ data, lastEventId }) => { if (isOpen) on.event(name, data, lastEventId); });
  }
  source.addEventListener("error", () => {
    if (!isOpen) return;
    // It would try again by itself, but says neither when nor why.
    const isRefused = source.readyState === 2;
    close();
    if (isRefused) on.refused();
    else on.ended();
  });
  function close() {
    isOpen = false;
    source.close();
  }
  return close;
}
