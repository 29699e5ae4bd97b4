//! A connection without a socket: what it writes, what it says of itself, and how it ends.

use super::*;
use crate::{
    cache::WorkerIndex,
    fanout::{h2::client::H2Answer, response_head::ResponseHead, transport::Taken},
    h2::tests as frames,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::net::IpAddr;

#[path = "answer_tests.rs"]
mod answers;
#[path = "ending_tests.rs"]
mod ending;

const PEER: ([u8; 4], u16) = ([127, 0, 0, 1], 1);
const HEAD: Duration = Duration::from_secs(10);
const WRITE: Duration = Duration::from_secs(10);
const STALL: Duration = Duration::from_secs(30);

/// What is below a connection.
struct Wire {
    /// It takes nothing.
    is_full: bool,
    /// It takes nothing more once it has taken as many bytes.
    room: usize,
    held: Vec<u8>,
    sent: Vec<u8>,
    input: Vec<u8>,
    has_finished: bool,
    is_aborted: bool,
}

impl Default for Wire {
    fn default() -> Self {
        Self {
            is_full: false,
            room: usize::MAX,
            held: Vec::new(),
            sent: Vec::new(),
            input: Vec::new(),
            has_finished: false,
            is_aborted: false,
        }
    }
}

#[derive(Clone, Default)]
struct Io(Arc<Mutex<Wire>>);

impl Io {
    fn wire(&self) -> MutexGuard<'_, Wire> {
        self.0.lock().unwrap()
    }
}

impl H2Io for Io {
    fn attach(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.wire().held.extend_from_slice(bytes);
        self.flush()
    }

    fn flush(&mut self) -> io::Result<bool> {
        let mut wire = self.wire();
        if !wire.is_full && wire.room > 0 {
            wire.room = wire.room.saturating_sub(wire.held.len());
            let held = mem::take(&mut wire.held);
            wire.sent.extend(held);
        }
        Ok(wire.held.is_empty())
    }

    fn receive(&mut self, bytes: &mut Vec<u8>) -> Result<Received, TransportError> {
        let input = mem::take(&mut self.wire().input);
        bytes.extend_from_slice(&input);
        Ok(if input.is_empty() { Received::Nothing } else { Received::Bytes(input.len()) })
    }

    fn finish(&mut self) -> io::Result<bool> {
        self.wire().has_finished = true;
        self.flush()
    }

    fn abort(&mut self) {
        self.wire().is_aborted = true;
    }
}

/// What a connection says to the limits of its listener.
#[derive(Clone, Default)]
struct Permits {
    held: Arc<Mutex<usize>>,
    /// How many requests may have an unfinished body.
    requests: Arc<Mutex<usize>>,
    activities: Arc<Mutex<Vec<Activity>>>,
}

struct Permit(Permits);

/// A permit of a request.
struct RequestPermit(Arc<Mutex<usize>>);

impl Drop for RequestPermit {
    fn drop(&mut self) {
        *self.0.lock().unwrap() += 1;
    }
}

impl ConnectionPermits for Permits {
    fn request(&self, _: IpAddr) -> Option<Box<dyn Send>> {
        let mut free = self.requests.lock().unwrap();
        *free = free.checked_sub(1)?;
        Some(Box::new(RequestPermit(self.requests.clone())))
    }

    fn permit(&self, _: IpAddr) -> Option<Box<dyn ConnectionPermit>> {
        *self.held.lock().unwrap() += 1;
        Some(Box::new(Permit(self.clone())))
    }
}

impl ConnectionPermit for Permit {
    fn held_by(&mut self, _: ConnectionAddress) {}

    fn becomes(&mut self, activity: Activity) {
        self.0.activities.lock().unwrap().push(activity);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.held.lock().unwrap() -= 1;
    }
}

/// A connection, and what is around it.
struct Rig {
    connection: Connection,
    io: Io,
    permits: Permits,
    scratch: Scratch,
    now: Instant,
}

impl Rig {
    /// A client that gives each stream this window, and the connection a large one.
    fn new(window: u32) -> Self {
        let io = Io::default();
        let permits = Permits { requests: Arc::new(Mutex::new(2)), ..Permits::default() };
        let init = ConnectionInit {
            io: Box::new(io.clone()),
            peer: PEER.into(),
            limits: frames::LIMITS,
            timeouts: Timeouts { head: HEAD, write: WRITE, stall: STALL },
            permit: permits.permit(IpAddr::from(PEER.0)).unwrap(),
            permits: Arc::new(permits.clone()),
        };
        let address = ConnectionAddress { worker: WorkerIndex::first(1).next().unwrap(), token: 0 };
        let now = Instant::now();
        let connection = Connection::new(init, address, now).unwrap();
        let mut rig = Self { connection, io, permits, scratch: Scratch::default(), now };
        rig.receive(frames::PREFACE);
        rig.receive(&frames::settings(&[(0x4, window)]));
        rig.receive(&[frames::settings_ack(), frames::window_update(0, 1 << 30)].concat());
        rig.settle();
        rig.replies();
        rig
    }

    /// The connection reads what the client sent.
    fn receive(&mut self, input: &[u8]) {
        self.io.wire().input.extend_from_slice(input);
        self.scratch.input_left = INPUT_BYTES_PER_TURN;
        self.connection.receive(&mut self.scratch, self.now);
    }

    /// Requests arrive; returns their numbers.
    fn ask(&mut self, streams: impl IntoIterator<Item = u32>) -> Vec<StreamId> {
        let requests: Vec<u8> = streams.into_iter().flat_map(frames::request).collect();
        self.receive(&requests);
        self.scratch.requests.drain(..).map(|(stream, ..)| stream).collect()
    }

    fn answer(&mut self, stream: StreamId, answer: H2Answer) {
        self.connection.answer(stream, answer, self.now);
    }

    /// A request becomes a stream; returns its number.
    fn open(&mut self, stream: u32) -> StreamId {
        let id = self.ask([stream])[0];
        self.connection.attach(id, u64::from(stream)).unwrap();
        id
    }

    fn write(&mut self, stream: StreamId, head: bool, bytes: usize) -> Taken {
        let block = Bytes::from(vec![b'x'; bytes]);
        let mut head = head.then(ResponseHead::default);
        self.connection.write(stream, &mut head, &[&block], self.now).unwrap()
    }

    fn settle(&mut self) -> Settled {
        self.connection.settle(self.now)
    }

    /// Settles until there is nothing to write at once.
    fn settle_all(&mut self) -> Settled {
        loop {
            let settled = self.settle();
            if !settled.has_more {
                return settled;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// A turn in which nothing came, but time passed; returns whether the connection is over.
    fn wait(&mut self, time: Duration) -> Option<ConnectionEnd> {
        self.pass(time);
        self.connection.keep_deadline(self.now);
        self.settle().over
    }

    /// The frames that were sent since the last call, but for the settings that take the client's header table away.
    fn replies(&mut self) -> String {
        let sent = mem::take(&mut self.io.wire().sent);
        let frames = frames::spell(&sent).into_iter().filter(|frame| !frame.starts_with("frame 4 flags 0"));
        frames.collect::<Vec<_>>().join(", ")
    }

    fn activities(&self) -> Vec<Activity> {
        mem::take(&mut *self.permits.activities.lock().unwrap())
    }
}

fn answer(body: usize) -> H2Answer {
    answer_with(0, body)
}

/// An answer with a head and a body of about so many bytes.
fn answer_with(head: usize, body: usize) -> H2Answer {
    let mut headers = HeaderMap::new();
    headers.insert(header::ETAG, HeaderValue::try_from("e".repeat(head)).unwrap());
    H2Answer { status: StatusCode::OK, headers, body: vec![b'x'; body].into(), permit: Box::new(()) }
}

#[test]
fn rule_10_requests_that_the_listener_refuses_are_limited_though_the_client_reads_nothing() {
    let mut rig = Rig::new(65_535);
    rig.io.wire().is_full = true;
    let mut refused = 0;
    let over = loop {
        let Some(&stream) = rig.ask([refused * 2 + 1]).first() else { break false };
        rig.connection.refuse(stream, rig.now);
        rig.settle();
        refused += 1;
        if !rig.connection.is_open() {
            break true;
        }
        assert!(refused < 1_000, "they have no limit");
    };
    assert!(over);
    assert_eq!(refused, 201);
    rig.io.wire().is_full = false;
    rig.connection.send(rig.now);
    assert!(rig.replies().ends_with("RST 401 REFUSED_STREAM, GOAWAY 401 ENHANCE_YOUR_CALM"));
    let end = ConnectionEnd::Limit(h2::Reason::Resets);
    rig.settle();
    assert_eq!(rig.wait(Duration::from_secs(1)), Some(end));
}

#[test]
fn rule_10_a_request_holds_a_permit_from_its_head_to_the_end_of_its_body() {
    let mut rig = Rig::new(65_535);
    let begin = |stream| frames::headers(stream, frames::END_HEADERS, frames::post());
    let free = rig.permits.requests.clone();
    let free = || *free.lock().unwrap();
    rig.receive(&[begin(1), begin(3), begin(5)].concat());
    rig.settle();
    assert_eq!((rig.replies().as_str(), free()), ("RST 5 REFUSED_STREAM", 0));
    rig.receive(&[frames::data(1, frames::END_STREAM, b"x"), frames::reset(3, 8)].concat());
    assert_eq!((rig.scratch.requests.len(), free()), (1, 2));
    rig.receive(&begin(7));
    assert_eq!(free(), 1);
    rig.wait(2 * HEAD);
    assert_eq!((rig.replies().as_str(), free()), ("RST 7 CANCEL", 2));
    // A connection that is over holds none, though its requests are still answered.
    rig.receive(&begin(9));
    rig.connection.abort(ConnectionEnd::Left);
    rig.settle();
    assert_eq!(free(), 2);
}

#[test]
fn a_request_that_was_reset_at_once_is_not_passed_on() {
    let mut rig = Rig::new(65_535);
    rig.receive(&[frames::request(1), frames::reset(1, 8), frames::request(3)].concat());
    let asked: Vec<_> = rig.scratch.requests.drain(..).map(|(stream, ..)| stream).collect();
    let awaited: Vec<bool> = asked.iter().map(|&stream| rig.connection.awaits_answer(stream)).collect();
    assert_eq!(awaited, [false, true]);
}

#[test]
fn rule_10_requests_use_up_a_turn_before_their_bytes_do() {
    let mut rig = Rig::new(65_535);
    let reset_at_once = |stream| [frames::request(stream), frames::reset(stream, 8)].concat();
    let flood: Vec<u8> = (0..40).flat_map(|number| reset_at_once(2 * number + 1)).collect();
    assert!(flood.len() < INPUT_BYTES_PER_TURN / 8);
    rig.receive(&flood);
    assert_eq!(rig.scratch.input_left, 0);
    rig.io.wire().input = reset_at_once(81);
    assert!(rig.connection.receive(&mut rig.scratch, rig.now), "the next turn goes on");
    assert!(!rig.io.wire().input.is_empty());
}

#[test]
fn rule_10_replies_that_are_not_read_end_the_connection() {
    let mut rig = Rig::new(65_535);
    rig.io.wire().is_full = true;
    rig.connection.timeouts.write = Duration::from_secs(3_600);
    let mut bytes = 0;
    while rig.connection.is_open() {
        // Slowly, so that no other limit is reached.
        rig.pass(Duration::from_millis(50));
        rig.receive(&frames::ping(b"12345678"));
        rig.settle();
        bytes += 17;
        assert!(bytes < 40_000, "they have no limit");
    }
    rig.pass(Duration::from_secs(1));
    rig.connection.keep_deadline(rig.now);
    assert_eq!(rig.settle().over, Some(ConnectionEnd::Limit(h2::Reason::Replies)));
    assert!(rig.io.wire().is_aborted);
}

#[test]
fn what_waits_below_the_frames_leaves_as_soon_as_there_is_room() {
    let mut rig = Rig::new(65_535);
    let ping = frames::raw(0x6, 1, 0, b"an alert");
    rig.io.wire().is_full = true;
    rig.io.wire().held = ping;
    rig.connection.send(rig.now);
    rig.io.wire().is_full = false;
    rig.connection.send(rig.now);
    assert_eq!(rig.replies(), "PONG an alert");
}
