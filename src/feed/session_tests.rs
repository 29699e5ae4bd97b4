//! The session in simulated time: no socket, no clock.

use super::*;
use crate::{
    market::Reason,
    venue::{Failure, Message, Ping, Request},
};
use proptest::prelude::*;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const RULES: Rules = Rules {
    between_requests: Duration::from_millis(300),
    requests_per_hour: None,
    lifetime: Some(Duration::from_secs(1_000)),
    ping: None,
    heartbeat_timeout: None,
    eviction: None,
};

pub(super) const PATIENCE: Patience = Patience { mute_after: Duration::from_secs(30), part_mute_after: None };
/// Silence is normal.
pub(super) const ENDLESS: Patience = Patience { mute_after: Duration::from_secs(1 << 20), part_mute_after: None };

/// Every request is granted.
pub(super) const LIVE: Action = Action::Live { refused: Vec::new(), unanswered: Vec::new() };

/// A session, its simulated clock and what it did so far.
pub(super) struct Course {
    pub(super) session: Session,
    pub(super) now: Instant,
}

impl Course {
    pub(super) fn new(rules: Rules) -> Self {
        Self::paced(rules, ConnectPacer::new(Duration::ZERO), Instant::now())
    }

    /// The same with another patience.
    pub(super) fn with(self, patience: Patience) -> Self {
        let mut session = self.session;
        session.silence = Silence::new(patience, self.now);
        Self { session, ..self }
    }

    /// A session that shares its pacer with others.
    pub(super) fn paced(rules: Rules, pacer: ConnectPacer, now: Instant) -> Self {
        Self { session: Session::new(Timing::default(), rules, PATIENCE, pacer, 7, now), now }
    }

    /// A session with an open connection on which `requests` are to be sent.
    pub(super) fn connected(rules: Rules, requests: u64) -> Self {
        let mut course = Self::new(rules);
        assert_eq!(course.next().1, Action::Connect);
        assert_eq!(course.on(Event::Connected(self::requests(requests))), Action::Nothing);
        course
    }

    /// The same, granted.
    pub(super) fn live(rules: Rules) -> Self {
        let mut course = Self::connected(rules, 1);
        assert_eq!(course.next().1, Action::Send("1".to_owned()));
        assert_eq!(course.message(Message::Acknowledged(1)), LIVE);
        course
    }

    pub(super) fn on(&mut self, event: Event) -> Action {
        self.session.on(event, self.now)
    }

    pub(super) fn message(&mut self, message: Message) -> Action {
        self.on(Event::Message(message))
    }

    pub(super) fn lost(&mut self, reason: DisconnectReason) -> Action {
        self.on(Event::Disconnected { reason, retry_after: None })
    }

    /// Lets time pass to the next deadline; returns how long that was and what was done.
    pub(super) fn next(&mut self) -> (Duration, Action) {
        let wait = self.session.deadline().saturating_duration_since(self.now);
        self.now += wait;
        (wait, self.on(Event::Due))
    }

    /// Lets time pass with data each second.
    pub(super) fn data_for(&mut self, span: Duration) {
        for _ in 0..=span.as_secs() {
            assert_eq!(self.message(Message::Data), Action::Nothing);
            self.now += SECOND;
        }
    }
}

pub(super) fn requests(count: u64) -> Vec<Request> {
    (1..=count).map(|id| Request::send(id, id.to_string())).collect()
}

pub(super) fn reason(action: Action) -> Option<DisconnectReason> {
    match action {
        Action::Leave { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn requests_are_paced_and_the_feed_is_live_when_all_are_granted() {
    let mut course = Course::connected(RULES, 3);
    assert_eq!(course.next(), (Duration::ZERO, Action::Send("1".to_owned())));
    assert_eq!(course.message(Message::Acknowledged(1)), Action::Nothing);
    assert_eq!(course.next(), (RULES.between_requests, Action::Send("2".to_owned())));
    assert_eq!(course.next(), (RULES.between_requests, Action::Send("3".to_owned())));
    assert_eq!(course.message(Message::Acknowledged(3)), Action::Nothing);
    assert_eq!(course.message(Message::Acknowledged(3)), Action::Nothing, "the same answer twice is one");
    assert_eq!(course.message(Message::Acknowledged(99)), Action::Nothing);
    assert_eq!(course.message(Message::Acknowledged(2)), LIVE);
    assert_eq!(course.message(Message::Acknowledged(2)), Action::Nothing);
}

#[test]
fn a_connection_without_requests_is_live_at_once() {
    let mut course = Course::connected(RULES, 0);
    assert_eq!(course.next(), (Duration::ZERO, LIVE));
    assert!(course.next().0 > Duration::ZERO, "and does not spin");
}

#[test]
fn a_silent_venue_is_asked_once_and_left() {
    let timing = Timing::default();
    let mut course = Course::live(RULES).with(ENDLESS);
    assert_eq!(course.next(), (timing.ping_after, Action::Ping));
    course.now += SECOND;
    assert_eq!(course.on(Event::Pong), Action::Nothing, "a pong");
    assert_eq!(course.next(), (timing.ping_after, Action::Ping));
    let (wait, action) = course.next();
    assert_eq!((wait, reason(action)), (timing.pong, Some(DisconnectReason::NoPong)));
}

#[test]
fn a_connection_is_replaced_at_its_age_and_at_the_venues_wish_without_a_wait() {
    let mut course = Course::live(RULES);
    course.data_for(RULES.lifetime.unwrap());
    assert_eq!(
        course.next(),
        (Duration::ZERO, Action::Leave { reason: DisconnectReason::Lifetime, retry_in: Duration::ZERO })
    );
    assert_eq!(course.next(), (Duration::ZERO, Action::Connect));

    let mut course = Course::live(RULES);
    course.data_for(Timing::default().stable_after);
    let left = course.message(Message::Closing);
    assert_eq!(left, Action::Leave { reason: DisconnectReason::Closing, retry_in: Duration::ZERO });
}

#[test]
fn a_venue_that_asks_for_a_new_connection_again_and_again_is_given_time() {
    let mut course = Course::live(RULES);
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        let Action::Leave { retry_in, .. } = course.message(Message::Closing) else { panic!("it is left") };
        longest = longest.max(retry_in);
        assert_eq!(course.next().1, Action::Connect);
        course.on(Event::Connected(requests(1)));
        course.next();
    }
    assert!(longest > 10 * SECOND, "{longest:?}");
}

#[test]
fn waits_grow_until_data_were_stable() {
    let mut course = Course::new(RULES);
    let fail = |course: &mut Course, times: u32| {
        let mut longest = Duration::ZERO;
        for _ in 0..times {
            assert_eq!(course.next().1, Action::Connect);
            let Action::Leave { retry_in, .. } = course.lost(DisconnectReason::Io) else { panic!("it is left") };
            longest = longest.max(retry_in);
        }
        longest
    };
    assert!(fail(&mut course, 20) > 10 * SECOND);
    for (span, restarts) in [(SECOND, false), (Timing::default().stable_after, true)] {
        assert_eq!(course.next().1, Action::Connect);
        course.on(Event::Connected(requests(1)));
        course.next();
        course.message(Message::Acknowledged(1));
        course.data_for(span);
        course.lost(DisconnectReason::Closed);
        let longest = fail(&mut course, 3);
        assert_eq!(longest <= 8 * SECOND, restarts, "{longest:?} after {span:?} of data");
    }
}

#[test]
fn the_venues_own_retry_after_is_kept_within_reason() {
    for (asked, waits) in [(120, 120 * SECOND), (1_000_000, RETRY_AFTER_MAX)] {
        let mut course = Course::new(RULES);
        course.next();
        let left = course.on(Event::Disconnected { reason: DisconnectReason::Http, retry_after: Some(asked * SECOND) });
        assert_eq!(left, Action::Leave { reason: DisconnectReason::Http, retry_in: waits });
    }
}

#[test]
fn an_attempt_that_takes_too_long_is_given_up() {
    let mut course = Course::new(RULES);
    assert_eq!(course.next().1, Action::Connect);
    let (wait, action) = course.next();
    assert_eq!((wait, reason(action)), (Timing::default().connect, Some(DisconnectReason::ConnectTimeout)));
    assert_eq!(course.on(Event::Connected(requests(1))), Action::Nothing, "too late is never");
}

#[test]
fn requests_that_follow_an_answer_are_sent_before_the_feed_is_live() {
    // The venue speaks first, and perhaps before anything was due.
    let mut course = Course::new(RULES);
    course.next();
    course.on(Event::Connected(vec![Request::wait_for(0)]));
    course.on(Event::Ask(requests(2)));
    assert_eq!(course.message(Message::Acknowledged(0)), Action::Nothing);
    assert_eq!(course.next(), (Duration::ZERO, Action::Send("1".to_owned())));
    assert_eq!(course.message(Message::Acknowledged(1)), Action::Nothing);
    assert_eq!(course.next().1, Action::Send("2".to_owned()));
    assert_eq!(course.message(Message::Acknowledged(2)), LIVE);
}

#[test]
fn a_venue_that_never_speaks_first_is_left() {
    let mut course = Course::new(RULES);
    course.next();
    course.on(Event::Connected(vec![Request::wait_for(0)]));
    assert_eq!(reason(course.next().1), Some(DisconnectReason::Unacknowledged));
}

#[test]
fn a_fatal_failure_is_retried_slowly_and_a_passing_one_when_it_has_passed() {
    let mut course = Course::connected(RULES, 1);
    for _ in 0..20 {
        let left = course.message(Message::Failed(Failure::Fatal(Reason::Unauthorized)));
        let Action::Leave { reason: DisconnectReason::Denied, retry_in } = left else { panic!("{left:?}") };
        let denied = Timing::default().denied;
        assert!((denied / 2..=denied).contains(&retry_in), "{retry_in:?}");
        assert_eq!(course.next().1, Action::Connect);
        course.on(Event::Connected(requests(1)));
    }
    let left = course.message(Message::Failed(Failure::Passing { retry_after: Some(90 * SECOND) }));
    assert_eq!(left, Action::Leave { reason: DisconnectReason::Failed, retry_in: 90 * SECOND });
}

proptest! {
    /// Whatever comes in whatever order: it never panics, never spins, and always has something to wait for.
    #[test]
    fn any_course_goes_on(steps in prop::collection::vec((0_u8..20, 0_u64..40_000), 1..200)) {
        let ping = Some(Ping { every: 20 * SECOND, text: "ping" });
        let rules = if steps.len() % 2 == 0 { RULES } else { Rules { ping, heartbeat_timeout: Some(10 * SECOND), ..RULES } };
        let mut course = Course::new(rules);
        for (step, millis) in steps {
            let action = match step {
                0 => course.message(Message::Data),
                1 => course.message(Message::Acknowledged(millis % 4)),
                2 => course.message(Message::Refused((millis % 2 == 0).then_some(millis % 4))),
                3 => course.message(Message::Closing),
                4 => course.lost(DisconnectReason::Protocol),
                5 => course.on(Event::Connected(requests(millis % 4))),
                6 => course.on(Event::Pong),
                8 => course.on(Event::Ask(requests(millis % 3))),
                9 => course.on(Event::Watch(millis % 2 == 0)),
                10 => course.message(Message::Failed(Failure::Passing { retry_after: None })),
                11 => course.message(Message::Failed(Failure::Fatal(Reason::Unauthorized))),
                12 => course.message(Message::Control),
                13 => course.message(Message::Gap),
                14 => course.on(Event::Unreadable),
                16 => course.on(Event::AllHalted),
                15 => course.message(Message::Superseded(millis % 4)),
                7 => { course.now += Duration::from_millis(millis); course.on(Event::Due) }
                _ => course.next().1,
            };
            if action == Action::Connect && millis % 2 == 0 {
                course.on(Event::Connected(requests(3)));
            }
            let mut turns = 0;
            while course.session.deadline() <= course.now {
                course.on(Event::Due);
                turns += 1;
                prop_assert!(turns < 50, "it spins");
            }
        }
    }
}
