//! The overlap of two connections, in simulated time.

use super::{
    tests::{Course, ENDLESS, LIVE, RULES, SECOND, requests},
    *,
};
use crate::venue::{Failure, Ping};

#[path = "rotation_course_tests.rs"]
mod course;

const OLD: Side = Side::Predecessor;
const NEW: Side = Side::Successor;

const SYMBOLS: usize = 3;

fn overlap() -> Duration {
    Timing::default().overlap
}

/// A live session whose connections may overlap, with data for this long.
fn served(rules: Rules, span: Duration) -> Course {
    let mut course = Course::live(rules);
    course.session = course.session.overlapping(SYMBOLS);
    course.data_for(span);
    course
}

/// The same, whose connection is a predecessor from now on.
fn rotating(rules: Rules) -> Course {
    let mut course = served(rules, Timing::default().stable_after);
    let rotate = Action::Rotate { reason: DisconnectReason::Closing, retry_in: Duration::ZERO };
    assert_eq!(course.message(Message::Closing), rotate);
    assert_eq!(next(&mut course), Action::Connect);
    course
}

/// The same, whose successor is live.
fn succeeded() -> Course {
    let mut course = rotating(RULES);
    succeed(&mut course, &[]);
    course
}

/// Opens the next connection, and grants its request except for these symbols.
fn succeed(course: &mut Course, refused: &[u32]) {
    assert_eq!(course.on(Event::Connected(requests(1))), Action::Nothing);
    assert_eq!(course.next(), (Duration::ZERO, Action::Send("1".to_owned())));
    assert_eq!(course.message(Message::Acknowledged(1)), LIVE);
    let refused: Vec<_> = refused.iter().map(|&symbol| (FeedSymbol(symbol), Reason::NotGranted)).collect();
    course.session.granted(&refused, course.now);
}

/// The old connection has nothing left to read.
fn read(course: &mut Course) {
    assert!(course.session.awaits_last_frames());
    course.session.has_last_frames();
}

/// Data of these symbols on one of the connections.
fn hears(course: &mut Course, by: Side, symbols: &[u32]) {
    let update = |&symbol: &u32| Update { symbol: FeedSymbol(symbol), ..Update::default() };
    let updates: Vec<Update> = symbols.iter().map(update).collect();
    course.session.heard(by, &updates, course.now);
    let action = match by {
        Side::Predecessor => course.session.on_predecessor(Event::Message(Message::Data), course.now),
        Side::Successor => course.message(Message::Data),
    };
    assert_eq!(action, Action::Nothing);
}

fn dropped(gap: Option<DisconnectReason>) -> Action {
    Action::DropPredecessor { gap }
}

/// The next action that is not a ping, with answers to the pings of both.
fn next(course: &mut Course) -> Action {
    loop {
        match course.next().1 {
            Action::Ping => _ = course.on(Event::Pong),
            Action::PingPredecessor(_) => _ = course.session.on_predecessor(Event::Pong, course.now),
            Action::Nothing => {}
            action => return action,
        }
    }
}

#[test]
fn the_old_connection_is_dropped_as_soon_as_the_new_one_has_spoken_for_each_symbol() {
    let mut course = rotating(RULES);
    hears(&mut course, OLD, &[0, 1, 2]);
    // Some symbols speak before the last request is answered.
    course.on(Event::Connected(requests(1)));
    hears(&mut course, NEW, &[0]);
    assert_eq!(course.next().1, Action::Send("1".to_owned()));
    assert_eq!(course.message(Message::Acknowledged(1)), LIVE);
    course.session.granted(&[(FeedSymbol(2), Reason::NotGranted)], course.now);
    course.now += SECOND;
    assert_eq!(course.on(Event::Due), Action::Nothing, "a symbol is missing");
    assert!(!course.session.awaits_last_frames());
    hears(&mut course, NEW, &[0, 1]);
    assert_eq!(course.on(Event::Due), Action::Nothing, "what the old one has sent is not read yet");
    hears(&mut course, OLD, &[0, 1, 2]);
    read(&mut course);
    assert_eq!(course.next(), (Duration::ZERO, dropped(None)));
    assert_eq!(course.session.on_predecessor(Event::Message(Message::Gap), course.now), Action::Nothing, "it is gone");
}

#[test]
fn a_symbol_that_is_silent_on_both_is_waited_for_and_is_no_gap() {
    for (only_old, at, gap) in [
        (None, Duration::ZERO, None),
        // That may be from before the new subscription.
        (Some(2), SECOND / 2, None),
        // It had time to speak on the new connection too.
        (Some(2), SECOND, Some(DisconnectReason::Closing)),
        // It may yet.
        (Some(2), overlap() * 3 / 4, None),
    ] {
        let mut course = succeeded();
        let live = course.now;
        hears(&mut course, NEW, &[0, 1]);
        course.now += at;
        if let Some(symbol) = only_old {
            hears(&mut course, OLD, &[symbol]);
        }
        assert_eq!((next(&mut course), course.now - live), (dropped(gap), overlap()), "{only_old:?} {at:?}");
    }
}

#[test]
fn while_the_old_connection_serves_each_failure_of_the_new_one_is_retried() {
    let mut course = rotating(RULES);
    for _ in 0..3 {
        let failed = course.lost(DisconnectReason::Io);
        let Action::Retry { reason: DisconnectReason::Io, .. } = failed else { panic!("{failed:?}") };
        assert_eq!(next(&mut course), Action::Connect);
    }
    succeed(&mut course, &[]);
    hears(&mut course, NEW, &[0, 1]);
    let denied = course.message(Message::Failed(Failure::Passing { retry_after: None }));
    assert!(matches!(denied, Action::Retry { reason: DisconnectReason::Failed, .. }), "{denied:?}");
    assert_eq!(next(&mut course), Action::Connect);
    succeed(&mut course, &[]);
    hears(&mut course, NEW, &[2]);
    course.now += SECOND;
    assert_eq!(course.on(Event::Due), Action::Nothing, "what the lost connection said does not count");
    hears(&mut course, NEW, &[0, 1]);
    read(&mut course);
    assert_eq!(next(&mut course), dropped(None));
}

#[test]
fn an_old_connection_that_always_has_more_to_read_goes_after_the_overlap() {
    let mut course = succeeded();
    let live = course.now;
    hears(&mut course, NEW, &[0, 1, 2]);
    assert_eq!((next(&mut course), course.now - live), (dropped(None), overlap()));
    // What was read before the successor was lost is not what is there when the next one has taken over.
    let mut course = succeeded();
    hears(&mut course, NEW, &[0, 1, 2]);
    read(&mut course);
    course.lost(DisconnectReason::Io);
    assert_eq!(next(&mut course), Action::Connect);
    succeed(&mut course, &[]);
    hears(&mut course, NEW, &[0, 1, 2]);
    assert_eq!(course.on(Event::Due), Action::Nothing);
}

/// The cause may be on our side, or at the venue's entry.
#[test]
fn whatever_keeps_the_new_connection_from_coming_up_the_old_one_serves_on() {
    use DisconnectReason::{ConnectTimeout, ConnectionLimit, Denied, Failed, Http, Io, Proxy, Tls, Unacknowledged};
    let reasons = [Io, ConnectTimeout, Tls, Proxy, Http, Denied, Failed, Unacknowledged].map(|reason| [reason; 2]);
    for reasons in reasons.into_iter().chain([[ConnectionLimit, Io]]) {
        let mut course = rotating(RULES).with(ENDLESS);
        let began = course.now;
        let mut turns = reasons.iter().cycle();
        while course.now < began + 7_200 * SECOND {
            let failed = course.lost(*turns.next().unwrap());
            assert!(matches!(failed, Action::Retry { .. }), "{failed:?}");
            assert_eq!(next(&mut course), Action::Connect, "{reasons:?}");
            hears(&mut course, OLD, &[0]);
        }
        succeed(&mut course, &[]);
        hears(&mut course, NEW, &[0, 1, 2]);
        read(&mut course);
        assert_eq!(next(&mut course), dropped(None));
    }
}

#[test]
fn a_venue_without_room_for_the_new_connection_gets_the_place_of_the_old_one_after_so_long() {
    for reason in [DisconnectReason::ConnectionLimit, DisconnectReason::Refused] {
        let mut course = rotating(RULES).with(ENDLESS);
        let began = course.now;
        let gap = loop {
            course.lost(reason);
            match next(&mut course) {
                Action::Connect => hears(&mut course, OLD, &[0]),
                action => break action,
            }
        };
        let waited = course.now - began;
        assert_eq!(gap, dropped(Some(DisconnectReason::Closing)));
        assert!((120 * SECOND..=180 * SECOND).contains(&waited), "{waited:?}");
        assert_eq!(course.next(), (Duration::ZERO, Action::Connect), "it goes just before an attempt");
        let left = course.lost(DisconnectReason::Io);
        assert!(matches!(left, Action::Leave { .. }), "{left:?}: as without one");
    }
}

/// A new connection that may come up yet has room, and while none may be tried nothing is won.
#[test]
fn an_old_connection_gives_up_its_place_only_as_an_attempt_begins() {
    let mut course = rotating(RULES).with(ENDLESS);
    let began = course.now;
    while course.now < began + 40 * SECOND {
        course.lost(DisconnectReason::ConnectionLimit);
        assert_eq!(next(&mut course), Action::Connect);
    }
    course.now = began + 200 * SECOND;
    hears(&mut course, OLD, &[0]);
    succeed(&mut course, &[]);
    hears(&mut course, NEW, &[0, 1, 2]);
    read(&mut course);
    assert_eq!(next(&mut course), dropped(None));

    let mut course = rotating(RULES).with(ENDLESS);
    course.lost(DisconnectReason::ConnectionLimit);
    let held_until = course.now + 600 * SECOND;
    course.session.pacer.hold(held_until);
    assert_eq!(next(&mut course), dropped(Some(DisconnectReason::Closing)));
    assert_eq!(course.now, held_until);
    assert_eq!(course.next(), (Duration::ZERO, Action::Connect));
}

/// The feed has got other connections meanwhile.
#[test]
fn an_old_connection_goes_before_the_next_attempt_where_the_two_may_not_overlap_any_more() {
    let mut course = rotating(RULES);
    course.session.set_overlaps(false);
    course.lost(DisconnectReason::Io);
    assert_eq!(next(&mut course), dropped(Some(DisconnectReason::Closing)));
    assert_eq!(course.next(), (Duration::ZERO, Action::Connect));
}

#[test]
fn an_old_connection_that_ends_after_many_failures_of_the_new_one_is_a_first_failure() {
    for (reason, retry_after, waits) in [
        (DisconnectReason::Io, None, 0..=1),
        (DisconnectReason::Http, Some(60 * SECOND), 60..=60),
        (DisconnectReason::Denied, None, 150..=300),
    ] {
        let mut course = rotating(RULES).with(ENDLESS);
        loop {
            let failed = course.on(Event::Disconnected { reason, retry_after });
            let Action::Retry { retry_in, .. } = failed else { panic!("{failed:?}") };
            if retry_in > 30 * SECOND {
                break;
            }
            assert_eq!(next(&mut course), Action::Connect);
        }
        let ended = Event::Disconnected { reason: DisconnectReason::Io, retry_after: None };
        let began = course.now;
        assert_eq!(course.session.on_predecessor(ended, course.now), dropped(Some(DisconnectReason::Io)));
        assert_eq!(next(&mut course), Action::Connect);
        let waited = (course.now - began).as_secs_f64().ceil() as u64;
        assert!(waits.contains(&waited), "{reason:?}: {waited} s");
    }
}

#[test]
fn an_old_connection_that_ends_first_is_a_gap_unless_the_new_one_is_live() {
    let reason = |reason| Event::Disconnected { reason, retry_after: None };
    for (event, unless_live, though_live) in [
        (reason(DisconnectReason::Closed), Some(DisconnectReason::Closing), None),
        (reason(DisconnectReason::Io), Some(DisconnectReason::Io), None),
        (Event::Message(Message::Failed(Failure::Fatal(Reason::Unauthorized))), Some(DisconnectReason::Denied), None),
        (Event::Message(Message::Gap), Some(DisconnectReason::Gap), Some(DisconnectReason::Gap)),
    ] {
        let text = format!("{event:?}");
        let mut course = rotating(RULES);
        let again = match &event {
            Event::Disconnected { reason: why, .. } => reason(*why),
            Event::Message(message) => Event::Message(*message),
            _ => unreachable!(),
        };
        assert_eq!(course.session.on_predecessor(event, course.now), dropped(unless_live), "{text}");
        assert!(matches!(course.lost(DisconnectReason::Io), Action::Leave { .. }), "{text}: as without one");
        let mut course = succeeded();
        assert_eq!(course.session.on_predecessor(again, course.now), dropped(though_live), "{text}");
    }
    let mut course = rotating(RULES);
    let stuck = course.on(Event::PredecessorEnded(DisconnectReason::Stuck));
    assert_eq!(stuck, dropped(Some(DisconnectReason::Stuck)));
    assert_eq!(course.on(Event::PredecessorEnded(DisconnectReason::Stuck)), Action::Nothing, "it is gone");
}

#[test]
fn the_old_connection_keeps_itself_alive_and_asks_for_nothing() {
    const EVERY: Duration = Duration::from_secs(2);
    let rules = Rules { ping: Some(Ping { every: EVERY, text: "ping" }), ..RULES };
    let mut course = rotating(rules);
    assert_eq!(course.session.on_predecessor(Event::Ask(requests(3)), course.now), Action::Nothing);
    for message in [Message::Closing, Message::Refused(None), Message::Refused(Some(1)), Message::Acknowledged(1)] {
        let action = course.session.on_predecessor(Event::Message(message), course.now);
        assert_eq!(action, Action::Nothing, "{message:?}");
    }
    for _ in 0..3 {
        assert_eq!(course.next(), (EVERY, Action::PingPredecessor(Some("ping"))));
    }

    // A half-open one is found as before.
    let mut course = rotating(RULES);
    let began = course.now;
    let gap = loop {
        match course.next().1 {
            Action::Connect => _ = course.lost(DisconnectReason::Io),
            Action::DropPredecessor { gap } => break gap,
            _ => {}
        }
    };
    assert_eq!(gap, Some(DisconnectReason::NoPong));
    assert!(course.now - began <= Timing::default().ping_after + Timing::default().pong);
}

#[test]
fn a_silence_of_the_old_connection_is_told_while_no_other_is_open() {
    let mut course = rotating(RULES);
    let began = course.now;
    loop {
        match next(&mut course) {
            Action::Connect => _ = course.lost(DisconnectReason::Io),
            Action::Mute => break,
            action => assert!(matches!(action, Action::Retry { .. }), "{action:?}"),
        }
    }
    assert!(course.now - began <= 30 * SECOND);
}

#[test]
fn an_end_that_is_announced_soon_again_waits_before_the_next_attempt_while_the_old_one_serves() {
    let mut course = served(RULES, SECOND);
    let rotate = course.message(Message::Closing);
    let Action::Rotate { reason: DisconnectReason::Closing, retry_in } = rotate else { panic!("{rotate:?}") };
    assert!(retry_in > Duration::ZERO);
    assert_eq!(course.next(), (retry_in, Action::Connect));
    succeed(&mut course, &[]);
    let again = course.message(Message::Closing);
    assert!(matches!(again, Action::Retry { reason: DisconnectReason::Closing, .. }), "{again:?}");
}

#[test]
fn a_connection_that_is_not_live_is_left_as_before() {
    let mut course = Course::connected(RULES, 1);
    course.session = course.session.overlapping(SYMBOLS);
    let left = course.message(Message::Closing);
    assert!(matches!(left, Action::Leave { reason: DisconnectReason::Closing, .. }), "{left:?}");
}

#[test]
fn a_connection_at_its_age_serves_on_too() {
    let mut course = served(RULES, RULES.lifetime.unwrap());
    let rotate = Action::Rotate { reason: DisconnectReason::Lifetime, retry_in: Duration::ZERO };
    assert_eq!(next(&mut course), rotate);
    assert_eq!(next(&mut course), Action::Connect);
}

#[test]
fn the_age_of_each_connection_may_be_set_before_it_opens() {
    let mut course = Course::new(RULES).with(ENDLESS);
    course.session = course.session.overlapping(SYMBOLS);
    course.session.replace_after(200 * SECOND);
    assert_eq!(course.next().1, Action::Connect);
    succeed(&mut course, &[]);
    let opened = course.now;
    let rotate = Action::Rotate { reason: DisconnectReason::Lifetime, retry_in: Duration::ZERO };
    assert_eq!((next(&mut course), course.now - opened), (rotate, 200 * SECOND));
}
