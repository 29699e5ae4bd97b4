//! In what the two servers may differ, and why. Whatever else differs is a fault.

use super::{Frame, Outcome, Request};
use std::collections::{BTreeMap, BTreeSet};

const PROTOCOL_ERROR: u32 = 0x1;
const FLOW_CONTROL_ERROR: u32 = 0x3;
const STREAM_CLOSED: u32 = 0x5;
const FRAME_SIZE_ERROR: u32 = 0x6;
const REFUSED_STREAM: u32 = 0x7;
const COMPRESSION_ERROR: u32 = 0x9;
const ENHANCE_YOUR_CALM: u32 = 0xb;
/// Of a header block.
const CONTINUATIONS_MAX: usize = 8;

/// What the client sent.
pub struct Sent<'a> {
    /// Its frames since the last comparison.
    pub frames: &'a [Frame],
    /// The streams whose request may have a field without a name.
    pub nameless: &'a BTreeSet<u32>,
    /// The streams that it has ended, or reset.
    pub ended: &'a BTreeSet<u32>,
}

impl Sent<'_> {
    /// Whether a frame is of a stream that the client had ended, or ends.
    fn uses_ended(&self) -> bool {
        self.frames.iter().any(|frame| self.ended.contains(&frame.stream))
    }

    /// Whether another frame came in the middle of a header block.
    fn breaks_off_block(&self) -> bool {
        self.frames.windows(2).any(|pair| pair[0].leaves_block_open() && pair[1].kind != 0x9)
    }
}

/// The first difference that has no reason. `reset` are the streams that we have reset so far.
pub fn find(ours: &Outcome, theirs: &Outcome, client: &Sent<'_>, reset: &BTreeMap<u32, u32>) -> Option<String> {
    let (sent, nameless) = (client.frames, client.nameless);
    let is_sent = |stream: &u32| sent.iter().any(|frame| frame.stream == *stream);
    match (ours.over, theirs.over) {
        (Some(our_code), Some(their_code)) => {
            let is_same = our_code == their_code || why_codes_differ(our_code, their_code, client).is_some();
            return (!is_same).then(|| format!("we end with {our_code}, they with {their_code}"));
        }
        // What is a mistake of a stream for them may be one of the connection for us: its stream is not open.
        (Some(_), None) if theirs.resets.keys().any(is_sent) => return None,
        (Some(code), None) => {
            return why_we_end(code, client, reset).is_none().then(|| format!("we end with {code}, they go on"));
        }
        (None, Some(code)) => {
            return why_they_end(code, ours, sent, reset).is_none().then(|| format!("they end with {code}, we go on"));
        }
        (None, None) => {}
    }
    if let Some(stream) = theirs.resets.keys().find(|stream| !reset.contains_key(stream)) {
        return Some(format!("they reset stream {stream}, we do not"));
    }
    let differs = |(stream, request): (&u32, &Request)| match ours.requests.get(stream) {
        Some(our_request) if is_same(our_request, request) => None,
        Some(_) => Some(format!("the requests of stream {stream} differ")),
        // We take fewer unfinished bodies at a time.
        None if reset.get(stream) == Some(&REFUSED_STREAM) => None,
        None if reset.contains_key(stream) && why_refused(request).is_some() => None,
        // 8.2.1: they leave out a field without a name.
        None if reset.contains_key(stream) && nameless.contains(stream) => None,
        None => Some(format!("they have a request of stream {stream}, we do not")),
    };
    theirs.requests.iter().find_map(differs)
}

/// Both end the connection. The sections are those of RFC 9113.
fn why_codes_differ(ours: u32, theirs: u32, client: &Sent<'_>) -> Option<&'static str> {
    let has = |kinds: &[u8]| client.frames.iter().any(|frame| kinds.contains(&frame.kind));
    match ours {
        PROTOCOL_ERROR if client.breaks_off_block() => Some("6.10: they take frames behind a block that they gave up"),
        STREAM_CLOSED if client.uses_ended() && client.breaks_off_block() => {
            Some("5.1: they look at the stream of a block at its end, and at the frame that breaks it off before")
        }
        _ if theirs != PROTOCOL_ERROR => None,
        STREAM_CLOSED if client.uses_ended() => Some("5.1: they have no code of its own for a stream that has ended"),
        COMPRESSION_ERROR if has(&[0x1, 0x9]) => Some("4.3: they have no code of its own for fields"),
        FLOW_CONTROL_ERROR if has(&[0x0, 0x4, 0x8]) => {
            Some("6.9: they have no code of its own for windows in settings")
        }
        FRAME_SIZE_ERROR => Some("4.2: they have no code of its own for lengths"),
        _ => None,
    }
}

fn why_we_end(code: u32, client: &Sent<'_>, reset: &BTreeMap<u32, u32>) -> Option<&'static str> {
    let sent = client.frames;
    let has = |kind| sent.iter().any(|frame| frame.kind == kind);
    match code {
        ENHANCE_YOUR_CALM if sent.iter().filter(|frame| frame.kind == 0x9).count() > CONTINUATIONS_MAX => {
            Some("we take fewer CONTINUATION frames")
        }
        STREAM_CLOSED if client.uses_ended() => {
            Some("we remember that the client had ended a stream that was reset later")
        }
        PROTOCOL_ERROR if sent.iter().any(|frame| frame.kind == 0x1 && reset.contains_key(&frame.stream)) => {
            Some("5.1.1: they remember longer that a stream was reset, and ignore that it begins again")
        }
        PROTOCOL_ERROR | FRAME_SIZE_ERROR if has(0x10) => Some("they do not know PRIORITY_UPDATE (RFC 9218)"),
        PROTOCOL_ERROR if has(0x4) => Some("they do not know SETTINGS_NO_RFC7540_PRIORITIES (RFC 9218)"),
        PROTOCOL_ERROR if has(0x2) => Some("they let a closed stream depend on itself"),
        PROTOCOL_ERROR | COMPRESSION_ERROR if sent.iter().any(|frame| frame.kind == 0x1 && frame.flags & 0x20 != 0) => {
            Some("they reset a stream that depends on itself before they look at the rest of its frame")
        }
        PROTOCOL_ERROR if client.breaks_off_block() => {
            Some("6.10: they give a block up at a fragment that is malformed, and take any frame behind it")
        }
        COMPRESSION_ERROR if has(0x9) => Some(
            "RFC 7541, 4.2: they take a change of the table's size in the middle of a block, at the start of a fragment",
        ),
        PROTOCOL_ERROR if has(0x5) => Some("they wait for the end of a PUSH_PROMISE"),
        _ => None,
    }
}

fn why_they_end(code: u32, ours: &Outcome, sent: &[Frame], reset: &BTreeMap<u32, u32>) -> Option<&'static str> {
    let streams: BTreeSet<u32> = sent.iter().map(|frame| frame.stream).collect();
    if ours.resets.keys().any(|stream| streams.contains(stream)) {
        // A frame behind the end of a request is one: RFC 9113, section 5.1, asks for STREAM_CLOSED on the stream.
        return Some("they end the connection for a mistake of a stream");
    }
    if code == FRAME_SIZE_ERROR && sent.is_empty() {
        return Some("they judge the length of a frame before its head is whole");
    }
    // 6.9.2: the windows of open streams must not overflow, and one that we have reset may be open there.
    if code == FLOW_CONTROL_ERROR && sent.iter().any(|frame| frame.kind == 0x4) && !reset.is_empty() {
        return Some("they still count the window of a stream that we have reset");
    }
    // 5.1 too: what the client sent before it knew of a reset is thrown away.
    let is_discarded = streams.iter().any(|stream| reset.contains_key(stream));
    is_discarded.then_some("they do not remember that they reset a stream before it was open")
}

fn is_same(ours: &Request, theirs: &Request) -> bool {
    let head = |request: &Request| Request { body: None, has_trailers: false, ..request.clone() };
    // We do not keep a body that is too long.
    head(ours) == head(theirs) && (ours.body.is_none() || ours.body == theirs.body)
}

/// Why we reset the stream of a request that they take. The sections are those of RFC 9113.
fn why_refused(theirs: &Request) -> Option<&'static str> {
    let is_blank = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b' ' | b'\t'));
    let is_number = |value: &Vec<u8>| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let all = |name, is_right: &dyn Fn(&Vec<u8>) -> bool| {
        theirs.fields.get(name).is_none_or(|values| values.iter().all(is_right))
    };
    let hosts = theirs.fields.get("host");
    if theirs.has_trailers {
        Some("8.1: they take pseudo-header fields and fields of a connection in trailers")
    } else if theirs.fields.values().flatten().any(|value| is_blank(value.first()) || is_blank(value.last())) {
        Some("8.2.1: they take values with blanks around them")
    } else if hosts.is_some_and(|hosts| hosts.iter().any(|host| *host != hosts[0])) {
        Some("8.3.1: they take an authority that differs from the host")
    } else if hosts.is_none() && theirs.path == "/" {
        Some("8.3.1: they take a request without a path")
    } else if !all("content-length", &is_number) {
        Some("8.1.1: they take a content-length without digits")
    } else {
        None
    }
}
