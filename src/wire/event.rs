//! The named events: `hello`, `symbols`, `heartbeat` and `bye`.

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

/// The part of a `hello`, or of a `symbols` event, that follows from the client's rights.
#[derive(Debug, Clone, Copy)]
pub struct HelloRights<'a> {
    /// The carried symbols whose prices are delayed.
    pub delayed: &'a [Symbol],
    /// The requested symbols that the client may not read.
    pub denied: &'a [Symbol],
    /// When the rights end, and the stream with them.
    pub until: Option<UnixMicros>,
}

/// A `hello` that lacks the name by which its stream is changed: that says where the stream is.
#[derive(Debug)]
pub struct HelloDraft(Vec<u8>);

/// The `symbols` event: the list of a stream from here on.
#[derive(Debug)]
pub struct ListChange<'a> {
    /// The number of the change.
    pub rev: u64,
    /// The epoch of the sequence numbers.
    pub epoch: Epoch,
    /// The symbols that the stream carries.
    pub symbols: &'a [Symbol],
    /// The requested symbols that no feed has.
    pub unknown: &'a [Symbol],
    /// What the client's rights make of its list; `None` where clients do not sign on.
    pub rights: Option<HelloRights<'a>>,
}

/// An encoded `symbols` event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEvent {
    /// The whole event.
    pub block: Bytes,
    /// Its JSON alone.
    pub json: Bytes,
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
    /// The client's new rights leave none of the stream's symbols.
    Denied,
}

/// How long the name may be by which a stream is changed; a longer one costs an allocation.
const CONTROL_BYTES: usize = 64;

/// Encodes a `hello`, with its `retry:`.
pub fn hello(hello: &Hello<'_>) -> HelloDraft {
    let mut out = Vec::with_capacity(176 + CONTROL_BYTES + 16 * (hello.symbols.len() + hello.unknown.len()));
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
        rights.write_to(&mut out);
    }
    HelloDraft(out)
}

impl HelloDraft {
    /// The event. `control` is the name by which the stream is changed, of characters that JSON does not escape.
    pub fn with_control(self, control: &str) -> Bytes {
        let mut out = self.0;
        out.extend_from_slice(b",\"control\":\"");
        out.extend_from_slice(control.as_bytes());
        out.extend_from_slice(b"\"}\n\n");
        out.into()
    }
}

impl HelloRights<'_> {
    fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b",\"delayed\":");
        write_symbols(out, self.delayed);
        out.extend_from_slice(b",\"denied\":");
        write_symbols(out, self.denied);
        if let Some(until) = self.until {
            out.extend_from_slice(b",\"until\":");
            write_integer(out, until.0);
        }
    }
}

impl ListChange<'_> {
    /// Encodes it.
    pub fn event(&self) -> ListEvent {
        const BEFORE: &[u8] = b"event: symbols\ndata: ";
        let mut out = Vec::with_capacity(96 + 16 * (self.symbols.len() + self.unknown.len()));
        out.extend_from_slice(BEFORE);
        out.extend_from_slice(b"{\"rev\":");
        out.extend_from_slice(itoa::Buffer::new().format(self.rev).as_bytes());
        out.extend_from_slice(b",\"epoch\":\"");
        self.epoch.write_to(&mut out);
        out.extend_from_slice(b"\",\"symbols\":");
        write_symbols(&mut out, self.symbols);
        out.extend_from_slice(b",\"unknown\":");
        write_symbols(&mut out, self.unknown);
        if let Some(rights) = self.rights {
            rights.write_to(&mut out);
        }
        out.push(b'}');
        let json = BEFORE.len()..out.len();
        out.extend_from_slice(b"\n\n");
        let block = Bytes::from(out);
        ListEvent { json: block.slice(json), block }
    }
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
        Bye::Denied => b"event: bye\ndata: {\"reason\":\"denied\"}\n\n",
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
        let draft = hello(&Hello {
            retry: Duration::from_millis(2500),
            stream: StreamName::new(20),
            epoch: Epoch::new(1 << 16),
            now: UnixMicros(1_732_283_045_124_040),
            symbols: &symbols,
            unknown: &symbols[..1],
            rights: None,
        });
        let block = draft.with_control("ab-_9");
        assert_eq!(
            std::str::from_utf8(&block).unwrap(),
            "retry: 2500\nevent: hello\ndata: {\"stream\":\"00000000000k\",\"epoch\":\"1\",\"now\":1732283045124040,\
             \"symbols\":[\"AAPL\",\"BRK.B\"],\"unknown\":[\"AAPL\"],\"control\":\"ab-_9\"}\n\n"
        );
        let epoch = Epoch::new(1 << 16);
        let change = |rights| ListChange { rev: 3, epoch, symbols: &symbols, unknown: &[], rights }.event();
        let event = change(None);
        assert_eq!(event.json, "{\"rev\":3,\"epoch\":\"1\",\"symbols\":[\"AAPL\",\"BRK.B\"],\"unknown\":[]}");
        assert_eq!(event.block, [b"event: symbols\ndata: ", &event.json[..], b"\n\n"].concat());
        let rights = |until| HelloRights { delayed: &symbols[1..], denied: &symbols[..1], until };
        let of_hello = |until| {
            let draft = hello(&Hello {
                retry: Duration::from_millis(2500),
                stream: StreamName::new(20),
                epoch,
                now: UnixMicros(7),
                symbols: &symbols[1..],
                unknown: &[],
                rights: Some(rights(until)),
            });
            let block = draft.with_control("c");
            String::from_utf8(block.to_vec()).unwrap().split_once("\"unknown\":[]").unwrap().1.to_owned()
        };
        let told = ",\"delayed\":[\"BRK.B\"],\"denied\":[\"AAPL\"]";
        assert_eq!(of_hello(Some(UnixMicros(9))), format!("{told},\"until\":9,\"control\":\"c\"}}\n\n"));
        assert_eq!(of_hello(None), format!("{told},\"control\":\"c\"}}\n\n"));
        assert!(change(Some(rights(Some(UnixMicros(9))))).json.ends_with(format!("{told},\"until\":9}}").as_bytes()));
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
