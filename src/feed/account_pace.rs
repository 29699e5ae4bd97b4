//! The pace of requests beside the streams. A venue counts them by account, so the connections of all feeds that show
//! the same key to the same host share it. Pure: the time is passed in.

use crate::venue::SnapshotRequest;
use std::{
    collections::{HashMap, hash_map::RandomState},
    hash::BuildHasher,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Gives each request its turn. Clones share the turns.
#[derive(Debug, Clone, Default)]
pub struct AccountPace(Arc<Turns>);

#[derive(Debug, Default)]
struct Turns {
    /// Makes an account of a host and its keys, which are not kept.
    hasher: RandomState,
    /// The earliest next turn of each account that has waits. A std mutex: requests are rare.
    free_at: Mutex<HashMap<Account, Instant>>,
}

/// An account at a venue's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Account(u64);

impl AccountPace {
    /// The account that this request is counted for.
    pub(super) fn account(&self, request: &SnapshotRequest) -> Account {
        let host = request.url.split('/').nth(2).unwrap_or_default();
        let keys: Vec<&str> = request.fields.iter().map(|(_, secret)| secret.expose()).collect();
        Account(self.0.hasher.hash_one((host, keys)))
    }

    /// Takes a turn, after which the next one is `between` later.
    ///
    /// # Errors
    /// It is not free yet: when it will be.
    pub(super) fn take_turn(&self, account: Account, between: Duration, now: Instant) -> Result<(), Instant> {
        let mut free_at = self.0.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        free_at.retain(|_, free_at| *free_at > now);
        if let Some(free_at) = free_at.get(&account) {
            return Err(*free_at);
        }
        free_at.insert(account, now + between);
        Ok(())
    }

    /// The venue wants no request of the account before `until`.
    pub(super) fn hold(&self, account: Account, until: Instant) {
        let mut free_at = self.0.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let free_at = free_at.entry(account).or_insert(until);
        *free_at = until.max(*free_at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::Secret;

    const PACE: Duration = Duration::from_millis(600);

    fn request(url: &str, key: &str) -> SnapshotRequest {
        SnapshotRequest { url: url.to_owned(), fields: vec![("key", Secret::new(key))] }
    }

    #[test]
    fn rule_10_requests_of_one_account_share_a_pace_and_others_do_not_wait() {
        let now = Instant::now();
        let pace = AccountPace::default();
        let stocks = pace.account(&request("https://data.example/v2/stocks?symbols=A", "key"));
        let coins = pace.clone().account(&request("https://data.example/v1/coins", "key"));
        let another_key = pace.account(&request("https://data.example/v2/stocks?symbols=A", "another"));
        let another_host = pace.account(&request("https://sandbox.example/v2/stocks?symbols=A", "key"));
        assert_eq!(pace.take_turn(stocks, PACE, now), Ok(()));
        assert_eq!(pace.clone().take_turn(coins, PACE, now), Err(now + PACE));
        assert_eq!(pace.take_turn(another_key, PACE, now), Ok(()));
        assert_eq!(pace.take_turn(another_host, PACE, now), Ok(()));
        assert_eq!(pace.take_turn(coins, PACE, now + PACE), Ok(()));
        assert_eq!(pace.take_turn(stocks, PACE, now + PACE), Err(now + 2 * PACE));
    }

    #[test]
    fn a_venue_that_asks_one_connection_to_wait_asks_the_account() {
        let now = Instant::now();
        let pace = AccountPace::default();
        let account = pace.account(&request("https://data.example/", "key"));
        pace.take_turn(account, PACE, now).unwrap();
        pace.hold(account, now + 10 * PACE);
        pace.hold(account, now + 5 * PACE);
        assert_eq!(pace.take_turn(account, PACE, now + 9 * PACE), Err(now + 10 * PACE));
        assert_eq!(pace.take_turn(account, PACE, now + 10 * PACE), Ok(()));
    }

    #[test]
    fn rule_10_accounts_without_a_wait_are_forgotten() {
        let now = Instant::now();
        let pace = AccountPace::default();
        for key in 0..1_000 {
            let account = pace.account(&request("https://data.example/", &key.to_string()));
            pace.take_turn(account, PACE, now + key * PACE).unwrap();
        }
        assert_eq!(pace.0.free_at.lock().unwrap().len(), 1);
    }
}
