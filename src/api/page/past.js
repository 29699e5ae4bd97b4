// Fetches what the charts begin with, so that they do not begin empty: for rows in view, a few at a time, once per stream.
// A row that is added again, or passes between live and delayed prices, asks again.

/** How much of the past, in seconds, a line in a row shows, and a chart. */
export const LINE_SECONDS = 120;
export const CHART_SECONDS = 960;
/** The beginning is rounded to so many seconds, so that pages that open together ask for the same. */
const ROUND_SECONDS = 10;
/** The most points of a request: more than a second apart they would be fewer than the page keeps. */
const POINTS_MAX = 1_000;
/** How long a row waits after a request that failed, by the gateway's clock in ms. */
const RETRY_MILLIS = 10_000;
/** The answers that pass by themselves: too many requests, and a busy gateway. */
const PASSES = [429, 503];
/** How many requests are under way at a time; one until the gateway is known to keep a history. */
const AT_A_TIME = 4;

export class Past {
  /** By row, its last request: its seconds, whether for delayed prices, when, and whether it failed. */
  #asked = new WeakMap();
  #waiting = [];
  #underWay = 0;
  /** How many streams have begun. */
  #streams = 0;
  /** Whether the gateway keeps a history: null until an answer tells. */
  #isKept = null;
  #on;
  #fetch;

  /** `on` has wants(row, seconds) and take(row, line). `fetch` is replaced in tests. */
  constructor(on, fetchUrl = (url) => fetch(url)) {
    this.#on = on;
    this.#fetch = fetchUrl;
  }

  /** A stream begins: there may be a hole before it, or another gateway behind it. */
  restart() {
    this.#streams += 1;
    this.#asked = new WeakMap();
    this.#waiting = [];
    this.#isKept = null;
  }

  /** Asks for the last seconds of a row, once. `now` is the gateway's time in ms, NaN while unknown. */
  ask(row, seconds, now) {
    if (this.#isKept === false || Number.isNaN(now) || this.#isAsked(row, seconds, now)) return;
    const since = Math.floor(now / 1_000 / ROUND_SECONDS) * ROUND_SECONDS - seconds;
    const request = { row, seconds, since, now, isDelayed: row.delayed, hasFailed: false };
    this.#asked.set(row, request);
    // What a person has just opened comes first.
    if (seconds === CHART_SECONDS) this.#waiting.unshift(request);
    else this.#waiting.push(request);
    this.#go();
  }

  #isAsked(row, seconds, now) {
    const last = this.#asked.get(row);
    if (last === undefined || last.isDelayed !== row.delayed) return false;
    return last.hasFailed ? now < last.now + RETRY_MILLIS : last.seconds >= seconds;
  }

  #go() {
    while (this.#underWay < (this.#isKept === null ? 1 : AT_A_TIME)) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      if (this.#on.wants(next.row, next.seconds)) this.#request(next);
      else if (this.#asked.get(next.row) === next) this.#asked.delete(next.row); // Scrolled away; it asks again if it comes back.
    }
  }

  async #request(request) {
    const { row, since, isDelayed } = request;
    const stream = this.#streams;
    this.#underWay += 1;
    try {
      const answer = await this.#fetch(`/v1/history/${row.symbol}?since=${since * 1e6}&points=${POINTS_MAX}`);
      const { points, type } = await answer.json();
      if (stream === this.#streams) {
        request.hasFailed = PASSES.includes(answer.status);
        if (type?.endsWith(":no-history")) this.#stop();
        else this.#isKept = true;
        if (answer.ok && isDelayed === row.delayed) this.#on.take(row, lineOf(points, since * 1_000));
      }
    } catch {
      // Not reachable: until it is, the chart grows from the stream's ticks alone.
      request.hasFailed = true;
    }
    this.#underWay -= 1;
    this.#go();
  }

  #stop() {
    this.#isKept = false;
    this.#waiting = [];
  }
}

/**
 * A line from `since` on, in ms, of a history's points: a list of [time in ms, price], with NaN where the line ends. A price
 * holds until the next point. The line is broken while the symbol is not live.
 */
export function lineOf(points, since) {
  const line = [];
  let held = NaN;
  for (const [micros, price, , , , state] of points) {
    const time = Math.max(micros / 1_000, since);
    // The gateway's clock was set back.
    while (line.length > 0 && line.at(-1)[0] > time) line.pop();
    const next = state === "live" && price !== null ? price : NaN;
    if (Number.isNaN(next) && !Number.isNaN(held)) line.push([time, held], [time, NaN]);
    if (!Number.isNaN(next)) line.push([time, next]);
    held = next;
  }
  return line;
}
