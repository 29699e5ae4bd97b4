// What the stream does not carry: the words for it, told once.

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
