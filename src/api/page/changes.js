// Changes what one open stream carries, by one request at a time. What is wanted meanwhile goes with the next one.

/** The wait before a change is sent again, in ms, if the gateway does not say. It doubles with each failure ... */
const WAIT = 1_000;
/** ... up to this one, unless the gateway asks for a longer one. */
const WAIT_MAX = 30_000;
/** Answers after which the same request may succeed. */
const PASSING = [429, 503];

export class Changes {
  #control = "";
  #rev = 0;
  /** What the stream shall carry that it was not sent yet, or that it has not confirmed. */
  #wanted = null;
  /** Whether a request is under way, or waits to be repeated. */
  #isBusy = false;
  #hasEnded = false;
  #failures = 0;
  #timer = 0;
  #on;
  #world;

  /** `on` has waits, called with the problem of a change that is sent again later, and failed, with status and problem; then the changes have ended. */
  constructor(on, world) {
    this.#on = on;
    this.#world = world;
  }

  /** The stream can be changed once its `hello` has told its name. */
  get isOpen() {
    return this.#control !== "";
  }

  /** The stream has this name. */
  open(control) {
    this.#control = control;
  }

  /** Sends the symbols and the rate of this request, even if the stream carries them: that renews it. */
  want(request) {
    this.#wanted = request;
    if (!this.#isBusy) this.#send();
  }

  /** The stream has ended. */
  end() {
    this.#hasEnded = true;
    clearTimeout(this.#timer);
  }

  async #send() {
    this.#isBusy = true;
    const sent = this.#wanted;
    this.#rev += 1;
    const body = JSON.stringify({ rev: this.#rev, symbols: sent.symbols, max_rate: sent.maxRate });
    let [status, problem, after] = [0, {}, NaN];
    try {
      const answer = await this.#world.post(`/v1/streams/${this.#control}`, body);
      status = answer.status;
      if (status !== 200) {
        after = Number(answer.headers.get("retry-after")) * 1_000;
        problem = await answer.json();
      }
    } catch {
      // Not reachable, or a proxy answered without a problem document.
    }
    if (this.#hasEnded) return;
    if (status === 200) this.#applied(sent);
    else if (PASSING.includes(status)) this.#wait(after || WAIT, problem);
    else {
      this.end();
      this.#on.failed(status, problem);
    }
  }

  #applied(sent) {
    this.#isBusy = false;
    this.#failures = 0;
    if (this.#wanted !== sent) this.#send();
  }

  #wait(after, problem) {
    const wait = Math.max(after, Math.min(after * 2 ** this.#failures, WAIT_MAX));
    this.#failures += 1;
    // Longer than what the gateway asks for, and random: pages that were refused together do not return together.
    this.#timer = setTimeout(() => this.#send(), wait * (1 + this.#world.random() / 2));
    this.#on.waits(problem);
  }
}
