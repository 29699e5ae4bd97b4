//! Pings, heartbeats and gaps, in simulated time.

use super::{
    tests::{Course, ENDLESS, RULES, SECOND, reason, requests},
    *,
};
use crate::venue::{Message, Ping, Request};

#[test]
fn the_venues_own_ping_goes_at_its_interval_and_at_the_pace_of_requests() {
    let ping = Ping { every: 10 * SECOND, text: "ping" };
    let mut course = Course::live(Rules { lifetime: None, ping: Some(ping), ..RULES }).with(ENDLESS);
    let started = course.now;
    course.now += ping.every - Duration::from_millis(100);
    course.on(Event::Ask(requests(1)));
    assert_eq!(course.next(), (Duration::ZERO, Action::Send("1".to_owned())));
    course.message(Message::Acknowledged(1));
    assert_eq!(course.next(), (RULES.between_requests, Action::SendPing("ping")), "not sooner after a request");
    assert_eq!(course.message(Message::Control), Action::Nothing);
    assert_eq!(course.next(), (ping.every, Action::SendPing("ping")));
    assert!(course.now - started > 2 * ping.every);
}

#[test]
fn rule_7_a_venue_whose_heartbeats_stop_is_left_however_well_it_answers_websocket_pings() {
    let rules = Rules { lifetime: None, heartbeat_timeout: Some(40 * SECOND), ..RULES };
    let mut course = Course::live(rules).with(ENDLESS);
    for _ in 0..100 {
        course.now += SECOND;
        assert_eq!(course.message(Message::Control), Action::Nothing, "a heartbeat");
    }
    course.now += SECOND;
    course.on(Event::Unreadable);
    let started = course.now;
    let left = loop {
        match course.next().1 {
            Action::Ping => assert_eq!(course.on(Event::Pong), Action::Nothing),
            action => break reason(action),
        }
    };
    assert_eq!((left, course.now - started), (Some(DisconnectReason::NoHeartbeat), 40 * SECOND));
}

#[test]
fn a_gap_is_a_reason_to_connect_again() {
    let mut course = Course::live(RULES);
    assert_eq!(reason(course.message(Message::Gap)), Some(DisconnectReason::Gap));
}

#[test]
fn rule_10_a_venue_that_limits_requests_by_the_hour_is_asked_no_more_and_pinged_meanwhile() {
    let rules = Rules { requests_per_hour: Some(2), lifetime: None, ..RULES };
    let mut course = Course::live(rules).with(ENDLESS);
    let start = course.now;
    course.on(Event::Change(vec![Request::send(2, "2".to_owned()), Request::send(3, "3".to_owned())]));
    let mut sent = Vec::new();
    let mut pings = 0;
    while sent.len() < 2 {
        match course.next().1 {
            Action::Send(text) => {
                let id = text.parse().unwrap();
                sent.push((id, course.now.saturating_duration_since(start).as_secs()));
                course.message(Message::Acknowledged(id));
            }
            Action::Ping => {
                pings += 1;
                course.on(Event::Pong);
            }
            other => assert!(reason(other).is_none()),
        }
    }
    assert_eq!(sent, [(2, 1_800), (3, 3_600)]);
    assert!(pings > 10);
}
