// The rate of ticks, and their delay from the gateway's receipt to this page. Delays are measured against the estimate
// of the gateway's clock, so the fastest delivery counts as zero.

/** How many of the newest ticks are measured. */
const TICKS = 512;

export class Meter {
  #delays = new Float64Array(TICKS);
  #next = 0;
  #known = 0;
  #count = 0;
  #since = NaN;

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
    this.#since = NaN;
  }

  /** Ticks a second since the last reading, and the median and 99th percentile of the delays, in ms. */
  read(now) {
    const seconds = (now - this.#since) / 1000;
    const rate = seconds > 0 ? this.#count / seconds : NaN;
    this.#count = 0;
    this.#since = now;
    const sorted = this.#delays.slice(0, this.#known).sort();
    const at = (share) => sorted[Math.min(Math.floor(share * sorted.length), sorted.length - 1)] ?? NaN;
    return { rate, p50: at(0.5), p99: at(0.99) };
  }
}
