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
    /// The filter cannot be parsed.
    #[error("`{0}` is not a log filter; write a level such as `debug`, or `info,tickfan::feed=debug`")]
    Filter(String),
    /// The process already has a log subscriber.
    #[error("logs are already set up")]
    Taken,
}

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

/// The crate whose lines are logged at every level: it redacts untrusted bytes before it logs them.
const OURS: &str = "tickfan";

/// Sends the process's logs to standard error. `filter` selects the lines, for example `info,tickfan::feed=debug`;
/// without one it is `info`. Libraries log warnings and errors only, whatever the filter selects: the websocket
/// library's other lines would contain our keys, and a venue's bytes unredacted.
///
/// # Errors
/// [`LogError`] for a filter that cannot be parsed, and for the second call in a process.
pub fn init(filter: Option<&str>, format: Format) -> Result<(), LogError> {
    let filter = whole_filter(filter)?;
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let done = match format {
        Format::Text => registry().with(lines.with_filter(filter)).try_init(),
        Format::Json => registry().with(lines.json().flatten_event(true).with_filter(filter)).try_init(),
    };
    done.map_err(|_| LogError::Taken)
}

/// The second filter needs a level hint: without it the combination has none, and each websocket frame would create a
/// record that is then dropped.
fn whole_filter(filter: Option<&str>) -> Result<impl layer::Filter<Registry> + use<>, LogError> {
    Ok(parse_filter(filter)?.and(filter_fn(may_be_logged).with_max_level_hint(LevelFilter::TRACE)))
}

fn may_be_logged(record: &Metadata<'_>) -> bool {
    *record.level() <= Level::WARN || record.target().split("::").next() == Some(OURS)
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
    fn a_record_that_the_filter_excludes_is_not_created() {
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
