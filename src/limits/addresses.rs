//! Limits on what each client holds, by its address or by who it is: its open streams, and their symbols.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The part of an IPv6 address that a provider assigns. A client can change the rest as often as it likes.
const V6_NETWORK_BITS: u128 = u128::MAX << 64;

/// The identity of a client for limits: its IPv4 address, also if it comes mapped into IPv6, or the /64 of its IPv6
/// address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(IpAddr);

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & V6_NETWORK_BITS).into(),
            v4 => v4,
        })
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How much each key holds that holds anything. So the limit of streams bounds the map.
type Open<K> = Mutex<HashMap<K, usize>>;

/// The permits of all keys of a kind, such as the addresses of clients. They are counted also while they have no limit,
/// so that one that a reload sets counts the streams that are open already.
#[derive(Debug)]
pub struct Shares<K> {
    open: Arc<Open<K>>,
}

/// The permits of all addresses.
pub type Addresses = Shares<ClientAddress>;

/// One of a key's permits; dropping it gives it back.
#[derive(Debug)]
#[must_use = "a permit that is dropped is given back at once"]
pub struct SharePermit<K: Hash + Eq> {
    open: Arc<Open<K>>,
    key: K,
    count: usize,
}

/// One of an address's permits.
pub type AddressPermit = SharePermit<ClientAddress>;

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self { open: Arc::default() }
    }
}

impl<K: Hash + Eq + Copy> Shares<K> {
    /// One permit that counts as `count`, if the key then holds at most `limit`; 0 is unlimited.
    pub fn try_acquire(&self, key: K, count: usize, limit: usize) -> Option<SharePermit<K>> {
        let mut open = lock(&self.open);
        let held = open.get(&key).copied().unwrap_or_default();
        let sum = held.checked_add(count).filter(|sum| limit == 0 || *sum <= limit)?;
        open.insert(key, sum);
        Some(SharePermit { open: self.open.clone(), key, count })
    }
}

impl<K: Hash + Eq> SharePermit<K> {
    /// Makes it count as `count`, if the key then holds at most `limit`; 0 is unlimited. `false`: nothing has changed.
    /// A permit may always become smaller.
    pub fn resize(&mut self, count: usize, limit: usize) -> bool {
        let mut open = lock(&self.open);
        let Some(held) = open.get_mut(&self.key) else { return false };
        let sum = *held - self.count + count;
        let is_allowed = count <= self.count || limit == 0 || sum <= limit;
        if is_allowed {
            *held = sum;
            self.count = count;
        }
        is_allowed
    }
}

impl<K: Hash + Eq> SharePermit<K> {
    /// Whether its key holds at most `limit`; 0 is unlimited.
    pub fn fits(&self, limit: usize) -> bool {
        limit == 0 || lock(&self.open).get(&self.key).is_none_or(|held| *held <= limit)
    }
}

impl<K: Hash + Eq> Drop for SharePermit<K> {
    fn drop(&mut self) {
        let mut open = lock(&self.open);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= self.count;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// Held for a look-up. A panic ends the process, so a poisoned lock is never seen.
fn lock<K>(open: &Open<K>) -> MutexGuard<'_, HashMap<K, usize>> {
    open.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ClientAddress {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn an_ipv6_client_is_its_network_and_a_mapped_one_is_ipv4() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            assert_eq!(address(one) == address(other), same, "{one} and {other}");
        }
    }

    #[test]
    fn rule_10_each_address_gets_its_limit_and_the_map_forgets_addresses_that_left() {
        let addresses = Addresses::default();
        let one = address("192.0.2.1");
        let other = address("192.0.2.2");
        let first = addresses.try_acquire(one, 1, 2).unwrap();
        let second = addresses.try_acquire(one, 1, 2).unwrap();
        assert!(addresses.try_acquire(one, 1, 2).is_none());
        let third = addresses.try_acquire(other, 1, 2).unwrap();
        drop(first);
        let fourth = addresses.try_acquire(one, 1, 2).unwrap();
        assert!(addresses.try_acquire(one, 1, 2).is_none());
        assert_eq!(lock(&addresses.open).len(), 2);
        drop((second, third, fourth));
        assert_eq!(lock(&addresses.open).len(), 0);
        let unlimited: Vec<_> = (0..9).map(|_| addresses.try_acquire(one, 1, 0).unwrap()).collect();
        assert!(addresses.try_acquire(one, 1, 9).is_none(), "a limit counts the permits from before it");
        drop(unlimited);
        assert!(addresses.try_acquire(one, 1, 9).is_some());
    }

    #[test]
    fn rule_10_a_permit_that_counts_as_many_is_given_back_whole() {
        let addresses = Addresses::default();
        let one = address("192.0.2.1");
        let held = addresses.try_acquire(one, 500, 1_000).unwrap();
        for (count, fits) in [(501, false), (usize::MAX, false), (500, true), (1, true)] {
            assert_eq!(addresses.try_acquire(one, count, 1_000).is_some(), fits, "{count}");
        }
        drop(held);
        assert!(addresses.try_acquire(one, 1_001, 1_000).is_none());
        assert!(lock(&addresses.open).is_empty(), "a refused client is not kept");
        drop(addresses.try_acquire(one, 1_000, 1_000).unwrap());
        assert!(lock(&addresses.open).is_empty());
    }

    #[test]
    fn rule_10_a_permit_grows_as_far_as_the_limit_allows_and_shrinks() {
        let addresses = Addresses::default();
        let one = address("192.0.2.1");
        let mut permit = addresses.try_acquire(one, 4, 10).unwrap();
        let other = addresses.try_acquire(one, 3, 10).unwrap();
        let held = || lock(&addresses.open).get(&one).copied().unwrap_or_default();
        for (count, limit, fits, sum) in
            [(8, 10, false, 7), (7, 10, true, 10), (6, 1, true, 9), (7, 1, false, 9), (99, 0, true, 102)]
        {
            assert_eq!((permit.resize(count, limit), held()), (fits, sum), "{count} of {limit}");
        }
        drop(permit);
        assert_eq!(held(), 3);
        drop(other);
        assert!(lock(&addresses.open).is_empty());
    }

    #[test]
    fn threads_never_get_more_than_the_limit() {
        let addresses = Addresses::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for number in 0..5_000 {
                        let client = IpAddr::from([192, 0, 2, (number % 3) as u8]).into();
                        let held = (addresses.try_acquire(client, 1, 3), addresses.try_acquire(client, 1, 3));
                        assert!(lock(&addresses.open).values().all(|count| (1..=3).contains(count)));
                        drop(held);
                    }
                });
            }
        });
        assert!(lock(&addresses.open).is_empty());
    }
}
