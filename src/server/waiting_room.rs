//! Where newcomers wait for a place, unread: a queue for each address.
//!
//! The addresses have turns, round robin: one waits for at most one connection of each other address. Were the address
//! that holds least served first, one that holds a connection would wait for as long as strangers keep coming.

use crate::limits::ClientAddress;
use std::{
    collections::{HashMap, VecDeque},
    time::{Duration, Instant},
};

/// How long newcomers may be left in the kernel's queue while the room is full: a burst of honest ones gets its places
/// meanwhile. There they stand behind one another, so it is less than a scrape or a few probes wait.
const LEFT_IN_KERNEL_MAX: Duration = Duration::from_secs(2);

/// Whose a newcomer is. All trusted proxies together are `None`: they have no share of the places, but one queue.
pub(super) type Whose = Option<ClientAddress>;

/// Newcomers without a place.
pub(super) struct WaitingRoom<N> {
    limit: usize,
    count: usize,
    /// None is empty, so the limit bounds them too.
    queues: HashMap<Whose, Queue<N>>,
    /// Whose turn is next comes first; each is in it once.
    turns: VecDeque<Whose>,
    /// Since when the room has not been empty after it was full.
    full_since: Option<Instant>,
}

struct Queue<N> {
    /// In the order in which they came, each with when that was.
    waiting: VecDeque<(Instant, N)>,
    has_turn: bool,
}

impl<N> WaitingRoom<N> {
    /// A room for so many.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, count: 0, queues: HashMap::new(), turns: VecDeque::new(), full_since: None }
    }

    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Whether to accept a newcomer. A full room lets a burst wait in the kernel, and then does so no longer until it
    /// was empty: behind a flood stand others.
    pub(super) fn accepts(&self, now: Instant) -> bool {
        self.count < self.limit || self.full_since.is_some_and(|since| now >= since + LEFT_IN_KERNEL_MAX)
    }

    /// Lets a newcomer in.
    pub(super) fn enter(&mut self, whose: Whose, newcomer: N, now: Instant) {
        let queue = self.queues.entry(whose).or_insert_with(|| Queue { waiting: VecDeque::new(), has_turn: false });
        queue.waiting.push_back((now, newcomer));
        self.count += 1;
        self.may_have_turn(whose);
    }

    /// Removes one that is too many, after all free places were given: of the address with most, the last that came.
    /// Those before it have waited longer, and those whose clients left are found by [`retain`](Self::retain).
    pub(super) fn turn_away(&mut self, now: Instant) -> Option<N> {
        if self.count >= self.limit {
            self.full_since.get_or_insert(now);
        }
        if self.count <= self.limit {
            return None;
        }
        let most = |(_, queue): &(&Whose, &Queue<N>)| (queue.waiting.len(), queue.waiting.back().map(|last| last.0));
        let whose = *self.queues.iter().max_by_key(most)?.0;
        let queue = self.queues.get_mut(&whose)?;
        let (_, last) = queue.waiting.pop_back()?;
        if queue.waiting.is_empty() {
            self.queues.remove(&whose);
            self.turns.retain(|turn| *turn != whose);
        }
        self.left(1);
        Some(last)
    }

    /// Whose turn it is, and how many wait there.
    pub(super) fn next(&self) -> Option<(Whose, usize)> {
        let whose = *self.turns.front()?;
        Some((whose, self.queues.get(&whose)?.waiting.len()))
    }

    /// Takes the newcomer whose turn it is: the first of its address, which then is the last to have a turn.
    pub(super) fn take(&mut self) -> Option<N> {
        let whose = self.turns.pop_front()?;
        let queue = self.queues.get_mut(&whose)?;
        let taken = queue.waiting.pop_front().map(|(_, newcomer)| newcomer);
        if queue.waiting.is_empty() {
            self.queues.remove(&whose);
        } else {
            self.turns.push_back(whose);
        }
        self.left(usize::from(taken.is_some()));
        taken
    }

    /// The address whose turn it is holds its share: it has no turn until it [may have one](Self::may_have_turn), or
    /// another of its newcomers comes.
    pub(super) fn pass(&mut self) {
        if let Some(queue) = self.turns.pop_front().and_then(|whose| self.queues.get_mut(&whose)) {
            queue.has_turn = false;
        }
    }

    /// An address may hold less than its share again.
    pub(super) fn may_have_turn(&mut self, whose: Whose) {
        if let Some(queue) = self.queues.get_mut(&whose)
            && !queue.has_turn
        {
            queue.has_turn = true;
            self.turns.push_back(whose);
        }
    }

    /// The same for all.
    pub(super) fn all_may_have_turns(&mut self) {
        for (whose, queue) in &mut self.queues {
            if !queue.has_turn {
                queue.has_turn = true;
                self.turns.push_back(*whose);
            }
        }
    }

    /// Removes those that may not wait on, by when they came.
    pub(super) fn retain(&mut self, mut may_wait: impl FnMut(Instant, &N) -> bool) {
        let mut staying = 0;
        self.queues.retain(|_, queue| {
            queue.waiting.retain(|(since, newcomer)| may_wait(*since, newcomer));
            staying += queue.waiting.len();
            !queue.waiting.is_empty()
        });
        self.turns.retain(|whose| self.queues.contains_key(whose));
        self.left(self.count - staying);
    }

    /// So many have left.
    fn left(&mut self, count: usize) {
        self.count -= count;
        if self.count == 0 {
            self.full_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::IpAddr;

    const PROXIES: Whose = None;

    fn address(last: u8) -> Whose {
        Some(IpAddr::from([192, 0, 2, last]).into())
    }

    /// A room in which these came a second apart, each named by its place in the list.
    fn room(limit: usize, came: &[u8]) -> (WaitingRoom<usize>, Instant) {
        let mut room = WaitingRoom::new(limit);
        let start = Instant::now();
        for (name, last) in came.iter().enumerate() {
            room.enter(address(*last), name, start + Duration::from_secs(name as u64));
        }
        (room, start)
    }

    fn taken(room: &mut WaitingRoom<usize>) -> Vec<usize> {
        std::iter::from_fn(|| room.take()).collect()
    }

    #[test]
    fn addresses_have_turns_and_each_its_connections_in_the_order_in_which_they_came() {
        let (mut room, now) = room(9, &[1, 1, 1, 2, 3, 2]);
        room.enter(PROXIES, 6, now);
        assert_eq!(taken(&mut room), [0, 3, 4, 6, 1, 5, 2]);
        assert!(room.is_empty() && room.next().is_none());
    }

    #[test]
    fn an_address_that_holds_its_share_keeps_no_other_waiting() {
        let (mut room, now) = room(9, &[1, 1, 2]);
        assert_eq!(room.next(), Some((address(1), 2)));
        room.pass();
        assert_eq!((room.take(), room.take()), (Some(2), None));
        room.may_have_turn(address(1));
        room.may_have_turn(address(1));
        room.may_have_turn(address(7));
        assert_eq!(room.turns, [address(1)]);
        room.pass();
        room.all_may_have_turns();
        room.all_may_have_turns();
        room.pass();
        room.enter(address(1), 3, now);
        assert_eq!(taken(&mut room), [0, 1, 3]);
    }

    #[test]
    fn rule_10_in_a_full_room_the_address_with_most_gives_way_by_its_last() {
        let (mut room, start) = room(4, &[1, 1, 1, 2]);
        assert_eq!(room.turn_away(start), None);
        for (whose, name, turned_away) in
            [(address(1), 4, 4), (address(3), 5, 2), (address(2), 6, 6), (PROXIES, 7, 1), (address(4), 8, 8)]
        {
            let now = start + Duration::from_secs(name as u64);
            room.enter(whose, name, now);
            assert_eq!((room.turn_away(now), room.turn_away(now)), (Some(turned_away), None));
        }
        assert_eq!(taken(&mut room), [0, 3, 5, 7]);
    }

    #[test]
    fn rule_10_a_full_room_leaves_newcomers_in_the_kernel_for_a_moment_and_not_again_until_it_was_empty() {
        let (mut room, start) = room(2, &[1]);
        let enters = |room: &mut WaitingRoom<usize>, now| {
            room.enter(address(1), 7, now);
            room.turn_away(now);
        };
        assert!(room.accepts(start));
        enters(&mut room, start);
        let over = start + LEFT_IN_KERNEL_MAX;
        assert!(!room.accepts(start) && room.accepts(over));
        room.take();
        enters(&mut room, over);
        assert!(room.accepts(over), "it was not empty");
        taken(&mut room);
        enters(&mut room, over);
        enters(&mut room, over);
        assert!(!room.accepts(over));
    }

    #[test]
    fn those_that_may_not_wait_on_leave_with_the_turns_of_their_addresses() {
        let (mut room, start) = room(9, &[1, 2, 1, 3]);
        room.retain(|since, name| since > start && *name != 1);
        assert_eq!(room.turns, [address(1), address(3)]);
        assert_eq!(taken(&mut room), [2, 3]);
    }

    proptest! {
        #[test]
        fn none_is_lost_and_each_address_that_waits_has_one_turn_or_holds_its_share(
            steps in prop::collection::vec((0_u8..8, 0_u8..4), 0..200),
        ) {
            let mut room = WaitingRoom::new(5);
            let mut inside = Vec::new();
            let now = Instant::now();
            for (name, (step, last)) in steps.into_iter().enumerate() {
                let whose = address(last).filter(|_| last > 0);
                match step {
                    0..=3 => {
                        inside.push(name);
                        room.enter(whose, name, now);
                        let turned_away = room.turn_away(now);
                        inside.retain(|name| Some(*name) != turned_away);
                    }
                    4 => {
                        let taken = room.take();
                        inside.retain(|name| Some(*name) != taken);
                    }
                    5 => room.pass(),
                    6 => room.may_have_turn(whose),
                    _ => {
                        room.retain(|_, name| name % 4 != usize::from(last));
                        inside.retain(|name| name % 4 != usize::from(last));
                    }
                }
                prop_assert!(room.count <= 5 && room.count == inside.len());
                for (whose, queue) in &room.queues {
                    prop_assert!(!queue.waiting.is_empty());
                    let turns = room.turns.iter().filter(|turn| *turn == whose).count();
                    prop_assert_eq!(turns, usize::from(queue.has_turn));
                }
                prop_assert!(room.turns.len() <= room.queues.len());
            }
            room.all_may_have_turns();
            let mut left = taken(&mut room);
            left.sort_unstable();
            inside.sort_unstable();
            prop_assert_eq!(left, inside);
            prop_assert!(room.queues.is_empty() && room.full_since.is_none());
        }
    }
}
