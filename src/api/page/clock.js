// The gateway's clock, in ms since 1970, estimated from the page's own, which may be wrong but runs evenly. The fastest
// message gives the best estimate: a message that says "now" arrives late by its transit, never early.

/** How long, in ms, the fastest message counts; at most twice as long. Clocks drift apart, and are set. */
const WINDOW = 120_000;

export class Clock {
  /** How far it is ahead of the page's clock: the maximum of the last whole window, and of the current one. */
  #earlier = NaN;
  #newest = NaN;
  #begun = 0;
  #read;

  constructor(read = () => performance.now()) {
    this.#read = read;
  }

  /** A new stream may come from another gateway, with another clock. */
  restart(micros) {
    this.#begun = this.#read();
    this.#earlier = this.#newest = micros / 1000 - this.#begun;
  }

  observe(micros) {
    const here = this.#read();
    const ahead = micros / 1000 - here;
    if (here - this.#begun >= WINDOW) {
      this.#earlier = here - this.#begun < 2 * WINDOW ? this.#newest : ahead;
      this.#newest = ahead;
      this.#begun = here;
    }
    this.#newest = Math.max(this.#newest, ahead);
  }

  /** NaN until the gateway has sent its time. */
  now() {
    return this.#read() + Math.max(this.#earlier, this.#newest);
  }
}
