//! Connections: how they open, are lost, and end.

use super::*;

#[tokio::test]
async fn rule_7_a_cut_connection_is_reported_at_once_and_reopened() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    assert_eq!(rig.prices(1).await, ["1"]);
    drop(peer);
    rig.lost_by("io").await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 2).await;
    assert_eq!(rig.prices(1).await, ["2"]);
    rig.reached(FeedState::Live).await;
    rig.counted("connects_total{feed=\"test\",result=\"connected\"}", "2").await;
    rig.stop().await;
}

#[tokio::test]
async fn an_outage_is_one_gap_however_many_attempts_it_takes() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    drop(peer);
    for _ in 0..3 {
        drop(venue.accept().await);
    }
    let _peer = grant(&venue).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"io\"}", "4").await;
    rig.reached(FeedState::Live).await;
    rig.counted("gaps_total{feed=\"test\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_venue_that_closes_or_announces_it_is_left_for_a_new_connection() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    peer.send(r#"{"op":"closing"}"#).await;
    let mut old = peer;
    let mut peer = grant(&venue).await;
    peer.send(r#"{"type":"trade","symbol":"AAPL","id":1,"price":"1"}"#).await;
    send_trade(&mut peer, 1).await;
    assert!(matches!(within("a close", old.socket.next()).await, Some(Ok(Message::Close(_)))));
    rig.counted("rotations_total{feed=\"test\",result=\"seamless\"}", "1").await;
    assert_eq!(rig.status.state(), FeedState::Live, "a planned change is not a failure");
    peer.socket.close(None).await.unwrap();
    rig.lost_by("closed").await;
    rig.reached(FeedState::Failed).await;
    let _peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_handshake_that_is_refused_is_a_failure_without_a_loss_of_data() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut stream = venue.tcp().await;
    let mut head = [0; 1_024];
    assert!(stream.read(&mut head).await.unwrap() > 0);
    stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"http\"}", "1").await;
    send_trade(&mut grant(&venue).await, 1).await;
    assert_eq!(rig.prices(1).await, ["1"], "nothing was lost before");
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_handshake_that_is_refused_refuses_every_symbol_until_one_is_not() {
    for (status, reason) in [("401 Unauthorized", Reason::Unauthorized), ("403 Forbidden", Reason::NotEntitled)] {
        let (mut rig, venue) = Rig::against(Timing { denied: Duration::from_millis(40), ..timing() }).await;
        let mut stream = venue.tcp().await;
        assert!(stream.read(&mut [0; 1_024]).await.unwrap() > 0);
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await.unwrap();
        assert_eq!(rig.refused().await, refusals(0..2, reason));
        rig.reached(FeedState::Failed).await;
        rig.counted("disconnects_total{feed=\"test\",reason=\"denied\"}", "1").await;
        let mut peer = grant(&venue).await;
        assert_eq!(rig.refused().await, []);
        send_trade(&mut peer, 1).await;
        assert_eq!(rig.prices(1).await, ["1"], "nothing was lost before");
        rig.stop().await;
    }
}

#[tokio::test]
async fn a_handshake_without_an_answer_is_given_up() {
    let (mut rig, venue) = Rig::against(Timing { connect: Duration::from_millis(50), ..timing() }).await;
    let _held = venue.tcp().await;
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"connect_timeout\"}", "1").await;
    rig.counted("connects_total{feed=\"test\",result=\"failed\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_venue_that_speaks_no_tls_where_it_should_is_a_reason_of_its_own() {
    let venue = Venue::bind().await;
    let url = venue.url.replace("ws://", "wss://");
    let mut rig = Rig::start("sim", Some(url), &["AAPL"], timing());
    let mut stream = venue.tcp().await;
    let mut hello = [0; 64];
    stream.read_exact(&mut hello).await.unwrap();
    assert_eq!(hello[0], 22, "a TLS handshake");
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"tls\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_port_without_a_listener_is_retried() {
    let url = Venue::bind().await.url;
    let mut rig = Rig::start("sim", Some(url), &["AAPL"], timing());
    rig.reached(FeedState::Failed).await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"io\"}", "2").await;
    rig.counted("up{feed=\"test\"}", "0").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_half_open_connection_is_left_after_its_deadline() {
    let ping_after = Duration::from_millis(30);
    let pong = Duration::from_millis(60);
    let (mut rig, venue) = Rig::against(Timing { ping_after, pong, ..timing() }).await;
    // It is never polled again, so that it answers no ping; the kernel still acknowledges all.
    let _mute = grant(&venue).await;
    rig.lost_by("no_pong").await;
    rig.stop().await;
}

#[tokio::test]
async fn the_venues_own_ping_is_sent_and_its_answer_is_no_error() {
    let (mut rig, venue) = Rig::against(Timing { venue_ping: Some(Duration::from_millis(20)), ..timing() }).await;
    let mut peer = grant(&venue).await;
    for _ in 0..3 {
        assert_eq!(peer.text().await, "ping");
        peer.send("pong").await;
    }
    // Three answers, and that of the subscription.
    rig.counted("messages_total{feed=\"test\",kind=\"control\"}", "4").await;
    rig.dropped("json", 0).await;
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_venue_whose_heartbeats_stop_is_left_although_it_answers_pings() {
    let ping_after = Duration::from_millis(10);
    let venue_heartbeat = Some(Duration::from_millis(100));
    let (mut rig, venue) = Rig::against(Timing { ping_after, venue_heartbeat, ..timing() }).await;
    let mut peer = grant(&venue).await;
    peer.send(r#"{"op":"heartbeat","sent":0}"#).await;
    // Reading answers the websocket pings.
    let reader = tokio::spawn(async move { while peer.socket.next().await.is_some_and(|frame| frame.is_ok()) {} });
    rig.lost_by("no_heartbeat").await;
    within("the connection ends", reader).await.unwrap();
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_gap_makes_every_symbol_stale_and_brings_a_new_connection() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    peer.send(r#"{"op":"heartbeat","sent":1}"#).await;
    send_trade(&mut peer, 2).await;
    assert_eq!(rig.prices(2).await, ["1", "2"]);
    peer.send(r#"{"op":"heartbeat","sent":3}"#).await;
    rig.lost_by("gap").await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 3).await;
    assert_eq!(rig.prices(1).await, ["3"]);
    rig.stop().await;
}

/// Accepts a connection of a Binance feed with 600 symbols, and grants its requests. Each connection has 300.
async fn grant_streams(venue: &Venue) -> (Connection, String) {
    let mut peer = venue.accept().await;
    let first = peer.text().await;
    for id in 1..=3 {
        if id > 1 {
            peer.text().await;
        }
        peer.send(&format!(r#"{{"result":null,"id":{id}}}"#)).await;
    }
    (peer, first)
}

#[test]
fn a_feed_that_needs_more_connections_than_it_may_open_is_an_error() {
    let names: Vec<String> = (0..342).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let feed = config::Feed::new(venue::find("binance").unwrap(), listed(&names));
    assert!(Feed::new(&feed, &limits(), Now::read()).is_ok());
    let one = config::Feed { connections_max: 1, ..feed };
    let error = Feed::new(&one, &limits(), Now::read()).unwrap_err();
    assert_eq!(error.to_string(), "342 symbols need 2 connections to binance, and the feed may open 1");
}

#[tokio::test]
async fn the_connections_of_a_feed_are_opened_at_the_pace_of_the_venue() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..600).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let rig = Rig::start("binance", Some(venue.url.clone()), &names, Timing { between_connects: None, ..timing() });
    let _one = venue.accept().await;
    let started = Instant::now();
    let _two = venue.accept().await;
    let between = venue::find("binance").unwrap().between_connects;
    assert!(started.elapsed() > between / 2, "{:?}", started.elapsed());
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_feed_with_several_connections_loses_only_the_symbols_of_the_one_that_is_lost() {
    let venue = Venue::bind().await;
    let names: Vec<String> = (0..600).map(|number| format!("C{number}-USDT")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut rig = Rig::start("binance", Some(venue.url.clone()), &names, timing());
    let one = grant_streams(&venue).await;
    let two = grant_streams(&venue).await;
    let (low, high) = if one.1.contains("c0usdt@trade") { (one.0, two.0) } else { (two.0, one.0) };
    rig.reached(FeedState::Live).await;
    rig.counted("up{feed=\"test\"}", "1").await;
    let report = rig.status.report();
    assert_eq!((report.connections, report.connections_up), (2, 2));

    drop(low);
    rig.lost_by("io").await;
    rig.counted("up{feed=\"test\"}", "0").await;
    rig.reached(FeedState::Failed).await;
    assert_eq!(rig.status.verdict(), FeedState::Live, "it serves the symbols of the other one");
    let mut high = high;
    high.send(r#"{"stream":"c599usdt@trade","data":{"e":"trade","s":"C599USDT","t":1,"p":"7","q":"1","T":1723161255342000,"m":true}}"#).await;
    let updates = rig.updates().await;
    assert_eq!(updates.iter().map(|update| update.symbol).collect::<Vec<_>>(), [FeedSymbol(599)]);

    let (_low, first) = grant_streams(&venue).await;
    assert!(first.contains("c0usdt@trade"), "the other connection has its symbols still");
    rig.reached(FeedState::Live).await;
    rig.counted("up{feed=\"test\"}", "1").await;
    rig.counted("gaps_total{feed=\"test\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn pings_are_answered_on_both_sides() {
    let (mut rig, venue) = Rig::against(Timing { ping_after: Duration::from_millis(20), ..timing() }).await;
    let mut peer = grant(&venue).await;
    peer.socket.send(Message::Ping("mark".into())).await.unwrap();
    let mut pongs = 0;
    let mut pings = 0;
    while pongs < 1 || pings < 3 {
        match within("a frame", peer.socket.next()).await.unwrap().unwrap() {
            Message::Pong(mark) => {
                assert_eq!(&mark[..], b"mark");
                pongs += 1;
            }
            Message::Ping(_) => pings += 1,
            other => panic!("{other:?}"),
        }
    }
    rig.reached(FeedState::Live).await;
    rig.stop().await;
}

#[tokio::test]
async fn a_feed_that_is_stopped_takes_leave_of_its_venue() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    rig.reached(FeedState::Live).await;
    rig.shutdown_tx.send_replace(true);
    assert!(matches!(within("a close", peer.socket.next()).await, Some(Ok(Message::Close(_)))));
    drop(peer);
    within("the end", rig.task).await.unwrap().unwrap();
    while let Some(seen) = rig.seen_rx.recv().await {
        let is_outage = match seen {
            Seen::Refused(refused) => !refused.is_empty(),
            Seen::Closed(closed) => closed,
            _ => true,
        };
        assert!(!is_outage, "the end of the gateway is not an outage");
    }
}

#[tokio::test]
async fn a_feed_that_is_connecting_stops_at_once() {
    let (rig, venue) = Rig::against(timing()).await;
    let _held = venue.tcp().await;
    rig.stop().await;
}
