//! All metrics, in one table: name, type, unit, labels, help and what the documentation adds. Handles and descriptions
//! are made from it, and the tables of `docs/metrics.md` are checked against it; `TICKFAN_BLESS=1` writes them.
//!
//! A new metric is one entry here, and the place that counts.

use super::metric::{Counter, Gauge, Kind, Label, Metric, Samples};
use metrics::Unit;

/// Makes a constant for each metric, and [`SECTIONS`], from entries of this form:
/// `CONSTANT: Type "name" Unit [label, label in ["value", …]], "help", details "…", excludes "…";`
macro_rules! catalog {
    ($($section:literal {
        $(
            $constant:ident: $type:ident $name:literal $unit:ident
            [$($label:ident $(in [$($value:literal),+])?),*],
            $help:literal
            $(, details $details:literal)?
            $(, excludes $excludes:literal)?;
        )+
    })+) => {
        $($(
            #[doc = concat!("`", $name, "`: ", $help)]
            pub const $constant: $type<{ <[&str]>::len(&[$(stringify!($label)),*]) }> = $type(&Metric {
                name: $name,
                kind: kind!($type),
                unit: Unit::$unit,
                labels: &[$(Label { name: stringify!($label), values: &[$($($value),+)?] }),*],
                help: $help,
                details: concat!("" $(, $details)?),
                excludes: concat!("" $(, $excludes)?),
            });
        )+)+

        /// The metrics that this process counts itself, by the section of the documentation that they stand in.
        pub const SECTIONS: &[(&str, &[&Metric])] = &[$(($section, &[$($constant.0),+])),+];
    };
}

macro_rules! kind {
    (Counter) => {
        Kind::Counter
    };
    (Gauge) => {
        Kind::Gauge
    };
    (Samples) => {
        Kind::Histogram
    };
}

catalog! {
    "Feeds" {
        FEED_UP: Gauge "tickfan_feed_up" Count [feed],
            "1 while all connections of the feed are up and subscribed, otherwise 0.",
            excludes "whether data flow: a mute venue counts as up";
        FEED_CONNECTS: Counter "tickfan_feed_connects_total" Count [feed, result in ["connected", "failed"]],
            "Attempts to connect to the venue, by result.";
        FEED_DISCONNECTS: Counter "tickfan_feed_disconnects_total" Count [feed, reason in [
            "io", "connect_timeout", "tls", "proxy", "http", "protocol", "oversize", "closed", "closing", "refused", "denied",
            "connection_limit", "failed", "unacknowledged", "no_pong", "no_data", "no_heartbeat", "gap", "stuck",
            "relisted", "lifetime"]],
            "Connections to the venue, and attempts to connect, that ended, by reason.",
            details "Planned ends, `lifetime` and `closing`, count where they leave a gap.";
        FEED_GAPS: Counter "tickfan_feed_gaps_total" Count [feed],
            "Connections to the venue that ended after they were up: data are missing until the next connection.",
            details "Planned ends count where the next connection had not taken over. An outage counts once, however many attempts it takes.",
            excludes "a hole that the venue itself makes on a living connection";
        FEED_ROTATIONS: Counter "tickfan_feed_rotations_total" Count [feed, result in ["seamless", "gap"]],
            "Planned changes of connection, by whether the new connection had taken over before the old one was dropped.",
            details "Only where the venue lets a feed have both at a time; elsewhere each planned end is a gap.";
        FEED_SNAPSHOTS: Counter "tickfan_feed_snapshots_total" Count [feed, result in [
            "read", "io", "tls", "timeout", "denied", "rate_limited", "server_error", "http", "oversize", "unreadable"]],
            "Requests to the venue for the latest state of symbols, by result.",
            details "Only where the venue's stream does not begin with it. All but `read` change nothing: the stream brings the state later.";
        FEED_LAST_MESSAGE: Gauge "tickfan_feed_last_message_timestamp_seconds" Seconds [feed],
            "When the venue's last message with data arrived, in seconds since 1970.",
            details "Published once a second.";
        FEED_MESSAGES: Counter "tickfan_feed_messages_total" Count [feed, kind in [
            "trade", "quote", "stats", "status", "ineligible", "control", "other", "hole"]],
            "Updates and messages from the venue, by kind.",
            details "`ineligible` is a trade that may not set the last price, `other` is JSON that this gateway does not use, `hole` a place where a recording lacks frames. An update with a trade and a quote counts in both.",
            excludes "bytes and websocket frames: one frame may hold several updates";
        FEED_DECODE_ERRORS: Counter "tickfan_feed_decode_errors_total" Count [feed, reason in [
            "json", "shape", "unknown_symbol", "removed_symbol", "missing", "number", "range", "price", "time", "word"]],
            "Messages, and fields of messages, that the gateway dropped because it could not decode them, by reason.";
        FEED_LAG: Samples "tickfan_feed_lag_seconds" Seconds [feed],
            "Time from the venue's event time to receipt by the gateway, not below zero.",
            details "One sample per 10 ms at most; none for a feed whose data are delayed by contract. A message that waited in the kernel is received when it is read, so its wait counts here and not in delivery.",
            excludes "the venue's delay, the network and the difference of the clocks each on its own";
        FEED_CLOCK_SKEW: Gauge "tickfan_feed_clock_skew_seconds" Seconds [feed],
            "Receipt time minus event time of the last message; negative when the venue's clock runs ahead.",
            details "For a delayed feed it includes the delay. It shows times that are dropped as too far ahead, too.";
        FEED_IMPLAUSIBLE_TIMES: Counter "tickfan_feed_implausible_times_total" Count [feed],
            "Times of the venue that the gateway dropped: over a minute ahead of its own clock, or before 1990.",
            details "The price stands, and its time is left out.";
        FEED_SYMBOLS: Gauge "tickfan_feed_symbols" Count [feed, state in [
            "waiting", "live", "stale", "halted", "closed", "refused", "opening", "reconnect", "ended"]],
            "Symbols of the feed, by state; opening, reconnect and ended are stale as planned.",
            details "As of the scrape. The wire shows `opening`, `reconnect` and `ended` as `stale`: no update has arrived since the feed's hours began, or since a planned change of connection, or the recording that the feed plays has ended. `/debug` and `tickfan top` use the same states.";
        FEED_SYMBOLS_UNHEARD: Gauge "tickfan_feed_symbols_unheard" Count [feed],
            "Symbols of the feed without data for 5 minutes since their connection subscribed, within hours.",
            details "They are `waiting`, or stale since before the connection. `/debug/feeds` names some.",
            excludes "symbols that fell silent later, refused ones, and those whose state the venue has told when asked";
        FEED_ACTIVE_SYMBOLS: Gauge "tickfan_feed_active_symbols" Count [feed, role in ["primary", "standby"]],
            "Symbols with two feeds whose shown price comes from this one.",
            details "Only for a feed with a standby, and for the standby.";
        FEED_FAILOVERS: Counter "tickfan_feed_failovers_total" Count [from, to, reason in [
            "no_data", "connection_lost", "mute", "gap", "restart", "opening", "reconnect", "ended", "unauthorized",
            "not_entitled", "symbol_limit", "not_granted", "failback", "preferred"]],
            "Symbols that passed from one feed to its standby, or back, by the reason.",
            details "The reason is why the first feed's price could not be shown, as on the wire, or `failback`: the primary has been live for `failback_after`, or `preferred`: an operator prefers the feed.";
        DEMAND_SYMBOLS: Gauge "tickfan_demand_symbols" Count [feed], "Symbols that a feed on demand has subscribed.", details "With those that no stream has any longer, as long as they linger. Published each second; missing for other feeds.";
        DEMAND_SYMBOLS_LIMIT: Gauge "tickfan_demand_symbols_limit" Count [feed], "The most symbols that a feed on demand has at a time: its `on_demand_symbols`.";
        DEMAND_SUBSCRIBED: Counter "tickfan_demand_subscribed_total" Count [feed], "Symbols that a feed subscribed because a stream asked for them.";
        DEMAND_REFUSED: Counter "tickfan_demand_refused_total" Count [feed, reason in [ "full", "address_share", "address_rate", "venue"]], "Requests of streams for another symbol of a feed on demand that the gateway refused, by the reason.", details "`full`: the feed has `on_demand_symbols`; `address_share`: the streams of the address have a quarter of them; `address_rate`: they asked for more than `new_symbols_per_address` in a minute. The stream sees the symbol `refused`, reason `limit`. `venue`: the venue has refused the symbol within `linger`; the stream sees the venue's reason.", excludes "what the venue refuses when it is asked";
        FEED_RECORDING: Gauge "tickfan_feed_recording" Count [feed],
            "1 while the feed is recorded, 0 once its recording has failed.",
            details "Missing where the feed is not recorded. A recording that failed, as on a full disk, begins again at the next start.";
        FEED_RECORDED_FRAMES: Counter "tickfan_feed_recorded_frames_total" Count [feed],
            "Frames of the venue that were written to the recording.",
            details "A frame counts when its part of the file is written: within 10 s.";
        FEED_RECORDED_BYTES: Counter "tickfan_feed_recorded_bytes_total" Bytes [feed],
            "Bytes written to the recording's files, compressed.";
        FEED_RECORD_DROPPED: Counter "tickfan_feed_record_dropped_total" Count [feed],
            "Frames that the recording dropped because the disk was too slow.",
            details "The feed itself took them.",
            excludes "frames after a recording has failed";
    }
    "Cache" {
        CACHE_SYMBOLS: Gauge "tickfan_cache_symbols" Count [],
            "Symbols that the gateway knows.";
        CACHE_UPDATES: Counter "tickfan_cache_updates_total" Count [result in ["tick", "unchanged", "late", "hidden"]],
            "Updates, by result: became a tick, changed nothing, arrived late, or came from the feed that is not shown.",
            details "`hidden` is a symbol's standby while its primary is shown, or the reverse.";
        CACHE_FRAMES_COMPRESSED: Counter "tickfan_cache_frames_compressed_total" Count [result in ["compressed", "stored"]],
            "Ticks, whole or as patches, that were made for compressed streams, each once for all of them.",
            details "`stored`: as it is, 9 bytes longer than plain, since fewer than `compress_min_streams` share it. Where streams are compressed and most ticks are stored, lower that.";
    }
    "Cluster" {
        CLUSTER_OWNED: Gauge "tickfan_cluster_owned" Count [shard],
            "1 while this node owns the shard, otherwise 0.",
            details "Over all nodes the sum is 1. It is 0 between two owners, and 2 for a moment at most.";
        CLUSTER_TERM: Gauge "tickfan_cluster_term" Count [shard],
            "The highest term of the shard's owners that this node knows.";
        CLUSTER_LEASE_VALID: Gauge "tickfan_cluster_lease_valid_seconds" Seconds [shard],
            "How long this node may still publish without another renewal of its lease; 0 on the nodes that do not own the shard.",
            details "As of the scrape. A renewal every 500 ms keeps it near the lease's length.";
        CLUSTER_SHARD_FRESH: Gauge "tickfan_cluster_shard_fresh" Count [shard],
            "1 while this node shows the shard as its owner says, 0 while its symbols are stale because the node is cut off from the owner.",
            excludes "symbols that the owner itself calls stale";
        CLUSTER_SUSPENDED: Counter "tickfan_cluster_suspended_seconds_total" Seconds [shard],
            "Time in which this node owned the shard and did not publish, because its lease was not renewed.",
            details "A suspension counts once it is over.";
        CLUSTER_OWNER_CHANGES: Counter "tickfan_cluster_owner_changes_total" Count [shard, reason in [
            "claimed", "granted", "expired", "outranked", "drained"]],
            "How often this node began or ceased to own the shard, by the way.",
            details "`claimed` and `granted` begin: without and with the consent of the owner before. `drained` ends as planned, `expired` where the lease was not renewed, `outranked` where another node owns.";
        CLUSTER_CUT_OFFS: Counter "tickfan_cluster_cut_offs_total" Count [shard, reason in [
            "silent", "disconnected", "clock", "lease"]],
            "How often the shard's symbols became stale on this node because it was cut off, by reason.",
            details "`silent`: nothing young enough came from the owner. `clock`: a clock has jumped. `lease`: the node itself owned the shard.";
        CLUSTER_FEED_FAILS: Gauge "tickfan_cluster_feed_fails" Count [shard],
            "1 while this node leaves the shard to others because the shard's feed failed on it, otherwise 0.",
            details "From 30 s of failure on, and for 10 minutes after it gave the shard away. If all nodes say 1, the owner keeps it.";
        CLUSTER_LISTS_DIFFER: Gauge "tickfan_cluster_lists_differ" Count [shard],
            "Other nodes whose configuration has other symbols of the shard than this node's.",
            details "0 but for the time of a rolling change. While a node owns the shard, the symbols that it lacks are waiting or stale on all nodes.";
        CLUSTER_NODES: Gauge "tickfan_cluster_nodes" Count [],
            "Nodes that reported themselves within 3 s, this one included.";
        CLUSTER_SHARES_NAME: Gauge "tickfan_cluster_shares_name" Count [],
            "1 while another process reports itself under this node's name, otherwise 0.",
            details "Both say so. It ends 3 s after the other's last report.";
        CLUSTER_CLOCK_OFFSET: Gauge "tickfan_cluster_clock_offset_seconds" Seconds [node],
            "By how much the wall clock of a shard's owner is ahead of this node's.",
            details "From the owner's last beat, less the time that it took. Missing for nodes that own nothing, and for this one. Of a node that owns several shards, the greatest difference.";
        CLUSTER_LEASE_WRITES: Counter "tickfan_cluster_lease_writes_total" Count [result in ["written", "conflict", "unknown"]],
            "Writes of leases by this node, by result.",
            details "`conflict`: another node has written. `unknown`: no answer within 1.5 s.";
        BUS_CONNECTED: Gauge "tickfan_bus_connected" Count [connection in ["live", "control"]],
            "1 while the connection to the brokers is up, otherwise 0.",
            details "`live` carries ticks, `control` leases and all else.";
        BUS_RECONNECTS: Counter "tickfan_bus_reconnects_total" Count [connection in ["live", "control"]],
            "How often this node has connected to a broker again after its first connection.";
        BUS_OVERFLOWS: Counter "tickfan_bus_overflows_total" Count [connection in ["live", "control"]],
            "Messages that this node dropped because it did not read them in time.",
            details "Of a subscription 1,024 messages wait. A follower asks for the batches that it missed.";
        BUS_BATCHES: Counter "tickfan_bus_batches_total" Count [direction in ["sent", "received"]],
            "Messages of shards' owners that this node published or received: batches and beats.";
        BUS_TICKS: Counter "tickfan_bus_ticks_total" Count [direction in ["sent", "received"]],
            "Ticks in the batches of owners that this node made or took.";
        BUS_BYTES: Counter "tickfan_bus_bytes_total" Bytes [direction in ["sent", "received"]],
            "Bytes of the messages of shards' owners that this node published or received.",
            excludes "snapshots, history and all other messages";
        BUS_DROPPED: Counter "tickfan_bus_dropped_total" Count [reason in [
            "fenced", "duplicate", "unknown", "not_sent", "magic", "crc", "version", "length", "index", "value"]],
            "Messages of owners that this node did not take, by reason; `unknown` counts ticks of symbols that it does not have.",
            details "`fenced`: of an owner that was replaced. `version` counts all messages between nodes that another version of the format wrote. `not_sent`: the connection did not take a message of this node. The others cannot be read.";
        BUS_GAPS: Counter "tickfan_bus_gaps_total" Count [repair in ["history", "snapshot", "failed"]],
            "Holes in the batches of an owner, by how this node filled them.",
            details "A hole that a snapshot fills loses the ticks in it; their count is that of the next metric. `failed`: a snapshot came that could not be taken, because a part or a batch behind it was missing; the node asks for another one.";
        BUS_TICKS_LOST: Counter "tickfan_bus_ticks_lost_total" Count [],
            "Ticks of owners that this node never got.",
            details "Each symbol goes on with its newest state.";
        BUS_DELAY: Samples "tickfan_bus_delay_seconds" Seconds [shard],
            "From the time at which an owner made a batch or a beat until this node, which follows it, had it.",
            details "The two clocks are compared by the answers to asks, so it is too high by the journey of one, as a rule less than 1 ms. On the shard's owner no samples are added.",
            excludes "snapshots and history, and messages before the owner's first answer";
    }
    "Delay lines" {
        DELAY_NOTES: Gauge "tickfan_delay_notes" Count [feed],
            "Prices that the feed's delay line holds until they may be shown.",
            details "Published once per step. Missing where the feed has no `delay`. All feeds together hold at most 500,000.";
        DELAY_STEP: Gauge "tickfan_delay_step_seconds" Seconds [feed],
            "How often the feed's delay line takes the newest price of each symbol: `delay_step`, or longer where it has doubled.",
            details "Missing where the feed has no `delay`.";
        DELAY_STEP_DOUBLED: Counter "tickfan_delay_step_doubled_total" Count [feed],
            "How often the step of the feed's delay line doubled, because all lines together held as many prices as they may.",
            details "It halves again once they hold less than a quarter of that.";
    }
    "History" {
        HISTORY_TRAILS: Gauge "tickfan_history_trails" Count [],
            "Symbols that have a history.",
            details "Published every `[history] every`, as the other figures of history; all are missing where `keep` is `0s`.";
        HISTORY_BYTES: Gauge "tickfan_history_bytes" Bytes [],
            "Memory that the history of all symbols takes.",
            excludes "32 bytes of each symbol of the gateway";
        HISTORY_BYTES_LIMIT: Gauge "tickfan_history_bytes_limit" Bytes [],
            "The most memory that the history of all symbols may take: `[history] bytes_max`.";
        HISTORY_EVICTIONS: Counter "tickfan_history_evictions_total" Count [],
            "Symbols that lost their history to one that is wanted more.",
            details "It rises while `tickfan_history_bytes` is at its limit. Charts of such symbols begin empty.",
            excludes "symbols that never had room";
    }
    "Streams" {
        STREAMS: Gauge "tickfan_streams" Count [],
            "Open streams.",
            excludes "streams that were answered with `busy`";
        STREAMS_LIMIT: Gauge "tickfan_streams_limit" Count [],
            "The most streams that may be open at a time.";
        SUBSCRIPTIONS: Gauge "tickfan_subscriptions" Count [],
            "Symbols of all open streams together.",
            details "As of the scrape. Each takes about 72 bytes, those that clients named in vain too.";
        SUBSCRIPTIONS_LIMIT: Gauge "tickfan_subscriptions_limit" Count [],
            "The most symbols that open streams may have together.";
        STREAMS_OPENED: Counter "tickfan_streams_opened_total" Count [],
            "Streams opened.";
        STREAMS_CLOSED: Counter "tickfan_streams_closed_total" Count [reason in [
            "left", "stalled", "window", "timeout", "shutdown", "expired", "denied", "input", "error"]],
            "Streams closed, by reason.",
            details "`left`: the client closed it. `stalled`: the worker closed it because the client read nothing. `window`: the worker closed it because the client did not move its HTTP/2 window. `timeout`: the kernel closed it because the client acknowledged nothing. `expired`: the rights of its client ended. `denied`: a change brought rights that left none of its symbols. `input`: the client sent too much.";
        STREAMS_REJECTED: Counter "tickfan_streams_rejected_total" Count [reason in [
            "limit", "address", "subscriptions", "address_subscriptions", "draining", "subject", "no_keys", "error"]],
            "Streams rejected, by reason: answered with busy, or error where the gateway could not take over the socket.",
            details "`limit` is the global limit, `address` the limit per address; `subscriptions` and `address_subscriptions` are those of symbols, `subject` that of one who signed on. `no_keys`: the keys that verify tokens are not there yet, or not known to be the newest.";
        STREAM_CHANGES: Counter "tickfan_stream_changes_total" Count [outcome in [
            "applied", "bad", "no_such_stream", "old_revision", "too_many", "limit", "busy", "no_reply"]],
            "Requests to change an open stream, by outcome.",
            details "`bad`: what it asks for is not valid, or its body is too long or late. `too_many` is over 10 a second of one stream, `limit` over a limit of symbols or of the subject's streams, `busy` over 256 under way; after `no_reply` the change may still come.",
            excludes "requests whose credentials do not count, and those with a body of no length";
        STREAMS_STALLED: Gauge "tickfan_streams_stalled" Count [],
            "Streams whose transport is full at the moment.",
            excludes "how long: a short pause and a dead client look alike until the latter is closed as `stalled`";
        STREAMS_HELD: Gauge "tickfan_streams_held" Count [],
            "Streams over HTTP/2 that get nothing because their page no longer reads, though their window has room.",
            details "Otherwise the unread bytes of a blocked tab would use up what it shares with the browser's other tabs.";
        H2_CONNECTIONS: Gauge "tickfan_h2_connections" Count [],
            "Open HTTP/2 connections, with and without streams.";
        H2_CONNECTIONS_CLOSED: Counter "tickfan_h2_connections_closed_total" Count [reason in [
            "left", "idle", "shutdown", "gave_way", "no_permit", "stalled", "timeout", "worn", "error",
            "not_http2", "protocol", "flow_control", "frame_size", "stream_closed", "compression", "header_block",
            "header_fields", "continuations", "resets", "control_frames", "window_updates", "replies", "timed_out"]],
            "HTTP/2 connections closed, by reason.",
            details "`idle`: no request for `head_timeout`. `gave_way`: to a newcomer. `no_permit`: its last stream ended while as many connections without streams were open as the limit allows. `stalled`: the client read nothing. `timeout`: the kernel closed it because the client acknowledged nothing. `worn`: the keys of its TLS 1.2 session had encrypted as much as is safe. From `header_block` on, the client reached a limit.";
        STREAM_TICKS_SENT: Counter "tickfan_stream_ticks_sent_total" Count [],
            "Ticks written to streams.",
            details "A tick counts once the socket has accepted a byte of it.",
            excludes "what reached the client";
        STREAM_TICKS_MISSED: Counter "tickfan_stream_ticks_missed_total" Count [cause in ["lag", "options", "ring"]],
            "Ticks that a stream skipped, by cause.",
            details "Counted when the symbol's next tick is sent, or at the end of a stream whose transport is full. `lag`: the client was too slow. `options`: the stream asked for it. `ring`: the gateway's ring was too short.",
            excludes "ticks that a stream with room lacks at its end";
        STREAM_SENT_BYTES: Counter "tickfan_stream_sent_bytes_total" Bytes [],
            "Bytes of streams that sockets accepted.",
            excludes "TCP's own bytes";
        STREAM_WRITES: Counter "tickfan_stream_writes_total" Count [],
            "Writes to streams of which the socket accepted at least a byte.";
        TICK_DELIVERY: Samples "tickfan_tick_delivery_seconds" Seconds [transport in ["free", "full"]],
            "Time from a tick's receipt to the turn that wrote it, by whether the transport had room all that time.",
            details "`transport` is `free` where the client had room all that time, and `full` where the tick waited for room; the objective of 99 % within 100 ms is about `free`. The time starts later than the receipt if the stream was opened later, or if its own `max_rate` held the tick back. It ends when the turn begins. A conflated tick counts once, when the newest is written. `flush_interval` counts as wait.",
            excludes "what the kernel and the network take after the write, and the wait in the kernel before the gateway read the tick. `full` hides the gateway's own delay between room in the socket and the write: a gateway without processor time fills sockets with bursts, so that few ticks are both `free` and late; the alert ProcessorStarved covers that";
        STREAM_FIRST_TICK: Samples "tickfan_stream_first_tick_seconds" Seconds [],
            "Time from a worker's accepting a stream to the turn that wrote its first tick.",
            details "The tick of a symbol without data (`waiting`) counts.",
            excludes "the time of the request before";
        WORKER_TURN: Samples "tickfan_worker_turn_seconds" Seconds [],
            "How long a worker's turn took; streams and ticks that arrive meanwhile wait for it.",
            excludes "the wait between turns";
    }
    "HTTP and process" {
        HTTP_REQUESTS: Counter "tickfan_http_requests_total" Count [route in [
            "stream", "quotes", "symbols", "history", "dictionary", "change", "session", "tickets", "page", "openapi", "livez", "readyz", "metrics",
            "debug", "index", "reload", "preflight", "other", "unreadable"], code],
            "HTTP responses of both listeners, by route and status code.",
            details "`other` is a path without a route, or a method that it does not have; `unreadable` is a request whose head could not be parsed.";
        AUTH_REFUSALS: Counter "tickfan_auth_refusals_total" Count [reason in [
            "no_credentials", "malformed", "unknown_key", "algorithm", "signature", "claim", "issuer", "audience",
            "expired", "not_yet_valid", "ticket", "two_credentials", "too_long", "wrong_origin", "not_entitled",
            "too_many_tickets", "no_keys", "off"]],
            "Requests that were refused for their credentials or rights, by reason.",
            details "`no_keys`: the keys that verify tokens are not there, too old, or not known to be the newest. `off`: clients do not sign on.";
        AUTH_SESSIONS: Counter "tickfan_auth_sessions_total" Count [event in ["opened", "closed"]],
            "Cookies of sessions that were set and cleared.",
            excludes "sessions whose token expired";
        AUTH_TICKETS: Counter "tickfan_auth_tickets_total" Count [event in ["issued", "used"]],
            "Tickets, by what happened to them.",
            excludes "tickets that expired: those that were issued and not used";
        AUTH_TICKETS_OPEN: Gauge "tickfan_auth_tickets_open" Count [],
            "Tickets that were issued, and neither used nor forgotten.",
            details "Published when a ticket is issued or used, and every second; expired ones are then forgotten.";
        HTTP_CONNECTIONS: Gauge "tickfan_http_connections" Count [],
            "Clients' connections that are not streams.",
            details "Connections whose head is being read, and those that get another response than a stream.",
            excludes "operators' connections";
        HTTP_CONNECTIONS_LIMIT: Gauge "tickfan_http_connections_limit" Count [],
            "The most clients' connections that are not streams at a time.";
        HTTP_CONNECTIONS_WAITING: Gauge "tickfan_http_connections_waiting" Count [listener in ["clients", "operators"]],
            "Newcomers that wait for a connection, by listener.",
            details "They are accepted and not read yet: all connections are taken, or all that one address may hold.",
            excludes "those in the kernel's queue";
        HTTP_EVICTIONS: Counter "tickfan_http_evictions_total" Count [
            listener in ["clients", "operators"], phase in ["waiting", "idle", "head", "handshake", "blocked"]],
            "Connections that were closed to make room for a newcomer, by listener and by what they did.",
            details "`waiting`: it had not been read yet, and no room was left for newcomers that wait. `idle`: no request since its last answer, or on the way to one. `head`: it had sent no request, or half of one. `handshake`: its client had not answered our part of the TLS handshake. `blocked`: its client did not read its answer.",
            excludes "connections that ran into a timeout";
        TLS_HANDSHAKES: Counter "tickfan_tls_handshakes_total" Count [result in [
            "done", "not_tls", "gave_way", "timeout", "left", "alert", "incompatible", "no_protocol", "broken"]],
            "TLS handshakes with clients, by result.",
            details "`alert`: the client ended it, often because it rejects the certificate. `incompatible`: no common version or cipher. `no_protocol`: the client offers neither h2 nor http/1.1. `not_tls`: most often plain HTTP, which is answered with 400. `gave_way`: the client was slow to send the rest of a hello over 16 KiB while others waited.",
            excludes "connections that were evicted, and those of a stop";
        TLS_SESSIONS: Counter "tickfan_tls_sessions_total" Count [version in ["1.2", "1.3"], kind in ["full", "resumed"]],
            "TLS sessions with clients, by version and by whether the client resumed an earlier one.",
            details "In a full handshake the certificate's key signs, which takes processor time.";
        HTTP_ACCEPT_ERRORS: Counter "tickfan_http_accept_errors_total" Count [reason in ["client", "descriptors", "memory", "other"]],
            "Failures to accept a connection, by reason.",
            details "`client` is one that left before it was accepted.";
        PROCESSOR_WAIT: Counter "tickfan_processor_wait_seconds_total" Seconds [],
            "How long the process's threads were ready to run and waited for a processor, summed over all threads.",
            details "It includes the time that the kernel takes to wake a thread. The alert ProcessorStarved fires when more than one thread waits on average.",
            excludes "the waits of threads that have ended. Missing where the kernel keeps no scheduling statistics";
        LOG_LINES_DROPPED: Counter "tickfan_log_lines_dropped_total" Count [],
            "Lines of the log that were dropped, because standard error did not take them.",
            details "Its reader has stopped, so that 1 MiB of lines waits, or it refused them. Once it takes lines again, one of them says how many.",
            excludes "lines that the gateway holds back by itself, and what the reader loses";
        CONFIG_RELOADS: Counter "tickfan_config_reloads_total" Count [result in ["applied", "incomplete", "rejected", "without_file"]],
            "Reloads of the configuration, by `SIGHUP` and `POST /reload`, by result.",
            details "`incomplete`: some feeds could not be changed, and the next reload tries them again. `rejected` includes a file that cannot be read. `without_file` is a gateway that was started without one.";
        CONFIG_LAST_RELOAD_SUCCESSFUL: Gauge "tickfan_config_last_reload_successful" Count [],
            "0 if the last reload was rejected, or left some feeds as they were; otherwise 1.",
            details "After one that was rejected the gateway goes on with the configuration before it, and would not start with the file.";
        CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP: Gauge "tickfan_config_last_reload_success_timestamp_seconds" Seconds [],
            "When the configuration in force was read, by the start or a reload, in seconds since 1970.";
        CERTIFICATE_EXPIRY: Gauge "tickfan_certificate_expiry_timestamp_seconds" Seconds [chain],
            "When the certificate of a chain expires, in seconds since 1970.",
            details "`chain` is the path of its file. Missing without `[tls]`. A chain that a reload took out of the configuration is `NaN`. The alert CertificateExpiresSoon fires when less than 7 days are left.";
        CERTIFICATE_RELOADS: Counter "tickfan_certificate_reloads_total" Count [result in ["applied", "rejected"]],
            "Changed files of certificates, found by a look at them or by a reload of the configuration, by result.",
            details "A file that is rejected counts once, when the second look finds it so: the files of a certificate are renewed one after the other. `rejected` by a reload of the configuration counts there.";
        AUTH_KEYS: Gauge "tickfan_auth_keys" Count [],
            "Keys of the issuer that tokens are verified with.",
            details "Missing without `[auth]`. 0: no token can be verified, for none has been fetched yet, or those that were are older than 24 hours.";
        AUTH_KEYS_TIMESTAMP: Gauge "tickfan_auth_keys_timestamp_seconds" Seconds [],
            "When the issuer's keys were last fetched, in seconds since 1970.",
            details "Missing without `[auth]`, and `NaN` before the first fetch. A fetch that gives the same keys counts. The alert AuthKeysOld fires when it is two hours ago.";
        AUTH_KEY_FETCHES: Counter "tickfan_auth_key_fetches_total" Count [result in [
            "changed", "unchanged", "file", "look_up", "unreachable", "proxy", "tls", "timeout", "http", "status",
            "redirect", "too_long", "unreadable"]],
            "Fetches of the issuer's keys, by result.",
            details "A look at a file counts. All but `changed` and `unchanged` are failures: the keys before stay for 24 hours. `http`: the answer is cut, compressed, or not HTTP. `unreadable`: it is not a JWK set with a usable key. The log says more, once per reason.";
        BUILD_INFO: Gauge "tickfan_build_info" Count [version, commit, profile],
            "Always 1; the labels are the version, the commit that it was built from, and how.",
            details "`commit` is empty where the build did not know it, and ends in `-changed` where the sources differed from it. `profile` is `release`, or `debug`, which is several times slower.";
    }
}

/// What the `metrics-process` crate exports of the process; it has handles and help of its own.
pub const PROCESS: &[Metric] = &[
    process("process_cpu_seconds_total", Kind::Counter, Unit::Seconds, "Processor time.", "less than 10 ms at a time"),
    process(
        "process_resident_memory_bytes",
        Kind::Gauge,
        Unit::Bytes,
        "Memory in use.",
        "the kernel's socket buffers, about 4 KB per stream",
    ),
    process("process_virtual_memory_bytes", Kind::Gauge, Unit::Bytes, "Address space in use.", ""),
    process("process_virtual_memory_max_bytes", Kind::Gauge, Unit::Bytes, "The most address space allowed.", ""),
    process("process_open_fds", Kind::Gauge, Unit::Count, "Open file descriptors.", ""),
    process("process_max_fds", Kind::Gauge, Unit::Count, "The most file descriptors that may be open at a time.", ""),
    process("process_threads", Kind::Gauge, Unit::Count, "Threads.", ""),
    process(
        "process_start_time_seconds",
        Kind::Gauge,
        Unit::Seconds,
        "When the process started, in seconds since 1970.",
        "",
    ),
];

const fn process(name: &'static str, kind: Kind, unit: Unit, help: &'static str, excludes: &'static str) -> Metric {
    Metric { name, kind, unit, labels: &[], help, details: "", excludes }
}

/// Gives the installed recorder the help of every metric.
pub(super) fn describe() {
    for metric in SECTIONS.iter().flat_map(|(_, metrics)| *metrics) {
        metric.describe();
    }
}
