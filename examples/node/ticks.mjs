// Install the package of ../../clients/js, as its README.md says; node ticks.mjs. Deno and Bun run it too.
import { connect } from "tickfan";

const ticks = connect("http://127.0.0.1:8080", { patch: true });

ticks.on("state", ({ connection, reason, retryIn }) => console.log(connection, reason ?? "", retryIn ? `next attempt in ${retryIn} ms` : ""));
ticks.on("missed", ({ symbol, ticks, trades }) => console.log(`${symbol}: ${ticks} ticks and ${trades} trades are missing`));
// A live symbol may still have an old part.
ticks.watch(["AAPL", "BTC-USDT"], ({ symbol, price, bid, ask, state, stale }) => console.log(symbol, price, bid, ask, stale ? "stale" : state));
