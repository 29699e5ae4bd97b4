//! When an owner asks others to take its shard, and what it does where its clocks differ.

use super::*;
use crate::market::UnixMicros;

#[test]
fn an_owner_gives_its_shard_to_a_node_that_has_had_more_symbols_for_thirty_seconds() {
    let mut node = Node::owning(&["b", "c"]);
    let began = node.millis;
    let rank = |fuller: &[&str]| {
        let names = |nodes: &[&str]| nodes.iter().map(|node| name(node)).collect();
        let successors = Successors { good: names(&["b", "c"]), fuller: names(fuller), last_resort: vec![] };
        Event::Rank { heard: true, rank: 0, successors }
    };
    node.on(rank(&["c"]));
    owns_until(&mut node, began + 20_000);
    // It was there for a moment, as in a change of the configuration.
    node.on(rank(&[]));
    node.on(rank(&["c"]));
    owns_until(&mut node, began + 49_999);
    assert_eq!(gives(&node.actions), []);
    owns_until(&mut node, began + 50_000);
    assert_eq!(gives(&std::mem::take(&mut node.actions)), [(name("c"), ASK)]);
    node.give("c", GiveSays::Busy);
    assert_eq!(node.shard.state(), "owning");
    owns_until(&mut node, began + 79_999);
    assert_eq!(gives(&node.actions), []);
    owns_until(&mut node, began + 80_000);
    assert_eq!(node.give("c", GiveSays::Ready), [Action::CloseFeed(GiveCause::FewerSymbols)]);
}

#[test]
fn an_owner_that_is_not_heard_does_not_wake_to_ask_others_in_vain() {
    let mut node = Node::owning(&["b"]);
    node.on(Event::FeedEnded);
    node.give("b", GiveSays::Busy);
    node.on(Event::Connected(false));
    node.millis += 10_500;
    let (request, _) = write(&node.on(Event::Due));
    node.written(request, node.millis);
    assert!(node.shard.due().is_some_and(|due| due > moment(node.millis).boot), "{:?}", node.actions);
}

#[test]
fn rule_7_an_owner_whose_machine_was_stopped_from_outside_is_suspended_with_its_next_event_whatever_it_waits_for() {
    let mut node = Node::owning(&["b"]);
    let until = node.millis + 600;
    assert!(node.pass(until).is_some(), "a renewal, which is not answered");
    let now = moment(node.millis);
    let stopped = Moment { wall: UnixMicros(now.wall.0 + 9_000_000), ..now };
    let rank = Event::Rank { heard: true, rank: 0, successors: Successors::default() };
    let actions = node.shard.on(rank, stopped, &mut node.book);
    assert!(actions.contains(&Action::Suspend), "{actions:?}");
    assert!(!node.book.is_live);
}
