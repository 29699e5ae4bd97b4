//! Logs: one line per event on standard error, for people or as JSON.

use std::io::{self, IsTerminal as _};
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer as _, Registry,
    filter::{FilterExt as _, LevelFilter, filter_fn},
    fmt,
    layer::{self, SubscriberExt as _},
    registry,
    util::SubscriberInitExt as _,
};

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people; in colours on a terminal.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The format is not known.
    #[error("`{0}` is no format of logs: write `text` or `json`")]
    Format(String),
    /// The filter cannot be read.
    #[error("`{0}` is no filter of logs: write a level, such as `debug`, or `info,tickfan::feed=debug`")]
    Filter(String),
    /// Something else has taken the process's logs.
    #[error("logs are already set up")]
    Taken,
}

impl Format {
    /// Reads a format's name; nothing is text.
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

/// The crate whose lines may tell all: it shows nothing of what others send but as an excerpt.
const OURS: &str = "tickfan";

/// Sends the process's logs to standard error. `filter` says which, as `info,tickfan::feed=debug`; without one it is `info`. Of
/// libraries only warnings are logged, whatever the filter says: the websocket's would repeat our keys, and what a venue sends
/// as it comes.
///
/// # Errors
/// [`LogError`] for a filter that cannot be read, and for the second call in a process.
pub fn init(filter: Option<&str>, format: Format) -> Result<(), LogError> {
    let filter = whole_filter(filter)?;
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let done = match format {
        Format::Text => registry().with(lines.with_filter(filter)).try_init(),
        Format::Json => registry().with(lines.json().flatten_event(true).with_filter(filter)).try_init(),
    };
    done.map_err(|_| LogError::Taken)
}

/// Without a hint of the second the whole had none, and each frame of a websocket made a record that was then thrown away.
fn whole_filter(filter: Option<&str>) -> Result<impl layer::Filter<Registry> + use<>, LogError> {
    Ok(parse_filter(filter)?.and(filter_fn(may_be_logged).with_max_level_hint(LevelFilter::TRACE)))
}

fn may_be_logged(line: &Metadata<'_>) -> bool {
    *line.level() <= Level::WARN || line.target().split("::").next() == Some(OURS)
}

fn parse_filter(filter: Option<&str>) -> Result<EnvFilter, LogError> {
    let text = filter.filter(|text| !text.is_empty()).unwrap_or("info");
    EnvFilter::builder().parse(text).map_err(|_| LogError::Filter(text.chars().take(64).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_filter_is_an_error_and_none_is_info() {
        assert_eq!(parse_filter(None).unwrap().to_string(), "info");
        assert_eq!(parse_filter(Some("")).unwrap().to_string(), "info");
        assert!(parse_filter(Some("info,tickfan::feed=debug")).is_ok());
        assert!(matches!(parse_filter(Some("tickfan=loud")), Err(LogError::Filter(_))));
    }

    #[test]
    fn what_the_filter_leaves_out_is_not_made_either() {
        for (text, most) in [("", LevelFilter::INFO), ("warn,tickfan::feed=debug", LevelFilter::DEBUG)] {
            let filter = whole_filter(Some(text)).unwrap();
            assert_eq!(layer::Filter::max_level_hint(&filter), Some(most), "{text}");
        }
    }

    #[test]
    fn formats_are_text_and_json() {
        assert_eq!(Format::parse(None).unwrap(), Format::Text);
        assert_eq!(Format::parse(Some("json")).unwrap(), Format::Json);
        assert!(Format::parse(Some("xml")).is_err());
    }
}
