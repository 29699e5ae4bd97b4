// What the person has chosen: symbols in their order, the rate, the row whose details are shown. The address has it, so that
// it can be passed on; the browser keeps it, so that it is there tomorrow. The address comes first. What nobody has chosen,
// such as the gateway's own list, is in neither.

const KEY = "tickfan.choices";
const SYMBOL = /^[A-Z0-9][A-Z0-9._-]{0,31}$/;
/** Writes a second that can be chosen; the last is every tick as it comes. */
export const RATES = [0.5, 1, 2, 4, 10, 20, 50, null];

/** The symbols of a text, folded as the gateway does, each once; what is none is left out. */
export function symbolsOf(text) {
  const folded = text.split(",").map((symbol) => symbol.trim().toUpperCase());
  return [...new Set(folded.filter((symbol) => SYMBOL.test(symbol)))];
}

/** From the address's query and what was kept. `symbols` is null where nothing was chosen. */
export function readChoices(query, kept) {
  const parameters = new URLSearchParams(query);
  const earlier = parse(kept);
  const named = symbolsOf(parameters.getAll("symbols").join(","));
  const rate = parameters.has("max_rate") ? Number(parameters.get("max_rate")) : earlier.maxRate;
  return {
    symbols: named.length > 0 ? named : earlier.symbols,
    maxRate: RATES.includes(rate) ? rate : null,
    detail: earlier.detail,
  };
}

function parse(kept) {
  try {
    const { symbols, maxRate, detail } = JSON.parse(kept);
    return {
      symbols: Array.isArray(symbols) ? symbolsOf(symbols.join(",")) : null,
      maxRate,
      detail: typeof detail === "string" ? detail : undefined,
    };
  } catch {
    return { symbols: null, maxRate: null, detail: undefined };
  }
}

/** The address's query for these choices. */
export function queryOf({ symbols, maxRate }) {
  const parts = [];
  if (symbols !== null) parts.push(`symbols=${symbols.join(",")}`);
  if (maxRate !== null) parts.push(`max_rate=${maxRate}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** What is kept from now on, where one choice was made: the others stay as they were kept, whatever a link says of them. */
export function keptWith(kept, choices, name) {
  return JSON.stringify({ ...parse(kept), [name]: choices[name] });
}

export function load() {
  const choices = readChoices(location.search, read());
  show(choices);
  return choices;
}

/** Keeps the choice of this name. */
export function save(choices, name) {
  show(choices);
  try {
    localStorage.setItem(KEY, keptWith(read(), choices, name));
  } catch {
    // The browser keeps nothing: the address still does.
  }
}

function show(choices) {
  history.replaceState(null, "", location.pathname + queryOf(choices));
}

function read() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // As above.
  }
}
