// One worker runs for all tabs. It keeps each symbol's newest tick for tabs that open later.
const latest = new Map();
const tabs = new Set();
let source, timer;
let wait = 1_000; // ms, before a source that has given up is replaced

function publish(tick) {
  latest.set(tick.symbol, tick);
  for (const tab of tabs) tab.postMessage(tick);
}

const lost = () => latest.forEach((tick) => publish({ ...tick, state: "lost" })); // until its own next tick

// A heartbeat comes after 5 s of silence. Nothing for two of them is a dead connection, which raises no error.
function restartSilenceTimer() {
  openIn(11_000 + 4_000 * Math.random());
}

function openIn(millis) {
  clearTimeout(timer);
  timer = setTimeout(open, millis);
}

function open() {
  source?.close();
  lost();
  restartSilenceTimer();
  source = new EventSource("http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT&heartbeat=5");
  source.onerror = () => {
    lost();
    if (source.readyState !== EventSource.CLOSED) return; // the browser reconnects by itself
    openIn(wait * (1 + Math.random()));
    wait = Math.min(2 * wait, 16_000);
  };
  source.addEventListener("hello", () => { wait = 1_000; });
  source.addEventListener("heartbeat", restartSilenceTimer);
  source.onmessage = ({ data }) => {
    restartSilenceTimer();
    publish(JSON.parse(data));
  };
}

onconnect = ({ ports: [tab] }) => {
  for (const tick of latest.values()) tab.postMessage(tick);
  tabs.add(tab); // a closed tab ignores messages, and costs only its place here
};
open();
