// The words for states, origins and times, from data alone.

import { grouped, percent, subtract } from "./numbers.js";

/** Why the page itself stopped updating a row. */
export const CUT = { lost: "not connected", paused: "paused" };

/** Why the stream does not carry a row's symbol. */
const ABSENT = { unknown: "no feed has it", denied: "not entitled" };

/** A row's state: as one word, which selects its style, and as the words to show. */
export function standing(row) {
  if (row.absent !== null) return { word: row.absent, text: ABSENT[row.absent] };
  if (row.cut === "lost") return { word: "cut", text: CUT.lost };
  // A price that was not live before the pause does not look better for it.
  if (row.cut === "paused" && row.tick?.state === "live") return { word: "paused", text: CUT.paused };
  if (row.tick === null) return { word: "waiting", text: "waiting" };
  const { state, reason } = row.tick;
  if (reason === undefined || (state === "waiting" && reason === "no_data")) return { word: state, text: state };
  return { word: state, text: `${state}: ${reason.replaceAll("_", " ")}` };
}

/** The origin of prices that are not the current market's. */
export function origin(name) {
  return name === "sim" ? "simulated" : name === "replay" ? "replayed" : name;
}

/** The same where room is short. */
export const shortOrigin = (name) => (name === "sim" ? "sim" : origin(name));

/** What a symbol is, in one line: its name, kind and currency, as far as they are known. */
export function described({ name, kind, currency }) {
  return [name, kind, currency].filter((part) => part !== undefined).join(" · ");
}

/** How late a tick's prices are, as "delayed" or "simulated" goes on; nothing where the gateway does not delay them. */
export function lateness({ origin, delay_seconds }) {
  if (delay_seconds === undefined) return "";
  const late = age(Number(delay_seconds) * 1_000);
  return origin === "delayed" ? ` by ${late}` : `, ${late} late`;
}

/** The same for several ticks of one origin. */
export function latenessOfAll(ticks) {
  const late = [...new Set(ticks.map(lateness))];
  if (late.length < 2) return late.join("");
  return late.filter((text) => text !== "").map((text) => text.replace(/^,? /, ", some ")).join("");
}

/** The base of a change: the previous close, else the open; undefined if the venue gives neither. */
export function base(tick) {
  const usable = (text) => text !== undefined && Number(text) !== 0;
  if (usable(tick.prev_close)) return { name: "close", short: "c", text: "since last close", value: tick.prev_close };
  if (!usable(tick.open)) return undefined;
  if (tick.window === "24h") return { name: "24h", short: "24h", text: "since 24 hours ago", value: tick.open };
  return { name: "open", short: "o", text: "since the open", value: tick.open };
}

/** A span of time, roughly. */
export function age(millis) {
  if (Number.isNaN(millis)) return "–";
  if (millis < 1_000) return "now";
  const seconds = Math.floor(millis / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** What a column sorts a row by; undefined or NaN while it is not known. */
export function sortValue(row, column) {
  if (column === "symbol") return row.symbol;
  if (column === "state") return standing(row).text;
  const { tick } = row;
  if (tick === null) return undefined;
  if (column === "age") return -Number(tick.recv);
  if (column === "volume") return Number(tick.volume);
  if (column === "bid" || column === "ask") return Number(tick[column]);
  if (column === "last") return Number(tick.price);
  const from = base(tick);
  if (from === undefined) return undefined;
  const change = Number(tick.price) - Number(from.value);
  return column === "change" ? change : change / Number(from.value);
}

/** The title of the page: a live price, with its origin where it is not the current market's, or none. */
export function titleOf(row) {
  if (row === null) return "tickfan";
  const { word, text } = standing(row);
  const { tick } = row;
  if (word !== "live" || tick.price === undefined || tick.stale?.includes("trade")) return `${row.symbol} ${word === "live" ? "–" : text}`;
  const from = base(tick);
  const change = from === undefined ? "" : ` ${percent(subtract(tick.price, from.value), from.value)}`;
  // Before the price: a tab that is narrow cuts the end off.
  // Before the price: a narrow tab cuts the end off.
  const mark = tick.origin === undefined ? "" : ` ${shortOrigin(tick.origin)}`;
  return `${row.symbol}${mark} ${grouped(tick.price, row.decimals)}${change}`;
}

const two = (number) => String(number).padStart(2, "0");

/** The local time of day, to the second or the millisecond. */
export function timeOfDay(millis, exactly = false) {
  const date = new Date(millis);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return exactly ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

export function delay(millis) {
  return millis < 1 ? "<1 ms" : `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`;
}
