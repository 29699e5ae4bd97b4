//! The same workers over pipes: what they do for a socket, they do for any transport.

use super::{
    Gateway, PATIENCE, closed,
    pipe::{End, Pipe, Reader, pipe},
};
use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};
use tickfan::{
    fanout::CloseReason,
    market::{Now, UnixMicros},
};

/// A gateway whose streams are pipes.
type Pipes = Gateway<Pipe>;

impl Gateway<Pipe> {
    /// A client with a stream of the symbol, and a channel that reports the stream's end.
    fn client(&self, capacity: usize) -> (Reader, mpsc::Receiver<()>) {
        self.client_until(capacity, None)
    }

    /// The same, whose client's rights end.
    fn client_until(&self, capacity: usize, until: Option<UnixMicros>) -> (Reader, mpsc::Receiver<()>) {
        let (mut stream, ended) = self.new_stream(PATIENCE);
        stream.until = until;
        let mut reader = None;
        let connect = |worker: &_| {
            let (transport, client) = pipe(capacity, worker);
            reader = Some(client);
            Ok(transport)
        };
        self.pool.open_with(stream, connect).unwrap();
        (reader.unwrap(), ended)
    }
}

fn ticks(body: &str) -> usize {
    body.matches("data: {\"symbol\"").count()
}

#[test]
fn rule_2_a_pipe_that_keeps_up_gets_every_tick() {
    let mut gateway = Pipes::start(PATIENCE);
    gateway.publish();
    let (mut client, _ended) = gateway.client(64 * 1024);
    let first = client.read_until("\"price\":1,");
    assert!(first.starts_with("HELLO\n\nid: "), "{first}");
    for batch in 0..20 {
        for _ in 0..10 {
            gateway.publish();
        }
        let body = client.read_until(&format!("\"price\":{},", batch * 10 + 11));
        assert_eq!(ticks(&body), 10, "{body}");
    }
    drop(client);
    assert_eq!(gateway.end().missed.total(), 0);
}

#[test]
fn rule_4_a_pipe_that_falls_behind_coalesces_and_delays_no_other() {
    let mut gateway = Pipes::start(PATIENCE);
    let (mut slow, _slow_ended) = gateway.client(1024);
    let (mut fast, _fast_ended) = gateway.client(64 * 1024);
    for client in [&mut slow, &mut fast] {
        client.read_until("\"state\":\"waiting\"");
    }
    for price in 1..=5_000 {
        gateway.publish();
        if price % 50 == 0 {
            assert_eq!(ticks(&fast.read_until(&format!("\"price\":{price},"))), 50);
        }
    }
    let backlog = slow.read_until("\"price\":5000,");
    assert!(backlog.len() < 16 * 1024, "{} bytes of old prices stood in the pipe", backlog.len());
    drop((slow, fast));
    let counts = gateway.end();
    assert_eq!(counts.missed.lag, 5_000 - ticks(&backlog) as u64, "what the slow client did not get is counted");
    assert_eq!((counts.missed.ring, counts.missed.options), (0, 0), "the fast one missed nothing");
}

#[test]
fn rule_4_a_pipe_that_drips_gets_whole_frames_in_order() {
    let mut gateway = Pipes::start(PATIENCE);
    let (mut client, _ended) = gateway.client(100); // less than a frame
    let reader = thread::spawn(move || {
        let body = client.read_until("\"price\":2000,");
        drop(client);
        body
    });
    for _ in 0..2_000 {
        gateway.publish();
        thread::yield_now();
    }
    let body = reader.join().unwrap();
    let mut last = 0;
    for block in body.split_terminator("\n\n").filter(|block| block.contains("\"price\":")) {
        let price = block.split("\"price\":").nth(1).and_then(|tail| tail.split(',').next()).unwrap();
        let price: u64 = price.parse().unwrap();
        assert!(price > last, "{price} after {last}");
        last = price;
    }
    assert_eq!(gateway.end().full, 0);
}

#[test]
fn rule_5_a_pipe_that_stalls_is_aborted_and_leaves_nothing() {
    let stall_timeout = Duration::from_millis(300);
    let mut gateway = Pipes::start(stall_timeout);
    let (mut client, ended) = gateway.client(1024);
    let started = Instant::now();
    while ended.try_recv().is_err() {
        gateway.publish();
        assert!(started.elapsed() < PATIENCE, "it is never closed");
        thread::yield_now();
    }
    assert!(started.elapsed() >= stall_timeout);
    assert_eq!(client.read_to_end(), (String::new(), End::Aborted));
    let counts = gateway.end();
    assert_eq!((closed(&counts, CloseReason::Stalled), counts.full), (1, 0));
}

#[test]
fn a_pipe_whose_client_leaves_ends_without_a_write() {
    let gateway = Pipes::start(PATIENCE);
    let (mut client, ended) = gateway.client(1024);
    client.read_until("\"state\":\"waiting\"");
    drop(client);
    ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(closed(&gateway.end(), CloseReason::Left), 1);
}

#[test]
fn rule_12_a_drain_says_goodbye_to_full_pipes_too() {
    const CLIENTS: u64 = 20;
    let mut gateway = Pipes::start(PATIENCE);
    // Some pipes have room for all, some are full of their first ticks.
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| gateway.client(if client % 2 == 0 { 64 * 1024 } else { 50 })).collect();
    for _ in 0..100 {
        gateway.publish();
    }
    gateway.pool.drain(Duration::from_millis(50));
    let readers: Vec<_> = clients
        .into_iter()
        .map(|(mut client, ended)| {
            thread::spawn(move || {
                let (body, end) = client.read_to_end();
                drop(client);
                ended.recv_timeout(PATIENCE).unwrap();
                (body, end)
            })
        })
        .collect();
    for reader in readers {
        let (body, end) = reader.join().unwrap();
        assert_eq!(end, End::Finished);
        assert!(body.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{body}");
    }
    gateway.workers.join().unwrap();
    let counts = gateway.pool.counts();
    assert_eq!((closed(&counts, CloseReason::Shutdown), counts.full), (CLIENTS, 0), "{counts:?}");
}

/// The prices of a body.
fn prices(body: &str) -> Vec<u64> {
    let price = |block: &str| block.split_once("\"price\":")?.1.split(',').next()?.parse().ok();
    body.split("\n\n").filter_map(price).collect()
}

#[test]
fn a_stream_whose_rights_end_says_so_and_brings_no_later_tick_though_its_pipe_is_full() {
    const CLIENTS: u64 = 12;
    let mut gateway = Pipes::start(PATIENCE);
    let end = Now::read().after(Duration::from_millis(300));
    // Some pipes have room for all, some are full of their first ticks.
    let open = |capacity| gateway.client_until(capacity, Some(end.unix)).0;
    let mut roomy: Vec<Reader> = (0..CLIENTS / 2).map(|_| open(1 << 20)).collect();
    let full: Vec<Reader> = (0..CLIENTS / 2).map(|_| open(50)).collect();
    let mut last = 0;
    while Now::read().unix < end.unix {
        gateway.publish();
        last += 1;
        thread::yield_now();
    }
    for client in &mut roomy {
        assert!(prices(&client.read_until("\"expired\"}\n\n")).len() > 10);
    }
    // Each worker has ended a stream by now: it knows the time.
    for _ in 0..100 {
        gateway.publish();
    }
    let readers: Vec<_> = full.into_iter().map(|mut client| thread::spawn(move || client.read_to_end())).collect();
    for reader in readers {
        let (body, end) = reader.join().unwrap();
        assert_eq!(end, End::Finished);
        assert!(body.ends_with("event: bye\ndata: {\"reason\":\"expired\"}\n\n"), "{body}");
        assert!(prices(&body).iter().all(|price| *price <= last), "none is newer than {last}: {body}");
    }
    for mut client in roomy {
        assert_eq!(client.read_to_end(), (String::new(), End::Finished));
    }
    assert_eq!(closed(&gateway.end(), CloseReason::Expired), CLIENTS);
}
