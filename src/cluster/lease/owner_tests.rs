//! How an owner keeps its lease, and how it leaves.

use super::{super::json::JsonError, requests::UNANSWERED_MAX, testing::*, *};

#[test]
fn an_owner_writes_every_half_second_counted_from_the_sending() {
    let mut node = Node::owning();
    assert_eq!(node.at(2_499), []);
    let (expected, renewal) = written(node.at(2_500));
    assert_eq!(
        (expected, renewal.state.clone(), renewal.token),
        (Some(10), LeaseState::Held, node.lease.held().unwrap())
    );
    node.millis = 2_900;
    assert_eq!(node.write_last(WriteAnswer::Written(11)), []);
    assert_eq!(node.lease.valid_for(node.now()), Duration::from_millis(7_600));
    assert_eq!(node.at(2_999), []);
    let (expected, next) = written(node.at(3_000));
    assert_eq!((expected, next.beat), (Some(11), renewal.beat + 1));
    node.millis = 3_700;
    let (expected, _) = written(node.write_last(WriteAnswer::Written(12)));
    assert_eq!(expected, Some(12), "it is late");
}

#[test]
fn an_owner_is_suspended_when_its_lease_ends_and_resumes_when_a_write_comes_through() {
    let mut node = Node::owning();
    written(node.at(2_500));
    assert!(is_read(&node.at(4_000)));
    assert_eq!(node.read_last(ReadAnswer::Failed), []);
    written(node.at(4_250));
    node.millis = 9_999;
    assert!(node.publishes());
    node.millis = 10_000;
    assert!(!node.publishes(), "a look at the clock is enough");
    let actions = node.on(Event::Due);
    assert_eq!(actions[0], Action::Suspend);
    assert!(node.lease.held().is_some() && !node.publishes());
    node.millis = 10_900;
    let read = node.lease.requests;
    node.read(read, ReadAnswer::Failed);
    // The write of 4,250 ms was applied after all: it counts from its sending.
    let unanswered = node.lease.unanswered.back().unwrap().value.beat;
    assert!(node.write(unanswered, WriteAnswer::Written(11)).contains(&Action::Resume));
    assert_eq!(node.lease.valid_for(node.now()), Duration::from_millis(4_250 + 8_000 - 10_900));
}

#[test]
fn an_owner_leaves_when_the_others_may_claim() {
    let mut node = Node::owning();
    node.at(10_000);
    assert_eq!(node.at(10_999).iter().filter(|action| matches!(action, Action::Leave(_))).count(), 0);
    assert_eq!(node.at(11_000)[0], Action::Leave(LeaveReason::Expired));
    assert!(node.lease.held().is_none() && !node.publishes());
}

#[test]
fn a_paused_owner_leaves_with_its_first_step() {
    let mut node = Node::owning();
    written(node.at(2_500));
    node.millis = 17_000;
    assert!(!node.publishes());
    let actions = node.write_last(WriteAnswer::Written(11));
    assert_eq!(actions[0], Action::Leave(LeaveReason::Expired));
}

#[test]
fn time_that_only_the_wall_clock_counted_suspends_until_the_next_write() {
    let mut node = Node::owning();
    node.wall_ahead = 7_900;
    node.millis = 2_050;
    assert!(node.publishes());
    node.millis = 2_100;
    assert!(!node.publishes());
    let actions = node.on(Event::Due);
    assert!(matches!(actions[..], [Action::Suspend, Action::Write { .. }]), "{actions:?}");
    assert_eq!(node.write_last(WriteAnswer::Written(11)), [Action::Resume]);
    node.wall_ahead = 0;
    node.millis = 2_200;
    assert!(node.publishes(), "a wall clock that is set back shortens nothing");
    // A clock that is set far ahead does not cost the connection to the venue.
    node.wall_ahead = 1_000_000;
    assert!(matches!(node.on(Event::Due)[..], [Action::Suspend, Action::Write { .. }]));
}

#[test]
fn an_owner_adopts_its_own_unanswered_write() {
    let mut node = Node::owning();
    let (_, renewal) = written(node.at(2_500));
    assert!(is_read(&node.write_last(WriteAnswer::Unknown)));
    node.millis = 2_600;
    assert_eq!(node.read_last(found(11, renewal)), []);
    assert_eq!(node.lease.valid_for(node.now()), Duration::from_millis(7_900));
    let (expected, _) = written(node.at(3_000));
    assert_eq!(expected, Some(11));
}

#[test]
fn an_owner_whose_write_was_not_applied_writes_again() {
    let mut node = Node::owning();
    written(node.at(2_500));
    assert!(is_read(&node.at(4_000)));
    let newest = node.lease.unanswered.back().unwrap().value.clone();
    let before = LeaseValue { beat: 2, ..newest };
    assert_eq!(node.read_last(found(10, before)), []);
    assert_eq!(node.lease.valid_for(node.now()), Duration::from_millis(6_000), "an old write proves nothing");
    let (expected, _) = written(node.at(4_250));
    assert_eq!(expected, Some(10));
}

#[test]
fn an_owner_that_finds_another_leaves_and_one_that_finds_a_loss_writes_anyway() {
    type Found = Box<dyn Fn(Token) -> ReadAnswer>;
    let of = |term: i64, revision| -> Found {
        Box::new(move |own| found(revision, value("b", own.term.saturating_add_signed(term), LeaseState::Held)))
    };
    let unreadable = |error: ValueError| -> Found {
        Box::new(move |_| ReadAnswer::Found { revision: 8, value: Err(error.clone()) })
    };
    for (answer, expected) in [
        (of(1, 12), None),
        (of(9, 12), None),
        (unreadable(ValueError::Json(JsonError::Version { found: 2, reads: 1 })), None),
        (of(-1, 8), Some(Some(8))),
        (unreadable(ValueError::Range("term")), Some(Some(8))),
        (Box::new(|_| ReadAnswer::Absent) as Found, Some(None)),
    ] {
        let mut node = Node::owning();
        // So that there is a lower term.
        let own = Token { term: 5, epoch: epoch() };
        if let Stage::Owning(tenure) = &mut node.lease.stage {
            tenure.token = own;
        }
        node.at(2_500);
        assert!(is_read(&node.write_last(WriteAnswer::Conflict)));
        let actions = node.read_last(answer(own));
        match expected {
            None => assert_eq!(actions, [Action::Leave(LeaveReason::Outranked)]),
            Some(expected) => {
                assert_eq!(actions, []);
                let (expects, value) = written(node.at(2_750));
                assert_eq!((expects, value.token), (expected, own));
                let revision = expected.map_or(1, |revision| revision + 1);
                assert_eq!(node.write_last(WriteAnswer::Written(revision)), []);
                assert_eq!(node.lease.revision(), Some(revision));
            }
        }
    }
}

#[test]
fn an_owner_leaves_when_it_hears_a_higher_token() {
    let mut node = Node::owning();
    let own = node.lease.held().unwrap();
    assert_eq!(node.heard(own.term - 1, 99), []);
    assert_eq!(node.heard(own.term + 1, 11), [Action::Leave(LeaveReason::Outranked)]);
    assert_eq!(node.lease.highest(), Some(Token { term: own.term + 1, epoch: epoch() }));
}

#[test]
fn an_owner_hands_over_to_the_node_that_agreed() {
    for (to, stays) in [(Some(node_name("b")), false), (None, false), (Some(node_name("b")), true)] {
        let mut node = Node::owning();
        node.millis = 2_100;
        let (expected, value) = written(node.on(Event::HandOver { to: to.clone(), last: 42, stays }));
        assert!(!node.publishes() && node.lease.held().is_none());
        let state = to.map_or(LeaseState::Free { last: 42 }, |to| LeaseState::Granted { to, last: 42 });
        assert_eq!((expected, &value.state), (Some(10), &state));
        assert_eq!(node.write_last(WriteAnswer::Written(11))[0], Action::HandedOver { revision: 11, value });
        assert_eq!(node.lease.has_left(), !stays);
    }
}

#[test]
fn a_hand_over_waits_for_the_write_that_is_under_way() {
    let mut node = Node::owning();
    node.at(2_500);
    assert_eq!(node.on(Event::HandOver { to: None, last: 42, stays: false }), []);
    let (expected, value) = written(node.write_last(WriteAnswer::Written(11)));
    assert_eq!((expected, &value.state), (Some(11), &LeaseState::Free { last: 42 }));
    // An unanswered hand-over is read, and written again unless it was applied.
    assert!(is_read(&node.write_last(WriteAnswer::Unknown)));
    let (expected, again) = written(node.read_last(found(11, LeaseValue { state: LeaseState::Held, ..value.clone() })));
    assert_eq!(expected, Some(11));
    assert!(is_read(&node.write_last(WriteAnswer::Unknown)));
    let actions = node.read_last(found(12, again.clone()));
    assert_eq!(actions, [Action::HandedOver { revision: 12, value: again }]);
}

#[test]
fn a_successor_proves_that_the_grant_was_written() {
    let ways: [fn(&mut Node, Token) -> Vec<Action>; 2] = [
        |node, token| node.on(Event::Heard { token, revision: 12 }),
        |node, token| {
            assert!(is_read(&node.write_last(WriteAnswer::Unknown)));
            node.read_last(found(12, LeaseValue { token, ..value("b", 3, LeaseState::Held) }))
        },
    ];
    for (way, stays) in ways.into_iter().zip([false, true]) {
        let (mut node, by) = (Node::owning(), node_name("b"));
        let own = node.lease.held().unwrap();
        node.on(Event::HandOver { to: Some(by.clone()), last: 42, stays });
        assert_eq!(way(&mut node, Token { term: own.term + 1, ..own })[0], Action::TakenOver { by });
        assert_eq!(node.lease.has_left(), !stays);
        // One of another epoch took the shard from it.
        let mut node = Node::owning();
        node.on(Event::HandOver { to: Some(node_name("b")), last: 42, stays });
        let other = Token { term: own.term + 1, epoch: epoch() };
        assert_eq!(way(&mut node, other)[0], Action::Leave(LeaveReason::Outranked));
        // A shard that is free is not granted.
        let mut node = Node::owning();
        node.on(Event::HandOver { to: None, last: 42, stays });
        assert_eq!(way(&mut node, Token { term: own.term + 1, ..own })[0], Action::Leave(LeaveReason::Outranked));
    }
}

#[test]
fn a_hand_over_that_cannot_be_written_ends_with_the_lease() {
    let mut node = Node::owning();
    node.on(Event::HandOver { to: None, last: 42, stays: false });
    node.at(10_500);
    assert_eq!(node.at(11_000), [Action::Leave(LeaveReason::Expired)]);
    assert!(node.lease.has_left());
}

#[test]
fn rule_10_only_so_many_unanswered_writes_are_remembered() {
    let mut node = Node::owning();
    node.lease.timing = LeaseTiming::new(Duration::from_secs(3_600));
    let mut writes = 0;
    while writes < UNANSWERED_MAX + 5 {
        let due = node.lease.due().unwrap();
        node.millis = (due.0 - node.started.boot.0) / 1_000;
        for action in node.on(Event::Due) {
            writes += usize::from(matches!(action, Action::Write { .. }));
        }
    }
    assert_eq!(node.lease.unanswered.len(), UNANSWERED_MAX);
}
