//! Requests: header blocks and bodies to events.

use super::{
    Connection, ConnectionError, ErrorCode, Event, Reason, RequestBody, StreamId,
    error::Mistake,
    flow::INITIAL_WINDOW,
    frame,
    guard::{CONTINUATIONS_MAX, REQUEST_BYTES_MAX},
    head::{Fields, Head, Malformed},
    state::{Block, BlockStart, Place, Sink},
    stream::{Stream, Streams, Unfinished},
};
use bytes::Bytes;
use http::header;

impl Connection {
    pub(super) fn on_headers(
        &mut self,
        start: BlockStart,
        fragment: &[u8],
        end_headers: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Mistake> {
        // Even numbers are the server's.
        if start.id.is_multiple_of(2) {
            return Err(ErrorCode::PROTOCOL_ERROR.into());
        }
        if self.place(start.id) == Place::Closed {
            let is_late = self.closed.has_ended(start.id);
            return Err(if is_late { ErrorCode::STREAM_CLOSED } else { ErrorCode::PROTOCOL_ERROR }.into());
        }
        let mut block = Block::new(start, sink.now);
        block.add(fragment, self.limits.head_bytes)?;
        if end_headers {
            return self.on_block(block, sink);
        }
        if fragment.is_empty() {
            self.guard.control_frame(sink.now)?;
        }
        self.block = Some(Box::new(block));
        Ok(())
    }

    pub(super) fn on_continuation(
        &mut self,
        fragment: &[u8],
        end_headers: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Mistake> {
        let mut block = self.block.take().ok_or(ErrorCode::PROTOCOL_ERROR)?;
        block.continuations += 1;
        if block.continuations > CONTINUATIONS_MAX {
            return Err(ConnectionError::calm(Reason::Continuations).into());
        }
        block.add(fragment, self.limits.head_bytes)?;
        if end_headers {
            return self.on_block(*block, sink);
        }
        if fragment.is_empty() {
            self.guard.control_frame(sink.now)?;
        }
        self.block = Some(block);
        Ok(())
    }

    /// A whole block. It is decoded whatever becomes of its stream: the next one may refer to it.
    fn on_block(&mut self, block: Block, sink: &mut Sink<'_>) -> Result<(), Mistake> {
        let BlockStart { id, end_stream, .. } = block.start;
        let decoded_max = self.limits.head_bytes as usize * 2;
        let place = self.place(id);
        let mut fields = match place {
            Place::Idle => Fields::of_head(decoded_max),
            _ => Fields::of_trailers(decoded_max),
        };
        self.decoder.decode(&block.bytes, |name, value| fields.add(name, value))?;
        match place {
            Place::Idle => Ok(self.on_request(block.start, fields, sink)?),
            Place::Open => self.on_trailers(block.start, fields, sink),
            Place::Unserved => Ok(self.guard.reset(self.limits.streams, sink.now)?),
            Place::Discarded | Place::Closed => {
                if end_stream {
                    self.closed.end(id);
                }
                Ok(self.guard.control_frame(sink.now)?)
            }
        }
    }

    /// A new stream.
    fn on_request(&mut self, start: BlockStart, fields: Fields, sink: &mut Sink<'_>) -> Result<(), ConnectionError> {
        self.last = start.id;
        match self.admit(start, fields) {
            Ok(head) => {
                self.open(start, head, sink);
                Ok(())
            }
            Err(code) => {
                frame::write_reset(start.id, code, sink.out);
                self.closed.add(start.id, start.end_stream);
                self.guard.reset(self.limits.streams, sink.now)
            }
        }
    }

    fn admit(&self, start: BlockStart, fields: Fields) -> Result<Head, ErrorCode> {
        let head = fields.finish_head().map_err(|Malformed| ErrorCode::PROTOCOL_ERROR)?;
        let lacks_body = start.end_stream && head.content_length.unwrap_or(0) > 0;
        if start.depends_on_itself || lacks_body {
            return Err(ErrorCode::PROTOCOL_ERROR);
        }
        let has_room = self.streams.len() < self.limits.streams as usize
            && self.streams.request_bytes() + head.bytes <= REQUEST_BYTES_MAX
            && (start.end_stream || self.streams.may_gather());
        if !has_room {
            return Err(ErrorCode::REFUSED_STREAM);
        }
        Ok(head)
    }

    fn open(&mut self, start: BlockStart, head: Head, sink: &mut Sink<'_>) {
        let id = StreamId(start.id);
        let mut stream = Stream::new(start.id, start.end_stream, self.initial_window, sink.now);
        stream.request_bytes = head.bytes as u32;
        if start.end_stream {
            sink.events.push(Event::Request { stream: id, head: head.parts, body: RequestBody::Whole(Bytes::new()) });
        } else if head.content_length.is_some_and(|length| length > u64::from(self.limits.body_bytes)) {
            sink.events.push(Event::Request { stream: id, head: head.parts, body: RequestBody::TooLong });
        } else {
            let expect = head.parts.headers.get(header::EXPECT);
            if expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
                write_continue(self, start.id, sink.out);
            }
            stream = stream.with_unfinished(Unfinished { head, body: Vec::new(), began: sink.now });
        }
        self.streams.push(stream);
    }

    /// A second header block of an open stream: it must end the request.
    fn on_trailers(&mut self, start: BlockStart, fields: Fields, sink: &mut Sink<'_>) -> Result<(), Mistake> {
        let is_malformed = fields.finish_trailers().is_err() || start.depends_on_itself || !start.end_stream;
        let Some(stream) = self.streams.get_mut(start.id) else { return Ok(()) };
        if stream.has_ended {
            return Err(Mistake::Stream(ErrorCode::STREAM_CLOSED));
        }
        stream.has_ended = start.end_stream;
        if is_malformed {
            return Err(Mistake::Stream(ErrorCode::PROTOCOL_ERROR));
        }
        if let Some(unfinished) = stream.unfinished() {
            unfinished.check_length(0, true)?;
        }
        announce(&mut self.streams, start.id, whole, sink);
        Ok(())
    }

    pub(super) fn on_data(
        &mut self,
        id: u32,
        data: &[u8],
        flow_bytes: u32,
        end_stream: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Mistake> {
        let place = self.place(id);
        match place {
            Place::Idle => return Err(ErrorCode::PROTOCOL_ERROR.into()),
            Place::Closed => return Err(ErrorCode::STREAM_CLOSED.into()),
            Place::Open | Place::Discarded | Place::Unserved => {}
        }
        let left = self.receive_window.checked_sub(flow_bytes);
        self.receive_window = left.ok_or(ErrorCode::FLOW_CONTROL_ERROR)?;
        refill(0, &mut self.receive_window, sink.out);
        if data.is_empty() && !end_stream {
            self.guard.control_frame(sink.now)?;
        }
        let Some(stream) = self.streams.get_mut(id) else {
            if end_stream && place == Place::Discarded {
                self.closed.end(id);
            }
            return Ok(self.guard.control_frame(sink.now)?);
        };
        if stream.has_ended {
            return Err(Mistake::Stream(ErrorCode::STREAM_CLOSED));
        }
        stream.has_ended = end_stream;
        let left = stream.receive_window.checked_sub(flow_bytes);
        stream.receive_window = left.ok_or(Mistake::Stream(ErrorCode::FLOW_CONTROL_ERROR))?;
        gather(&mut self.streams, id, data, self.limits.body_bytes, sink)
    }
}

/// Adds to a request's body.
fn gather(streams: &mut Streams, id: u32, data: &[u8], bytes_max: u32, sink: &mut Sink<'_>) -> Result<(), Mistake> {
    let bytes_before = streams.unfinished_bytes();
    let Some(stream) = streams.get_mut(id) else { return Ok(()) };
    let has_ended = stream.has_ended;
    // A body that is too long is thrown away.
    let Some(unfinished) = stream.unfinished() else { return Ok(()) };
    unfinished.check_length(data.len(), has_ended)?;
    if unfinished.body.len() + data.len() > bytes_max as usize {
        announce(streams, id, |_| RequestBody::TooLong, sink);
        return Ok(());
    }
    if bytes_before + data.len() > REQUEST_BYTES_MAX {
        return Err(Mistake::Stream(ErrorCode::REFUSED_STREAM));
    }
    unfinished.body.extend_from_slice(data);
    stream.request_bytes += data.len() as u32;
    if has_ended {
        announce(streams, id, whole, sink);
    } else {
        refill(id, &mut stream.receive_window, sink.out);
    }
    Ok(())
}

impl Unfinished {
    /// Checks that the body has the length that its head declares.
    fn check_length(&self, more: usize, end: bool) -> Result<(), Mistake> {
        let length = (self.body.len() + more) as u64;
        match self.head.content_length {
            Some(declared) if length > declared || (end && length < declared) => {
                Err(Mistake::Stream(ErrorCode::PROTOCOL_ERROR))
            }
            _ => Ok(()),
        }
    }
}

fn whole(body: Vec<u8>) -> RequestBody {
    RequestBody::Whole(body.into())
}

/// Hands a request over, unless that was done.
fn announce(streams: &mut Streams, id: u32, body: impl FnOnce(Vec<u8>) -> RequestBody, sink: &mut Sink<'_>) {
    if let Some(unfinished) = streams.take_unfinished(id) {
        let event = Event::Request { stream: StreamId(id), head: unfinished.head.parts, body: body(unfinished.body) };
        sink.events.push(event);
    }
}

/// Gives back what a client used of a window, once half of it is used.
fn refill(stream: u32, window: &mut u32, out: &mut Vec<u8>) {
    if *window < INITIAL_WINDOW / 2 {
        frame::write_window_update(stream, INITIAL_WINDOW - *window, out);
        *window = INITIAL_WINDOW;
    }
}

/// Tells a client that waits for it that it may send the body.
fn write_continue(connection: &mut Connection, id: u32, out: &mut Vec<u8>) {
    let mut block = Vec::new();
    connection.begin_head("100", &mut block);
    frame::write_head(block.len(), frame::HEADERS, frame::END_HEADERS, id, out);
    out.extend_from_slice(&block);
}
