//! A venue with a login, and with hours.

use super::*;

/// A feed of Alpaca's protocol, for two stocks, that trades at all hours.
fn stocks(venue: &Venue) -> config::Feed {
    config::Feed {
        name: "test".to_owned(),
        url: Some(venue.url.clone()),
        schedule: Schedule::always(),
        credentials: Some(Credentials::new(alpaca::KEY, alpaca::SECRET)),
        ..config::Feed::new(venue::find("alpaca").unwrap(), listed(&["AAPL", "IBM"]))
    }
}

/// Accepts a feed of Alpaca's protocol, up to its login.
async fn log_in(venue: &Venue) -> Connection {
    let mut connection = venue.accept().await;
    alpaca::log_in(&mut connection).await;
    connection
}

/// Accepts a feed of Alpaca's protocol, and grants these of its two symbols.
async fn subscribe(venue: &Venue, granted: &[&str]) -> Connection {
    let mut connection = venue.accept().await;
    alpaca::grant(&mut connection, &["AAPL", "IBM"], granted).await;
    connection
}

const STOCK_TRADE: &str =
    r#"[{"T":"t","S":"AAPL","i":1,"x":"V","p":171.24,"s":100,"c":["@"],"z":"C","t":"2024-03-28T16:59:00.114612043Z"}]"#;

#[tokio::test]
async fn rule_7_a_refused_key_refuses_every_symbol_until_it_is_taken() {
    let venue = Venue::bind().await;
    let denied = Duration::from_millis(40);
    let mut rig = Rig::run(&stocks(&venue), Timing { denied, ..timing() });
    let mut peer = log_in(&venue).await;
    peer.send(r#"[{"T":"error","code":402,"msg":"auth failed"}]"#).await;
    assert_eq!(rig.refused().await, refusals(0..2, Reason::Unauthorized));
    rig.lost_by("denied").await;
    rig.reached(FeedState::Failed).await;
    let mut peer = subscribe(&venue, &["AAPL", "IBM"]).await;
    rig.reached(FeedState::Live).await;
    assert_eq!(rig.refused().await, []);
    peer.send(STOCK_TRADE).await;
    assert_eq!(rig.prices(1).await, ["171.24"]);
    rig.stop().await;
}

#[tokio::test]
async fn a_partly_acknowledged_request_is_sent_again() {
    let venue = Venue::bind().await;
    let mut rig = Rig::run(&stocks(&venue), timing());
    let mut peer = subscribe(&venue, &["AAPL"]).await;
    assert_eq!(peer.text().await, r#"{"action":"subscribe","quotes":["IBM"],"trades":["IBM"]}"#);
    assert_eq!(rig.status.state(), FeedState::Connecting, "not before all is answered");
    alpaca::acknowledge(&mut peer, &["AAPL"]).await;
    assert_eq!(peer.text().await, r#"{"action":"subscribe","quotes":["IBM"],"trades":["IBM"]}"#);
    alpaca::acknowledge(&mut peer, &["AAPL"]).await;
    alpaca::grant_extras(&mut peer, &["AAPL"]).await;
    assert_eq!(rig.refused().await, refusals([1], Reason::NotGranted));
    rig.reached(FeedState::Live).await;
    peer.send(STOCK_TRADE).await;
    peer.send(&STOCK_TRADE.replace("\"@\"", "\"I\"")).await;
    assert_eq!(rig.prices(1).await, ["171.24"]);
    rig.counted("messages_total{feed=\"test\",kind=\"ineligible\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn a_venue_that_holds_on_to_an_old_session_is_left_alone_for_a_while() {
    let venue = Venue::bind().await;
    let mut rig = Rig::run(&stocks(&venue), timing());
    let mut peer = log_in(&venue).await;
    peer.send(r#"[{"T":"error","code":406,"msg":"connection limit exceeded"}]"#).await;
    rig.lost_by("connection_limit").await;
    let again = tokio::time::timeout(Duration::from_millis(200), venue.tcp()).await;
    assert!(again.is_err(), "ten times the longest wait of other failures");
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_mute_venue_is_told_apart_from_a_lost_connection() {
    let venue = Venue::bind().await;
    let config = config::Feed { mute_after: Some(Duration::from_millis(400)), ..stocks(&venue) };
    let mut rig = Rig::run(&config, timing());
    let _mute = subscribe(&venue, &["AAPL", "IBM"]).await;
    let mute = loop {
        match within("silence", rig.seen_rx.recv()).await.unwrap() {
            Seen::Mute(parts) => break parts,
            Seen::Refused(none) => assert_eq!(none, []),
            Seen::Closed(false) => {} // how the hours are at first
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(mute, Parts::ALL, "told while the connection is open");
    rig.lost_by("no_data").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_mute_feed_is_mute_for_operators_until_data_come_on_any_connection() {
    let venue = Venue::bind().await;
    let config = config::Feed { mute_after: Some(Duration::from_secs(1)), ..stocks(&venue) };
    let mut rig = Rig::run(&config, timing());
    // The first mute connection is replaced at once.
    let _mute = subscribe(&venue, &["AAPL", "IBM"]).await;
    let mut next = subscribe(&venue, &["AAPL", "IBM"]).await;
    rig.reached(FeedState::Mute).await;
    let report = rig.status.report();
    assert_eq!((report.reason.as_deref(), report.connections_up), (Some("no data come"), 1));
    next.send(STOCK_TRADE).await;
    rig.reached(FeedState::Live).await;
    assert_eq!(rig.status.report().reason, None);
    rig.stop().await;
}

#[tokio::test]
async fn rule_7_a_feed_on_a_closed_day_says_so_and_stays_connected() {
    let venue = Venue::bind().await;
    let today = Date::of(Now::read().unix);
    let closed_days = (-2..=2).map(|days| today.plus(days)).collect();
    let schedule = Schedule::new(Hours::UsEquities, closed_days);
    let mute_after = Some(Duration::from_millis(50));
    let mut rig = Rig::run(&config::Feed { schedule, mute_after, ..stocks(&venue) }, timing());
    assert!(matches!(within("the hours", rig.seen_rx.recv()).await, Some(Seen::Closed(true))));
    let mut peer = subscribe(&venue, &["AAPL", "IBM"]).await;
    rig.reached(FeedState::Quiet).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer.send(STOCK_TRADE).await;
    assert_eq!(rig.prices(1).await, ["171.24"], "silence was no outage, and what comes is taken");
    rig.stop().await;
}
