// Changes what one open stream carries, by one request at a time. What is wanted meanwhile goes with the next one.

import { backoff } from "./backoff.js";

/** The wait before a change is sent again, in ms, if the gateway does not say. It doubles with each failure. */
const WAIT = 1_000;
/** Answers after which the same request may succeed. */
const PASSING = [429, 503];

export class Changes {
  #rev = 0;
  /** What the stream shall carry that it was not sent yet, or that it has not confirmed. */
  #wanted;
  /** Whether a request is under way, or waits to be repeated. */
  #isBusy = false;
  #hasEnded = false;
  #failures = 0;
  #timer;
  #post;
  #on;
  #random;

  /**
   * `post(body)` resolves to an answer's status and its `after`. `on` has waits(answer), for a change that is sent
   * again later, and failed(status); then the changes have ended.
   */
  constructor(post, on, random) {
    this.#post = post;
    this.#on = on;
    this.#random = random;
  }

  /** Sends this, even if the stream carries it: that renews it. */
  want(wanted) {
    this.#wanted = wanted;
    if (!this.#isBusy) this.#send();
  }

  /** The stream has ended. */
  end() {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  async #send() {
    if (this.#hasEnded) return;
    this.#isBusy = true;
    const sent = this.#wanted;
    this.#rev += 1;
    const refusal = await this.#post(JSON.stringify({ rev: this.#rev, ...sent }));
    const { status, after } = refusal;
    if (this.#hasEnded) return;
    if (status === 200) {
      this.#isBusy = false;
      this.#failures = 0;
      if (this.#wanted !== sent) this.#send();
    } else if (PASSING.includes(status)) {
      // Random: pages that were refused together do not return together.
      this.#timer = setTimeout(() => this.#send(), backoff({ failures: this.#failures, retry: WAIT, after }, this.#random()));
      this.#failures += 1;
      this.#on.waits(refusal);
    } else {
      this.end();
      this.#on.failed(status);
    }
  }
}
