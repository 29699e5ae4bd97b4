//! Sessions against rustls' own client, in memory.

use super::{
    super::testing::{Client, Pair, client_builder, open, sealed, shake_hands, short_lived_keys},
    *,
};
use proptest::prelude::*;
use rustls::{
    AlertDescription, ContentType, Error, HandshakeKind, RootCertStore, SupportedProtocolVersion,
    crypto::{CryptoProvider, ring},
    version::{TLS12, TLS13},
};

#[path = "handshake_tests.rs"]
mod handshakes;

const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

/// Advances a handshake that must not fail.
fn advance(handshake: Handshake, received: &[u8], client: &mut Client) -> Progress {
    let mut out = Vec::new();
    let progress = handshake.advance(&mut received.to_vec(), &mut out).unwrap();
    client.receives(&out);
    progress
}

#[test]
fn both_sides_speak_in_each_version_and_cipher() {
    let provider = ring::default_provider();
    for version in VERSIONS {
        for suite in provider.cipher_suites.iter().filter(|suite| suite.version() == version) {
            let mut pair = Pair::of(version);
            let one = CryptoProvider { cipher_suites: vec![*suite], ..provider.clone() };
            // The certificate's key is of an elliptic curve: RSA ciphers have no certificate.
            pair.server = Pair::with(one, &[version]).server;
            let mut client = pair.client();
            let Ok(Handshaken { mut session, .. }) = shake_hands(&mut client, pair.handshake()) else {
                assert!(format!("{:?}", suite.suite()).contains("RSA"), "{suite:?}");
                continue;
            };
            for length in [1, 100, RECORD_BYTES_MAX] {
                let data = vec![7; length];
                let record = sealed(&mut session, &data);
                assert!(record.len() <= length + 64, "one record");
                assert_eq!(client.receives(&record), data);
                let opened = open(&mut session, client.says(&data));
                assert_eq!(opened.plain, data);
                assert!(opened.out.is_empty());
                assert_eq!(opened.side.unwrap(), PeerSide::Open);
            }
            assert_eq!(session.protocol(), None);
            assert!(!session.is_worn());
        }
    }
}

#[test]
fn a_client_that_comes_again_resumes_its_session() {
    for version in VERSIONS {
        let mut pair = Pair::of(version);
        pair.server.alpn_protocols = vec![b"http/1.1".to_vec()];
        pair.client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let (mut client, mut session) = pair.connect();
            assert_eq!(session.protocol(), Some(b"http/1.1".as_slice()));
            assert_eq!(client.0.handshake_kind(), Some(kind), "{version:?}");
            assert_eq!(client.receives(&sealed(&mut session, b"tick")), b"tick");
        }
    }
}

#[test]
fn data_behind_the_clients_last_flight_are_kept() {
    for ends in [false, true] {
        let pair = Pair::of(&TLS13);
        let mut client = pair.client();
        let Progress::Waiting(handshake) = advance(pair.handshake(), &client.sends(), &mut client) else {
            panic!("it waits for the client's last flight")
        };
        let mut flight = client.says(b"GET / HTTP/1.1\r\n\r\n");
        if ends {
            client.0.send_close_notify();
            flight.extend(client.sends());
        }
        let Progress::Done(handshaken) = advance(handshake, &flight, &mut client) else { panic!("it is done") };
        assert_eq!(handshaken.plaintext, b"GET / HTTP/1.1\r\n\r\n");
        let mut session = handshaken.session;
        assert_eq!(session.peer_side(), if ends { PeerSide::Closed } else { PeerSide::Open });
        assert_eq!(client.receives(&sealed(&mut session, b"tick")), b"tick");
    }
}

#[test]
fn a_record_may_be_cut_anywhere_and_several_may_come_at_once() {
    for version in VERSIONS {
        let (mut client, mut session) = Pair::of(version).connect();
        let mut record = client.says(b"some data");
        for cut in 0..=record.len() {
            let end = record.split_off(cut);
            let mut plain = open(&mut session, record).plain;
            // The session is written to while the rest is awaited.
            assert_eq!(client.receives(&sealed(&mut session, b"tick")), b"tick");
            plain.extend(open(&mut session, end).plain);
            assert_eq!(plain, b"some data", "cut at {cut}");
            assert_eq!(session.connection.undecoded.capacity(), 0, "an idle session owns no buffer");
            record = client.says(b"some data");
        }
        let (mut client, mut session) = Pair::of(version).connect();
        let records: Vec<u8> = (0..100).flat_map(|_| client.says(b"data ")).collect();
        assert_eq!(open(&mut session, records).plain, b"data ".repeat(100));
    }
}

#[test]
fn a_client_may_change_its_keys_and_ask_for_ours_to_change() {
    let (mut client, mut session) = Pair::of(&TLS13).connect();
    for _ in 0..100 {
        client.0.refresh_traffic_keys().unwrap();
        let opened = open(&mut session, client.says(b"more"));
        assert_eq!(opened.plain, b"more");
        assert!(opened.out.is_empty(), "the answer goes out before the next record");
        assert_eq!(client.receives(&sealed(&mut session, b"tick")), b"tick");
    }
}

#[test]
fn rule_10_a_flood_of_key_changes_ends_the_session() {
    let (mut client, mut session) = Pair::of(&TLS13).connect();
    let mut updates = 0;
    let error = loop {
        client.0.refresh_traffic_keys().unwrap();
        let opened = open(&mut session, client.sends());
        match opened.side {
            Ok(_) => assert!(opened.out.is_empty(), "no answer to each"),
            Err(error) => break error,
        }
        updates += 1;
        assert!(updates < 100);
    };
    assert!(matches!(error, TlsError::Broken(Error::PeerMisbehaved(_))), "{error}");
}

#[test]
fn each_side_can_end_its_own() {
    for version in VERSIONS {
        let (mut client, mut session) = Pair::of(version).connect();
        client.0.send_close_notify();
        let mut last = client.sends();
        last.extend(b"what comes behind it is not read");
        let opened = open(&mut session, last);
        assert_eq!(opened.side.unwrap(), PeerSide::Closed);
        assert_eq!(open(&mut session, b"nor later".to_vec()).side.unwrap(), PeerSide::Closed);
        assert_eq!(client.receives(&sealed(&mut session, b"last tick")), b"last tick");
        assert!(!client.sees_the_end());
        let mut out = Vec::new();
        session.close_notify(&mut out);
        client.receives(&out);
        assert!(client.sees_the_end());
        assert!(matches!(session.seal(b"tick", &mut out), Err(TlsError::Closed)));
    }
}

#[test]
fn a_session_that_says_its_end_first_still_reads() {
    for version in VERSIONS {
        let (mut client, mut session) = Pair::of(version).connect();
        let mut out = Vec::new();
        session.close_notify(&mut out);
        client.receives(&out);
        assert!(client.sees_the_end());
        let opened = open(&mut session, client.says(b"late"));
        assert_eq!(opened.plain, b"late");
        assert_eq!(opened.side.unwrap(), PeerSide::Open);
    }
}

#[test]
fn a_client_that_rejects_the_certificate_says_so() {
    for version in VERSIONS {
        let mut pair = Pair::of(version);
        pair.client = client_builder(&[version]).with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        let Err(error) = shake_hands(&mut pair.client(), pair.handshake()) else { panic!("it trusts no one") };
        assert!(matches!(error, TlsError::Alert(AlertDescription::UnknownCA)), "{error}");
    }
}

#[test]
fn a_client_learns_by_an_alert_why_its_handshake_failed() {
    let mut pair = Pair::of(&TLS13);
    pair.server.alpn_protocols = vec![b"http/1.1".to_vec()];
    pair.client.alpn_protocols = vec![b"spdy/3".to_vec()];
    let mut older = Pair::of(&TLS13);
    older.client = Pair::of(&TLS12).client;
    for (pair, alert) in [(pair, AlertDescription::NoApplicationProtocol), (older, AlertDescription::ProtocolVersion)] {
        let mut client = pair.client();
        let mut out = Vec::new();
        let Err(error) = pair.handshake().advance(&mut client.sends(), &mut out) else { panic!("{alert:?}") };
        assert!(matches!(error, TlsError::NoCommonProtocol | TlsError::Incompatible(_)), "{error}");
        assert_eq!(client.try_receive(&out), Err(Error::AlertReceived(alert)));
    }
}

#[test]
fn the_keys_of_tls_13_change_by_themselves() {
    let (mut client, mut session) = Pair::with(short_lived_keys(8), &[&TLS13]).connect();
    for _ in 0..1000 {
        assert_eq!(client.receives(&sealed(&mut session, b"tick")), b"tick");
    }
    assert!(!session.is_worn());
}

#[test]
fn the_keys_of_tls_12_wear_out_with_time_left_to_say_so() {
    const RECORDS: u64 = LAST_RECORDS + 10;
    let (mut client, mut session) = Pair::with(short_lived_keys(RECORDS), &[&TLS12]).connect();
    let mut out = Vec::new();
    for record in 0.. {
        // The handshake took a record or two.
        assert_eq!(session.is_worn(), record >= 10, "{record}");
        match session.seal(b"tick", &mut out) {
            Ok(()) => {}
            Err(TlsError::KeysExhausted) => {
                assert!((RECORDS - 3..=RECORDS).contains(&record), "{record}");
                break;
            }
            Err(error) => panic!("{error}"),
        }
        assert_eq!(client.receives(&std::mem::take(&mut out)), b"tick");
    }
    client.receives(&out);
    assert!(client.sees_the_end(), "a clean end");
}

#[test]
fn a_message_of_tls_that_is_cut_does_not_disturb_what_is_sent() {
    const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
    for cut in 1..KEY_UPDATE.len() {
        let (client, mut session) = Pair::of(&TLS13).connect();
        let mut forger = client.forger();
        let (begin, end) = KEY_UPDATE.split_at(cut);
        assert!(open(&mut session, forger.record(ContentType::Handshake, begin)).side.is_ok());
        assert!(!sealed(&mut session, b"tick").is_empty());
        assert!(open(&mut session, forger.record(ContentType::Handshake, end)).side.is_ok());
        assert!(!sealed(&mut session, b"tick").is_empty());
    }
    let (client, mut session) = Pair::of(&TLS13).connect();
    let mut forger = client.forger();
    assert!(open(&mut session, forger.record(ContentType::Handshake, &KEY_UPDATE[..2])).side.is_ok());
    session.close_notify(&mut Vec::new());
    assert!(open(&mut session, forger.record(ContentType::ApplicationData, b"data")).side.is_err());
}

#[test]
fn rule_10_a_message_of_tls_that_never_ends_ends_the_session() {
    let (client, mut session) = Pair::of(&TLS13).connect();
    let mut forger = client.forger();
    let mut piece = vec![24, 0, 0xea, 0x60];
    piece.resize(8192, 0);
    let results: Vec<_> =
        (0..4).map(|_| open(&mut session, forger.record(ContentType::Handshake, &piece)).side).collect();
    assert!(results[0].is_ok() && results[1].is_ok());
    assert!(matches!(results[2], Err(TlsError::TooMuchInput)), "{:?}", results[2]);
}

#[test]
fn a_changed_byte_ends_the_session_with_an_alert() {
    for version in VERSIONS {
        let (mut client, mut session) = Pair::of(version).connect();
        let mut record = client.says(b"data");
        *record.last_mut().unwrap() ^= 1;
        let opened = open(&mut session, record);
        assert!(matches!(opened.side, Err(TlsError::Broken(Error::DecryptError))));
        assert_eq!(client.try_receive(&opened.out), Err(Error::AlertReceived(AlertDescription::BadRecordMac)));
        assert!(session.seal(b"tick", &mut Vec::new()).is_err());
        assert!(open(&mut session, client.sends()).side.is_err());
        session.close_notify(&mut Vec::new());
    }
}

proptest! {
    #[test]
    fn no_bytes_disturb_a_handshake(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..20)) {
        let mut handshake = Pair::of(&TLS13).handshake();
        for mut piece in pieces {
            match handshake.advance(&mut piece, &mut Vec::new()) {
                Ok(Progress::Waiting(next)) => handshake = next,
                Ok(Progress::Done(_)) => panic!("random bytes are not a handshake"),
                Err(_) => break,
            }
        }
    }

    #[test]
    fn no_change_of_a_clients_bytes_disturbs_a_handshake(
        is_tls13: bool,
        at in any::<prop::sample::Index>(),
        to: u8,
        flight in 0..2,
        piece in 1_usize..2000,
    ) {
        let pair = Pair::of(VERSIONS[usize::from(is_tls13)]);
        let mut client = pair.client();
        let mut handshake = Some(pair.handshake());
        for number in 0..3 {
            let mut bytes = client.sends();
            if bytes.is_empty() {
                break;
            }
            if number == flight {
                let at = at.index(bytes.len());
                bytes[at] = to;
            }
            for piece in bytes.chunks_mut(piece) {
                let Some(current) = handshake.take() else { break };
                let mut out = Vec::new();
                if let Ok(Progress::Waiting(next)) = current.advance(piece, &mut out) {
                    handshake = Some(next);
                }
                client.receives(&out);
            }
        }
    }

    #[test]
    fn no_messages_within_valid_records_disturb_a_session(
        records in prop::collection::vec((0_u8..30, prop::collection::vec(any::<u8>(), 0..60)), 0..10),
        piece in 1_usize..200,
    ) {
        let (client, mut session) = Pair::of(&TLS13).connect();
        let mut forger = client.forger();
        let bytes: Vec<u8> =
            records.iter().flat_map(|(typ, payload)| forger.record(ContentType::from(*typ), payload)).collect();
        for piece in bytes.chunks(piece) {
            let is_open = open(&mut session, piece.to_vec()).side.is_ok();
            let is_sealed = session.seal(b"tick", &mut Vec::new()).is_ok();
            prop_assert!(is_open || !is_sealed);
        }
        session.close_notify(&mut Vec::new());
    }
}
