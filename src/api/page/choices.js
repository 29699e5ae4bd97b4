// The person's choices: symbols in their order, the rate, the row whose details are shown. The URL holds them, so that
// they can be shared; the browser's storage holds them, so that they last. The URL takes precedence. Defaults, such as
// the gateway's own list, are in neither.

const KEY = "tickfan.choices";
const SYMBOL = /^[A-Z0-9][A-Z0-9._-]{0,31}$/;
/** The rates to choose from, in writes a second; null is every tick. */
export const RATES = [0.5, 1, 2, 4, 10, 20, 50, null];

/** The symbols in a string, folded as the gateway does, each once. Anything else is left out. */
export function symbolsOf(text) {
  const folded = text.split(",").map((symbol) => symbol.trim().toUpperCase());
  return [...new Set(folded.filter((symbol) => SYMBOL.test(symbol)))];
}

/** The choices, from the URL's query and the stored ones. `symbols` is null unless the person chose some. */
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

/** The URL's query for these choices. */
export function queryOf({ symbols, maxRate }) {
  const parts = [];
  if (symbols !== null) parts.push(`symbols=${symbols.join(",")}`);
  if (maxRate !== null) parts.push(`max_rate=${maxRate}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

/** The new stored choices after one of them changed. The others stay as stored, even if a link overrides them. */
export function keptWith(kept, choices, name) {
  return JSON.stringify({ ...parse(kept), [name]: choices[name] });
}

export function load() {
  const choices = readChoices(location.search, read());
  show(choices);
  return choices;
}

/** Stores the choice of this name. */
export function save(choices, name) {
  show(choices);
  try {
    localStorage.setItem(KEY, keptWith(read(), choices, name));
  } catch {
    // Without storage the URL still has it.
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
