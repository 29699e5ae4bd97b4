//! What a stream waits for, and what it may still get.

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tickfan::wire::Dictionary;

pub(super) fn a_silent_stream_beats_after_heartbeat() {
    let rig = Rig::start("[server]\nheartbeat = \"5s\"");
    let mut client = rig.client();
    client.send(STREAM);
    // The first heartbeat comes at a random moment. The default interval is longer than this client's patience.
    client.until(|text| text.matches("event: heartbeat\ndata: {\"now\":").count() == 2);
}

pub(super) fn streams_are_opened_during_the_drain_delay() {
    let rig = Rig::start("[server]\ndrain_delay = \"2s\"\ndrain = \"0s\"");
    let admin = rig.gateway.admin;
    let mut first = rig.waiting_stream();
    let address = rig.address();
    let stopping = thread::spawn(move || rig.gateway.terminate());
    while Client::connect(admin).get("/readyz").status == 200 {}
    let mut second = Stream::open(address, TARGET);
    second.named("hello");
    for stream in [&mut first, &mut second] {
        while stream.next().is_some() {}
    }
    assert!(stopping.join().unwrap().success());
}

pub(super) fn streams_end_over_the_drain() {
    let drain = Duration::from_secs(1);
    let rig = Rig::start("[server]\ndrain = \"1s\"");
    let mut streams: Vec<_> = (0..40).map(|_| rig.waiting_stream()).collect();
    let reader = thread::spawn(move || {
        streams.iter_mut().for_each(|stream| assert_eq!(stream.named("bye")["reason"], "shutdown"));
    });
    let begun = Instant::now();
    assert!(rig.gateway.terminate().success());
    assert!(begun.elapsed() > drain / 2, "not one of 40 random moments in {drain:?} was in its second half");
    reader.join().unwrap();
}

pub(super) fn there_are_as_many_workers() {
    let rig = Rig::start("[fanout]\nworkers = 3");
    assert_eq!(rig.gateway.threads().iter().filter(|name| name.starts_with("worker-")).count(), 3);
}

pub(super) fn a_tick_is_compressed_for_as_many_streams() {
    const MADE: &str = "tickfan_cache_frames_compressed_total";
    /// What the body of a compressed stream begins with (RFC 9842).
    const BEGIN: [u8; 8] = [0x5e, 0x2a, 0x4d, 0x18, 32, 0, 0, 0];
    let mut rig = Rig::start("[fanout]\ncompress_min_streams = 2");
    let hash = STANDARD.encode(Dictionary::built_in().hash());
    let request =
        STREAM.trim_end().to_owned() + &format!("\r\naccept-encoding: dcz\r\navailable-dictionary: :{hash}:\r\n\r\n");
    let mut streams = Vec::new();
    for (number, result, never) in [(1, "stored", Some("compressed")), (2, "compressed", None)] {
        let mut client = rig.client();
        client.send(&request);
        client.until_bytes(|bytes| bytes.windows(BEGIN.len()).any(|window| window == BEGIN));
        streams.push(client);
        let label = |result| format!("result=\"{result}\"");
        let made = |result| rig.gateway.metric(MADE, &label(result));
        let before = made(result);
        rig.connection.send(&trade("BTCUSDT", number, "61837.63000000"));
        rig.gateway.metric_when(MADE, &label(result), |made| made > before);
        assert_eq!(never.map_or(0, made), 0, "{number} streams");
    }
}

pub(super) fn a_stream_further_behind_than_max_lag_coalesces() {
    for (max_lag, is_whole) in [("10ms", false), ("60s", true)] {
        let mut rig = Rig::start(&format!("[fanout]\nmax_lag = \"{max_lag}\"\nring_age = \"60s\"\nring = 65536"));
        let mut slow = Client::from_socket(connect_narrow(rig.address()));
        slow.send(STREAM);
        slow.until(|text| text.contains("\"seq\":0,"));
        let mut sent = 0;
        while rig.gateway.metric("tickfan_streams_stalled", "") == 0 {
            assert!(sent < 60_000, "it takes all that a ring holds");
            rig.trade(sent + 1..=sent + 50);
            sent += 50;
            thread::sleep(Duration::from_millis(10));
        }
        let text = slow.until(|text| text.contains(&format!("\"seq\":{sent},")));
        let ticks = text.matches("\nid: ").count() as u64;
        assert_eq!(ticks == sent, is_whole, "{ticks} ticks came of {sent}, with max_lag at {max_lag}");
    }
}

pub(super) fn no_more_ticks_than_the_ring_can_be_resumed() {
    let mut rig = Rig::start("[fanout]\nring = 16");
    let mut reader = rig.waiting_stream();
    rig.trade([1]);
    let first = reader.tick().id.unwrap();
    rig.trade(2..=100);
    while reader.tick().number("seq") < 100 {}
    assert_eq!(rig.resumed(&first, 100), (85..=100).collect::<Vec<_>>());
}

pub(super) fn no_older_tick_than_ring_age_can_be_resumed() {
    let age = Duration::from_millis(10);
    let mut rig = Rig::start("[fanout]\nmax_lag = \"10ms\"\nring_age = \"10ms\"");
    let mut reader = rig.waiting_stream();
    rig.trade([1]);
    let first = reader.tick().id.unwrap();
    rig.trade([2, 3]);
    while reader.tick().number("seq") < 3 {}
    thread::sleep(2 * age); // nothing but time makes a tick old
    rig.trade([4]);
    assert_eq!(reader.tick().number("seq"), 4);
    assert_eq!(rig.resumed(&first, 4), [4]);
}

pub(super) fn a_stream_that_takes_nothing_for_stall_timeout_is_closed() {
    let mut rig = Rig::start("[fanout]\nstall_timeout = \"1s\"");
    let mut stalled = Client::from_socket(connect_narrow(rig.address()));
    stalled.send(STREAM);
    rig.trade(1..=900);
    // The worker itself, or the kernel for it.
    let closed = |rig: &Rig, reason| rig.gateway.metric("tickfan_streams_closed_total", reason);
    rig.gateway.metric_when("tickfan_streams_opened_total", "", |opened| opened == 1);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 0);
    assert_eq!(closed(&rig, "reason=\"stalled\"") + closed(&rig, "reason=\"timeout\""), 1);
}

pub(super) fn a_resume_brings_no_more_bytes() {
    for (bytes, fits) in [("2KiB", false), ("64KiB", true)] {
        let mut rig = Rig::start(&format!("[limits]\nreplay_bytes = \"{bytes}\""));
        let mut reader = rig.waiting_stream();
        rig.trade([1]);
        let first = reader.tick().id.unwrap();
        rig.trade(2..=50);
        while reader.tick().number("seq") < 50 {}
        let resumed = rig.resumed(&first, 50);
        assert_eq!(resumed, (resumed[0]..=50).collect::<Vec<_>>(), "the newest, without a hole");
        assert!(resumed.len() > 2 && (resumed.len() == 49) == fits, "{bytes} brought {resumed:?}");
    }
}
