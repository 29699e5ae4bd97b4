//! An issuer of tokens.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    rsa::PublicKeyComponents,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use serde_json::{Value, json};
use std::{
    process::Command,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

/// The secret of HS256.
const SECRET: [u8; 32] = [7; 32];

/// A key of RSA, 2,048 bits. ring makes none.
pub static RSA: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    let options = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"];
    let made = Command::new("openssl").args(options).output().expect("openssl is installed");
    // Which of both it writes depends on its version.
    RsaKeyPair::from_pkcs8(&made.stdout).or_else(|_| RsaKeyPair::from_der(&made.stdout)).unwrap()
});

/// Signs tokens with one key.
pub struct Issuer {
    key: SigningKey,
    kid: &'static str,
}

/// What an issuer signs with.
pub enum SigningKey {
    Rs256,
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Hs256,
}

impl SigningKey {
    /// One of each kind.
    pub fn all() -> [Self; 4] {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        let ed25519 = Ed25519KeyPair::from_seed_unchecked(&[1; 32]).unwrap();
        [Self::Rs256, Self::Es256(pair), Self::EdDsa(ed25519), Self::Hs256]
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
            Self::Hs256 => "HS256",
        }
    }

    /// What a set has of it.
    fn jwk(&self) -> Value {
        match self {
            Self::Rs256 => {
                let PublicKeyComponents::<Vec<u8>> { n, e } = RSA.public_key().into();
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
            }
            Self::EdDsa(pair) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())}),
            Self::Hs256 => json!({"kty": "oct", "k": encode(SECRET)}),
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rs256 => {
                let mut signature = vec![0; RSA.public().modulus_len()];
                RSA.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Es256(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Hs256 => hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), message).as_ref().to_vec(),
        }
    }
}

impl Issuer {
    /// An issuer whose key, of Ed25519, follows from a seed.
    pub fn new(seed: u8, kid: &'static str) -> Self {
        Self::of(SigningKey::EdDsa(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()), kid)
    }

    /// An issuer with this key.
    pub fn of(key: SigningKey, kid: &'static str) -> Self {
        Self { key, kid }
    }

    /// Its key, as a set.
    pub fn jwks(&self) -> String {
        let mut jwk = self.key.jwk();
        jwk["use"] = json!("sig");
        jwk["kid"] = json!(self.kid);
        json!({"keys": [jwk]}).to_string()
    }

    /// A token of any claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": self.key.algorithm(), "typ": "JWT", "kid": self.kid}), claims)
    }

    /// A token of any header and claims.
    pub fn sign_as(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of any texts in their places.
    pub fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.key.sign(signed.as_bytes()));
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
