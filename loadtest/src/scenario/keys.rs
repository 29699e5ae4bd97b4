//! Every key of a scenario: its unit, its default and its reason.

/// A key of a scenario.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// What it is, with its unit, and why.
    pub(super) about: &'static str,
    /// Its default as TOML; `Err`: it has none, and what is the case without it, or nothing if it is required.
    pub(super) default: Result<&'static str, &'static str>,
    /// A value to try, for a key that has neither a default nor a value.
    pub(super) example: &'static str,
}

const REQUIRED: Result<&str, &str> = Err("");

macro_rules! keys {
    ($($name:literal, $default:expr, $example:literal, $about:literal;)+) => {
        &[$(Key { name: $name, about: $about, default: $default, example: $example },)+]
    };
}

/// The keys at the top.
pub(super) const TOP: &[Key] = keys! {
    "about", REQUIRED, "\"…\"", "A line: what the scenario is for. Reports show it.";
    "duration", REQUIRED, "\"10s\"", "A duration, 1ms or longer: how long the load lasts once all streams are open. Percentiles count from then on.";
    "connect_rate", Err("all connect at once, as after a restart of the server"), "1000", "Connects per second, from 0.1 to 1000000.";
    "tls", Ok("false"), "", "Whether streams of HTTP/1.1 use TLS; those of HTTP/2 always do.";
    "old_after", Ok("\"2s\""), "", "A duration: how late a stream may read a tick that other streams have replaced. Longer than a gateway holds anything back, and than a busy machine keeps a thread waiting.";
};

/// `[venue]`.
pub(super) const VENUE: &[Key] = keys! {
    "protocol", Ok("\"binance\""), "", "\"binance\" or \"alpaca\": what the mock venue speaks.";
    "symbols", REQUIRED, "20", "How many symbols it trades, from 1 to 100000.";
    "load", REQUIRED, "{ steady = { rate = 100 } }", "Updates per second of all symbols together, from 0.001 to 10000000. One of: { steady = { rate = 100 } }; { ramp = { from = 1, to = 100, over = \"10s\" } }; { bursts = { rate = 100, factor = 10, every = \"10s\", lasts = \"1s\" } }, where lasts is at most every; { stages = [{ to = 100, over = \"10s\" }, { to = 100, over = \"30s\" }, { to = 0, over = \"10s\" }] }, which begins at 0, changes linearly, and holds where a stage ends as it began; { recording = { path = \"file\", speed = 1, looped = true } }. All but steady begin when all streams are open.";
    "batch_interval", Ok("\"200us\""), "", "A duration: updates that are due within it go out together, which spares a high rate a wake-up per update.";
    "seed", Ok("1"), "", "The seed of prices, of the order of symbols, of each stream's choice and of when streams leave: the same seed gives the same load.";
};

/// `[cluster]`.
pub(super) const CLUSTER: &[Key] = keys! {
    "nodes", REQUIRED, "3", "How many gateways, from 2 to 16. Streams are spread over them; one that comes back goes to the next.";
    "brokers", Ok("1"), "", "1, or 3 of which any one may fail.";
    "restarts", Ok("0"), "", "Gateways that are restarted during the load, one after the other, each second one while it owns a feed; the load lasts until all are done.";
};

/// `[[group]]`.
pub(super) const GROUP: &[Key] = keys! {
    "name", REQUIRED, "\"pages\"", "Its name in reports and in thresholds, such as \"latency_p99[pages]\".";
    "count", REQUIRED, "100", "How many streams, from 1 to 1000000 in all groups together.";
    "symbols", Ok("1"), "", "How many symbols each subscribes to.";
    "popularity", Ok("\"uniform\""), "", "\"uniform\", or \"zipf\": the second symbol is half as popular as the first, the third a third, as of real markets.";
    "query", Ok("\"\""), "", "Options of the stream, such as \"max_rate=4&on=trade\".";
    "compress", Ok("false"), "", "Whether its streams are compressed with the gateway's dictionary, as in browsers that have it. The dictionary is fetched once, and bytes count as they are on the wire.";
    "reads", Ok("\"at_once\""), "", "\"at_once\", \"never\", { bytes_per_second = 20000 } for a thin line, or { blocked_after = 2000000 }: over HTTP/2, a page that takes so many bytes and is then blocked.";
    "stages", Ok("[]"), "", "How many of its streams are open during the load: [{ to = 100, over = \"10s\" }, { to = 100, over = \"30s\" }, { to = 0, over = \"10s\" }] opens them linearly from 0, holds, and closes them. Empty: all are open before the load begins, until its end.";
    "churn", Ok("0.0"), "", "Percent of its streams that leave per minute and come back with Last-Event-ID.";
    "protocol", Ok("\"h1\""), "", "\"h1\", or \"h2\" over TLS, as in browsers.";
    "streams_per_connection", Ok("1"), "", "How many of its streams share a connection of HTTP/2, from 1 to 1000.";
    "beside", Err("its streams have connections of their own"), "\"pages\"", "An earlier group of HTTP/2 on whose connections its streams ride, streams_per_connection on each.";
    "windows", Ok("{ stream = 6291456, connection = 15728640, updates = \"by_time\" }"), "", "Bytes of HTTP/2's windows, and when taken bytes are given back: \"by_time\" as Chromium, whose windows are the default, or \"by_volume\" as Firefox.";
};

/// `[[outage]]`.
pub(super) const OUTAGE: &[Key] = keys! {
    "kind", Ok("\"break\""), "", "\"break\": the venue resets its connections and refuses new ones. \"mute\": it keeps them and answers pings, but sends no data.";
    "at", REQUIRED, "\"3s\"", "A duration since the load began.";
    "lasts", REQUIRED, "\"1s\"", "A duration. A mute outage lasts a second more than twice as long as the gateway's mute_after, so that halfway through nothing may be live.";
};
