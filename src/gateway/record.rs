//! Records feeds: while they serve, or one of them alone. `tickfan record`.

use crate::{
    config::{self, Config, RECORD_BYTES_DEFAULT, Record, check_folder},
    feed::{Discard, Feed, FeedMetrics, no_changes},
    market::Now,
    recording::{self, QUEUE_BYTES, RecordMetrics, Recording},
    venue::VenueError,
};
use std::{io, ops::Range, path::PathBuf};
use tokio::sync::watch;

/// Which feed is recorded alone, and where to. What is not set comes from the configuration.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The feed's name. It may be left out where there is one feed.
    pub feed: Option<String>,
    /// The folder: else the feed's own, else the working directory.
    pub out: Option<PathBuf>,
    /// The most bytes of the feed's files: else the feed's own.
    pub bytes_max: Option<u64>,
}

/// Why a feed cannot be recorded alone.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The feed does not fit its venue.
    #[error(transparent)]
    Venue(#[from] VenueError),
    /// The recording failed, or the system refuses a thread.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The feed that is to be recorded alone, with its folder and its limit.
///
/// # Errors
/// Sentences for the person who wrote the command.
pub fn feed_to_record(config: &Config, wanted: Wanted) -> Result<config::Feed, String> {
    let names = || config.feeds.iter().map(|feed| feed.name.as_str()).collect::<Vec<_>>().join(", ");
    let found = match (&wanted.feed, config.feeds.as_slice()) {
        (Some(name), feeds) => feeds.iter().find(|feed| feed.name == *name).ok_or_else(|| {
            format!("the configuration has no feed of this name\n   = name one of its feeds: {}", names())
        }),
        (None, [only]) => Ok(only),
        (None, _) => Err(format!("the configuration has several feeds\n   = name one with --feed: {}", names())),
    };
    let mut feed = found?.clone();
    if feed.playback.is_some() {
        return Err(format!("feed {} plays a recording\n   = name a feed that connects to its venue", feed.name));
    }
    let of_file = feed.record.take();
    let folder = wanted.out.or_else(|| of_file.as_ref().map(|record| record.folder.clone()));
    let folder = folder.unwrap_or_else(|| PathBuf::from("."));
    check_folder(&folder).map_err(|(what, help)| format!("{what}\n   = {help}"))?;
    let bytes_max = wanted.bytes_max.or(of_file.map(|record| record.bytes_max)).unwrap_or(RECORD_BYTES_DEFAULT);
    feed.record = Some(Record { folder, bytes_max });
    Ok(feed)
}

/// Records a feed and does nothing else with it, until `stop` is ready. All is written when it returns.
///
/// # Errors
/// [`RecordError`] where the recording cannot begin or go on. An outage of the venue is not an error.
pub async fn record(
    feed: &config::Feed,
    limits: &config::Limits,
    stop: impl Future<Output = ()>,
) -> Result<(), RecordError> {
    let (runs, recording) = record_while_serving(Feed::new(feed, limits, Now::read())?, feed)?;
    let Some(mut recording) = recording else {
        return Err(io::Error::other("the feed has no folder to record to").into());
    };
    let targets = vec![(); feed.symbols.len()];
    let (stop_tx, stop_rx) = watch::channel(false);
    let metrics = FeedMetrics::register(&feed.name);
    let mut running = std::pin::pin!(runs.run(Discard::default, targets, no_changes(), metrics, stop_rx));
    tokio::select! {
        ended = &mut running => ended?,
        failed = recording.ended() => return Ok(failed?),
        () = stop => {
            // A receiver that is gone has ended already.
            let _ = stop_tx.send(true);
            running.await?;
        }
    }
    Ok(recording.ended().await?)
}

/// Starts the recording of a feed, where its settings ask for one.
pub(super) fn record_while_serving(runs: Feed, feed: &config::Feed) -> io::Result<(Feed, Option<Recording>)> {
    let Some(record) = &feed.record else { return Ok((runs, None)) };
    let names =
        |range: Range<usize>| feed.symbols[range].iter().map(|listed| listed.symbol.to_string()).collect::<Vec<_>>();
    let settings = recording::Settings {
        feed: feed.name.clone(),
        venue: feed.venue.name,
        symbols: feed.connections().map(names).collect(),
        folder: record.folder.clone(),
        bytes_max: record.bytes_max,
        queue_bytes: QUEUE_BYTES,
    };
    let (recorders, recording) = recording::start(settings, RecordMetrics::register(&feed.name))?;
    Ok((runs.with_recorders(recorders), Some(recording)))
}
