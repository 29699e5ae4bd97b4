//! The thread that writes a feed's recording.

use super::{
    Recorder, Settings,
    metrics::RecordMetrics,
    queue::{Lines, Queue, Unsaid},
    writer::Writer,
};
use crate::market::Now;
use std::{io, sync::Arc, thread, time::Duration};
use tokio::sync::oneshot;
use tracing::{error, info};

/// How long the thread rests where little comes.
const REST: Duration = Duration::from_millis(250);

/// A recording that runs.
#[derive(Debug)]
pub struct Recording {
    ended_rx: oneshot::Receiver<io::Result<()>>,
}

impl Recording {
    /// Waits for the end: all is written, once the last recorder is dropped, or the recording has failed.
    ///
    /// # Errors
    /// It has failed, as on a full disk. That is logged already.
    ///
    /// # Cancel safety
    /// May be called again until it has returned.
    pub async fn ended(&mut self) -> io::Result<()> {
        // The thread cannot end without an answer: a panic ends the process.
        (&mut self.ended_rx).await.unwrap_or(Ok(()))
    }
}

/// Starts to record a feed: a recorder for each of its connections.
///
/// # Errors
/// The system refuses a thread.
pub fn start(settings: Settings, metrics: RecordMetrics) -> io::Result<(Vec<Recorder>, Recording)> {
    let count = settings.symbols.len();
    let queue = Arc::new(Queue::new(settings.queue_bytes, count));
    let recorder = |connection| Recorder {
        connection,
        queue: queue.clone(),
        unsaid: Unsaid::default(),
        dropped: metrics.dropped.clone(),
        last: None,
    };
    let recorders = (0..count).map(recorder).collect();
    let (ended_tx, ended_rx) = oneshot::channel();
    let name = format!("record-{}", settings.feed);
    thread::Builder::new().name(name).spawn(move || {
        metrics.recording.set(1.0);
        let ended = run(&settings, &queue, &metrics);
        queue.end();
        if let Err(error) = &ended {
            metrics.recording.set(0.0);
            let folder = settings.folder.display();
            error!(feed = settings.feed, %folder, "the recording has ended, the feed goes on: {error}");
        }
        // An error means that there is nothing that waits for it.
        let _ = ended_tx.send(ended);
    })?;
    Ok((recorders, Recording { ended_rx }))
}

/// Writes until the last recorder is dropped.
fn run(settings: &Settings, queue: &Queue, metrics: &RecordMetrics) -> io::Result<()> {
    let mut writer = Writer::open(settings, metrics.clone())?;
    info!(feed = settings.feed, folder = %settings.folder.display(), "recording");
    let mut emptied = Lines::default();
    loop {
        let (mut lines, is_last) = queue.take(REST, emptied);
        writer.write(&lines)?;
        if is_last {
            return writer.write_all();
        }
        writer.write_due(Now::read().instant)?;
        lines.clear();
        emptied = lines;
    }
}
