// One stream for all tabs of a site: a Web Lock says which tab keeps it, a BroadcastChannel carries its events to the others.
// Where the tab that keeps it ends, the next one takes over; where it falls silent, frozen, another takes the lock away.
//
// Messages: { from, list, lacks } what a tab wants, and whether it lacks what the others know; { hurry }; and from the leader,
// with the term in which it leads, { by, leads } it begins to, { by, event: [name, data, id] }, { by, state },
// { by, absent: [symbols, state] }, and { by, to, all } with all of these that a tab lacks.

import { patience, Silence } from "./stream.js";

/** How long a new leader waits for what the other tabs want, in ms. */
const GATHERED = 50;
/** The leader's events are this much later than the gateway's, at most, in ms. */
const SLACK = 1_500;

/** Node has locks and channels too, but neither a page nor other tabs. */
export const canShare = () => (globalThis.document ?? globalThis.WorkerGlobalScope) && globalThis.navigator?.locks;

export class Shared {
  #own;
  #id = `${Math.random()}`;
  /** Undefined until this tab may send, and where it has its own stream. */
  #channel;
  #closed = new AbortController();
  #list = [];
  /** Whether what the others know is still to come: until then a part of it would be wrong. */
  #lacks = true;
  /** Terms rise: a tab whose place was taken, and does not know it yet, has a lower one. */
  #term = 0;
  /** Ends the leadership. */
  #resign;
  #stream;
  /** Whether the other tabs have had the time to say what they want. */
  #isGathered;
  /** What each other tab wants. */
  #tabs = new Map();
  /** What a tab that is new is told, beside the ticks; each tab keeps it, for it may be the next leader. */
  #hello;
  #lastId = "";
  #state = { connection: "connecting" };
  #failures = 0;
  /** Of the leader. */
  #silence;
  #timer;

  /**
   * `own` has name, of all that share; heartbeat; open(on), which makes a Stream; on, as for a Stream; book, which its events
   * go into; and world.
   */
  constructor(own) {
    this.#own = own;
    this.#silence = new Silence(own.world);
    // While this tab lives it holds this lock: that is how the leader notices its end. Until it does, it wants nothing.
    this.#lock(own.name + this.#id, () => {
      this.#channel = new BroadcastChannel(own.name);
      this.#channel.onmessage = ({ data }) => this.#read(data);
      this.#stand();
      this.want(this.#list);
      return new Promise((resolve) => this.#closed.signal.addEventListener("abort", resolve));
    });
    this.#timer = setInterval(() => this.#look(), 1_000);
  }

  want(list) {
    this.#list = list;
    if (this.#stream) this.#lead();
    else this.#send({ from: this.#id, list, lacks: this.#lacks });
  }

  close() {
    this.#closed.abort();
    clearInterval(this.#timer);
    this.#leave();
    this.#end();
  }

  hurry() {
    if (this.#stream) this.#stream.hurry();
    else this.#send({ hurry: true });
  }

  offline() {
    this.#stream?.offline();
  }

  /** A tick is missing. */
  gap() {
    if (this.#stream) this.#stream.gap();
    else this.#ask();
  }

  // ---- leader or not

  /**
   * Asks for a lock, which it has until what `held` returns resolves, or another tab takes it: then `ended` is called. Where
   * the browser gives none, this tab has its own stream.
   */
  #lock(name, held, options, ended = () => {}) {
    const { signal } = this.#closed;
    navigator.locks.request(name, options ?? { signal }, () => signal.aborted || held()).catch((error) => error.name).then((error) => {
      if (signal.aborted) return;
      if (!error || error === "AbortError") return ended();
      this.#leave();
      this.#begin();
    });
  }

  /** Waits to become the leader. With `steal` it takes the place of one that is silent; it waits as well. */
  #stand(steal) {
    this.#lock(this.#own.name, () => {
      this.#begin();
      return new Promise((resolve) => { this.#resign = resolve; });
    }, steal, () => {
      this.#end();
      if (!steal) this.#stand();
    });
  }

  #begin() {
    this.#end();
    this.#term = Math.max(this.#term, Date.now()) + Math.random();
    const stream = (this.#stream = this.#own.open({
      event: (name, data, id) => this.#tell({ event: [name, data, id] }),
      state: (state) => this.#tell({ state }),
      absent: (symbols, state) => this.#tell({ absent: [symbols, state] }),
    }));
    stream.lastId = this.#lastId;
    stream.failures = this.#failures;
    if (this.#hello) this.#tell({ state: { connection: "lost", reason: "handover" } });
    this.#tell({ leads: true });
    // A stream of a part of the list would remove the rest from all tabs.
    setTimeout(() => {
      if (this.#stream !== stream) return;
      this.#isGathered = true;
      this.#lead();
    }, GATHERED);
  }

  #end() {
    this.#stream?.close();
    this.#stream = undefined;
    this.#isGathered = false;
    this.#resign?.();
  }

  #leave() {
    this.#channel?.close();
    this.#channel = undefined;
  }

  /** Streams what all tabs want. */
  #lead() {
    if (this.#isGathered) this.#stream.want([...new Set([this.#list, ...this.#tabs.values()].flat())]);
  }

  #tell(message) {
    this.#send({ by: this.#term, ...message });
    this.#apply(message);
  }

  #send(message) {
    this.#channel?.postMessage(message);
  }

  /** Asks for what this tab lacks. */
  #ask() {
    this.#lacks = true;
    this.want(this.#list);
  }

  // ---- messages

  #read(message) {
    const { by, leads, to, all } = message;
    if (message.hurry) this.#stream?.hurry();
    else if (message.from) this.#join(message);
    else if (by >= this.#term) {
      // This tab's place was taken.
      if (by > this.#term) this.#end();
      this.#term = by;
      this.#silence.end();
      if (leads) this.#ask();
      else if (to === this.#id) {
        this.#lacks = false;
        for (const told of all) this.#apply(told);
      } else if (!to && !this.#lacks) this.#apply(message);
    }
  }

  /** Another tab says what it wants. */
  #join({ from, list, lacks }) {
    if (!this.#stream) return;
    if (lacks) {
      const all = this.#own.book.ticks().map((tick) => ({ event: ["message", tick, this.#lastId] }));
      if (this.#hello) all.unshift({ event: ["hello", JSON.stringify(this.#hello), ""] });
      this.#send({ by: this.#term, to: from, all: [{ state: this.#state }, ...all] });
    }
    if (!this.#tabs.has(from)) {
      this.#lock(this.#own.name + from, () => {
        this.#tabs.delete(from);
        this.#lead();
      });
    }
    this.#tabs.set(from, list);
    this.#lead();
  }

  /** An event of the stream, in the tab that keeps it and in all others. */
  #apply({ event, state, absent }) {
    if (event) {
      const [name, data, id] = event;
      if (id) this.#lastId = id;
      if (name === "hello") this.#hello = JSON.parse(data);
      else if (name === "symbols") this.#hello = { ...this.#hello, ...JSON.parse(data) };
      this.#own.on.event(name, data, id);
    } else if (state) {
      this.#state = state;
      if (state.connection === "live") this.#failures = 0;
      else if (state.retryIn) this.#failures += 1;
      this.#own.on.state(state);
    } else if (absent) this.#own.on.absent(...absent);
  }

  /** Notices that the leader is silent: a frozen tab keeps its lock. */
  #look() {
    const silence = this.#silence.look();
    if (this.#stream || this.#list.length === 0) return;
    const { connection, retryIn = 0 } = this.#state;
    // One that waits for its next attempt says nothing.
    const dead = patience(this.#own.heartbeat) + SLACK + retryIn;
    if (silence > dead) {
      this.#silence.end();
      this.#stand({ steal: true });
    } else if (silence > dead * 0.75 && connection === "live") {
      this.#apply({ state: { connection: "silent" } });
      // If it was only busy, it answers before it says anything else that is new.
      this.#ask();
    }
  }
}
