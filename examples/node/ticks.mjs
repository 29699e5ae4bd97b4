// Install the package of ../../clients/js, as its README.md says; node ticks.mjs. Deno and Bun run it too.
import { connect } from "tickfan";

const ticks = connect("http://127.0.0.1:8080", { patch: true });

ticks.on("state", ({ connection, reason, retryIn }) => console.log(connection, reason ?? "", retryIn ? `next attempt in ${retryIn} ms` : ""));
ticks.on("missed", ({ symbol, ticks, trades }) => console.log(`${symbol}: ${ticks} ticks and ${trades} trades are missing`));
ticks.watch(["AAPL", "BTC-USDT"], (tick) => console.log(tick.symbol, tick.price, tick.bid, tick.ask, tick.state));
