// The words for states, origins and times, from data alone.

/** Why the page itself stopped updating a row. */
export const CUT = { lost: "not connected", paused: "paused" };

/** Why the stream does not carry a row's symbol. */
const ABSENT = { unknown: "no feed has it", denied: "not entitled" };

/** A row's state: as one word, which selects its style, and as the words to show. */
export function standing(row) {
  if (row.absent !== null) return { word: row.absent, text: ABSENT[row.absent] };
  if (row.cut !== null) return { word: "cut", text: CUT[row.cut] };
  if (row.tick === null) return { word: "waiting", text: "waiting" };
  const { state, reason } = row.tick;
  if (reason === undefined || (state === "waiting" && reason === "no_data")) return { word: state, text: state };
  return { word: state, text: `${state}: ${reason.replaceAll("_", " ")}` };
}

/** The origin of prices that are not the current market's. */
export function origin(name) {
  return name === "sim" ? "simulated" : name === "replay" ? "replayed" : name;
}

/** How late a tick's prices are, " by 15 min"; nothing where the gateway does not delay them. */
export function lateness({ delay_seconds }) {
  return delay_seconds === undefined ? "" : ` by ${age(Number(delay_seconds) * 1_000)}`;
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
