//! An issuer of tokens.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Signs tokens with one key of Ed25519.
pub struct Issuer {
    pair: Ed25519KeyPair,
    kid: &'static str,
}

impl Issuer {
    /// An issuer whose key follows from a seed.
    pub fn new(seed: u8, kid: &'static str) -> Self {
        Self { pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(), kid }
    }

    /// Its key, as a set.
    pub fn jwks(&self) -> String {
        let x = encode(self.pair.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.kid, "x": x}]}).to_string()
    }

    /// A token of any claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid}), claims)
    }

    /// A token of any header and claims.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of any texts in their places.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.pair.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token of a subject with these rights, which expires in so many seconds.
    pub fn token(&self, subject: &str, seconds: i64, rights: &Value) -> String {
        self.sign(&claims(subject, seconds, rights))
    }

    /// A token that allows these symbols live, for ten minutes.
    pub fn live(&self, subject: &str, live: &[&str]) -> String {
        self.token(subject, 600, &json!({"live": live}))
    }
}

/// The claims of a token.
pub fn claims(subject: &str, seconds: i64, rights: &Value) -> Value {
    json!({"iss": "https://login.example", "aud": "tickfan", "sub": subject, "exp": now() + seconds, "tickfan": rights})
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
