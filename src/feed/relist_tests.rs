//! Changes of the list as a session takes them, in simulated time.

use super::{
    tests::{Course, LIVE, RULES, SECOND, reason, requests},
    *,
};
use crate::venue::{Request, Silence};

fn later(silence: Silence) -> Request {
    Request { silence, ..Request::send(9, "9".to_owned()) }
}

/// A live connection that has been asked for a change.
fn changed(silence: Silence) -> Course {
    let mut course = Course::live(RULES);
    assert_eq!(course.on(Event::Change(vec![later(silence)])), Action::Nothing);
    assert!(!course.session.takes_changes() && course.session.is_live());
    assert_eq!(course.next(), (RULES.between_requests, Action::Send("9".to_owned())), "at the venue's pace");
    course
}

#[test]
fn an_answer_to_a_change_is_told_for_some_of_its_symbols_may_be_refused() {
    let mut course = changed(Silence::Disconnects);
    assert_eq!(course.message(Message::Acknowledged(9)), LIVE);
    assert!(course.session.takes_changes());
    let mut course = changed(Silence::Disconnects);
    assert_eq!(course.message(Message::Refused(Some(9))), Action::Live { refused: vec![9], unanswered: vec![] });
    let mut course = changed(Silence::Ends);
    assert_eq!(course.message(Message::Acknowledged(9)), Action::Nothing, "an end refuses none");
}

#[test]
fn a_refusal_that_names_no_request_means_none_that_ends_subscriptions() {
    let mut course = Course::live(RULES);
    let accepted = Request { id: 8, text: Some("8".to_owned()), silence: Silence::Accepts };
    course.on(Event::Change(vec![accepted, later(Silence::Ends)]));
    course.next();
    course.next();
    assert_eq!(course.message(Message::Refused(None)), Action::Live { refused: vec![8], unanswered: vec![8] });
    assert_eq!(course.message(Message::Acknowledged(9)), Action::Nothing, "the end is awaited still");
}

#[test]
fn a_change_without_an_answer_costs_the_other_symbols_nothing() {
    for (silence, action) in [
        (Silence::Disconnects, Action::Live { refused: vec![9], unanswered: vec![9] }),
        (Silence::Ends, Action::Unanswered(9)),
    ] {
        let mut course = changed(silence);
        course.data_for(Timing::default().acknowledgement - SECOND);
        assert_eq!(course.next().1, action);
        assert!(course.session.takes_changes() && course.session.is_live());
    }
}

#[test]
fn a_list_that_was_refused_as_a_whole_is_asked_for_again_as_soon_as_it_has_another_symbol() {
    let mut course = Course::connected(RULES, 1);
    course.session.relist([FeedSymbol(0)].into_iter(), &[], course.now);
    course.next();
    assert_eq!(reason(course.message(Message::Refused(Some(1)))), Some(DisconnectReason::Refused));
    course.session.relist([FeedSymbol(1)].into_iter(), &[], course.now);
    assert_eq!(course.next(), (Duration::ZERO, Action::Connect));
    // Another failure keeps its wait.
    assert!(reason(course.lost(DisconnectReason::Io)).is_some());
    course.session.relist([FeedSymbol(2)].into_iter(), &[], course.now);
    assert!(course.session.deadline() > course.now);
    let until = course.session.waits_until();
    let again = Course::new(RULES);
    assert_eq!(again.session.not_before(until).deadline(), until.unwrap(), "also where it is closed and opened again");
}

#[test]
fn an_empty_connection_is_never_mute_and_one_that_cannot_change_its_list_is_replaced() {
    let mut course = Course::live(Rules { lifetime: None, ..RULES });
    course.session.relist([FeedSymbol(0)].into_iter(), &[], course.now);
    course.session.relist([].into_iter(), &[FeedSymbol(0)], course.now);
    for _ in 0..20 {
        match course.next().1 {
            Action::Ping => _ = course.on(Event::Pong),
            action => panic!("{action:?}"),
        }
    }
    course.session.relist([FeedSymbol(0)].into_iter(), &[], course.now);
    course.on(Event::Message(Message::Data));
    course.data_for(Timing::default().stable_after);
    let left = course.on(Event::Replace);
    assert_eq!(left, Action::Leave { reason: DisconnectReason::Relisted, retry_in: Duration::ZERO });
    assert_eq!(
        course.on(Event::Change(requests(1))),
        Action::Nothing,
        "what changes meanwhile is asked for at the next"
    );
}
