//! The schedule under a clock of its own.

use super::*;
use proptest::prelude::*;

const SERVER: Times = Times::SERVER;

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// A schedule with keys that were fetched now.
fn with_keys(times: Times, now: Instant, random: f64) -> Schedule {
    let mut schedule = Schedule::new(times, now);
    schedule.fetched(now, random);
    schedule
}

/// The waits after so many failed fetches in a row, without jitter, in seconds.
fn waits(mut schedule: Schedule, mut now: Instant, fetches: usize) -> Vec<u64> {
    let mut waits = Vec::new();
    for _ in 0..fetches {
        assert_eq!(schedule.due(now), Some(Due::Fetch));
        schedule.failed(now, 0.5);
        let next = schedule.next.unwrap();
        waits.push((next - now).as_secs_f64().round() as u64);
        now = next;
    }
    waits
}

#[test]
fn keys_are_fetched_at_the_start_and_every_ten_minutes_give_or_take_one() {
    for (random, wait) in [(0.0, 540), (0.5, 600), (1.0, 660), (f64::NAN, 660), (-9.0, 540), (9.0, 660)] {
        let now = Instant::now();
        let mut schedule = Schedule::new(SERVER, now);
        assert_eq!(schedule.deadline(), Some(now));
        assert_eq!(schedule.due(now), Some(Due::Fetch));
        assert_eq!((schedule.due(now + seconds(9_999_999)), schedule.deadline()), (None, None), "one runs");
        schedule.fetched(now, random);
        let next = schedule.deadline().unwrap();
        assert_eq!((next - now).as_secs_f64().round() as u64, wait, "{random}");
        assert_eq!(schedule.due(next - Duration::from_millis(1)), None);
        assert_eq!(schedule.due(next), Some(Due::Fetch));
    }
}

#[test]
fn a_failed_fetch_is_repeated_soon_and_then_ever_more_rarely() {
    let now = Instant::now();
    assert_eq!(waits(Schedule::new(SERVER, now), now, 8), [2, 4, 8, 16, 30, 30, 30, 30], "all requests wait");
    let schedule = with_keys(SERVER, now, 0.5);
    let next = schedule.deadline().unwrap();
    assert_eq!(waits(schedule, next, 11), [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    let file = Times::of_file(seconds(10));
    assert_eq!(waits(Schedule::new(file, now), now, 5), [2, 4, 8, 10, 10]);
    let mut schedule = Schedule::new(SERVER, now);
    for _ in 0..100 {
        schedule.failed(now, 1.0);
    }
    schedule.fetched(now, 0.5);
    schedule.failed(now, 0.5);
    assert_eq!((schedule.next.unwrap() - now).as_secs_f64().round() as u64, 2, "the first failure again");
}

#[test]
fn old_keys_count_for_a_day_after_their_fetch() {
    let start = Instant::now();
    let mut schedule = with_keys(SERVER, start, 0.5);
    let day = start + seconds(24 * 3600);
    let expired = loop {
        let now = schedule.deadline().unwrap();
        match schedule.due(now).unwrap() {
            Due::Fetch => schedule.failed(now, 0.5),
            Due::Expire => break now,
        }
    };
    assert_eq!(expired, day);
    assert!(schedule.deadline().unwrap() <= day + seconds(30), "all requests wait from now on");
    assert_ne!(schedule.due(day), Some(Due::Expire), "once");
    // A fetch that hangs meanwhile changes nothing.
    let mut schedule = with_keys(SERVER, start, 0.5);
    assert_eq!(schedule.due(start + seconds(600)), Some(Due::Fetch));
    assert_eq!(schedule.deadline(), Some(day));
    assert_eq!(schedule.due(day), Some(Due::Expire));
    assert_eq!((schedule.due(day), schedule.deadline()), (None, None));
}

#[test]
fn an_unknown_key_is_fetched_at_once_but_not_twice_within_30_s() {
    let now = Instant::now();
    let mut schedule = with_keys(SERVER, now, 0.5);
    assert_eq!(schedule.ask(now), Asked::Begun);
    assert_eq!(schedule.ask(now + seconds(3)), Asked::Running, "the waiters share it");
    schedule.fetched(now + seconds(4), 0.5);
    for (after, asked) in [(5, Asked::Refused), (29, Asked::Refused), (30, Asked::Begun)] {
        assert_eq!(schedule.ask(now + seconds(after)), asked, "{after} s");
    }
    schedule.failed(now + seconds(31), 0.5);
    assert_eq!(schedule.ask(now + seconds(32)), Asked::Refused, "one that failed counts too");
    // A fetch that the schedule began is shared, and does not count.
    assert_eq!(schedule.due(now + seconds(33)), Some(Due::Fetch));
    assert_eq!(schedule.ask(now + seconds(34)), Asked::Running);
    schedule.fetched(now + seconds(59), 0.5);
    assert_eq!(schedule.ask(now + seconds(60)), Asked::Begun);
}

#[test]
fn an_operators_look_comes_at_once_or_behind_the_fetch_that_runs() {
    let now = Instant::now();
    let mut schedule = with_keys(SERVER, now, 0.5);
    schedule.look(now);
    assert_eq!(schedule.due(now), Some(Due::Fetch));
    schedule.look(now);
    schedule.look(now);
    schedule.fetched(now, 0.5);
    assert_eq!(schedule.due(now), Some(Due::Fetch));
    schedule.fetched(now, 0.5);
    assert_eq!(schedule.due(now), None, "one is enough");
}

#[test]
fn a_source_that_does_not_change_is_read_once() {
    let keys = std::sync::Arc::new(crate::auth::KeySet::of_secret(&[7; 32]).unwrap());
    let fixed = Source::Fixed(crate::issuer::FixedKeys { place: "the secret in S".to_owned(), keys });
    let now = Instant::now();
    let mut schedule = Schedule::new(Times::of(&fixed, seconds(1)), now);
    assert_eq!(schedule.due(now), Some(Due::Fetch));
    schedule.fetched(now, 0.5);
    schedule.look(now);
    assert_eq!(schedule.ask(now), Asked::Fixed);
    assert_eq!(
        (schedule.due(now + seconds(9_999_999)), schedule.deadline()),
        (None, None),
        "neither a fetch nor an end"
    );
}

#[test]
fn a_file_is_read_for_an_unknown_key_after_a_second() {
    let now = Instant::now();
    let mut schedule = with_keys(Times::of_file(seconds(10)), now, 0.5);
    assert_eq!(schedule.ask(now), Asked::Begun);
    schedule.fetched(now, 0.5);
    let millisecond = Duration::from_millis(1);
    assert_eq!(schedule.ask(now + seconds(1) - millisecond), Asked::Refused, "it costs a thread");
    assert_eq!(schedule.ask(now + seconds(1)), Asked::Begun);
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Ask,
    Look,
    End { succeeds: bool, random: f64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u64..100_000).prop_map(Step::Wait),
        2 => (0_u64..60).prop_map(Step::Wait),
        3 => Just(Step::Ask),
        1 => Just(Step::Look),
        4 => (any::<bool>(), any::<f64>()).prop_map(|(succeeds, random)| Step::End { succeeds, random }),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_one_fetch_runs_at_a_time_and_no_key_outlives_a_day(
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut now = Instant::now();
        let mut schedule = Schedule::new(SERVER, now);
        let (mut running, mut fetched, mut asked) = (false, None::<Instant>, None::<Instant>);
        for step in steps {
            match step {
                Step::Wait(wait) => now += seconds(wait),
                Step::Ask => match schedule.ask(now) {
                    Asked::Begun => {
                        prop_assert!(!running);
                        prop_assert!(asked.is_none_or(|asked| now - asked >= SERVER.asked_every));
                        (running, asked) = (true, Some(now));
                    }
                    Asked::Running => prop_assert!(running),
                    Asked::Fixed => prop_assert!(false),
                    Asked::Refused => prop_assert!(!running && asked.is_some_and(|asked| now - asked < seconds(30))),
                },
                Step::Look => schedule.look(now),
                Step::End { .. } if !running => {}
                Step::End { succeeds, random } => {
                    running = false;
                    if succeeds {
                        fetched = Some(now);
                        schedule.fetched(now, random);
                    } else {
                        schedule.failed(now, random);
                    }
                    prop_assert!(schedule.next.unwrap() <= now + SERVER.every.mul_f64(1.0 + JITTER) + seconds(1));
                }
            }
            while let Some(due) = schedule.due(now) {
                match due {
                    Due::Fetch => {
                        prop_assert!(!running);
                        running = true;
                    }
                    Due::Expire => prop_assert!(fetched.take().is_some_and(|at| now - at >= SERVER.kept)),
                }
            }
            prop_assert!(fetched.is_none_or(|at| now - at < SERVER.kept));
            prop_assert!(schedule.deadline().is_none_or(|at| at > now));
            prop_assert!(running || schedule.deadline().is_some());
        }
    }
}
