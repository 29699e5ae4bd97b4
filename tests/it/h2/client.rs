//! The client of the `h2` crate, whose heads are compressed and whose windows are small.

use super::http2::socket::Socket;
use bytes::Bytes;
use h2::client::{Builder, Connection, ResponseFuture, SendRequest};
use http::{HeaderMap, Method, Request, StatusCode, Version, request::Parts};
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Instant,
};
use tickfan::h2::{Connection as Server, Event, Limits, StreamId};

const LIMITS: Limits = Limits { streams: 100, head_bytes: 16_384, body_bytes: 16_384, reader_check: true };

/// Both ends of a connection.
struct Pair {
    socket: Socket,
    client: Connection<Socket, Bytes>,
    requests: SendRequest<Bytes>,
    server: Server,
    /// What the server has to send.
    out: Vec<u8>,
    events: Vec<Event>,
    now: Instant,
}

impl Pair {
    fn new(window: u32) -> Self {
        let socket = Socket::default();
        let cx = &mut Context::from_waker(Waker::noop());
        let mut handshake = Box::pin(Builder::new().initial_window_size(window).handshake(socket.clone()));
        let Poll::Ready(Ok((requests, client))) = handshake.as_mut().poll(cx) else { panic!("it waits for nothing") };
        let now = Instant::now();
        let mut out = Vec::new();
        let server = Server::new(LIMITS, now, &mut out);
        Self { socket, client, requests, server, out, events: Vec::new(), now }
    }

    /// Lets the client work, and the server read what it sent.
    fn run(&mut self) {
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(Pin::new(&mut self.client).poll(cx).is_pending(), "the connection is open");
        let input = self.socket.sent();
        self.server.receive(&input, self.now, &mut self.out, &mut self.events).unwrap();
    }

    /// Brings to the client what the server sent.
    fn flush(&mut self) {
        self.socket.receive(&std::mem::take(&mut self.out));
        self.run();
    }

    fn heads(&mut self) -> BTreeMap<u32, Parts> {
        let heads = self.events.drain(..).filter_map(|event| match event {
            Event::Request { stream, head, .. } => Some((stream.number(), *head)),
            _ => None,
        });
        heads.collect()
    }
}

fn request(path: &str, fields: &[(String, Vec<u8>)]) -> Request<()> {
    let mut request = Request::builder().method(Method::GET).uri(format!("https://localhost/{path}"));
    for (name, value) in fields {
        request = request.header(name, value.as_slice());
    }
    request.version(Version::HTTP_2).body(()).unwrap()
}

/// Names that repeat, so that the tables are used, and values with all bytes that a field may have.
fn fields() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = prop_oneof!["x-[a-d]", "[a-z][a-z0-9-]{0,20}", Just("accept".to_owned()), Just("user-agent".to_owned())];
    let value = prop_oneof![
        prop::collection::vec(prop_oneof![0x21_u8..0x7f, 0x80_u8..=0xff], 0..60),
        Just(b"text/event-stream".to_vec()),
    ];
    prop::collection::vec((name, value), 0..12)
}

/// What HTTP/2 forbids, and what is checked or joined.
const SPECIAL: [&str; 9] = [
    "host",
    "te",
    "connection",
    "upgrade",
    "transfer-encoding",
    "keep-alive",
    "proxy-connection",
    "cookie",
    "content-length",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_compressed_head_is_read_as_it_was_written(
        requests in prop::collection::vec(("[a-z0-9?=&,%]{0,40}", fields()), 1..12),
        settings_come_at in 0_usize..12,
    ) {
        let mut pair = Pair::new(65_535);
        let mut expected = BTreeMap::new();
        for (place, (path, fields)) in requests.iter().enumerate() {
            // Until our settings come, the client uses a table of 4,096 bytes.
            if place == settings_come_at {
                pair.flush();
            }
            let fields: Vec<_> = fields.iter().filter(|(name, _)| !SPECIAL.contains(&name.as_str())).cloned().collect();
            let request = request(path, &fields);
            let mut headers = request.headers().clone();
            headers.insert("host", "localhost".parse().unwrap());
            let uri = request.uri().path_and_query().unwrap().to_string();
            let (response, _) = pair.requests.send_request(request, true).unwrap();
            expected.insert(response.stream_id().as_u32(), (uri, headers));
            pair.run();
        }
        let heads = pair.heads();
        prop_assert_eq!(heads.len(), expected.len());
        for (stream, head) in heads {
            let (uri, headers): &(String, HeaderMap) = &expected[&stream];
            prop_assert_eq!((&head.uri.to_string(), &head.headers), (uri, headers));
        }
    }

    #[test]
    fn every_byte_comes_through_small_windows(
        window in 1_u32..70_000,
        bodies in prop::collection::vec(prop::collection::vec(0_usize..20_000, 1..8), 1..4),
        reads in prop::collection::vec(500_usize..40_000, 1..20),
    ) {
        let mut pair = Pair::new(window);
        // A tiny window takes an update for each few bytes, and those are limited.
        let length_max = if window < 128 { 20 * window as usize } else { 20_000 };
        let bodies = bodies.iter().map(|blocks| blocks.iter().map(|length| length.min(&length_max)).copied().collect());
        let bodies: Vec<Vec<usize>> = bodies.collect();
        let mut answers: Vec<Answer> = bodies.iter().map(|blocks| Answer::new(&mut pair, blocks)).collect();
        let mut reads = reads.iter().cycle();
        // A window of one byte takes a round a byte.
        for _ in 0..200_000 {
            for answer in &mut answers {
                answer.write(&mut pair);
            }
            pair.flush();
            for answer in &mut answers {
                answer.read(*reads.next().unwrap());
            }
            if answers.iter().all(|answer| answer.is_whole) {
                return Ok(());
            }
            pair.run();
        }
        prop_assert!(false, "the answers stand still");
    }
}

/// One answer, at both ends.
struct Answer {
    stream: StreamId,
    /// What the server has not written yet.
    blocks: Vec<Bytes>,
    has_ended: bool,
    response: ResponseFuture,
    body: Option<h2::RecvStream>,
    /// What the client has to read still, and what it has read and not given back.
    expected: Bytes,
    held: usize,
    is_whole: bool,
}

impl Answer {
    fn new(pair: &mut Pair, lengths: &[usize]) -> Self {
        let (response, _) = pair.requests.send_request(request("", &[]), true).unwrap();
        pair.run();
        let Some(Event::Request { stream, .. }) = pair.events.pop() else { panic!("a request") };
        assert!(pair.server.respond(stream, StatusCode::OK, [], false, &mut pair.out));
        let mut number = 0_u8;
        let mut block = |length| {
            let bytes = std::iter::repeat_with(|| {
                number = number.wrapping_mul(5).wrapping_add(1);
                number
            });
            bytes.take(length).collect::<Bytes>()
        };
        let blocks: Vec<Bytes> = lengths.iter().map(|length| block(*length)).collect();
        let expected = blocks.concat().into();
        Self { stream, blocks, has_ended: false, response, body: None, expected, held: 0, is_whole: false }
    }

    fn write(&mut self, pair: &mut Pair) {
        loop {
            self.blocks.retain(|block| !block.is_empty());
            let offered: Vec<&Bytes> = self.blocks.iter().collect();
            let mut taken = pair.server.data(self.stream, &offered, 16_384, pair.now, &mut pair.out);
            if taken == 0 {
                break;
            }
            for block in &mut self.blocks {
                taken -= block.split_to(taken.min(block.len())).len();
            }
        }
        if self.blocks.is_empty() && !self.has_ended {
            pair.server.finish(self.stream, &mut pair.out);
            self.has_ended = true;
        }
    }

    /// Reads what came, and gives a part of the window back.
    fn read(&mut self, mut release: usize) {
        let cx = &mut Context::from_waker(Waker::noop());
        if self.body.is_none()
            && let Poll::Ready(response) = Pin::new(&mut self.response).poll(cx)
        {
            self.body = Some(response.unwrap().into_body());
        }
        let Some(body) = &mut self.body else { return };
        while let Poll::Ready(data) = body.poll_data(cx) {
            let Some(data) = data else {
                assert!(self.expected.is_empty(), "the end came too soon");
                self.is_whole = true;
                release = usize::MAX;
                break;
            };
            let data = data.unwrap();
            assert_eq!(data, self.expected.split_to(data.len()));
            self.held += data.len();
        }
        let released = self.held.min(release);
        body.flow_control().release_capacity(released).unwrap();
        self.held -= released;
    }
}
