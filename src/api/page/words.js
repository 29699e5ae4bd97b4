// What is said of a row, and of times: words and short texts, from data alone.

/** Why a row is not what it was, by what the page itself knows. */
export const CUT = { lost: "not connected", paused: "paused" };

/** A row's state as one word, which its look goes by, and as a text. */
export function standing(row) {
  if (row.unknown) return { word: "unknown", text: "no feed has it" };
  if (row.cut !== null) return { word: "cut", text: CUT[row.cut] };
  if (row.tick === null) return { word: "waiting", text: "waiting" };
  const { state, reason } = row.tick;
  if (reason === undefined || (state === "waiting" && reason === "no_data")) return { word: state, text: state };
  return { word: state, text: `${state}: ${reason.replaceAll("_", " ")}` };
}

/** Where a tick's prices come from, if not from the market of this moment. */
export function origin(name) {
  return name === "sim" ? "simulated" : name === "replay" ? "replayed" : name;
}

/** What a change is counted from: the previous close, else the open. `undefined` where the venue gives neither. */
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

/** The time of day here, to the second or the millisecond. */
export function timeOfDay(millis, exactly = false) {
  const date = new Date(millis);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return exactly ? `${text}.${String(date.getMilliseconds()).padStart(3, "0")}` : text;
}

export function delay(millis) {
  return millis < 1 ? "<1 ms" : `${millis < 10 ? millis.toFixed(1) : Math.round(millis)} ms`;
}
