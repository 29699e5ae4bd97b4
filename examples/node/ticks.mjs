// npm install eventsource; node ticks.mjs
import { EventSource } from "eventsource";

const source = new EventSource("http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT");
source.onmessage = ({ data }) => {
  const tick = JSON.parse(data); // the whole latest state of one symbol
  console.log(tick.symbol, tick.price, tick.bid, tick.ask, tick.state);
};
source.addEventListener("bye", ({ data }) => console.log("the gateway ends the stream:", data)); // it reconnects
source.onerror = () => console.log("lost; reconnecting");
setInterval(() => {}, 60_000); // keeps the process alive while the library waits to reconnect
