//! All metrics, in one place: name, type, unit and meaning. No symbol is ever a label.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// 1 while the feed's connection is up and subscribed, else 0. Label `feed`.
pub const FEED_UP: &str = "tickfan_feed_up";
/// Connection attempts. Labels `feed`, `result`.
pub const FEED_CONNECTS: &str = "tickfan_feed_connects_total";
/// Connections, and attempts at one, that ended. Labels `feed`, `reason`.
pub const FEED_DISCONNECTS: &str = "tickfan_feed_disconnects_total";
/// When the last message came. Label `feed`.
pub const FEED_LAST_MESSAGE: &str = "tickfan_feed_last_message_timestamp_seconds";
/// Updates by kind. Labels `feed`, `kind`.
pub const FEED_MESSAGES: &str = "tickfan_feed_messages_total";
/// What could not be read. Labels `feed`, `reason`.
pub const FEED_DECODE_ERRORS: &str = "tickfan_feed_decode_errors_total";
/// Connections that ended after they were up: what the venue said until the next one is missing. Label `feed`.
pub const FEED_GAPS: &str = "tickfan_feed_gaps_total";
/// From the venue's event time to our receive time, not below zero. Label `feed`.
pub const FEED_LAG: &str = "tickfan_feed_lag_seconds";
/// The same, signed, of the last message: a venue's clock may run ahead. Label `feed`.
pub const FEED_CLOCK_SKEW: &str = "tickfan_feed_clock_skew_seconds";
/// Symbols by state; what is stale as planned has states of its own here. Labels `feed`, `state`.
pub const FEED_SYMBOLS: &str = "tickfan_feed_symbols";
/// Symbols in the cache.
pub const CACHE_SYMBOLS: &str = "tickfan_cache_symbols";
/// Updates by what came of them. Label `result`: tick, unchanged, late.
pub const CACHE_UPDATES: &str = "tickfan_cache_updates_total";
/// Open streams.
pub const STREAMS: &str = "tickfan_streams";
/// The most streams that may be open.
pub const STREAMS_LIMIT: &str = "tickfan_streams_limit";
/// Streams opened.
pub const STREAMS_OPENED: &str = "tickfan_streams_opened_total";
/// Streams ended. Label `reason`.
pub const STREAMS_CLOSED: &str = "tickfan_streams_closed_total";
/// Streams refused. Label `reason`.
pub const STREAMS_REJECTED: &str = "tickfan_streams_rejected_total";
/// Streams that take no bytes right now.
pub const STREAMS_STALLED: &str = "tickfan_streams_stalled";
/// Ticks written to streams.
pub const STREAM_TICKS_SENT: &str = "tickfan_stream_ticks_sent_total";
/// Ticks that a stream did not get. Label `cause`.
pub const STREAM_TICKS_MISSED: &str = "tickfan_stream_ticks_missed_total";
/// Bytes written to streams.
pub const STREAM_SENT_BYTES: &str = "tickfan_stream_sent_bytes_total";
/// Writes to streams.
pub const STREAM_WRITES: &str = "tickfan_stream_writes_total";
/// From a tick's receipt to the turn that wrote it into a transport. Label `transport`: free, full.
pub const TICK_DELIVERY: &str = "tickfan_tick_delivery_seconds";
/// What [`TICK_DELIVERY`] means: no handle describes it.
pub const TICK_DELIVERY_HELP: &str = "From a tick's receipt, or from when the stream was open and its max_rate allowed it, to the turn that wrote it into the transport; full is one that had to wait for the client to make room.";
/// From a stream's opening to its first tick.
pub const STREAM_FIRST_TICK: &str = "tickfan_stream_first_tick_seconds";
/// What [`STREAM_FIRST_TICK`] means: no handle describes it.
pub const STREAM_FIRST_TICK_HELP: &str =
    "From a worker's taking over of a stream to the turn that wrote its first tick, a waiting one included.";
/// How long a worker's turns take.
pub const WORKER_TURN: &str = "tickfan_worker_turn_seconds";
/// What [`WORKER_TURN`] means: no handle describes it.
pub const WORKER_TURN_HELP: &str = "How long a worker's turn took: whatever comes meanwhile waits as long.";
/// Requests. Labels `route`, `code`.
pub const HTTP_REQUESTS: &str = "tickfan_http_requests_total";
/// Connections that are not streams: heads being read and other answers, and the place kept for the next.
pub const HTTP_CONNECTIONS: &str = "tickfan_http_connections";
/// The most connections that are not streams.
pub const HTTP_CONNECTIONS_LIMIT: &str = "tickfan_http_connections_limit";
/// Failures to accept a connection. Label `reason`.
pub const HTTP_ACCEPT_ERRORS: &str = "tickfan_http_accept_errors_total";
/// How long threads were ready to run and had no processor.
pub const PROCESSOR_WAIT: &str = "tickfan_processor_wait_seconds_total";
/// What [`PROCESSOR_WAIT`] means: no handle describes it.
pub const PROCESSOR_WAIT_HELP: &str =
    "How long the process's threads were ready to run and had no processor, together.";
/// Always 1. Label `version`.
pub const BUILD_INFO: &str = "tickfan_build_info";

/// Tells the installed recorder what each metric means; without that `promtool check metrics` complains.
pub fn describe() {
    describe_gauge!(FEED_UP, "1 while the feed's connection is up and subscribed, else 0.");
    describe_counter!(FEED_CONNECTS, "Attempts to connect to the venue, by result.");
    describe_counter!(FEED_DISCONNECTS, "Connections to the venue, and attempts at one, that ended, by reason.");
    describe_gauge!(FEED_LAST_MESSAGE, Unit::Seconds, "When the venue's last message came, in seconds since 1970.");
    describe_counter!(FEED_MESSAGES, "Updates from the venue, by kind.");
    describe_counter!(FEED_DECODE_ERRORS, "Messages and fields from the venue that could not be read, by reason.");
    describe_counter!(
        FEED_GAPS,
        "Connections to the venue that ended after they were up, planned ends too: what it said until the next one is missing."
    );
    describe_histogram!(FEED_LAG, Unit::Seconds, "From the venue's event time to our receive time, not below zero.");
    describe_gauge!(FEED_CLOCK_SKEW, Unit::Seconds, "Receive time minus event time of the last message, signed.");
    describe_gauge!(
        FEED_SYMBOLS,
        "Symbols of the feed, by state; opening and reconnect are stale, but as planned: since the feed's hours began, since its connection was changed."
    );
    describe_gauge!(CACHE_SYMBOLS, "Symbols in the cache.");
    describe_counter!(CACHE_UPDATES, "Updates, by what came of them: tick, unchanged, late.");
    describe_gauge!(STREAMS, "Open streams.");
    describe_gauge!(STREAMS_LIMIT, "The most streams that may be open.");
    describe_counter!(STREAMS_OPENED, "Streams opened.");
    describe_counter!(STREAMS_CLOSED, "Streams ended, by reason.");
    describe_counter!(
        STREAMS_REJECTED,
        "Streams that were not opened, by reason: answered with busy, or error where the socket could not be taken over."
    );
    describe_gauge!(STREAMS_STALLED, "Streams whose transport is full right now.");
    describe_counter!(STREAM_TICKS_SENT, "Ticks written to streams.");
    describe_counter!(STREAM_TICKS_MISSED, "Ticks that a stream did not get, by cause: lag, options, ring.");
    describe_counter!(STREAM_SENT_BYTES, Unit::Bytes, "Bytes written to streams.");
    describe_counter!(STREAM_WRITES, "Writes to streams, one for all that a stream lacked.");
    describe_counter!(HTTP_REQUESTS, "Requests, by route and status code.");
    describe_gauge!(
        HTTP_CONNECTIONS,
        "Connections that are not streams: heads being read and other answers, and the place kept for the next."
    );
    describe_gauge!(HTTP_CONNECTIONS_LIMIT, "The most connections that are not streams.");
    describe_counter!(HTTP_ACCEPT_ERRORS, "Failures to accept a connection, by reason.");
    describe_gauge!(BUILD_INFO, "Always 1; the version is the label.");
}
