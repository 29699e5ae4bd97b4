// The gateway's clock, in ms since 1970, seen from the page's own, which may be wrong but runs evenly. What came fastest is
// nearest to the truth: a message that says "now" was late by its way here, never early.

export class Clock {
  #ahead = NaN;
  #read;

  constructor(read = () => performance.now()) {
    this.#read = read;
  }

  /** A new stream: the gateway, and so its clock, may be another. */
  restart(micros) {
    this.#ahead = micros / 1000 - this.#read();
  }

  observe(micros) {
    const ahead = micros / 1000 - this.#read();
    if (!(ahead <= this.#ahead)) this.#ahead = ahead;
  }

  /** NaN until the gateway has said its time. */
  now() {
    return this.#read() + this.#ahead;
  }
}
