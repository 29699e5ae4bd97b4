//! Silence, in simulated time: when it is told, and when the connection is replaced.

use super::{
    tests::{Course, LIVE, PATIENCE, RULES, SECOND, requests},
    *,
};

const MUTE_AFTER: Duration = PATIENCE.mute_after;

/// What a session said of a venue's silence, each with its time in seconds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    mute: Vec<u64>,
    replaced: Vec<u64>,
}

impl Course {
    /// A granted connection that its age never ends.
    fn endless() -> Self {
        Self::live(Rules { lifetime: None, ..RULES })
    }

    /// Lets time pass, with data at these seconds. Pings are answered and connections granted at once.
    fn silent_for(&mut self, seconds: u64, data: impl Fn(u64) -> bool) -> Told {
        let started = self.now;
        let mut told = Told::default();
        for second in 0..seconds {
            let until = started + second as u32 * SECOND;
            while self.session.deadline() <= until {
                let action = self.next().1;
                self.answer(action, (self.now - started).as_secs(), &mut told);
            }
            self.now = until;
            if data(second) && matches!(self.session.stage, Stage::Connected(_)) {
                assert_eq!(self.message(Message::Data), Action::Nothing);
            }
        }
        told
    }

    fn answer(&mut self, action: Action, second: u64, told: &mut Told) {
        match action {
            Action::Ping => assert_eq!(self.on(Event::Pong), Action::Nothing),
            Action::Mute => told.mute.push(second),
            Action::Leave { reason: DisconnectReason::NoData, retry_in } => {
                assert!(retry_in <= SECOND, "the silence backs off, not the attempt: {retry_in:?}");
                told.replaced.push(second);
            }
            Action::Connect => assert_eq!(self.on(Event::Connected(requests(1))), Action::Nothing),
            Action::Send(_) => assert_eq!(self.message(Message::Acknowledged(1)), LIVE),
            Action::Nothing => {}
            other => panic!("{other:?} after {second} s"),
        }
    }
}

#[test]
fn rule_7_every_long_silence_is_told_and_a_quiet_list_is_not_connected_again_and_again() {
    for (name, data, mute, replaced) in [
        // Each silence of 45 s is told, and the first is taken for an outage.
        ("one rare stock", (|second| second % 45 == 0) as fn(u64) -> bool, 1_800 / 45, 1),
        ("three rare stocks", |second| [0, 50, 90].contains(&(second % 140)), 1_800 * 3 / 140, 1),
        ("a quiet night", |second| second % 300 == 0, 1_800 / 300, 4),
        ("data that stop and return each 40 s", |second| second % 80 < 40, 1_800 / 80, 1),
        ("a silence that is just short enough", |second| second % 29 == 0, 0, 0),
        ("data as ever", |_| true, 0, 0),
    ] {
        let told = Course::endless().silent_for(1_800, data);
        assert!(told.mute.len().abs_diff(mute) <= 1, "{name} is told {told:?}");
        assert!(told.replaced.len() <= replaced, "{name} is connected again {told:?}");
        assert_eq!(told.replaced.is_empty(), replaced == 0, "{name}: {told:?}");
    }
}

#[test]
fn rule_7_a_venue_that_never_sends_data_is_connected_to_ever_more_rarely() {
    let told = Course::endless().silent_for(4_000, |_| false);
    assert_eq!(told.mute, [30], "once: no data came since");
    let waits: Vec<_> = told.replaced.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let wanted = [60, 120, 240, 480, 600, 600, 600];
    assert_eq!(told.replaced[0], 30);
    assert!(waits.iter().zip(wanted).all(|(wait, wanted)| (wanted..=wanted + 1).contains(wait)), "{waits:?}");
}

#[test]
fn rule_7_a_silence_counts_as_the_first_after_data_have_flowed_for_thrice_as_long() {
    let flowing = 3 * MUTE_AFTER.as_secs();
    for (span, next) in [(flowing + 1, 30), (flowing - 5, 60)] {
        let mut course = Course::endless();
        course.silent_for(40, |_| false);
        course.silent_for(span, |_| true);
        let told = course.silent_for(100, |_| false);
        assert_eq!((told.mute[0], told.replaced[0]), (30, next), "after {span} s of data");
    }
}

#[test]
fn rule_7_silence_counts_only_while_it_is_watched_and_from_then_on() {
    let mut course = Course::endless();
    course.message(Message::Data);
    course.on(Event::Watch(false));
    assert_eq!(course.silent_for(300, |_| false), Told::default(), "outside of the hours");
    for _ in 0..2 {
        course.on(Event::Watch(true));
    }
    let told = course.silent_for(40, |_| false);
    assert_eq!((told.mute, told.replaced), (vec![30], vec![30]), "hours that begin in a silence");

    let mut course = Course::endless();
    course.silent_for(31, |_| false);
    course.on(Event::Watch(false));
    course.on(Event::Watch(true));
    assert_eq!(course.silent_for(40, |_| false).mute, [30], "a silence of yesterday is over");
}

#[test]
fn rule_7_time_in_which_all_symbols_are_halted_does_not_count() {
    let mut course = Course::endless();
    let mut asked = 0;
    let until = course.now + 3_600 * SECOND;
    while course.session.deadline() <= until {
        let action = course.next().1;
        if action == Action::Mute {
            asked += 1;
            assert_eq!(course.on(Event::AllHalted), Action::Nothing);
        } else {
            course.answer(action, 0, &mut Told::default());
        }
    }
    assert_eq!(asked, 3_600 / 30, "it is asked once in each span, and nothing else happens");
    course.message(Message::Data);
    let told = course.silent_for(40, |_| false);
    assert_eq!((told.mute, told.replaced), (vec![30], vec![30]), "one has resumed, and then all are silent");
}

#[test]
fn rule_7_a_heartbeat_proves_the_transport_and_not_the_data() {
    let mut course = Course::live(Rules { heartbeat_timeout: Some(10 * SECOND), lifetime: None, ..RULES });
    let started = course.now;
    while course.on(Event::Due) != Action::Mute {
        course.now += SECOND;
        assert_eq!(course.message(Message::Control), Action::Nothing);
    }
    assert_eq!(course.now - started, MUTE_AFTER);
}

/// A session in a state of the second table of `docs/liveness.md`.
fn in_state(state: &str) -> Course {
    let mut course = Course::endless();
    // Two connections were replaced already, so the next is replaced after four times the silence.
    course.silent_for(100, |_| false);
    course.message(Message::Data);
    match state {
        "flowing" => {}
        "mute" => {
            assert_eq!(course.silent_for(31, |_| false), Told { mute: vec![30], replaced: vec![] });
        }
        "unwatched" => assert_eq!(course.on(Event::Watch(false)), Action::Nothing),
        "down" => assert!(matches!(course.lost(DisconnectReason::Io), Action::Leave { .. })),
        other => panic!("{other}"),
    }
    assert_eq!(course.state(), state);
    course
}

impl Course {
    fn state(&self) -> &'static str {
        match self.session.stage {
            Stage::Connected(_) => self.session.silence.name(),
            _ => "down",
        }
    }

    /// Lets a silence pass: no data come, pings are answered, and what falls due is done.
    fn pass(&mut self, span: Duration, all_halted: bool) {
        let until = self.now + span;
        while self.state() != "down" && self.session.deadline() <= until {
            match self.next().1 {
                Action::Mute if all_halted => drop(self.on(Event::AllHalted)),
                Action::Ping => drop(self.on(Event::Pong)),
                _ => {}
            }
        }
        self.now = until;
    }
}

#[test]
fn rule_7_each_event_leads_a_connection_from_each_state_to_the_one_that_the_documentation_names() {
    let document = include_str!("../../docs/liveness.md");
    let table = document.split("## The silence of a connection").nth(1).unwrap();
    let lines = table.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let mut rows = lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>());
    let states = rows.next().unwrap();
    let rows: Vec<_> = rows.skip(1).collect();
    assert_eq!(rows.len(), 8, "each event has a row");
    for row in rows {
        for (state, wanted) in states.iter().zip(&row).skip(1) {
            let mut course = in_state(state);
            match row[0] {
                "data arrive" => drop(course.message(Message::Data)),
                "a heartbeat, a pong or bytes that cannot be read" => {
                    course.message(Message::Control);
                    course.on(Event::Pong);
                    course.on(Event::Unreadable);
                }
                "`mute_after` passes" => course.pass(MUTE_AFTER, false),
                "`mute_after` passes, and all symbols are halted" => course.pass(MUTE_AFTER, true),
                "a longer silence passes" => course.pass(4 * MUTE_AFTER, false),
                "the hours end" => drop(course.on(Event::Watch(false))),
                "the hours begin" => drop(course.on(Event::Watch(true))),
                "the connection is lost" => drop(course.lost(DisconnectReason::Io)),
                other => panic!("an event that no test knows: {other}"),
            }
            assert_eq!(course.state(), *wanted, "{} while {state}", row[0]);
        }
    }
}
