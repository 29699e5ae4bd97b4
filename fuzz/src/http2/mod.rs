//! A client of HTTP/2 that any bytes describe, and two servers that must agree about it: this one, and that of the `h2`
//! crate.

mod differences;
mod ours;
mod script;
mod serving;
pub mod socket;
mod theirs;

use script::{Frame, Step, frames, script};
pub use serving::serve;

use bytes::Bytes;
use differences::Sent;
use ours::Ours;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use theirs::Theirs;

/// A type of frames.
const GOAWAY: u8 = 0x7;

/// A whole request, as both servers see it: fields by name, the crumbs of a cookie joined, the authority as `host`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub fields: BTreeMap<String, Vec<Vec<u8>>>,
    /// None: it is longer than we take.
    pub body: Option<Vec<u8>>,
    /// Their trailers, of which ours only says whether they were valid.
    pub has_trailers: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, fields, body, has_trailers } = self;
        let fields: Vec<_> = fields
            .iter()
            .flat_map(|(name, values)| values.iter().map(move |value| (name, Bytes::copy_from_slice(value))))
            .collect();
        let body = body.as_ref().map(Vec::len);
        write!(f, "{method} {path} {fields:?} body {body:?} trailers {has_trailers}")
    }
}

/// What a server did with the bytes of a step.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The requests that became whole.
    pub requests: BTreeMap<u32, Request>,
    /// The streams that it reset because of a mistake, with the code.
    pub resets: BTreeMap<u32, u32>,
    /// The code with which it ended the connection.
    pub over: Option<u32>,
    /// The client's GOAWAY made it stop.
    pub has_left: bool,
}

impl Outcome {
    fn add(&mut self, next: Self) {
        self.requests.extend(next.requests);
        self.resets.extend(next.resets);
        self.over = self.over.or(next.over);
        self.has_left |= next.has_left;
    }
}

/// Sends the steps to both servers, and compares what they did after each.
///
/// # Panics
/// If they disagree, and `differences` does not say why.
pub fn compare(bytes: &[u8]) {
    let steps = script(bytes);
    let mut ours = Ours::new();
    let mut theirs = Theirs::new();
    let mut reset = BTreeMap::new();
    let mut too_long = BTreeMap::new();
    let mut nameless = BTreeSet::new();
    let mut ended = BTreeSet::new();
    let mut has_left = false;
    // Since the last comparison.
    let mut ours_did = Outcome::default();
    let mut theirs_did = Outcome::default();
    let mut sent = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        match step {
            Step::Send(bytes) => {
                ours_did.add(ours.send(bytes));
                theirs_did.add(theirs.send(bytes));
                sent.extend(frames(bytes));
            }
            // An answer takes both, or a stream would be open here and closed there.
            Step::Answer { stream, end } if ours.may_answer(*stream) && theirs.may_answer(*stream) => {
                ours_did.add(ours.answer(*stream, *end));
                theirs_did.add(theirs.answer(*stream, *end));
            }
            Step::Answer { .. } => {}
        }
        // They look at a header block piece by piece, we at its end.
        if sent.last().is_some_and(Frame::leaves_block_open) {
            continue;
        }
        nameless.extend(sent.iter().filter(|frame| frame.may_be_nameless).map(|frame| frame.stream));
        ended.extend(sent.iter().filter(|frame| frame.ends_stream()).map(|frame| frame.stream));
        has_left |= sent.iter().any(|frame| frame.kind == GOAWAY);
        // After the client's GOAWAY they only wait for the end, and check that the next one names no higher stream.
        if theirs_did.has_left || (theirs_did.over.is_some() && has_left) {
            return;
        }
        reset.append(&mut ours_did.resets.clone());
        // We report a body that is too long before its end.
        ours_did.requests.append(&mut too_long);
        let client = Sent { frames: &sent, nameless: &nameless, ended: &ended };
        if let Some(difference) = differences::find(&ours_did, &theirs_did, &client, &reset) {
            panic!("step {place}: {difference}\nours {ours_did:?}\ntheirs {theirs_did:?}\n{steps:#?}");
        }
        // They do not read the block of a stream that depends on itself: from here on their table differs.
        let is_off = sent.iter().any(|frame| frame.depends_on_itself);
        if ours_did.over.is_some() || theirs_did.over.is_some() || is_off {
            return;
        }
        too_long = ours_did.requests.into_iter().filter(|(_, request)| request.body.is_none()).collect();
        ours_did = Outcome::default();
        theirs_did = Outcome::default();
        sent.clear();
    }
}
