//! The configuration in force, as people see it: every key with its value, and where the value comes from. It shows
//! names of variables that hold keys, and never a key.

use super::{
    Applies, Config, ConfigError, Loader,
    feed_in_force::feed_in_force,
    keys::KEYS,
    load::{feed_section, lines_of_file},
    print::value,
    reload::name,
    setting::has_section,
    variables::variable_name,
};
use std::fmt::Write as _;

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInForce {
    /// `server.hosts`.
    pub key: String,
    /// The value, as a file has it.
    pub value: String,
    /// When a changed value counts.
    pub applies: Applies,
}

/// Every key of all tables but `[[feed]]`, with its value; those of an optional table if there is one.
pub fn keys_in_force(config: &Config) -> Vec<KeyInForce> {
    let mut copy = config.clone();
    let in_force =
        |key: &super::Key| KeyInForce { key: name(key), value: value(&key.setting, &mut copy), applies: key.applies };
    KEYS.iter().filter(|key| has_section(config, key.section)).map(in_force).collect()
}

impl Loader {
    /// The configuration that a start would have, as a file. Behind each value stands where it comes from.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub fn print_effective(&self) -> Result<String, ConfigError> {
        let mut config = self.load()?;
        let lines = self.file.as_deref().map_or_else(|| Ok(Vec::new()), lines_of_file)?;
        let mut text = String::new();
        let mut section = "";
        for key in KEYS {
            if !has_section(&config, key.section) {
                continue;
            }
            if key.section != section {
                section = key.section;
                let gap = if text.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}[{section}]");
            }
            let flag = match (key.section, key.name) {
                ("server", "listen") if self.overrides.listen.is_some() => Some("--listen"),
                ("server", "admin_listen") if self.overrides.admin_listen.is_some() => Some("--admin-listen"),
                _ => None,
            };
            let variable = variable_name(key);
            // An empty variable sets lists only: the log's filter ignores it, and other keys reject it.
            let is_set = |(name, value): &(std::ffi::OsString, std::ffi::OsString)| {
                *name == *variable && !(value.is_empty() && key.name == "log")
            };
            let line =
                lines.iter().find(|(section, name, _)| (section.as_str(), name.as_str()) == (key.section, key.name));
            let from = match (flag, line) {
                (Some(flag), _) => flag.to_owned(),
                _ if self.variables.iter().any(is_set) => variable,
                (_, Some((_, _, line))) => format!("line {line}"),
                _ => "default".to_owned(),
            };
            let _ = writeln!(text, "{} = {} # {from}", key.name, value(&key.setting, &mut config));
        }
        for (place, feed) in config.feeds.iter().enumerate() {
            text.push_str("\n[[feed]]\n");
            for (key, value) in feed_in_force(feed) {
                let is_set = |(section, name, _): &&(String, String, usize)| {
                    *section == feed_section(place) && name.as_str() == key
                };
                let from = match lines.iter().find(is_set) {
                    Some((_, _, line)) => format!("line {line}"),
                    None if key == "proxy" && value.is_some() => "a variable".to_owned(),
                    None => "default".to_owned(),
                };
                match value {
                    Some(value) => drop(writeln!(text, "{key} = {value} # {from}")),
                    None => drop(writeln!(text, "# {key} is not set")),
                }
            }
        }
        Ok(text)
    }
}
