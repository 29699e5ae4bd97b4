//! Handshakes: in pieces, slow, refused, or not of TLS at all.

use super::*;
use rustls::{
    AlertDescription, ClientConfig, Error, HandshakeKind,
    crypto::{CryptoProvider, ring},
};
use std::{
    io::{Read, Write},
    net::Shutdown,
    sync::{atomic::Ordering, mpsc},
    thread,
};

/// A client's hello, and what follows in its handshake.
fn hello(config: ClientConfig) -> (rustls::ClientConnection, Vec<u8>) {
    let mut client = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut hello = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut hello).unwrap();
    }
    (client, hello)
}

/// Why a handshake fails that the gateway refuses.
fn refusal(gateway: &Secure, config: ClientConfig) -> Error {
    let mut client = tls::client(gateway.socket(), config);
    let error = client.write_all(b"GET / HTTP/1.1\r\n").and_then(|()| client.read(&mut [0; 1])).unwrap_err();
    error.downcast::<Error>().unwrap()
}

#[test]
fn a_hello_may_come_in_pieces_and_be_long() {
    let gateway = Secure::start();
    for piece in [1, 100, 20_000] {
        let mut config = tls::client_config(&VERSIONS);
        if piece > 1 {
            config.alpn_protocols = (0..200).map(|number| vec![number; 200]).chain([b"http/1.1".to_vec()]).collect();
        }
        let (conn, hello) = hello(config);
        let mut socket = gateway.socket();
        socket.set_nodelay(true).unwrap();
        for piece in hello.chunks(piece) {
            socket.write_all(piece).unwrap();
        }
        let mut client = Client::over(TlsClient::new(conn, socket));
        assert_eq!(client.get("/v1/symbols").status, 200);
    }
    gateway.stop();
}

#[test]
fn the_application_protocol_is_the_clients_choice_among_ours() {
    let gateway = Secure::start();
    for (offered, chosen) in
        [(vec!["http/1.1"], Some("http/1.1")), (vec!["h2", "http/1.1"], Some("http/1.1")), (vec![], None)]
    {
        let mut config = tls::client_config(&VERSIONS);
        config.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
        let mut client = Client::over(tls::client(gateway.socket(), config));
        assert_eq!(client.get("/v1/symbols").status, 200);
        assert_eq!(client.socket.conn.alpn_protocol(), chosen.map(str::as_bytes));
    }
    let mut config = tls::client_config(&VERSIONS);
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    assert_eq!(refusal(&gateway, config), Error::AlertReceived(AlertDescription::NoApplicationProtocol));
    gateway.stop();
}

#[test]
fn a_gateway_that_drains_offers_http1_alone() {
    let both = [b"h2".to_vec(), b"http/1.1".to_vec()];
    let gateway = Secure::with(|_| {}, |protocols| protocols.alpn_protocols = both.to_vec());
    for (drains, chosen) in [(false, "h2"), (true, "http/1.1")] {
        gateway.draining.store(drains, Ordering::Relaxed);
        let mut config = tls::client_config(&VERSIONS);
        config.alpn_protocols = both.to_vec();
        let mut client = tls::client(gateway.socket(), config);
        while client.conn.is_handshaking() {
            client.conn.complete_io(&mut client.sock).unwrap();
        }
        assert_eq!(client.conn.alpn_protocol(), Some(chosen.as_bytes()), "while it drains: {drains}");
    }
    gateway.stop();
}

#[test]
fn a_client_without_a_common_version_learns_it() {
    let gateway = Secure::with(
        |_| {},
        |protocols| {
            *protocols = tls::server_config(&VERSIONS[1..]);
        },
    );
    let error = refusal(&gateway, tls::client_config(&VERSIONS[..1]));
    assert_eq!(error, Error::AlertReceived(AlertDescription::ProtocolVersion));
    gateway.stop();
}

#[test]
fn plain_http_is_told_that_the_port_speaks_https() {
    let gateway = Secure::start();
    let mut client = Client::connect(gateway.address);
    let answer = client.get("/v1/symbols");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(answer.json()["type"], "urn:tickfan:problem:https-only");
    assert_eq!(answer.json()["request_id"].as_str(), answer.header("x-request-id"));
    assert_eq!(client.rest(), "");
    gateway.stop();
}

#[test]
fn bytes_that_are_not_tls_end_the_connection() {
    let gateway = Secure::start();
    for garbage in [
        [vec![0x16, 3, 1], vec![0xff; 50]].concat(),
        [vec![0x16, 3, 1, 0, 50], vec![0xff; 50]].concat(),
        vec![0x80; 50],
    ] {
        let mut socket = gateway.socket();
        socket.write_all(&garbage).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        // An alert, which rustls does not have for each mistake, or the answer to plain HTTP.
        let is_http = garbage[0] != 0x16;
        assert_eq!(answer.starts_with(b"HTTP/1.1 400"), is_http, "{answer:?}");
        assert!(is_http || answer.is_empty() || answer[0] == 21, "{answer:?}");
    }
    assert_eq!(gateway.client(1).get("/v1/symbols").status, 200);
    gateway.stop();
}

#[test]
fn rule_10_a_handshake_ends_in_time_wherever_its_client_stops() {
    let within = Duration::from_millis(200);
    let gateway = Secure::with(|setup| setup.tls.as_mut().unwrap().handshake_timeout = within, |_| {});
    let (_, hello) = hello(tls::client_config(&VERSIONS));
    for sent in [0, 1, hello.len() / 2, hello.len()] {
        let mut socket = gateway.socket();
        socket.write_all(&hello[..sent]).unwrap();
        let mut read = Vec::new();
        assert!(socket.read_to_end(&mut read).is_err(), "it is reset, after {sent} bytes");
        assert_eq!(!read.is_empty(), sent == hello.len());
    }
    gateway.stop();
}

/// Turns, and a client's time, which no test is to reach.
fn turns(handshakes: usize) -> Secure {
    let set = |setup: &mut Setup| {
        let tls = setup.tls.as_mut().unwrap();
        (tls.handshakes, tls.handshake_timeout) = (handshakes, 10 * PATIENCE);
    };
    Secure::with(set, |_| {})
}

/// As much of a hello of 60,000 bytes as the gateway awaits before it gives the handshake a turn, and more.
fn long_hello() -> Vec<u8> {
    let record = |payload: &[u8]| [&[0x16, 3, 1], &(payload.len() as u16).to_be_bytes()[..], payload].concat();
    let beginning = [&[1, 0, 0xea, 0x60][..], &[0; 16_380]].concat();
    [record(&beginning), record(&[0; 1_000])].concat()
}

#[test]
fn rule_10_handshakes_take_turns_and_one_that_pauses_in_a_long_hello_gives_way() {
    let gateway = turns(1);
    let mut pausing = gateway.socket();
    pausing.write_all(&long_hello()).unwrap();
    assert_eq!(gateway.client(1).get("/v1/symbols").status, 200);
    assert!(pausing.read_to_end(&mut Vec::new()).is_err(), "it is reset");
    gateway.stop();
}

#[test]
fn rule_10_a_long_hello_that_comes_in_drops_gives_way() {
    let gateway = turns(1);
    let mut dripping = gateway.socket();
    let (stop, stopped) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            dripping.write_all(&long_hello()).unwrap();
            dripping.write_all(&[0x16, 3, 1, 0x40, 0]).unwrap();
            // Until it is reset, or the test is over.
            while stopped.recv_timeout(Duration::from_millis(5)).is_err() && dripping.write_all(&[0]).is_ok() {}
        });
        let answer = gateway.client(1).get("/v1/symbols");
        drop(stop);
        assert_eq!(answer.status, 200);
    });
    gateway.stop();
}

#[test]
fn a_client_that_pauses_in_its_hello_takes_no_turn_and_goes_on() {
    let gateway = turns(1);
    let slow: Vec<_> = [0, 1, 3, 200]
        .map(|sent| {
            let (conn, hello) = hello(tls::client_config(&VERSIONS));
            let mut socket = gateway.socket();
            socket.write_all(&hello[..sent]).unwrap();
            (conn, socket, hello[sent..].to_vec())
        })
        .into();
    assert_eq!(gateway.client(1).get("/v1/symbols").status, 200);
    for (conn, mut socket, rest) in slow {
        socket.write_all(&rest).unwrap();
        assert_eq!(Client::over(TlsClient::new(conn, socket)).get("/v1/symbols").status, 200);
    }
    gateway.stop();
}

#[test]
fn a_client_that_leaves_in_its_hello_ends_its_handshake() {
    let gateway = turns(1);
    for sent in [0, 3, 200] {
        let (_, hello) = hello(tls::client_config(&VERSIONS));
        let mut socket = gateway.socket();
        socket.write_all(&hello[..sent]).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        let ended = socket.read_to_end(&mut Vec::new());
        assert!(ended.is_err(), "it is reset: {ended:?}");
    }
    gateway.stop();
}

#[test]
fn a_client_has_its_time_beside_that_in_which_it_waits_for_its_turn() {
    const HOLDERS: usize = 20;
    let set = |setup: &mut Setup| {
        let tls = setup.tls.as_mut().unwrap();
        (tls.handshakes, tls.handshake_timeout) = (1, Duration::from_millis(1_500));
    };
    let gateway = Secure::with(set, |_| {});
    // Each has its turn for 100 ms.
    let holders: Vec<_> = std::iter::repeat_with(|| {
        let mut socket = gateway.socket();
        socket.write_all(&long_hello()).unwrap();
        socket
    })
    .take(HOLDERS)
    .collect();
    assert!((&holders[0]).read_to_end(&mut Vec::new()).is_err(), "it is reset");
    assert_eq!(gateway.client(1).get("/v1/symbols").status, 200);
    gateway.stop();
}

#[test]
fn rule_10_handshakes_that_stall_give_way_to_newcomers() {
    let gateway = Secure::with(|setup| setup.limits.connections = 4, |_| {});
    let (_, hello) = hello(tls::client_config(&VERSIONS));
    // One address may hold three quarters.
    let stalled: Vec<_> = [0, 3, hello.len()]
        .map(|sent| {
            let mut socket = gateway.socket();
            socket.write_all(&hello[..sent]).unwrap();
            socket
        })
        .into();
    // Three quarters of all, the share of their address.
    while gateway.permits.connections.in_use() < 3 {
        thread::yield_now();
    }
    assert_eq!(gateway.client(1).get("/v1/symbols").status, 200);
    let mut plain = Client::connect(gateway.plain);
    assert_eq!(plain.get("/v1/symbols").status, 200, "also to those of the other listener");
    drop(stalled);
    gateway.stop();
}

#[test]
fn handshakes_and_sessions_are_counted() {
    let gateway = Secure::with(|_| {}, |protocols| protocols.ticketer = rustls::crypto::ring::Ticketer::new().unwrap());
    let series = "tickfan_tls_sessions_total{version=\"1.2\",kind=\"resumed\"}";
    let before = count(series);
    let config = tls::client_config(&VERSIONS[..1]);
    for _ in 0..2 {
        let mut client = Client::over(tls::client(gateway.socket(), config.clone()));
        assert_eq!(client.get("/v1/symbols").status, 200);
    }
    assert_eq!(count(series), before + 1);
    assert!(count("tickfan_tls_handshakes_total{result=\"done\"}") >= 2);
    let not_tls = count("tickfan_tls_handshakes_total{result=\"not_tls\"}");
    assert_eq!(Client::connect(gateway.address).get("/").status, 400);
    assert!(count("tickfan_tls_handshakes_total{result=\"not_tls\"}") > not_tls);
    gateway.stop();
}

#[test]
fn a_client_whose_key_share_does_not_fit_sends_another_hello_in_a_turn_of_its_own() {
    let one = CryptoProvider { kx_groups: vec![ring::kx_group::SECP256R1], ..ring::default_provider() };
    let gateway = Secure::with(
        |setup| setup.tls.as_mut().unwrap().handshakes = 1,
        |protocols| *protocols = tls::server_config_with(one, &VERSIONS[1..]),
    );
    for _ in 0..2 {
        let mut client = Client::over(tls::client(gateway.socket(), tls::client_config(&VERSIONS)));
        assert_eq!(client.get("/v1/symbols").status, 200);
        assert_eq!(client.socket.conn.handshake_kind(), Some(HandshakeKind::FullWithHelloRetryRequest));
    }
    gateway.stop();
}

#[test]
fn many_clients_shake_hands_at_once() {
    let gateway = Secure::start();
    thread::scope(|scope| {
        for number in 0..50 {
            let socket = gateway.socket();
            scope.spawn(move || {
                let mut client = Client::over(tls::client(socket, tls::client_config(&[VERSIONS[number % 2]])));
                assert_eq!(client.get("/v1/symbols").status, 200);
            });
        }
    });
    gateway.stop();
}
