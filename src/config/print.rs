//! All keys as a file that says what is the case without it: `tickfan --print-config`.

use super::{
    keys::{FEED_KEYS, KEYS, Key, Setting},
    units::{show_bytes, show_duration},
    variables::variable_name,
};

/// How wide a comment may be.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Every key of tickfan with its default. A file holds only what differs from it.
#
#   tickfan check --config tickfan.toml    says what is wrong with a file, and where
#   tickfan --config tickfan.toml          serves
#
# A key that is one value is also set by the variable that stands above it, over the file.
";

const FEED_HEAD: &str = "
# A connection to a venue; there may be several. Without any, the simulator is the one.
#[[feed]]
";

/// The defaults as TOML, each key with its unit, its range and its reason. Read as a file, it changes nothing.
pub fn print_defaults() -> String {
    let mut text = HEAD.to_owned();
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            if section == "fanout" {
                text.push_str(&feed_keys());
            }
            text.push_str(&format!("\n[{section}]\n"));
        } else {
            text.push('\n');
        }
        text.push_str(&one_key(key));
    }
    text
}

fn one_key(key: &Key) -> String {
    let variable = if key.setting.is_scalar() { format!("# {}\n", variable_name(key)) } else { String::new() };
    let about = comment(&format!("{}. {}.", what(&key.setting), capitalized(key.reason)));
    format!("{variable}{about}{} = {}\n", key.name, default(&key.setting))
}

fn feed_keys() -> String {
    let lines = FEED_KEYS.iter().map(|key| format!("{}#{} = {}\n\n", comment(key.about), key.name, key.example));
    FEED_HEAD.to_owned() + lines.collect::<String>().trim_end() + "\n"
}

/// What a key takes.
fn what(setting: &Setting) -> String {
    match setting {
        Setting::Address { .. } => "An IP address and a port".to_owned(),
        Setting::Texts { max, .. } => format!("A list of at most {max} texts"),
        Setting::Nets { max, .. } => {
            format!("A list of at most {max} IP addresses and nets of them, as \"10.0.0.0/8\"")
        }
        Setting::Time { range, .. } => {
            format!("A time from {} to {}", show_duration(*range.start()), show_duration(*range.end()))
        }
        Setting::TimeOrAuto { range, .. } => {
            format!("\"auto\", or a time from {} to {}", show_duration(*range.start()), show_duration(*range.end()))
        }
        Setting::Count { range, .. } => format!("A number from {} to {}", range.start(), range.end()),
        Setting::Bytes { range, .. } => {
            format!("A size from {} to {}", show_bytes(*range.start() as u64), show_bytes(*range.end() as u64))
        }
    }
}

fn default(setting: &Setting) -> String {
    match setting {
        Setting::Address { default, .. } => format!("\"{default}\""),
        Setting::Texts { default, .. } => format!("{default:?}"),
        Setting::Nets { .. } => "[]".to_owned(),
        Setting::Time { default, .. } => format!("\"{}\"", show_duration(*default)),
        Setting::TimeOrAuto { .. } => "\"auto\"".to_owned(),
        Setting::Count { default, .. } => default.to_string(),
        Setting::Bytes { default, .. } => format!("\"{}\"", show_bytes(*default as u64)),
    }
}

/// A text as lines of comment.
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
