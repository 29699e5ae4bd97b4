//! Lists that change while a feed runs: which connections there are.

use super::*;
use serde_json::json;

fn add(symbol: &str, target: u32) -> ListChange<FeedSymbol> {
    ListChange::Add { symbol: listed(&[symbol]).remove(0), target: FeedSymbol(target) }
}

fn remove(symbol: &str) -> ListChange<FeedSymbol> {
    ListChange::Remove(symbol.parse().unwrap())
}

impl Rig {
    async fn change(&self, changes: Vec<ListChange<FeedSymbol>>) {
        self.changes_tx.send(changes).await.unwrap();
    }

    async fn removed(&mut self) -> FeedSymbol {
        loop {
            match within("a removal", self.seen_rx.recv()).await.unwrap() {
                Seen::Removed(symbol) => return symbol,
                Seen::Refused(_) | Seen::Closed(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_feed_without_symbols_has_no_connection_and_is_quiet_until_it_is_given_one() {
    let venue = Venue::bind().await;
    let mut rig = Rig::start("sim", Some(venue.url.clone()), &[], timing());
    rig.counted("up{feed=\"test\"}", "1").await;
    assert_eq!((rig.status.state(), rig.status.verdict()), (FeedState::Quiet, FeedState::Quiet));
    assert_eq!(rig.status.report().connections, 0);
    for round in 0..3 {
        rig.change(vec![add("MSFT", 7)]).await;
        let mut peer = venue.accept().await;
        sim::grant(&mut peer, &["MSFT"]).await;
        rig.reached(FeedState::Live).await;
        rig.counted("up{feed=\"test\"}", "1").await;
        send_trade(&mut peer, round + 1).await;
        assert_eq!(rig.updates().await[0].symbol, FeedSymbol(7));
        rig.change(vec![remove("MSFT")]).await;
        assert_eq!(rig.removed().await, FeedSymbol(7));
        while let Some(Ok(frame)) = within("it leaves", peer.socket.next()).await {
            if frame.is_close() {
                break;
            }
        }
        drop(peer);
        rig.reached(FeedState::Quiet).await;
        rig.counted("up{feed=\"test\"}", "1").await;
        rig.counted("connects_total{feed=\"test\",result=\"connected\"}", &(round + 1).to_string()).await;
    }
    rig.counted("gaps_total{feed=\"test\"}", "0").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_symbol_comes_and_goes_on_the_living_connection_and_late_data_are_counted_apart() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    rig.change(vec![add("IBM", 9), remove("AAPL")]).await;
    peer.expect(&json!({ "id": 2, "op": "unsubscribe", "symbols": ["AAPL"] })).await;
    peer.send(r#"{"type":"trade","symbol":"AAPL","id":1,"price":"1"}"#).await;
    peer.send(r#"{"op":"ack","id":2}"#).await;
    peer.expect(&json!({ "id": 3, "op": "subscribe", "symbols": ["IBM"] })).await;
    peer.send(r#"{"op":"refuse","id":3}"#).await;
    assert_eq!(rig.removed().await, FeedSymbol(0));
    assert_eq!(rig.refused().await, refusals([9], Reason::NotGranted), "for itself alone");
    rig.dropped("removed_symbol", 1).await;
    rig.dropped("unknown_symbol", 0).await;
    send_trade(&mut peer, 5).await;
    assert_eq!(rig.prices(1).await, ["5"]);
    rig.reached(FeedState::Live).await;
    drop(peer);
    rig.lost_by("io").await;
    let mut peer = venue.accept().await;
    sim::grant(&mut peer, &["MSFT", "IBM"]).await;
    rig.stop().await;
}

/// Accepts the connection of 341 symbols, and grants its four requests.
async fn grant_four(venue: &Venue) -> Connection {
    let mut peer = venue.accept().await;
    for id in 1..=4 {
        peer.text().await;
        peer.send(&format!(r#"{{"result":null,"id":{id}}}"#)).await;
    }
    peer
}

#[tokio::test]
async fn another_connection_is_opened_for_what_has_no_room_and_an_empty_one_is_closed() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..341).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::start("binance", Some(venue.url.clone()), &names, timing());
    let mut first = grant_four(&venue).await;
    rig.change(vec![add("NEW-USDT", 1_000)]).await;
    let mut second = venue.accept().await;
    assert!(second.text().await.contains("newusdt@trade"));
    second.send(r#"{"result":null,"id":1}"#).await;
    assert_eq!(rig.status.report().connections, 2);
    // There is room on the first one again.
    rig.change(vec![remove("C7-USDT"), add("LAST-USDT", 1_001), remove("NEW-USDT")]).await;
    let mut removed = [rig.removed().await, rig.removed().await];
    removed.sort_unstable();
    assert_eq!(removed, [FeedSymbol(7), FeedSymbol(1_000)]);
    while !matches!(within("it leaves", second.socket.next()).await, Some(Ok(Message::Close(_))) | None) {}
    let mut asked = first.text().await;
    while !asked.contains("lastusdt@trade") {
        asked = first.text().await;
    }
    within("one is left", async {
        while rig.status.report().connections != 1 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_10_a_symbol_that_no_connection_has_room_for_waits_for_some() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..341).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let config = config::Feed {
        url: Some(venue.url.clone()),
        connections_max: 1,
        ..config::Feed::new(venue::find("binance").unwrap(), listed(&names))
    };
    let mut rig = Rig::run(&config, timing());
    let mut first = grant_four(&venue).await;
    rig.change(vec![add("NEW-USDT", 1_000)]).await;
    rig.change(vec![remove("C7-USDT")]).await;
    assert_eq!(rig.removed().await, FeedSymbol(7));
    let mut asked = first.text().await;
    while !asked.contains("newusdt@trade") {
        asked = first.text().await;
    }
    rig.stop().await;
}
