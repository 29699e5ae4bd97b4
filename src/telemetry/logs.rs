//! Logs: one line per event on standard error, for people or as JSON.

use super::{
    log_filter::LogFilter,
    log_queue::{IntoQueue, LogQueue},
};
use rustix::event::{PollFd, PollFlags, poll};
use std::{
    io::{self, IsTerminal as _, Write},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use tracing::{Metadata, level_filters::LevelFilter, subscriber::Interest, warn};
use tracing_subscriber::{
    Layer as _, Registry, fmt,
    layer::{self, Context, SubscriberExt as _},
    registry, reload,
    util::SubscriberInitExt as _,
};

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The format is unknown.
    #[error("`{0}` is not a log format; write `text` or `json`")]
    Format(String),
    /// The process already has a log subscriber.
    #[error("logs are already set up")]
    Taken,
    /// The system gave no thread to write them.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[from] io::Error),
}

/// The process has one standard error. A panic and the last error go the same way as the lines before them.
static QUEUE: LogQueue = LogQueue::new();
/// Whether a thread writes what is queued.
static IS_WRITTEN: AtomicBool = AtomicBool::new(false);

impl Format {
    /// Parses a format's name; without one the format is [`Format::Text`].
    ///
    /// # Errors
    /// [`LogError::Format`] for another name.
    pub fn parse(text: Option<&str>) -> Result<Self, LogError> {
        match text {
            None | Some("" | "text") => Ok(Self::Text),
            Some("json") => Ok(Self::Json),
            Some(other) => Err(LogError::Format(other.chars().take(64).collect())),
        }
    }
}

/// Changes the filter of the process's logs.
#[derive(Debug, Clone)]
pub struct LogHandle(reload::Handle<LogFilter, Registry>);

impl LogHandle {
    /// From here on this filter selects the lines.
    pub fn set(&self, filter: LogFilter) {
        // It fails only if the subscriber is gone, which lives as long as the process.
        let _ = self.0.reload(filter);
    }
}

/// Sends the lines that the filter selects to standard error. A thread of its own writes them: the reader of standard
/// error may stop, and the gateway must not.
///
/// # Errors
/// [`LogError::Taken`] for the second call in a process; [`LogError::Thread`] if the system gives no thread.
pub fn init(filter: LogFilter, format: Format) -> Result<LogHandle, LogError> {
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(IntoQueue(&QUEUE)).with_ansi(io::stderr().is_terminal());
    // The queue takes every line, or counts it. By default standard error would be told, which may block.
    let lines = lines.log_internal_errors(false);
    let done = match format {
        Format::Text => registry().with(lines.with_filter(filter)).try_init(),
        Format::Json => registry().with(lines.json().flatten_event(true).with_filter(filter)).try_init(),
    };
    done.map_err(|_| LogError::Taken)?;
    thread::Builder::new().name("log".to_owned()).spawn(|| QUEUE.write_to(StandardError, tell))?;
    IS_WRITTEN.store(true, Ordering::Relaxed);
    Ok(LogHandle(handle))
}

/// Writes text to standard error, behind the lines of the log.
pub fn say(text: &str) {
    if IS_WRITTEN.load(Ordering::Relaxed) && !QUEUE.is_writer() {
        QUEUE.push_last(text.as_bytes());
    } else {
        // Where standard error is closed, there is nowhere to report that.
        let _ = io::stderr().write_all(text.as_bytes());
    }
}

/// Waits until all lines are written, before the process ends: up to 0.3 s for a standard error that takes nothing, and
/// 0.9 s for a slow one.
pub fn flush() {
    if IS_WRITTEN.load(Ordering::Relaxed) {
        QUEUE.flush();
    }
}

/// How many lines were dropped, because standard error took none for too long or refused them.
pub(super) fn dropped() -> u64 {
    QUEUE.dropped()
}

fn tell(lines: u64) {
    warn!(lines, "dropped lines of the log: standard error did not take them");
}

/// Standard error, which waits where another process has made it non-blocking.
struct StandardError;

impl Write for StandardError {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        loop {
            match io::stderr().write(lines) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&io::stderr(), PollFlags::OUT)], None)?;
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The level hint keeps records that the filter excludes from being created: each websocket frame would make one.
impl<S> layer::Filter<S> for LogFilter {
    fn enabled(&self, record: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.selects(record.target(), *record.level())
    }

    fn callsite_enabled(&self, record: &'static Metadata<'static>) -> Interest {
        if self.selects(record.target(), *record.level()) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.max_level())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_the_filter_excludes_is_not_created() {
        for (text, most) in [("info", LevelFilter::INFO), ("warn,tickfan::feed=debug", LevelFilter::DEBUG)] {
            let filter: LogFilter = text.parse().unwrap();
            assert_eq!(layer::Filter::<Registry>::max_level_hint(&filter), Some(most), "{text}");
        }
    }

    #[test]
    fn formats_are_text_and_json() {
        assert_eq!(Format::parse(None).unwrap(), Format::Text);
        assert_eq!(Format::parse(Some("json")).unwrap(), Format::Json);
        assert!(Format::parse(Some("xml")).is_err());
    }
}
