// A page on examples/react and on the hook of the library's README, bundled by the test.

import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { connect } from "tickfan";
import { useConnection, useTicks } from "useTicks";
import { useTick } from "readme";

const ticks = connect(globalThis.gateway, { heartbeat: 1 });
/** How often the list was drawn, and in how many frames that was possible. */
const drawn = (globalThis.drawn = { lists: 0, frames: 0 });

function Prices({ symbols }) {
  const latest = useTicks(ticks, symbols);
  drawn.lists += 1;
  return symbols.map((symbol) => {
    const { price, state, stale } = latest[symbol] ?? {};
    return <p key={symbol} className={stale ? "stale" : state}>{symbol} {price}</p>;
  });
}

function One({ symbol }) {
  const tick = useTick(symbol);
  return <b className={tick?.stale ? "stale" : tick?.state}>{symbol} {tick?.price}</b>;
}

function App() {
  const [symbols, show] = useState(["AAPL", "MSFT"]);
  globalThis.show = show;
  const { connection } = useConnection(ticks);
  return <><i>{connection}</i>{symbols && <><Prices symbols={symbols} /><One symbol={symbols[0]} /></>}</>;
}

function countFrames() {
  drawn.frames += 1;
  requestAnimationFrame(countFrames);
}

countFrames();
createRoot(document.getElementById("app")).render(<StrictMode><App /></StrictMode>);
