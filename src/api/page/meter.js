// How many ticks come, and how long they take from the gateway's receipt to this page. By the gateway's clock as it is known
// here: the fastest way counts as none.

/** So many of the newest ticks are looked at. */
const TICKS = 512;

export class Meter {
  #delays = new Float64Array(TICKS);
  #next = 0;
  #known = 0;
  #count = 0;
  #since = NaN;

  /** A tick: in ms, NaN where its time is from before this stream. */
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

  /** Ticks a second since the last reading, and the middle and the slowest hundredth of the delays, in ms. */
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
