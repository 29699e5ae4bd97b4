//! The issuer's keys: from files and from a real https server whose CA is private, rotated, and kept when it fails.

mod faults;
mod files;
mod gateway;
mod rotation;
mod server;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::KeyPair;
use std::{num::NonZero, time::Duration};
use tickfan::issuer::{Fetcher, IssuerKeys, Source, Times, keep};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);
/// How many requests wait for keys.
const WAITERS_MAX: NonZero<usize> = NonZero::new(100).unwrap();

/// A JWK set with a key of each of these names.
fn key_set(ids: &[&str]) -> String {
    let keys: Vec<String> = ids.iter().map(|id| key(id)).collect();
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn key(id: &str) -> String {
    let pair = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{id}","x":"{x}"}}"#)
}

/// Keys that a task keeps fresh, until it is dropped.
struct Kept {
    keys: IssuerKeys,
    _stop: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Kept {
    fn start(source: Source, times: Times) -> Self {
        let (keys, keeper) = keep(Fetcher::new(source, times.step), times, WAITERS_MAX);
        let (stop_tx, stop_rx) = watch::channel(false);
        Self { keys, _stop: stop_tx, task: tokio::spawn(keeper.run(stop_rx)) }
    }

    /// The names of the keys in force.
    fn ids(&self) -> Vec<String> {
        let ids = self.keys.newest().map(|keys| keys.listed().map(|(id, _)| id.unwrap_or("-").to_owned()).collect());
        ids.unwrap_or_default()
    }

    async fn reaches(&self, ids: &[&str]) {
        self.until(&format!("{ids:?}"), |kept| kept.ids() == ids).await;
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !is_so(self) {
                assert!(!self.task.is_finished(), "the task has ended");
                tokio::task::yield_now().await;
            }
        };
        let status = || self.keys.status();
        timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("not {what}: {:?}", status()));
    }

    async fn fails_with(&self, why: &str) {
        self.until(why, |kept| kept.keys.status().failure.is_some_and(|failure| failure.contains(why))).await;
    }
}
