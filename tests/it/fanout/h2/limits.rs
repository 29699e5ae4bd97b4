//! The limits of a connection: each ends it in order, whatever else it carries, and no other.

use super::*;

const CALM: u32 = 11;

/// An attack, and the code of the GOAWAY that ends it.
type Attack = (&'static str, u32, fn(&mut H2Peer));

const ATTACKS: [Attack; 7] = [
    ("resets", CALM, |peer| {
        let stream = peer.get("/later");
        peer.reset(stream, 8);
    }),
    ("pings", CALM, |peer| peer.frame(h2_peer::PING, 0, 0, &[0; 8])),
    ("settings", CALM, |peer| peer.settings(&[])),
    ("priorities", CALM, |peer| peer.frame(h2_peer::PRIORITY, 0, 3, &[0, 0, 0, 0, 1])),
    ("unknown frames", CALM, |peer| peer.frame(77, 0, 0, &[])),
    ("window updates", CALM, |peer| peer.window_update(0, 1)),
    ("continuations", CALM, |peer| {
        if peer.next_stream() == 5 {
            peer.frame(h2_peer::HEADERS, h2_peer::END_STREAM, 5, &[]);
        } else {
            peer.frame(h2_peer::CONTINUATION, 0, 5, &[]);
        }
    }),
];

#[test]
fn rule_10_each_limit_ends_its_connection_in_order_and_no_other() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, ended) = gateway.h2();
    let mut good = Client::connect(&listener);
    let kept = good.stream();
    for (name, code, attack) in ATTACKS {
        let mut hostile = Client::connect(&listener);
        let stream = hostile.stream();
        assert_eq!(stream, 1);
        hostile.peer.next_stream();
        let mut sent = 0;
        while hostile.peer.go_aways.is_empty() {
            (0..100).for_each(|_| attack(&mut hostile.peer));
            sent += 100;
            assert!(sent <= 20_000, "{name} may go on for ever");
            gateway.publish();
            assert!(hostile.read(), "{name}: the end is announced");
        }
        hostile.read_to_end();
        assert_eq!(hostile.peer.go_aways[0].1, code, "{name}");
        ended.recv_timeout(PATIENCE).unwrap();
        gateway.publish();
        let price = gateway.price;
        good.until_price(&[kept], price);
    }
    assert_eq!(seqs(&good.peer, kept), (0..=gateway.price as u64).collect::<Vec<_>>());
    drop(good);
    assert_eq!(closed(&gateway.end(), CloseReason::Input), ATTACKS.len() as u64);
}

/// Below the frames: each record costs its decryption, and each change of keys a key.
#[test]
fn rule_10_records_and_changes_of_keys_with_hardly_a_frame_have_a_limit() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    for changes_keys in [false, true] {
        let mut hostile = Client::connect(&listener);
        hostile.stream();
        // Of a frame that is never whole: no other limit is reached.
        hostile.peer.frame(77, 0, 0, &[0; 16_384]);
        let mut frame = std::mem::take(&mut hostile.peer.out).into_iter();
        let mut sent = 0;
        while hostile.peer.go_aways.is_empty() {
            for byte in frame.by_ref().take(100) {
                if changes_keys {
                    hostile.tls.conn.refresh_traffic_keys().unwrap();
                }
                hostile.tls.write_all(&[byte]).and_then(|()| hostile.tls.flush()).unwrap();
            }
            sent += 100;
            assert!(sent <= 2_000, "they may go on for ever");
            gateway.publish();
            assert!(hostile.read(), "the end is announced");
        }
        assert_eq!(hostile.peer.go_aways[0].1, CALM);
        hostile.read_to_end();
    }
    assert_eq!(closed(&gateway.end(), CloseReason::Input), 2);
}

#[test]
fn rule_10_a_connection_has_only_so_many_streams() {
    let gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let mut settings = Settings::default();
    settings.limits.streams = 3;
    let mut client = Client::with(&listener, settings);
    let streams = [(); 3].map(|()| client.stream());
    let fourth = client.peer.get("/stream");
    client.until(|peer| peer.streams.contains_key(&fourth));
    assert_eq!(client.peer.streams[&fourth].reset, Some(7), "it may be sent again");
    client.peer.reset(streams[1], 8);
    client.stream();
}
