// Changes what one open stream carries, by one request at a time. What is wanted meanwhile goes with the next one.

import { backoff } from "./backoff.js";

/** The wait before a change is sent again, in ms, if the gateway does not say. It doubles with each failure. */
const WAIT = 1_000;
/** Answers after which the same request may succeed later. */
const PASSING = [429, 503];

/**
 * `post(body)` resolves to an answer's status and its `after`. `on` has waits(answer), for a change that is sent again
 * later, failed(), after which the changes have ended, and `hasLogin`: another token may be had after a 401.
 */
export function changesOf(post, on, random) {
  let rev = 0;
  /** What the stream shall carry that it was not sent yet, or that it has not confirmed. */
  let wanted;
  /** Whether a request is under way, or waits to be repeated. */
  let isBusy;
  let hasEnded;
  let failures = 0;
  let timer;

  /** Sends this, even if the stream carries it: that renews it. */
  function want(body) {
    wanted = body;
    if (!isBusy) send();
  }

  /** The stream has ended. */
  function end() {
    hasEnded = true;
    clearTimeout(timer);
  }

  async function send() {
    if (hasEnded) return;
    isBusy = true;
    rev += 1;
    const sent = wanted;
    const answer = await post(JSON.stringify({ rev, ...sent }));
    const { status, after } = answer;
    if (hasEnded) return;
    if (status === 200) {
      isBusy = false;
      failures = 0;
      if (wanted !== sent) send();
    } else if (PASSING.includes(status) || (status === 401 && on.hasLogin)) {
      // Random: pages that were refused together do not return together.
      timer = setTimeout(send, backoff({ failures, retry: WAIT, after }, random()));
      failures += 1;
      on.waits(answer);
    } else {
      end();
      on.failed();
    }
  }

  return { want, end };
}
