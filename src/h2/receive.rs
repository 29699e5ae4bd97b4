//! What the client sends: frames, and the states of its streams (RFC 9113, section 5.1).

use super::{
    Connection, ConnectionError, ErrorCode, Event, Reason, StreamId,
    connection::HEADER_TABLE_SIZE,
    error::Mistake,
    flow::{Overflow, WINDOW_MAX},
    frame::{self, Frame, FrameHead, HEAD_BYTES, PAYLOAD_MAX},
    guard::OUT_MAX,
    state::{BlockStart, Place, Progress, Sink},
};
use std::{mem, ops::RangeInclusive};

/// What every client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const ENABLE_PUSH: u16 = 0x2;
const INITIAL_WINDOW_SIZE: u16 = 0x4;
const MAX_FRAME_SIZE: u16 = 0x5;
const FRAME_SIZES: RangeInclusive<u32> = 1 << 14..=(1 << 24) - 1;
/// RFC 8441.
const ENABLE_CONNECT_PROTOCOL: u16 = 0x8;
/// RFC 9218.
const NO_RFC7540_PRIORITIES: u16 = 0x9;

impl Connection {
    /// Reads all whole frames, and keeps the rest.
    pub(super) fn read_input(&mut self, input: &[u8], sink: &mut Sink<'_>) -> Result<(), ConnectionError> {
        if self.is_over() {
            return Ok(());
        }
        let mut pending = mem::take(&mut self.pending);
        let was_waiting = !pending.is_empty();
        let bytes = if was_waiting {
            pending.extend_from_slice(input);
            &pending
        } else {
            input
        };
        let mut rest = bytes;
        while let Some(read) = self.read_next(rest, sink)? {
            rest = &rest[read..];
        }
        let has_read = rest.len() < bytes.len();
        if (has_read || !was_waiting) && self.has_settings() {
            self.pending_since = sink.now;
        }
        self.pending = if was_waiting && !has_read { pending } else { rest.to_vec() };
        Ok(())
    }

    pub(super) fn has_settings(&self) -> bool {
        !matches!(self.progress, Progress::Preface | Progress::Settings)
    }

    /// Reads the preface or a frame, if it is whole; returns its length.
    fn read_next(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<Option<usize>, ConnectionError> {
        if self.progress == Progress::Preface {
            let compared = bytes.len().min(PREFACE.len());
            if bytes[..compared] != PREFACE[..compared] {
                return Err(ConnectionError { code: ErrorCode::PROTOCOL_ERROR, reason: Reason::NotHttp2 });
            }
            if compared < PREFACE.len() {
                return Ok(None);
            }
            self.progress = Progress::Settings;
            return Ok(Some(PREFACE.len()));
        }
        let Some(head) = FrameHead::read(bytes) else { return Ok(None) };
        if head.length > PAYLOAD_MAX {
            return Err(ErrorCode::FRAME_SIZE_ERROR.into());
        }
        let length = HEAD_BYTES + head.length;
        let Some(payload) = bytes.get(HEAD_BYTES..length) else { return Ok(None) };
        let replies = sink.out.len();
        self.read_frame(head, payload, sink)?;
        if sink.out.len() > replies.max(OUT_MAX) {
            return Err(ConnectionError::calm(Reason::Replies));
        }
        Ok(Some(length))
    }

    fn read_frame(&mut self, head: FrameHead, payload: &[u8], sink: &mut Sink<'_>) -> Result<(), ConnectionError> {
        if self.block.as_ref().is_some_and(|block| !head.continues(block.start.id)) {
            return Err(ErrorCode::PROTOCOL_ERROR.into());
        }
        let frame = Frame::read(head, payload);
        if self.progress == Progress::Settings && !matches!(frame, Ok(Frame::Settings(_)) | Err(Mistake::Connection(_)))
        {
            return Err(ErrorCode::PROTOCOL_ERROR.into());
        }
        let code = match frame.and_then(|frame| self.on_frame(head.stream, frame, sink)) {
            Ok(()) => return Ok(()),
            Err(Mistake::Connection(error)) => return Err(error),
            Err(Mistake::Stream(code)) => code,
        };
        // Without a stream to reset, the connection answers for it.
        let stream = self.streams.remove(head.stream).ok_or(code)?;
        self.closed.add(stream.id, stream.has_ended);
        frame::write_reset(stream.id, code, sink.out);
        if stream.is_known() {
            sink.events.push(Event::Reset { stream: StreamId(stream.id), code });
        }
        self.guard.reset(self.limits.streams, sink.now)
    }

    fn on_frame(&mut self, id: u32, frame: Frame<'_>, sink: &mut Sink<'_>) -> Result<(), Mistake> {
        match frame {
            Frame::Data { data, flow_bytes, end_stream } => {
                return self.on_data(id, data, flow_bytes, end_stream, sink);
            }
            Frame::Headers { fragment, end_stream, end_headers, depends_on } => {
                let start = BlockStart { id, end_stream, depends_on_itself: depends_on == Some(id) };
                return self.on_headers(start, fragment, end_headers, sink);
            }
            Frame::Continuation { fragment, end_headers } => return self.on_continuation(fragment, end_headers, sink),
            Frame::Reset(code) => return Ok(self.on_reset(id, code, sink)?),
            Frame::WindowUpdate(increment) => return self.on_window_update(id, increment, sink),
            Frame::Priority { .. }
            | Frame::Settings(_)
            | Frame::SettingsAck
            | Frame::Ping(_)
            | Frame::PingAck
            | Frame::GoAway(_)
            | Frame::PriorityUpdate
            | Frame::Unknown => self.guard.control_frame(sink.now)?,
        }
        match frame {
            Frame::Priority { depends_on } if depends_on == id => {
                return Err(Mistake::Stream(ErrorCode::PROTOCOL_ERROR));
            }
            Frame::Settings(settings) => self.on_settings(settings, sink)?,
            Frame::SettingsAck => {
                self.acks_due = self.acks_due.checked_sub(1).ok_or(ErrorCode::PROTOCOL_ERROR)?;
                if self.acks_due == 0 && self.has_shrunk_table {
                    self.decoder.acknowledged();
                }
            }
            Frame::Ping(opaque) => frame::write_ping_ack(opaque, sink.out),
            Frame::GoAway(code) => sink.events.push(Event::GoAway { code }),
            _ => {}
        }
        Ok(())
    }

    fn on_settings(&mut self, settings: &[u8], sink: &mut Sink<'_>) -> Result<(), ConnectionError> {
        let mut initial_window = self.initial_window;
        for &[n0, n1, v0, v1, v2, v3] in settings.as_chunks::<6>().0 {
            let value = u32::from_be_bytes([v0, v1, v2, v3]);
            match u16::from_be_bytes([n0, n1]) {
                ENABLE_PUSH | ENABLE_CONNECT_PROTOCOL | NO_RFC7540_PRIORITIES if value > 1 => {
                    return Err(ErrorCode::PROTOCOL_ERROR.into());
                }
                INITIAL_WINDOW_SIZE if i64::from(value) > WINDOW_MAX => {
                    return Err(ErrorCode::FLOW_CONTROL_ERROR.into());
                }
                INITIAL_WINDOW_SIZE => initial_window = value,
                MAX_FRAME_SIZE if !FRAME_SIZES.contains(&value) => return Err(ErrorCode::PROTOCOL_ERROR.into()),
                HEADER_TABLE_SIZE => self.owes_table_size = true,
                // Our frames have the smallest size that can be set.
                _ => {}
            }
        }
        let difference = i64::from(initial_window) - i64::from(self.initial_window);
        self.initial_window = initial_window;
        for stream in self.streams.iter_mut() {
            stream.flow.adjust(difference).map_err(|Overflow| ErrorCode::FLOW_CONTROL_ERROR)?;
        }
        frame::write_settings_ack(sink.out);
        if self.progress == Progress::Settings {
            self.progress = Progress::Open;
        }
        self.has_grown = true;
        Ok(())
    }

    fn on_window_update(&mut self, id: u32, increment: u32, sink: &mut Sink<'_>) -> Result<(), Mistake> {
        self.guard.window_update()?;
        if id == 0 {
            if increment == 0 {
                return Err(ErrorCode::PROTOCOL_ERROR.into());
            }
            self.window.add(i64::from(increment)).map_err(|Overflow| ErrorCode::FLOW_CONTROL_ERROR)?;
            self.has_grown = true;
            return Ok(());
        }
        if self.place(id) == Place::Idle {
            return Err(ErrorCode::PROTOCOL_ERROR.into());
        }
        if increment == 0 {
            return Err(Mistake::Stream(ErrorCode::PROTOCOL_ERROR));
        }
        // An update may cross with the end of its stream.
        let Some(stream) = self.streams.get_mut(id) else { return Ok(()) };
        let updated = stream.flow.update(increment, self.initial_window, sink.now);
        updated.map_err(|Overflow| Mistake::Stream(ErrorCode::FLOW_CONTROL_ERROR))?;
        if stream.flow.wakes(&self.window, self.initial_window, sink.now) {
            sink.events.push(Event::Room { stream: StreamId(id) });
        }
        Ok(())
    }

    fn on_reset(&mut self, id: u32, code: ErrorCode, sink: &mut Sink<'_>) -> Result<(), ConnectionError> {
        if self.place(id) == Place::Idle {
            return Err(ErrorCode::PROTOCOL_ERROR.into());
        }
        let Some(stream) = self.streams.remove(id) else {
            // It crossed with the end of the stream.
            if self.closed.is_discarded(id) {
                self.closed.end(id);
            }
            return self.guard.control_frame(sink.now);
        };
        self.closed.end(id);
        if stream.is_known() {
            sink.events.push(Event::Reset { stream: StreamId(id), code });
        }
        self.guard.reset(self.limits.streams, sink.now)
    }

    pub(super) fn place(&self, id: u32) -> Place {
        let is_clients = id % 2 == 1;
        if self.streams.get(id).is_some() {
            Place::Open
        } else if is_clients && self.last_served.is_some_and(|last| id > last) {
            Place::Unserved
        } else if !is_clients || id > self.last {
            Place::Idle
        } else if self.closed.is_discarded(id) {
            Place::Discarded
        } else {
            Place::Closed
        }
    }
}
