use super::*;
use crate::market::{Field, Guards, Halt, Now, Origin, QuoteUpdate, StatusUpdate, TradeUpdate, Update};
use Cause::{Failback, Lost, Preferred};
use Source::{Primary, Standby};

const LIMITS: FailoverLimits = FailoverLimits { age: Duration::from_secs(5), failback_after: Duration::from_secs(30) };
const TRADE: [Part; 1] = [Part::Trade];

/// Two feeds of a symbol, and a clock.
struct World {
    failover: Failover,
    said: [(Snapshot, Guards); 2],
    now: Now,
}

impl World {
    fn new() -> Self {
        let now = Now::read();
        let waiting = (Snapshot::waiting(Origin::Market, now.unix), Guards::default());
        Self { failover: Failover::new(LIMITS, now.instant), said: [waiting; 2], now }
    }

    /// A world in which both have just traded, and the primary is shown.
    fn live() -> Self {
        let mut world = Self::new();
        assert_eq!([world.trade(Primary), world.trade(Standby)], [None, None]);
        world
    }

    fn pass(&mut self, seconds: f64) -> &mut Self {
        self.now = self.now.after(Duration::from_secs_f64(seconds));
        self
    }

    fn on(
        &mut self,
        source: Source,
        is_heard: bool,
        change: impl FnOnce(&mut Snapshot, &mut Guards, Now),
    ) -> Option<Switch> {
        let (snapshot, guards) = &mut self.said[source as usize];
        change(snapshot, guards, self.now);
        self.failover.on(source, snapshot, is_heard, self.now.instant)
    }

    fn update(&mut self, source: Source, update: Update) -> Option<Switch> {
        let is_price = update.status.is_none();
        self.on(source, is_price, |snapshot, guards, now| _ = snapshot.apply(&update, guards, now))
    }

    fn trade(&mut self, source: Source) -> Option<Switch> {
        self.update(source, Update { trade: Some(TradeUpdate::default()), ..Update::default() })
    }

    fn quote(&mut self, source: Source) -> Option<Switch> {
        let quote = QuoteUpdate { bid: Field::Set("1".parse().unwrap()), ..QuoteUpdate::default() };
        self.update(source, Update { quote: Some(quote), ..Update::default() })
    }

    fn halt(&mut self, source: Source, halted: Field<Halt>) -> Option<Switch> {
        let status = StatusUpdate { halted, resume_is_reported: true, ..StatusUpdate::default() };
        self.update(source, Update { status: Some(status), ..Update::default() })
    }

    fn outage(&mut self, source: Source, reason: Reason) -> Option<Switch> {
        self.on(source, false, |snapshot, guards, now| _ = snapshot.outage(reason, guards, now))
    }

    fn mute(&mut self, source: Source, parts: [Part; 1]) -> Option<Switch> {
        let parts = Parts::from_iter(parts);
        self.on(source, false, |snapshot, _, now| _ = snapshot.mark_stale(parts, Reason::Mute, now))
    }

    fn closed(&mut self, source: Source, closed: bool) -> Option<Switch> {
        self.on(source, false, |snapshot, _, now| _ = snapshot.set_closed(closed, now))
    }

    fn due(&mut self) -> Option<Switch> {
        self.failover.due(self.now.instant)
    }

    /// So many seconds with a trade of each of these feeds in every second: the switches in order.
    fn flow(&mut self, seconds: usize, sources: &[Source]) -> Vec<Switch> {
        let mut switches = Vec::new();
        for _ in 0..seconds {
            self.pass(1.0);
            for source in sources {
                switches.extend(self.trade(*source));
            }
        }
        switches
    }

    fn prefer(&mut self, source: Source) -> Option<Switch> {
        self.failover.prefer(source, self.now.instant)
    }
}

fn to(to: Source, cause: Cause) -> Option<Switch> {
    Some(Switch { to, cause })
}

#[test]
fn the_standby_takes_over_at_once_where_its_price_is_young_and_else_with_its_next_one() {
    let mut world = World::live();
    assert_eq!(world.pass(4.9).outage(Primary, Reason::ConnectionLost), to(Standby, Lost(Reason::ConnectionLost)));

    let mut world = World::live();
    assert_eq!(world.pass(5.1).outage(Primary, Reason::Gap), None);
    assert_eq!(world.pass(60.0).due(), None, "an old price is not shown");
    assert_eq!(world.halt(Standby, Field::Clear), None, "a status is not a price");
    assert_eq!(world.quote(Standby), to(Standby, Lost(Reason::Gap)));

    let mut world = World::live();
    world.pass(5.1).outage(Primary, Reason::Mute);
    assert_eq!(world.trade(Primary), None, "the primary came back first");
    assert_eq!(world.trade(Standby), None);
}

#[test]
fn it_comes_back_once_the_primary_has_been_healthy_without_a_break() {
    let mut world = World::live();
    world.outage(Primary, Reason::ConnectionLost);
    assert_eq!(world.flow(25, &[Primary, Standby]), []);
    assert_eq!(world.outage(Primary, Reason::Gap), None);
    assert_eq!(world.flow(30, &[Primary, Standby]), [], "the wait begins again");
    assert_eq!(world.flow(1, &[Primary, Standby]), [Switch { to: Primary, cause: Failback }]);
    assert_eq!(world.failover.shown(), Primary);
}

/// Many venues send a snapshot as a connection begins, whatever happens then.
#[test]
fn a_primary_that_has_fallen_silent_does_not_come_back() {
    let mut world = World::live();
    world.outage(Primary, Reason::ConnectionLost);
    world.trade(Primary);
    assert_eq!(world.flow(600, &[Standby]), []);
    assert_eq!(world.trade(Primary), to(Primary, Failback), "with its next price it does");
}

#[test]
fn a_part_that_stops_while_others_flow_is_a_reason_where_the_other_feed_has_it() {
    let mut world = World::live();
    world.quote(Primary);
    assert_eq!(world.mute(Primary, TRADE), None, "the standby's trade is all it has, and the primary's quote lives");
    world.quote(Standby);
    assert_eq!(world.failover.shown(), Standby);
    for _ in 0..40 {
        world.pass(1.0).quote(Primary);
        world.quote(Standby);
        assert_eq!(world.trade(Standby), None, "the primary's trades are still stale");
    }
    // A blip of its connection changes nothing about that.
    world.outage(Primary, Reason::ConnectionLost);
    for _ in 0..40 {
        assert_eq!([world.pass(1.0).quote(Primary), world.quote(Standby), world.trade(Standby)], [None; 3]);
    }
    assert_eq!(world.trade(Primary), None, "its trades are back, and have to last");
    assert_eq!(world.flow(29, &Source::ALL), []);
    assert_eq!(world.flow(1, &Source::ALL), [Switch { to: Primary, cause: Failback }]);
}

#[test]
fn a_standby_that_fails_gives_way_to_a_primary_of_which_one_part_is_mute() {
    let mut world = World::live();
    for source in Source::ALL {
        world.quote(source);
    }
    assert_eq!(world.mute(Primary, TRADE), to(Standby, Lost(Reason::Mute)));
    world.pass(1.0).quote(Primary);
    assert_eq!(world.outage(Standby, Reason::ConnectionLost), to(Primary, Lost(Reason::ConnectionLost)));
}

#[test]
fn a_standby_that_fails_gives_way_to_a_healthy_primary_before_its_time() {
    let mut world = World::live();
    world.outage(Primary, Reason::ConnectionLost);
    world.pass(1.0).trade(Primary);
    assert_eq!(world.outage(Standby, Reason::Mute), to(Primary, Lost(Reason::Mute)));
}

/// The silence of one symbol is not staleness.
#[test]
fn a_standby_that_fails_gives_way_to_a_quiet_primary_that_has_been_live_for_long() {
    let shown_standby = || {
        let mut world = World::live();
        world.outage(Primary, Reason::ConnectionLost);
        world.trade(Primary);
        world
    };
    let mut world = shown_standby();
    assert_eq!(world.flow(31, &[Standby]), []);
    assert_eq!(world.outage(Standby, Reason::Gap), to(Primary, Lost(Reason::Gap)));
    assert_eq!(world.trade(Standby), None, "a feed is left for staleness alone");

    let mut world = shown_standby();
    assert_eq!(world.flow(29, &[Standby]), []);
    assert_eq!(world.outage(Standby, Reason::Gap), None, "its price may be what a new connection begins with");
    assert_eq!(world.pass(1.0).due(), to(Primary, Lost(Reason::Gap)));

    // A halted symbol has no prices.
    let mut world = shown_standby();
    world.halt(Primary, Field::Set(Halt::News));
    assert_eq!(world.flow(31, &[Standby]), []);
    assert_eq!(world.outage(Standby, Reason::Gap), to(Primary, Lost(Reason::Gap)));

    // By an operator's wish too, but never to a standby that is quiet.
    let mut world = shown_standby();
    assert_eq!(world.flow(31, &[Standby]), []);
    assert_eq!(world.prefer(Primary), to(Primary, Preferred));
    let mut world = World::live();
    assert_eq!(world.flow(31, &[Primary]), []);
    assert_eq!([world.prefer(Standby), world.outage(Primary, Reason::Gap), world.pass(60.0).due()], [None; 3]);
}

/// A connection is back, and with it quotes.
#[test]
fn parts_that_are_stale_since_an_outage_are_lost_for_its_reason() {
    let mut world = World::live();
    world.quote(Primary);
    world.pass(6.0).outage(Primary, Reason::ConnectionLost);
    assert_eq!(world.quote(Primary), None);
    assert_eq!(
        world.quote(Standby),
        to(Standby, Lost(Reason::ConnectionLost)),
        "the primary's trade is stale since then"
    );
}

#[test]
fn where_both_begin_or_open_the_primary_has_some_time_to_be_first() {
    let mut world = World::new();
    assert_eq!(world.trade(Standby), None);
    assert_eq!(world.pass(4.9).trade(Standby), None);
    assert_eq!(world.pass(0.1).due(), to(Standby, Lost(Reason::NoData)));

    // Live before, or started at night: then they wait.
    for mut world in [World::live(), World::new()] {
        for source in Source::ALL {
            assert_eq!(world.closed(source, true), None);
        }
        world.pass(3_600.0);
        for source in Source::ALL {
            assert_eq!(world.closed(source, false), None);
        }
        assert_eq!(world.trade(Standby), None);
        assert_eq!(world.pass(1.0).trade(Primary), None);
        assert_eq!(world.flow(60, &Source::ALL), []);
    }
}

#[test]
fn a_feed_outside_its_hours_is_neither_left_nor_taken() {
    // The standby trades all day.
    let mut world = World::live();
    assert_eq!(world.closed(Primary, true), None);
    assert_eq!(world.flow(60, &[Standby]), []);
    assert_eq!(world.outage(Primary, Reason::Reconnect), None, "a connection that is replaced at night");
    assert_eq!(world.flow(60, &[Standby]), []);

    // The same of a gateway that started at night.
    let mut world = World::new();
    world.closed(Primary, true);
    assert_eq!(world.flow(60, &[Standby]), []);

    // The primary died in the afternoon, and both close in the evening.
    let mut world = World::live();
    world.outage(Primary, Reason::ConnectionLost);
    world.trade(Standby);
    for source in Source::ALL {
        world.closed(source, true);
    }
    assert_eq!(world.flow(60, &[Standby]), [], "the last price is the standby's");

    // The standby is outside its hours.
    let mut world = World::live();
    world.closed(Standby, true);
    world.trade(Standby);
    assert_eq!(world.outage(Primary, Reason::ConnectionLost), None, "an outage is not shown as the end of the hours");
}

#[test]
fn a_halt_is_no_reason_to_leave_and_a_halted_feed_not_one_to_come_back_to() {
    let mut world = World::live();
    assert_eq!(world.halt(Primary, Field::Set(Halt::News)), None);
    assert_eq!(world.flow(60, &[Standby]), []);

    let mut world = World::live();
    world.outage(Primary, Reason::ConnectionLost);
    world.trade(Primary);
    world.halt(Primary, Field::Set(Halt::News));
    assert_eq!(world.flow(60, &Source::ALL), []);
}

#[test]
fn an_operators_preference_holds_until_the_next_one() {
    let mut world = World::live();
    assert_eq!(world.prefer(Standby), to(Standby, Preferred));
    assert_eq!(world.flow(100, &Source::ALL), []);
    assert_eq!(world.outage(Standby, Reason::ConnectionLost), to(Primary, Lost(Reason::ConnectionLost)));
    assert_eq!(world.flow(31, &Source::ALL), [Switch { to: Standby, cause: Failback }], "and it comes back to it");
    assert_eq!(world.prefer(Primary), to(Primary, Preferred));
    assert_eq!(world.prefer(Primary), None);
    assert_eq!(world.pass(6.0).prefer(Standby), None, "not to an old price");
    world.trade(Primary);
    assert_eq!(world.trade(Standby), to(Standby, Failback));
}

/// Random updates, outages, hours and waits, against a model of its own: a feed that is down is never shown beside one
/// that is live and has just had a price, nor beside a primary that has been live for long, however quiet; and the
/// primary comes back only after its wait, unless the standby is down.
#[test]
fn whatever_happens_a_price_that_is_live_is_shown() {
    use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
    for seed in 0..2_000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut world = World::live();
        let mut priced = [world.now.instant; 2];
        let mut live_since = [Some(world.now.instant); 2];
        let mut whole_since = live_since;
        for step in 0..200 {
            world.pass(random.random_range(0.0..4.0));
            let source = Source::ALL[random.random_range(0..2)];
            let before = world.failover.shown();
            let switch = match random.random_range(0..12) {
                0 => world.outage(source, Reason::ConnectionLost),
                1 => world.outage(source, Reason::Gap),
                2 => world.mute(source, TRADE),
                3 => world.due(),
                4 => world.closed(source, random.random_bool(0.2)),
                5..8 => world.quote(source),
                _ => world.trade(source),
            };
            let now = world.now.instant;
            let at = || format!("seed {seed}, step {step}: {:?}", world.failover);
            for source in Source::ALL {
                let (snapshot, _) = &world.said[source as usize];
                if snapshot.recv == Some(world.now.unix) && snapshot.state() == State::Live {
                    priced[source as usize] = now;
                }
                let is_live = snapshot.state() == State::Live;
                for (since, is_so) in
                    [(&mut live_since, is_live), (&mut whole_since, is_live && snapshot.stale().is_empty())]
                {
                    let since = &mut since[source as usize];
                    *since = is_so.then(|| since.unwrap_or(now));
                }
            }
            let shown = world.failover.shown();
            assert_eq!(switch.map_or(before, |switch| switch.to), shown, "{}", at());
            let states = Source::ALL.map(|source| world.said[source as usize].0.state());
            let other = shown.other() as usize;
            let has_been_live =
                |since: Option<Instant>| since.is_some_and(|since| now >= since + LIMITS.failback_after);
            let is_quiet = shown == Standby && has_been_live(whole_since[Primary as usize]);
            if states[shown as usize] == State::Stale
                && (states[other] == State::Live && priced[other] == now || is_quiet)
            {
                let (_, reason) = world.said[shown as usize].0.not_live_since().unwrap();
                assert!(reason == Reason::Opening, "{}", at());
            }
            if let Some(Switch { to: Primary, cause: Failback }) = switch {
                assert!(has_been_live(live_since[Primary as usize]), "{}", at());
            }
        }
    }
}
