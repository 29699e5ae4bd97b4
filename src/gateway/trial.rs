//! Tries what a configuration needs from outside: its venues, its brokers and its ports. `tickfan check --connect`.

use super::keys::try_remote_keys;
use crate::{
    config::{self, Config},
    feed::{Feed, Trial},
    market::Now,
    server,
};
use futures_util::future::join_all;
use std::{fmt, io, net::SocketAddr, time::Duration};

/// One thing that was tried.
#[derive(Debug)]
pub struct Tried {
    /// What, for people.
    pub what: String,
    /// A remark, or why it failed.
    pub outcome: Result<String, String>,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.outcome {
            Ok(remark) if remark.is_empty() => write!(f, "{}: ok", self.what),
            Ok(remark) => write!(f, "{}: ok ({remark})", self.what),
            Err(why) => write!(f, "{}: failed: {why}", self.what),
        }
    }
}

/// Tries all ports, the fetch of the keys that verify tokens, and every broker and feed side by side for `wait` at
/// most.
pub async fn try_out(config: &Config, wait: Duration) -> Vec<Tried> {
    let server = &config.server;
    let ports = [("listen", server.listen), ("admin_listen", server.admin_listen)];
    let tls = config.tls.as_ref().map(|tls| ("tls.listen", tls.listen));
    let mut tried: Vec<_> = ports.into_iter().chain(tls).map(|(key, address)| try_port(key, address)).collect();
    let feeds = join_all(config.feeds.iter().map(|feed| try_feed(feed, &config.limits, wait)));
    let (keys, brokers, feeds) = tokio::join!(try_remote_keys(config), try_brokers(config, wait), feeds);
    tried.extend(keys.map(|(place, found)| Tried {
        what: format!("keys of {place}"),
        outcome: found.map(|found| found.to_string()).map_err(|failed| failed.to_string()),
    }));
    tried.extend(brokers);
    tried.extend(feeds);
    tried
}

/// The addresses hold no password.
#[cfg(feature = "cluster")]
async fn try_brokers(config: &Config, wait: Duration) -> Vec<Tried> {
    let Some(cluster) = &config.cluster else { return Vec::new() };
    let tried = crate::cluster::nats::try_out(cluster, wait).await;
    tried.into_iter().map(|(server, outcome)| Tried { what: format!("broker {server}"), outcome }).collect()
}

#[cfg(not(feature = "cluster"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn try_brokers(_: &Config, _: Duration) -> Vec<Tried> {
    Vec::new()
}

fn try_port(key: &str, address: SocketAddr) -> Tried {
    let outcome = server::try_listen(address).map(|()| String::new()).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => "another program uses this port".to_owned(),
        _ => error.to_string(),
    });
    Tried { what: format!("{key} {address}"), outcome }
}

/// Tries the first connection of a feed. The others differ from it in their symbols alone, and venues limit attempts.
async fn try_feed(feed: &config::Feed, limits: &config::Limits, wait: Duration) -> Tried {
    let mut first = feed.clone();
    first.symbols.truncate(feed.connections().next().map_or(0, |range| range.end));
    let what = format!("feed {}", feed.name);
    let runs = match Feed::new(&first, limits, Now::read()) {
        Ok(runs) => runs,
        Err(error) => return Tried { what, outcome: Err(error.to_string()) },
    };
    let Trial { url, tried, outcome } = runs.try_out(wait).await;
    let inside = if feed.playback.is_some() { "its recording" } else { "its own simulated market" };
    let at = url.as_deref().unwrap_or(inside);
    let remarks = match &outcome {
        Ok(refused) if *refused > 0 => {
            let refused = format!("the venue refuses {refused} of {} symbols", first.symbols.len());
            [tried, refused]
        }
        _ => [tried, String::new()],
    };
    let remarks = remarks.into_iter().filter(|remark| !remark.is_empty()).collect::<Vec<_>>().join("; ");
    let outcome = match outcome {
        Ok(_) => Ok(remarks),
        Err(why) if remarks.is_empty() => Err(why),
        Err(why) => Err(format!("{why} ({remarks})")),
    };
    Tried { what: format!("{what} at {at}"), outcome }
}
