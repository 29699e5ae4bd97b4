// One of these runs for all tabs. It keeps each symbol's newest tick for tabs that come later.
const latest = new Map();
const tabs = new Set();
let source, silence;

function tell(tick) {
  latest.set(tick.symbol, tick);
  for (const tab of tabs) tab.postMessage(tick);
}

const lost = () => latest.forEach((tick) => tell({ ...tick, state: "lost" })); // until its own next tick

function heard() { // there is a heartbeat after 5 s: nothing for two of them is a dead line, which no error tells of
  clearTimeout(silence);
  silence = setTimeout(open, 11_000 + 4_000 * Math.random());
}

function open() {
  source?.close();
  lost();
  heard();
  source = new EventSource("http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT&heartbeat=5");
  source.onerror = lost; // the browser comes back by itself
  source.addEventListener("heartbeat", heard);
  source.onmessage = ({ data }) => {
    heard();
    tell(JSON.parse(data));
  };
}

onconnect = ({ ports: [tab] }) => {
  for (const tick of latest.values()) tab.postMessage(tick);
  tabs.add(tab); // a tab that is gone takes no messages, and costs nothing but its place here
};
open();
