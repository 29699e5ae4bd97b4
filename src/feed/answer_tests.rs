//! The venue's answers to requests, and its silence, in simulated time.

use super::{
    tests::{Course, LIVE, RULES, SECOND, reason},
    *,
};
use crate::venue::{Message, Request, Silence};

#[test]
fn silence_is_an_answer_where_a_venue_answers_only_what_it_accepts() {
    let silent = |id: u64| Request { silence: Silence::Refuses, ..Request::send(id, id.to_string()) };
    let mut course = Course::new(RULES);
    course.next();
    course.on(Event::Connected(vec![silent(1), silent(2)]));
    course.next();
    course.next();
    assert_eq!(course.message(Message::Acknowledged(2)), Action::Nothing);
    course.data_for(Timing::default().acknowledgement - SECOND);
    assert_eq!(course.next().1, Action::Live { refused: vec![1], unanswered: vec![1] });

    let mut course = Course::new(RULES);
    course.next();
    course.on(Event::Connected(vec![silent(1)]));
    course.next();
    course.data_for(Timing::default().acknowledgement - SECOND);
    assert_eq!(reason(course.next().1), Some(DisconnectReason::Refused), "it accepts nothing");
}

#[test]
fn a_request_that_the_venue_does_not_answer_is_granted_once_it_is_sent() {
    let mut course = Course::new(RULES);
    course.next();
    let request = Request { silence: Silence::Accepts, ..Request::send(1, "1".to_owned()) };
    course.on(Event::Connected(vec![request]));
    assert_eq!(course.next().1, Action::Send("1".to_owned()));
    assert_eq!(course.next(), (Duration::ZERO, LIVE));
}

/// A live connection of a venue that answers none of its three requests.
fn accepted() -> Course {
    let silent = |id: u64| Request { silence: Silence::Accepts, ..Request::send(id, id.to_string()) };
    let mut course = Course::new(RULES);
    course.next();
    course.on(Event::Connected((1..=3).map(silent).collect()));
    (0..3).for_each(|_| assert!(matches!(course.next().1, Action::Send(_))));
    assert_eq!(course.next().1, LIVE);
    course
}

#[test]
fn a_refusal_that_follows_a_grant_by_silence_is_told() {
    let live =
        |refused: u64, unanswered: &[u64]| Action::Live { refused: vec![refused], unanswered: unanswered.to_vec() };
    let mut course = accepted();
    assert_eq!(course.message(Message::Refused(Some(2))), live(2, &[]));
    for unknown in [2, 9] {
        assert_eq!(
            course.message(Message::Refused(Some(unknown))),
            Action::Nothing,
            "once, and none that is not asked"
        );
    }
    assert_eq!(course.message(Message::Refused(None)), live(3, &[3]), "the newest, of which the venue has to learn");
    assert_eq!(reason(course.message(Message::Refused(None))), Some(DisconnectReason::Refused), "nothing is left");
}

#[test]
fn a_request_that_is_granted_by_silence_and_then_asked_again_in_parts_is_not_granted() {
    let mut course = accepted();
    assert_eq!(course.message(Message::Superseded(1)), Action::Nothing);
    assert!(matches!(course.message(Message::Refused(Some(2))), Action::Live { .. }));
    assert_eq!(reason(course.message(Message::Refused(Some(3)))), Some(DisconnectReason::Refused));
}

#[test]
fn a_refusal_of_some_is_told_and_a_refusal_of_all_is_a_loss() {
    let mut course = Course::connected(RULES, 2);
    course.next();
    course.next();
    assert_eq!(course.message(Message::Refused(Some(1))), Action::Nothing);
    assert_eq!(course.message(Message::Acknowledged(2)), Action::Live { refused: vec![1], unanswered: vec![] });

    let mut course = Course::connected(RULES, 2);
    course.next();
    course.next();
    assert_eq!(course.message(Message::Refused(None)), Action::Nothing);
    assert_eq!(reason(course.message(Message::Refused(None))), Some(DisconnectReason::Refused));
}

#[test]
fn a_request_that_is_asked_again_in_parts_counts_as_neither_granted_nor_refused() {
    let mut course = Course::connected(RULES, 1);
    course.next();
    course.on(Event::Ask(vec![Request::send(2, "2".to_owned()), Request::send(3, "3".to_owned())]));
    assert_eq!(course.message(Message::Superseded(1)), Action::Nothing);
    course.next();
    course.next();
    assert_eq!(course.message(Message::Refused(Some(2))), Action::Nothing);
    assert_eq!(
        reason(course.message(Message::Refused(Some(3)))),
        Some(DisconnectReason::Refused),
        "nothing is granted"
    );
}

#[test]
fn no_action_is_lost_where_one_frame_is_several_events() {
    let mut course = Course::connected(RULES, 1);
    course.next();
    let mut events = VecDeque::from([
        Event::Message(Message::Acknowledged(1)),
        Event::Message(Message::Data),
        Event::Message(Message::Gap),
        Event::Message(Message::Data),
    ]);
    assert_eq!(course.session.on_all(&mut events, course.now), LIVE);
    assert_eq!(events.len(), 3, "the action comes before the next event");
    assert_eq!(reason(course.session.on_all(&mut events, course.now)), Some(DisconnectReason::Gap));
    assert_eq!(course.session.on_all(&mut events, course.now), Action::Nothing, "the connection is left");
    assert!(events.is_empty());
}

#[test]
fn an_unanswered_request_is_a_loss_even_while_data_flow() {
    let mut course = Course::connected(RULES, 1);
    course.next();
    course.data_for(Timing::default().acknowledgement - SECOND);
    assert_eq!(reason(course.next().1), Some(DisconnectReason::Unacknowledged));
}
