//! Each cell of the first table of `docs/liveness.md`: the state of a symbol after an event.

use super::*;
use crate::market::{Field, Halt, QuoteUpdate, StatsUpdate, StatusUpdate};

const DOCUMENT: &str = include_str!("../../docs/liveness.md");
const STATES: [&str; 6] = ["waiting", "live", "stale", "halted", "closed", "refused"];

/// A symbol under test.
struct Course(Snapshot, Guards);

impl Course {
    fn new(state: &str) -> Self {
        let mut course = Self(Snapshot::waiting(Origin::Market, UnixMicros(0)), Guards::default());
        if state != "waiting" {
            course.quote();
            course.stats();
        }
        match state {
            "waiting" | "live" => {}
            "stale" => course.outage(Reason::ConnectionLost),
            "halted" => course.halted(Field::Set(Halt::News)),
            "closed" => course.hours(false),
            "refused" => course.refused(Some(Reason::NotGranted)),
            other => panic!("{other}"),
        }
        course
    }

    fn update(&mut self, update: Update) {
        self.0.apply(&update, &mut self.1, Now::read());
    }

    fn quote(&mut self) {
        let bid = Field::Set("1".parse().unwrap());
        self.update(Update { quote: Some(QuoteUpdate { bid, ..QuoteUpdate::default() }), ..Update::default() });
    }

    fn stats(&mut self) {
        self.update(Update { stats: Some(StatsUpdate::default()), ..Update::default() });
    }

    fn halted(&mut self, halted: Field<Halt>) {
        let status = StatusUpdate { halted, ..StatusUpdate::default() };
        self.update(Update { status: Some(status), ..Update::default() });
    }

    /// The venue itself ends the symbol's session, or begins it.
    fn session(&mut self, closed: bool) {
        let status = StatusUpdate { closed: Some(closed), ..StatusUpdate::default() };
        self.update(Update { status: Some(status), ..Update::default() });
    }

    fn outage(&mut self, reason: Reason) {
        self.0.outage(reason, &mut self.1, Now::read());
    }

    fn mute(&mut self, parts: Parts) {
        self.0.mark_stale(parts, Reason::Mute, Now::read());
    }

    fn hours(&mut self, open: bool) {
        self.0.set_closed(!open, Now::read());
    }

    fn refused(&mut self, reason: Option<Reason>) {
        self.0.set_refused(reason, Now::read());
    }

    fn on(&mut self, event: &str) {
        match event {
            "its own bid or ask arrives" => self.quote(),
            "the venue halts it" => self.halted(Field::Set(Halt::News)),
            "the venue resumes it" => self.halted(Field::Clear),
            "the connection is lost" => self.outage(Reason::ConnectionLost),
            "the venue skips messages" => self.outage(Reason::Gap),
            "a planned change of connection leaves a gap" => self.outage(Reason::Reconnect),
            "the connection is mute" => self.mute(Parts::ALL),
            "one of its parts stops, another lives" => self.mute(Parts::from_iter([Part::Stats])),
            "its last living part stops" => self.mute(Parts::from_iter([Part::Quote, Part::Stats])),
            "the venue ends its session" => self.session(true),
            "the venue begins its session" => self.session(false),
            "the hours of its feed end" => self.hours(false),
            "the hours of its feed begin" => self.hours(true),
            "the venue refuses it" => self.refused(Some(Reason::NotGranted)),
            "the venue grants it" => self.refused(None),
            other => panic!("an event that no test knows: {other}"),
        }
    }

    /// As a cell shows it.
    fn shown(&self) -> String {
        match (self.0.state(), self.0.not_live_since()) {
            (State::Stale, Some((_, reason))) => format!("stale: {}", reason.name()),
            (state, _) => state.name().to_owned(),
        }
    }
}

/// The cells of the table with this heading, row by row.
fn rows(heading: &str) -> impl Iterator<Item = Vec<&'static str>> {
    let table = DOCUMENT.split(heading).nth(1).unwrap().lines().skip_while(|line| !line.starts_with('|'));
    let lines = table.take_while(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

#[test]
fn rule_7_each_event_leads_from_each_state_to_the_one_that_the_documentation_names() {
    let mut rows = rows("## The state of a symbol");
    assert_eq!(rows.next().unwrap()[1..], STATES);
    let rows: Vec<_> = rows.skip(1).collect();
    assert_eq!(rows.len(), 15, "each event has a row");
    for row in rows {
        for (state, wanted) in STATES.iter().zip(&row[1..]) {
            let mut course = Course::new(state);
            course.on(row[0]);
            assert_eq!(course.shown(), *wanted, "{} while {state}", row[0]);
        }
    }
}
