use super::{testing::*, *};
use crate::cluster::{
    follower::{Cause, Have, State},
    give::{GiveMessage, GiveSays},
    lease::{Former, LeaseState, LeaseValue, ReadAnswer, Start},
    message::{Ask, Message},
    support::OwnSymbol,
    tape::Tape,
};
use crate::feed::FeedState;
use bytes::Bytes;

const ASK: GiveSays = GiveSays::Ask { insists: false };
const INSIST: GiveSays = GiveSays::Ask { insists: true };

#[test]
fn a_node_whose_live_connection_is_down_does_not_claim() {
    let mut node = Node::new("a");
    node.rank(&[]);
    node.on(Event::Read { request: 1, answer: ReadAnswer::Absent });
    assert_eq!(node.pass(20_000), None);
    node.on(Event::Connected(true));
    let (_, claim) = write(&node.actions);
    assert_eq!(claim.state, LeaseState::Held);

    let mut node = Node::new("a");
    node.on(Event::Connected(true));
    node.rank(&[]);
    node.on(Event::Read { request: 1, answer: ReadAnswer::Absent });
    node.pass(1_999);
    node.millis = 2_000;
    node.on(Event::Connected(false));
    assert_eq!(node.pass(20_000), None, "not even if the claim was due at that moment");
}

#[test]
fn a_node_whose_reports_do_not_come_back_does_not_claim_and_is_not_ready() {
    let deaf = Event::Rank { heard: false, rank: 0, successors: Successors::default() };
    let (mut node, _) = following();
    node.on(deaf.clone());
    assert_eq!(gives(&node.give("a", ASK)), [(name("a"), GiveSays::Busy)]);

    let mut node = Node::new("a");
    node.on(Event::Connected(true));
    node.on(deaf);
    node.on(Event::Read { request: 1, answer: ReadAnswer::Absent });
    assert_eq!(node.pass(20_000), None);
    assert_eq!(write(&node.rank(&[])).1.state, LeaseState::Held);
}

#[test]
fn an_owner_is_suspended_and_goes_on_or_leaves() {
    let mut node = Node::owning(&[]);
    node.millis += 8_000;
    let actions = node.on(Event::Due);
    assert!(actions.starts_with(&[Action::Suspend, Action::CutOff(CutOff::Lease)]), "{actions:?}");
    assert_eq!((node.shard.state(), node.shard.is_fresh()), ("suspended", false));
    let (request, _) = write(&actions);
    let actions = node.written(request, 2);
    assert_eq!(actions, [Action::Resume, Action::Fresh]);
    node.millis += 9_100;
    let actions = node.on(Event::Due);
    assert!(actions.starts_with(&[Action::Leave(LeaveReason::Expired), Action::CutOff(CutOff::Lease)]), "{actions:?}");
    assert_eq!((node.shard.owns(), node.shard.is_synced(), node.shard.state()), (false, false, "cold"));
}

#[test]
fn an_owner_fences_lower_tokens_and_leaves_for_a_higher_one_which_it_follows() {
    let mut node = Node::owning(&[]);
    let own = node.token();
    let low = publish(&mut tape(token(1, 9), node.millis), node.millis);
    node.on(Event::Live(low[0].clone()));
    node.on(Event::Live(Bytes::from_static(b"tf")));
    // A broker that was mute hands an owner's messages back to it.
    for bytes in publish(&mut tape(own, node.millis), node.millis) {
        node.on(Event::Live(bytes));
    }
    let counts = node.shard.follower().counts();
    assert_eq!((node.actions.as_slice(), counts.fenced, counts.duplicates), (&[][..], 1, 1));
    let mut higher = tape(token(own.term + 1, 9), node.millis);
    for bytes in publish(&mut higher, node.millis) {
        node.on(Event::Live(bytes));
    }
    assert_eq!(node.actions[..2], [Action::Leave(LeaveReason::Outranked), Action::CutOff(CutOff::Lease)]);
    assert_eq!((node.shard.follower().token(), node.shard.is_synced()), (Some(higher.token()), true));
    assert_eq!(node.shard.lease().highest(), Some(higher.token()));
}

#[test]
fn a_drain_asks_closes_the_feed_grants_and_goes_on_as_a_live_follower() {
    let mut node = Node::owning(&["b", "c"]);
    let own = node.token();
    let actions = node.on(Event::Drain);
    assert_eq!(gives(&actions), [(name("b"), INSIST)]);
    assert_eq!(node.shard.publishing(moment(node.millis)), Some(own), "it goes on meanwhile");
    assert_eq!(node.give("b", GiveSays::Ready), [Action::CloseFeed(GiveCause::Stop)]);
    let actions = node.on(Event::FeedClosed { last: 41 });
    let (request, value) = write(&actions);
    assert_eq!(value.state, LeaseState::Granted { to: name("b"), last: 41 });
    assert_eq!(node.shard.publishing(moment(node.millis)), None);
    let actions = node.written(request, 9);
    assert_eq!(actions[0], Action::HandedOver { to: Some(name("b")), is_clean: true });
    assert_eq!(gives(&actions), [(name("b"), GiveSays::Granted { revision: 9, value })]);
    assert!(node.shard.has_left() && node.shard.is_fresh() && node.book.is_live);
    assert_eq!(node.shard.follower().applied(), Some((own.epoch, 41)));
    // The successor's next batch is followed without a snapshot.
    let mut symbol = OwnSymbol::new(0, "A");
    let mut next = Tape::new(Token { term: own.term + 1, ..own }, 1, Start::After(41), Duration::ZERO);
    next.set_connected(true);
    symbol.trade(1, 100);
    next.push(&symbol.tick(), moment(node.millis).boot);
    node.book.have = Some(Have { epoch: own.epoch, seq: 0 });
    for bytes in publish(&mut next, node.millis) {
        node.on(Event::Live(bytes));
    }
    assert_eq!(node.shard.follower().applied(), Some((own.epoch, 42)));
    // Until its clock is known, the shard is fresh for two seconds at most.
    node.pass(node.millis + 2_001);
    assert!(!node.book.is_live);
}

#[test]
fn a_drain_whose_grant_has_no_answer_ends_with_the_successors_first_message() {
    let mut node = Node::owning(&["b"]);
    let own = node.token();
    node.on(Event::Drain);
    node.give("b", GiveSays::Ready);
    node.on(Event::FeedClosed { last: 41 });
    node.book.have = Some(Have { epoch: own.epoch, seq: 0 });
    let mut next = Tape::new(Token { term: own.term + 1, ..own }, 1, Start::After(41), Duration::ZERO);
    next.set_connected(true);
    let mut symbol = OwnSymbol::new(0, "A");
    symbol.trade(1, 100);
    next.push(&symbol.tick(), moment(node.millis).boot);
    node.actions.clear();
    for bytes in publish(&mut next, node.millis) {
        node.on(Event::Live(bytes));
    }
    assert_eq!(node.actions[0], Action::HandedOver { to: Some(name("b")), is_clean: true });
    assert_eq!(gives(&node.actions), [], "it knows");
    assert!(node.shard.has_left() && node.book.is_live);
    assert_eq!(node.shard.follower().applied(), Some((own.epoch, 42)));
}

#[test]
fn rule_10_a_feed_that_is_not_closed_in_time_ends_the_epoch() {
    let mut node = Node::owning(&["b"]);
    node.on(Event::Drain);
    node.give("b", GiveSays::Ready);
    let closed_by = node.millis + 1_000;
    let mut write = node.pass(closed_by).expect("it renews");
    while write.1.state == LeaseState::Held {
        let actions = node.written(write.0, 2);
        write = writes(&actions).or_else(|| node.pass(closed_by)).expect("it writes");
    }
    let (request, value) = write;
    assert_eq!((node.millis, value.state), (closed_by, LeaseState::Free { last: 0 }));
    node.on(Event::FeedClosed { last: 3 });
    node.written(request, 3);
    assert!(node.actions.contains(&Action::HandedOver { to: None, is_clean: false }));
    assert_eq!((node.book.is_live, node.shard.is_synced()), (false, false));
}

#[test]
fn a_node_that_stays_keeps_the_shard_if_no_other_is_ready_and_one_that_stops_leaves() {
    let mut node = Node::owning(&[]);
    assert_eq!(node.on(Event::GiveAway { to: Some(name("c")) }), [give_ask("c")]);
    let running = [Action::GiveFailed(GiveFailure::Running)];
    assert_eq!(node.on(Event::GiveAway { to: Some(name("d")) }), running, "one at a time");
    assert!(node.shard.hands_over());
    assert_eq!(node.give("c", GiveSays::Busy), [Action::GiveFailed(GiveFailure::NotReady)]);
    assert!(!node.shard.hands_over());
    assert_eq!(node.shard.state(), "owning");
    assert_eq!(node.on(Event::Drain), [Action::CloseFeed(GiveCause::Stop)]);
    let (request, value) = write(&node.on(Event::FeedClosed { last: 4 }));
    assert_eq!(value.state, LeaseState::Free { last: 4 });
    assert_eq!(node.written(request, 3), [Action::HandedOver { to: None, is_clean: true }]);
    assert!(node.shard.has_left());
}

#[test]
fn an_operator_learns_that_nothing_becomes_of_a_give() {
    let (mut node, _) = following();
    let not_owner = [Action::GiveFailed(GiveFailure::NotOwner)];
    assert_eq!(node.on(Event::GiveAway { to: None }), not_owner, "it has just left");
    let mut node = Node::owning(&["b", "c"]);
    node.on(Event::GiveAway { to: None });
    node.millis += 300;
    assert_eq!(gives(&node.on(Event::Due)), [(name("c"), ASK)]);
    node.actions.clear();
    let last_may_answer_by = node.millis + 600;
    while let Some((request, _)) = node.pass(last_may_answer_by) {
        node.written(request, node.millis);
    }
    assert!(node.actions.contains(&Action::GiveFailed(GiveFailure::NotReady)), "{:?}", node.actions);
}

fn give_ask(to: &str) -> Action {
    let message = GiveMessage { from: name("a"), shard: "feed.0".parse().unwrap(), says: INSIST };
    Action::SendGive { to: name(to), message }
}

#[test]
fn a_drain_while_an_operator_gives_the_shard_away_is_a_drain() {
    let mut node = Node::owning(&["b"]);
    node.on(Event::GiveAway { to: None });
    node.on(Event::Drain);
    node.give("b", GiveSays::Ready);
    let (request, _) = write(&node.on(Event::FeedClosed { last: 4 }));
    node.written(request, 3);
    assert!(node.shard.has_left());
}

#[test]
fn rule_10_an_owner_that_is_not_heard_for_five_seconds_gives_the_shard_away() {
    let mut node = Node::owning(&["b"]);
    node.on(Event::Connected(false));
    let asked_at = node.millis + 5_000;
    while node.millis < asked_at {
        assert_eq!(gives(&node.actions), []);
        let Some((request, _)) = node.pass(asked_at) else { continue };
        node.written(request, node.millis);
    }
    assert_eq!(gives(&node.actions), [(name("b"), INSIST)]);
    node.give("b", GiveSays::Busy);
    assert_eq!(node.shard.state(), "owning", "a shard that is not heard is better than none");
    assert!(!node.actions.iter().any(|action| matches!(action, Action::GiveFailed(_))), "no operator has asked");
    node.on(Event::Connected(true));
    assert_eq!(node.shard.due(), node.shard.lease().due());
}

#[test]
fn a_node_is_ready_to_follow_if_it_is_heard_and_has_the_state() {
    let (mut node, _) = following();
    assert_eq!(gives(&node.give("a", ASK)), [(name("a"), GiveSays::Ready)]);
    node.millis = 9_000;
    assert_eq!(gives(&node.give("a", ASK)), [(name("a"), GiveSays::Ready)], "even if it is cut off");
    node.on(Event::Connected(false));
    assert_eq!(gives(&node.give("a", ASK)), [(name("a"), GiveSays::Busy)]);
    node.on(Event::Connected(true));
    node.on(Event::Drain);
    assert_eq!(gives(&node.give("a", ASK)), [(name("a"), GiveSays::Busy)]);
    let other = GiveMessage { from: name("a"), shard: "other.0".parse().unwrap(), says: ASK };
    assert_eq!(node.on(Event::Give(other)), []);
    let mut node = Node::owning(&[]);
    assert_eq!(gives(&node.give("b", ASK)), [(name("b"), GiveSays::Busy)]);
}

#[test]
fn a_successor_claims_at_once_and_asks_for_what_it_lacks_before() {
    let granted = |last| LeaseValue {
        node: name("a"),
        instance: Instance::from_bits(1).unwrap(),
        token: token(3, 7),
        former: Former::new(),
        beat: 9,
        lease_ms: None,
        state: LeaseState::Granted { to: name("b"), last },
    };
    let (mut node, _) = following();
    // Its own read is pending: the announcement does not wait for it.
    let actions = node.give("a", GiveSays::Granted { revision: 6, value: granted(1) });
    let (request, claim) = write(&actions);
    assert_eq!(claim.token.epoch, token(3, 7).epoch);
    let actions = node.written(request, 7);
    assert!(matches!(actions[..], [Action::Own { start: Start::After(1), .. }]), "{actions:?}");

    let (mut node, mut owners) = following();
    let mut symbol = OwnSymbol::new(0, "A");
    symbol.trade(1, 100);
    owners.push(&symbol.tick(), moment(1_000).boot);
    owners.seal(moment(1_000).boot);
    let actions = node.give("a", GiveSays::Granted { revision: 6, value: granted(2) });
    let entered = Action::Entered { from: State::Live, to: State::Repairing, cause: Cause::Hole };
    assert!(actions.contains(&entered), "{actions:?}");
    let asked = actions.iter().find_map(|action| match action {
        Action::Ask(id, ask @ Ask::History { .. }) => Some((*id, *ask)),
        _ => None,
    });
    let (id, ask) = asked.expect("it asks for batch 2");
    owners.retire(moment(1_000).boot);
    let Some(crate::cluster::history::Answer::History(batches)) = owners.answer(ask, moment(1_000)) else {
        panic!("the tape has it");
    };
    let actions = node.on(Event::Answer(id, batches[0].clone()));
    assert_eq!(Message::open(&batches[0]).unwrap().head.batch, 2);
    let (_, claim) = write(&actions);
    assert_eq!(claim.token.epoch, token(3, 7).epoch, "as soon as it has all");
}

#[test]
fn rule_10_an_owner_whose_feed_fails_for_30_s_asks_the_others_who_are_as_able() {
    let mut node = Node::owning(&[]);
    node.rank_with(&["b"], &["c"]);
    node.on(Event::Feed(FeedState::Failed));
    let failed_at = node.millis;
    owns_until(&mut node, failed_at + 29_999);
    assert!(gives(&node.actions).is_empty() && !node.shard.feed_fails(moment(node.millis)));
    owns_until(&mut node, failed_at + 30_000);
    assert_eq!(gives(&node.actions), [(name("b"), ASK)]);
    assert!(node.shard.feed_fails(moment(node.millis)), "the others come first from now on");
    node.actions.clear();
    node.give("b", GiveSays::Busy);
    assert_eq!(node.shard.state(), "owning");
    owns_until(&mut node, failed_at + 49_999);
    assert_eq!(gives(&node.actions), [(name("b"), ASK)], "once in ten seconds");
    let told = node.actions.iter().filter(|action| **action == Action::GiveFailed(GiveFailure::FeedFails)).count();
    assert_eq!(told, 1);
    owns_until(&mut node, failed_at + 50_000);
    let actions = node.give("b", GiveSays::Ready);
    assert_eq!(actions, [Action::CloseFeed(GiveCause::FeedFails)]);
    let (request, value) = write(&node.on(Event::FeedClosed { last: 4 }));
    assert_eq!(value.state, LeaseState::Granted { to: name("b"), last: 4 });
    node.written(request, node.millis);
    let own = value.token;
    // It follows the other one, and takes the shard back only if it has to.
    let mut next = Tape::new(Token { term: own.term + 1, ..own }, 1, Start::After(4), Duration::ZERO);
    next.set_connected(true);
    for bytes in publish(&mut next, node.millis) {
        node.on(Event::Live(bytes));
    }
    assert!(
        node.shard.feed_fails(moment(node.millis + 599_999)) && !node.shard.feed_fails(moment(node.millis + 600_000))
    );
    assert_eq!(gives(&node.give("b", ASK)), [(name("b"), GiveSays::Busy)]);
    assert_eq!(gives(&node.give("b", INSIST)), [(name("b"), GiveSays::Ready)]);
    node.millis += 600_000;
    node.on(Event::Connected(true));
    assert_eq!(gives(&node.give("b", ASK)), [(name("b"), GiveSays::Ready)]);
}

#[test]
fn an_owner_whose_feed_ends_asks_at_once_and_one_whose_feed_is_up_again_does_not() {
    let mut node = Node::owning(&["b"]);
    node.on(Event::Feed(FeedState::Failed));
    node.on(Event::Feed(FeedState::Live));
    node.on(Event::FeedEnded);
    node.on(Event::Feed(FeedState::Live));
    assert_eq!(gives(&std::mem::take(&mut node.actions)), [(name("b"), ASK)]);
    assert!(!node.shard.hands_over(), "it is up meanwhile");
    assert_eq!(node.give("b", GiveSays::Ready), []);
    let until = node.millis + 60_000;
    owns_until(&mut node, until);
    assert_eq!(gives(&node.actions), []);
    assert_eq!(gives(&node.on(Event::FeedEnded)), [(name("b"), ASK)]);

    let (mut node, _) = following();
    assert_eq!(node.on(Event::FeedEnded), [], "it has just left");
    assert!(!node.shard.feed_fails(moment(node.millis)));
}

#[test]
fn an_owner_that_no_node_hears_does_not_say_that_no_node_takes_its_failed_feed() {
    let mut node = Node::owning(&["b"]);
    node.on(Event::FeedEnded);
    let until = node.millis + 1_000;
    owns_until(&mut node, until);
    assert_eq!((node.shard.state(), gives(&node.actions).len()), ("owning", 1), "b has not answered");
    node.on(Event::Connected(false));
    let until = node.millis + 4_000;
    owns_until(&mut node, until);
    assert_eq!(gives(&node.actions).len(), 1);
    assert!(!node.actions.contains(&Action::GiveFailed(GiveFailure::FeedFails)));
    node.on(Event::Connected(true));
    let until = node.millis + 5_000;
    owns_until(&mut node, until);
    node.give("b", GiveSays::Busy);
    assert!(node.actions.contains(&Action::GiveFailed(GiveFailure::FeedFails)), "{:?}", node.actions);
}

#[test]
fn a_drain_begins_the_dialogue_again_and_asks_more_nodes() {
    let mut node = Node::owning(&["b"]);
    node.rank_with(&["b"], &["c"]);
    node.on(Event::FeedEnded);
    assert_eq!(gives(&node.on(Event::Drain)), [(name("b"), INSIST)]);
    assert_eq!(gives(&node.give("b", GiveSays::Busy)), [(name("c"), INSIST)]);
}

#[test]
fn one_that_stops_asks_those_that_are_less_able_as_well() {
    let mut node = Node::owning(&[]);
    node.rank_with(&[], &["c"]);
    assert_eq!(node.on(Event::GiveAway { to: None }), [Action::GiveFailed(GiveFailure::NotReady)]);
    assert_eq!(gives(&node.on(Event::Drain)), [(name("c"), INSIST)]);
}

/// The owner renews its lease.
fn owns_until(node: &mut Node, millis: u64) {
    while let Some((request, _)) = node.pass(millis) {
        node.written(request, node.millis);
    }
}

#[path = "asking_tests.rs"]
mod asking;
