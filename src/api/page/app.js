// Ties the page together: choices, stream, store and views. State that more than one of them needs lives here.

import { Absent, Tried } from "./absent.js";
import { load, save, symbolsOf } from "./choices.js";
import { Clock } from "./clock.js";
import { Facts } from "./facts.js";
import { loadLooks, nextSort, saveLooks, sorted, withList } from "./looks.js";
import { Meter } from "./meter.js";
import { Offer } from "./offer.js";
import { CHART_SECONDS, LINE_SECONDS, Past } from "./past.js";
import { Store } from "./store.js";
import { connect } from "./tickfan/index.js";
import { Ticks } from "./ticks.js";
import { Announcer } from "./view/announcer.js";
import { controlRate, controlTheme } from "./view/controls.js";
import { Detail } from "./view/detail.js";
import { Frame, element } from "./view/dom.js";
import { lights } from "./view/lights.js";
import { Looks } from "./view/looks.js";
import { Search } from "./view/search.js";
import { Status } from "./view/status.js";
import { Watchlist } from "./view/watchlist.js";
import { sortValue, titleOf } from "./words.js";

/** How often ages, lines and rates are drawn, in ms: they change by time alone. */
const SECOND = 1_000;
/** From this width on, the details fit beside the list. */
const roomy = matchMedia("(min-width: 80rem)");
const byId = (id) => document.getElementById(id);

const choices = load();
const looks = loadLooks();
const clock = new Clock();
const meter = new Meter();
const store = new Store();
const announcer = new Announcer();
const status = new Status();
const absent = new Absent();
const tried = new Tried();
const offer = new Offer(linked);
const facts = new Facts(takeFacts);
const past = new Past({ wants: wantsPast, take: takePast });
const ticks = new Ticks(connect, { hello, symbols, tick, lost, heartbeat: ({ now }) => clock.observe(now), waits, link: linked }, choices.maxRate);

let link = { name: "connecting" };
let paused = null;
/** Whether the stream lacks symbols that the person may see once signed on. */
let isSignedOff = false;
/** When the stream began, by the gateway's clock, in µs. Ticks that the gateway received earlier do not measure the delivery. */
let begun = 0;
let secondDue = true;
let timer = 0;

// ---- events of the stream

function hello(event) {
  clock.restart(event.now);
  begun = event.now;
  meter.restart();
  past.restart();
  facts.restart();
  store.hello(event);
  tellAbsent(event);
}

/** The stream carries another list from here on. */
function symbols(event) {
  store.carries(event);
  tellAbsent(event);
}

/** Says what the stream does not carry, and why. Without `until` the client has not signed on. */
function tellAbsent(event) {
  const { denied = [], until } = event;
  isSignedOff = denied.length > 0 && until === undefined;
  const text = absent.tell(event, isSignedOff);
  if (text === "") status.dismiss("stream");
  else if (text !== undefined) status.notify("stream", text);
  dropMistyped(event);
  frame.ask();
}

/** Says something else of the stream than what it does not carry. */
function tellOfStream(text, action) {
  absent.forget();
  status.notify("stream", text, action);
}

/** A change of the list waits. That it came too soon after others passes by itself. */
function waits({ kind, detail }) {
  if (detail && kind !== "too-many-changes") tellOfStream(`The list has not changed yet. ${detail}`);
}

function tick(taken) {
  const recv = Number(taken.recv);
  // The first tick of a symbol that was added is its newest, however old.
  const fresh = recv > begun && (store.rows.get(taken.symbol)?.tick ?? null) !== null;
  if (fresh) clock.observe(recv);
  store.take(taken);
  meter.tick(fresh ? clock.now() - recv / 1000 : NaN);
  frame.ask();
}

function lost(symbol) {
  store.lose(symbol);
  frame.ask();
}

function linked(next) {
  const { name } = link;
  if (next.name === name && name !== "reconnecting") return;
  link = next;
  if (next.name !== "live") store.cut(next.name === "paused" ? "paused" : "lost");
  if (next.name === "ended") {
    tellOfStream(next.absent === "denied" ? "You may not see any of these symbols. Sign on, or add others." : next.why);
    if (next.absent !== undefined) store.missAll(next.absent);
    if (next.absent === "unknown") dropMistyped({ unknown: listed() });
  }
  if (next.name === "signed-out") {
    tellOfStream("This gateway shows prices to clients that have signed on. Sign on at the site that sent you here, then come back.", retryButton());
  }
  // A repeated wait is shown on the pill but not announced: a screen reader would read it every few seconds. Why the
  // connection has ended the notice says, which is read as well.
  if (next.name !== name) announcer.link({
    live: "Connected", connecting: "Connecting", idle: "No symbols", reconnecting: "Connection lost, reconnecting", stale: "Connection silent",
    ended: "Connection ended", paused: "Paused", "signed-out": "Sign-on needed",
  }[next.name]);
  secondDue = true;
  frame.ask();
}

/** Connects at once if the page waits for that. */
function retry() {
  ticks.hurry();
  offer.hurry();
}

function retryButton() {
  const button = element("button", { type: "button" }, "Try again");
  button.addEventListener("click", () => {
    linked({ name: "connecting" });
    retry();
  });
  return button;
}

// ---- what charts begin with

function wantsPast(row, seconds) {
  return seconds === CHART_SECONDS ? row === detail.row : watchlist.isInView(row.symbol);
}

function takePast(row, line) {
  store.remember(row, line);
  secondDue = true;
  frame.ask();
}

function takeFacts(entry) {
  store.know(entry);
  secondDue = true;
  frame.ask();
}

/** Asks for what is known of a symbol that has data, and for its past, as far as it is to be seen. */
function askMore(row) {
  if (row?.tick?.recv === undefined || row.absent !== null) return;
  facts.ask(row.symbol);
  if (row === detail.row) past.ask(row, CHART_SECONDS, clock.now());
  if (watchlist.isInView(row.symbol)) past.ask(row, LINE_SECONDS, clock.now());
}

// ---- drawing

const frame = new Frame(() => {
  const now = clock.now();
  for (const turn of watchlist.draw(store, now, !frame.isBusy)) {
    announcer.turn(turn);
    secondDue = true; // The line above the list says so too.
  }
  lights.putOut();
  if (detail.row !== null && store.changed.has(detail.row)) detail.draw();
  for (const row of store.changed) askMore(row);
  store.changed.clear();
  if (!secondDue) return;
  secondDue = false;
  status.draw(link, store, performance.now());
  entitle();
  arrange();
  watchlist.drawTimes(store, now);
  if (detail.row !== null) detail.drawChart(now);
  status.drawMeter(meter.read(performance.now()));
});

/** The title has a price while that is live. */
function entitle() {
  document.title = titleOf(document.hidden || link.name !== "live" ? null : detail.row ?? store.rows.values().next().value ?? null);
}

lights.ask = () => frame.ask();

function everySecond() {
  if (paused !== null) return;
  secondDue = true;
  frame.ask();
}

// ---- choices

/** Opens the stream of the listed symbols, or closes it while paused, hidden or without symbols. */
function follow() {
  clearInterval(timer);
  const symbols = listed();
  if (document.hidden || paused !== null || symbols.length === 0) {
    ticks.follow([], choices.maxRate);
    if (paused !== null) {
      meter.restart(); // Nothing comes from here on.
      linked({ name: "paused", since: paused });
    } else if (symbols.length > 0) linked({ name: "connecting" });
    else if (!offer.isAsked) linked({ name: "idle" });
    return;
  }
  timer = setInterval(everySecond, SECOND);
  if (link.name !== "live") linked({ name: "connecting" });
  ticks.follow(symbols, choices.maxRate);
}

const listed = () => [...store.rows.keys()];

/** Sorts the rows, unless that would move them under the pointer. */
function arrange(isAsked = false) {
  if ((looks.sort === null || watchlist.isPointedAt) && !isAsked) return;
  watchlist.list(sorted(listed(), looks.sort, (symbol, column) => sortValue(store.rows.get(symbol), column)));
}

/** Shows these symbols. */
function list(symbols) {
  store.list(symbols);
  arrange(true);
  show(store.rows.get(detail.row?.symbol) ?? null);
  frame.ask();
}

/** Shows these symbols and remembers them as the person's choice. */
function choose(symbols) {
  list(symbols);
  choices.symbols = symbols;
  save(choices, "symbols");
}

function add(text) {
  const [symbol] = symbolsOf(text);
  if (symbol === undefined) {
    status.notify("list", `${text.trim()} is not a symbol: use letters, digits, points, dashes and underscores.`);
    return;
  }
  status.dismiss("list");
  if (!store.rows.has(symbol)) {
    tried.add(symbol);
    choose([...listed(), symbol]);
    follow();
  }
  watchlist.focus(symbol);
}

/** What the person has just added goes again if no feed has it: most often it was mistyped. */
function dropMistyped(lists) {
  const wrong = tried.settle(lists).filter((symbol) => store.rows.has(symbol));
  if (wrong.length === 0) return;
  status.notify("list", `No feed has ${wrong.join(", ")}.`);
  choose(listed().filter((symbol) => !wrong.includes(symbol)));
  follow();
}

function remove(symbol) {
  const place = listed().indexOf(symbol);
  choose(listed().filter((other) => other !== symbol));
  offerBack(symbol, place);
  follow();
}

function offerBack(symbol, place) {
  const back = element("button", { type: "button" }, "Undo");
  back.addEventListener("click", () => {
    choose(listed().toSpliced(place, 0, symbol));
    status.dismiss();
    watchlist.focus(symbol);
    follow();
  });
  status.notify("list", `Removed ${symbol}.`, back);
}

/** Shows the details of a row; null hides them. */
function show(row) {
  watchlist.select(row?.symbol);
  if (row !== detail.row) detail.show(row, clock.now());
  askMore(row);
}

/** Toggles the details of this symbol. */
function select(symbol) {
  show(symbol === detail.row?.symbol ? null : store.rows.get(symbol));
  choices.detail = detail.row?.symbol ?? "";
  save(choices, "detail");
  if (detail.row !== null && !roomy.matches) detail.reveal();
}

/** A key has moved the focus to a row: open details follow it. */
function moved(symbol) {
  if (detail.row === null || detail.row.symbol === symbol) return;
  show(store.rows.get(symbol));
  choices.detail = symbol;
  save(choices, "detail");
}

/** The person puts the rows into an order of their own. */
function order(symbols) {
  sortBy(null);
  choose(symbols);
}

function sortBy(sort) {
  looks.sort = sort;
  saveLooks(looks);
  watchlist.showSort(sort);
  arrange(true);
}

/** A row has come into view: it shows its newest at once. */
function seen(symbol) {
  const row = store.rows.get(symbol);
  if (row === undefined) return;
  store.changed.add(row);
  askMore(row);
  frame.ask();
}

const watchlist = new Watchlist({ select, remove, moved, order, sort: (column) => sortBy(nextSort(looks.sort, column)), seen });
const detail = new Detail(() => {
  const { symbol } = detail.row;
  select(symbol);
  watchlist.focus(symbol);
});
const pane = new Looks({
  hide(columns) {
    looks.hidden = columns;
    pane.hide(columns);
    saveLooks(looks);
  },
  open(name) {
    choose(looks.lists.find((list) => list.name === name).symbols);
    follow();
  },
  keep: (name) => keepLists(withList(looks.lists, name, listed())),
  drop: (name) => keepLists(looks.lists.filter((list) => list.name !== name)),
}, looks.hidden);

function keepLists(lists) {
  looks.lists = lists;
  pane.list(lists);
  saveLooks(looks);
}

new Search({ add, listed: (symbol) => store.rows.has(symbol) });

// ---- the controls

function controlPause() {
  const button = byId("pause");
  button.addEventListener("click", () => {
    paused = paused === null ? Date.now() : null;
    button.textContent = paused === null ? "Pause" : "Resume";
    button.toggleAttribute("data-paused", paused !== null);
    follow();
  });
}

byId("notice-close").addEventListener("click", () => status.dismiss());
addEventListener("online", retry);
// Perhaps the person has signed on in another window.
addEventListener("focus", () => {
  if (link.name === "signed-out") retry();
  else if (isSignedOff && link.name === "live") ticks.ask();
});
byId("pill").addEventListener("click", retry);
document.addEventListener("visibilitychange", () => {
  follow();
  entitle(); // A hidden page draws no frame.
  offer.hurry();
});

// ---- the start

async function start() {
  if (choices.symbols === null) {
    const symbols = await offer.symbols();
    // Symbols that were added meanwhile come last.
    const added = listed();
    const all = [...new Set([...symbols, ...added])];
    if (added.length > 0) choose(all);
    else list(all);
    if (all.length === 0) status.notify("list", "The gateway lists no symbols. If it subscribes on demand, type one and press Enter.");
  } else {
    list(choices.symbols);
  }
  // The symbol whose details were open before may not be on this list.
  const first = roomy.matches && choices.detail !== "" ? listed()[0] : "";
  show(detail.row ?? store.rows.get(choices.detail) ?? store.rows.get(first) ?? null);
  follow();
}

pane.hide(looks.hidden);
pane.list(looks.lists);
watchlist.showSort(looks.sort);
controlRate(choices, follow);
controlPause();
controlTheme(() => {
  detail.restyle(clock.now());
  secondDue = true;
  frame.ask();
});
start();
