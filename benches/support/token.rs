//! A token that is signed with a secret, and what verifies it.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::hmac;
use std::sync::Arc;
use tickfan::{
    auth::{self, Expected, Grant, Groups, KeySet, Lists, Policy, SubjectKey},
    market::{Now, UnixMicros},
};

const SECRET: [u8; 32] = [7; 32];
const HEADER: &str = r#"{"alg":"HS256","kid":"one"}"#;
const CLAIMS: &str =
    r#"{"aud":"tickfan","sub":"a crowd","exp":253402300799,"tickfan":{"live":["*"],"streams":100000}}"#;

pub struct Token {
    text: String,
    keys: KeySet,
    policy: Policy,
    subjects: SubjectKey,
    now: UnixMicros,
}

impl Token {
    pub fn new() -> Self {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(HEADER.as_bytes()), encode(CLAIMS.as_bytes()));
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &SECRET), signed.as_bytes());
        Self {
            text: format!("{signed}.{}", encode(signature.as_ref())),
            keys: KeySet::of_secret(&SECRET).unwrap(),
            policy: Policy::new(Groups::default(), &Lists::default(), &Lists::default(), 16),
            subjects: SubjectKey::new(SECRET),
            now: Now::read().unix,
        }
    }

    /// Verifies it, and makes a grant of it.
    pub fn grant(&self) -> Arc<Grant> {
        let expected = Expected { issuer: "", audience: "tickfan" };
        let claims = auth::verify(self.text.as_bytes(), &self.keys, expected, self.now).unwrap();
        self.policy.grant(&claims, &self.subjects)
    }
}
