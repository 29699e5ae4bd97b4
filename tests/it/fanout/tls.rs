//! The same over TLS: its records must neither hold back, nor mix up, nor outlive what a worker writes.

use super::*;
use crate::support::tls::{self, TlsClient, VERSIONS};
use rustls::version::TLS13;

/// A client of a gateway's stream, over TLS.
fn client(gateway: &Sockets, receive_buffer: Option<usize>, stream: NewStream, version: usize) -> TlsClient {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = connected(&listener, receive_buffer);
    let mut ours = listener.accept().unwrap().0;
    let (client, session) = tls::connect(&mut ours, client, VERSIONS[version]);
    gateway.pool.open_tls(ours, session, Vec::new(), stream).unwrap();
    client
}

#[test]
fn a_client_that_keeps_up_gets_head_newest_and_every_tick() {
    for version in 0..2 {
        let mut gateway = Sockets::start(PATIENCE);
        gateway.publish();
        let (stream, ended) = gateway.new_stream(PATIENCE);
        let mut client = client(&gateway, None, stream, version);
        let first = read_until(&mut client, 1);
        assert!(first.starts_with("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nHELLO\n\nid: "), "{first}");
        for batch in 0..20 {
            for _ in 0..10 {
                gateway.publish();
            }
            let text = read_until(&mut client, batch * 10 + 11);
            assert_eq!(text.matches("data: {\"symbol\"").count(), 10, "{text}");
        }
        gateway.pool.drain(Duration::ZERO);
        let mut rest = String::new();
        client.read_to_string(&mut rest).expect("the end is announced: nothing was cut off");
        assert!(rest.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{rest}");
        drop(client);
        ended.recv_timeout(PATIENCE).unwrap();
        gateway.workers.join().unwrap();
        let counts = gateway.pool.counts();
        assert_eq!((counts.missed.total(), closed(&counts, CloseReason::Shutdown)), (0, 1));
    }
}

#[test]
fn rule_4_a_slow_clients_backlog_stays_small_enough_to_coalesce() {
    let mut gateway = Sockets::start(PATIENCE);
    let (stream, _slow_ended) = gateway.new_stream(PATIENCE);
    let mut slow = client(&gateway, Some(4096), stream, 1);
    let (mut fast, _fast_ended) = gateway.client(None, PATIENCE);
    read_until_string(&mut slow, "\"state\":\"waiting\"");
    read_until_string(&mut fast, "\"state\":\"waiting\"");
    for price in 1..=20_000 {
        gateway.publish();
        if price % 100 == 0 {
            let frames = read_until(&mut fast, price).matches("data: {\"symbol\"").count();
            assert_eq!(frames, 100, "a client that keeps up is not disturbed");
        }
    }
    let backlog = read_until(&mut slow, 20_000);
    // As for a plain client, and a record.
    assert!(backlog.len() < 64 * 1024, "{} bytes of old prices stood in the kernel", backlog.len());
    let frames = backlog.matches("data: {\"symbol\"").count() as u64;
    drop((slow, fast));
    let counts = gateway.end();
    assert_eq!(counts.missed.lag, 20_000 - frames, "what the slow client did not see is counted");
    assert_eq!((counts.missed.ring, counts.missed.options), (0, 0), "the fast one missed nothing");
}

#[test]
fn rule_5_a_stalled_stream_is_aborted_and_leaves_nothing_in_the_kernel() {
    let mut gateway = Sockets::start(Duration::from_millis(300));
    let (stream, ended) = gateway.new_stream(PATIENCE);
    let mut client = client(&gateway, Some(4096), stream, 1);
    let ours = client.sock.peer_addr().unwrap();
    let theirs = client.sock.local_addr().unwrap();
    let started = Instant::now();
    while ended.try_recv().is_err() {
        gateway.publish();
        assert!(started.elapsed() < PATIENCE, "it is never closed");
        thread::yield_now();
    }
    assert_eq!(sockets(ours, theirs), [""; 0], "an orphan of it is left");
    assert_eq!(client.sock.read_to_end(&mut Vec::new()).unwrap_err().kind(), ErrorKind::ConnectionReset);
    let counts = gateway.end();
    assert_eq!(closed(&counts, CloseReason::Stalled) + closed(&counts, CloseReason::Timeout), 1);
    assert_eq!(counts.full, 0);
}

/// Larger than any record and any socket's buffer: the kernel cuts records, and their rest goes out before all else.
#[test]
fn blocks_of_any_length_arrive_whole_however_slowly_they_are_read() {
    for version in 0..2 {
        let mut gateway = Sockets::start(PATIENCE);
        let (mut stream, _ended) = gateway.new_stream(PATIENCE);
        let hello: Vec<u8> = (0..60_000).flat_map(|number| format!("{number:06}").into_bytes()).collect();
        stream.hello = Box::new(bytes::Bytes::from(hello.clone()));
        let mut client = client(&gateway, Some(4096), stream, version);
        let mut read = Vec::new();
        let mut buffer = [0; 700];
        while read.len() < hello.len() + 50 {
            gateway.publish();
            let bytes = client.read(&mut buffer).unwrap();
            read.extend_from_slice(&buffer[..bytes]);
        }
        let body = read.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(read[body..][..hello.len()], hello);
        read_until(&mut client, gateway.price);
        drop(client);
        assert_eq!(gateway.end().missed.ring, 0);
    }
}

#[test]
fn clients_are_noticed_at_once_however_they_leave() {
    let gateway = Sockets::start(HOURS);
    let ways: [fn(TlsClient); 5] = [
        |client| drop(client), // unread bytes make this a reset
        |mut client| {
            client.conn.send_close_notify();
            client.flush().unwrap();
            std::mem::forget(client); // it stays connected
        },
        |mut client| {
            read_until_string(&mut client, "waiting");
            drop(client);
        },
        |client| client.sock.shutdown(Shutdown::Write).unwrap(),
        |client| socket2::SockRef::from(&client.sock).set_linger(Some(Duration::ZERO)).unwrap(),
    ];
    for version in 0..2 {
        for (way, leave) in ways.iter().enumerate() {
            let (stream, ended) = gateway.new_stream(HOURS);
            leave(client(&gateway, None, stream, version));
            assert!(ended.recv_timeout(PATIENCE).is_ok(), "the stream of a client that left in way {way} goes on");
        }
    }
    assert_eq!(closed(&gateway.end(), CloseReason::Left), 10);
}

#[test]
fn rule_10_what_a_client_sends_behind_its_request_is_dropped_up_to_a_limit() {
    for version in 0..2 {
        let mut gateway = Sockets::start(PATIENCE);
        let (stream, ended) = gateway.new_stream(PATIENCE);
        let mut client = client(&gateway, None, stream, version);
        client.write_all(&[b'x'; 15 * 1024]).unwrap();
        gateway.publish();
        read_until(&mut client, 1);
        assert!(ended.try_recv().is_err(), "up to the limit it is only dropped");
        client.write_all(&[b'x'; 1024]).unwrap();
        ended.recv_timeout(PATIENCE).unwrap();
        assert_eq!(closed(&gateway.end(), CloseReason::Input), 1);
    }
}

#[test]
fn rule_10_records_and_changes_of_keys_count_as_input_too() {
    let gateway = Sockets::start(PATIENCE);
    let (stream, ended) = gateway.new_stream(PATIENCE);
    let mut client = client(&gateway, None, stream, 1);
    let mut sent = 0;
    while ended.try_recv().is_err() {
        client.conn.refresh_traffic_keys().unwrap();
        let written = client.conn.writer().write(b"x").and_then(|_| client.conn.write_tls(&mut client.sock));
        sent += written.unwrap_or(0);
        assert!(sent < 64 * 1024 * 1024, "it may send for ever"); // far more than buffers hold
    }
    assert_eq!(closed(&gateway.end(), CloseReason::Input), 1);
}

#[test]
fn a_client_that_breaks_tls_is_cut_off() {
    let gateway = Sockets::start(PATIENCE);
    let (stream, ended) = gateway.new_stream(PATIENCE);
    let mut client = client(&gateway, None, stream, 1);
    client.sock.write_all(&[23, 3, 3, 0, 20]).unwrap();
    client.sock.write_all(&[0; 20]).unwrap();
    ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(closed(&gateway.end(), CloseReason::Error), 1);
}

#[test]
fn a_client_may_change_its_keys_and_ask_for_ours_to_change() {
    let mut gateway = Sockets::start(PATIENCE);
    let (stream, _ended) = gateway.new_stream(PATIENCE);
    assert_eq!(VERSIONS[1], &TLS13);
    let mut client = client(&gateway, None, stream, 1);
    // rustls takes 32 in a row from a client that sends nothing else.
    for price in 1..=30 {
        client.conn.refresh_traffic_keys().unwrap();
        client.conn.write_tls(&mut client.sock).unwrap();
        gateway.publish();
        read_until(&mut client, price);
    }
    drop(client);
    assert_eq!(gateway.end().missed.total(), 0);
}

/// Its last bytes wait in the transport, and still go out in order.
#[test]
fn a_slow_client_reads_its_goodbye_and_the_end_of_tls() {
    let mut gateway = Sockets::start(PATIENCE);
    let (stream, ended) = gateway.new_stream(PATIENCE);
    let mut client = client(&gateway, Some(4096), stream, 1);
    while gateway.pool.counts().full == 0 {
        gateway.publish();
        thread::yield_now();
    }
    gateway.pool.drain(Duration::ZERO);
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    assert!(text.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{text}");
    drop(client);
    ended.recv_timeout(PATIENCE).unwrap();
    gateway.workers.join().unwrap();
}

/// TLS 1.2 cannot change its keys.
#[test]
fn a_stream_whose_keys_wear_out_ends_with_a_goodbye() {
    let mut gateway = Sockets::start(PATIENCE);
    let (stream, ended) = gateway.new_stream(PATIENCE);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = connected(&listener, None);
    let mut ours = listener.accept().unwrap().0;
    let (mut client, session) = tls::connect_with(&mut ours, client, tls::short_lived_keys(1024 + 20));
    gateway.pool.open_tls(ours, session, Vec::new(), stream).unwrap();
    read_until_string(&mut client, "waiting");
    for price in 1..=10 {
        gateway.publish();
        read_until(&mut client, price);
    }
    // Ticks may share a record: so there are as many as it takes.
    let reader = thread::spawn(move || {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    });
    while !reader.is_finished() {
        gateway.publish();
        thread::yield_now();
    }
    let text = reader.join().unwrap();
    assert!(text.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{text}");
    ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(closed(&gateway.end(), CloseReason::Shutdown), 1);
}
