use super::{
    super::{
        KeyFault, SECRET_BYTES_MAX, SECRET_BYTES_MIN,
        signing_tests::{SECRET, ed25519, encode, p256},
    },
    *,
};
use proptest::prelude::*;

fn read(set: &str, origin: KeyOrigin) -> Result<ReadKeys, KeySetError> {
    KeySet::read(set.as_bytes(), origin)
}

/// Why a key is skipped; `None`: it verifies.
fn fault(jwk: &str, origin: KeyOrigin) -> Option<KeyFault> {
    match read(&format!(r#"{{"keys":[{jwk}]}}"#), origin) {
        Ok(_) => None,
        Err(KeySetError::NoneUsable(skipped)) => Some(skipped[0].fault.clone()),
        Err(error) => panic!("{jwk}: {error}"),
    }
}

fn rsa(n: &[u8], e: &[u8]) -> String {
    format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, encode(n), encode(e))
}

/// An odd number of so many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut n = vec![0xff; bits.div_ceil(8)];
    n[0] >>= (8 - bits % 8) % 8;
    n
}

#[test]
fn a_key_that_verifies_no_token_is_skipped_with_a_reason() {
    let x = encode([1; 32]);
    for (jwk, expected) in [
        ("1".to_owned(), KeyFault::NotAnObject),
        (r#"{"kty":"RSA","kty":"RSA"}"#.to_owned(), KeyFault::NotAnObject),
        ("{}".to_owned(), KeyFault::Member("kty")),
        (r#"{"kty":1}"#.to_owned(), KeyFault::Member("kty")),
        (r#"{"kty":"AKP","alg":"ML-DSA-44"}"#.to_owned(), KeyFault::Kind),
        (r#"{"kty":"rsa"}"#.to_owned(), KeyFault::Kind),
        (r#"{"kty":"RSA","e":"AQAB"}"#.to_owned(), KeyFault::Member("n")),
        (r#"{"kty":"RSA","n":"A=","e":"AQAB"}"#.to_owned(), KeyFault::Base64("n")),
        (rsa(&[&[0], modulus(2048).as_slice()].concat(), &[3]), KeyFault::Length("n")),
        (rsa(&[], &[3]), KeyFault::Modulus(0)),
        (rsa(&modulus(4097), &[3]), KeyFault::Modulus(4097)),
        (rsa(&[&[0xff; 255], &[0xfe][..]].concat(), &[3]), KeyFault::Modulus(2048)),
        (rsa(&modulus(2048), &[1]), KeyFault::Exponent),
        (rsa(&modulus(2048), &[4]), KeyFault::Exponent),
        (rsa(&modulus(2048), &[2, 0, 0, 0, 1]), KeyFault::Exponent),
        (rsa(&modulus(2048), &[1; 100]), KeyFault::Exponent),
        (rsa(&modulus(2048), &[0, 3]), KeyFault::Length("e")),
        (rsa(&modulus(2048), &[]), KeyFault::Exponent),
        (format!(r#"{{"kty":"EC","crv":"P-384","x":"{x}","y":"{x}"}}"#), KeyFault::Curve("P-256")),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{x}"}}"#), KeyFault::Point),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"AA"}}"#), KeyFault::Length("y")),
        (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}"}}"#), KeyFault::Member("y")),
        (format!(r#"{{"kty":"OKP","crv":"X25519","x":"{x}"}}"#), KeyFault::Curve("Ed25519")),
        (r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.to_owned(), KeyFault::Length("x")),
        (r#"{"kty":"oct","k":"AA"}"#.to_owned(), KeyFault::SecretLength(1)),
    ] {
        assert_eq!(fault(&jwk, KeyOrigin::File), Some(expected), "{jwk}");
    }
    for good in [rsa(&modulus(2048), &[1, 0, 1]), rsa(&modulus(4096), &[1, 0xff, 0xff, 0xff, 0xff])] {
        assert_eq!(fault(&good, KeyOrigin::Network), None);
    }
}

#[test]
fn use_operations_and_algorithm_of_a_key_are_respected() {
    let (jwk, _) = p256("a");
    for (member, expected) in [
        (r#""use":"sig""#, None),
        (r#""use":"enc""#, Some(KeyFault::Use)),
        (r#""use":1"#, Some(KeyFault::Use)),
        (r#""key_ops":["verify"]"#, None),
        (r#""key_ops":["sign","verify"]"#, None),
        (r#""key_ops":["encrypt"]"#, Some(KeyFault::Operations)),
        (r#""key_ops":[]"#, Some(KeyFault::Operations)),
        (r#""key_ops":"verify""#, Some(KeyFault::Operations)),
        (r#""alg":"ES256""#, None),
        (r#""alg":"ES384""#, Some(KeyFault::Algorithm(Algorithm::Es256))),
        (r#""alg":"HS256""#, Some(KeyFault::Algorithm(Algorithm::Es256))),
        (r#""alg":1"#, Some(KeyFault::Member("alg"))),
        (r#""x5c":["AA"],"new":{}"#, None),
        (r#""d":"AA""#, Some(KeyFault::Private("d"))),
    ] {
        let jwk = jwk.replacen('{', &format!("{{{member},"), 1);
        assert_eq!(fault(&jwk, KeyOrigin::Network), expected, "{member}");
    }
    assert_eq!(fault(&ed25519("a").0.replacen('{', r#"{"alg":"Ed25519","#, 1), KeyOrigin::Network), None);
}

#[test]
fn a_secret_comes_from_a_file_alone_and_has_32_bytes() {
    let secret = |bytes: usize| format!(r#"{{"kty":"oct","k":"{}"}}"#, encode(vec![1; bytes]));
    assert_eq!(fault(&secret(SECRET_BYTES_MIN), KeyOrigin::File), None);
    assert_eq!(fault(&secret(SECRET_BYTES_MIN), KeyOrigin::Network), Some(KeyFault::SecretFromNetwork));
    assert_eq!(fault(&secret(SECRET_BYTES_MIN - 1), KeyOrigin::File), Some(KeyFault::SecretLength(31)));
    assert_eq!(fault(&secret(SECRET_BYTES_MAX), KeyOrigin::File), None);
    assert_eq!(fault(&secret(SECRET_BYTES_MAX + 1), KeyOrigin::File), Some(KeyFault::SecretLength(1025)));
    assert_eq!(KeySet::of_secret(&[1; 31]).unwrap_err(), KeyFault::SecretLength(31));
}

#[test]
fn unknown_kinds_are_skipped_and_the_rest_is_used() {
    let set = format!(r#"{{"keys":[{{"kty":"new"}},{},{}],"else":1}}"#, p256("a").0, p256("a").0);
    let ReadKeys { keys, skipped } = read(&set, KeyOrigin::Network).unwrap();
    assert_eq!(keys.algorithms().collect::<Vec<_>>(), [Algorithm::Es256]);
    let shown: Vec<String> = skipped.iter().map(SkippedKey::to_string).collect();
    assert_eq!(shown, ["key 1: `kty` is not RSA, EC, OKP or oct", "key 3: an earlier key has the same `kid`"]);
}

#[test]
fn what_is_not_a_key_set_is_an_error_that_says_so() {
    for (set, expected) in [
        ("", KeySetError::NotAnObject),
        ("[]", KeySetError::NotAnObject),
        ("{}", KeySetError::NoKeys),
        (r#"{"keys":{}}"#, KeySetError::NoKeys),
        (r#"{"keys":[]}"#, KeySetError::NoneUsable(Vec::new())),
        (&p256("a").0, KeySetError::NoKeys),
    ] {
        assert_eq!(read(set, KeyOrigin::File).unwrap_err(), expected, "{set}");
    }
    let none = read(r#"{"keys":[{},{"kty":"new"}]}"#, KeyOrigin::File).unwrap_err().to_string();
    assert_eq!(
        none,
        "none of its 2 keys can verify a token; key 1: `kty` must be a string; key 2: `kty` is not RSA, EC, OKP or oct"
    );
}

#[test]
fn rule_10_a_set_has_at_most_32_keys_64_kib_and_short_names() {
    let set = |count: usize| {
        let jwks: Vec<String> = (0..count).map(|kid| ed25519(&kid.to_string()).0).collect();
        format!(r#"{{"keys":[{}]}}"#, jwks.join(","))
    };
    assert_eq!(read(&set(KEYS_MAX), KeyOrigin::File).unwrap().keys.algorithms().count(), KEYS_MAX);
    assert_eq!(read(&set(KEYS_MAX + 1), KeyOrigin::File).unwrap_err(), KeySetError::TooMany(KEYS_MAX + 1));
    let padded = |length: usize| format!("{}{}", set(1), " ".repeat(length - set(1).len()));
    assert!(read(&padded(KEY_SET_BYTES_MAX), KeyOrigin::File).is_ok());
    assert_eq!(read(&padded(KEY_SET_BYTES_MAX + 1), KeyOrigin::File).unwrap_err(), KeySetError::TooLong);
    assert_eq!(fault(&ed25519(&"a".repeat(256)).0, KeyOrigin::File), None);
    assert_eq!(fault(&ed25519(&"a".repeat(257)).0, KeyOrigin::File), Some(KeyFault::IdLength));
}

#[test]
fn a_key_shows_nothing_of_its_secret() {
    let keys = KeySet::of_secret(SECRET).unwrap();
    let shown = format!("{keys:?}");
    assert!(!shown.contains("0123") && !shown.contains("48, 49"), "{shown}");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in any::<Vec<u8>>(), x in any::<Vec<u8>>(), y in any::<Vec<u8>>()) {
        prop_assert!(KeySet::read(&bytes, KeyOrigin::File).is_err());
        for jwk in [
            format!(r#"{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}"#, encode(&x), encode(&y)),
            rsa(&x, &y),
        ] {
            prop_assert!(fault(&jwk, KeyOrigin::Network).is_some());
        }
    }
}
