// One stream for all tabs of a site: a Web Lock says which tab keeps it, a BroadcastChannel carries its events to the others.
// Where the tab that keeps it ends, the next one takes over; where it falls silent, frozen, another takes the lock away.
//
// Messages: { from, list, isNew } what a tab wants, and whether it lacks what the others know; { hurry }; and from the leader,
// with the term in which it leads, { by, leads } it begins to, { by, event: [name, data, id] }, { by, state },
// { by, absent: [symbols, state] }, and { by, to, all } with all of these that a tab lacks.

import { patience, silenceOf } from "./stream.js";

/** How long a new leader waits for what the other tabs want, in ms. */
const GATHERED = 50;
/** The leader's events are this much later than the gateway's, at most, in ms. */
const SLACK = 1_500;

/** Node has locks and channels too, but neither a page nor other tabs. */
export const canShare = () => (globalThis.document ?? globalThis.WorkerGlobalScope) && globalThis.navigator?.locks;

/**
 * A stream that all tabs share: want(symbols), hurry(), offline(), gap() and close(). `own` has name, of all that share;
 * heartbeat; open(on, lastId, failures), which opens a stream of this tab's own; on, as that takes it; book, which its events go
 * into; and world.
 */
export function sharedOf({ name, heartbeat, open, on, book, world }) {
  const me = `${Math.random()}`;
  const closed = new AbortController();
  const { signal } = closed;
  /** Of the leader. */
  const silence = silenceOf(world);
  /** What each other tab wants. */
  const tabs = new Map();
  /** Undefined until this tab may send, and where it has its own stream. */
  let channel;
  let wanted = [];
  /** Whether what the others know is still to come: until then a part of it would be wrong. */
  let isNew = true;
  /** Whether this tab alone says that the line is silent. */
  let isCut;
  /** Terms rise: a tab whose place was taken, and does not know it yet, has a lower one. */
  let term = 0;
  /** Ends the leadership. */
  let resign;
  let stream;
  /** Whether the other tabs have had the time to say what they want. */
  let isGathered;
  /** What a tab that is new is told, beside the ticks; each tab keeps it, for it may be the next leader. */
  let hello;
  let lastId;
  let state = { connection: "connecting" };
  let failures = 0;

  // While this tab lives it holds this lock: that is how the leader notices its end. Until it does, it wants nothing.
  lock(name + me, () => {
    channel = new BroadcastChannel(name);
    channel.onmessage = ({ data }) => read(data);
    stand();
    want(wanted);
    return new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const timer = setInterval(look, 1_000);

  function want(list) {
    wanted = list;
    if (stream) lead();
    else send({ from: me, list, isNew });
  }

  function close() {
    closed.abort();
    clearInterval(timer);
    leave();
    end();
  }

  function hurry() {
    if (stream) stream.hurry();
    else send({ hurry: true });
  }

  const offline = () => stream?.offline();

  /** A tick is missing. */
  function gap() {
    if (stream) stream.gap();
    else ask();
  }

  // ---- leader or not

  /**
   * Asks for a lock, which it has until what `held` returns resolves, or another tab takes it: then `ended` is called. Where
   * the browser gives none, this tab has its own stream.
   */
  function lock(name, held, options = { signal }, ended = () => {}) {
    navigator.locks.request(name, options, () => signal.aborted || held()).catch((error) => error.name).then((error) => {
      if (signal.aborted) return;
      if (!error || error === "AbortError") return ended();
      leave();
      begin();
    });
  }

  /** Waits to become the leader. With `steal` it takes the place of one that is silent; it waits as well. */
  function stand(steal) {
    const held = () => {
      begin();
      return new Promise((resolve) => { resign = resolve; });
    };
    lock(name, held, steal, () => {
      end();
      if (!steal) stand();
    });
  }

  function begin() {
    end();
    term = Math.max(term, Date.now()) + Math.random();
    const mine = (stream = open({
      event: (...event) => tell({ event }),
      state: (state) => tell({ state }),
      absent: (...absent) => tell({ absent }),
    }, lastId, failures));
    if (hello) tell({ state: { connection: "lost", reason: "handover" } });
    tell({ leads: true });
    // A stream of a part of the list would remove the rest from all tabs.
    setTimeout(() => {
      if (stream !== mine) return;
      isGathered = true;
      lead();
    }, GATHERED);
  }

  function end() {
    stream?.close();
    stream = undefined;
    isGathered = false;
    resign?.();
  }

  function leave() {
    channel?.close();
    channel = undefined;
  }

  /** Streams what all tabs want. */
  function lead() {
    if (isGathered) stream.want([...new Set([wanted, ...tabs.values()].flat())]);
  }

  function tell(message) {
    send({ by: term, ...message });
    apply(message);
  }

  const send = (message) => channel?.postMessage(message);

  /** Asks for what the others know. */
  function ask() {
    isNew = true;
    want(wanted);
  }

  // ---- messages

  function read(message) {
    const { by, leads, to, all } = message;
    if (message.hurry) stream?.hurry();
    else if (message.from) join(message);
    else if (by >= term) {
      // This tab's place was taken.
      if (by > term) end();
      term = by;
      silence.end();
      if (leads) ask();
      else if (to === me) {
        isNew = false;
        all.forEach(apply);
      } else if (!to && !isNew) {
        // It was only busy: nothing of what it says is missing.
        if (isCut && message.event) apply({ state: { connection: "live" } });
        apply(message);
      }
    }
  }

  /** Another tab says what it wants. */
  function join({ from, list, isNew }) {
    if (!stream) return;
    if (isNew) {
      const all = book.ticks().map((tick) => ({ event: ["message", tick, lastId] }));
      if (hello) all.unshift({ event: ["hello", JSON.stringify(hello), ""] });
      send({ by: term, to: from, all: [{ state }, ...all] });
    }
    if (!tabs.has(from)) {
      lock(name + from, () => {
        tabs.delete(from);
        lead();
      });
    }
    tabs.set(from, list);
    lead();
  }

  /** An event of the stream, in the tab that keeps it and in all others. */
  function apply(message) {
    const { event, absent } = message;
    if (event) {
      const [name, data, id] = event;
      if (id) lastId = id;
      if (name === "hello") hello = JSON.parse(data);
      else if (name === "symbols") hello = { ...hello, ...JSON.parse(data) };
      on.event(name, data, id);
    } else if (message.state) {
      state = message.state;
      isCut = false;
      if (state.connection === "live") failures = 0;
      else if (state.retryIn) failures += 1;
      on.state(state);
    } else if (absent) on.absent(...absent);
  }

  /** Notices that the leader is silent: a frozen tab keeps its lock. */
  function look() {
    const lasts = silence.look();
    if (stream || wanted.length === 0) return;
    const { connection, retryIn = 0 } = state;
    // One that waits for its next attempt says nothing.
    const dead = patience(heartbeat) + SLACK + retryIn;
    if (lasts > dead) {
      silence.end();
      stand({ steal: true });
    } else if (lasts > dead * 0.75 && connection === "live") {
      apply({ state: { connection: "silent" } });
      isCut = true;
      // If it was only busy, it answers: symbols that are quiet are live again too.
      send({ from: me, list: wanted, isNew: true });
    }
  }

  return { want, close, hurry, offline, gap };
}
