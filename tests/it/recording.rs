//! The recording of a feed, over real websockets: what its files hold, and that it holds up nothing.

use crate::{feed::timing, support::recorded};
use futures_util::{SinkExt, StreamExt};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::path::PathBuf;
use tickfan::{
    config,
    feed::{Feed, FeedMetrics, Sink, Unheard, no_changes},
    market::{FeedSymbol, Now, Parts, Reason, Schedule, UnixMicros, Update},
    recording::{self, QUEUE_BYTES, RecordMetrics, Recording, Settings},
    venue,
};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;
use venue_sim::{Connection, Venue, sim, within};

/// Sends how many updates came.
struct Counts(mpsc::UnboundedSender<usize>);

impl Sink for Counts {
    type Target = ();

    fn add(&mut self, _: FeedSymbol, _: Self::Target, _: Now) {}
    fn remove(&mut self, _: FeedSymbol, _: Now) {}

    fn updates(&mut self, updates: &[Update], _: Now) {
        let _ = self.0.send(updates.len());
    }

    fn outage(&mut self, _: Reason, _: Now) {}
    fn start_over(&mut self, _: Now) {}
    fn mute(&mut self, _: Parts, _: Now) {}
    fn closed(&mut self, _: bool, _: Now) {}
    fn refused(&mut self, _: &[(FeedSymbol, Reason)], _: Now) {}

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros, _: UnixMicros) -> Unheard {
        Unheard::default()
    }
}

/// A feed of the simulator's protocol that is recorded.
struct Rig {
    venue: Venue,
    updates_rx: mpsc::UnboundedReceiver<usize>,
    shutdown_tx: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
    recording: Recording,
    metrics: PrometheusHandle,
}

impl Rig {
    async fn start(folder: PathBuf, queue_bytes: usize) -> Self {
        let venue = Venue::bind().await;
        let symbols = ["AAPL", "MSFT"].map(|symbol| symbol.parse::<tickfan::market::Symbol>().unwrap().into());
        let config = config::Feed {
            url: Some(format!("{}/?token=hush", venue.url)),
            schedule: Schedule::always(),
            ..config::Feed::new(venue::find("sim").unwrap(), symbols.into())
        };
        let recorder = PrometheusBuilder::new().build_recorder();
        let metrics = recorder.handle();
        let (feed_metrics, record_metrics) = metrics::with_local_recorder(&recorder, || {
            (FeedMetrics::register("test"), RecordMetrics::register("test"))
        });
        let settings = Settings {
            feed: "test".to_owned(),
            venue: "sim",
            symbols: vec![vec!["AAPL".to_owned(), "MSFT".to_owned()]],
            folder,
            bytes_max: u64::MAX,
            queue_bytes,
        };
        let (recorders, recording) = recording::start(settings, record_metrics).unwrap();
        let feed = Feed::new(&config, &config::Config::default().limits, Now::read()).unwrap().with_timing(timing());
        let (updates_tx, updates_rx) = mpsc::unbounded_channel();
        let (shutdown_tx, shutdown_rx) = watch::channel(false);
        let running = feed.with_recorders(recorders).run(
            move || Counts(updates_tx.clone()),
            vec![(); 2],
            no_changes(),
            feed_metrics,
            shutdown_rx,
        );
        Self { venue, updates_rx, shutdown_tx, task: tokio::spawn(running), recording, metrics }
    }

    async fn grant(&self) -> Connection {
        let mut connection = self.venue.accept().await;
        sim::grant(&mut connection, &["AAPL", "MSFT"]).await;
        connection
    }

    /// Waits for so many updates.
    async fn updates(&mut self, mut count: usize) {
        while count > 0 {
            count -= within("an update", self.updates_rx.recv()).await.unwrap();
        }
    }

    fn metric(&self, name: &str) -> u64 {
        crate::support::process::sum(&self.metrics.render(), &format!("tickfan_feed_{name}"), "test")
    }

    /// Stops the feed and waits until all is written; returns how the recording ended.
    async fn stop(&mut self) -> std::io::Result<()> {
        self.shutdown_tx.send_replace(true);
        within("the feed's end", &mut self.task).await.unwrap().unwrap();
        within("the recording's end", self.recording.ended()).await
    }
}

#[tokio::test]
async fn every_byte_of_every_frame_is_in_the_file_and_nothing_of_the_address() {
    let folder = recorded::folder("every-byte");
    let mut rig = Rig::start(folder.clone(), QUEUE_BYTES).await;
    let mut frames = Vec::new();
    let ack = r#"{"op":"ack","id":1}"#;
    for connection in 0..2 {
        let mut peer = rig.grant().await;
        frames.push(Message::text(ack));
        let mut sent = vec![
            Message::text(sim::trade(connection * 10 + 1)),
            Message::text("{\"type\":\r\n\"news\",\"text\":\"\u{e9}\"}"),
            Message::binary(vec![0, 255, b'\n', b' ']),
            Message::text("base64:AAAA"),
            Message::text(sim::trade(connection * 10 + 2)),
        ];
        for frame in &sent {
            peer.socket.send(frame.clone()).await.unwrap();
        }
        frames.append(&mut sent);
        rig.updates(2).await;
        if connection == 0 {
            drop(peer);
        } else {
            rig.stop().await.unwrap();
        }
    }
    let text = recorded::text(&folder);
    assert!(text.starts_with("# tickfan 1 venue=sim feed=test symbols=AAPL,MSFT\n# "), "{text}");
    for forbidden in ["hush", "token", "127.0.0.1", "subscribe"] {
        assert!(!text.contains(forbidden), "{forbidden} is in {text}");
    }
    let expected: Vec<Vec<u8>> = frames
        .iter()
        .map(|frame| match frame {
            Message::Text(text) if text.as_str().starts_with("base64:") => text.as_bytes().to_vec(),
            Message::Text(text) => text.replace(['\r', '\n'], " ").into_bytes(),
            other => other.clone().into_data().to_vec(),
        })
        .collect();
    assert_eq!(recorded::frames(&text), expected);
    let events: Vec<_> = text.lines().filter(|line| line.starts_with('#') || line.is_empty()).skip(1).collect();
    let what: Vec<_> = events.iter().map(|line| line.split(' ').skip(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(what, ["open", "close io", "", "open", "close stopped", ""]);
    assert_eq!((rig.metric("recorded_frames_total"), rig.metric("recording")), (12, 1));
    assert_eq!(rig.metric("recorded_bytes_total"), recorded::bytes(&folder));
}

#[tokio::test]
async fn a_recording_goes_on_with_the_connection_that_takes_over_from_its_opening() {
    let folder = recorded::folder("rotated");
    let mut rig = Rig::start(folder.clone(), QUEUE_BYTES).await;
    let [ack, closing] = [r#"{"op":"ack","id":1}"#, r#"{"op":"closing"}"#].map(str::to_owned);
    let apple = r#"{"type":"trade","symbol":"AAPL","id":4,"price":"4"}"#.to_owned();
    let mut old = rig.grant().await;
    old.send(&sim::trade(1)).await;
    rig.updates(1).await;
    old.send(&closing).await;
    let mut lost = rig.grant().await;
    lost.send(&sim::trade(2)).await;
    rig.updates(1).await;
    old.send(&sim::trade(3)).await;
    rig.updates(1).await; // it serves, and is not recorded
    drop(lost);
    let attempt = rig.venue.next_tcp().await;
    old.send(&sim::trade(4)).await;
    rig.updates(1).await; // it is again
    let mut new = Connection::accept(attempt).await;
    sim::grant(&mut new, &["AAPL", "MSFT"]).await;
    new.send(&sim::trade(5)).await;
    rig.updates(1).await;
    new.send(&apple).await;
    assert!(matches!(within("a close", old.socket.next()).await, Some(Ok(Message::Close(_)))));
    rig.stop().await.unwrap();
    let text = recorded::text(&folder);
    let first = [ack.clone(), sim::trade(1), closing, ack.clone(), sim::trade(2)];
    let expected = first.into_iter().chain([sim::trade(4), ack, sim::trade(5), apple]);
    assert_eq!(recorded::frames(&text), expected.map(String::into_bytes).collect::<Vec<_>>());
    let events = text.lines().filter(|line| line.starts_with('#')).skip(1);
    let what: Vec<_> = events.map(|line| line.split(' ').skip(2).collect::<Vec<_>>().join(" ")).collect();
    let opens = ["open", "close rotated", "open", "close io", "open", "close rotated", "open", "close stopped"];
    assert_eq!(what, opens);
}

#[tokio::test]
async fn rule_10_a_disk_that_stalls_delays_no_update_and_drops_with_a_count() {
    let folder = recorded::folder("stalled");
    // A pipe without a reader: writing to it blocks.
    let pipes = recorded::names_of_now("test", 1);
    pipes.iter().for_each(|name| recorded::make_pipe(&folder.join(name)));
    let mut rig = Rig::start(folder.clone(), 4 << 20).await;
    let mut peer = rig.grant().await;
    // Over a megabyte, so that the thread writes; then more than the queue holds.
    let count = 20_000;
    for price in 1..=count {
        let trade = sim::trade(price).replace('}', &format!(",\"pad\":\"{}\"}}", "x".repeat(500)));
        peer.socket.feed(Message::text(trade)).await.unwrap();
    }
    peer.socket.flush().await.unwrap();
    rig.updates(count as usize).await;
    let dropped = rig.metric("record_dropped_total");
    assert!(dropped > 0 && rig.metric("recorded_frames_total") == 0, "{dropped}");
    let readers: Vec<_> = pipes.iter().map(|name| recorded::read_pipe(folder.join(name))).collect();
    rig.stop().await.unwrap();
    let text: String = readers.into_iter().map(recorded::Reader::text).collect();
    let said: u64 = text.lines().filter_map(|line| line.split_once(" dropped ")?.1.parse::<u64>().ok()).sum();
    let frames = recorded::frames(&text).len() as u64;
    assert_eq!((said, said + frames), (dropped, u64::from(count) + 1));
    assert_eq!(rig.metric("recorded_frames_total"), frames);
}

#[tokio::test]
async fn a_full_disk_ends_the_recording_and_nothing_else() {
    let folder = recorded::folder("full");
    recorded::names_of_now("test", 1)
        .iter()
        .for_each(|name| std::os::unix::fs::symlink("/dev/full", folder.join(name)).unwrap());
    let mut rig = Rig::start(folder, QUEUE_BYTES).await;
    let mut peer = rig.grant().await;
    let wide = format!("{{\"type\":\"news\",\"text\":\"{}\"}}", "x".repeat(100_000));
    for _ in 0..20 {
        peer.send(&wide).await;
    }
    let error = within("the recording fails", rig.recording.ended()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    peer.send(&sim::trade(1)).await;
    rig.updates(1).await;
    assert_eq!((rig.metric("recording"), rig.metric("record_dropped_total")), (0, 0));
    rig.shutdown_tx.send_replace(true);
    within("the feed's end", rig.task).await.unwrap().unwrap();
}
