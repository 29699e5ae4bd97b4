// The gateway's clock, in ms since 1970, seen from the page's own, which may be wrong but runs evenly. What came fastest is
// nearest to the truth: a message that says "now" was late by its way here, never early.

/** For so long, in ms, what came fastest is believed, and at most twice as long: clocks drift apart, and are set. */
const WINDOW = 120_000;

export class Clock {
  /** By how much it is ahead of the page's: the most that was seen in the last whole window, and in the one that runs. */
  #earlier = NaN;
  #newest = NaN;
  #begun = 0;
  #read;

  constructor(read = () => performance.now()) {
    this.#read = read;
  }

  /** A new stream: the gateway, and so its clock, may be another. */
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

  /** NaN until the gateway has said its time. */
  now() {
    return this.#read() + Math.max(this.#earlier, this.#newest);
  }
}
