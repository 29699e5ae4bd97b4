//! Which connection gives way when places run short: a table of connections, and decisions on it.

use super::waiting_room::Whose;
use crate::limits::ClientAddress;
use slotmap::SlotMap;
use std::{
    collections::{BTreeSet, HashMap},
    time::{Duration, Instant},
};

slotmap::new_key_type! {
    /// A connection of a table.
    pub(super) struct ConnectionId;
}

/// How long a connection keeps its place in a phase in which an honest client may be too.
#[derive(Debug, Clone, Copy)]
struct Grace {
    /// While it sends its head or its hello, which follow its connect at once, and while it reads its answer.
    turn: Duration,
    /// Until it answers our part of a handshake, which takes a round trip.
    round_trip: Duration,
}

/// Where any newcomer waits.
const GRACE: Grace = Grace { turn: Duration::from_millis(100), round_trip: Duration::from_millis(500) };
/// Where newcomers of its own address wait, at most: they are one household or office, or one that floods, and others
/// do not wait for them. Where more wait than [`PATIENT_FOR`] times as many as it holds, it is less.
const GRACE_AMONG_OWN: Grace = Grace { turn: Duration::from_millis(500), round_trip: Duration::from_secs(2) };
const PATIENT_FOR: usize = 4;
impl Grace {
    /// That of the connections of one address, of which so many wait for the places of those that it holds.
    fn among_own(held: usize, waiting: usize) -> Self {
        let part = (PATIENT_FOR * held) as f64 / waiting.max(1) as f64;
        let of = |most: Duration, least: Duration| most.mul_f64(part.min(1.0)).max(least);
        Self {
            turn: of(GRACE_AMONG_OWN.turn, GRACE.turn),
            round_trip: of(GRACE_AMONG_OWN.round_trip, GRACE.round_trip),
        }
    }
}

/// How often the time that a new connection waited for its first turn counts as grace: what a client has sent lies here
/// unread as long as that, once until the system is asked for it and once more until its reader runs.
const LATE_TIMES: u32 = 3;
/// For how long that time counts.
const LATE_FOR: Duration = Duration::from_secs(1);

/// What a connection does. The first four give way, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Its last request is answered, and none has come since.
    Idle,
    /// No request has come yet, half a head, or half a body.
    Head,
    /// The client has not answered our part of the handshake.
    Handshake,
    /// The client does not take the rest of its answer.
    Blocked,
    /// The gateway works for it: it has not begun to read, or answers a request.
    Answering,
    /// It was told to give way.
    Leaving,
}

impl Phase {
    /// Those that give way, in this order.
    pub(super) const GIVE_WAY: [Self; 4] = [Self::Idle, Self::Head, Self::Handshake, Self::Blocked];

    /// As the metric's label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "head",
            Self::Handshake => "handshake",
            Self::Blocked => "blocked",
            Self::Answering => "answering",
            Self::Leaving => "leaving",
        }
    }

    fn grace(self, grace: Grace, late: Duration) -> Duration {
        match self {
            Self::Idle => Duration::ZERO,
            Self::Handshake => grace.round_trip + LATE_TIMES * late,
            _ => grace.turn + LATE_TIMES * late,
        }
    }
}

/// The open connections of a listener; `S` is how each is told.
pub(super) struct ConnectionTable<S> {
    rows: SlotMap<ConnectionId, Row<S>>,
    all: Order,
    /// Those with connections alone: the limit of connections bounds it.
    addresses: HashMap<ClientAddress, Held>,
    late: Late,
}

/// The longest time that new connections waited lately until they were read from, and when that was.
#[derive(Debug, Clone, Copy, Default)]
struct Late(Option<(Duration, Instant)>);

impl Late {
    fn note(&mut self, waited: Duration, now: Instant) {
        if self.at(now) <= waited {
            self.0 = Some((waited, now));
        }
    }

    fn at(self, now: Instant) -> Duration {
        self.0.filter(|(_, noted)| now < *noted + LATE_FOR).map_or(Duration::ZERO, |(waited, _)| waited)
    }
}

struct Row<S> {
    whose: Whose,
    phase: Phase,
    since: Instant,
    signal: S,
}

/// What an address holds.
#[derive(Default)]
struct Held {
    order: Order,
    count: usize,
    /// How many of them were told to give way.
    leaving: usize,
}

/// The connections that can give way, by phase and age.
#[derive(Default)]
struct Order([BTreeSet<(Instant, ConnectionId)>; Phase::GIVE_WAY.len()]);

impl Order {
    fn insert(&mut self, phase: Phase, since: Instant, id: ConnectionId) {
        if let Some(ages) = self.0.get_mut(phase as usize) {
            ages.insert((since, id));
        }
    }

    fn remove(&mut self, phase: Phase, since: Instant, id: ConnectionId) {
        if let Some(ages) = self.0.get_mut(phase as usize) {
            ages.remove(&(since, id));
        }
    }

    /// Who gives way: of the first phase whose oldest has had its grace.
    fn gives_way(&self, grace: Grace, late: Duration, now: Instant) -> Option<ConnectionId> {
        let is_over = |phase: Phase, since: Instant| since + phase.grace(grace, late) <= now;
        let oldest = |phase: Phase| self.0[phase as usize].first().filter(|(since, _)| is_over(phase, *since));
        Phase::GIVE_WAY.into_iter().find_map(oldest).map(|(_, id)| *id)
    }
}

impl<S: Clone> ConnectionTable<S> {
    /// No connections yet.
    pub(super) fn new() -> Self {
        Self { rows: SlotMap::with_key(), all: Order::default(), addresses: HashMap::new(), late: Late::default() }
    }

    /// A new connection, which nothing has been read from yet.
    pub(super) fn open(&mut self, whose: Whose, signal: S, now: Instant) -> ConnectionId {
        if let Some(address) = whose {
            self.addresses.entry(address).or_default().count += 1;
        }
        self.rows.insert(Row { whose, phase: Phase::Answering, since: now, signal })
    }

    /// The gateway begins to read from a new connection.
    pub(super) fn begins(&mut self, id: ConnectionId, now: Instant) {
        if let Some(row) = self.rows.get(id) {
            self.late.note(now.saturating_duration_since(row.since), now);
        }
        self.becomes(id, Phase::Head, now);
    }

    /// How many connections an address has.
    pub(super) fn held(&self, address: ClientAddress) -> usize {
        self.addresses.get(&address).map_or(0, |held| held.count)
    }

    /// Notes what a connection does. One that leaves keeps its phase.
    pub(super) fn becomes(&mut self, id: ConnectionId, phase: Phase, now: Instant) {
        if self.rows.get(id).is_some_and(|row| row.phase != Phase::Leaving) {
            self.set(id, phase, now);
        }
    }

    /// Forgets a connection.
    pub(super) fn close(&mut self, id: ConnectionId) {
        self.unlist(id);
        let Some(row) = self.rows.remove(id) else { return };
        let Some(address) = row.whose else { return };
        if let Some(held) = self.addresses.get_mut(&address) {
            held.count -= 1;
            held.leaving -= usize::from(row.phase == Phase::Leaving);
            if held.count == 0 {
                self.addresses.remove(&address);
            }
        }
    }

    /// Picks the connection that gives way to a newcomer, if one can; returns what it did.
    pub(super) fn give_way(&mut self, now: Instant) -> Option<(S, Phase)> {
        let id = self.all.gives_way(GRACE, self.late.at(now), now)?;
        self.leave(id, now)
    }

    /// The same among the connections of one address, of which `wanted` may be leaving at a time.
    pub(super) fn give_way_of(&mut self, address: ClientAddress, wanted: usize, now: Instant) -> Option<(S, Phase)> {
        let held = self.addresses.get(&address).filter(|held| held.leaving < wanted)?;
        let id = held.order.gives_way(Grace::among_own(held.count, wanted), self.late.at(now), now)?;
        self.leave(id, now)
    }

    fn leave(&mut self, id: ConnectionId, now: Instant) -> Option<(S, Phase)> {
        let row = self.rows.get(id)?;
        let told = (row.signal.clone(), row.phase);
        let whose = row.whose;
        self.set(id, Phase::Leaving, now);
        if let Some(held) = whose.and_then(|address| self.addresses.get_mut(&address)) {
            held.leaving += 1;
        }
        Some(told)
    }

    fn set(&mut self, id: ConnectionId, phase: Phase, now: Instant) {
        self.unlist(id);
        let Some(row) = self.rows.get_mut(id) else { return };
        row.phase = phase;
        row.since = now;
        self.all.insert(phase, now, id);
        if let Some(held) = row.whose.and_then(|address| self.addresses.get_mut(&address)) {
            held.order.insert(phase, now, id);
        }
    }

    /// Takes a connection out of the orders.
    fn unlist(&mut self, id: ConnectionId) {
        let Some(row) = self.rows.get(id) else { return };
        self.all.remove(row.phase, row.since, id);
        if let Some(held) = row.whose.and_then(|address| self.addresses.get_mut(&address)) {
            held.order.remove(row.phase, row.since, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn address(last: u8) -> Whose {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    /// A table of connections that were opened a second apart, each named by its place in the list.
    fn table(opened: &[(Whose, Phase)]) -> (ConnectionTable<usize>, Instant) {
        let start = Instant::now();
        let mut table = ConnectionTable::new();
        for (name, (whose, phase)) in opened.iter().enumerate() {
            let at = start + Duration::from_secs(name as u64);
            let id = table.open(*whose, name, at);
            table.becomes(id, *phase, at);
        }
        (table, start + Duration::from_secs(opened.len() as u64))
    }

    #[test]
    fn the_oldest_idle_connection_gives_way_first_and_one_that_is_answered_never() {
        use Phase::{Answering, Blocked, Handshake, Head, Idle};
        for (phases, expected) in [
            (&[Idle, Idle, Head][..], &[0, 1, 2][..]),
            (&[Head, Blocked, Idle], &[2, 0, 1]),
            (&[Answering, Blocked, Handshake, Head], &[3, 2, 1]),
            (&[Answering, Answering], &[]),
            (&[], &[]),
        ] {
            let opened: Vec<_> = phases.iter().map(|phase| (address(1), *phase)).collect();
            let (mut table, now) = table(&opened);
            let gone: Vec<_> = std::iter::from_fn(|| table.give_way(now)).collect();
            assert_eq!(gone.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected, "{phases:?}");
            assert!(gone.iter().all(|(name, phase)| phases[*name] == *phase));
        }
    }

    #[test]
    fn what_an_honest_client_may_do_too_has_a_moment() {
        for (phase, grace) in
            [(Phase::Head, GRACE.turn), (Phase::Handshake, GRACE.round_trip), (Phase::Blocked, GRACE.turn)]
        {
            let (mut table, now) = table(&[(address(1), phase)]);
            let since = now - Duration::from_secs(1);
            assert!(table.give_way(since).is_none() && table.give_way(since + grace / 2).is_none());
            assert_eq!(table.give_way(since + grace), Some((0, phase)));
        }
    }

    #[test]
    fn an_addresss_own_connections_have_the_less_time_the_more_of_it_wait() {
        let turn = |held, waiting| Grace::among_own(held, waiting).turn;
        assert_eq!((turn(10, 0), turn(10, 40)), (GRACE_AMONG_OWN.turn, GRACE_AMONG_OWN.turn));
        assert_eq!(turn(10, 80), GRACE_AMONG_OWN.turn / 2);
        assert_eq!((turn(10, 999), turn(0, 1)), (GRACE.turn, GRACE.turn));
        assert_eq!(Grace::among_own(10, 999).round_trip, GRACE.round_trip);
    }

    #[test]
    fn a_gateway_that_is_late_has_patience_for_as_long() {
        let late = Duration::from_millis(400);
        let mut table = ConnectionTable::new();
        let came = Instant::now();
        let opened: Vec<_> = (0..3).map(|name| table.open(address(1), name, came)).collect();
        assert_eq!(table.give_way(came + LATE_FOR), None, "it is not to blame before it is read from");
        let since = came + late;
        table.begins(opened[0], since);
        assert_eq!(table.give_way(since + GRACE.turn + late), None);
        table.begins(opened[1], since + late / 2);
        assert_eq!(table.give_way(since + GRACE.turn + LATE_TIMES * late), Some((0, Phase::Head)));
        let soon = since + late / 2 + LATE_FOR;
        table.becomes(opened[2], Phase::Head, soon);
        assert_eq!(table.give_way(soon), Some((1, Phase::Head)));
        assert_eq!(table.give_way(soon + GRACE.turn), Some((2, Phase::Head)), "it is on time again");
    }

    #[test]
    fn an_address_makes_room_among_its_own_for_as_many_as_wait() {
        let (mut table, now) = table(&[
            (address(9), Phase::Idle),
            (address(1), Phase::Idle),
            (None, Phase::Idle),
            (address(1), Phase::Idle),
            (address(1), Phase::Answering),
        ]);
        let one = address(1).unwrap();
        assert_eq!(table.give_way_of(one, 1, now), Some((1, Phase::Idle)), "not the older one of another address");
        assert_eq!(table.give_way_of(one, 1, now), None, "one leaves already");
        assert_eq!(table.held(one), 3, "until it has left");
        let leaving = table.rows.iter().find(|(_, row)| row.signal == 1).unwrap().0;
        table.close(leaving);
        assert_eq!(table.held(one), 2);
        assert_eq!(table.give_way_of(one, 1, now), Some((3, Phase::Idle)));
        assert_eq!(table.give_way_of(one, 2, now), None, "the last is being answered");
        let id = table.open(address(1), 5, now);
        table.begins(id, now);
        assert_eq!(table.give_way_of(one, 2, now + GRACE.turn), None, "its own have more patience");
        assert_eq!(table.give_way_of(one, 2, now + GRACE_AMONG_OWN.turn), Some((5, Phase::Head)));
    }

    proptest! {
        #[test]
        fn an_address_holds_as_many_as_are_open_and_an_empty_table_holds_nothing(
            steps in prop::collection::vec((0_u8..8, 0_u8..3, 0_usize..64), 0..200),
        ) {
            let mut table = ConnectionTable::new();
            let mut now = Instant::now();
            let mut open: Vec<(ConnectionId, Whose)> = Vec::new();
            for (step, last, pick) in steps {
                now += GRACE.turn / 3;
                match (step, open.get(pick % open.len().max(1)).copied()) {
                    (0 | 1, _) => {
                        let whose = address(last).filter(|_| last > 0);
                        open.push((table.open(whose, 0, now), whose));
                    }
                    (2, Some((id, _))) => {
                        table.close(id);
                        open.retain(|(other, _)| *other != id);
                    }
                    (3, _) => _ = table.give_way(now),
                    (4, _) => _ = table.give_way_of(address(last).unwrap(), pick, now),
                    (step, Some((id, _))) => {
                        table.becomes(id, [Phase::Idle, Phase::Blocked, Phase::Answering][step as usize - 5], now);
                    }
                    _ => {}
                }
                for last in 1..3 {
                    let held = open.iter().filter(|(_, whose)| *whose == address(last)).count();
                    prop_assert_eq!(table.held(address(last).unwrap()), held);
                    let is_leaving = |row: &&Row<_>| row.whose == address(last) && row.phase == Phase::Leaving;
                    let leaving = table.addresses.get(&address(last).unwrap()).map_or(0, |held| held.leaving);
                    prop_assert_eq!(leaving, table.rows.values().filter(is_leaving).count());
                }
            }
            for (id, _) in open {
                table.close(id);
            }
            prop_assert!(table.addresses.is_empty() && table.rows.is_empty());
            prop_assert!(table.all.0.iter().all(BTreeSet::is_empty));
        }
    }
}
