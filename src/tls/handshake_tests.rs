//! How handshakes come, and how much of them is taken.

use super::*;

#[test]
fn a_handshake_may_come_in_any_pieces() {
    for version in VERSIONS {
        for piece in [1, 2, 3, 100, 200] {
            let pair = Pair::of(version);
            let mut client = pair.client();
            let mut handshake = pair.handshake();
            let mut done = None;
            while done.is_none() {
                let flight = client.sends();
                assert!(!flight.is_empty(), "the client has sent all, and the handshake waits");
                for piece in flight.chunks(piece) {
                    match advance(handshake, piece, &mut client) {
                        Progress::Waiting(next) => handshake = next,
                        Progress::Done(handshaken) => {
                            done = Some(handshaken);
                            handshake = pair.handshake();
                        }
                    }
                }
            }
            let mut session = done.unwrap().session;
            assert_eq!(client.receives(&sealed(&mut session, b"tick")), b"tick");
        }
    }
}

#[test]
fn a_hello_of_almost_64_kb_is_read() {
    let mut pair = Pair::of(&TLS13);
    pair.client.alpn_protocols = (0..240).map(|number| vec![number; 255]).chain([b"http/1.1".to_vec()]).collect();
    pair.server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let (_, session) = pair.connect();
    assert_eq!(session.protocol(), Some(b"http/1.1".as_slice()));
}

#[test]
fn rule_10_a_client_sends_only_so_much_before_its_handshake_is_done() {
    let mut handshake = Pair::of(&TLS13).handshake();
    // A hello of 60,000 bytes, a record for each: 360,000 bytes, of which rustls would keep all.
    let hello = [1, 0, 0xea, 0x60].into_iter().chain(std::iter::repeat(0));
    let mut sent = 0;
    let error = hello
        .map(|byte| [22, 3, 1, 0, 1, byte])
        .find_map(|record| {
            sent += record.len();
            match std::mem::replace(&mut handshake, Pair::of(&TLS13).handshake())
                .advance(&mut record.clone(), &mut Vec::new())
            {
                Ok(Progress::Waiting(next)) => {
                    handshake = next;
                    None
                }
                Ok(Progress::Done(_)) => panic!("it is not done"),
                Err(error) => Some(error),
            }
        })
        .unwrap();
    assert!(matches!(error, TlsError::TooMuchInput), "{error}");
    assert!((HANDSHAKE_BYTES_MAX..HANDSHAKE_BYTES_MAX + 6).contains(&(sent - 1)), "{sent}");
}

#[test]
fn rule_10_behind_our_flight_a_client_may_send_no_long_message() {
    let pair = Pair::of(&TLS12);
    let mut client = pair.client();
    let Progress::Waiting(mut handshake) = advance(pair.handshake(), &client.sends(), &mut client) else {
        panic!("it waits for the client's last flight")
    };
    // A key exchange of 60,000 bytes, in records of 1,000.
    let mut message = [16, 0, 0xea, 0x60].into_iter().chain(std::iter::repeat(0));
    let mut sent = 0;
    let error = loop {
        let mut record: Vec<u8> = [22, 3, 3, 3, 0xe8].into_iter().chain(message.by_ref().take(1_000)).collect();
        sent += record.len();
        match handshake.advance(&mut record, &mut Vec::new()) {
            Ok(Progress::Waiting(next)) => handshake = next,
            Ok(Progress::Done(_)) => panic!("it is not done"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, TlsError::TooMuchInput), "{error}");
    assert!((UNDECODED_BYTES_MAX..UNDECODED_BYTES_MAX + 1_500).contains(&sent), "{sent}");
}

#[test]
fn a_client_whose_key_share_does_not_fit_has_to_send_another_hello() {
    let mut pair = Pair::of(&TLS13);
    let provider = CryptoProvider { kx_groups: vec![ring::kx_group::SECP256R1], ..ring::default_provider() };
    pair.server = Pair::with(provider, &[&TLS13]).server;
    let mut client = pair.client();
    let mut handshake = pair.handshake();
    assert!(handshake.awaits_hello());
    for awaits_another in [true, false] {
        let Progress::Waiting(next) = advance(handshake, &client.sends(), &mut client) else {
            panic!("it is not done")
        };
        assert_eq!(next.awaits_hello(), awaits_another);
        handshake = next;
    }
    let Progress::Done(done) = advance(handshake, &client.sends(), &mut client) else { panic!("it waits") };
    let mut session = done.session;
    assert_eq!(client.receives(&sealed(&mut session, b"tick")), b"tick");
}
