//! The keys that verify tokens: which the configuration names, and who asks for them.

use crate::{
    access::Keys,
    auth::KeySet,
    config::{self, Config, ReloadError},
    issuer::{Failed, Fetched, Fetcher, IssuerKeys, Keeper, Replacement, Source, Times, keep},
};
use futures_util::future::BoxFuture;
use std::{num::NonZero, sync::Arc, time::Duration};

impl Keys for IssuerKeys {
    fn newest(&self) -> Option<Arc<KeySet>> {
        Self::newest(self)
    }

    fn renew(&self) -> BoxFuture<'_, Option<Duration>> {
        Box::pin(Self::renew(self))
    }
}

/// Where the keys come from, where clients sign on.
fn source(auth: &config::Auth) -> Option<(Source, Times)> {
    let source = Source::of(auth.source.as_ref()?).expect("the configuration has checked the address");
    let times = Times::of(&source, auth.look);
    Some((source, times))
}

/// How many requests wait for keys at a time: a quarter of the connections, so that a flood of tokens with invented
/// keys leaves most of them to others.
fn waiters_max(connections: usize) -> NonZero<usize> {
    NonZero::new(connections / 4).unwrap_or(NonZero::<usize>::MIN)
}

/// The keys of a gateway that starts. Those of a file are there at once.
pub(super) fn of_start(config: &Config) -> Option<(IssuerKeys, Keeper)> {
    let (source, times) = source(&config.auth)?;
    let fetcher = Fetcher::new(source, times.step);
    // The configuration has just read the file: if it is gone, the task says so.
    let first = fetcher.read_local().ok().flatten();
    let (keys, keeper) = keep(fetcher, times, waiters_max(config.limits.connections));
    Some((keys, first.into_iter().fold(keeper, Keeper::with_keys)))
}

/// The keys of another source, where a reload names one. A source that fails rejects the reload.
pub(super) async fn of_reload(running: &Config, loaded: &Config) -> Result<Option<Replacement>, ReloadError> {
    let (Some(from), Some(to)) = (source(&running.auth), source(&loaded.auth)) else { return Ok(None) };
    if from == to {
        return Ok(None);
    }
    let (source, times) = to;
    let place = source.to_string();
    let fetched = Replacement::fetch(source, times).await;
    fetched.map(Some).map_err(|failed| ReloadError::Keys { place, why: failed.to_string() })
}

/// What `tickfan check` says of the keys: their place, and those that it holds, or why it holds none. `None` where
/// clients do not sign on, or where the keys would have to be fetched.
pub fn check_local_keys(config: &Config) -> Option<(String, Result<Fetched, Failed>)> {
    let (source, times) = source(&config.auth)?;
    let place = source.to_string();
    Some((place, Fetcher::new(source, times.step).read_local().transpose()?))
}

/// The same of keys that are fetched.
pub(super) async fn try_remote_keys(config: &Config) -> Option<(String, Result<Fetched, Failed>)> {
    let (source, times) = source(&config.auth).filter(|(source, _)| !source.is_local())?;
    let place = source.to_string();
    Some((place, Fetcher::new(source, times.step).fetch().await))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_a_quarter_of_the_connections_waits_for_keys() {
        for (connections, waiters) in [(1, 1), (7, 1), (8, 2), (4096, 1024), (65_536, 16_384)] {
            assert_eq!(waiters_max(connections).get(), waiters);
        }
    }
}
