//! The keys that tokens name in vain. An issuer that retires a key leaves many tokens with it: each would have the keys
//! fetched, or be told to come back, until that has gone on for a while.

use crate::auth::{KeySet, named_key};
use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The most keys that are remembered, each by a hash. Where tokens name more, the oldest ones are asked for again.
const MISSING_MAX: usize = 1_024;

/// The keys that tokens named, and a fetch since then did not give.
///
/// A key is remembered only while a fetch for it is not allowed anyway, and with the set that lacks it: the next one
/// may have it. So it takes a token that names a key before its issuer publishes it to have it refused, and then for no
/// longer than one that comes too early waits for the keys.
#[derive(Debug, Default)]
pub(super) struct MissingKeys {
    hasher: RandomState,
    /// Held for a look at some numbers. A panic ends the process, so a poisoned lock is never seen.
    missing: Mutex<Missing>,
}

#[derive(Debug, Default)]
struct Missing {
    /// The set that lacks them.
    from: Option<Arc<KeySet>>,
    /// The hash of each, when it was noted, and for how long that counts.
    keys: VecDeque<(u64, Instant, Duration)>,
}

impl MissingKeys {
    /// Whether the key that a token names is known not to be in this set, nor at its issuer.
    pub(super) fn has(&self, token: &[u8], set: &Arc<KeySet>, now: Instant) -> bool {
        let missing = self.lock();
        if missing.keys.is_empty() || !missing.is_of(set) {
            return false;
        }
        let Some(hash) = self.hash(token) else { return false };
        let counts = |noted: Instant, lasts: Duration| now.saturating_duration_since(noted) < lasts;
        missing.keys.iter().any(|(other, noted, lasts)| *other == hash && counts(*noted, *lasts))
    }

    /// The key that a token names is not in this set, which was the issuer's a moment ago. That counts for so long.
    pub(super) fn note(&self, token: &[u8], set: &Arc<KeySet>, now: Instant, lasts: Duration) {
        let Some(hash) = self.hash(token) else { return };
        let mut missing = self.lock();
        if !missing.is_of(set) {
            *missing = Missing { from: Some(set.clone()), ..Missing::default() };
        }
        missing.keys.retain(|(other, ..)| *other != hash);
        if missing.keys.len() == MISSING_MAX {
            missing.keys.pop_front();
        }
        missing.keys.push_back((hash, now, lasts));
    }

    fn hash(&self, token: &[u8]) -> Option<u64> {
        named_key(token).map(|id| self.hasher.hash_one(id))
    }

    fn lock(&self) -> MutexGuard<'_, Missing> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Missing {
    fn is_of(&self, set: &Arc<KeySet>) -> bool {
        self.from.as_ref().is_some_and(|from| Arc::ptr_eq(from, set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};

    const LASTS: Duration = Duration::from_secs(30);

    fn token(id: &str) -> Vec<u8> {
        format!("{}.e30.AA", BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"kid":"{id}"}}"#))).into_bytes()
    }

    fn set() -> Arc<KeySet> {
        Arc::new(KeySet::of_secret(&[7; 32]).unwrap())
    }

    #[test]
    fn a_key_is_missing_for_a_while_and_only_from_the_set_that_lacked_it() {
        let (keys, set, start) = (MissingKeys::default(), set(), Instant::now());
        assert!(!keys.has(&token("old"), &set, start));
        keys.note(&token("old"), &set, start, LASTS);
        for (id, after, is_missing) in [("old", 0, true), ("old", 29, true), ("old", 30, false), ("new", 0, false)] {
            let now = start + Duration::from_secs(after);
            assert_eq!(keys.has(&token(id), &set, now), is_missing, "{id} after {after} s");
        }
        let next = self::set();
        assert!(!keys.has(&token("old"), &next, start), "it may have the key");
        keys.note(&token("other"), &next, start, LASTS);
        assert!(!keys.has(&token("old"), &set, start) && !keys.has(&token("old"), &next, start), "all are forgotten");
        keys.note(&token("old"), &next, start + LASTS, LASTS);
        assert!(keys.has(&token("old"), &next, start + LASTS), "it is asked for again and again");
        keys.note(&token("ever"), &next, start, Duration::MAX);
        assert!(keys.has(&token("ever"), &next, start + 1_000_000 * LASTS));
    }

    #[test]
    fn what_names_no_key_misses_none() {
        let (keys, set, now) = (MissingKeys::default(), set(), Instant::now());
        keys.note(&token("old"), &set, now, LASTS);
        for token in [&b""[..], b"a", b"e30.e30.AA", b"eyJraWQiOjd9.e30.AA"] {
            keys.note(token, &set, now, LASTS);
            assert!(!keys.has(token, &set, now));
        }
    }

    #[test]
    fn rule_10_the_newest_missing_keys_are_remembered() {
        let (keys, set, now) = (MissingKeys::default(), set(), Instant::now());
        for number in 0..=MISSING_MAX {
            keys.note(&token(&number.to_string()), &set, now, LASTS);
            keys.note(&token(&number.to_string()), &set, now, LASTS);
        }
        assert_eq!(keys.lock().keys.len(), MISSING_MAX);
        assert!(!keys.has(&token("0"), &set, now) && keys.has(&token("1"), &set, now));
    }
}
