//! This server.

use super::{Outcome, Request, theirs::resets};
use std::{collections::BTreeMap, time::Instant};
use tickfan::h2::{Connection, Event, Limits, RequestBody, StreamId};

pub struct Ours {
    connection: Connection,
    now: Instant,
    /// The streams whose requests are whole, and that have no answer.
    asked: BTreeMap<u32, StreamId>,
    is_over: bool,
}

impl Ours {
    pub fn new() -> Self {
        let now = Instant::now();
        let limits = Limits { streams: 100, head_bytes: 16_384, body_bytes: 16_384, reader_check: true };
        Self { connection: Connection::new(limits, now, &mut Vec::new()), now, asked: BTreeMap::new(), is_over: false }
    }

    pub fn send(&mut self, bytes: &[u8]) -> Outcome {
        let mut out = Vec::new();
        let mut events = Vec::new();
        let error = self.connection.receive(bytes, self.now, &mut out, &mut events).err();
        self.is_over |= error.is_some();
        let mut outcome = Outcome { over: error.map(|error| error.code.0), ..Outcome::default() };
        for event in events {
            match event {
                Event::Request { stream, head, body } => {
                    let body = match body {
                        RequestBody::Whole(body) => Some(body.to_vec()),
                        RequestBody::TooLong => None,
                    };
                    let mut fields = BTreeMap::<_, Vec<_>>::new();
                    for (name, value) in &head.headers {
                        fields.entry(name.to_string()).or_default().push(value.as_bytes().to_vec());
                    }
                    let request = Request {
                        method: head.method.to_string(),
                        path: head.uri.to_string(),
                        fields,
                        body,
                        has_trailers: false,
                    };
                    outcome.requests.insert(stream.number(), request);
                    self.asked.insert(stream.number(), stream);
                }
                Event::Reset { stream, .. } => {
                    self.asked.remove(&stream.number());
                }
                Event::Room { .. } | Event::GoAway { .. } => {}
            }
        }
        outcome.resets = resets(&out);
        outcome
    }

    pub fn may_answer(&self, stream: u32) -> bool {
        !self.is_over && self.asked.contains_key(&stream)
    }

    pub fn answer(&mut self, stream: u32, end: bool) -> Outcome {
        let mut out = Vec::new();
        if let Some(id) = self.asked.remove(&stream) {
            assert!(self.connection.respond(id, http::StatusCode::OK, [], end, &mut out));
        }
        Outcome { resets: resets(&out), ..Outcome::default() }
    }
}
