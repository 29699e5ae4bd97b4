// How long to wait before the next attempt, in ms.

/** As the gateway's own `retry:`, for a transport that does not tell it. */
const RETRY = [1_500, 4_000];
/** What a full gateway asks for. */
const BUSY = [5_000, 30_000];
/** The wait before a request that was refused is tried again: the operator may have changed something. */
const REFUSED = [60_000, 90_000];
/** The longest wait after a failure, unless the gateway asks for a longer one. */
const WAIT_MAX = 30_000;

const between = ([min, max], random) => min + (max - min) * random;

/** `failures` in a row so far; `retry` is what the gateway asked for, `after` the least that it demands; `random` from 0 to 1. */
export function backoff({ failures, retry, after = 0, isBusy = false, isRefused = false }, random) {
  if (isRefused) return Math.max(between(REFUSED, random), after);
  // The gateway gives each stream a `retry:` of its own; what follows a failure is spread again.
  const first = isBusy ? between(BUSY, random) : retry === undefined ? between(RETRY, random) : retry * (failures > 0 ? 0.75 + random / 2 : 1);
  const wait = Math.min(first * 2 ** failures, Math.max(WAIT_MAX, first));
  return after > wait ? after * (1 + random / 4) : wait;
}
