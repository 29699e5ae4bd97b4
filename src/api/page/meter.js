// The rate of ticks, and their delay from the gateway's receipt to this page. Delays are measured against the estimate
// of the gateway's clock, so the fastest delivery counts as zero.

/** How many of the newest ticks are measured. */
const TICKS = 512;
/** Over how many readings a low rate is counted. */
const WINDOW = 10;

export class Meter {
  #delays = new Float64Array(TICKS);
  #next = 0;
  #known = 0;
  #count = 0;
  /** The ends of the last seconds and what came until then: of few ticks a second would show 0 as often as not. */
  #marks = [];

  /** Counts a tick. Its delay is in ms, or NaN if the gateway received it before this stream. */
  tick(delay) {
    this.#count += 1;
    if (Number.isNaN(delay)) return;
    this.#delays[this.#next] = Math.max(delay, 0);
    this.#next = (this.#next + 1) % TICKS;
    this.#known = Math.min(this.#known + 1, TICKS);
  }

  restart() {
    this.#known = this.#next = this.#count = 0;
    this.#marks = [];
  }

  /** Ticks a second since the last reading, and the median and 99th percentile of the delays, in ms. */
  read(now) {
    const first = this.#marks[0];
    const rate = first !== undefined && now > first.now ? (this.#count - first.count) / ((now - first.now) / 1000) : NaN;
    this.#marks.push({ now, count: this.#count });
    // A burst is seen at once: many ticks are counted over one second, few over ten.
    while (this.#marks.length > (rate > 10 ? 1 : WINDOW)) this.#marks.shift();
    const sorted = this.#delays.slice(0, this.#known).sort();
    const at = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? NaN;
    return { rate, p50: at(0.5), p99: at(0.99) };
  }
}
