// Fetches what is known of the listed symbols besides their prices: names, currencies, digits. A symbol is asked for when
// it has data, since most venues tell its facts before, and a second time where its digits are still missing then.

/** How many symbols a request names: some 3 KB of address. No request names more than a stream may have. */
const AT_A_TIME = 100;
/** How long a symbol waits for others, and one without digits for the second request, in ms. */
const GATHER_MILLIS = 100;
const AGAIN_MILLIS = 15_000;
const REQUESTS_MAX = 2;

export class Facts {
  /** By symbol, how often it was asked for since the stream began. */
  #asked = new Map();
  #waiting = new Set();
  #timer = 0;
  #take;
  #fetch;

  /** `take` is called with each entry of an answer. `fetch` is replaced in tests. */
  constructor(take, fetchUrl = (url) => fetch(url)) {
    this.#take = take;
    this.#fetch = fetchUrl;
  }

  /** A stream begins: another gateway may be behind it, or one that knows more. */
  restart() {
    this.#asked.clear();
    this.#waiting.clear();
  }

  /** Asks for the facts of a symbol that has data, unless it was asked for. */
  ask(symbol) {
    if (this.#asked.has(symbol)) return;
    this.#asked.set(symbol, 0);
    this.#wait(symbol);
  }

  #wait(symbol) {
    this.#waiting.add(symbol);
    this.#timer ||= setTimeout(() => this.#go(), GATHER_MILLIS);
  }

  async #go() {
    this.#timer = 0;
    const symbols = [...this.#waiting].slice(0, AT_A_TIME);
    for (const symbol of symbols) {
      this.#waiting.delete(symbol);
      this.#asked.set(symbol, this.#asked.get(symbol) + 1);
    }
    if (symbols.length === 0) return;
    if (this.#waiting.size > 0) this.#timer = setTimeout(() => this.#go(), GATHER_MILLIS);
    const isKnown = new Set();
    try {
      const answer = await this.#fetch(`/v1/symbols?limit=${AT_A_TIME}&symbols=${symbols.join()}`);
      for (const entry of answer.ok ? (await answer.json()).symbols : []) {
        if (entry.price_digits !== undefined) isKnown.add(entry.symbol);
        this.#take(entry);
      }
    } catch {
      // Not reachable: prices are shown with the digits that they come with.
    }
    const again = symbols.filter((symbol) => !isKnown.has(symbol) && this.#asked.get(symbol) < REQUESTS_MAX);
    if (again.length === 0) return;
    setTimeout(() => {
      // A stream that has begun since asks for itself.
      for (const symbol of again) if (this.#asked.get(symbol) === 1) this.#wait(symbol);
    }, AGAIN_MILLIS);
  }
}
