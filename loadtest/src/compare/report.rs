//! A report as it is read from its JSON.

use serde_json::Value;
use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};
use toml::Table;

/// The largest report: an hour of 64 groups is some 20 MB.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// What may differ between scenarios that load the same.
const BESIDE_THE_LOAD: [&str; 2] = ["about", "thresholds"];

/// A report.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its file.
    pub path: String,
    pub(super) json: Value,
    /// What was loaded.
    pub(super) load: Table,
}

/// Why a file cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// The system's error.
        source: io::Error,
    },
    /// It is not JSON.
    #[error("{path} is not a report: {source}; write one with --json")]
    Json {
        /// The file.
        path: String,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// It is of a search.
    #[error("{0} is of --find-limit, whose runs are of other loads each: compare reports of `run` or `streams`")]
    Search(String),
    /// It does not say what was loaded.
    #[error(
        "{0} does not say which scenario it is of, so it cannot be compared: make it again with this load tester and --json"
    )]
    Origin(String),
}

impl Report {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let name = path.display().to_string();
        let mut text = String::new();
        let read = File::open(path).and_then(|file| file.take(BYTES_MAX + 1).read_to_string(&mut text));
        let read = read.and_then(|length| {
            let is_too_long = length as u64 > BYTES_MAX;
            if is_too_long { Err(io::Error::other(format!("it is longer than {BYTES_MAX} bytes"))) } else { Ok(()) }
        });
        read.map_err(|source| ReportError::Io { path: name.clone(), source })?;
        Self::from_json(name, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn from_json(path: String, text: &str) -> Result<Self, ReportError> {
        let json: Value =
            serde_json::from_str(text).map_err(|source| ReportError::Json { path: path.clone(), source })?;
        if json["probes"].is_array() {
            return Err(ReportError::Search(path));
        }
        let text = |key: &str| json["provenance"][key].as_str().map(str::parse::<Table>);
        let scenario = text("scenario").or_else(|| text("load")).and_then(Result::ok);
        let mut load = scenario.ok_or_else(|| ReportError::Origin(path.clone()))?;
        BESIDE_THE_LOAD.iter().for_each(|key| drop(load.remove(*key)));
        Ok(Self { path, json, load })
    }

    /// A number in the JSON.
    pub(super) fn number(&self, pointer: &str) -> Option<f64> {
        self.json.pointer(pointer)?.as_f64()
    }

    /// Text in the JSON, or an empty string.
    pub(super) fn text(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
