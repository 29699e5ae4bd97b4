use super::*;
use crate::market::{Field, Guards, Now, Origin, Part, QuoteUpdate, StatsUpdate, TradeUpdate, Update};
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
        let stale = snapshot.stale();
        change(snapshot, guards, self.now);
        let said = Said { snapshot, newly_stale: snapshot.stale().without(stale), is_heard };
        self.failover.on(source, said, self.now.instant)
    }

    fn update(&mut self, source: Source, update: Update) -> Option<Switch> {
        self.on(source, true, |snapshot, guards, now| _ = snapshot.apply(&update, guards, now))
    }

    fn trade(&mut self, source: Source) -> Option<Switch> {
        self.update(source, Update { trade: Some(TradeUpdate::default()), ..Update::default() })
    }

    fn quote(&mut self, source: Source) -> Option<Switch> {
        let quote = QuoteUpdate { bid: Field::Set("1".parse().unwrap()), ..QuoteUpdate::default() };
        self.update(source, Update { quote: Some(quote), ..Update::default() })
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
    assert_eq!(world.quote(Standby), to(Standby, Lost(Reason::Gap)));

    let mut world = World::live();
    world.pass(5.1).outage(Primary, Reason::Mute);
    assert_eq!(world.trade(Primary), None, "the primary came back first");
    assert_eq!(world.trade(Standby), None);
}

#[test]
fn it_comes_back_once_the_primary_has_been_well_without_a_break() {
    let mut world = World::live();
    world.outage(Primary, Reason::ConnectionLost);
    assert_eq!(world.pass(10.0).trade(Primary), None);
    assert_eq!(world.pass(29.0).outage(Primary, Reason::Gap), None);
    assert_eq!(world.pass(1.0).trade(Primary), None, "the wait begins again");
    assert_eq!(world.pass(29.9).due(), None);
    world.trade(Standby);
    assert_eq!(world.pass(0.1).due(), to(Primary, Failback));
    assert_eq!(world.failover.shown(), Primary);
}

#[test]
fn a_part_that_stops_while_others_flow_is_a_reason_until_it_is_back() {
    let mut world = World::live();
    world.quote(Primary);
    assert_eq!(world.mute(Primary, TRADE), to(Standby, Lost(Reason::Mute)));
    world.pass(40.0);
    world.quote(Primary);
    world.trade(Standby);
    assert_eq!(world.due(), None, "its trades are still stale");
    world.trade(Primary);
    assert_eq!(world.pass(30.0).due(), to(Primary, Failback));
}

#[test]
fn after_an_outage_a_primary_is_well_with_its_first_update() {
    let mut world = World::live();
    let stats = StatsUpdate { open: Field::Set("1".parse().unwrap()), ..StatsUpdate::default() };
    world.update(Primary, Update { stats: Some(stats), ..Update::default() });
    world.outage(Primary, Reason::Reconnect);
    world.quote(Primary);
    assert!(!world.said[0].0.stale().is_empty(), "the statistics come once a day");
    assert_eq!(world.pass(30.0).due(), to(Primary, Failback));
    assert_eq!(world.trade(Standby), None, "what was stale before is no reason to leave");
}

#[test]
fn a_standby_that_fails_gives_way_to_a_primary_that_is_well_before_its_time() {
    let mut world = World::live();
    world.outage(Primary, Reason::ConnectionLost);
    world.pass(1.0).trade(Primary);
    assert_eq!(world.outage(Standby, Reason::Mute), to(Primary, Lost(Reason::Mute)));
}

#[test]
fn where_both_begin_or_open_the_primary_has_some_time_to_be_first() {
    let mut world = World::new();
    assert_eq!(world.trade(Standby), None);
    assert_eq!(world.pass(4.9).trade(Standby), None);
    assert_eq!(world.pass(0.1).due(), to(Standby, Lost(Reason::NoData)));

    let mut world = World::live();
    for source in Source::ALL {
        assert_eq!(world.closed(source, true), None);
    }
    world.pass(3_600.0);
    for source in Source::ALL {
        assert_eq!(world.closed(source, false), None);
    }
    assert_eq!(world.trade(Standby), None);
    assert_eq!(world.pass(1.0).trade(Primary), None);
    assert_eq!(world.pass(60.0).trade(Standby), None);
}

#[test]
fn a_halt_and_closed_hours_change_nothing() {
    let mut world = World::live();
    assert_eq!(world.closed(Primary, true), None);
    assert_eq!(world.pass(60.0).trade(Standby), None);
}

#[test]
fn an_operator_s_preference_holds_until_the_next_one() {
    let mut world = World::live();
    assert_eq!(world.failover.prefer(Standby), to(Standby, Preferred));
    assert_eq!(world.pass(3_600.0).trade(Primary), None);
    world.trade(Standby);
    assert_eq!(world.outage(Standby, Reason::ConnectionLost), to(Primary, Lost(Reason::ConnectionLost)));
    world.trade(Standby);
    assert_eq!(world.pass(30.0).due(), to(Standby, Failback), "and it comes back to it");
    assert_eq!(world.failover.prefer(Primary), to(Primary, Preferred));
    assert_eq!(world.failover.prefer(Primary), None);
    world.outage(Standby, Reason::Gap);
    assert_eq!(world.failover.prefer(Standby), None, "not while it is not well");
    world.trade(Standby);
    assert_eq!(world.pass(30.0).due(), to(Standby, Failback));
}

/// Random updates, outages and waits: the shown feed is never ill beside one that is well and young, and the primary
/// comes back only after its wait, unless the standby fails.
#[test]
fn whatever_happens_a_price_that_is_well_is_shown() {
    use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
    for seed in 0..2_000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut world = World::new();
        let mut heard = [None; 2];
        let mut well_since: [Option<Instant>; 2] = [None; 2];
        for step in 0..200 {
            world.pass(random.random_range(0.0..4.0));
            let source = Source::ALL[random.random_range(0..2)];
            let before = world.failover.shown();
            let switch = match random.random_range(0..10) {
                0 => world.outage(source, Reason::ConnectionLost),
                1 => world.outage(source, Reason::Gap),
                2 => world.mute(source, TRADE),
                3 => world.due(),
                4..7 => world.quote(source),
                _ => world.trade(source),
            };
            let now = world.now.instant;
            for source in Source::ALL {
                let standing = world.failover.standings[source as usize];
                heard[source as usize] = standing.heard;
                well_since[source as usize] = standing.ill.is_none().then_some(standing.since);
            }
            let at = || format!("seed {seed}, step {step}: {:?}", world.failover);
            let shown = world.failover.shown();
            assert_eq!(switch.map_or(before, |switch| switch.to), shown);
            let other = shown.other() as usize;
            let other_is_young = heard[other].is_some_and(|heard| now <= heard + LIMITS.age);
            let waits = world.failover.standings[shown as usize].ill == Some(Reason::NoData);
            if well_since[shown as usize].is_none() && !waits {
                assert!(!(well_since[other].is_some() && other_is_young), "{}", at());
            }
            if let Some(Switch { to: Primary, cause: Failback }) = switch {
                let since = well_since[Primary as usize].expect("it is well");
                assert!(now >= since + LIMITS.failback_after, "{}", at());
            }
        }
    }
}
