//! How a connection waits and ends, and what it says of itself meanwhile.

use super::*;
use crate::fanout::h2::{H2Request, NewConnection, Refused, Requests, connection::ending::LINGER};

#[test]
fn a_request_in_the_turn_of_the_idle_deadline_is_answered() {
    let mut rig = Rig::new(65_535);
    rig.pass(HEAD);
    let asked = rig.ask([1]);
    rig.connection.keep_deadline(rig.now);
    rig.settle();
    rig.answer(asked[0], answer(10));
    rig.settle();
    assert_eq!(rig.replies(), "HEADERS 1, DATA 1 10, DATA 1 0 end");
}

#[test]
fn a_request_whose_body_still_comes_is_not_idle() {
    let mut rig = Rig::new(65_535);
    rig.pass(HEAD - Duration::from_secs(1));
    rig.receive(&frames::headers(1, frames::END_HEADERS, frames::post()));
    rig.settle();
    assert_eq!(rig.wait(Duration::from_secs(2)), None);
    rig.receive(&frames::data(1, frames::END_STREAM, b"x"));
    let asked = rig.scratch.requests.pop().unwrap().0;
    rig.answer(asked, answer(0));
    rig.settle();
    assert_eq!(rig.replies(), "HEADERS 1 end");
    // From then on it is idle.
    assert_eq!(rig.wait(HEAD - Duration::from_millis(1)), None);
    assert_eq!(rig.replies(), "");
    rig.wait(Duration::from_millis(1));
    assert_eq!(rig.replies(), "GOAWAY 1 NO_ERROR");
}

#[test]
fn a_body_that_never_ends_does_not_keep_a_connection() {
    let mut rig = Rig::new(65_535);
    rig.receive(&frames::headers(1, frames::END_HEADERS, frames::post()));
    rig.settle();
    rig.wait(HEAD + Duration::from_millis(1));
    assert_eq!(rig.replies(), "RST 1 CANCEL");
    rig.wait(HEAD);
    assert_eq!(rig.replies(), "GOAWAY 1 NO_ERROR");
}

#[test]
fn a_connection_that_gives_way_ends_at_once() {
    let mut rig = Rig::new(65_535);
    rig.connection.give_way(rig.now);
    let settled = rig.settle();
    assert_eq!(settled.over, Some(ConnectionEnd::GaveWay));
    assert_eq!((rig.replies().as_str(), rig.io.wire().has_finished), ("GOAWAY 0 NO_ERROR", true));
    assert_eq!(*rig.permits.held.lock().unwrap(), 0);
}

#[test]
fn a_connection_that_gives_way_and_takes_nothing_is_cut_off_soon() {
    let mut rig = Rig::new(65_535);
    rig.io.wire().is_full = true;
    rig.connection.give_way(rig.now);
    assert_eq!(rig.settle().over, None);
    assert_eq!(rig.wait(Duration::from_millis(250)), Some(ConnectionEnd::GaveWay));
    assert!(rig.io.wire().is_aborted);
}

#[test]
fn a_connection_that_was_told_to_give_way_keeps_a_stream_that_it_has_by_then() {
    let mut rig = Rig::new(65_535);
    let asked = rig.ask([1])[0];
    rig.settle();
    rig.connection.give_way(rig.now);
    rig.settle();
    rig.connection.attach(asked, 1).unwrap();
    rig.write(asked, true, 10);
    rig.settle();
    assert_eq!(*rig.permits.held.lock().unwrap(), 0, "its place is free");
    assert_eq!(rig.wait(Duration::from_secs(3_600)), None);
    assert_eq!(rig.write(asked, false, 10), Taken { bytes: 10, full: false });
    rig.settle();
    assert_eq!(rig.replies(), "GOAWAY 1 NO_ERROR, HEADERS 1, DATA 1 10, DATA 1 10");
    // It ends with its stream, and has no place in which it could linger.
    rig.connection.finish(asked);
    assert_eq!(rig.settle().over, Some(ConnectionEnd::GaveWay));
    assert_eq!(rig.replies(), "DATA 1 0 end");
}

#[test]
fn an_answer_that_its_client_does_not_read_blocks_the_connection_until_its_end() {
    use Activity::{Answering, Blocked, Idle};
    let mut rig = Rig::new(1_000);
    let asked = rig.ask([1]);
    rig.settle();
    assert_eq!(rig.activities(), [Answering]);
    rig.answer(asked[0], answer(5_000));
    rig.settle_all();
    assert_eq!(rig.activities(), [Blocked]);
    // Neither another request, nor an answer that is read, nor a part of this one makes up for it.
    let other = rig.ask([3]);
    rig.settle();
    rig.answer(other[0], answer(10));
    rig.settle();
    rig.receive(&frames::window_update(1, 1_500));
    rig.settle_all();
    assert_eq!(rig.activities(), []);
    rig.receive(&frames::window_update(1, 10_000));
    rig.settle_all();
    assert_eq!(rig.activities(), [Idle]);
}

#[test]
fn an_answer_that_the_socket_does_not_take_blocks_the_connection() {
    use Activity::{Answering, Blocked};
    let mut rig = Rig::new(1 << 30);
    let asked = rig.ask([1]);
    rig.settle();
    rig.io.wire().is_full = true;
    rig.answer(asked[0], answer(100_000));
    rig.settle_all();
    assert_eq!(rig.activities(), [Answering, Blocked]);
    rig.connection.give_way(rig.now);
    rig.settle();
    assert_eq!(rig.wait(Duration::from_millis(250)), Some(ConnectionEnd::GaveWay));
}

#[test]
fn an_answer_that_is_written_in_turns_does_not_block_the_connection() {
    let mut rig = Rig::new(1 << 30);
    let asked = rig.ask([1]);
    rig.answer(asked[0], answer(100_000));
    rig.settle_all();
    assert_eq!(rig.activities(), [Activity::Answering, Activity::Idle]);
}

#[test]
fn a_client_that_takes_nothing_while_the_gateway_drains_has_its_second_once() {
    let mut rig = Rig::new(1 << 20);
    let stream = rig.open(1);
    rig.io.wire().is_full = true;
    rig.write(stream, true, 100);
    rig.settle();
    rig.connection.drain();
    rig.pass(LINGER);
    rig.connection.reset(stream, ErrorCode::CANCEL);
    assert_eq!(rig.settle().over, None, "it may take its last bytes now");
    assert_eq!(rig.wait(Duration::ZERO), Some(ConnectionEnd::Shutdown));
}

#[test]
fn a_connection_says_what_it_does_as_soon_as_its_last_stream_has_ended() {
    use Activity::{Blocked, Idle};
    let mut rig = Rig::new(1_000);
    let first = rig.open(1);
    rig.write(first, true, 10);
    rig.settle();
    assert_eq!((*rig.permits.held.lock().unwrap(), rig.activities()), (0, vec![]));
    rig.connection.finish(first);
    rig.settle();
    assert_eq!((*rig.permits.held.lock().unwrap(), rig.activities()), (1, vec![Idle]));
    let second = rig.open(3);
    let asked = rig.ask([5])[0];
    rig.answer(asked, answer(5_000));
    rig.settle_all();
    rig.connection.finish(second);
    rig.settle_all();
    assert_eq!(rig.activities(), [Blocked]);
}

#[test]
fn answers_that_are_not_read_give_way_and_those_that_are_do_not() {
    let mut rig = Rig::new(1_000);
    let asked = rig.ask([1, 3, 5]);
    rig.answer(asked[0], answer(5_000));
    rig.answer(asked[1], answer(500));
    rig.settle_all();
    let then = rig.now;
    rig.pass(Duration::from_millis(100));
    rig.answer(asked[2], answer(5_000));
    rig.settle_all();
    rig.replies();
    assert!(rig.connection.end_unread(then, rig.now));
    rig.settle();
    assert_eq!(rig.replies(), "RST 1 CANCEL");
    assert!(!rig.connection.end_unread(then, rig.now));
    // A part that is read makes up for nothing.
    rig.receive(&frames::window_update(5, 1_500));
    rig.settle_all();
    rig.replies();
    assert!(rig.connection.end_unread(rig.now, rig.now));
    rig.settle();
    assert_eq!(rig.replies(), "RST 5 CANCEL");
}

#[test]
fn rule_10_answers_that_give_way_count_as_resets() {
    let mut rig = Rig::new(0);
    let mut stream = 1;
    while rig.connection.is_open() {
        assert!(stream < 1_000, "they have no limit");
        let asked = rig.ask([stream]);
        rig.answer(asked[0], answer(10));
        rig.settle_all();
        rig.connection.end_unread(rig.now, rig.now);
        rig.settle();
        stream += 2;
    }
    assert_eq!(stream, 2 * 201 + 1);
    assert!(rig.replies().ends_with("RST 401 CANCEL, GOAWAY 401 ENHANCE_YOUR_CALM"));
}

/// Input that its limit ended a connection, and so much more.
#[test]
fn rule_10_what_a_client_sends_behind_the_last_frame_is_dropped_up_to_64_kib() {
    let mut rig = Rig::new(65_535);
    rig.receive(&frames::raw(0x0, 0, 0, []));
    assert_eq!(rig.settle().over, None, "it lingers");
    assert!(rig.io.wire().has_finished);
    for _ in 0..16 {
        rig.receive(&[7; 4 * 1024]);
        assert_eq!(rig.settle().over, None);
    }
    rig.receive(&[7]);
    assert_eq!(rig.settle().over, Some(ConnectionEnd::Limit(h2::Reason::Protocol)));
}

/// Its last frame waits for the client, who sends without end.
#[test]
fn rule_10_no_more_is_dropped_before_the_last_frame_is_sent() {
    let mut rig = Rig::new(65_535);
    rig.io.wire().is_full = true;
    rig.receive(&frames::raw(0x0, 0, 0, []));
    assert_eq!(rig.settle().over, None);
    rig.receive(&[7; 64 * 1024]);
    assert!(rig.io.wire().input.is_empty());
    rig.receive(&[7; 1]);
    assert!(rig.io.wire().input.is_empty());
    rig.receive(&[7; 9]);
    assert_eq!(rig.io.wire().input.len(), 9, "it waits in the kernel");
    rig.io.wire().is_full = false;
    rig.connection.go_on(rig.now);
    assert_eq!(rig.settle().over, Some(ConnectionEnd::Limit(h2::Reason::Protocol)));
    assert_eq!(rig.replies(), "GOAWAY 0 PROTOCOL_ERROR");
}

/// As one whose worker has ended.
#[test]
fn rule_10_a_connection_that_is_sent_away_drops_64_kib_at_most() {
    let endless = Endless::default();
    let permits = Permits::default();
    let away = NewConnection {
        io: Box::new(endless.clone()),
        input: Vec::new(),
        peer: PEER.into(),
        limits: frames::LIMITS,
        head_timeout: HEAD,
        write_timeout: WRITE,
        permit: permits.permit(IpAddr::from(PEER.0)).unwrap(),
        requests: Arc::new(permits),
    };
    away.send_away(Instant::now()).unwrap();
    let (read, sent) = endless.0.lock().unwrap().clone();
    assert_eq!(read, 64 * 1024);
    assert_eq!(frames::spell(&sent).last().unwrap(), "GOAWAY 0 NO_ERROR");
}

impl Requests for Permits {
    fn take(&self, _: H2Request) -> Result<(), Refused> {
        Err(Refused)
    }
}

/// A client that sends without end, and what it got.
#[derive(Clone, Default)]
struct Endless(Arc<Mutex<(usize, Vec<u8>)>>);

impl H2Io for Endless {
    fn attach(&mut self, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<bool> {
        self.0.lock().unwrap().1.extend_from_slice(bytes);
        Ok(true)
    }

    fn flush(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn receive(&mut self, bytes: &mut Vec<u8>) -> Result<Received, TransportError> {
        let read = &mut self.0.lock().unwrap().0;
        *read += 4 * 1024;
        assert!(*read <= 1 << 20, "it is read without end");
        bytes.extend_from_slice(&[7; 4 * 1024]);
        Ok(Received::Bytes(4 * 1024))
    }

    fn finish(&mut self) -> io::Result<bool> {
        Ok(true)
    }

    fn abort(&mut self) {}
}
