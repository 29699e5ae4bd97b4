//! The connections of one feed take turns to connect, in simulated time.

use super::{
    tests::{Course, RULES, SECOND, requests},
    *,
};
use crate::venue::Message;

#[test]
fn attempts_of_a_feed_are_apart_and_an_outage_of_the_venue_stays_below_its_limit() {
    let now = Instant::now();
    let between = SECOND;
    let pacer = ConnectPacer::new(between);
    let mut courses: Vec<_> = (0..64).map(|_| Course::paced(RULES, pacer.clone(), now)).collect();
    let mut attempts = Vec::new();
    while attempts.len() < 1_000 {
        let next = courses.iter_mut().min_by_key(|course| course.session.deadline()).unwrap();
        next.now = next.session.deadline();
        if next.on(Event::Due) == Action::Connect {
            attempts.push(next.now);
            next.lost(DisconnectReason::Io);
        }
    }
    assert_eq!(attempts[0], now, "the first waits for nothing");
    assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] >= between));
}

/// The connections of one feed, which opened in the same moment and have had data for this long.
fn three_opened_together(served: Duration) -> Vec<Course> {
    let now = Instant::now();
    let pacer = ConnectPacer::new(5 * SECOND);
    let mut courses: Vec<_> = (0..3).map(|_| Course::paced(RULES, pacer.clone(), now)).collect();
    for course in &mut courses {
        while course.next().1 != Action::Connect {}
        course.now = now + 10 * SECOND;
        course.on(Event::Connected(requests(1)));
        course.next();
        course.message(Message::Acknowledged(1));
        course.data_for(served);
    }
    courses
}

fn left_for_closing() -> Action {
    Action::Leave { reason: DisconnectReason::Closing, retry_in: Duration::ZERO }
}

#[test]
fn connections_that_the_venue_will_close_are_replaced_one_after_the_other_and_serve_until_their_turn() {
    let mut courses = three_opened_together(Timing::default().stable_after);
    let start = courses[0].now;
    assert_eq!(courses[0].message(Message::Closing), left_for_closing(), "the first has its turn at once");
    for course in &mut courses[1..] {
        assert_eq!(course.message(Message::Closing), Action::Nothing);
        assert_eq!(course.message(Message::Closing), Action::Nothing, "to repeat it does not hurry it");
    }
    for (place, course) in (1..).zip(&mut courses[1..]) {
        let left = loop {
            match course.next().1 {
                Action::Nothing | Action::Ping => course.on(Event::Pong),
                action => break action,
            };
        };
        assert_eq!((left, course.now - start), (left_for_closing(), 5 * SECOND * place));
        assert_eq!(course.next(), (Duration::ZERO, Action::Connect));
    }
}

#[test]
fn connections_of_one_age_are_replaced_one_after_the_other_and_serve_until_their_turn() {
    let mut courses = three_opened_together(RULES.lifetime.unwrap());
    let start = courses[0].now;
    for (place, course) in courses.iter_mut().enumerate() {
        let left = loop {
            match course.next().1 {
                Action::Nothing => {}
                action => break action,
            }
        };
        let expected = Action::Leave { reason: DisconnectReason::Lifetime, retry_in: Duration::ZERO };
        assert_eq!((left, course.now - start), (expected, 5 * SECOND * place as u32));
        assert_eq!(course.next(), (Duration::ZERO, Action::Connect), "its turn has come already");
    }
}

#[test]
fn a_venue_that_asks_one_connection_to_come_later_holds_the_whole_feed() {
    let asked = [1, 300, 3_600].map(|seconds| (seconds, SECOND * seconds.min(600) as u32));
    for (seconds, held) in asked {
        let now = Instant::now();
        let pacer = ConnectPacer::new(SECOND / 2);
        let mut courses: Vec<_> = (0..8).map(|_| Course::paced(RULES, pacer.clone(), now)).collect();
        assert_eq!(courses[0].next().1, Action::Connect);
        for queued in &mut courses[1..] {
            assert_eq!(queued.on(Event::Due), Action::Nothing, "it has a turn soon");
        }
        let retry_after = Some(Duration::from_secs(seconds));
        courses[0].on(Event::Disconnected { reason: DisconnectReason::Http, retry_after });
        let mut attempts: Vec<_> = courses
            .iter_mut()
            .map(|course| {
                while course.next().1 != Action::Connect {}
                course.now
            })
            .collect();
        attempts.sort();
        assert!(attempts[0] >= now + held && attempts[0] <= now + held + SECOND, "{seconds}");
        assert!(attempts.windows(2).all(|pair| pair[1] - pair[0] >= SECOND / 2), "{seconds}");
    }
}

#[test]
fn a_connection_that_is_to_be_replaced_serves_on_while_the_venue_holds_the_feed() {
    let mut courses = three_opened_together(Timing::default().stable_after);
    assert_eq!(courses[0].message(Message::Closing), left_for_closing());
    assert_eq!(courses[1].message(Message::Closing), Action::Nothing, "it has its turn soon");
    assert_eq!(courses[0].next().1, Action::Connect);
    let held = 20 * SECOND;
    let until = courses[0].now + held;
    courses[0].on(Event::Disconnected { reason: DisconnectReason::Http, retry_after: Some(held) });
    let left = loop {
        match courses[1].next().1 {
            Action::Nothing | Action::Ping => courses[1].on(Event::Pong),
            action => break action,
        };
    };
    assert_eq!((left, courses[1].now >= until), (left_for_closing(), true));
}
