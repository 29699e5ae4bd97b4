//! Changes of the list.

use super::*;

fn relisting(changes: Vec<ListChange<()>>) -> Relisting<()> {
    Relisting { changes, patience: Patience { mute_after: Duration::from_secs(60), part_mute_after: None } }
}

#[tokio::test]
async fn a_change_of_the_list_is_asked_for_on_the_living_connection() {
    let mut rig = Rig::start(vec![request(1)], vec![]).await;
    rig.says("1").await;
    assert_eq!(rig.seen().await, Seen::Refused(vec![]));
    let changes = vec![ListChange::Add { symbol: symbol(7), target: () }, ListChange::Remove(symbol(0).symbol)];
    rig.relistings_tx.send(relisting(changes)).await.unwrap();
    assert_eq!(rig.seen().await, Seen::Removed(FeedSymbol(0)));
    assert_eq!(rig.peer.next().await.unwrap().unwrap(), Wire::text("9"));
    rig.says("many x").await;
    assert_eq!(rig.seen().await, Seen::Updates((0..6).collect()), "no outage, and the others go on");
    drop(rig.relistings_tx);
    assert!(matches!(rig.peer.next().await, Some(Ok(Wire::Close(_)))), "it is needed no longer");
    assert!(rig.seen_rx.recv().await.is_none(), "which does not count as an outage");
}

#[tokio::test]
async fn where_the_venue_cannot_change_the_list_the_connection_is_replaced() {
    for overlaps in [true, false] {
        let mut rig = Rig::with(vec![request(1)], vec![], overlaps, Change::Reconnect).await;
        rig.says("1").await;
        assert_eq!(rig.seen().await, Seen::Refused(vec![]));
        rig.says("many x").await;
        assert_eq!(rig.seen().await, Seen::Updates((0..6).collect()));
        rig.relistings_tx.send(relisting(vec![ListChange::Add { symbol: symbol(7), target: () }])).await.unwrap();
        if !overlaps {
            assert_eq!(rig.seen().await, Seen::Outage(Reason::Reconnect));
        }
        let mut next = accept_async(rig.listener.accept().await.unwrap().0).await.unwrap();
        assert_eq!(next.next().await.unwrap().unwrap(), Wire::text("1"));
        next.send(Wire::text("1")).await.unwrap();
        next.send(Wire::text("many x")).await.unwrap();
        let taken_over = async { while !matches!(rig.peer.next().await, Some(Ok(Wire::Close(_)))) {} };
        tokio::time::timeout(Duration::from_secs(20), taken_over).await.unwrap();
        let seen = [rig.seen().await, rig.seen().await];
        assert!(!seen.contains(&Seen::Outage(Reason::Reconnect)), "{overlaps}: {seen:?}");
    }
}

#[tokio::test]
async fn updates_of_a_removed_symbol_that_wait_for_the_sink_are_dropped() {
    let mut rig = Rig::start(vec![request(1)], vec![]).await;
    rig.says("1").await;
    assert_eq!(rig.seen().await, Seen::Refused(vec![]));
    rig.is_full.store(true, Ordering::Relaxed);
    rig.says("many x").await;
    rig.relistings_tx.send(relisting(vec![ListChange::Remove(symbol(1).symbol)])).await.unwrap();
    assert_eq!(rig.seen().await, Seen::Removed(FeedSymbol(1)));
    rig.is_full.store(false, Ordering::Relaxed);
    let Seen::Updates(updates) = rig.seen().await else { panic!("no updates") };
    // The frame may have been read after the removal, by a venue that minds no list.
    assert!(updates == [0, 2, 3, 4, 5] || updates == [0, 1, 2, 3, 4, 5], "{updates:?}");
}
