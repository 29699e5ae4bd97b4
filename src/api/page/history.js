// The prices of one symbol over the last minutes, for its lines: what it costs in memory is fixed from its first price on.

/** How many points are kept ... */
const POINTS = 1_024;
/** ... and how far apart they are at least: the newest price of each half second. All of them: eight minutes. */
const STEP_MILLIS = 500;

export class History {
  #times = new Float64Array(POINTS);
  #values = new Float64Array(POINTS);
  #next = 0;
  length = 0;

  /** The time of the first point that is kept. */
  get oldest() {
    return this.#times[(this.#next + POINTS - this.length) % POINTS];
  }

  add(time, value) {
    this.#rewind(time);
    if (this.length > 0) {
      const newest = this.#newest();
      const step = Math.floor(time / STEP_MILLIS);
      if (step === Math.floor(this.#times[newest] / STEP_MILLIS) && !Number.isNaN(this.#values[newest])) {
        this.#values[newest] = value;
        return;
      }
    }
    this.#push(time, value);
  }

  /** From the newest point on nothing is known until the next one. */
  interrupt() {
    if (this.length > 0 && !Number.isNaN(this.#values[this.#newest()])) this.#push(this.#times[this.#newest()], NaN);
  }

  /** A clock may be set back, and another gateway's be behind: what it has yet to come to makes way, so that times only rise. */
  #rewind(time) {
    let interrupted = false;
    while (this.length > 0 && this.#times[this.#newest()] > time) {
      this.#next = this.#newest();
      this.length -= 1;
      interrupted ||= Number.isNaN(this.#values[this.#next]);
    }
    if (interrupted) this.interrupt();
  }

  #newest() {
    return (this.#next + POINTS - 1) % POINTS;
  }

  #push(time, value) {
    this.#times[this.#next] = time;
    this.#values[this.#next] = value;
    this.#next = (this.#next + 1) % POINTS;
    this.length = Math.min(this.length + 1, POINTS);
  }

  /** The points from `since` on, oldest first, and the last one before: `take(time, value)`, NaN for an interruption. */
  each(since, take) {
    let place = (this.#next + POINTS - this.length) % POINTS;
    for (let left = this.length; left > 0; left -= 1) {
      const next = (place + 1) % POINTS;
      if (left === 1 || this.#times[next] >= since) take(this.#times[place], this.#values[place]);
      place = next;
    }
  }
}
