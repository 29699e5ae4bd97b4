// A watchlist over one stream. Ticks are whole states: a row is replaced by its newest, at most once per frame.

const SYMBOLS_SHOWN = 20;
/** Heartbeats come after at most 60 s of silence: a connection that is silent for longer is dead. */
const SILENCE_MAX_MILLIS = 75_000;
/** How often ages are written anew. */
const AGES_EVERY_MILLIS = 500;
const DECIMALS_MAX = 12;

const pill = document.getElementById("pill");
const origin = document.getElementById("origin");
const notice = document.getElementById("notice");
const table = document.getElementById("watchlist");
const body = table.tBodies[0];

/** By symbol: the newest tick, the row's cells, and what was last shown. */
const rows = new Map();
const changed = new Set();
let frameAsked = false;

// The gateway's clock, in ms, seen from the page's own. What came fastest is nearest to the truth.
const clock = {
  ahead: -Infinity,
  restart(micros) { this.ahead = micros / 1000 - performance.now(); },
  observe(micros) { this.ahead = Math.max(this.ahead, micros / 1000 - performance.now()); },
  now() { return performance.now() + this.ahead; },
};

function show(link, text = link) {
  pill.dataset.link = link;
  write(pill, text);
  if (link !== "live") cutOff();
}

/** Nothing that is shown counts as live any more: each row does again with its own next tick. */
function cutOff() {
  for (const row of rows.values()) {
    row.cut = true;
    changed.add(row);
  }
  askForFrame();
}

function tell(text) {
  notice.textContent = text;
  notice.hidden = text === "";
}

// ---- the connection

let source = null;
let lastHeard = 0;
let goodbye = "";

function connect(symbols) {
  source?.close();
  lastHeard = performance.now();
  source = new EventSource(`/v1/stream?symbols=${symbols.map(encodeURIComponent).join(",")}`);
  const on = (name, take) => source.addEventListener(name, (event) => {
    lastHeard = performance.now();
    take(JSON.parse(event.data));
  });
  on("hello", (hello) => {
    goodbye = "";
    clock.restart(hello.now);
    layOut(hello.symbols);
    tell(hello.unknown.length > 0 ? `No feed has ${hello.unknown.join(", ")}.` : "");
    show("live");
  });
  on("heartbeat", (heartbeat) => clock.observe(heartbeat.now));
  on("bye", (bye) => { goodbye = bye.reason === "busy" ? " (the gateway is busy)" : " (the gateway restarts)"; });
  on("message", take);
  source.addEventListener("error", (event) => lost(event.target, symbols));
}

function lost(failed, symbols) {
  if (failed !== source) return;
  show("reconnecting", `reconnecting${goodbye}`);
  // Where the browser gives up, because of a status that is not 200, the reason decides.
  if (failed.readyState === EventSource.CLOSED) explainOrRetry(symbols);
}

async function explainOrRetry(symbols) {
  try {
    const answer = await fetch(`/v1/quotes?symbols=${symbols.map(encodeURIComponent).join(",")}`);
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 429) {
      const problem = await answer.json();
      tell(problem.detail);
      show("ended");
      return;
    }
  } catch {
    // Not reachable, or something in between answered: it may be back later.
  }
  setTimeout(() => connect(symbols), 2_000 + 3_000 * Math.random());
}

function watchSilence(symbols) {
  const open = source !== null && source.readyState === EventSource.OPEN;
  if (open && performance.now() - lastHeard > SILENCE_MAX_MILLIS) {
    show("reconnecting");
    connect(symbols);
  }
}

function take(tick) {
  const row = rows.get(tick.symbol);
  if (row === undefined) return;
  if (tick.recv !== undefined) clock.observe(tick.recv);
  row.tick = tick;
  row.cut = false;
  changed.add(row);
  askForFrame();
}

// ---- the table

function layOut(symbols) {
  if (symbols.length === rows.size && symbols.every((symbol) => rows.has(symbol))) return;
  rows.clear();
  changed.clear();
  body.replaceChildren(...symbols.map((symbol) => {
    const line = document.createElement("tr");
    const name = document.createElement("th");
    name.scope = "row";
    name.textContent = symbol;
    const badge = document.createElement("span");
    badge.className = "badge";
    badge.hidden = true;
    name.append(badge);
    line.append(name);
    const cells = {};
    for (const column of ["last", "change", "bid", "ask", "volume", "age", "state"]) {
      cells[column] = line.insertCell();
      cells[column].className = column === "state" ? "state text" : column;
    }
    rows.set(symbol, { line, badge, cells, tick: null, cut: false, price: undefined, decimals: 2, beat: 0 });
    return line;
  }));
}

function askForFrame() {
  if (frameAsked) return;
  frameAsked = true;
  requestAnimationFrame(() => {
    frameAsked = false;
    for (const row of changed) if (row.tick !== null) draw(row);
    if (changed.size > 0) drawOrigin();
    changed.clear();
  });
}

function write(cell, text) {
  if (cell.textContent !== text) cell.textContent = text;
}

function draw(row) {
  const { tick, cells } = row;
  row.line.dataset.state = row.cut ? "cut" : tick.state;
  write(row.badge, named(tick.origin));
  row.decimals = Math.max(row.decimals, ...[tick.price, tick.bid, tick.ask].map(decimals));
  write(cells.last, price(tick.price, row.decimals));
  write(cells.bid, price(tick.bid, row.decimals));
  write(cells.ask, price(tick.ask, row.decimals));
  write(cells.volume, tick.volume === undefined ? "–" : compact.format(tick.volume));
  write(cells.state, row.cut ? "not connected" : state(tick));
  drawChange(cells.change, tick);
  if (tick.price !== undefined && row.price !== undefined && tick.price !== row.price) {
    row.beat = 1 - row.beat;
    cells.last.dataset.move = tick.price > row.price ? "up" : "down";
    cells.last.dataset.beat = row.beat;
  }
  row.price = tick.price;
  drawAge(row);
}

/** What all rows have in common is said once, above them; else each row says its own. */
function drawOrigin() {
  const found = new Set([...rows.values()].filter(({ tick }) => tick !== null).map(({ tick }) => tick.origin));
  const [only] = found;
  const common = found.size === 1 && only !== undefined;
  origin.hidden = !common;
  write(origin, common ? `${named(only)} prices` : "");
  for (const { badge, tick } of rows.values()) badge.hidden = common || tick?.origin === undefined;
}

function named(origin = "") {
  return origin === "sim" ? "simulated" : origin;
}

function drawChange(cell, { price, prev_close }) {
  const known = price !== undefined && prev_close !== undefined && prev_close !== 0;
  const percent = known ? (price / prev_close - 1) * 100 : 0;
  cell.dataset.sign = percent > 0 ? "up" : percent < 0 ? "down" : "none";
  write(cell, known ? `${signed.format(percent)} %` : "–");
}

function drawAge(row) {
  write(row.cells.age, row.tick?.recv === undefined ? "–" : age(clock.now() - row.tick.recv / 1000));
}

function age(millis) {
  if (millis < 1_000) return "now";
  const seconds = Math.floor(millis / 1000);
  if (seconds < 60) return `${seconds} s`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

function state(tick) {
  if (tick.reason === undefined) return tick.state;
  return `${tick.state}: ${tick.reason.replaceAll("_", " ")}`;
}

// ---- numbers

const compact = new Intl.NumberFormat("en", {
  notation: "compact", minimumSignificantDigits: 3, maximumSignificantDigits: 3,
});
const signed = new Intl.NumberFormat("en", {
  signDisplay: "exceptZero", minimumFractionDigits: 2, maximumFractionDigits: 2,
});
const prices = Array.from({ length: DECIMALS_MAX + 1 }, (_, count) =>
  new Intl.NumberFormat("en", { minimumFractionDigits: count, maximumFractionDigits: count }));

/** How many decimals a number has: a column keeps the most that it has shown, so that it does not jitter. */
function decimals(number) {
  if (number === undefined) return 0;
  const [digits, exponent = "0"] = String(number).split("e");
  const count = (digits.split(".")[1] ?? "").length - Number(exponent);
  return Math.min(Math.max(count, 0), DECIMALS_MAX);
}

function price(number, count) {
  return number === undefined ? "–" : prices[count].format(number);
}

// ---- the start

async function chosenSymbols() {
  const chosen = new URLSearchParams(location.search).getAll("symbols").join(",").split(",");
  const named = chosen.map((symbol) => symbol.trim()).filter((symbol) => symbol !== "");
  if (named.length > 0) return named;
  const answer = await fetch(`/v1/symbols?limit=${SYMBOLS_SHOWN}`);
  if (!answer.ok) throw new Error(`/v1/symbols answers ${answer.status}`);
  return (await answer.json()).symbols.map(({ symbol }) => symbol);
}

async function start() {
  try {
    const symbols = await chosenSymbols();
    if (symbols.length === 0) {
      tell("The gateway has no symbols.");
      show("ended");
      return;
    }
    connect(symbols);
    setInterval(() => {
      watchSilence(symbols);
      for (const row of rows.values()) changed.add(row);
      askForFrame();
    }, AGES_EVERY_MILLIS);
  } catch {
    show("reconnecting");
    setTimeout(start, 2_000 + 3_000 * Math.random());
  }
}

start();
