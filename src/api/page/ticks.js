// The page's ticks: the client library, and the page's words for the state of its line.

/** The heartbeat that the gateway is asked for, in seconds of silence: a gateway that hangs is noticed after twice that. */
const HEARTBEAT = 2;

const BYE = {
  busy: "gateway busy", denied: "not entitled", expired: "sign-on expired", shutdown: "gateway restarting", silent: "gateway silent", offline: "offline", gap: "a tick is missing",
};
const ABSENT = { "no-such-symbol": "unknown", "not-entitled": "denied" };

export class Ticks {
  #on;
  #now;
  #ticks;
  #watch;
  #maxRate;
  /** Whether the last stream is over. */
  #isCut = true;

  /**
   * `on` has hello, symbols, tick, lost (a symbol whose tick does not count any more), heartbeat, waits (why a change of the
   * list waits), and link, called for each change.
   * `connect` is the library's.
   */
  constructor(connect, on, maxRate, now = () => performance.now()) {
    this.#on = on;
    this.#now = now;
    this.#maxRate = maxRate;
    const ticks = (this.#ticks = connect("/", { numbers: "string", heartbeat: HEARTBEAT, patch: true, background: "close", maxRate }));
    this.#watch = ticks.watch([], (tick) => this.#take(tick));
    for (const name of ["hello", "symbols", "heartbeat", "waits"]) ticks.on(name, (event) => on[name](event));
    ticks.on("state", (state) => this.#link(state));
  }

  /** Streams these symbols from now on; none: no stream. */
  follow(symbols, maxRate) {
    if (maxRate !== this.#maxRate) this.#ticks.set({ maxRate });
    this.#maxRate = maxRate;
    this.#watch.set(symbols);
    if (symbols.length > 0 && this.#ticks.state.connection === "live") this.#on.link({ name: "live" });
  }

  /** Asks for the whole list again: the person may have signed on. */
  ask() {
    this.#ticks.set({});
  }

  /** Retries at once if it is waiting: the network is back, or the person asks. */
  hurry() {
    this.#ticks.retry();
  }

  /** What the lists and the link say of a symbol, its ticks need not say again. They alone say that the list leaves it out. */
  #take(tick) {
    if (tick.state === "lost") {
      if (tick.reason === "removed" || tick.reason === "gap") this.#on.lost(tick.symbol);
    } else if (!["unknown", "denied"].includes(tick.state)) this.#on.tick(tick);
  }

  #link({ connection, reason, status, detail = "", retryIn }) {
    const wasCut = this.#isCut;
    this.#isCut = connection !== "live";
    if (connection === "live") this.#on.link({ name: "live" });
    else if (connection === "silent") this.#on.link({ name: "stale", why: BYE.silent });
    else if (connection === "lost") this.#on.link({ name: "reconnecting", at: this.#now() + retryIn, why: BYE[reason] ?? "" });
    else if (connection === "refused") this.#on.link(status === 401 ? { name: "signed-out" } : { name: "ended", why: detail, absent: ABSENT[reason] });
    // An attempt after a loss is still that loss.
    else if (connection === "connecting" && !wasCut) this.#on.link({ name: "connecting" });
  }
}
