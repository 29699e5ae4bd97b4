//! What has become of the steps of a reload.

use crate::config::{FailedFeed, FeedStep};

/// What has become of the steps of a reload, by feed.
#[derive(Default)]
pub(super) struct Outcomes {
    /// How many steps were taken, whether they failed or not.
    pub(super) taken: usize,
    feeds: Vec<Outcome>,
}

struct Outcome {
    feed: String,
    done: Vec<String>,
    failed: Vec<String>,
}

impl Outcomes {
    /// A step of this feed is done.
    pub(super) fn done(&mut self, feed: &str, what: String) {
        self.of(feed).done.push(what);
    }

    /// A step of this feed has failed. A reason is told once.
    pub(super) fn failed(&mut self, feed: &str, why: String) {
        let failed = &mut self.of(feed).failed;
        if !failed.contains(&why) {
            failed.push(why);
        }
    }

    /// Whether a step of this feed has failed.
    pub(super) fn has_failed(&self, feed: &str) -> bool {
        self.feeds.iter().any(|outcome| outcome.feed == feed && !outcome.failed.is_empty())
    }

    /// The feeds of which a step has failed, each once: why, and what is done of them in spite of it.
    pub(super) fn into_failed(self) -> Vec<FailedFeed> {
        let failed = self.feeds.into_iter().filter(|outcome| !outcome.failed.is_empty());
        let tell = |Outcome { feed, done, failed }| {
            let why = failed.join("; ");
            FailedFeed { feed, why: if done.is_empty() { why } else { format!("{why}; done: {}", done.join(", ")) } }
        };
        failed.map(tell).collect()
    }

    fn of(&mut self, feed: &str) -> &mut Outcome {
        let place = self.feeds.iter().position(|outcome| outcome.feed == feed).unwrap_or_else(|| {
            self.feeds.push(Outcome { feed: feed.to_owned(), done: Vec::new(), failed: Vec::new() });
            self.feeds.len() - 1
        });
        &mut self.feeds[place]
    }
}

/// The feeds of these steps, each once, as failed for this reason.
pub(super) fn all_failed(steps: &[FeedStep], why: &str) -> Vec<FailedFeed> {
    let mut outcomes = Outcomes::default();
    for feed in steps.iter().filter_map(FeedStep::feed) {
        outcomes.failed(feed, why.to_owned());
    }
    outcomes.into_failed()
}
