// Reads Server-Sent Events from text that arrives in pieces.

/** The most that may wait for its end, in UTF-16 units: a longer event is not a gateway's. */
const WAITING_MAX = 4 << 20;
/** A carriage return at the end of a piece ends no line yet: a line feed may belong to it. */
const LINE_END = /\r\n|\n|\r(?=[^])/;

/**
 * Returns what takes the next piece. `take(name, data, id)` gets each event with the last id so far; `retry(millis)` gets the
 * wait that the gateway asks for.
 */
export function eventsOf(take, retry) {
  let rest = "";
  let data;
  let name = "message";
  let id = "";

  function read(line) {
    if (line === "") {
      if (data !== undefined) take(name, data, id);
      data = undefined;
      name = "message";
      return;
    }
    const [, field, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);
    if (field === "data") data = data === undefined ? value : `${data}\n${value}`;
    else if (field === "event") name = value || "message";
    else if (field === "id" && !value.includes("\0")) id = value;
    else if (field === "retry" && /^\d+$/.test(value)) retry(+value);
  }

  return (text) => {
    const lines = (rest + text).split(LINE_END);
    rest = lines.pop();
    lines.forEach(read);
    if (rest.length + (data?.length ?? 0) > WAITING_MAX) throw new Error("an event is too long");
  };
}
