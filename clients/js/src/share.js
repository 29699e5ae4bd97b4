// One stream for all tabs of a site: a Web Lock says which tab keeps it, a BroadcastChannel carries its events to the others.
// Where the tab that keeps it ends, the next one takes over; where it falls silent, frozen, another takes the lock away.
//
// Messages: { from, list } what a tab wants; { leads } a tab begins to keep the stream; and from that tab
// { event: [name, data, id] }, { state }, { absent: [symbols, state] }, and { to, all } with all of these that a tab needs that is new.

import { patience } from "./stream.js";

/** How long a new leader waits for what the other tabs want, in ms. */
const GATHERED = 50;
/** The leader's events are this much later than the gateway's, at most, in ms. */
const SLACK = 1_500;

export const canShare = () => typeof BroadcastChannel === "function" && globalThis.navigator?.locks !== undefined;

export class Shared {
  #own;
  #id = String(Math.random());
  #channel;
  #list = [];
  #isHeld = false;
  /** Ends the leadership. */
  #resign;
  #stream;
  /** What each other tab wants; known to the leader. */
  #tabs = new Map();
  /** What a tab that is new is told, beside the ticks; each tab keeps it, for it may be the next leader. */
  #hello;
  #lastId = "";
  #state = { connection: "connecting" };
  /** Whether the leader has told this tab how things are. Until then events of the stream would be shown without its state. */
  #isTold = false;
  #heard;
  #timer;

  /**
   * `own` has name, of all that share; heartbeat; open(on), which makes a Stream; on, as for a Stream; book, which its events
   * go into; and world.
   */
  constructor(own) {
    const { name, world } = (this.#own = own);
    this.#heard = world.now();
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#read(data);
    // While this tab lives it holds this lock: that is how the leader notices its end. Until it does, it wants nothing.
    navigator.locks.request(`${name} ${this.#id}`, () => {
      this.#isHeld = true;
      this.#stand();
      this.want(this.#list);
      return new Promise(() => {});
    });
    this.#timer = setInterval(() => this.#look(), 1_000);
  }

  want(list) {
    this.#list = list;
    if (this.#stream) this.#lead();
    else if (this.#isHeld) this.#send({ from: this.#id, list });
  }

  close() {
    this.#send({ from: this.#id, list: [] });
    clearInterval(this.#timer);
    this.#channel?.close();
    this.#channel = undefined;
    this.#end();
  }

  hurry() {
    if (this.#stream) this.#stream.hurry();
    else this.#send({ hurry: true });
  }

  offline() {
    this.#stream?.offline();
  }

  // ---- leader or not

  /** Waits to become the leader. `steal` takes the place of one that is silent. */
  #stand(steal = false) {
    const held = navigator.locks.request(this.#own.name, { steal }, () => {
      if (!this.#channel) return undefined;
      this.#begin();
      return new Promise((resolve) => { this.#resign = resolve; });
    });
    held.catch(() => {
      // Another tab took it away, and may have said that it leads when this one still did.
      this.#end();
      if (!this.#channel) return;
      this.#stand();
      this.want(this.#list);
    });
  }

  #begin() {
    this.#end();
    this.#tabs.clear();
    this.#stream = this.#own.open({
      event: (name, data, id) => this.#tell({ event: [name, data, id] }),
      state: (state) => this.#tell({ state }),
      absent: (symbols, state) => this.#tell({ absent: [symbols, state] }),
    });
    this.#stream.lastId = this.#lastId;
    if (this.#hello) this.#tell({ state: { connection: "lost", reason: "handover" } });
    this.#send({ leads: true });
    setTimeout(() => this.#lead(), GATHERED);
  }

  #end() {
    this.#stream?.close();
    this.#stream = undefined;
    this.#resign?.();
    this.#resign = undefined;
  }

  /** Streams what all tabs want. */
  #lead() {
    this.#stream?.want([...new Set([this.#list, ...this.#tabs.values()].flat())]);
  }

  #tell(message) {
    this.#send(message);
    this.#apply(message);
  }

  #send(message) {
    this.#channel?.postMessage(message);
  }

  // ---- messages

  #read(message) {
    const { from, list, leads, to, hurry } = message;
    if (hurry) this.#stream?.hurry();
    else if (leads) this.want(this.#list);
    else if (list) this.#join(from, list);
    else if (this.#stream) return; // Of a leader whose place was taken.
    else if (to === undefined) {
      if (this.#isTold) this.#apply(message);
    } else if (to === this.#id) {
      this.#isTold = true;
      for (const told of message.all) this.#apply(told);
    }
  }

  /** Another tab says what it wants. */
  #join(from, list) {
    if (!this.#stream) return;
    if (!this.#tabs.has(from)) {
      const all = this.#own.book.ticks().map((tick) => ({ event: ["message", tick, this.#lastId] }));
      if (this.#hello) all.unshift({ event: ["hello", JSON.stringify(this.#hello), ""] });
      this.#send({ to: from, all: [{ state: this.#state }, ...all] });
      navigator.locks.request(`${this.#own.name} ${from}`, () => {
        this.#tabs.delete(from);
        this.#lead();
      });
    }
    this.#tabs.set(from, list);
    this.#lead();
  }

  /** An event of the stream, in the tab that keeps it and in all others. */
  #apply({ event, state, absent }) {
    this.#heard = this.#own.world.now();
    if (event) {
      const [name, data, id] = event;
      if (id) this.#lastId = id;
      if (name === "hello") this.#hello = JSON.parse(data);
      else if (name === "symbols") this.#hello = { ...this.#hello, ...JSON.parse(data) };
      this.#own.on.event(name, data, id);
    } else if (state) {
      this.#state = state;
      this.#own.on.state(state);
    } else if (absent) this.#own.on.absent(...absent);
  }

  /** Notices that the leader is silent: a frozen tab keeps its lock. */
  #look() {
    if (this.#stream || this.#list.length === 0) return;
    const silence = this.#own.world.now() - this.#heard;
    const dead = patience(this.#own.heartbeat) + SLACK;
    if (silence > dead && this.#state.connection !== "refused") {
      this.#heard = this.#own.world.now() + 1_000 * this.#own.world.random(); // Not all tabs at once.
      this.#stand(true);
    } else if (silence > dead * 0.75 && this.#state.connection === "live") this.#apply({ state: { connection: "silent" } });
  }
}
