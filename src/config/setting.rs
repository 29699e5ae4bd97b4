//! What a key of the file is: its kind, with default, range and field, and when a changed value counts.

use super::{
    Config,
    auth::{AuthMode, Group, KeysAddress},
    error::Wrong,
};
use crate::{
    auth::Pattern,
    telemetry::LogFilter,
    tls::{CertificateFiles, TlsVersion},
};
use http::HeaderName;
use ipnet::IpNet;
use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

/// One key of the file.
#[derive(Debug)]
pub struct Key {
    /// Its table: `server`, `fanout`, `limits`, `history`, `tls`, `auth`, `auth.anonymous` or `cluster`.
    pub section: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    /// Its kind, default, range and field.
    pub setting: Setting,
    /// When a changed value counts.
    pub applies: Applies,
    /// The reason for the default and the range.
    pub reason: &'static str,
}

impl Key {
    /// Whether a pair of keys means this one by a name. Two tables have a `listen`: that of `[tls]` is called
    /// `tls.listen`.
    pub fn is_called(&self, name: &str) -> bool {
        match name.split_once('.') {
            Some((section, name)) => (self.section, self.name) == (section, name),
            None => self.name == name && (self.section, self.name) != ("tls", "listen"),
        }
    }
}

/// The tables that are optional: without them what they set up does not exist, and their keys have no values.
pub const OPTIONAL_SECTIONS: [&str; 2] = ["tls", "cluster"];

/// Whether a configuration has a table.
pub(super) fn has_section(config: &Config, section: &str) -> bool {
    match section {
        "tls" => config.tls.is_some(),
        "cluster" => config.cluster.is_some(),
        _ => true,
    }
}

/// When a changed value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applies {
    /// At a reload.
    Reload,
    /// At the next start: what it sizes or binds is made once.
    Restart,
}

/// The kind of a key. `field` is the place in a [`Config`] that it sets.
#[derive(Debug)]
pub enum Setting {
    /// An IP address and a port.
    Address {
        /// Without the key.
        default: SocketAddr,
        /// The field.
        field: fn(&mut Config) -> &mut SocketAddr,
    },
    /// A list of strings.
    Strings {
        /// Without the key.
        default: &'static [&'static str],
        /// The most entries.
        max: usize,
        /// Reads one entry.
        #[doc(hidden)]
        read: Read,
        /// The field.
        field: fn(&mut Config) -> &mut Vec<String>,
    },
    /// A list of IP addresses and networks. Without the key it is empty.
    Nets {
        /// The most entries.
        max: usize,
        /// The field.
        field: fn(&mut Config) -> &mut Vec<IpNet>,
    },
    /// The name of a header. Without the key there is none.
    HeaderName {
        /// The field; `None` is `""`.
        field: fn(&mut Config) -> &mut Option<HeaderName>,
    },
    /// A duration, written with its unit.
    Duration {
        /// Without the key.
        default: Duration,
        /// What is accepted.
        range: RangeInclusive<Duration>,
        /// The field.
        field: fn(&mut Config) -> &mut Duration,
    },
    /// A duration, or `"auto"`, which is the default.
    DurationOrAuto {
        /// What is accepted.
        range: RangeInclusive<Duration>,
        /// The field; `None` is `"auto"`.
        field: fn(&mut Config) -> &mut Option<Duration>,
    },
    /// A whole number.
    Count {
        /// Without the key.
        default: usize,
        /// What is accepted.
        range: RangeInclusive<usize>,
        /// The field.
        field: fn(&mut Config) -> &mut usize,
    },
    /// A size in bytes, as a number or with its unit.
    Bytes {
        /// Without the key.
        default: usize,
        /// What is accepted.
        range: RangeInclusive<usize>,
        /// The field.
        field: fn(&mut Config) -> &mut usize,
    },
    /// A size in bytes, or `"auto"`, which is the default.
    BytesOrAuto {
        /// What is accepted.
        range: RangeInclusive<usize>,
        /// The field; `None` is `"auto"`.
        field: fn(&mut Config) -> &mut Option<usize>,
    },
    /// True or false.
    Switch {
        /// Without the key.
        default: bool,
        /// The field.
        field: fn(&mut Config) -> &mut bool,
    },
    /// A version of TLS.
    TlsVersion {
        /// Without the key.
        default: TlsVersion,
        /// The field.
        field: fn(&mut Config) -> &mut TlsVersion,
    },
    /// A list of certificates. It has no default.
    Certificates {
        /// The most entries.
        max: usize,
        /// The field.
        field: fn(&mut Config) -> &mut Vec<CertificateFiles>,
    },
    /// A string.
    Text {
        /// Without the key.
        default: &'static str,
        /// Checks it.
        #[doc(hidden)]
        read: Read,
        /// What is accepted, in words.
        what: &'static str,
        /// The field.
        field: fn(&mut Config) -> &mut String,
    },
    /// The path of a file. Without the key it is empty: there is none.
    Path {
        /// The field.
        field: fn(&mut Config) -> &mut PathBuf,
    },
    /// Whether clients sign on. Without the key they do not.
    AuthMode {
        /// The field.
        field: fn(&mut Config) -> &mut AuthMode,
    },
    /// Where the keys of tokens are. Without the key there are none.
    Keys {
        /// The field; `None` is `""`.
        field: fn(&mut Config) -> &mut Option<KeysAddress>,
    },
    /// A list of symbols, prefixes and groups.
    Patterns {
        /// Without the key.
        default: &'static [&'static str],
        /// The most entries.
        max: usize,
        /// The field.
        field: fn(&mut Config) -> &mut Vec<Pattern>,
    },
    /// Lists of symbols and prefixes under names. Without the key there are none.
    Groups {
        /// The most groups.
        max: usize,
        /// The field.
        field: fn(&mut Config) -> &mut Vec<Group>,
    },
    /// Which lines are logged. Without the key it is `info`.
    Log {
        /// The field.
        field: fn(&mut Config) -> &mut LogFilter,
    },
}

/// Reads one entry of a list of strings.
#[derive(Debug, Clone, Copy)]
pub struct Read(pub(super) fn(&str) -> Result<String, Wrong>);

impl Setting {
    /// Takes the value of another configuration.
    pub(super) fn copy(&self, from: &mut Config, to: &mut Config) {
        match self {
            Self::Address { field, .. } => *field(to) = *field(from),
            Self::Strings { field, .. } => field(to).clone_from(field(from)),
            Self::Nets { field, .. } => field(to).clone_from(field(from)),
            Self::HeaderName { field } => field(to).clone_from(field(from)),
            Self::Duration { field, .. } => *field(to) = *field(from),
            Self::DurationOrAuto { field, .. } => *field(to) = *field(from),
            Self::BytesOrAuto { field, .. } => *field(to) = *field(from),
            Self::Count { field, .. } | Self::Bytes { field, .. } => *field(to) = *field(from),
            Self::Switch { field, .. } => *field(to) = *field(from),
            Self::TlsVersion { field, .. } => *field(to) = *field(from),
            Self::Certificates { field, .. } => field(to).clone_from(field(from)),
            Self::Text { field, .. } => field(to).clone_from(field(from)),
            Self::Path { field } => field(to).clone_from(field(from)),
            Self::AuthMode { field } => *field(to) = *field(from),
            Self::Keys { field } => field(to).clone_from(field(from)),
            Self::Patterns { field, .. } => field(to).clone_from(field(from)),
            Self::Groups { field, .. } => field(to).clone_from(field(from)),
            Self::Log { field } => field(to).clone_from(field(from)),
        }
    }

    /// Whether two configurations that show the same value have the same: what may be a secret is not shown.
    pub(super) fn is_same(&self, one: &mut Config, other: &mut Config) -> bool {
        match self {
            Self::Keys { field } => field(one) == field(other),
            _ => true,
        }
    }

    /// Sets its field to the default.
    pub(super) fn reset(&self, config: &mut Config) {
        match self {
            Self::Address { default, field } => *field(config) = *default,
            Self::Strings { default, field, .. } => {
                *field(config) = default.iter().map(|&text| text.to_owned()).collect()
            }
            Self::Nets { field, .. } => field(config).clear(),
            Self::Certificates { field, .. } => field(config).clear(),
            Self::Switch { default, field } => *field(config) = *default,
            Self::TlsVersion { default, field } => *field(config) = *default,
            Self::HeaderName { field } => *field(config) = None,
            Self::Text { default, field, .. } => *field(config) = (*default).to_owned(),
            Self::Path { field } => *field(config) = PathBuf::new(),
            Self::AuthMode { field } => *field(config) = AuthMode::Off,
            Self::Keys { field } => *field(config) = None,
            Self::Patterns { default, field, .. } => {
                let pattern = |text: &&str| text.parse().expect("a default is a pattern");
                *field(config) = default.iter().map(pattern).collect();
            }
            Self::Groups { field, .. } => field(config).clear(),
            Self::Log { field } => *field(config) = LogFilter::default(),
            Self::Duration { default, field, .. } => *field(config) = *default,
            Self::DurationOrAuto { field, .. } => *field(config) = None,
            Self::BytesOrAuto { field, .. } => *field(config) = None,
            Self::Count { default, field, .. } | Self::Bytes { default, field, .. } => *field(config) = *default,
        }
    }
}

#[cfg(test)]
impl Setting {
    /// Sets its field to a value that is not the default.
    pub(super) fn disturb(&self, config: &mut Config) {
        match self {
            Self::Address { field, .. } => field(config).set_port(1),
            Self::Strings { field, .. } => field(config).push("other".to_owned()),
            Self::Nets { field, .. } => field(config).push("127.0.0.1/32".parse().unwrap()),
            Self::HeaderName { field } => *field(config) = Some(HeaderName::from_static("x-client-id")),
            Self::Duration { field, .. } => *field(config) += Duration::from_secs(1),
            Self::DurationOrAuto { field, .. } => *field(config) = Some(Duration::from_secs(1)),
            Self::BytesOrAuto { field, .. } => *field(config) = Some(1),
            Self::Count { field, .. } | Self::Bytes { field, .. } => *field(config) += 1,
            Self::Switch { field, .. } => *field(config) = !*field(config),
            Self::TlsVersion { field, .. } => *field(config) = TlsVersion::Tls13,
            Self::Certificates { field, .. } => {
                field(config).push(CertificateFiles { chain: "chain".into(), key: "key".into() });
            }
            Self::Text { field, .. } => field(config).push('x'),
            Self::Path { field } => *field(config) = "file".into(),
            Self::AuthMode { field } => *field(config) = AuthMode::Required,
            Self::Keys { field } => *field(config) = Some(KeysAddress::File("file".into())),
            Self::Patterns { field, .. } => field(config).push("OTHER".parse().unwrap()),
            Self::Groups { field, .. } => field(config).push(Group { name: "us".to_owned(), patterns: Vec::new() }),
            Self::Log { field } => *field(config) = "off".parse().unwrap(),
        }
    }
}
