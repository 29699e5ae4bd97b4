//! Which connection gives way when places run short: a table of connections, and decisions on it.
//!
//! Each client address holds at most a share of the places. A connection above it waits until another of the same
//! address gives way.

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

/// How long a connection keeps its place in a phase in which an honest client may be too: while it sends its head,
/// which follows its connect at once, while it reads its answer, and while it waits.
const GRACE: Duration = Duration::from_millis(100);

/// What a connection does. The first four give way, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Its address holds its share; it is not read yet.
    Waiting,
    /// Its last request is answered, and none has come since.
    Idle,
    /// No request has come yet, or half a head.
    Head,
    /// The client does not take the rest of its answer.
    Blocked,
    /// A request is being answered.
    Answering,
    /// It was told to give way.
    Leaving,
}

impl Phase {
    /// Those that give way, in this order.
    pub(super) const GIVE_WAY: [Self; 4] = [Self::Waiting, Self::Idle, Self::Head, Self::Blocked];

    /// As the metric's label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Idle => "idle",
            Self::Head => "head",
            Self::Blocked => "blocked",
            Self::Answering => "answering",
            Self::Leaving => "leaving",
        }
    }

    fn grace(self) -> Duration {
        if self == Self::Idle { Duration::ZERO } else { GRACE }
    }
}

/// The open connections of a listener; `S` is how each is told.
pub(super) struct ConnectionTable<S> {
    rows: SlotMap<ConnectionId, Row<S>>,
    all: Order,
    /// Those with connections alone: the limit of connections bounds it.
    addresses: HashMap<ClientAddress, Held>,
}

struct Row<S> {
    /// `None` for a trusted proxy, which has no share.
    address: Option<ClientAddress>,
    phase: Phase,
    since: Instant,
    signal: S,
}

/// What an address holds.
#[derive(Default)]
struct Held {
    order: Order,
    /// Its connections that do not wait.
    served: usize,
    /// How many it may have, as of the last that came.
    share: usize,
}

impl Held {
    fn is_full(&self) -> bool {
        self.served >= self.share
    }
}

/// The connections that can give way, by phase and age.
#[derive(Default)]
struct Order([BTreeSet<(Instant, ConnectionId)>; 4]);

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

    fn oldest(&self, phase: Phase) -> Option<(Instant, ConnectionId)> {
        self.0[phase as usize].first().copied()
    }

    /// Who gives way: of the first phase whose oldest has had its grace.
    fn gives_way(&self, phases: &[Phase], now: Instant) -> Option<ConnectionId> {
        let due = |phase: &Phase| self.oldest(*phase).filter(|(since, _)| *since + phase.grace() <= now);
        phases.iter().find_map(due).map(|(_, id)| id)
    }
}

impl<S: Clone> ConnectionTable<S> {
    /// No connections yet.
    pub(super) fn new() -> Self {
        Self { rows: SlotMap::with_key(), all: Order::default(), addresses: HashMap::new() }
    }

    /// A connection of an address, which may hold `share` of them, or of a trusted proxy; whether it has a place, or
    /// waits for one.
    pub(super) fn open(
        &mut self,
        address: Option<ClientAddress>,
        share: usize,
        signal: S,
        now: Instant,
    ) -> (ConnectionId, bool) {
        let id = self.rows.insert(Row { address, phase: Phase::Answering, since: now, signal });
        let held = address.map(|address| self.addresses.entry(address).or_default());
        let waits = held.is_some_and(|held| {
            held.share = share;
            let waits = held.is_full();
            held.served += usize::from(!waits);
            waits
        });
        self.set(id, if waits { Phase::Waiting } else { Phase::Head }, now);
        (id, !waits)
    }

    /// Notes what a connection does. One that waits or leaves keeps its phase.
    pub(super) fn becomes(&mut self, id: ConnectionId, phase: Phase, now: Instant) {
        let current = self.rows.get(id).map(|row| row.phase);
        if current.is_some_and(|current| !matches!(current, Phase::Waiting | Phase::Leaving)) {
            self.set(id, phase, now);
        }
    }

    /// Forgets a connection. Returns the signal of the one that gets its place: of those of its address that wait, the
    /// one that has waited longest.
    pub(super) fn close(&mut self, id: ConnectionId, now: Instant) -> Option<S> {
        self.unlist(id);
        let row = self.rows.remove(id)?;
        let address = row.address?;
        let held = self.addresses.get_mut(&address)?;
        // One that left while it waited held no place.
        if row.phase != Phase::Waiting {
            held.served -= 1;
        }
        if !held.is_full()
            && let Some((_, next)) = held.order.oldest(Phase::Waiting)
        {
            held.served += 1;
            self.set(next, Phase::Head, now);
            return self.rows.get(next).map(|row| row.signal.clone());
        }
        if held.served == 0 {
            self.addresses.remove(&address);
        }
        None
    }

    /// Picks the connection that gives way to a newcomer, if one can; returns what it did. Of an address that holds its
    /// share it is one of its own; only where none of them waits or gives way it is another's.
    pub(super) fn give_way(&mut self, newcomer: Option<ClientAddress>, now: Instant) -> Option<(S, Phase)> {
        let held = newcomer.and_then(|address| self.addresses.get(&address)).filter(|held| held.is_full());
        let own = held.and_then(|held| held.order.gives_way(&Phase::GIVE_WAY, now));
        let has_waiting = held.is_some_and(|held| held.order.oldest(Phase::Waiting).is_some());
        let others = || self.all.gives_way(&Phase::GIVE_WAY, now).filter(|_| !has_waiting);
        let id = own.or_else(others)?;
        self.leave(id, now)
    }

    /// The same among the connections that hold places of one address.
    pub(super) fn give_way_of(&mut self, address: ClientAddress, now: Instant) -> Option<(S, Phase)> {
        let id = self.addresses.get(&address)?.order.gives_way(&Phase::GIVE_WAY[1..], now)?;
        self.leave(id, now)
    }

    fn leave(&mut self, id: ConnectionId, now: Instant) -> Option<(S, Phase)> {
        let row = self.rows.get(id)?;
        let told = (row.signal.clone(), row.phase);
        if row.phase == Phase::Waiting {
            self.unlist(id);
        } else {
            self.set(id, Phase::Leaving, now);
        }
        Some(told)
    }

    fn set(&mut self, id: ConnectionId, phase: Phase, now: Instant) {
        self.unlist(id);
        let Some(row) = self.rows.get_mut(id) else { return };
        row.phase = phase;
        row.since = now;
        self.all.insert(phase, now, id);
        if let Some(held) = row.address.and_then(|address| self.addresses.get_mut(&address)) {
            held.order.insert(phase, now, id);
        }
    }

    /// Takes a connection out of the orders.
    fn unlist(&mut self, id: ConnectionId) {
        let Some(row) = self.rows.get(id) else { return };
        self.all.remove(row.phase, row.since, id);
        if let Some(held) = row.address.and_then(|address| self.addresses.get_mut(&address)) {
            held.order.remove(row.phase, row.since, id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    fn address(last: u8) -> Option<ClientAddress> {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    /// A table of connections that were opened a second apart, each named by its place in the list.
    fn table(share: usize, opened: &[(Option<ClientAddress>, Phase)]) -> (ConnectionTable<usize>, Instant) {
        let start = Instant::now();
        let mut table = ConnectionTable::new();
        for (name, (address, phase)) in opened.iter().enumerate() {
            let at = start + Duration::from_secs(name as u64);
            let (id, _) = table.open(*address, share, name, at);
            table.becomes(id, *phase, at);
        }
        (table, start + Duration::from_secs(opened.len() as u64))
    }

    #[test]
    fn the_oldest_idle_connection_gives_way_first_and_one_that_is_answered_never() {
        use Phase::{Answering, Blocked, Head, Idle};
        for (phases, expected) in [
            (&[Idle, Idle, Head][..], &[0, 1, 2][..]),
            (&[Head, Blocked, Idle], &[2, 0, 1]),
            (&[Answering, Blocked, Head], &[2, 1]),
            (&[Answering, Answering], &[]),
            (&[], &[]),
        ] {
            let opened: Vec<_> = phases.iter().map(|phase| (address(1), *phase)).collect();
            let (mut table, now) = table(8, &opened);
            let gone: Vec<_> = std::iter::from_fn(|| table.give_way(None, now)).collect();
            assert_eq!(gone.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected, "{phases:?}");
            assert!(gone.iter().all(|(name, phase)| phases[*name] == *phase));
        }
    }

    #[test]
    fn a_head_on_its_way_and_an_answer_that_is_read_slowly_have_a_moment() {
        for phase in [Phase::Head, Phase::Blocked] {
            let (mut table, now) = table(8, &[(address(1), phase)]);
            let since = now - Duration::from_secs(1);
            assert!(table.give_way(None, since).is_none() && table.give_way(None, since + GRACE / 2).is_none());
            assert_eq!(table.give_way(None, since + GRACE), Some((0, phase)));
        }
    }

    #[test]
    fn an_address_at_its_share_makes_room_among_its_own_and_a_proxy_has_no_share() {
        let (mut table, now) =
            table(2, &[(address(9), Phase::Idle), (address(1), Phase::Idle), (address(1), Phase::Head)]);
        let one = address(1).unwrap();
        let (third, admitted) = table.open(address(1), 2, 3, now);
        assert!(!admitted);
        assert_eq!(table.give_way_of(one, now), Some((1, Phase::Idle)), "not the older one of another address");
        assert_eq!(table.give_way_of(one, now), Some((2, Phase::Head)));
        assert_eq!(table.give_way_of(one, now), None, "one that waits holds no place");
        let second = table.rows.iter().find(|(_, row)| row.signal == 2).unwrap().0;
        assert_eq!(table.close(second, now), Some(3), "its place goes to the one that waits");
        assert_eq!(table.close(third, now), None);
        for name in 4..9 {
            assert!(table.open(None, 2, name, now).1, "a trusted proxy");
        }
    }

    #[test]
    fn one_that_waits_too_long_gives_way_before_all_others() {
        let (mut table, now) = table(1, &[(address(9), Phase::Idle), (address(1), Phase::Answering)]);
        let (waiting, _) = table.open(address(1), 1, 7, now);
        assert_eq!(table.give_way(None, now + GRACE), Some((7, Phase::Waiting)));
        assert_eq!(table.give_way(None, now + GRACE), Some((0, Phase::Idle)));
        assert_eq!(table.close(waiting, now), None);
    }

    #[test]
    fn a_newcomer_of_an_address_above_its_share_takes_no_place_of_another_while_one_of_its_own_waits() {
        let opened = [(address(9), Phase::Head), (address(1), Phase::Answering)];
        let (mut table, now) = table(1, &opened);
        table.open(address(1), 1, 7, now);
        assert_eq!(table.give_way(address(1), now), None, "the one that waits has a moment");
        assert_eq!(table.give_way(address(1), now + GRACE), Some((7, Phase::Waiting)));
        assert_eq!(table.give_way(address(1), now + GRACE), Some((0, Phase::Head)), "none of its own can");
    }

    proptest! {
        #[test]
        fn no_address_is_served_more_than_its_share_and_an_empty_table_holds_nothing(
            steps in prop::collection::vec((0_u8..8, 0_u8..3, 0_usize..64), 0..200),
        ) {
            let mut table = ConnectionTable::new();
            let mut now = Instant::now();
            let mut open = Vec::new();
            for (step, last, pick) in steps {
                now += GRACE / 3;
                match (step, open.get(pick % open.len().max(1)).copied()) {
                    (0 | 1, _) => open.push(table.open(address(last).filter(|_| last > 0), 2, 0, now).0),
                    (2, Some(id)) => {
                        table.close(id, now);
                        open.retain(|other| *other != id);
                    }
                    (3, _) => _ = table.give_way(None, now),
                    (4, _) => _ = table.give_way_of(address(last).unwrap(), now),
                    (step, Some(id)) => table.becomes(id, [Phase::Idle, Phase::Blocked, Phase::Answering][step as usize - 5], now),
                    _ => {}
                }
                for held in table.addresses.values() {
                    prop_assert!((1..=2).contains(&held.served));
                }
            }
            for id in open {
                table.close(id, now);
            }
            prop_assert!(table.addresses.is_empty() && table.rows.is_empty());
            prop_assert!(table.all.0.iter().all(BTreeSet::is_empty));
        }
    }
}
