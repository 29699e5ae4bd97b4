//! Signs tokens for the tests of this folder.

use super::{KeyOrigin, KeySet};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};

pub(super) const SECRET: &[u8; 32] = b"0123456789abcdef0123456789abcdef";

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// A token of any header and payload, signed by `sign`.
pub(super) fn signed(header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

pub(super) fn hmac_sha256(secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |message| hmac::sign(&key, message).as_ref().to_vec()
}

/// A token that [`SECRET`] signed.
pub(super) fn token(payload: impl AsRef<[u8]>) -> String {
    signed(r#"{"alg":"HS256"}"#, payload, hmac_sha256(SECRET))
}

pub(super) fn secret_keys() -> KeySet {
    KeySet::of_secret(SECRET).unwrap()
}

/// A key pair of Ed25519, as a JWK and as a signer.
pub(super) fn ed25519(kid: &str) -> (String, impl Fn(&[u8]) -> Vec<u8>) {
    let pair = Ed25519KeyPair::from_seed_unchecked(SECRET).unwrap();
    let x = encode(pair.public_key());
    let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{kid}","x":"{x}"}}"#);
    (jwk, move |message: &[u8]| pair.sign(message).as_ref().to_vec())
}

/// A key pair of P-256, as a JWK and as a signer.
pub(super) fn p256(kid: &str) -> (String, impl Fn(&[u8]) -> Vec<u8>) {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let jwk = format!(r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","x":"{}","y":"{}"}}"#, encode(x), encode(y));
    (jwk, move |message: &[u8]| pair.sign(&random, message).unwrap().as_ref().to_vec())
}

/// The keys of a JWK set from a file, none of which is skipped.
pub(super) fn keys(jwks: &[&str]) -> KeySet {
    let read = KeySet::read(format!(r#"{{"keys":[{}]}}"#, jwks.join(",")).as_bytes(), KeyOrigin::File).unwrap();
    assert_eq!(read.skipped, []);
    read.keys
}
