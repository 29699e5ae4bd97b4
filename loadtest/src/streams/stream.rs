//! One client: from its request to what it makes of the bytes.

use super::{
    Wire,
    observer::{GroupSettings, Observer},
};
use crate::{
    check::{Reading, Rule, SeenTick, Slots},
    measure::{Ages, Ended},
    wire::{Block, Head, Hello, State, split_blocks},
};
use mio::net::TcpStream;
use std::{fmt::Write as _, rc::Rc, time::Duration};

/// How long a client waits before it comes back, where no server has said: as browsers do.
const RETRY: Duration = Duration::from_secs(3);
/// The longest block that a stream may have: more is no event.
const BLOCK_BYTES_MAX: usize = 1024 * 1024;

/// One client.
pub(super) struct Stream {
    pub(super) index: u32,
    /// The place of its group.
    pub(super) group: usize,
    /// Its symbols by their numbers, sorted.
    symbols: Box<[u32]>,
    pub(super) socket: Option<TcpStream>,
    pub(super) phase: Phase,
    /// Counts its connections, so that what was planned for an earlier one is known as such.
    pub(super) generation: u32,
    pub(super) slots: Slots,
    /// When its connection was begun, in µs since 1970.
    pub(super) begun: i64,
    opened: i64,
    /// The server's name of it, by its hello.
    pub(super) name: Box<str>,
    /// Ticks that were left out since it began.
    pub(super) holes: u64,
    has_tick: bool,
    /// The start of a block, or of the head, whose end has not come.
    rest: Vec<u8>,
    last: Option<Rc<SeenTick>>,
    pub(super) retry: Duration,
    /// Of what it has read while all streams were there.
    pub(super) ages: Ages,
    bye: Option<Ended>,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// There is none.
    Away,
    /// It is being made.
    Connecting,
    /// The request is sent.
    Asked,
    /// It is a stream.
    Open,
}

impl Stream {
    pub(super) fn new(index: u32, group: usize, symbols: Box<[u32]>) -> Self {
        Self {
            index,
            group,
            symbols,
            socket: None,
            phase: Phase::Away,
            generation: 0,
            slots: Slots::default(),
            begun: 0,
            opened: 0,
            name: "".into(),
            holes: 0,
            has_tick: false,
            rest: Vec::new(),
            last: None,
            retry: RETRY,
            ages: Ages::default(),
            bye: None,
        }
    }

    /// A new connection begins.
    pub(super) fn begin(&mut self, socket: TcpStream, now: i64) {
        self.socket = Some(socket);
        self.phase = Phase::Connecting;
        self.begun = now;
        self.has_tick = false;
        self.rest.clear();
        self.bye = None;
        self.slots = Slots::default();
    }

    /// The connection is over.
    pub(super) fn drop_connection(&mut self) {
        self.socket = None;
        self.phase = Phase::Away;
        self.generation += 1;
    }

    /// The request, once the connection is made.
    pub(super) fn request(&self, observer: &mut Observer, group: &GroupSettings) -> String {
        let names: Vec<&str> = self.symbols.iter().map(|&symbol| observer.seen_ticks.name(symbol)).collect();
        let path = observer.wire.path(&names);
        if observer.wire != Wire::Tickfan {
            // By HTTP/1.0, so that no server chunks.
            return format!("GET {path} HTTP/1.0\r\nhost: {}\r\naccept: text/event-stream\r\n\r\n", observer.host);
        }
        let mut text = format!("GET {path}");
        if !group.query.is_empty() {
            text.push('&');
            text.push_str(&group.query);
        }
        let _ = write!(text, " HTTP/1.1\r\nhost: {}\r\naccept: text/event-stream\r\n", observer.host);
        if let Some(id) = self.last.as_ref().and_then(|last| last.id()) {
            let _ = write!(text, "last-event-id: {id}\r\n");
            observer.measures.resumed += 1;
        }
        text.push_str("\r\n");
        text
    }

    /// Takes bytes that were read at a time.
    ///
    /// # Errors
    /// How the stream has ended: it is no use to read on.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        at: i64,
        observer: &mut Observer,
        group: &GroupSettings,
    ) -> Result<(), Ended> {
        observer.measures.bytes += bytes.len() as u64;
        let mut rest = std::mem::take(&mut self.rest);
        let whole = if rest.is_empty() {
            bytes
        } else {
            rest.extend_from_slice(bytes);
            &rest
        };
        let begin = if self.phase == Phase::Open { Some(0) } else { self.head(whole, at, observer)? };
        let taken = begin
            .map_or(0, |begin| begin + split_blocks(&whole[begin..], |block| self.block(block, at, observer, group)));
        let left = whole.len() - taken;
        if left > BLOCK_BYTES_MAX {
            let what = format!("a block has no end within {BLOCK_BYTES_MAX} bytes");
            observer.violations.note(Rule::Malformed, Some(self.index), at, what, &whole[taken..taken + 256]);
            return Err(Ended::NoStream);
        }
        if rest.is_empty() {
            self.rest.extend_from_slice(&bytes[taken..]);
        } else {
            rest.drain(..taken);
            self.rest = rest;
        }
        Ok(())
    }

    /// How the stream ends whose connection ends now.
    pub(super) fn how_it_ends(&self) -> Ended {
        self.bye.unwrap_or(Ended::Ended)
    }

    /// The symbols that are shown as live.
    pub(super) fn live(&self) -> impl Iterator<Item = u32> {
        self.slots
            .last()
            .filter(|(_, tick)| tick.is_some_and(|tick| tick.state == State::Live))
            .map(|(symbol, _)| symbol)
    }

    /// Reads the head; returns where the events begin, or `None` while its end has not come.
    fn head(&mut self, bytes: &[u8], at: i64, observer: &mut Observer) -> Result<Option<usize>, Ended> {
        let Some((head, length)) = Head::read(bytes).map_err(|error| observer.refuse(error.to_string()))? else {
            return Ok(None);
        };
        if head.status != 200 {
            let body = String::from_utf8_lossy(&bytes[length..]);
            let body: String = body.chars().take(300).collect();
            return Err(observer.refuse(format!("the server answers {}: {}", head.status, body.trim())));
        }
        if !head.is_event_stream {
            return Err(observer.refuse("the server answers 200, but no text/event-stream".to_owned()));
        }
        if head.is_chunked {
            return Err(observer.refuse("the stream is chunked, which is not read here".to_owned()));
        }
        self.phase = Phase::Open;
        self.opened = at;
        observer.measures.answer.record(at - self.begun);
        observer.measures.opened += 1;
        Ok(Some(length))
    }

    fn block(&mut self, block: &[u8], at: i64, observer: &mut Observer, group: &GroupSettings) {
        let reads_at_once = group.reads == super::Reads::AtOnce;
        if observer.wire != Wire::Tickfan {
            return observer.count(block, at, self.opened, reads_at_once);
        }
        let old_after = observer.old_after.filter(|_| reads_at_once);
        let reading = Reading { stream: self.index, now: at, opened: self.opened, old_after };
        if !(block.starts_with(b"id:") || block.starts_with(b"data:")) {
            return self.named(block, reading, observer);
        }
        let Some(read) = self.slots.read(block, reading, &mut observer.seen_ticks, &mut observer.violations) else {
            return;
        };
        let tick = read.known.tick;
        self.holes += read.missed;
        let measured = observer.measure((read.symbol, tick), read.missed, at, self.opened, reads_at_once);
        measured.into_iter().for_each(|age| self.ages.add(age));
        if tick.seq == 0 {
            return;
        }
        if !self.has_tick {
            self.has_tick = true;
            observer.measures.first_tick.record(at - self.begun);
        }
        self.last = Some(read.known);
    }

    fn named(&mut self, block: &[u8], reading: Reading, observer: &mut Observer) {
        observer.measures.named += 1;
        if let Err(what) = self.try_named(block, reading, observer) {
            observer.violations.note(Rule::Malformed, Some(self.index), reading.now, what, block);
        }
    }

    fn try_named(&mut self, block: &[u8], reading: Reading, observer: &mut Observer) -> Result<(), String> {
        let fields = Block::read(block).map_err(|error| error.to_string())?;
        let data = fields.data.filter(|_| fields.data_lines == 1).ok_or("an event has one line of data")?;
        if let Some(millis) = fields.retry_millis {
            self.retry = Duration::from_millis(millis);
        }
        match fields.event {
            Some("hello") => {
                let hello: Hello<'_> = serde_json::from_str(data).map_err(|error| format!("hello: {error}"))?;
                self.name = hello.stream.as_ref().into();
                self.slots.begin(&hello, &self.symbols, reading, &mut observer.seen_ticks, &mut observer.violations);
            }
            Some("bye") => {
                let is_busy = data.contains("\"busy\"");
                self.bye = Some(if is_busy { Ended::Busy } else { Ended::Shutdown });
            }
            // Others may be added; all of them are JSON.
            Some(name) => {
                serde_json::from_str::<serde::de::IgnoredAny>(data).map_err(|error| format!("{name}: {error}"))?;
            }
            None => return Err("an event without a name that begins with neither id nor data".to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        measure::StreamMeasures,
        streams::{Group, Popularity, Reads},
    };

    const BYTES: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\nretry: 7\nevent: hello\ndata: \
        {\"epoch\":\"e\",\"symbols\":[\"A\"],\"unknown\":[]}\n\nid: e-1\ndata: {\"symbol\":\"A\",\"seq\":1,\"kind\":\"trade\",\
        \"state\":\"live\",\"recv\":60,\"trade_ts\":55,\"trades\":1}\n\nid: e-4\ndata: {\"symbol\":\"A\",\"seq\":3,\"kind\":\"quote\",\
        \"state\":\"live\",\"recv\":70,\"trade_ts\":55,\"trades\":1}\n\nevent: bye\ndata: {\"reason\":\"shutdown\"}\n\n";

    fn fixture() -> (Stream, Observer, GroupSettings) {
        let mut observer = Observer::new(Wire::Tickfan, "h".to_owned(), None);
        let symbols = [observer.seen_ticks.symbol("A")].into();
        let group = Group {
            name: "g".into(),
            count: 1,
            symbols: 1,
            popularity: Popularity::Uniform,
            query: "max_rate=4".into(),
            reads: Reads::AtOnce,
            churn: 0.0,
        };
        let mut stream = Stream::new(0, 0, symbols);
        stream.phase = Phase::Asked;
        (stream, observer, GroupSettings::new(&group))
    }

    fn told(measures: &StreamMeasures) -> (u64, u64, u64, u64) {
        (measures.opened, measures.ticks, measures.named, measures.holes)
    }

    #[test]
    fn a_stream_is_the_same_wherever_its_bytes_are_cut() {
        for cut in 1..BYTES.len() {
            let (mut stream, mut observer, group) = fixture();
            for part in [&BYTES[..cut], &BYTES[cut..]] {
                stream.take(part.as_bytes(), 50, &mut observer, &group).unwrap();
            }
            assert_eq!(told(&observer.measures), (1, 2, 2, 1), "cut at {cut}");
            assert_eq!((observer.violations.total(), stream.how_it_ends()), (0, Ended::Shutdown));
            assert_eq!(stream.retry, Duration::from_millis(7));
        }
    }

    #[test]
    fn an_answer_has_come_with_the_end_of_its_head() {
        let (mut stream, mut observer, group) = fixture();
        stream.begun = 1_000;
        let head_end = BYTES.find("retry").unwrap();
        for (part, at, told) in [
            (&BYTES[..head_end - 1], 1_200, None),
            (&BYTES[head_end - 1..head_end], 1_500, Some((1, 500))),
            (&BYTES[head_end..], 1_900, Some((1, 500))),
        ] {
            stream.take(part.as_bytes(), at, &mut observer, &group).unwrap();
            assert_eq!(observer.measures.answer.percentiles().map(|of| (of.count, of.max)), told, "at {at}");
        }
        assert_eq!(observer.measures.first_tick.percentiles().unwrap().max, 900);
    }

    #[test]
    fn latency_is_of_trades_alone_and_age_of_all_ticks() {
        let (mut stream, mut observer, group) = fixture();
        observer.is_measuring = true;
        stream.take(BYTES.as_bytes(), 50, &mut observer, &group).unwrap();
        assert_eq!(observer.measures.latency.percentiles().unwrap().count, 1);
        assert_eq!(observer.measures.age.percentiles().unwrap().count, 2);
    }

    #[test]
    fn whoever_comes_back_names_its_last_tick() {
        let (mut stream, mut observer, group) = fixture();
        let first = stream.request(&mut observer, &group);
        assert!(
            first.starts_with("GET /v1/stream?symbols=A&max_rate=4 HTTP/1.1\r\n") && !first.contains("last-event-id")
        );
        stream.take(BYTES.as_bytes(), 50, &mut observer, &group).unwrap();
        stream.drop_connection();
        assert!(stream.request(&mut observer, &group).contains("\r\nlast-event-id: e-4\r\n"));
    }

    #[test]
    fn an_answer_that_is_no_stream_is_told_in_its_own_words() {
        for (answer, told) in [
            ("HTTP/1.1 404 Not Found\r\n\r\nno such symbol", "the server answers 404: no such symbol"),
            ("HTTP/1.1 200 OK\r\n\r\n", "no text/event-stream"),
            ("SMTP", "not HTTP"),
        ] {
            let (mut stream, mut observer, group) = fixture();
            assert_eq!(stream.take(answer.as_bytes(), 0, &mut observer, &group), Err(Ended::NoStream));
            assert!(observer.refusal.unwrap().contains(told));
        }
    }
}
