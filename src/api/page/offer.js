// The gateway's own list of symbols, which the page shows until the person chooses some.

/** How many symbols the page shows by default. */
const SHOWN = 20;
/** The most that the gateway lists at a time. */
const LISTED_MAX = 1_000;
/** The wait before a failed request is repeated, in ms. */
const WAIT_MIN = 2_000;
const WAIT_MAX = 4_000;

const shown = () => new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));

export class Offer {
  #link;
  #wake = () => {};
  /** Whether the answer is still to come. */
  isAsked = false;

  /** `link` is called with the state of the connection until the list is there. */
  constructor(link) {
    this.#link = link;
  }

  /** Asks until the gateway answers, while the page is visible. */
  async symbols() {
    this.isAsked = true;
    try {
      for (;;) {
        while (document.hidden) await shown();
        const symbols = await this.#ask();
        if (symbols !== null) return symbols;
      }
    } finally {
      this.isAsked = false;
    }
  }

  /** Asks at once if it waits. */
  hurry() {
    this.#wake();
  }

  /** The symbols; null if it is worth another try, after the wait for that. */
  async #ask() {
    try {
      const symbols = await readable();
      if (symbols === null) {
        this.#link({ name: "signed-out" });
        await this.#woken();
      }
      return symbols;
    } catch {
      const wait = WAIT_MIN + (WAIT_MAX - WAIT_MIN) * Math.random();
      this.#link({ name: "reconnecting", at: performance.now() + wait, why: "" });
      await this.#woken(wait);
      return null;
    }
  }

  #woken(millis) {
    return new Promise((resolve) => {
      this.#wake = resolve;
      if (millis !== undefined) setTimeout(resolve, millis);
    });
  }
}

/** The first symbols that the client may see, else the first ones; null: a sign-on is needed. */
async function readable() {
  let found = await listing(SHOWN);
  if (found?.more && found.symbols.some(isDenied)) found = await listing(LISTED_MAX);
  if (found === null) return null;
  const allowed = found.symbols.filter((listed) => !isDenied(listed));
  return (allowed.length > 0 ? allowed : found.symbols).slice(0, SHOWN).map(({ symbol }) => symbol);
}

const isDenied = ({ access }) => access === "denied";

async function listing(limit) {
  const answer = await fetch(`/v1/symbols?limit=${limit}`);
  if (answer.status === 401) return null;
  if (!answer.ok) throw new Error(`/v1/symbols answers ${answer.status}`);
  return answer.json();
}
