// Reads Server-Sent Events from text that arrives in pieces.

/** The most that may wait for its end, in UTF-16 units: a longer event is not a gateway's. */
const WAITING_MAX = 4 << 20;
/** A carriage return at the end of a piece ends no line yet: a line feed may belong to it. */
const LINE_END = /\r\n|\n|\r(?=[^])/;

/** `take(name, data, id)` gets each event with the last id so far; `retry(millis)` gets the wait that the gateway asks for. */
export class EventReader {
  #rest = "";
  #data;
  #name = "";
  #id = "";
  #take;
  #retry;

  constructor(take, retry) {
    this.#take = take;
    this.#retry = retry;
  }

  push(text) {
    const lines = (this.#rest + text).split(LINE_END);
    this.#rest = lines.pop();
    for (const line of lines) this.#line(line);
    if (this.#rest.length + (this.#data?.length ?? 0) > WAITING_MAX) throw new Error("an event is too long");
  }

  #line(line) {
    if (line === "") {
      if (this.#data !== undefined) this.#take(this.#name || "message", this.#data, this.#id);
      this.#data = undefined;
      this.#name = "";
      return;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (field === "data") this.#data = this.#data === undefined ? value : `${this.#data}\n${value}`;
    else if (field === "event") this.#name = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.#retry(+value);
  }
}
