use super::*;
use crate::{
    auth::{LEEWAY, SubjectKey},
    config::{Auth, Config},
};

const SECOND: i64 = 1_000_000;
/// The token counts from 970 s, by its `nbf`, until 2,030 s.
const NOW: UnixMicros = UnixMicros(1_500 * SECOND);

struct Site {
    tokens: VerifiedTokens,
    keys: Arc<KeySet>,
    auth: Auth,
}

impl Site {
    fn new() -> Self {
        Self { tokens: VerifiedTokens::default(), keys: keys(), auth: auth() }
    }

    /// Verifies a token, and remembers it.
    fn note(&self, number: usize, claims: &Claims) -> Arc<Grant> {
        let grant = self.auth.policy.grant(claims, &SubjectKey::new([1; 32]));
        self.tokens.note(token(number), &self.keys, &self.auth, claims, &grant);
        grant
    }

    fn find(&self, number: usize) -> Option<Arc<Grant>> {
        self.tokens.grant(&token(number), &self.keys, &self.auth, NOW)
    }
}

fn keys() -> Arc<KeySet> {
    Arc::new(KeySet::of_secret(&[7; 32]).unwrap())
}

fn auth() -> Auth {
    let mut auth = Config::default().auth;
    auth.issuer = "https://login.example".to_owned();
    auth
}

fn token(number: usize) -> TokenHash {
    TokenHash::of(number.to_string().as_bytes())
}

fn claims(listed: usize) -> Claims {
    Claims {
        subject: "u17".to_owned(),
        from: Some(UnixMicros(970 * SECOND)),
        expires: UnixMicros(2_000 * SECOND),
        until: UnixMicros(2_000 * SECOND + LEEWAY.as_micros() as i64),
        live: Some(vec!["AAPL".parse().unwrap(); listed]),
        delayed: None,
        streams: None,
        rate: None,
    }
}

#[test]
fn a_token_that_was_verified_has_its_grant_again_and_no_other_token_has() {
    let site = Site::new();
    assert!(site.find(1).is_none());
    let grant = site.note(1, &claims(1));
    assert!(Arc::ptr_eq(&site.find(1).unwrap(), &grant));
    assert!(site.find(2).is_none());
    assert_ne!(TokenHash::of(b"a.b.c"), TokenHash::of(b"a.b.d"));
}

#[test]
fn a_token_that_was_verified_counts_at_the_times_that_it_allows() {
    let site = Site::new();
    site.note(1, &claims(1));
    for (micros, counts) in [
        (970 * SECOND - 1, false),
        (970 * SECOND, true),
        (2_030 * SECOND - 1, true),
        (2_030 * SECOND, false),
        (i64::MAX, false),
    ] {
        let found = site.tokens.grant(&token(1), &site.keys, &site.auth, UnixMicros(micros));
        assert_eq!(found.is_some(), counts, "at {micros}");
    }
}

#[test]
fn other_keys_another_issuer_audience_or_policy_have_a_token_verified_once_more() {
    type Change = fn(&mut Site);
    let changes: [(&str, Change); 4] = [
        ("keys", |site| site.keys = keys()),
        ("issuer", |site| site.auth.issuer.clear()),
        ("audience", |site| site.auth.audience = "billing".to_owned()),
        ("policy", |site| site.auth.policy = auth().policy),
    ];
    for (what, change) in changes {
        let mut site = Site::new();
        site.note(1, &claims(1));
        change(&mut site);
        assert!(site.find(1).is_none(), "{what}");
        site.note(1, &claims(1));
        assert!(site.find(1).is_some(), "{what}");
    }
}

#[test]
fn rule_10_the_tokens_that_were_used_last_are_remembered_and_none_with_long_lists() {
    let site = Site::new();
    site.note(0, &claims(LISTED_MAX));
    site.note(1, &claims(LISTED_MAX + 1));
    assert!(site.find(0).is_some() && site.find(1).is_none());
    for number in 2..TOKENS_MAX + 2 {
        site.note(number, &claims(1));
    }
    assert!(site.find(0).is_some(), "the older generation counts, and a token of it is of the newer one from now on");
    for number in 0..2 * TOKENS_MAX {
        site.note(10 * TOKENS_MAX + number, &claims(1));
        let tokens = site.tokens.lock();
        assert!(tokens.newer.len() + tokens.older.len() <= 2 * TOKENS_MAX);
    }
    assert!(site.find(0).is_none());
}
