//! Requests for symbols, and how a venue answers them.

use super::*;

#[tokio::test]
async fn a_venue_that_refuses_is_asked_again_after_a_wait() {
    let (mut rig, venue) = Rig::against(timing()).await;
    for _ in 0..2 {
        let mut peer = venue.accept().await;
        sim::refuse(&mut peer).await;
        assert_eq!(rig.refused().await, refusals(0..2, Reason::NotGranted));
        rig.lost().await;
        rig.reached(FeedState::Failed).await;
    }
    rig.counted("disconnects_total{feed=\"test\",reason=\"refused\"}", "2").await;
    let _peer = grant(&venue).await;
    assert_eq!(rig.refused().await, []);
    rig.reached(FeedState::Live).await;
    rig.counted("gaps_total{feed=\"test\"}", "0").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_request_that_is_refused_for_one_symbol_refuses_no_others() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..150).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::start("binance", Some(venue.url.clone()), &names, timing());
    let mut peer = venue.accept().await;
    // The batches of 100 and 50; a refused one comes again in halves.
    let mut open = 2;
    while open > 0 {
        let request = peer.text().await;
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        let streams = request["params"].as_array().unwrap();
        let id = &request["id"];
        open -= 1;
        if streams.contains(&"c120usdt@trade".into()) {
            peer.send(&format!(r#"{{"code":2,"msg":"Invalid request","id":{id}}}"#)).await;
            open += if streams.len() > 3 { 2 } else { 0 };
        } else {
            peer.send(&format!(r#"{{"result":null,"id":{id}}}"#)).await;
        }
    }
    assert_eq!(rig.refused().await, refusals(120..121, Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_request_without_an_answer_is_a_loss() {
    let (mut rig, venue) = Rig::against(Timing { acknowledgement: Duration::from_millis(50), ..timing() }).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    send_trade(&mut peer, 1).await;
    rig.lost_by("unacknowledged").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_venue_that_answers_for_each_symbol_refuses_one_and_grants_the_others() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    peer.send(r#"{"op":"refuse","id":1,"symbol":"AAPL"}"#).await;
    send_trade(&mut peer, 1).await;
    assert_eq!(rig.prices(1).await, ["1"]);
    assert_eq!(rig.status.state(), FeedState::Connecting, "not before all is answered");
    let troubles = rig.status.report().troubles;
    let [refusal] = troubles.as_slice() else { panic!("{troubles:?}") };
    assert!(refusal.what == "a symbol was refused" && refusal.text.contains("AAPL"), "{refusal:?}");
    peer.send(r#"{"op":"ack","id":1,"symbol":"MSFT"}"#).await;
    assert_eq!(rig.refused().await, refusals([0], Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_batch_that_is_refused_for_one_symbol_is_asked_for_again_in_halves() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    peer.send(r#"{"op":"split","id":1}"#).await;
    assert_eq!(peer.text().await, r#"{"id":2,"op":"subscribe","symbols":["AAPL"]}"#);
    assert_eq!(peer.text().await, r#"{"id":3,"op":"subscribe","symbols":["MSFT"]}"#);
    peer.send(r#"{"op":"ack","id":3}"#).await;
    peer.send(r#"{"op":"split","id":2}"#).await;
    assert_eq!(rig.refused().await, refusals([0], Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_batch_of_bad_symbols_alone_is_refused_as_a_whole_however_often_it_was_halved() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = venue.accept().await;
    peer.text().await;
    peer.send(r#"{"op":"split","id":1}"#).await;
    peer.text().await;
    peer.text().await;
    peer.send(r#"{"op":"split","id":2}"#).await;
    peer.send(r#"{"op":"split","id":3}"#).await;
    assert_eq!(rig.refused().await, refusals([0, 1], Reason::NotGranted));
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"refused\"}", "1").await;
    rig.stop().await;
}
