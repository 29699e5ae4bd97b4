//! One client: it writes the request and reads the response.

mod request;

use super::{
    group_settings::GroupSettings,
    observer::{Observer, Reader},
    plan::Reads,
    server_wire::Wire,
};
use crate::{
    check::{Reading, Rule, SeenTick, Slots, unnamed},
    measure::{Ages, Ended},
    wire::{Block, DczError, Frames, Head, Hello, ListChange, State, split_blocks},
};
use memchr::memmem;
use std::{rc::Rc, time::Duration};

/// The default wait before a client reconnects, until the server has sent `retry:`; browsers wait about as long.
const RETRY: Duration = Duration::from_secs(3);
/// The longest block of a stream.
const BLOCK_BYTES_MAX: usize = 1024 * 1024;

/// One client.
pub(super) struct Stream {
    pub(super) index: u32,
    /// The index of its group.
    pub(super) group: usize,
    /// Its symbols' numbers, sorted.
    symbols: Box<[u32]>,
    /// The index of its connection.
    pub(super) connection: u32,
    /// The number of the target that it is connected to.
    pub(super) target: usize,
    pub(super) phase: Phase,
    /// Whether it is to be open by the stages of its group.
    pub(super) is_wanted: bool,
    /// Counts its requests: a task that was scheduled for an earlier one is ignored.
    pub(super) generation: u32,
    pub(super) slots: Slots,
    /// When it was due to connect, in µs since 1970.
    pub(super) begun: i64,
    /// The data that its page has taken since it opened.
    pub(super) taken: u64,
    opened: i64,
    /// The server's name for it, from `hello`.
    pub(super) name: Box<str>,
    /// The holes in its `seq` so far.
    pub(super) holes: u64,
    /// Whether it has read a tick with data since it opened.
    pub(super) has_tick: bool,
    /// When it got its last live tick, in µs since 1970; 0: none since it opened.
    live_at: i64,
    /// The start of an incomplete block or head.
    partial: Vec<u8>,
    /// Its frames, if it is compressed.
    frames: Option<Frames>,
    last: Option<Rc<SeenTick>>,
    pub(super) retry: Duration,
    /// The ages of the ticks that it has read while all streams were open.
    pub(super) ages: Ages,
    bye: Option<Ended>,
}

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not connected.
    Away,
    /// Its connection does not take requests yet.
    Connecting,
    /// The request has been sent.
    Requested,
    /// The response is an event stream.
    Open,
}

/// Why a compressed stream cannot go on.
enum FramesError {
    Dcz(DczError),
    Ended(Ended),
}

impl From<DczError> for FramesError {
    fn from(error: DczError) -> Self {
        Self::Dcz(error)
    }
}

impl Stream {
    pub(super) fn new(index: u32, group: usize, symbols: Box<[u32]>, connection: u32) -> Self {
        Self {
            index,
            group,
            symbols,
            connection,
            target: 0,
            phase: Phase::Away,
            is_wanted: true,
            generation: 0,
            slots: Slots::default(),
            begun: 0,
            taken: 0,
            opened: 0,
            name: "".into(),
            holes: 0,
            has_tick: false,
            live_at: 0,
            partial: Vec::new(),
            frames: None,
            last: None,
            retry: RETRY,
            ages: Ages::default(),
            bye: None,
        }
    }

    /// Begins to open it.
    pub(super) fn begin(&mut self, now: i64) {
        self.phase = Phase::Connecting;
        self.begun = now;
        self.taken = 0;
        self.has_tick = false;
        self.live_at = 0;
        self.partial.clear();
        self.frames = None;
        self.bye = None;
        self.slots = Slots::default();
    }

    /// Whether it waits for its answer.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.phase, Phase::Connecting | Phase::Requested)
    }

    /// Its connection is not there: it waits for the next one.
    pub(super) fn wait_again(&mut self) {
        self.phase = Phase::Connecting;
        self.partial.clear();
    }

    /// It has ended.
    pub(super) fn end(&mut self) {
        self.phase = Phase::Away;
        self.generation += 1;
    }

    /// Processes bytes that were read at `at`.
    ///
    /// # Errors
    /// How the stream has ended, if these bytes end it.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        at: i64,
        observer: &mut Observer,
        group: &GroupSettings,
    ) -> Result<(), Ended> {
        observer.measures.bytes += bytes.len() as u64;
        if let Some(group) = observer.measures.groups.get_mut(self.group) {
            group.bytes += bytes.len() as u64;
        }
        if self.phase == Phase::Open {
            return self.read_body(bytes, at, observer, group);
        }
        self.partial.extend_from_slice(bytes);
        let Some(length) = self.read_head(at, observer, group)? else { return Ok(()) };
        let begin = std::mem::take(&mut self.partial);
        self.read_body(&begin[length..], at, observer, group)
    }

    fn read_body(
        &mut self,
        bytes: &[u8],
        at: i64,
        observer: &mut Observer,
        group: &GroupSettings,
    ) -> Result<(), Ended> {
        let Some(mut frames) = self.frames.take() else { return self.read_blocks(bytes, at, observer, group) };
        let Some(mut decoder) = observer.decoder.take() else { return Ok(()) };
        let read = frames.read(bytes, &mut decoder, |plain| {
            self.read_blocks(plain, at, observer, group).map_err(FramesError::Ended)
        });
        observer.decoder = Some(decoder);
        self.frames = Some(frames);
        read.map_err(|error| match error {
            FramesError::Ended(how) => how,
            FramesError::Dcz(error) => {
                let begin = &bytes[..bytes.len().min(256)];
                observer.violations.note(Rule::Malformed, Some(self.index), at, error.to_string(), begin);
                Ended::NoStream
            }
        })
    }

    fn read_blocks(
        &mut self,
        bytes: &[u8],
        at: i64,
        observer: &mut Observer,
        group: &GroupSettings,
    ) -> Result<(), Ended> {
        let mut partial = std::mem::take(&mut self.partial);
        let unprocessed = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            &partial
        };
        let taken = split_blocks(unprocessed, |block| self.block(block, at, observer, group));
        if unprocessed.len() - taken > BLOCK_BYTES_MAX {
            let what = format!("a block is longer than {BLOCK_BYTES_MAX} bytes");
            observer.violations.note(Rule::Malformed, Some(self.index), at, what, &unprocessed[taken..taken + 256]);
            return Err(Ended::NoStream);
        }
        if partial.is_empty() {
            self.partial.extend_from_slice(&bytes[taken..]);
        } else {
            partial.drain(..taken);
            self.partial = partial;
        }
        Ok(())
    }

    /// How the stream ends if its connection ends now.
    pub(super) fn how_it_ends(&self) -> Ended {
        self.bye.unwrap_or(Ended::Ended)
    }

    /// The symbols that it shows as live.
    pub(super) fn live(&self) -> impl Iterator<Item = u32> {
        self.slots
            .last()
            .filter(|(_, tick)| tick.is_some_and(|tick| tick.state == State::Live))
            .map(|(symbol, _)| symbol)
    }

    /// Reads the head; returns where the events begin, or `None` while the head is incomplete.
    fn read_head(&mut self, at: i64, observer: &mut Observer, group: &GroupSettings) -> Result<Option<usize>, Ended> {
        let read = Head::read(&self.partial).map_err(|error| observer.refuse(error.to_string()))?;
        let Some((head, length)) = read else { return Ok(None) };
        let begin = self.partial[length..].to_vec();
        self.answered(&head, &begin, at, observer, group).map(|()| Some(length))
    }

    /// The head of the response has arrived, and maybe the beginning of its body.
    ///
    /// # Errors
    /// How the stream ends: the response is not a stream.
    pub(super) fn answered(
        &mut self,
        head: &Head,
        body: &[u8],
        at: i64,
        observer: &mut Observer,
        group: &GroupSettings,
    ) -> Result<(), Ended> {
        if head.status != 200 {
            let body: String = String::from_utf8_lossy(body).chars().take(300).collect();
            return Err(observer.refuse(format!("the server answers {}: {}", head.status, body.trim())));
        }
        if !head.is_event_stream {
            return Err(
                observer.refuse("the server answers 200, but its content type is not text/event-stream".to_owned())
            );
        }
        if head.is_chunked {
            return Err(observer.refuse("the answer is chunked, which the load tester does not support".to_owned()));
        }
        // A gateway that refuses a stream says so in plain text.
        let is_refused = memmem::find(body, b"event: bye").is_some();
        let wants_dcz = group.compress && observer.decoder.is_some();
        if head.is_dcz != wants_dcz && !is_refused {
            let is = if head.is_dcz { "" } else { "not " };
            return Err(
                observer.refuse(format!("the answer is {is}compressed with a dictionary (content-encoding: dcz)"))
            );
        }
        self.frames = head.is_dcz.then(Frames::default);
        self.phase = Phase::Open;
        self.opened = at;
        observer.measures.answer.record(at - self.begun);
        observer.measures.opened += 1;
        if let Some(group) = observer.measures.groups.get_mut(self.group) {
            group.answer.record(at - self.begun);
            group.opened += 1;
        }
        Ok(())
    }

    fn block(&mut self, block: &[u8], at: i64, observer: &mut Observer, group: &GroupSettings) {
        let reader = Reader {
            now: at,
            opened: self.opened,
            reads_at_once: group.reads == Reads::AtOnce,
            is_whole: group.is_whole,
            target: self.target,
            group: self.group,
        };
        if observer.wire != Wire::Tickfan {
            return observer.count(block, reader);
        }
        let old_after = observer.old_after.filter(|_| reader.reads_at_once);
        let reading = Reading { stream: self.index, now: at, opened: self.opened, old_after };
        if !(block.starts_with(b"id:") || block.starts_with(b"data:") || unnamed(block).is_some()) {
            return self.read_named_event(block, reading, observer);
        }
        let Some(read) = self.slots.read(block, reading, &mut observer.seen_ticks, &mut observer.violations) else {
            return;
        };
        let tick = read.seen.tick;
        self.holes += read.missed;
        if let Some(age) = observer.measure(read.symbol, tick, read.missed, reader) {
            self.ages.add(age);
        }
        if group.is_whole {
            *observer.measures.holes_of_whole.get_or_insert(0) += read.missed;
            if tick.state == State::Live {
                observer.measure_live_gap(std::mem::replace(&mut self.live_at, at), at);
            }
        }
        if tick.seq == 0 {
            return;
        }
        if !self.has_tick {
            self.has_tick = true;
            observer.measures.first_tick.record(at - self.begun);
            if let Some(group) = observer.measures.groups.get_mut(self.group) {
                group.first_tick.record(at - self.begun);
            }
        }
        self.last = Some(read.seen);
    }

    fn read_named_event(&mut self, block: &[u8], reading: Reading, observer: &mut Observer) {
        observer.measures.named += 1;
        if let Err(what) = self.try_read_named_event(block, reading, observer) {
            observer.violations.note(Rule::Malformed, Some(self.index), reading.now, what, block);
        }
    }

    fn try_read_named_event(&mut self, block: &[u8], reading: Reading, observer: &mut Observer) -> Result<(), String> {
        let fields = Block::read(block).map_err(|error| error.to_string())?;
        let data =
            fields.data.filter(|_| fields.data_lines == 1).ok_or("an event must have exactly one line of data")?;
        if let Some(millis) = fields.retry_millis {
            self.retry = Duration::from_millis(millis);
        }
        match fields.event {
            Some("hello") => {
                let hello: Hello<'_> = serde_json::from_str(data).map_err(|error| format!("hello: {error}"))?;
                self.name = hello.stream.as_ref().into();
                self.slots.begin(&hello, &self.symbols, reading, &mut observer.seen_ticks, &mut observer.violations);
            }
            Some("symbols") => {
                let list: ListChange<'_> = serde_json::from_str(data).map_err(|error| format!("symbols: {error}"))?;
                self.slots.relist(&list, &mut observer.seen_ticks);
            }
            Some("bye") => {
                let is_busy = data.contains("\"busy\"");
                self.bye = Some(if is_busy { Ended::Busy } else { Ended::Shutdown });
            }
            // The wire may grow by other events, whose data are JSON too.
            Some(name) => {
                serde_json::from_str::<serde::de::IgnoredAny>(data).map_err(|error| format!("{name}: {error}"))?;
            }
            None => return Err("an event without a name begins with neither id nor data".to_owned()),
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
