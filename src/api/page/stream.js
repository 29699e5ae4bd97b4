// One stream, kept up: opens it, notices when it falls silent, comes back by itself, and says how it stands. What arrives is
// handed on as it came.
//
// The browser's EventSource would come back by itself too, but does not say when; so each failure closes it, and the wait is
// our own: as long as the gateway's `retry:`, at random, and longer while it fails.

/** Asked of the gateway, in seconds: after so much silence it says that it is there. */
const HEARTBEAT = 5;
/** After so much silence, in ms, nothing that is shown can be trusted ... */
const SILENCE_STALE = 8_000;
/** ... and after so much the connection is given up. */
const SILENCE_DEAD = 16_000;
const WAIT_MIN = 1_500;
const WAIT_MAX = 4_000;
/** A gateway that is full asks for this. */
const BUSY_MIN = 5_000;
const BUSY_MAX = 30_000;
/** A wait doubles with each failure, so many times. */
const DOUBLINGS = 3;

const BYE = { busy: "gateway busy", shutdown: "gateway restarts" };

export class Stream {
  #source = null;
  #request = null;
  #timer = 0;
  #heard = 0;
  #silent = false;
  #failures = 0;
  #lastId = "";
  #bye = "";
  #on;
  #world;

  /** `on` has hello, tick (its text), heartbeat, and link, which is told of each change. `world` is what it stands on. */
  constructor(on, world = {
    open: (url) => new EventSource(url),
    fetch: (url) => fetch(url),
    now: () => performance.now(),
    random: () => Math.random(),
  }) {
    this.#on = on;
    this.#world = world;
  }

  /** Follows these symbols from now on. */
  open(symbols, maxRate) {
    this.#request = { symbols, maxRate };
    this.#failures = 0;
    this.#connect();
  }

  /** Ends the stream; it can be opened again, and goes on from where it was. */
  close() {
    this.#drop();
    this.#request = null;
  }

  /** Tries at once where it is waiting: the network is back, or the person asks. */
  hurry() {
    if (this.#request !== null && this.#source === null) this.#connect();
  }

  /** Now and then: whether there is still somebody. */
  look() {
    if (this.#source === null) return;
    const silence = this.#world.now() - this.#heard;
    if (silence > SILENCE_DEAD) this.#lost("nothing is heard");
    else if (silence > SILENCE_STALE) {
      this.#silent = true;
      this.#on.link({ name: "stale", why: "nothing is heard" });
    }
  }

  #drop() {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #connect() {
    this.#drop();
    const source = this.#world.open(this.#url());
    this.#source = source;
    this.#heard = this.#world.now();
    this.#silent = false;
    this.#bye = "";
    const on = (name, take) => source.addEventListener(name, (event) => {
      if (source !== this.#source) return;
      this.#heard = this.#world.now();
      // After a silence nothing that is shown counts as live, and a symbol may have no tick for a weekend: a new stream brings
      // the newest of each at once, as a first hello does however late it comes.
      if (this.#silent && name !== "hello") return this.#connect();
      this.#silent = false;
      take(event);
    });
    on("hello", ({ data }) => {
      this.#failures = 0;
      this.#on.hello(JSON.parse(data));
      this.#on.link({ name: "live" });
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
      // 2 is closed for good: an answer that was no stream. What it was, EventSource does not say.
      if (source.readyState === 2) this.#explain();
      else this.#lost(BYE[this.#bye] ?? "");
    });
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

  /** Asks for the same symbols once: an error that says what to change ends it, all else may pass. */
  async #explain() {
    const request = this.#request;
    this.#drop();
    try {
      const answer = await this.#world.fetch(`/v1/quotes?symbols=${request.symbols.join(",")}`);
      if (request !== this.#request || this.#source !== null) return;
      if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
        const { detail } = await answer.json();
        if (request === this.#request) this.#on.link({ name: "ended", why: detail, unknown: answer.status === 404 });
        return;
      }
    } catch {
      // Not reachable, or something between answers: it may be back later.
    }
    if (request === this.#request && this.#source === null) this.#lost("");
  }
}
