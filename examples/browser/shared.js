// One of these runs for all tabs. It keeps each symbol's newest tick for tabs that come later.
const source = new EventSource("http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT");
const latest = new Map();
const tabs = new Set();

source.onmessage = ({ data }) => {
  const tick = JSON.parse(data);
  latest.set(tick.symbol, tick);
  for (const tab of tabs) tab.postMessage(tick);
};

onconnect = ({ ports: [tab] }) => {
  for (const tick of latest.values()) tab.postMessage(tick);
  tabs.add(tab); // a tab that is gone takes no messages, and costs nothing but its place here
};
