// How the list looks: the column that it is sorted by, the hidden columns, and the lists that the person has kept. The
// browser's storage holds them.

const KEY = "tickfan.looks";
/** The columns that can be hidden, with their names. */
export const COLUMNS = { change: "Change", percent: "Change in percent", bid: "Bid", ask: "Ask", volume: "Volume", spark: "2 min", age: "Age", state: "State" };
const SORTS = ["symbol", "last", "change", "percent", "bid", "ask", "volume", "age", "state"];
/** How many lists are kept, and how long their names are. */
export const LISTS_MAX = 50;
const NAME_MAX = 40;

/** The looks of a stored string. What is not valid is left out. */
export function readLooks(kept) {
  let told;
  try {
    told = JSON.parse(kept) ?? {};
  } catch {
    told = {};
  }
  const { sort, hidden, lists } = told;
  return {
    sort: SORTS.includes(sort?.column) ? { column: sort.column, isDown: sort.isDown === true } : null,
    hidden: Array.isArray(hidden) ? Object.keys(COLUMNS).filter((column) => hidden.includes(column)) : [],
    lists: Array.isArray(lists)
      ? lists.filter((list) => typeof list?.name === "string" && Array.isArray(list.symbols) && list.symbols.every((symbol) => typeof symbol === "string"))
        .slice(0, LISTS_MAX).map(({ name, symbols }) => ({ name: name.slice(0, NAME_MAX), symbols }))
      : [],
  };
}

/** The sort after a click on a column's heading: words begin with the least, numbers with the most; the third click ends it. */
export function nextSort(sort, column) {
  const isDownFirst = column !== "symbol" && column !== "state";
  if (sort?.column !== column) return { column, isDown: isDownFirst };
  return sort.isDown === isDownFirst ? { column, isDown: !isDownFirst } : null;
}

/** The lists with this one, over one of the same name. */
export function withList(lists, name, symbols) {
  const kept = name.trim().slice(0, NAME_MAX);
  if (kept === "") return lists;
  return [...lists.filter((list) => list.name !== kept), { name: kept, symbols }].slice(-LISTS_MAX);
}

/** The symbols in the order of a sort; `value(symbol, column)` is a number, a string, or undefined, which comes last. */
export function sorted(symbols, sort, value) {
  if (sort === null) return symbols;
  const keyed = symbols.map((symbol) => [symbol, value(symbol, sort.column)]);
  const isMissing = (key) => key === undefined || Number.isNaN(key);
  keyed.sort(([, a], [, b]) => {
    if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
    return (a < b ? -1 : a > b ? 1 : 0) * (sort.isDown ? -1 : 1);
  });
  return keyed.map(([symbol]) => symbol);
}

export function loadLooks() {
  try {
    return readLooks(localStorage.getItem(KEY));
  } catch {
    return readLooks(null); // Without storage they last as long as the page.
  }
}

export function saveLooks(looks) {
  try {
    localStorage.setItem(KEY, JSON.stringify(looks));
  } catch {
    // As above.
  }
}
