//! The epochs that a shard had before, as its followers learn of them.

use super::{Action, ShardNode};

impl ShardNode {
    /// Passes on the epochs that the followed owner's lease names, once it was read. A node that started since would
    /// take a client that comes back from one of them for a new one.
    pub(super) fn remember(&mut self, actions: &mut Vec<Action>) {
        if let Some((token, former)) = self.lease.former()
            && self.follower.token() == Some(token)
            && self.remembered != Some(token)
        {
            if !former.is_empty() {
                actions.push(Action::Remember(former.clone()));
            }
            self.remembered = Some(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{testing::*, *};
    use crate::cluster::lease::{Former, LeaseState, LeaseValue, ReadAnswer};

    #[test]
    fn a_follower_learns_of_the_epochs_before_from_the_lease_of_its_owner_once() {
        let (mut node, tape) = following();
        let epoch = |bits| token(0, bits).epoch;
        let former = Former::from_slice(&[epoch(6), epoch(5)]);
        let of = |token| LeaseValue {
            node: name("a"),
            instance: Instance::from_bits(1).unwrap(),
            token,
            former: former.clone(),
            beat: 9,
            lease_ms: None,
            state: LeaseState::Held,
        };
        let remembers =
            |actions: &[Action]| actions.iter().filter(|action| matches!(action, Action::Remember(_))).count();
        let (own, mut request) = (tape.token(), 1);
        let next = Token { term: own.term + 1, ..own };
        // Once; the same again; of an owner that is not followed yet.
        for (revision, token, count) in [(6, own, 1), (7, own, 0), (8, next, 0)] {
            let answer = ReadAnswer::Found { revision, value: Ok(of(token)) };
            let actions = node.on(Event::Read { request, answer });
            assert_eq!(remembers(&actions), count, "{actions:?}");
            assert!(count == 0 || actions.contains(&Action::Remember(former.clone())));
            node.millis += 1_000;
            node.on(Event::Due);
            let asks = |action: &Action| if let Action::Read { request } = action { Some(*request) } else { None };
            request = node.actions.iter().rev().find_map(asks).expect("it reads once a second");
        }
    }
}
