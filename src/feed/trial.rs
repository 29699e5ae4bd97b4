//! A try of a feed, for operators who want to know whether it would come up.

use super::{Discard, Feed, FeedMetrics, no_changes, venue};
use crate::config::without_secrets;
use std::{pin::pin, time::Duration};
use tokio::{sync::watch, time::timeout};

/// What came of trying a feed. Nothing of it needs to be hidden.
#[derive(Debug)]
pub struct Trial {
    /// The address, or `None` where the feed runs its venue's own server.
    pub url: Option<String>,
    /// The network addresses that were tried, with what came of each.
    pub tried: String,
    /// How many symbols the venue refuses, or why the feed does not come up.
    pub outcome: Result<usize, String>,
}

impl Feed {
    /// Runs the feed until it is up or its first attempt has failed, for `wait` at most. Data are dropped.
    pub async fn try_out(self, wait: Duration) -> Trial {
        let runs_its_server = self.config.venue.local_server.is_some() && self.config.url.is_none();
        let venue = venue(&self.config, self.config.credentials.as_ref(), self.config.url.as_deref(), &[]).ok();
        let url = venue.map(|venue| without_secrets(venue.url())).filter(|_| !runs_its_server);
        let discard = Discard::default();
        let targets = vec![(); self.config.symbols.len()];
        let metrics = FeedMetrics::register(&self.config.name);
        let mut status = self.status();
        let (stop_tx, stop_rx) = watch::channel(false);
        let sinks = || discard.clone();
        let mut running = pin!(self.run(sinks, targets, no_changes(), metrics, stop_rx));
        let decided = tokio::select! {
            ended = &mut running => {
                let why = ended.err().map_or_else(|| "it has ended".to_owned(), |error| error.to_string());
                return Trial { url, tried: String::new(), outcome: Err(why) };
            }
            decided = timeout(wait, status.decided()) => decided,
        };
        let report = status.report();
        let outcome = match decided {
            Ok(state) if state.is_up() => Ok(discard.refused()),
            Ok(_) => Err(report.reason.unwrap_or_default()),
            Err(_) if report.url.is_empty() => Err(format!("no connection within {wait:?}")),
            Err(_) => Err(format!("connected, but not subscribed within {wait:?}")),
        };
        // A receiver that is gone has ended already.
        let _ = stop_tx.send(true);
        let _ = running.await;
        Trial { url, tried: report.tried, outcome }
    }
}
