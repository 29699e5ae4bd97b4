//! Attacks on tokens, each named after what it tries.

use super::{
    Expected, KeyOrigin, KeySet, KeySetError, TOKEN_BYTES_MAX, TokenError, UnknownKey,
    jwk::KeyFault,
    signing_tests::{SECRET, ed25519, encode, hmac_sha256, keys, p256, secret_keys, signed, token},
    token::signed_payload,
    verify,
};
use crate::market::UnixMicros;
use proptest::prelude::*;

const CLAIMS: &str = r#"{"iss":"me","aud":"tickfan","sub":"u17","exp":2000}"#;
const EXPECTED: Expected<'_> = Expected { issuer: "me", audience: "tickfan" };

fn at(seconds: i64) -> UnixMicros {
    UnixMicros(seconds * 1_000_000)
}

fn error(token: &str, keys: &KeySet) -> TokenError {
    verify(token.as_bytes(), keys, EXPECTED, at(1_000)).unwrap_err()
}

#[test]
fn attack_none_as_algorithm() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        for (header, keys) in [
            (format!(r#"{{"alg":"{alg}"}}"#), secret_keys()),
            (format!(r#"{{"alg":"{alg}","kid":"a"}}"#), keys(&[&ed25519("a").0, &p256("b").0])),
        ] {
            let unsigned = signed(&header, CLAIMS, |_| Vec::new());
            assert_eq!(error(&unsigned, &keys), TokenError::Algorithm, "{header}");
            let signed = signed(&header, CLAIMS, hmac_sha256(SECRET));
            assert_eq!(error(&signed, &keys), TokenError::Algorithm, "{header}");
        }
    }
    let cut = format!("{}.{}", encode(r#"{"alg":"none"}"#), encode(CLAIMS));
    for token in [cut.clone(), format!("{cut}.."), format!("{cut}...")] {
        assert_eq!(error(&token, &secret_keys()), TokenError::Malformed);
    }
    assert_eq!(error(&format!("{cut}."), &secret_keys()), TokenError::Algorithm);
}

#[test]
fn attack_public_key_as_secret_of_hs256() {
    let rsa = format!(r#"{{"kty":"RSA","kid":"a","e":"AQAB","n":"{}"}}"#, encode([0xff; 256]));
    for (jwk, number) in [(&rsa, "n"), (&p256("a").0, "x"), (&ed25519("a").0, "x")] {
        let key = keys(&[jwk]);
        let number = jwk.split(&format!("\"{number}\":\"")).nth(1).unwrap().split('"').next().unwrap();
        for secret in [jwk.as_bytes(), number.as_bytes(), &super::object::base64url(number).unwrap()] {
            let token = signed(r#"{"alg":"HS256","kid":"a"}"#, CLAIMS, hmac_sha256(secret));
            assert_eq!(error(&token, &key), TokenError::Algorithm);
        }
    }
}

#[test]
fn attack_swapped_algorithm() {
    let (p256, sign_p256) = p256("p");
    let (ed25519, sign_ed25519) = ed25519("e");
    let keys = keys(&[&p256, &ed25519]);
    for (header, is_algorithm) in [
        (r#"{"alg":"ES256","kid":"p"}"#, true),
        (r#"{"alg":"EdDSA","kid":"p"}"#, false),
        (r#"{"alg":"RS256","kid":"p"}"#, false),
        (r#"{"alg":"es256","kid":"p"}"#, false),
        (r#"{"alg":"ES256 ","kid":"p"}"#, false),
        (r#"{"alg":"ES384","kid":"p"}"#, false),
    ] {
        let read = signed_payload(signed(header, CLAIMS, &sign_p256).as_bytes(), &keys);
        assert_eq!(read.err(), (!is_algorithm).then_some(TokenError::Algorithm), "{header}");
    }
    // The other key's name, with its algorithm.
    let swapped = signed(r#"{"alg":"EdDSA","kid":"e"}"#, CLAIMS, &sign_p256);
    assert_eq!(error(&swapped, &keys), TokenError::Signature);
    for name in ["EdDSA", "Ed25519"] {
        let header = format!(r#"{{"alg":"{name}","kid":"e"}}"#);
        assert!(signed_payload(signed(header, CLAIMS, &sign_ed25519).as_bytes(), &keys).is_ok(), "{name}");
    }
}

#[test]
fn attack_crit() {
    for header in [
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
    ] {
        assert_eq!(error(&signed(header, CLAIMS, hmac_sha256(SECRET)), &secret_keys()), TokenError::Critical);
    }
}

/// A header that was seen in a good token is not read again; any other is.
#[test]
fn attack_a_bad_header_behind_a_good_one() {
    let keys = secret_keys();
    for round in 0..2 {
        for (header, expected) in [
            (r#"{"alg":"none"}"#, TokenError::Algorithm),
            (r#"{"alg":"ES256"}"#, TokenError::Algorithm),
            (r#"{"alg":"HS256","crit":["exp"]}"#, TokenError::Critical),
            (r#"{"alg":"HS256","alg":"none"}"#, TokenError::Malformed),
            (r#"{"alg":"HS256"} {}"#, TokenError::Malformed),
            ("", TokenError::Malformed),
        ] {
            assert_eq!(error(&signed(header, CLAIMS, hmac_sha256(SECRET)), &keys), expected, "{header}, round {round}");
        }
        let unsigned = signed(r#"{"alg":"HS256"}"#, CLAIMS, |_| vec![0; 32]);
        assert_eq!(error(&unsigned, &keys), TokenError::Signature);
        assert!(verify(token(CLAIMS).as_bytes(), &keys, EXPECTED, at(1_000)).is_ok());
        // Another spelling of the same header is read by itself.
        let other = signed(r#"{"alg": "HS256"}"#, CLAIMS, hmac_sha256(SECRET));
        assert!(verify(other.as_bytes(), &keys, EXPECTED, at(1_000)).is_ok());
    }
}

#[test]
fn attack_doubled_members() {
    for header in [
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256","a\u006cg":"HS256"}"#,
        r#"{"alg":"HS256","x":1,"x":1}"#,
    ] {
        assert_eq!(error(&signed(header, CLAIMS, hmac_sha256(SECRET)), &secret_keys()), TokenError::Malformed);
    }
    for claims in [
        r#"{"iss":"me","aud":"tickfan","sub":"u17","exp":1,"exp":2000}"#,
        r#"{"iss":"me","aud":"tickfan","sub":"u17","sub":"u18","exp":2000}"#,
        r#"{"iss":"me","aud":"tickfan","sub":"u17","s\u0075b":"u18","exp":2000}"#,
    ] {
        assert_eq!(error(&token(claims), &secret_keys()), TokenError::Malformed, "{claims}");
    }
    let nested = r#"{"iss":"me","aud":"tickfan","sub":"u17","exp":2000,"tickfan":{"live":[],"live":["*"]}}"#;
    assert_eq!(error(&token(nested), &secret_keys()), TokenError::Claim("tickfan"));
    let set = r#"{"keys":[],"keys":[]}"#;
    assert_eq!(KeySet::read(set.as_bytes(), KeyOrigin::File).unwrap_err(), KeySetError::NotAnObject);
}

#[test]
fn attack_a_token_without_a_key_id_where_there_are_several_keys() {
    let (p256, sign) = p256("p");
    let several = keys(&[&p256, &ed25519("e").0]);
    for (header, expected) in [
        (r#"{"alg":"ES256"}"#, UnknownKey::Unnamed),
        (r#"{"alg":"ES256","kid":"x"}"#, UnknownKey::Named),
        (r#"{"alg":"ES256","kid":""}"#, UnknownKey::Named),
    ] {
        assert_eq!(error(&signed(header, CLAIMS, &sign), &several), TokenError::Key(expected), "{header}");
    }
    assert_eq!(error(&signed(r#"{"alg":"ES256","kid":1}"#, CLAIMS, &sign), &several), TokenError::Malformed);
    let only = keys(&[&p256]);
    assert!(signed_payload(signed(r#"{"alg":"ES256"}"#, CLAIMS, &sign).as_bytes(), &only).is_ok());
    let misnamed = signed(r#"{"alg":"ES256","kid":"x"}"#, CLAIMS, &sign);
    assert_eq!(error(&misnamed, &only), TokenError::Key(UnknownKey::Named));
}

#[test]
fn attack_a_key_that_the_token_brings_along() {
    let (jwk, sign) = p256("mine");
    let (theirs, _) = p256("theirs");
    for header in [
        format!(r#"{{"alg":"ES256","kid":"theirs","jwk":{jwk}}}"#),
        r#"{"alg":"ES256","kid":"theirs","jku":"https://attacker.example/keys"}"#.to_owned(),
        r#"{"alg":"ES256","kid":"theirs","x5u":"https://attacker.example/chain"}"#.to_owned(),
    ] {
        assert_eq!(error(&signed(&header, CLAIMS, &sign), &keys(&[&theirs])), TokenError::Signature, "{header}");
    }
    let path = signed(r#"{"alg":"ES256","kid":"../../dev/null"}"#, CLAIMS, &sign);
    assert_eq!(error(&path, &keys(&[&theirs])), TokenError::Key(UnknownKey::Named));
}

#[test]
fn attack_a_short_rsa_key() {
    for bits in [512, 1024, 2047] {
        let mut n = vec![0xff; usize::div_ceil(bits, 8)];
        n[0] >>= (8 - bits % 8) % 8;
        let set = format!(r#"{{"keys":[{{"kty":"RSA","e":"AQAB","n":"{}"}}]}}"#, encode(&n));
        let KeySetError::NoneUsable(skipped) = KeySet::read(set.as_bytes(), KeyOrigin::File).unwrap_err() else {
            panic!("{bits} bits")
        };
        assert_eq!(skipped[0].fault, KeyFault::Modulus(bits));
    }
}

#[test]
fn attack_a_signature_of_zeros() {
    // An ECDSA verifier that forgets to check its range accepts r = s = 0.
    let (jwk, _) = p256("a");
    for signature in [vec![0; 64], vec![0xff; 64], Vec::new(), vec![0; 63], vec![0; 128]] {
        let token = signed(r#"{"alg":"ES256","kid":"a"}"#, CLAIMS, |_| signature.clone());
        assert_eq!(error(&token, &keys(&[&jwk])), TokenError::Signature);
    }
}

#[test]
fn attack_other_spellings_of_the_same_token() {
    let good = token(CLAIMS);
    assert!(verify(good.as_bytes(), &secret_keys(), EXPECTED, at(1_000)).is_ok());
    let last = good.chars().next_back().unwrap();
    // The last character has two bits without a meaning.
    let others = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|c| *c != last);
    let respelt = others.map(|other| format!("{}{other}", &good[..good.len() - 1]));
    for bad in respelt.chain([format!("{good}="), format!("{good}."), format!(" {good}"), format!("{good}\n")]) {
        assert!(verify(bad.as_bytes(), &secret_keys(), EXPECTED, at(1_000)).is_err(), "{bad}");
    }
}

#[test]
fn attack_an_encrypted_token() {
    let jwe = format!("{}.a.a.a.a", encode(r#"{"alg":"dir","enc":"A128GCM"}"#));
    assert_eq!(error(&jwe, &secret_keys()), TokenError::Malformed);
}

#[test]
fn attack_a_signed_payload_that_is_not_claims() {
    for payload in [&b"[]"[..], b"\"a\"", b"null", b"", b"{", b"\xff", b"{\"exp\":2000}{}"] {
        assert_eq!(error(&token(payload), &secret_keys()), TokenError::Malformed);
    }
}

#[test]
fn rule_10_a_token_has_at_most_8_kib() {
    let with_padding = |length: usize| {
        let claims = format!(r#"{{"iss":"me","aud":"tickfan","sub":"u17","exp":2000,"x":"{}"}}"#, "x".repeat(length));
        token(claims)
    };
    let mut length = 6_000;
    while with_padding(length + 1).len() <= TOKEN_BYTES_MAX {
        length += 1;
    }
    assert!(verify(with_padding(length).as_bytes(), &secret_keys(), EXPECTED, at(1_000)).is_ok());
    assert_eq!(error(&with_padding(length + 1), &secret_keys()), TokenError::TooLong);
    assert_eq!(error(&"x".repeat(1 << 20), &secret_keys()), TokenError::TooLong);
}

proptest! {
    #[test]
    fn any_bytes_are_refused_as_a_token(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(verify(&bytes, &secret_keys(), EXPECTED, at(1_000)).is_err());
    }

    #[test]
    fn any_signed_bytes_are_read_without_a_panic(header in any::<Vec<u8>>(), payload in any::<Vec<u8>>()) {
        let forged = signed(&header, &payload, hmac_sha256(SECRET));
        prop_assert!(verify(forged.as_bytes(), &secret_keys(), EXPECTED, at(1_000)).is_err());
        prop_assert!(verify(token(&payload).as_bytes(), &secret_keys(), EXPECTED, at(1_000)).is_err());
    }

    #[test]
    fn a_token_of_another_key_is_refused(secret in any::<[u8; 32]>()) {
        prop_assume!(secret != *SECRET);
        let forged = signed(r#"{"alg":"HS256"}"#, CLAIMS, hmac_sha256(&secret));
        prop_assert_eq!(error(&forged, &secret_keys()), TokenError::Signature);
    }
}
