//! Keys that change, or are gone, while a gateway runs.

use super::{
    Kept, PATIENCE, WAITERS_MAX, key_set,
    server::{Does, Server, answer},
};
use futures_util::future::join_all;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tickfan::{
    auth::KeySet,
    issuer::{IssuerKeys, Replacement, Times},
};
use tokio::{sync::watch, task::yield_now, time::timeout};

const OOPS: &[u8] = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn keys_are_there_after_the_start_and_are_fetched_again_on_time() {
    let server = Server::start(Does::give(&key_set(&["a"]))).await;
    let often = Times { every: Duration::from_millis(5), ..Times::SERVER };
    let kept = Kept::start(server.source(), often);
    assert!(kept.keys.newest().is_none(), "not yet");
    kept.reaches(&["a"]).await;
    server.now(Does::give(&key_set(&["b", "a"])));
    kept.reaches(&["b", "a"]).await;
    let status = kept.keys.status();
    assert_eq!(status.source, format!("https://127.0.0.1:{}/keys", server.port));
    assert!(status.fetched.is_some() && status.failure.is_none());
}

#[tokio::test]
async fn an_unknown_key_is_fetched_once_for_all_that_wait_and_then_not_for_30_s() {
    let server = Server::start(Does::give(&key_set(&["a"]))).await;
    let kept = Kept::start(server.source(), Times::SERVER);
    kept.reaches(&["a"]).await;
    let (allow_tx, allow_rx) = watch::channel(false);
    server.now(Does::Wait(answer(&key_set(&["b"])), allow_rx));
    let waiting = join_all((0..100).map(|_| kept.keys.renew()));
    let allowing = async {
        while server.requests() < 2 {
            yield_now().await;
        }
        allow_tx.send(true).unwrap();
    };
    let (renewed, ()) = timeout(PATIENCE, async { tokio::join!(waiting, allowing) }).await.unwrap();
    let settled: Vec<_> = renewed.into_iter().flatten().collect();
    assert_eq!(settled.len(), 1, "the others came when it had begun: what it gives may be older than they are");
    assert!(settled[0] <= Times::SERVER.asked_every);
    assert_eq!((kept.ids(), server.requests()), (vec!["b".to_owned()], 2));
    assert!(kept.keys.renew().await.is_none(), "too soon");
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn rule_10_requests_that_wait_for_keys_are_bounded() {
    let server = Server::start(Does::give(&key_set(&["a"]))).await;
    let kept = Kept::start(server.source(), Times::SERVER);
    kept.reaches(&["a"]).await;
    let (allow_tx, allow_rx) = watch::channel(false);
    server.now(Does::Wait(answer(&key_set(&["b"])), allow_rx));
    let asked = Arc::new(AtomicUsize::new(0));
    let ask = || {
        let (keys, asked) = (kept.keys.clone(), asked.clone());
        tokio::spawn(async move {
            asked.fetch_add(1, Ordering::SeqCst);
            keys.renew().await
        })
    };
    let waiting: Vec<_> = (0..WAITERS_MAX.get()).map(|_| ask()).collect();
    while asked.load(Ordering::SeqCst) < WAITERS_MAX.get() || server.requests() < 2 {
        yield_now().await;
    }
    assert!(kept.keys.renew().await.is_none(), "one more");
    // A request that has left makes room.
    waiting[0].abort();
    while !waiting[0].is_finished() {
        yield_now().await;
    }
    let another = ask();
    while asked.load(Ordering::SeqCst) < WAITERS_MAX.get() + 1 {
        yield_now().await;
    }
    // On this one thread, a request that is refused has its answer after some turns of the tasks.
    for _ in 0..20 {
        yield_now().await;
    }
    assert!(!another.is_finished(), "it waits too");
    allow_tx.send(true).unwrap();
    for waits in waiting.into_iter().skip(1).chain([another]) {
        timeout(PATIENCE, waits).await.unwrap().unwrap();
    }
    assert_eq!(kept.ids(), ["b"]);
}

#[tokio::test]
async fn a_request_that_leaves_holds_up_no_other() {
    let server = Server::start(Does::give(&key_set(&["a"]))).await;
    let kept = Kept::start(server.source(), Times::SERVER);
    kept.reaches(&["a"]).await;
    let (allow_tx, allow_rx) = watch::channel(false);
    server.now(Does::Wait(answer(&key_set(&["b"])), allow_rx));
    let leaves = {
        let keys = kept.keys.clone();
        tokio::spawn(async move { keys.renew().await })
    };
    while server.requests() < 2 {
        yield_now().await;
    }
    leaves.abort();
    let stays = kept.keys.renew();
    allow_tx.send(true).unwrap();
    timeout(PATIENCE, stays).await.unwrap();
    // It shares the fetch of the one that left.
    assert_eq!((kept.ids(), server.requests()), (vec!["b".to_owned()], 2));
}

#[tokio::test]
async fn keys_stay_while_the_server_fails_and_come_back_with_it() {
    let server = Server::start(Does::give(&key_set(&["a"]))).await;
    let times = Times { asked_every: Duration::ZERO, ..Times::SERVER };
    let kept = Kept::start(server.source(), times);
    kept.reaches(&["a"]).await;
    for (does, why) in [
        (Does::Answer(OOPS.to_vec()), "status 500"),
        (Does::Close, "the TLS handshake failed"),
        (Does::give("{}"), "it does not have a list `keys`"),
    ] {
        server.now(does);
        assert!(timeout(PATIENCE, kept.keys.renew()).await.unwrap().is_none());
        kept.fails_with(why).await;
        assert_eq!(kept.ids(), ["a"]);
    }
    server.now(Does::give(&key_set(&["b"])));
    assert!(timeout(PATIENCE, kept.keys.renew()).await.unwrap().is_some());
    assert_eq!((kept.ids(), kept.keys.status().failure), (vec!["b".to_owned()], None));
}

#[tokio::test]
async fn a_server_that_fails_at_the_start_is_asked_again_soon() {
    let server = Server::start(Does::Answer(OOPS.to_vec())).await;
    let kept = Kept::start(server.source(), Times { retry: Duration::from_millis(5), ..Times::SERVER });
    kept.fails_with("status 500").await;
    assert!(kept.keys.newest().is_none());
    server.now(Does::give(&key_set(&["a"])));
    kept.reaches(&["a"]).await;
}

#[tokio::test]
async fn keys_that_are_too_old_no_longer_count_until_a_fetch_succeeds() {
    let json = key_set(&["a"]);
    let server = Server::start(Does::give(&json)).await;
    let brief = Times { kept: Duration::from_secs(1), ..Times::SERVER };
    let kept = Kept::start(server.source(), brief);
    kept.until("fetched", |kept| kept.keys.status().fetched.is_some()).await;
    server.now(Does::Answer(OOPS.to_vec()));
    kept.reaches(&[]).await;
    let status = kept.keys.status();
    assert!(status.keys.is_empty() && status.fetched.is_some());
    // The same keys as before count again.
    server.now(Does::give(&json));
    assert!(timeout(PATIENCE, kept.keys.renew()).await.unwrap().is_some());
    assert_eq!(kept.ids(), ["a"]);
}

#[tokio::test]
async fn another_source_counts_once_its_keys_have_been_fetched() {
    let [first, second] = [Server::start(Does::give(&key_set(&["a"]))).await, Server::start(Does::Close).await];
    let times = Times { asked_every: Duration::ZERO, ..Times::SERVER };
    let kept = Kept::start(first.source(), times);
    kept.reaches(&["a"]).await;
    assert!(Replacement::fetch(second.source(), times).await.is_err());
    assert_eq!(kept.ids(), ["a"]);

    second.now(Does::give(&key_set(&["b"])));
    let replacement = Replacement::fetch(second.source(), times).await.unwrap();
    // A fetch from the first one is under way, and comes too late.
    let (allow_tx, allow_rx) = watch::channel(false);
    first.now(Does::Wait(answer(&key_set(&["late"])), allow_rx));
    let asked_first = first.requests();
    let waits = {
        let keys = kept.keys.clone();
        tokio::spawn(async move { keys.renew().await })
    };
    while first.requests() == asked_first {
        yield_now().await;
    }
    kept.keys.replace(replacement);
    assert_eq!(kept.ids(), ["b"], "at once");
    assert_eq!(timeout(PATIENCE, waits).await.unwrap().unwrap(), None, "those were fetched before it asked");
    allow_tx.send(true).unwrap();
    second.now(Does::give(&key_set(&["c"])));
    assert!(timeout(PATIENCE, kept.keys.renew()).await.unwrap().is_some());
    assert_eq!((kept.ids(), first.requests()), (vec!["c".to_owned()], asked_first + 1));
    assert_eq!(kept.keys.status().source, format!("https://127.0.0.1:{}/keys", second.port));
}

#[tokio::test]
async fn a_fixed_secret_is_all_that_there_is() {
    let keys = IssuerKeys::of(KeySet::of_secret(&[7; 32]).unwrap());
    assert!(keys.newest().is_some());
    assert_eq!(keys.renew().await, Some(Duration::MAX));
}

#[tokio::test]
async fn a_task_that_has_ended_renews_nothing_and_its_keys_stay() {
    let server = Server::start(Does::give(&key_set(&["a"]))).await;
    let kept = Kept::start(server.source(), Times::SERVER);
    kept.reaches(&["a"]).await;
    let Kept { keys, _stop, task } = kept;
    drop(_stop);
    timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    assert!(keys.newest().is_some() && keys.renew().await.is_none());
}
