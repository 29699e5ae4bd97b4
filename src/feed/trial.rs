//! One attempt to connect, for operators who want to know whether a feed would.

use super::{Feed, dial::Dialer, venue};
use tokio::time::timeout;

/// The longest explanation, in characters.
const WHY_CHARACTERS_MAX: usize = 400;

/// What came of one attempt to connect. Nothing of it needs to be hidden.
#[derive(Debug)]
pub struct Trial {
    /// The address, without its query.
    pub url: String,
    /// The network addresses that were tried, with what came of each.
    pub tried: String,
    /// Why no websocket opened.
    pub opened: Result<(), String>,
}

impl Feed {
    /// Opens a websocket as the feed's first connection would, and drops it before anything is sent. A feed that runs
    /// its venue's local server has nothing to try.
    pub async fn try_connect(&self) -> Option<Trial> {
        if self.config.venue.local_server.is_some() && self.config.url.is_none() {
            return None;
        }
        let range = self.config.connections().next()?;
        let venue = venue(&self.config, self.config.url.as_deref(), range).ok()?;
        let dialer = Dialer::new(self.dialing.clone(), usize::MAX);
        let opened = match timeout(self.timing.connect, dialer.open(venue.url())).await {
            Ok(opened) => opened.map(drop).map_err(|error| error.to_string()),
            Err(_) => Err(format!("it takes longer than {:?}: {}", self.timing.connect, dialer.waits_for())),
        };
        let opened = opened.map_err(|why| match self.writers.first() {
            Some(writer) => writer.redactor.show(why.as_bytes(), why.len(), WHY_CHARACTERS_MAX),
            None => why,
        });
        Some(Trial { url: super::dial::without_query(venue.url()).to_owned(), tried: dialer.tried(), opened })
    }
}
