//! Which lines are logged: `info,tickfan::feed=debug`. A word that selects nothing is an error, not silence.

use crate::suggest::nearest;
use std::{fmt, str::FromStr};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// The most entries of a filter: more than there are modules.
pub const LOG_ENTRIES_MAX: usize = 32;
/// The crate whose lines are logged at every level: it redacts untrusted bytes before it logs them.
const OURS: &str = "tickfan";
/// Our modules that may log. A test compares them with `lib.rs`.
const MODULES: [&str; 21] = [
    "admin",
    "api",
    "cache",
    "cli",
    "cluster",
    "config",
    "delay",
    "fanout",
    "feed",
    "gateway",
    "ingest",
    "issuer",
    "limits",
    "market",
    "recording",
    "server",
    "telemetry",
    "tls",
    "top",
    "venue",
    "wire",
];
/// The libraries that log, or may once they are built so.
const LIBRARIES: [&str; 10] =
    ["async_nats", "h2", "hyper", "hyper_util", "mio", "rustls", "tokio", "tokio_tungstenite", "tungstenite", "warp"];
/// It logs each try to connect. What it tells is logged by us, at a limited rate.
const SILENT: &str = "async_nats";
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// What other programs call a level.
const SYNONYMS: [(&str, &str); 9] = [
    ("warning", "warn"),
    ("err", "error"),
    ("fatal", "error"),
    ("critical", "error"),
    ("information", "info"),
    ("notice", "info"),
    ("verbose", "debug"),
    ("all", "trace"),
    ("none", "off"),
];

/// A level for all lines, and levels for those of single modules.
#[derive(Debug, Clone, PartialEq)]
pub struct LogFilter {
    text: String,
    targets: Targets,
}

/// Why a text is not a filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct LogFilterError {
    /// What is wrong.
    pub what: String,
    /// What was probably meant.
    pub meant: Option<&'static str>,
    /// What to write.
    pub help: String,
}

impl LogFilter {
    /// Whether a record is logged. Libraries log errors, and warnings where the filter names the library: any client
    /// can cause some of them, such as those of a malformed handshake, as often as it likes. They log nothing else,
    /// whatever the filter selects: the websocket library's other lines would contain our keys, and a venue's bytes
    /// unredacted.
    pub(super) fn selects(&self, target: &str, level: Level) -> bool {
        let library = crate_of(target);
        if library == SILENT {
            return false;
        }
        let most = if library == OURS {
            Level::TRACE
        } else if self.targets.iter().any(|(named, _)| crate_of(named) == library) {
            Level::WARN
        } else {
            Level::ERROR
        };
        level <= most && self.targets.would_enable(target, &level)
    }

    /// The most that is logged of any module.
    pub(super) fn max_level(&self) -> LevelFilter {
        let levels = self.targets.iter().map(|(_, level)| level).chain(self.targets.default_level());
        levels.max().unwrap_or(LevelFilter::OFF)
    }
}

impl Default for LogFilter {
    /// `info`.
    fn default() -> Self {
        Self { text: "info".to_owned(), targets: Targets::new().with_default(LevelFilter::INFO) }
    }
}

impl fmt::Display for LogFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for LogFilter {
    type Err = LogFilterError;

    /// Entries separated by commas: a level, `module=level`, or a module alone, which is all of its lines.
    fn from_str(text: &str) -> Result<Self, LogFilterError> {
        let entries: Vec<&str> = text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect();
        if entries.is_empty() {
            return Err(wrong("the log filter is empty".to_owned(), None));
        }
        if entries.len() > LOG_ENTRIES_MAX {
            return Err(LogFilterError {
                what: format!("the log filter has {} entries", entries.len()),
                meant: None,
                help: format!("at most {LOG_ENTRIES_MAX} entries"),
            });
        }
        let mut targets = Targets::new();
        for entry in &entries {
            targets = match entry.split_once('=') {
                Some((target, level)) => targets.with_target(module(target.trim())?, self::level(level.trim())?),
                None if entry.contains(':') || is_crate(entry) => {
                    targets.with_target(module(entry)?, LevelFilter::TRACE)
                }
                None => targets.with_default(level(entry)?),
            };
        }
        Ok(Self { text: entries.join(","), targets })
    }
}

fn level(word: &str) -> Result<LevelFilter, LogFilterError> {
    let lower = word.to_ascii_lowercase();
    match LEVELS.into_iter().find(|level| *level == lower) {
        Some(level) => Ok(level.parse().unwrap_or(LevelFilter::INFO)),
        None => {
            let synonym = SYNONYMS.into_iter().find(|(synonym, _)| *synonym == lower).map(|(_, level)| level);
            let known = || LEVELS.into_iter().chain([OURS]).chain(LIBRARIES);
            let meant = synonym.or_else(|| nearest(word, known()));
            Err(wrong(format!("`{}` is not a log level", shown(word)), meant))
        }
    }
}

fn module(target: &str) -> Result<&str, LogFilterError> {
    let mut parts = target.split("::");
    let name = parts.next().unwrap_or_default();
    if !is_crate(name) {
        let what = format!("`{}` is neither {OURS} nor a library that it logs for", shown(name));
        return Err(wrong(what, nearest(name, [OURS].into_iter().chain(LIBRARIES))));
    }
    let rest = || parts.clone().all(|part| !part.is_empty() && part.bytes().all(is_of_a_name));
    match parts.clone().next() {
        Some(first) if name == OURS && !MODULES.contains(&first) => {
            let what = format!("`{OURS}::{}` is not a module of {OURS}", shown(first));
            Err(wrong(what, nearest(first, MODULES)))
        }
        _ if rest() => Ok(target),
        _ => Err(wrong(format!("`{}` is not the name of a module", shown(target)), None)),
    }
}

fn crate_of(target: &str) -> &str {
    target.split("::").next().unwrap_or_default()
}

fn is_crate(name: &str) -> bool {
    name == OURS || LIBRARIES.contains(&name)
}

fn is_of_a_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn wrong(what: String, meant: Option<&'static str>) -> LogFilterError {
    let levels = LEVELS.join(", ");
    LogFilterError {
        what,
        meant,
        help: format!("write a level ({levels}), or levels of modules, such as info,{OURS}::feed=debug"),
    }
}

fn shown(word: &str) -> String {
    let mut shown: String = word.chars().take(40).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if word.chars().nth(40).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<LogFilter>().map(|filter| filter.to_string()).map_err(|error| match error.meant {
            Some(meant) => format!("{error}, {meant}?"),
            None => error.to_string(),
        })
    }

    #[test]
    fn a_filter_that_would_log_nothing_by_mistake_is_an_error_with_what_was_meant() {
        for (text, error) in [
            ("warning", "`warning` is not a log level, warn?"),
            ("WARNING", "`WARNING` is not a log level, warn?"),
            ("inof", "`inof` is not a log level, info?"),
            ("information", "`information` is not a log level, info?"),
            ("err", "`err` is not a log level, error?"),
            ("verbose", "`verbose` is not a log level, debug?"),
            ("none", "`none` is not a log level, off?"),
            ("tickfam", "`tickfam` is not a log level, tickfan?"),
            ("xyzzy", "`xyzzy` is not a log level"),
            ("3", "`3` is not a log level"),
            ("info;debug", "`info;debug` is not a log level"),
            ("info debug", "`info debug` is not a log level"),
            ("tickfan=loud", "`loud` is not a log level"),
            ("tickfan=warning", "`warning` is not a log level, warn?"),
            ("tickfan=", "`` is not a log level"),
            ("info,debg", "`debg` is not a log level, debug?"),
            ("Tickfan=info", "`Tickfan` is neither tickfan nor a library that it logs for, tickfan?"),
            ("info,tikfan::feed=debug", "`tikfan` is neither tickfan nor a library that it logs for, tickfan?"),
            ("feed=debug", "`feed` is neither tickfan nor a library that it logs for"),
            ("info=tickfan", "`info` is neither tickfan nor a library that it logs for"),
            ("serde=debug", "`serde` is neither tickfan nor a library that it logs for"),
            ("=debug", "`` is neither tickfan nor a library that it logs for"),
            ("tickfan::fed=debug", "`tickfan::fed` is not a module of tickfan, feed?"),
            ("tickfan::Feed=debug", "`tickfan::Feed` is not a module of tickfan, feed?"),
            ("tickfan::", "`tickfan::` is not a module of tickfan"),
            ("tickfan:feed=debug", "`tickfan:feed` is neither tickfan nor a library that it logs for"),
            ("tickfan::feed::=debug", "`tickfan::feed::` is not the name of a module"),
            ("[x]=debug", "`[x]` is neither tickfan nor a library that it logs for"),
            ("tickfan[x]=debug", "`tickfan[x]` is neither tickfan nor a library that it logs for"),
            ("tickfan::feed[{name=a}]=debug", "`tickfan::feed[{name` is not a module of tickfan"),
            ("", "the log filter is empty"),
            (" , ,", "the log filter is empty"),
            (&"x".repeat(100_000), &format!("`{}…` is not a log level", "x".repeat(40))),
        ] {
            assert_eq!(read(text).unwrap_err(), *error, "{text}");
        }
    }

    #[test]
    fn a_filter_selects_levels_and_modules() {
        for (text, canonical, most) in [
            ("info", "info", LevelFilter::INFO),
            ("INFO", "INFO", LevelFilter::INFO),
            ("off", "off", LevelFilter::OFF),
            (" info , tickfan::feed = debug ,", "info,tickfan::feed = debug", LevelFilter::DEBUG),
            ("tickfan::feed::connection=trace,warn", "tickfan::feed::connection=trace,warn", LevelFilter::TRACE),
            ("warn,hyper=debug", "warn,hyper=debug", LevelFilter::DEBUG),
            ("error,tickfan", "error,tickfan", LevelFilter::TRACE),
        ] {
            let filter: LogFilter = text.parse().unwrap();
            assert_eq!((filter.to_string().as_str(), filter.max_level()), (canonical, most), "{text}");
        }
        let filter: LogFilter = "warn,tickfan::feed=debug,hyper=trace".parse().unwrap();
        for (target, level, selected) in [
            ("tickfan::feed::session", Level::DEBUG, true),
            ("tickfan::api", Level::INFO, false),
            ("tickfan::api", Level::WARN, true),
            ("hyper", Level::INFO, false),
            ("hyper", Level::WARN, true),
            ("async_nats::connector", Level::ERROR, false),
        ] {
            assert_eq!(filter.selects(target, level), selected, "{target} {level}");
        }
    }

    #[test]
    fn a_library_warns_only_where_the_filter_names_it() {
        for (text, warns, errs) in [
            ("info", false, true),
            ("trace", false, true),
            ("off", false, false),
            ("info,hyper=trace", false, true),
            ("info,rustls=warn", true, true),
            ("info,rustls::msgs=debug", true, true),
            ("info,rustls=off", false, false),
            ("off,rustls", true, true),
        ] {
            let filter: LogFilter = text.parse().unwrap();
            // Any client causes this one, by an address in place of a name.
            let target = "rustls::msgs::handshake";
            let selected = [Level::WARN, Level::ERROR].map(|level| filter.selects(target, level));
            assert_eq!(selected, [warns, errs], "{text}");
            assert!(!filter.selects(target, Level::INFO), "{text}");
        }
        assert!(!LogFilter::default().selects("rustls::msgs::handshake", Level::WARN));
    }

    #[test]
    fn rule_10_a_filter_has_a_most_entries() {
        assert!(read(&vec!["info"; LOG_ENTRIES_MAX].join(",")).is_ok());
        assert_eq!(read(&vec!["info"; LOG_ENTRIES_MAX + 1].join(",")).unwrap_err(), "the log filter has 33 entries");
    }

    #[test]
    fn the_modules_and_libraries_of_a_filter_exist() {
        let root = include_str!("../lib.rs");
        let declared = root.lines().filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "));
        let declared: Vec<&str> = declared.map(|name| name.trim_end_matches(';')).collect();
        // These log nothing.
        let silent = ["access", "auth", "demand", "dial", "h2", "history", "suggest", "sync"];
        for module in &declared {
            assert!(MODULES.contains(module) != silent.contains(module), "{module}");
        }
        assert!(MODULES.iter().all(|module| declared.contains(module)));
        let lock = include_str!("../../Cargo.lock");
        for library in LIBRARIES {
            assert!(lock.contains(&format!("name = \"{}\"", library.replace('_', "-"))), "{library}");
        }
    }
}
