// Keeps one stream open: connects, changes its list, detects silence, reconnects, and reports the state of the link.
// Events are passed on as they came.
//
// The browser's EventSource would reconnect too, but does not say when. So each failure closes it, and the wait is our
// own: random within the range of the gateway's `retry:`, and longer after repeated failures.

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

const BYE = { busy: "gateway busy", denied: "not entitled", expired: "sign-on expired", shutdown: "gateway restarting" };

export class Stream {
  #source = null;
  #request = null;
  #timer = 0;
  #lastEvent = 0;
  #silent = false;
  #failures = 0;
  #lastId = "";
  /** The name by which the open stream is changed; empty before its `hello`. */
  #control = "";
  /** How often the open stream was changed. */
  #rev = 0;
  #bye = "";
  #on;
  #world;

  /** `on` has hello, symbols, tick (its data as a string), heartbeat, and link, called for each change. `world` is replaced in tests. */
  constructor(on, world = {
    open: (url) => new EventSource(url),
    fetch: (url) => fetch(url),
    post: (url, body) => fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body }),
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
    if (this.#control === "") this.#connect();
    else this.#change();
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
    this.#source?.close();
    this.#source = null;
    this.#control = "";
  }

  #connect() {
    this.#drop();
    const source = this.#world.open(this.#url());
    this.#source = source;
    this.#rev = 0;
    this.#lastEvent = this.#world.now();
    this.#silent = false;
    this.#bye = "";
    const on = (name, take) => source.addEventListener(name, (event) => {
      if (source !== this.#source) return;
      this.#lastEvent = this.#world.now();
      // After a silence no row counts as live, and some symbols may not tick for days. A new stream brings the newest
      // tick of each at once; so does this one if the event is its first hello.
      if (this.#silent && name !== "hello") return this.#connect();
      this.#silent = false;
      take(event);
    });
    on("hello", ({ data }) => {
      const hello = JSON.parse(data);
      this.#failures = 0;
      this.#control = hello.control ?? "";
      this.#on.hello(hello);
      this.#on.link({ name: "live" });
      if (this.#control !== "" && !this.#isCarriedBy(hello)) this.#change();
    });
    on("symbols", ({ data }) => this.#on.symbols(JSON.parse(data)));
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

  /** Whether a stream carries the requested list. */
  #isCarriedBy({ symbols, unknown }) {
    const carried = new Set([...symbols, ...unknown]);
    return this.#request.symbols.length === carried.size && this.#request.symbols.every((symbol) => carried.has(symbol));
  }

  /** Has the open stream carry what is requested. If that fails, a new stream does. */
  async #change() {
    const [request, source] = [this.#request, this.#source];
    this.#rev += 1;
    const body = JSON.stringify({ rev: this.#rev, symbols: request.symbols, max_rate: request.maxRate });
    let answer;
    try {
      answer = await this.#world.post(`/v1/streams/${this.#control}`, body);
    } catch {
      // Not reachable: a new stream will say so.
    }
    if (!answer?.ok && request === this.#request && source === this.#source) this.#connect();
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
      // Not reachable, or a proxy answered: the gateway may be back later.
    }
    if (request === this.#request && this.#source === null) this.#lost("");
  }
}
