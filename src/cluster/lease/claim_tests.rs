//! When a node claims a shard, and with what.

use super::{super::json::JsonError, testing::*, *};

#[test]
fn a_shard_without_a_lease_is_claimed_once_the_node_is_up_for_two_seconds() {
    for (standing, millis) in [
        (RANKED_FIRST, 2_000),
        (Standing { rank: 2, ..RANKED_FIRST }, 2_600),
        (Standing { synced: false, ..RANKED_FIRST }, 2_000),
    ] {
        let mut node = Node::started();
        node.on(Event::Standing(standing));
        node.read(1, ReadAnswer::Absent);
        let (expected, value) = node.wait_until_claim(millis);
        assert_eq!((expected, value.token.term, value.state), (None, 1, LeaseState::Held));
        assert_eq!(value.former, Former::new());
    }
}

#[test]
fn a_node_that_does_not_know_its_rank_claims_nothing() {
    let now = Node::started().now();
    let mut lease = Lease::new(node_name("a"), Instance::from_bits(1).unwrap(), LeaseTiming::new(LEASE), 1, now);
    lease.on(Event::Due, now);
    lease.on(Event::Read { request: 1, answer: ReadAnswer::Absent }, now);
    let later = Moment { boot: now.boot.after(LEASE * 2), ..now };
    assert!(is_read(&lease.on(Event::Due, later)));
}

#[test]
fn the_owner_stays_known_while_messages_name_newer_revisions_of_its_lease() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    assert_eq!(node.lease.owner(), Some(node_name("b")));
    node.heard(3, 6);
    assert_eq!(node.lease.owner(), Some(node_name("b")), "it has renewed");
    node.heard(4, 7);
    assert_eq!(node.lease.owner(), None, "another one, whose value was not read yet");
}

#[test]
fn an_expired_lease_is_claimed_in_order_of_rank_with_a_new_epoch() {
    for (standing, millis) in [
        (RANKED_FIRST, 9_000),
        (Standing { rank: 1, ..RANKED_FIRST }, 9_300),
        (Standing { rank: 1, synced: false, applied: None }, 11_300),
        (Standing { rank: 0, synced: false, applied: None }, 9_000),
        (Standing { applied: Some((epoch(), 99)), ..RANKED_FIRST }, 9_000),
    ] {
        let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
        node.on(Event::Standing(standing));
        let (expected, claim) = node.wait_until_claim(millis);
        assert_eq!((expected, claim.token.term), (Some(5), 4));
        assert_ne!(claim.token.epoch, epoch(), "the last number of an owner that died is not known");
        assert_eq!(claim.former, former(&[EPOCH_BITS, 2, 1]));
    }
}

#[test]
fn the_longer_of_two_configured_leases_counts() {
    for (lease_ms, millis, other) in [
        (Some(18_000), 18_000, Some(Duration::from_secs(18))),
        (Some(5_000), 9_000, Some(Duration::from_secs(5))),
        (Some(9_000), 9_000, None),
        (None, 9_000, None),
    ] {
        let of_b = LeaseValue { lease_ms, ..value("b", 3, LeaseState::Held) };
        let mut node = Node::watching(5, of_b.clone());
        let other = other.map(|length| (node_name("b"), length));
        assert_eq!(node.lease.other_length(), other);
        let (_, claim) = node.wait_until_claim(millis);
        assert_eq!(claim.lease_ms, Some(9_000), "its own");
        // The same where its messages name newer revisions, or the key is lost.
        let mut node = Node::watching(5, of_b);
        node.heard(3, 6);
        assert_eq!(node.lease.other_length(), other);
        node.at(1_000);
        node.read_last(ReadAnswer::Absent);
        node.at(2_000);
        node.read_last(ReadAnswer::Absent);
        node.at(3_000);
        node.read_last(ReadAnswer::Absent);
        node.wait_until_claim(3_000 + millis);
    }
}

#[test]
fn each_renewal_that_a_node_learns_of_restarts_the_wait() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.at(1_000);
    let read = node.lease.requests;
    node.millis = 1_010;
    node.read(read, found(6, value("b", 3, LeaseState::Held)));
    node.millis = 3_000;
    node.heard(3, 7);
    node.at(4_000);
    node.read_last(found(7, value("b", 3, LeaseState::Held)));
    let (expected, _) = node.wait_until_claim(12_000);
    assert_eq!(expected, Some(7), "reading what a message named is nothing new");
}

#[test]
fn a_claim_waits_while_the_owner_can_be_heard() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.millis = 8_500;
    node.heard(3, 5);
    let (expected, _) = node.wait_until_claim(10_500);
    assert_eq!(expected, Some(5));
    // A lower token is not the owner's.
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.millis = 8_500;
    node.heard(2, 9);
    node.wait_until_claim(9_000);
}

#[test]
fn a_revision_known_from_a_message_alone_is_read_before_it_is_claimed() {
    let mut node = Node::started();
    node.heard(3, 5);
    node.read(1, ReadAnswer::Failed);
    while node.millis < 9_000 {
        let due = node.lease.due().unwrap();
        node.millis = (due.0 - node.started.boot.0) / 1_000;
        if let [Action::Read { request }] = node.on(Event::Due)[..] {
            node.read(request, ReadAnswer::Failed);
        }
    }
    node.at(9_250);
    let (expected, claim) = written(node.read_last(found(5, value("b", 3, LeaseState::Held))));
    assert_eq!((expected, claim.token.term), (Some(5), 4));
}

#[test]
fn a_free_shard_is_claimed_by_rank_in_a_new_epoch() {
    let mut node = Node::watching(4, value("b", 3, LeaseState::Held));
    node.on(Event::Standing(Standing { rank: 1, applied: Some((epoch(), 42)), ..RANKED_FIRST }));
    node.at(1_000);
    node.read_last(found(5, value("b", 3, LeaseState::Free { last: 42 })));
    let (expected, claim) = node.wait_until_claim(1_300);
    assert_eq!((expected, claim.token.epoch == epoch()), (Some(5), false));
    let actions = node.write_last(WriteAnswer::Written(6));
    assert!(matches!(actions[..], [Action::Own { start: Start::NewEpoch, .. }]), "{actions:?}");
}

#[test]
fn a_granted_shard_is_claimed_at_once_by_its_successor_which_goes_on_with_the_epoch() {
    let mut node = Node::watching(4, value("b", 3, LeaseState::Held));
    node.heard(3, 4);
    node.on(Event::Standing(Standing { rank: 2, applied: Some((epoch(), 42)), ..RANKED_FIRST }));
    let granted = value("b", 3, LeaseState::Granted { to: node_name("a"), last: 42 });
    let (expected, claim) = written(node.on(Event::Announced { revision: 5, value: granted }));
    assert_eq!((expected, claim.token, claim.former.len()), (Some(5), Token { term: 4, epoch: epoch() }, 2));
    let actions = node.write_last(WriteAnswer::Written(6));
    assert!(matches!(actions[..], [Action::Own { start: Start::After(42), .. }]), "{actions:?}");
}

#[test]
fn a_successor_gets_the_last_batches_first_or_starts_a_new_epoch() {
    let granted = value("b", 3, LeaseState::Granted { to: node_name("a"), last: 42 });
    let mut node = Node::watching(4, value("b", 3, LeaseState::Held));
    node.on(Event::Standing(Standing { applied: Some((epoch(), 41)), ..RANKED_FIRST }));
    let asked = [Action::CatchUp { epoch: epoch(), batch: 42 }];
    assert_eq!(node.on(Event::Announced { revision: 5, value: granted.clone() }), asked);
    node.millis = 200;
    let standing = Standing { applied: Some((epoch(), 42)), ..RANKED_FIRST };
    let (_, claim) = written(node.on(Event::Standing(standing)));
    assert_eq!(claim.token.epoch, epoch());

    let mut node = Node::watching(4, value("b", 3, LeaseState::Held));
    node.on(Event::Announced { revision: 5, value: granted.clone() });
    let (_, claim) = node.wait_until_claim(500);
    assert_ne!(claim.token.epoch, epoch());

    // A store that lost the last claims: the epoch's numbers may have gone on.
    let mut node = Node::watching(4, value("b", 3, LeaseState::Held));
    node.on(Event::Standing(Standing { applied: Some((epoch(), 42)), ..RANKED_FIRST }));
    node.heard(4, 4);
    node.on(Event::Announced { revision: 5, value: granted });
    let (_, claim) = node.wait_until_claim(500);
    assert_eq!((claim.token.term, claim.token.epoch == epoch()), (5, false));
}

#[test]
fn a_shard_that_is_granted_to_another_is_left_to_it_for_a_second() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Granted { to: node_name("c"), last: 42 }));
    node.on(Event::Standing(Standing { rank: 1, applied: Some((epoch(), 42)), ..RANKED_FIRST }));
    let (_, claim) = node.wait_until_claim(1_300);
    assert_ne!(claim.token.epoch, epoch(), "its successor may have gone on with the epoch");
}

#[test]
fn a_claim_that_meets_another_revision_reads_and_watches() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.wait_until_claim(9_000);
    assert!(is_read(&node.write_last(WriteAnswer::Conflict)));
    node.read_last(found(6, value("c", 4, LeaseState::Held)));
    node.wait_until_claim(18_000);
}

#[test]
fn an_unanswered_claim_that_was_applied_owns_from_its_sending() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    let (_, claim) = node.wait_until_claim(9_000);
    assert!(is_read(&node.at(10_500)), "an answer is awaited for 1.5 s");
    node.millis = 10_600;
    let actions = node.read_last(found(6, claim));
    assert!(matches!(actions[..], [Action::Own { .. }, Action::Write { expected: Some(6), .. }]), "{actions:?}");
    assert_eq!(node.lease.valid_for(node.now()), Duration::from_millis(6_400));
    node.at(16_999);
    assert!(node.publishes());
    node.millis = 17_000;
    assert!(!node.publishes());
}

#[test]
fn a_claim_that_was_not_applied_is_made_again() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.wait_until_claim(9_000);
    assert!(is_read(&node.write_last(WriteAnswer::Unknown)));
    node.read_last(found(5, value("b", 3, LeaseState::Held)));
    let (expected, claim) = node.wait_until_claim(9_250);
    assert_eq!((expected, claim.token.term), (Some(5), 4));
}

#[test]
fn a_claim_gives_way_to_a_higher_token() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.wait_until_claim(9_000);
    node.heard(5, 7);
    assert!(is_read(&node.write_last(WriteAnswer::Written(6))), "it was applied, and overtaken");
    assert_eq!(node.lease.held(), None);
}

#[test]
fn a_node_that_stops_claims_nothing_and_frees_what_it_has_just_claimed() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    assert_eq!(node.on(Event::Withdraw), []);
    assert!(node.lease.has_left() && node.lease.due().is_none());

    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.wait_until_claim(9_000);
    node.on(Event::Withdraw);
    let (expected, value) = written(node.write_last(WriteAnswer::Written(6)));
    assert_eq!((expected, &value.state), (Some(6), &LeaseState::Free { last: 0 }));
    assert_eq!(node.write_last(WriteAnswer::Written(7)), [Action::HandedOver { revision: 7, value }]);
    assert!(node.lease.has_left());
}

#[test]
fn a_read_that_may_be_stale_does_not_count_but_three_in_a_row_do() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    for (millis, revision) in [(1_000, 4), (2_000, 4), (3_000, 5), (4_000, 4), (5_000, 3), (6_000, 4)] {
        assert!(is_read(&node.at(millis)));
        node.read_last(found(revision, LeaseValue { beat: 6, ..value("b", 3, LeaseState::Held) }));
        // A read of the same revision with another content is a store that was made again.
        let since = if millis < 3_000 { 5 } else { 5.min(node.lease.revision().unwrap()) };
        assert_eq!(node.lease.revision(), Some(if millis == 6_000 { 4 } else { since }));
    }
    let (expected, claim) = node.wait_until_claim(15_000);
    assert_eq!((expected, claim.token.term), (Some(4), 4), "terms only rise");
}

#[test]
fn an_absent_key_of_a_shard_that_had_an_owner_is_claimed_after_a_whole_lease() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    for millis in [1_000, 2_000, 3_000] {
        assert!(is_read(&node.at(millis)));
        node.read_last(ReadAnswer::Absent);
    }
    let (expected, claim) = node.wait_until_claim(12_000);
    assert_eq!((expected, claim.token.term, &claim.former[..]), (None, 4, &former(&[EPOCH_BITS])[..]));
}

#[test]
fn garbage_is_overwritten_after_a_whole_lease_and_another_version_never() {
    for (error, claims) in
        [(ValueError::Range("term"), true), (ValueError::Json(JsonError::Version { found: 2, reads: 1 }), false)]
    {
        let mut node = Node::started();
        node.read(1, ReadAnswer::Found { revision: 5, value: Err(error) });
        if claims {
            assert_eq!(node.wait_until_claim(9_000).0, Some(5));
        } else {
            assert!(is_read(&node.at(20_000)));
        }
    }
}

#[test]
fn a_node_that_finds_its_own_expired_lease_claims_at_once() {
    let mut own = value("b", 3, LeaseState::Held);
    own.instance = Instance::from_bits(u64::from(b'a')).unwrap();
    let mut node = Node::started();
    let (expected, _) = written(node.read(1, found(5, own)));
    assert_eq!(expected, Some(5));
}

#[test]
fn an_heir_of_a_lost_store_draws_a_later_term() {
    let mut node = Node::started();
    node.wall_ahead = 1_732_283_045_000 + 1_000_000;
    node.read(1, ReadAnswer::Absent);
    let (_, claim) = node.wait_until_claim(2_000);
    assert_eq!(claim.token.term, 1_732_283_047);
}

#[test]
fn an_owner_that_the_nodes_do_not_follow_is_replaced() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    // The store has lost term 3, and a node that did not know it owns.
    for second in 1..10 {
        assert!(is_read(&node.at(second * 1_000)));
        assert_eq!(node.read_last(found(5 + second, value("c", 1, LeaseState::Held))), []);
    }
    let (expected, claim) = written(node.at(10_000));
    assert_eq!((expected, claim.token.term), (Some(14), 4));
}

#[test]
fn after_a_conflict_an_older_revision_counts_at_once() {
    let mut node = Node::watching(5, value("b", 3, LeaseState::Held));
    node.wait_until_claim(9_000);
    assert!(is_read(&node.write_last(WriteAnswer::Conflict)));
    node.read_last(found(4, value("b", 2, LeaseState::Held)));
    assert_eq!(node.lease.revision(), Some(4), "the store has lost its last write");
}
