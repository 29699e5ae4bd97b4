// Numbers as strings of digits. The gateway passes on the digits that the venue sent. A double holds 15 to 17; a price
// may have more.

/** How many decimals a number has. */
export function decimals(text) {
  if (text === undefined) return 0;
  const point = text.indexOf(".");
  return point < 0 ? 0 : text.length - point - 1;
}

/** Both as whole numbers at a common scale, and that scale in decimals. */
function aligned(a, b) {
  const scale = Math.max(decimals(a), decimals(b));
  const whole = (text) => BigInt(text.replace(".", "") + "0".repeat(scale - decimals(text)));
  return [whole(a), whole(b), scale];
}

/** -1, 0 or 1, as for a sort. */
export function compare(a, b) {
  if (a === b) return 0;
  const [x, y] = aligned(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** a - b, with all its digits. */
export function subtract(a, b) {
  const [x, y, scale] = aligned(a, b);
  const [sign, size] = x < y ? ["-", y - x] : ["", x - y];
  const digits = String(size).padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  return scale === 0 ? sign + whole : `${sign}${whole}.${digits.slice(-scale)}`;
}

/** The number in groups of three digits, with at least `count` decimals. It keeps all its digits. */
export function grouped(text, count = 0) {
  const negative = text.startsWith("-");
  const [whole, fraction = ""] = (negative ? text.slice(1) : text).split(".");
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const padded = fraction.padEnd(count, "0");
  return `${negative ? "−" : ""}${groups}${padded === "" ? "" : `.${padded}`}`;
}

/** As `grouped`, with a plus sign above zero. */
export function signed(text, count = 0) {
  const shown = grouped(text, count);
  return text.startsWith("-") || /^[0.]*$/.test(text) ? shown : `+${shown}`;
}

const inShort = new Intl.NumberFormat("en", {
  notation: "compact", minimumSignificantDigits: 3, maximumSignificantDigits: 3,
});

/** Three digits and a unit, for a size at a glance. */
export function compact(text) {
  return inShort.format(Number(text));
}

const inPercent = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });

/** `change` in percent of `base`, with its sign. */
export function percent(change, base) {
  const value = (Number(change) / Number(base)) * 100;
  const shown = inPercent.format(Math.abs(value));
  return `${shown === "0.00" ? "" : value < 0 ? "−" : "+"}${shown}%`;
}
