// The prices of one symbol over the last quarter of an hour, for its charts. Its memory is fixed from the first price on.

/** How many points it keeps ... */
const POINTS = 1_024;
/** ... and their least distance: it keeps the newest price of each second, so seventeen minutes in all. */
const STEP_MILLIS = 1_000;

export class History {
  #times = new Float64Array(POINTS);
  #values = new Float64Array(POINTS);
  #next = 0;
  length = 0;

  /** The time of the oldest point. */
  get oldest() {
    return this.#times[(this.#next + POINTS - this.length) % POINTS];
  }

  /** The time of the newest point. */
  get newest() {
    return this.#times[this.#newest()];
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

  /** Puts a line of [time, value] in the place of all points from its beginning to its end. */
  merge(line) {
    if (line.length === 0) return;
    const [from, to] = [line[0][0], line.at(-1)[0]];
    const [earlier, later] = [[], []];
    this.each(0, (time, value) => {
      if (time < from) earlier.push([time, value]);
      else if (time > to) later.push([time, value]);
    });
    this.length = 0;
    for (const [time, value] of [...earlier, ...line, ...later]) this.#push(time, value);
  }

  /** Marks the prices between the newest point and the next one as unknown. */
  interrupt() {
    if (this.length > 0 && !Number.isNaN(this.#values[this.#newest()])) this.#push(this.#times[this.#newest()], NaN);
  }

  /** Drops points newer than `time`, so that times only rise: a clock may be set back, or another gateway's clock be behind. */
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

  /** Calls `take(time, value)` for the last point before `since` and all later ones, oldest first; NaN is an interruption. */
  each(since, take) {
    let place = (this.#next + POINTS - this.length) % POINTS;
    for (let left = this.length; left > 0; left -= 1) {
      const next = (place + 1) % POINTS;
      if (left === 1 || this.#times[next] >= since) take(this.#times[place], this.#values[place]);
      place = next;
    }
  }
}
