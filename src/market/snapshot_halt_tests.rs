//! What ends a halt where the venue reports resumes.

use super::*;

/// A stock that its venue has halted, 100 seconds ago, on a connection that lives.
struct Halted {
    snapshot: Snapshot,
    guards: Guards,
}

impl Halted {
    fn new() -> Self {
        let mut halted = Self { snapshot: Snapshot::waiting(Origin::Market, UnixMicros(0)), guards: Guards::default() };
        halted.prints(-110);
        halted.status(Field::Set(Halt::News), -100);
        assert_eq!(halted.state(), State::Halted);
        halted
    }

    fn apply(&mut self, update: &Update) {
        self.snapshot.apply(update, &mut self.guards, now());
    }

    fn status(&mut self, halted: Field<Halt>, seconds: i64) {
        let mut update = status(halted, at(seconds));
        update.status.as_mut().unwrap().resume_is_reported = true;
        self.apply(&update);
    }

    /// A trade that was executed at this time.
    fn prints(&mut self, seconds: i64) {
        self.apply(&print(TradingSession::Regular, at(seconds), 1, 1));
    }

    fn reconnects(&mut self) {
        self.snapshot.outage(Reason::ConnectionLost, &mut self.guards, now());
    }

    fn night(&mut self, closed: i64, opened: i64) {
        let moment = |seconds| Now { unix: at(seconds).unwrap(), ..now() };
        self.snapshot.set_closed(true, moment(closed));
        self.snapshot.set_closed(false, moment(opened));
        self.apply(&quote(None, number(1)));
    }

    fn state(&self) -> State {
        self.snapshot.state()
    }
}

#[test]
fn rule_7_a_late_print_does_not_end_a_halt_that_the_venue_has_not_ended() {
    type Step = fn(&mut Halted);
    let cases: [(&str, Step); 9] = [
        ("executed before the halt", |stock| stock.prints(-105)),
        ("executed with the halt", |stock| stock.prints(-100)),
        ("executed in the halt", |stock| stock.prints(-50)),
        ("without a time", |stock| stock.apply(&print(TradingSession::Regular, None, 1, 1))),
        ("outside the regular session", |stock| stock.apply(&print(TradingSession::Extended, at(-50), 1, 1))),
        ("a correction", |stock| stock.apply(&correction(1, Some((2, TradingSession::Regular))))),
        ("a quote", |stock| stock.apply(&quote(None, number(1)))),
        ("another reason", |stock| stock.status(Field::Set(Halt::Other), -50)),
        ("a resume from before the halt", |stock| stock.status(Field::Clear, -101)),
    ];
    for (name, step) in cases {
        let mut stock = Halted::new();
        step(&mut stock);
        assert_eq!(stock.state(), State::Halted, "{name}");
        assert_eq!(stock.snapshot.not_live_since().unwrap().0, at(-100).unwrap(), "{name}");
        stock.status(Field::Clear, -10);
        assert_eq!(stock.state(), State::Live, "{name}, then resumed");
    }
}

#[test]
fn rule_7_after_a_reconnect_a_trade_that_was_executed_since_ends_a_halt() {
    for (trade, expected) in [
        (at(-105), State::Halted),
        (at(-100), State::Halted),
        (None, State::Halted),
        (at(61), State::Halted),
        (at(-99), State::Live),
    ] {
        let mut stock = Halted::new();
        stock.reconnects();
        stock.apply(&print(TradingSession::Regular, trade, 1, 1));
        assert_eq!(stock.state(), expected, "{trade:?}");
    }
    let mut stock = Halted::new();
    stock.reconnects();
    stock.status(Field::Set(Halt::News), -90);
    stock.prints(-50);
    assert_eq!(stock.state(), State::Halted, "the venue announced it again: it will announce the resume");
    stock.reconnects();
    stock.prints(-50);
    assert_eq!(stock.state(), State::Live);
    stock.status(Field::Set(Halt::Volatility), -40);
    stock.prints(-30);
    assert_eq!(stock.state(), State::Halted, "the next halt is one of this connection");
}

#[test]
fn rule_7_a_halt_ends_with_the_next_trading_day() {
    for (name, closed, opened, expected) in
        [("the next morning", -50, -20, State::Live), ("closed since before the halt", -200, -20, State::Halted)]
    {
        let mut stock = Halted::new();
        stock.night(closed, opened);
        assert_eq!(stock.state(), expected, "{name}");
    }
    let mut stock = Halted::new();
    assert!(stock.snapshot.set_closed(false, now()).is_empty(), "hours that go on end nothing");
    assert_eq!(stock.state(), State::Halted);
    stock.snapshot.set_closed(true, now());
    stock.prints(-10);
    assert_eq!(stock.state(), State::Closed);
}
