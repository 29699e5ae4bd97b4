// Keeps one stream open: connects, changes its list, detects silence, reconnects, and reports the state of the link.
// Events are passed on as they came.
//
// Where clients sign on, the browser sends the page's cookie along with each request. Another page of the site sets it.
//
// The browser's EventSource would reconnect too, but does not say when. So each failure closes it, and the wait is our
// own: random within the range of the gateway's `retry:`, and longer after repeated failures.

import { Changes } from "./changes.js";

/** The heartbeat that the gateway is asked for, in seconds of silence. */
const HEARTBEAT = 5;
/** After this silence, in ms, the shown prices cannot be trusted ... */
const SILENCE_STALE = 8_000;
/** ... and after this one the page reconnects. */
const SILENCE_DEAD = 16_000;
const WAIT_MIN = 1_500;
const WAIT_MAX = 4_000;
/** The wait, in ms, that a full gateway asks for. */
const BUSY_MIN = 5_000;
const BUSY_MAX = 30_000;
/** The wait doubles with each failure, at most this many times. */
const DOUBLINGS = 3;
/** How long before its credentials end a stream is renewed, in ms: by then the cookie may be a newer one. */
const RENEWED_BEFORE = 15_000;
/** The longest time that a browser's timer takes, in ms. */
const TIMER_MAX = 2 ** 31 - 1;
/** How long a change may take, in ms: longer than the gateway's own limit, which is 10 s by default. */
const CHANGE_MAX = 15_000;

/** Answers to a change that a new stream would get too. */
const REFUSED = [401, 403];

const BYE = { busy: "gateway busy", denied: "not entitled", expired: "sign-on expired", shutdown: "gateway restarting" };

export class Stream {
  #source = null;
  #request = null;
  #timer = 0;
  #lastEvent = 0;
  #silent = false;
  #failures = 0;
  #lastId = "";
  /** The changes of the open stream. */
  #changes = null;
  #renewal = 0;
  /** How far the gateway's clock is ahead of the page's, in ms. */
  #ahead = 0;
  #bye = "";
  #on;
  #world;

  /**
   * `on` has hello, symbols, tick (its data as a string), heartbeat, waits (why a change of the list waits), and link,
   * called for each change. `world` is replaced in tests.
   */
  constructor(on, world = {
    open: (url) => new EventSource(url),
    fetch: (url) => fetch(url),
    post: (url, body) => fetch(url, {
      method: "POST", headers: { "content-type": "application/json" }, body, signal: AbortSignal.timeout(CHANGE_MAX),
    }),
    now: () => performance.now(),
    random: () => Math.random(),
  }) {
    this.#on = on;
    this.#world = world;
  }

  /** Streams these symbols from now on: over the open stream, if there is one. */
  open(symbols, maxRate) {
    this.#request = { symbols, maxRate };
    this.#failures = 0;
    if (this.#changes?.isOpen) this.#changes.want(this.#request);
    else this.#connect();
  }

  /** Ends the stream. Opened again, it resumes where it ended. */
  close() {
    this.#drop();
    this.#request = null;
  }

  /** Retries at once if it is waiting: the network is back, or the person asks. */
  hurry() {
    if (this.#request !== null && this.#source === null) this.#connect();
  }

  /** Checks for silence; called every second. */
  look() {
    if (this.#source === null) return;
    const silence = this.#world.now() - this.#lastEvent;
    if (silence > SILENCE_DEAD) this.#lost("gateway silent");
    else if (silence > SILENCE_STALE) {
      this.#silent = true;
      this.#on.link({ name: "stale", why: "gateway silent" });
    }
  }

  #drop() {
    clearTimeout(this.#timer);
    clearTimeout(this.#renewal);
    this.#source?.close();
    this.#source = null;
    this.#changes?.end();
    this.#changes = null;
  }

  #connect() {
    this.#drop();
    const source = this.#world.open(this.#url());
    this.#source = source;
    this.#changes = new Changes({
      waits: (problem) => this.#on.waits(problem),
      // A new stream tells all others: where it cannot be opened either, its answer says why.
      failed: (status, problem) => (REFUSED.includes(status) ? this.#refused(status, problem) : this.#connect()),
    }, this.#world);
    this.#lastEvent = this.#world.now();
    this.#silent = false;
    this.#bye = "";
    const on = (name, take) => source.addEventListener(name, (event) => {
      if (source !== this.#source) return;
      this.#lastEvent = this.#world.now();
      // After a silence no row counts as live, and some symbols may not tick for days. A new stream brings the newest
      // tick of each at once; so does this one if the event is a hello, its first or another.
      if (this.#silent && name !== "hello") return this.#connect();
      this.#silent = false;
      take(event);
    });
    on("hello", ({ data }) => {
      const hello = JSON.parse(data);
      this.#failures = 0;
      this.#ahead = hello.now / 1_000 - this.#world.now();
      this.#changes.open(hello.control ?? "");
      this.#renewBefore(hello.until);
      this.#on.hello(hello);
      this.#on.link({ name: "live" });
      if (this.#changes.isOpen && !this.#isCarriedBy(hello)) this.#changes.want(this.#request);
    });
    on("symbols", ({ data }) => {
      const event = JSON.parse(data);
      this.#renewBefore(event.until);
      this.#on.symbols(event);
    });
    on("message", ({ data, lastEventId }) => {
      if (lastEventId !== "") this.#lastId = lastEventId;
      this.#on.tick(data);
      this.#on.link({ name: "live" });
    });
    on("heartbeat", ({ data }) => {
      this.#on.heartbeat(JSON.parse(data));
      this.#on.link({ name: "live" });
    });
    on("bye", ({ data }) => { this.#bye = JSON.parse(data).reason; });
    source.addEventListener("error", () => {
      if (source !== this.#source) return;
      // 2 is closed for good: the answer was not a stream. EventSource does not say which answer it was.
      if (source.readyState === 2) this.#explain();
      else this.#lost(BYE[this.#bye] ?? "");
    });
  }

  /** Whether a stream carries the requested list, as far as it can. */
  #isCarriedBy({ symbols, unknown, denied = [] }) {
    const told = new Set([...symbols, ...unknown, ...denied]);
    return this.#request.symbols.length === told.size && this.#request.symbols.every((symbol) => told.has(symbol));
  }

  /** Renews the stream before it ends, once: if the cookie is still the same one, it has the same end. */
  #renewBefore(until) {
    clearTimeout(this.#renewal);
    if (until === undefined) return;
    const left = until / 1_000 - this.#ahead - this.#world.now() - RENEWED_BEFORE;
    const renew = () => { if (this.#changes.isOpen) this.#changes.want(this.#request); };
    if (left > 0) this.#renewal = setTimeout(renew, Math.min(left, TIMER_MAX));
  }

  #url() {
    const { symbols, maxRate } = this.#request;
    const parts = [`symbols=${symbols.join(",")}`, `heartbeat=${HEARTBEAT}`];
    if (maxRate !== null) parts.push(`max_rate=${maxRate}`);
    if (this.#lastId !== "") parts.push(`last_event_id=${encodeURIComponent(this.#lastId)}`);
    return `/v1/stream?${parts.join("&")}`;
  }

  #lost(why) {
    this.#drop();
    const [min, max] = this.#bye === "busy" ? [BUSY_MIN, BUSY_MAX] : [WAIT_MIN, WAIT_MAX];
    const wait = Math.min((min + (max - min) * this.#world.random()) * 2 ** Math.min(this.#failures, DOUBLINGS), BUSY_MAX);
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#connect(), wait);
    this.#on.link({ name: "reconnecting", at: this.#world.now() + wait, why });
  }

  /** Requests quotes of the same symbols, to learn why. A client error ends the stream; any other failure is retried. */
  async #explain() {
    const request = this.#request;
    const isCurrent = () => request === this.#request && this.#source === null;
    this.#drop();
    try {
      const answer = await this.#world.fetch(`/v1/quotes?symbols=${request.symbols.join(",")}`);
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
        // A proxy that asks for a sign-on of its own may do so without a problem document.
        const problem = answer.status === 401 ? {} : await answer.json();
        if (isCurrent()) this.#refused(answer.status, problem);
        return;
      }
    } catch {
      // Not reachable, or a proxy answered: the gateway may be back later.
    }
    if (isCurrent()) this.#lost("");
  }

  /** The request itself is refused, and would be again: the stream has ended until the person does something. */
  #refused(status, { detail = "" }) {
    this.#drop();
    const ended = { name: "ended", why: detail, absent: { 403: "denied", 404: "unknown" }[status] };
    this.#on.link(status === 401 ? { name: "signed-out" } : ended);
  }
}
