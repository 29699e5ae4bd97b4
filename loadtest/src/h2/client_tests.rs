use super::*;
use crate::{h2::window::Updates, wire::Head};

const SMALL: Windows = Windows { stream: 100, connection: INITIAL, updates: Updates::ByVolume };

/// A client that has requested a stream, and what it has written since.
struct Fixture {
    client: Client,
    id: u32,
    now: Instant,
    out: Vec<u8>,
    events: Vec<Event>,
}

fn fixture(windows: Windows) -> Fixture {
    let now = Instant::now();
    let mut out = Vec::new();
    let mut client = Client::new(windows, now, &mut out);
    let id = client.request(Request { authority: "h", path: "/", fields: &[("accept", "x")] }, now, &mut out).unwrap();
    Fixture { client, id, now, out: Vec::new(), events: Vec::new() }
}

impl Fixture {
    fn receive(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.client.receive(bytes, self.now, &mut self.out, &mut self.events)
    }
}

fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(kind, flags, stream, payload, &mut out);
    out
}

/// `:status: 200` and `content-type: text/event-stream`.
const HEAD: &[u8] = b"\x88\x5f\x11text/event-stream";

/// Settings, a head in two frames, padded data, a PING, a trailer.
fn session() -> Vec<u8> {
    [
        framed(frame::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9]),
        framed(frame::HEADERS, 0, 1, &HEAD[..5]),
        framed(frame::CONTINUATION, frame::END_HEADERS, 1, &HEAD[5..]),
        framed(frame::DATA, 0, 1, b"abc"),
        framed(frame::PING, 0, 0, b"12345678"),
        framed(frame::DATA, frame::PADDED, 1, b"\x02defpp"),
        framed(frame::HEADERS, frame::END_HEADERS | frame::END_STREAM, 1, b"\x00\x01x\x01y"),
        framed(frame::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
    ]
    .concat()
}

#[test]
fn a_session_reads_the_same_wherever_its_bytes_are_cut() {
    let session = session();
    for cut in 1..session.len() {
        let mut fixture = fixture(Windows::default());
        let mut data = Vec::new();
        let mut kinds = Vec::new();
        for part in [&session[..cut], &session[cut..]] {
            fixture.receive(part).unwrap();
            for event in fixture.events.drain(..) {
                match event {
                    Event::Data { stream: 1, bytes } => data.extend_from_slice(&part[bytes]),
                    other => kinds.push(other),
                }
            }
        }
        assert_eq!(data, b"abcdef", "cut at {cut}");
        let head = Head { status: 200, is_event_stream: true, is_chunked: false, is_dcz: false };
        let go_away = Event::GoAway { last: 1, code: ErrorCode::NO_ERROR };
        assert_eq!(kinds, [Event::Head { stream: 1, head }, Event::End { stream: 1 }, go_away]);
        let answers =
            [framed(frame::SETTINGS, frame::ACK, 0, &[]), framed(frame::PING, frame::ACK, 0, b"12345678")].concat();
        assert_eq!(fixture.out, answers);
    }
}

#[test]
fn taken_bytes_are_given_back_and_those_of_a_blocked_page_when_it_ends_or_goes_on() {
    let update = |stream, bytes: u32| framed(frame::WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    let mut fixture = fixture(SMALL);
    fixture.receive(&framed(frame::DATA, 0, 1, &[0; 30])).unwrap();
    assert_eq!(fixture.out, b"");
    fixture.receive(&framed(frame::DATA, 0, 1, &[0; 10])).unwrap();
    assert_eq!(fixture.out, update(1, 40));
    fixture.out.clear();
    fixture.client.block(1, true, fixture.now, &mut fixture.out);
    fixture.receive(&framed(frame::DATA, 0, 1, &[0; 50])).unwrap();
    assert_eq!(fixture.out, b"");
    fixture.client.block(1, false, fixture.now, &mut fixture.out);
    assert_eq!(fixture.out, update(1, 50));
    fixture.out.clear();
    // The whole connection's window: a third of it is given back once its stream is reset.
    let wide = Windows { stream: INITIAL, ..SMALL };
    let mut fixture = self::fixture(wide);
    fixture.client.block(1, true, fixture.now, &mut fixture.out);
    for _ in 0..3 {
        fixture.receive(&framed(frame::DATA, 0, 1, &[0; 10_000])).unwrap();
    }
    assert_eq!(fixture.out, b"");
    fixture.receive(&framed(frame::RST_STREAM, 0, 1, &[0, 0, 0, 8])).unwrap();
    assert_eq!(fixture.out, update(0, 30_000));
    assert_eq!(fixture.events.last(), Some(&Event::Reset { stream: 1, code: ErrorCode::CANCEL }));
}

#[test]
fn a_cancelled_stream_is_not_heard_of_again() {
    let mut fixture = fixture(SMALL);
    fixture.client.cancel(fixture.id, fixture.now, &mut fixture.out);
    assert_eq!(fixture.out, framed(frame::RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    let late = [
        framed(frame::HEADERS, frame::END_HEADERS, 1, HEAD),
        framed(frame::DATA, frame::END_STREAM, 1, &[0; 200]),
        framed(frame::RST_STREAM, 0, 1, &[0; 4]),
    ];
    fixture.receive(&late.concat()).unwrap();
    assert_eq!(fixture.events, []);
    let next = Request { authority: "h", path: "/", fields: &[] };
    assert_eq!(fixture.client.request(next, fixture.now, &mut fixture.out), Some(3));
}

#[test]
fn a_long_request_goes_on_in_continuation_frames() {
    let mut fixture = fixture(SMALL);
    let path = "a".repeat(40_000);
    fixture.client.request(Request { authority: "h", path: &path, fields: &[] }, fixture.now, &mut fixture.out);
    let mut frames = Vec::new();
    let mut rest = &fixture.out[..];
    while let Some(head) = FrameHead::read(rest) {
        frames.push((head.kind, head.has(frame::END_HEADERS), head.has(frame::END_STREAM)));
        rest = &rest[frame::HEAD + head.length..];
    }
    let (first, next) = (frame::HEADERS, frame::CONTINUATION);
    assert_eq!(frames, [(first, false, true), (next, false, false), (next, true, false)]);
}

#[test]
fn what_is_against_the_protocol_ends_the_connection() {
    let long = vec![0; frame::PAYLOAD_MAX];
    let endless: Vec<u8> = [framed(frame::HEADERS, 0, 1, &long)]
        .into_iter()
        .chain(vec![framed(frame::CONTINUATION, 0, 1, &long); 4])
        .flatten()
        .collect();
    for (bytes, expected) in [
        (framed(frame::DATA, 0, 1, &[0; 101]), ConnectionError::Window),
        (framed(frame::DATA, 0, 0, &[0]), ConnectionError::Order),
        (framed(frame::DATA, frame::PADDED, 1, &[9, 0]), ConnectionError::FrameSize),
        (framed(frame::HEADERS, frame::END_HEADERS, 1, &[0xbe]), ConnectionError::Block),
        (framed(frame::HEADERS, frame::PADDED, 1, &[9, 0]), ConnectionError::FrameSize),
        (framed(frame::CONTINUATION, 0, 1, &[]), ConnectionError::Order),
        ([framed(frame::HEADERS, 0, 1, HEAD), framed(frame::PING, 0, 0, &[0; 8])].concat(), ConnectionError::Order),
        (endless, ConnectionError::LongBlock),
        (framed(frame::PUSH_PROMISE, 0, 1, &[0; 4]), ConnectionError::Order),
        (framed(frame::PING, 0, 0, &[0; 7]), ConnectionError::FrameSize),
        (framed(frame::GOAWAY, 0, 0, &[0; 7]), ConnectionError::FrameSize),
        (framed(frame::RST_STREAM, 0, 1, &[0; 3]), ConnectionError::FrameSize),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), ConnectionError::FrameSize),
    ] {
        assert_eq!(fixture(SMALL).receive(&bytes), Err(expected), "{bytes:?}");
    }
}
