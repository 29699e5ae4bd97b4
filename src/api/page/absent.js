// What the stream does not carry: the words for it, told once, and what of it was mistyped.

export class Absent {
  #told = "";

  /**
   * The words for what the stream lacks, "" if nothing; undefined if that is what was told last: a notice that came since
   * then stays. `isSignedOff`: signed on, the client may see more.
   */
  tell({ unknown, denied = [] }, isSignedOff) {
    const texts = [];
    if (unknown.length > 0) texts.push(`No feed has ${unknown.join(", ")}.`);
    if (denied.length > 0) texts.push(`${isSignedOff ? "Sign on to see" : "Your subscription does not include"} ${denied.join(", ")}.`);
    const text = texts.join(" ");
    if (text === this.#told) return undefined;
    this.#told = text;
    return text;
  }

  /** Something else was told of the stream: what it lacks is to be told again. */
  forget() {
    this.#told = null;
  }
}

/** Symbols that the person has added and the stream has not told of yet. */
export class Tried {
  #symbols = new Set();

  add(symbol) {
    this.#symbols.add(symbol);
  }

  /** Which of them no feed has, by the lists of an event. What is in none of them was added later: another event tells of it. */
  settle({ symbols = [], unknown, denied = [] }) {
    const wrong = unknown.filter((symbol) => this.#symbols.delete(symbol));
    for (const symbol of [...symbols, ...denied]) this.#symbols.delete(symbol);
    return wrong;
  }
}
