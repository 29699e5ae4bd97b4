// Prints, in any runtime, what the client library says: a line for each tick and each state of the connection.
// Arguments: the library's file, the gateway's address, symbols, options as JSON.

const [library, url, symbols, options = "{}"] = process.argv.slice(2);
const { connect } = await import(library);
const ticks = connect(url, { heartbeat: 1, ...JSON.parse(options) });
const say = (line) => console.log(JSON.stringify(line));

ticks.on("state", (state) => say({ state, has: typeof EventSource }));
ticks.on("missed", (missed) => say({ missed }));
ticks.watch(symbols.split(","), (tick, change) => say({ tick, change, connection: ticks.state.connection }));
