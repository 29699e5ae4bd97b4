//! The named events: `hello`, `heartbeat` and `bye`.

use super::{Epoch, StreamName};
use crate::market::{Symbol, UnixMicros};
use bytes::Bytes;
use std::time::Duration;

/// The first event of a stream: its name, its clock and its symbols.
#[derive(Debug)]
pub struct Hello<'a> {
    /// How long a client waits before it reconnects.
    pub retry: Duration,
    /// The stream's name on the admin listener.
    pub stream: StreamName,
    /// The epoch of the sequence numbers.
    pub epoch: Epoch,
    /// The current time by the gateway's clock.
    pub now: UnixMicros,
    /// The symbols that the stream carries.
    pub symbols: &'a [Symbol],
    /// The requested symbols that no feed has.
    pub unknown: &'a [Symbol],
    /// What the client's rights make of its list; `None` where clients do not sign on.
    pub rights: Option<HelloRights<'a>>,
}

/// The part of a `hello` that follows from the client's rights.
#[derive(Debug, Clone, Copy)]
pub struct HelloRights<'a> {
    /// The carried symbols whose prices are delayed.
    pub delayed: &'a [Symbol],
    /// The requested symbols that the client may not read.
    pub denied: &'a [Symbol],
    /// When the rights end, and the stream with them.
    pub until: Option<UnixMicros>,
}

/// Why the server ends a stream that can still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bye {
    /// The gateway shuts down.
    Shutdown,
    /// The gateway has reached a limit of streams.
    Busy,
    /// The client's rights have ended.
    Expired,
}

/// Encodes a `hello`, with its `retry:`.
pub fn hello(hello: &Hello<'_>) -> Bytes {
    let mut out = Vec::with_capacity(160 + 16 * (hello.symbols.len() + hello.unknown.len()));
    write_retry(&mut out, hello.retry);
    out.extend_from_slice(b"event: hello\ndata: {\"stream\":\"");
    out.extend_from_slice(hello.stream.as_str().as_bytes());
    out.extend_from_slice(b"\",\"epoch\":\"");
    hello.epoch.write_to(&mut out);
    out.extend_from_slice(b"\",\"now\":");
    write_integer(&mut out, hello.now.0);
    out.extend_from_slice(b",\"symbols\":");
    write_symbols(&mut out, hello.symbols);
    out.extend_from_slice(b",\"unknown\":");
    write_symbols(&mut out, hello.unknown);
    if let Some(rights) = hello.rights {
        out.extend_from_slice(b",\"delayed\":");
        write_symbols(&mut out, rights.delayed);
        out.extend_from_slice(b",\"denied\":");
        write_symbols(&mut out, rights.denied);
        if let Some(until) = rights.until {
            out.extend_from_slice(b",\"until\":");
            write_integer(&mut out, until.0);
        }
    }
    out.extend_from_slice(b"}\n\n");
    out.into()
}

/// Encodes a `heartbeat`, which is sent after silence so that a page notices a dead connection.
pub fn heartbeat(now: UnixMicros) -> Bytes {
    let mut out = Vec::with_capacity(56);
    out.extend_from_slice(b"event: heartbeat\ndata: {\"now\":");
    write_integer(&mut out, now.0);
    out.extend_from_slice(b"}\n\n");
    out.into()
}

/// Encodes a `bye`, with the `retry:` that spreads the reconnects of the clients.
pub fn bye(reason: Bye, retry: Duration) -> Bytes {
    let mut out = Vec::with_capacity(56);
    write_retry(&mut out, retry);
    out.extend_from_slice(match reason {
        Bye::Shutdown => b"event: bye\ndata: {\"reason\":\"shutdown\"}\n\n",
        Bye::Busy => b"event: bye\ndata: {\"reason\":\"busy\"}\n\n",
        Bye::Expired => b"event: bye\ndata: {\"reason\":\"expired\"}\n\n",
    });
    out.into()
}

fn write_retry(out: &mut Vec<u8>, retry: Duration) {
    out.extend_from_slice(b"retry: ");
    write_integer(out, i64::try_from(retry.as_millis()).unwrap_or(i64::MAX));
    out.push(b'\n');
}

fn write_symbols(out: &mut Vec<u8>, symbols: &[Symbol]) {
    out.push(b'[');
    for (index, symbol) in symbols.iter().enumerate() {
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(symbol.as_str().as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}

fn write_integer(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_event_has_its_bytes() {
        let symbols: Vec<Symbol> = ["AAPL", "BRK.B"].map(|text| text.parse().unwrap()).into();
        let block = hello(&Hello {
            retry: Duration::from_millis(2500),
            stream: StreamName::new(20),
            epoch: Epoch::new(1 << 16),
            now: UnixMicros(1_732_283_045_124_040),
            symbols: &symbols,
            unknown: &symbols[..1],
            rights: None,
        });
        assert_eq!(
            std::str::from_utf8(&block).unwrap(),
            "retry: 2500\nevent: hello\ndata: {\"stream\":\"00000000000k\",\"epoch\":\"1\",\"now\":1732283045124040,\
             \"symbols\":[\"AAPL\",\"BRK.B\"],\"unknown\":[\"AAPL\"]}\n\n"
        );
        let rights = |until| {
            let rights = HelloRights { delayed: &symbols[1..], denied: &symbols[..1], until };
            let block = hello(&Hello {
                retry: Duration::from_millis(2500),
                stream: StreamName::new(20),
                epoch: Epoch::new(1 << 16),
                now: UnixMicros(7),
                symbols: &symbols[1..],
                unknown: &[],
                rights: Some(rights),
            });
            String::from_utf8(block.to_vec()).unwrap().split_once("\"unknown\":[]").unwrap().1.to_owned()
        };
        assert_eq!(rights(Some(UnixMicros(9))), ",\"delayed\":[\"BRK.B\"],\"denied\":[\"AAPL\"],\"until\":9}\n\n");
        assert_eq!(rights(None), ",\"delayed\":[\"BRK.B\"],\"denied\":[\"AAPL\"]}\n\n");
        assert_eq!(heartbeat(UnixMicros(7)), "event: heartbeat\ndata: {\"now\":7}\n\n");
        assert_eq!(bye(Bye::Busy, Duration::from_secs(5)), "retry: 5000\nevent: bye\ndata: {\"reason\":\"busy\"}\n\n");
        assert_eq!(
            bye(Bye::Shutdown, Duration::from_secs(1)),
            "retry: 1000\nevent: bye\ndata: {\"reason\":\"shutdown\"}\n\n"
        );
        assert_eq!(
            bye(Bye::Expired, Duration::from_secs(2)),
            "retry: 2000\nevent: bye\ndata: {\"reason\":\"expired\"}\n\n"
        );
    }
}
