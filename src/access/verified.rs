//! Tokens that were verified. A client whose line broke comes back with the token that it had, and a page sends one
//! with each of its requests: only the first time is the signature checked.

use crate::{
    auth::{Claims, Grant, KeySet},
    config,
    market::UnixMicros,
};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The tokens of a generation. The last two are remembered: half a kilobyte for each token, 8 MB in all.
const TOKENS_MAX: usize = 8_192;
/// The most entries of the lists of a token that is remembered, since its grant holds them: 16 take about a kilobyte.
const LISTED_MAX: usize = 16;

/// A token's name here: what is remembered must not be a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash([u8; SHA256_OUTPUT_LEN]);

impl TokenHash {
    pub(super) fn of(token: &[u8]) -> Self {
        Self(digest(&SHA256, token).as_ref().try_into().expect("SHA-256 has this length"))
    }
}

/// The grants of tokens that were verified; none of those that were refused.
///
/// A grant is given again only where a verification would make it again: by the same keys, for the same issuer and
/// audience, under the same policy, at a time at which the token counts.
#[derive(Debug, Default)]
pub(super) struct VerifiedTokens {
    /// Held for some look-ups. A panic ends the process, so a poisoned lock is never seen.
    tokens: Mutex<Tokens>,
}

#[derive(Debug, Default)]
struct Tokens {
    /// What all of them were verified with.
    by: Option<VerifiedBy>,
    newer: HashMap<TokenHash, Arc<Grant>>,
    older: HashMap<TokenHash, Arc<Grant>>,
}

#[derive(Debug)]
struct VerifiedBy {
    keys: Arc<KeySet>,
    issuer: String,
    audience: String,
}

impl VerifiedTokens {
    /// The grant of a token, if it was verified before and counts now.
    pub(super) fn grant(
        &self,
        token: &TokenHash,
        keys: &Arc<KeySet>,
        auth: &config::Auth,
        now: UnixMicros,
    ) -> Option<Arc<Grant>> {
        let mut tokens = self.lock();
        if !tokens.are_by(keys, auth) {
            return None;
        }
        let grant = tokens.find(token)?;
        (auth.policy.has_made(&grant) && grant.counts(now)).then_some(grant)
    }

    /// Remembers the grant of a token that these keys have verified.
    pub(super) fn note(
        &self,
        token: TokenHash,
        keys: &Arc<KeySet>,
        auth: &config::Auth,
        claims: &Claims,
        grant: &Arc<Grant>,
    ) {
        if claims.listed() > LISTED_MAX {
            return;
        }
        let mut tokens = self.lock();
        if !tokens.are_by(keys, auth) {
            let (issuer, audience) = (auth.issuer.clone(), auth.audience.clone());
            let by = Some(VerifiedBy { keys: keys.clone(), issuer, audience });
            *tokens = Tokens { by, ..Tokens::default() };
        }
        tokens.add(token, grant.clone());
    }

    fn lock(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tokens {
    fn are_by(&self, keys: &Arc<KeySet>, auth: &config::Auth) -> bool {
        self.by
            .as_ref()
            .is_some_and(|by| Arc::ptr_eq(&by.keys, keys) && by.issuer == auth.issuer && by.audience == auth.audience)
    }

    /// One of the older generation passes to the newer.
    fn find(&mut self, token: &TokenHash) -> Option<Arc<Grant>> {
        if let Some(grant) = self.newer.get(token) {
            return Some(grant.clone());
        }
        let grant = self.older.remove(token)?;
        self.add(*token, grant.clone());
        Some(grant)
    }

    fn add(&mut self, token: TokenHash, grant: Arc<Grant>) {
        if self.newer.len() == TOKENS_MAX {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(token, grant);
    }
}

#[cfg(test)]
#[path = "verified_tests.rs"]
mod tests;
