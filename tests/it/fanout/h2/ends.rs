//! How streams and connections end, by the client's doing and by the gateway's.

use super::*;

const CANCEL: u32 = 8;
const REFUSED_STREAM: u32 = 7;

/// Waits until a condition of another thread holds.
fn until(what: &str, is_true: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_true() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        thread::yield_now();
    }
}

#[test]
fn a_client_that_resets_a_stream_keeps_the_others() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, ended) = gateway.h2();
    let mut client = Client::connect(&listener);
    let streams = [(); 3].map(|()| client.stream());
    client.peer.reset(streams[1], CANCEL);
    client.send();
    ended.recv_timeout(PATIENCE).unwrap();
    gateway.publish();
    client.until_price(&[streams[0], streams[2]], 1);
    assert!(ended.try_recv().is_err());
    drop(client);
    assert_eq!(ended.iter().take(2).count(), 2);
    assert_eq!(closed(&gateway.end(), CloseReason::Left), 3);
}

#[test]
fn all_streams_of_a_client_end_however_it_leaves() {
    let gateway = Sockets::start(HOURS);
    let ways: [fn(Client); 4] = [
        drop,
        |client| client.tls.sock.shutdown(Shutdown::Write).unwrap(),
        |client| socket2::SockRef::from(&client.tls.sock).set_linger(Some(Duration::ZERO)).unwrap(),
        |mut client| {
            client.tls.conn.send_close_notify();
            client.tls.flush().unwrap();
            std::mem::forget(client); // it stays connected
        },
    ];
    for (way, leave) in ways.into_iter().enumerate() {
        let (listener, ended) = gateway.h2();
        let mut client = Client::connect(&listener);
        client.stream();
        client.stream();
        leave(client);
        assert!((0..2).all(|_| ended.recv_timeout(PATIENCE).is_ok()), "the streams of way {way} go on");
        until("its permits come back", || listener.held.load(Ordering::SeqCst) == 0);
    }
    assert_eq!(closed(&gateway.end(), CloseReason::Left), 8);
}

#[test]
fn a_client_that_says_goodbye_keeps_its_streams_until_it_ends_the_last() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let mut client = Client::connect(&listener);
    let stream = client.stream();
    client.peer.frame(h2_peer::GOAWAY, 0, 0, &[0; 8]);
    gateway.publish();
    client.until_price(&[stream], 1);
    client.peer.reset(stream, CANCEL);
    client.read_to_end();
    assert_eq!(client.peer.go_aways, [(stream, 0)]);
}

#[test]
fn rule_10_a_connection_without_a_stream_ends_in_time() {
    let gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let head_timeout = Duration::from_millis(100);
    let settings = Settings { head_timeout, ..Settings::default() };
    let mut idle = Client::with(&listener, settings.clone());
    idle.read_to_end();
    assert_eq!(idle.peer.go_aways, [(0, 0)]);
    // It has a stream, and time: it is never idle.
    let mut busy = Client::with(&listener, settings.clone());
    let stream = busy.stream();
    let mut answered = Client::with(&listener, settings.clone());
    let asked = answered.peer.get("/bytes/5");
    answered.read_to_end();
    assert!(answered.peer.streams[&asked].has_ended);
    assert_eq!(answered.peer.go_aways, [(asked, 0)]);
    // It never says a word of HTTP/2, or stops in the middle of a head.
    let mut mute = Client::with(&listener, settings.clone());
    mute.peer.out.clear();
    mute.read_to_end();
    let mut half = Client::with(&listener, settings);
    half.peer.frame(h2_peer::HEADERS, 0, 1, &[0]);
    half.read_to_end();
    for client in [mute, half] {
        assert_eq!(client.peer.go_aways.len(), 1, "{:?}", client.peer);
    }
    assert!(!busy.peer.streams[&stream].has_ended);
    assert_eq!(closed(&gateway.end(), CloseReason::Shutdown), 1);
}

#[test]
fn a_connection_holds_a_permit_while_it_has_no_stream() {
    let gateway = Sockets::start(PATIENCE);
    let (listener, ended) = gateway.h2();
    let held = || listener.held.load(Ordering::SeqCst);
    let mut client = Client::connect(&listener);
    assert_eq!(held(), 1);
    let streams = [client.stream(), client.stream()];
    until("the first stream gives it back", || held() == 0);
    client.peer.reset(streams[0], CANCEL);
    client.send();
    ended.recv_timeout(PATIENCE).unwrap();
    assert_eq!(held(), 0);
    client.peer.reset(streams[1], CANCEL);
    client.send();
    until("the last stream takes one", || held() == 1);
    let again = client.stream();
    until("the next gives it back", || held() == 0);
    // No permit is free for a connection without streams.
    listener.free.store(0, Ordering::SeqCst);
    client.peer.reset(again, CANCEL);
    client.read_to_end();
    assert_eq!(client.peer.go_aways, [(again, 0)]);
    until("the connection is over", || gateway.pool.counts().connections == 0);
}

#[test]
fn a_connection_gives_way_only_while_it_has_no_stream() {
    let gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let mut with_stream = Client::connect(&listener);
    let stream = with_stream.stream();
    let mut with_request = Client::connect(&listener);
    let later = with_request.peer.get("/later");
    with_request.send();
    until("the request came", || listener.later.lock().unwrap().len() == 1);
    let mut idle = Client::connect(&listener);
    idle.until(|peer| peer.acknowledged == 1);
    for address in listener.addresses.lock().unwrap().drain(..) {
        gateway.pool.give_way(address);
    }
    idle.read_to_end();
    assert_eq!(idle.peer.go_aways, [(0, 0)]);
    with_request.until(|peer| peer.go_aways == [(later, 0)]);
    until("it is cut off, though its request is not answered yet", || gateway.pool.counts().connections == 1);
    let error = with_request.tls.sock.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    with_stream.peer.frame(h2_peer::PING, 0, 0, &[0; 8]);
    with_stream.until(|peer| peer.acknowledged == 2);
    assert!(!with_stream.peer.streams[&stream].has_ended && with_stream.peer.go_aways.is_empty());
}

#[test]
fn an_answer_to_a_request_that_was_reset_changes_nothing() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, ended) = gateway.h2();
    let mut client = Client::connect(&listener);
    let reset = [client.peer.get("/later"), client.peer.get("/later")];
    client.send();
    until("both came", || listener.later.lock().unwrap().len() == 2);
    reset.iter().for_each(|&stream| client.peer.reset(stream, CANCEL));
    client.peer.frame(h2_peer::PING, 0, 0, &[0; 8]);
    client.until(|peer| peer.acknowledged == 2);
    let mut later = std::mem::take(&mut *listener.later.lock().unwrap()).into_iter();
    listener.pool.answer(later.next().unwrap().stream, answer(10));
    listener.pool.open_on(later.next().unwrap().stream, (listener.new_stream)());
    ended.recv_timeout(PATIENCE).unwrap();
    let stream = client.stream();
    gateway.publish();
    client.until_price(&[stream], 1);
    assert!(reset.iter().all(|stream| !client.peer.streams.contains_key(stream)));
}

#[test]
fn a_request_that_is_refused_may_be_sent_again() {
    let gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let mut client = Client::connect(&listener);
    let refused = client.peer.get("/refused");
    client.until(|peer| peer.streams.contains_key(&refused));
    assert_eq!(client.peer.streams[&refused].reset, Some(REFUSED_STREAM));
    client.stream();
    drop(client);
    gateway.end();
}

/// One that is not read, on a connection whose other streams are.
#[test]
fn rule_10_an_answer_that_is_not_read_ends_in_time_and_alone() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let write_timeout = Duration::from_secs(2); // more than a busy machine needs to fill the window
    let mut client = Client::with(&listener, Settings { write_timeout, ..Settings::default() });
    client.peer.window_update(0, 1 << 20); // the stream's window alone is short
    let stream = client.stream();
    let answer = client.peer.next_stream();
    client.peer.unread.push(answer);
    let block = h2_peer::request("GET", "/bytes/300000");
    client.peer.frame(h2_peer::HEADERS, h2_peer::END_HEADERS | h2_peer::END_STREAM, answer, &block);
    client.until(|peer| peer.streams.get(&answer).is_some_and(|stream| stream.reset.is_some()));
    assert_eq!(client.peer.streams[&answer].reset, Some(CANCEL));
    // What is left of the window may be too little for a frame.
    let body = client.peer.streams[&answer].body.len();
    assert!((65_535 - 1_024..=65_535).contains(&body), "{body}");
    gateway.publish();
    client.until_price(&[stream], 1);
}

#[test]
fn rule_5_a_client_that_takes_nothing_is_aborted_with_all_its_streams() {
    let mut gateway = Sockets::start(Duration::from_millis(300));
    let (listener, ended) = gateway.h2();
    let settings = Settings {
        receive_buffer: Some(4096),
        settings: vec![(h2_peer::INITIAL_WINDOW_SIZE, 1 << 30)],
        ..Settings::default()
    };
    let mut client = Client::with(&listener, settings);
    client.peer.window_update(0, 1 << 30);
    client.stream();
    client.stream();
    let ours = client.tls.sock.peer_addr().unwrap();
    let theirs = client.tls.sock.local_addr().unwrap();
    let started = Instant::now();
    let mut left = 2;
    while left > 0 {
        gateway.publish();
        left -= usize::from(ended.try_recv().is_ok());
        assert!(started.elapsed() < PATIENCE, "it is never closed");
        thread::yield_now();
    }
    until("nothing of it is left in the kernel", || sockets(ours, theirs).is_empty());
    let counts = gateway.end();
    assert_eq!(closed(&counts, CloseReason::Stalled) + closed(&counts, CloseReason::Timeout), 2);
    assert_eq!((counts.full, counts.connections), (0, 0));
}

#[test]
fn rule_4_a_slow_clients_backlog_stays_small_enough_to_coalesce() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let settings = Settings {
        receive_buffer: Some(4096),
        settings: vec![(h2_peer::INITIAL_WINDOW_SIZE, 1 << 30)],
        ..Settings::default()
    };
    let mut slow = Client::with(&listener, settings);
    slow.peer.window_update(0, 1 << 30);
    let streams = [(); 5].map(|()| slow.stream());
    let mut fast = Client::connect(&listener);
    let kept = fast.stream();
    let before: usize = streams.iter().map(|stream| slow.peer.streams[stream].body.len()).sum();
    for price in 1..=10_000 {
        gateway.publish();
        if price % 50 == 0 {
            fast.until_price(&[kept], price);
        }
    }
    assert_eq!(seqs(&fast.peer, kept), (0..=10_000).collect::<Vec<_>>(), "a client that keeps up is not disturbed");
    slow.until_price(&streams, 10_000);
    let after: usize = streams.iter().map(|stream| slow.peer.streams[stream].body.len()).sum();
    // As for one plain client: the connection's buffers are shared.
    assert!(after - before < 64 * 1024, "{} bytes of old prices stood in the kernel", after - before);
    drop((slow, fast));
    let counts = gateway.end();
    assert_eq!((counts.missed.ring, counts.missed.options), (0, 0));
}

/// TLS 1.2 cannot change its keys.
#[test]
fn streams_of_a_connection_whose_keys_wear_out_end_with_a_goodbye() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, ended) = gateway.h2();
    let mut client = Client::over(&listener, Settings::default(), tls::short_lived_keys(1024 + 20));
    let streams = [client.stream(), client.stream()];
    // Ticks may share a record: so there are as many as it takes.
    let reader = thread::spawn(move || {
        client.read_to_end();
        client.peer
    });
    while !reader.is_finished() {
        gateway.publish();
        thread::yield_now();
    }
    let peer = reader.join().unwrap();
    for stream in streams {
        let text = peer.streams[&stream].text();
        assert!(text.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{text}");
        assert!(peer.streams[&stream].has_ended);
    }
    assert_eq!(peer.go_aways, [(streams[1], 0)]);
    assert_eq!(ended.iter().take(2).count(), 2);
    assert_eq!(closed(&gateway.end(), CloseReason::Shutdown), 2);
}

#[test]
fn rule_12_a_connection_that_comes_to_a_worker_that_has_ended_is_told_to_go_away() {
    let gateway = Sockets::start(HOURS);
    let (listener, _ended) = gateway.h2();
    gateway.pool.drain(Duration::ZERO);
    gateway.workers.join().unwrap();
    let mut client = Client::connect(&listener);
    // Nothing is sent yet: what comes behind the end could reset it.
    let mut buffer = [0; 1024];
    loop {
        let bytes = client.tls.read(&mut buffer).unwrap();
        if bytes == 0 {
            break;
        }
        client.peer.receive(&buffer[..bytes]);
    }
    assert_eq!(client.peer.go_aways, [(0, 0)]);
    assert_eq!(listener.held.load(Ordering::SeqCst), 0);
}

#[test]
fn rule_12_a_drain_cuts_off_a_client_that_reads_nothing() {
    let mut gateway = Sockets::start(HOURS);
    let (listener, ended) = gateway.h2();
    let settings = Settings { receive_buffer: Some(4096), ..Settings::default() };
    let mut client = Client::with(&listener, settings);
    let stream = client.stream();
    client.peer.window_update(stream, 1 << 30);
    client.peer.window_update(0, 1 << 30);
    client.send();
    while gateway.pool.counts().full == 0 {
        gateway.publish();
        thread::yield_now();
    }
    gateway.pool.drain(Duration::ZERO);
    ended.recv_timeout(PATIENCE).unwrap();
    gateway.workers.join().unwrap();
    assert_eq!(closed(&gateway.pool.counts(), CloseReason::Shutdown), 1);
}
