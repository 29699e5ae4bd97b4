// npm install eventsource; node ticks.mjs
import { EventSource } from "eventsource";

let wait = 1_000; // ms

function open() {
  const source = new EventSource("http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT");
  source.addEventListener("hello", () => { wait = 1_000; });
  source.onmessage = ({ data }) => {
    const tick = JSON.parse(data); // the whole latest state of one symbol
    console.log(tick.symbol, tick.price, tick.bid, tick.ask, tick.state);
  };
  source.addEventListener("bye", ({ data }) => console.log("the gateway ends the stream:", data)); // it reconnects
  source.onerror = () => {
    console.log("lost; reconnecting");
    if (source.readyState !== EventSource.CLOSED) return; // the library reconnects by itself
    setTimeout(open, wait * (1 + Math.random())); // it has given up, as it does on a proxy's 502
    wait = Math.min(2 * wait, 16_000);
  };
}

open();
setInterval(() => {}, 60_000); // keeps the process alive while the library waits to reconnect
