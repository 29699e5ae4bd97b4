// Readers of streams for pages of any origin, which note all that comes.

import assert from "node:assert/strict";
import { WAIT, within } from "./gateway.mjs";
import { hasTicked } from "./sign_on.mjs";

/**
 * Runs in a page, once: makes `window.reader`. Its `events` are `{ name, data, id }`; an error of an EventSource is one with
 * its `readyState` as `state`. `at` is when it came, in ms since 1970.
 */
function install() {
  const events = [];
  const watchers = new Set();
  const note = (event) => {
    events.push({ ...event, at: Date.now() });
    for (const look of [...watchers]) look();
  };

  /** The browser's own EventSource. */
  let source;
  const open = (url, withCredentials) => {
    source = new EventSource(url, { withCredentials });
    for (const name of ["hello", "symbols", "message", "heartbeat", "bye"]) {
      source.addEventListener(name, ({ data, lastEventId }) => note({ name, data, id: lastEventId }));
    }
    source.onerror = ({ target }) => note({ name: "error", state: target.readyState });
  };

  /** The answer of a request: its status, and its JSON if it has some. */
  const ask = async (url, { token, ...options } = {}) => {
    const headers = { ...options.headers };
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    if (options.body !== undefined) headers["content-type"] = "application/json";
    const answer = await fetch(url, { ...options, headers });
    const text = await answer.text();
    return { status: answer.status, json: text === "" ? null : JSON.parse(text) };
  };

  /** A stream that fetch reads; the answer if it is not a stream. */
  const read = async (url, token, lastId) => {
    const headers = { authorization: `Bearer ${token}`, ...(lastId && { "last-event-id": lastId }) };
    const answer = await fetch(url, { headers });
    if (answer.status !== 200) return { status: answer.status, json: await answer.json() };
    (async () => {
      let text = "";
      for await (const chunk of chunks(answer.body.pipeThrough(new TextDecoderStream()).getReader())) {
        const blocks = (text + chunk).split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const fields = Object.fromEntries(block.split("\n").map((line) => [line.split(":")[0], line.slice(line.indexOf(":") + 2)]));
          note({ name: fields.event ?? "message", data: fields.data, id: fields.id });
        }
      }
      note({ name: "end" });
    })();
    return { status: 200 };
  };
  async function* chunks(reader) {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  }

  /** Resolves once the events so far are what `holds` wants. */
  const until = (holds) => new Promise((resolve) => {
    const look = () => {
      if (!holds(events)) return;
      watchers.delete(look);
      resolve();
    };
    watchers.add(look);
    look();
  });

  const told = () => events.filter(({ name }) => !["message", "heartbeat"].includes(name));

  window.reader = { events, open, close: () => source.close(), ask, read, until, told };
}

/** A reader in a page, which it opens at this address. */
export class Reader {
  #page;
  /** How many events it has handed out. */
  #from = 0;
  /** How long anything that it waits for may take, in ms. */
  patience = WAIT;

  static async at(profile, url) {
    const reader = new Reader();
    reader.#page = await profile.newPage();
    reader.#page.setDefaultTimeout(WAIT);
    await reader.#page.goto(url);
    await reader.#page.evaluate(install);
    return reader;
  }

  /** All that it has noted so far. */
  events() {
    return this.#page.evaluate(() => window.reader.events);
  }

  /** Opens an EventSource. */
  open(url, { withCredentials = false } = {}) {
    return this.#page.evaluate(([url, withCredentials]) => window.reader.open(url, withCredentials), [url, withCredentials]);
  }

  /** Closes its newest EventSource. */
  close() {
    return this.#page.evaluate(() => window.reader.close());
  }

  /** Opens a stream that fetch reads. */
  read(url, token, lastId) {
    return this.#page.evaluate(([url, token, lastId]) => window.reader.read(url, token, lastId), [url, token, lastId]);
  }

  /** The status and JSON of another answer. */
  ask(url, options) {
    return this.#page.evaluate(([url, options]) => window.reader.ask(url, options), [url, options]);
  }

  /**
   * The data of the next event but ticks and heartbeats, which must have these names; of several, the last one's. The name
   * of an error ends with the source's state: 0 if it connects again, 2 if it has given up.
   */
  async next(...names) {
    const reached = this.#page.evaluate(([from, count]) => window.reader.until(() => window.reader.told().length >= from + count)
      .then(() => window.reader.told().slice(from, from + count)), [this.#from, names.length]);
    const told = await within(`${names}`, reached, this.patience);
    assert.deepEqual(told.map(({ name, state = "" }) => name + state), names);
    this.#from += names.length;
    const { data } = told.at(-1);
    return data === undefined ? undefined : JSON.parse(data);
  }

  /** The id of its last tick. */
  async lastId() {
    return (await this.events()).findLast(({ name }) => name === "message").id;
  }

  /** Waits until each symbol that the stream lists has had some ticks. */
  async ticks() {
    const ticked = async () => {
      for (let events; !hasTicked(events = await this.events());) {
        await this.#page.evaluate((count) => window.reader.until(({ length }) => length > count + 3), events.length);
      }
    };
    await within("ticks", ticked());
  }

  /** Runs a function in the page. */
  run(work, ...values) {
    return this.#page.evaluate(work, ...values);
  }
}
