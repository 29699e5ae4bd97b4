//! All keys with their defaults, as a file: `tickfan --print-config`.

use super::{
    Config,
    auth::Group,
    certificates::EXAMPLE,
    defaults::every_default,
    feed_keys::feed_keys,
    keys::KEYS,
    setting::{Applies, Key, OPTIONAL_SECTIONS, Setting},
    units::{show_bytes, show_duration},
    variables::variable_name,
};
use crate::{auth::Pattern, telemetry::LOG_ENTRIES_MAX, tls::CertificateFiles};
use std::fmt::Display;

/// How wide a comment may be.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Every key of tickfan with its default. A configuration file needs only what differs.
#
#   tickfan check --config tickfan.toml    checks a file
#   tickfan --config tickfan.toml          serves
#
# The variable above a key overrides the file. In a variable, commas separate the entries of a list.
";

const FEED_HEAD: &str = "
# A feed: symbols of a venue. There may be several; without any, there is one of the default venue.
# At a reload `symbols` and the key change while the feed runs; most other keys restart it.
#[[feed]]
";

const TLS_HEAD: &str = "
# https: a second listener for clients. Without this table there is none. Certificates are required.
#[tls]

";

const CLUSTER_HEAD: &str = "
# Many gateways that share each venue's connection over NATS. Without this table there is one
# gateway. Name and servers are required.
#[cluster]

";

/// The defaults as TOML, each key with its unit, its range and its reason. As a configuration file, it changes nothing.
pub fn print_defaults() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            if section == "fanout" {
                text.push_str(&feed_section());
            }
            text.push_str(&match section {
                "tls" => TLS_HEAD.to_owned(),
                "cluster" => CLUSTER_HEAD.to_owned(),
                section => format!("\n[{section}]\n"),
            });
        } else {
            text.push('\n');
        }
        text.push_str(&one_key(key));
    }
    text
}

fn one_key(key: &Key) -> String {
    let variable = variable_name(key);
    let applies = match key.applies {
        Applies::Reload => "applies at a reload",
        Applies::Restart => "applies at a restart",
    };
    let about = comment(&format!("{}. {}.", what(&key.setting), capitalized(key.reason)));
    let value = match &key.setting {
        Setting::Certificates { .. } => EXAMPLE.to_owned(),
        setting => value(setting, &mut every_default()),
    };
    let mark = if OPTIONAL_SECTIONS.contains(&key.section) { "#" } else { "" };
    format!("# {variable}, {applies}\n{about}{mark}{} = {value}\n", key.name)
}

fn feed_section() -> String {
    let lines =
        feed_keys().into_iter().map(|key| format!("{}#{} = {}\n\n", comment(&key.about), key.name, key.example));
    FEED_HEAD.to_owned() + lines.collect::<String>().trim_end() + "\n"
}

/// The values that a key accepts.
fn what(setting: &Setting) -> String {
    match setting {
        Setting::Address { .. } => "An IP address and a port".to_owned(),
        Setting::Strings { max, .. } => format!("At most {max} strings"),
        Setting::Nets { max, .. } => {
            format!("At most {max} IP addresses and networks, such as \"10.0.0.0/8\"")
        }
        Setting::HeaderName { .. } => "The name of a header, or \"\" for none".to_owned(),
        Setting::Duration { range, .. } => {
            format!("A duration from {} to {}", show_duration(*range.start()), show_duration(*range.end()))
        }
        Setting::DurationOrAuto { range, .. } => {
            format!("\"auto\", or a duration from {} to {}", show_duration(*range.start()), show_duration(*range.end()))
        }
        Setting::Count { range, .. } => format!("A number from {} to {}", range.start(), range.end()),
        Setting::Bytes { range, .. } => {
            format!("A size from {} to {}", show_bytes(*range.start() as u64), show_bytes(*range.end() as u64))
        }
        Setting::BytesOrAuto { range, .. } => {
            let min = show_bytes(*range.start() as u64);
            let max = show_bytes(*range.end() as u64);
            format!("\"auto\", or a size from {min} to {max}")
        }
        Setting::Switch { .. } => "True or false".to_owned(),
        Setting::TlsVersion { .. } => "\"1.2\" or \"1.3\"".to_owned(),
        Setting::Certificates { max, .. } => {
            format!(
                "From 1 to {max} pairs of files; in a variable, chain and key have a colon between. A relative path \
                 begins at the folder of this file"
            )
        }
        Setting::Text { what, .. } => (*what).to_owned(),
        Setting::Path { .. } => {
            "The path of a file, or \"\" for none. A relative path begins at the folder of this file".to_owned()
        }
        Setting::AuthMode { .. } => "\"off\", \"optional\" or \"required\"".to_owned(),
        Setting::Keys { .. } => "An https address, \"file:\" and a path, or \"\" for none".to_owned(),
        Setting::Patterns { max, .. } => format!("At most {max} symbols, prefixes such as \"BTC-*\", and groups"),
        Setting::Groups { max, .. } => {
            format!("At most {max} lists of symbols and prefixes; in a variable, each as group:symbol")
        }
        Setting::Log { .. } => {
            format!("A log level, or levels of modules; at most {LOG_ENTRIES_MAX} entries, separated by commas")
        }
    }
}

/// The value of a setting, as a file has it. The configuration is only read: a setting's field is found by a function
/// that returns it for writing too.
pub(super) fn value(setting: &Setting, config: &mut Config) -> String {
    let quoted = |text: &dyn Display| format!("\"{text}\"");
    match setting {
        Setting::Address { field, .. } => quoted(field(config)),
        Setting::Log { field } => quoted(field(config)),
        Setting::Strings { field, .. } => format!("{:?}", field(config)),
        Setting::HeaderName { field } => quoted(&field(config).as_ref().map_or("", |name| name.as_str())),
        Setting::Nets { field, .. } => {
            format!("{:?}", field(config).iter().map(ToString::to_string).collect::<Vec<_>>())
        }
        Setting::Duration { field, .. } => quoted(&show_duration(*field(config))),
        Setting::DurationOrAuto { field, .. } => {
            quoted(&field(config).map_or_else(|| "auto".to_owned(), show_duration))
        }
        Setting::BytesOrAuto { field, .. } => {
            quoted(&field(config).map_or_else(|| "auto".to_owned(), |bytes| show_bytes(bytes as u64)))
        }
        Setting::Count { field, .. } => field(config).to_string(),
        Setting::Switch { field, .. } => field(config).to_string(),
        Setting::TlsVersion { field, .. } => quoted(field(config)),
        Setting::Certificates { field, .. } => {
            let entry = |files: &CertificateFiles| format!("{{ chain = {:?}, key = {:?} }}", files.chain, files.key);
            format!("[{}]", field(config).iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Setting::Text { field, .. } => format!("{:?}", field(config)),
        Setting::Path { field } => format!("{:?}", field(config)),
        Setting::AuthMode { field } => quoted(&field(config).name()),
        Setting::Keys { field } => {
            format!("{:?}", field(config).as_ref().map(ToString::to_string).unwrap_or_default())
        }
        Setting::Patterns { field, .. } => patterns(field(config)),
        Setting::Groups { field, .. } => {
            let list = |group: &Group| format!("{} = {}", group.name, patterns(&group.patterns));
            let lists: Vec<String> = field(config).iter().map(list).collect();
            if lists.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", lists.join(", ")) }
        }
        Setting::Bytes { field, .. } => quoted(&show_bytes(*field(config) as u64)),
    }
}

fn patterns(list: &[Pattern]) -> String {
    format!("{:?}", list.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// Wraps a text into lines of comment.
fn comment(text: &str) -> String {
    let mut lines = vec!["#".to_owned()];
    for word in text.split(' ') {
        let full = lines.last().is_some_and(|line| line.chars().count() + 1 + word.chars().count() > WIDTH);
        if full {
            lines.push("#".to_owned());
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
