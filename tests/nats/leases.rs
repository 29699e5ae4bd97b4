//! Leases: compare and set, and what is left of it where the broker or the bucket is gone.

use super::{broker::raw, *};
use tickfan::{
    cluster::{
        bus::Leases,
        lease::{LeaseState, LeaseValue, ReadAnswer, WriteAnswer},
        names::{Instance, ShardName},
        token::Token,
    },
    wire::Epoch,
};
use tokio::time::{MissedTickBehavior, interval};

fn shard() -> ShardName {
    "kraken.0".parse().unwrap()
}

pub(crate) fn value(beat: u64) -> LeaseValue {
    LeaseValue {
        node: "gw-1".parse().unwrap(),
        instance: Instance::from_bits(7).unwrap(),
        token: Token { term: 3, epoch: Epoch::from_bits(5).unwrap() },
        former: Default::default(),
        beat,
        lease_ms: Some(9_000),
        state: LeaseState::Held,
    }
}

/// Writes until a write gets through; returns its revision.
pub(crate) async fn written(nats: &Nats, expected: Option<u64>, beat: u64) -> u64 {
    let mut again = interval(Duration::from_millis(50));
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let write = async {
        loop {
            again.tick().await;
            match nats.leases.write(&shard(), expected, &value(beat)).await {
                WriteAnswer::Written(revision) => return revision,
                WriteAnswer::Unknown => {}
                WriteAnswer::Conflict => panic!("{:?}", nats.leases.read(&shard()).await),
            }
        }
    };
    in_time(write).await
}

async fn read(nats: &Nats) -> ReadAnswer {
    let mut again = interval(Duration::from_millis(50));
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let read = async {
        loop {
            again.tick().await;
            match nats.leases.read(&shard()).await {
                ReadAnswer::Failed => {}
                answer => return answer,
            }
        }
    };
    in_time(read).await
}

fn found(revision: u64, beat: u64) -> ReadAnswer {
    ReadAnswer::Found { revision, value: Ok(value(beat)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_counts_only_where_the_expected_revision_is_the_newest() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start(&tool);
    let (first, second) =
        (connect(&cluster("gw-1", &[&broker.address()])).await, connect(&cluster("gw-2", &[&broker.address()])).await);
    assert_eq!(read(&first).await, ReadAnswer::Absent);
    assert_eq!(first.leases.write(&shard(), Some(7), &value(1)).await, WriteAnswer::Conflict);
    let mut newest = written(&first, None, 1).await;
    assert_eq!(second.leases.write(&shard(), None, &value(2)).await, WriteAnswer::Conflict);
    assert_eq!(read(&second).await, found(newest, 1));
    let other: ShardName = "alpaca.0".parse().unwrap();
    assert!(matches!(second.leases.write(&other, None, &value(3)).await, WriteAnswer::Written(_)));
    for beat in 2..50 {
        let (shard, value) = (shard(), value(beat));
        let (one, two) = tokio::join!(
            first.leases.write(&shard, Some(newest), &value),
            second.leases.write(&shard, Some(newest), &value)
        );
        let (WriteAnswer::Written(revision), WriteAnswer::Conflict) =
            (if one == WriteAnswer::Conflict { (two, one) } else { (one, two) })
        else {
            panic!("{one:?} {two:?}")
        };
        assert!(revision > newest);
        newest = revision;
        assert_eq!(read(&first).await, found(newest, beat));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_survives_its_broker_and_what_is_not_known_is_said_so() {
    let Some(tool) = tool() else { return };
    let mut broker = Broker::start(&tool);
    let nats = connect(&cluster("gw-1", &[&broker.address()])).await;
    let revision = written(&nats, None, 1).await;
    broker.kill();
    comes_up(&nats, Connection::Control, false).await;
    assert_eq!(in_time(nats.leases.write(&shard(), Some(revision), &value(2))).await, WriteAnswer::Unknown);
    assert_eq!(in_time(nats.leases.read(&shard())).await, ReadAnswer::Failed);
    broker.restart(&tool);
    comes_up(&nats, Connection::Control, true).await;
    assert_eq!(read(&nats).await, found(revision, 1), "the write was not kept for later");
    assert!(written(&nats, Some(revision), 3).await > revision);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_was_deleted_is_absent_and_can_be_written() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start(&tool);
    let nats = connect(&cluster("gw-1", &[&broker.address()])).await;
    let revision = written(&nats, None, 1).await;
    raw(broker.port, "$KV.tickfan_prod.kraken.0", Some("KV-Operation: DEL"), "");
    let mut again = interval(Duration::from_millis(20));
    while read(&nats).await != ReadAnswer::Absent {
        in_time(again.tick()).await;
    }
    assert_eq!(nats.leases.write(&shard(), Some(revision), &value(2)).await, WriteAnswer::Conflict);
    let newest = written(&nats, None, 3).await;
    assert_eq!(read(&nats).await, found(newest, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_was_deleted_is_made_again() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start(&tool);
    let nats = connect(&cluster("gw-1", &[&broker.address()])).await;
    let revision = written(&nats, None, 1).await;
    assert_eq!(read(&nats).await, found(revision, 1));
    raw(broker.port, "$JS.API.STREAM.DELETE.KV_tickfan_prod", None, "");
    let mut again = interval(Duration::from_millis(20));
    while read(&nats).await != ReadAnswer::Absent {
        in_time(again.tick()).await;
    }
    let newest = written(&nats, None, 2).await;
    assert_eq!(read(&nats).await, found(newest, 2));
}
