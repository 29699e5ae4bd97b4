//! `[auth]`: whether clients sign on, whose tokens count, and which symbols they may read.

use super::{CaFile, Proxy, without_secrets};
use crate::{
    auth::{self, Expected, KeySet, Lists, Pattern, Policy, SkippedKey},
    venue::Secret,
};
use http::Uri;
use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

/// `[auth]`: sign-on and entitlements.
#[derive(Debug, Clone)]
pub struct Auth {
    /// Whether clients sign on.
    pub mode: AuthMode,
    /// Where the issuer publishes its keys.
    pub keys: Option<KeysAddress>,
    /// The file of the CAs that its server's certificate may be from, besides the public ones; empty: none.
    pub ca_file: PathBuf,
    /// The variable that holds the secret of HS256; empty: none.
    pub secret_env: String,
    /// The file that holds it; empty: none.
    pub secret_file: PathBuf,
    /// Whose tokens count; empty: those of every issuer that signs with the keys.
    pub issuer: String,
    /// Whom tokens must be made for.
    pub audience: String,
    /// How many streams a subject may have at a time, unless its token says.
    pub streams_per_subject: usize,
    /// How long a ticket counts.
    pub ticket_ttl: Duration,
    /// How often a file of keys is compared with what was loaded.
    pub look: Duration,
    /// What a token without such a list may read.
    pub defaults: Lists,
    /// What a client without credentials may read, with `mode = "optional"`.
    pub anonymous: Lists,
    /// Lists under names, which tokens and other lists refer to.
    pub groups: Vec<Group>,
    /// What `keys`, `secret_env` and `secret_file` held at the start; `None` with `mode = "off"`.
    pub source: Option<KeySource>,
    /// What the lists come to.
    pub policy: Arc<Policy>,
}

/// Whether clients sign on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// All may read all; credentials are ignored.
    Off,
    /// A client without credentials has the rights of `[auth.anonymous]`.
    Optional,
    /// A client without credentials is rejected.
    Required,
}

impl AuthMode {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Off, Self::Optional, Self::Required];

    /// As the configuration writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysAddress {
    /// A file with a JWK set.
    File(PathBuf),
    /// A server's JWK set.
    Https(Uri),
}

/// Without its query, which some servers want a key in.
impl fmt::Display for KeysAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Https(address) => f.write_str(&without_secrets(&address.to_string())),
        }
    }
}

/// What verifies tokens.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A file with a JWK set, which may change.
    File {
        /// Where it is.
        path: PathBuf,
        /// The keys that it held at the start.
        keys: Arc<KeySet>,
        /// Those that it held besides, and that do not verify.
        skipped: Vec<SkippedKey>,
    },
    /// A JWK set that is fetched.
    Https {
        /// Its address.
        url: Uri,
        /// The CAs that are trusted besides the public ones.
        ca_file: Option<CaFile>,
        /// The proxy that the variables set for it.
        proxy: Option<Proxy>,
    },
    /// A file with the secret of HS256, which may change.
    SecretFile {
        /// Where it is.
        path: PathBuf,
        /// The key that it held at the start.
        keys: Arc<KeySet>,
    },
    /// A variable with the secret of HS256.
    SecretVariable {
        /// The variable.
        name: String,
        /// What it holds.
        secret: Secret,
        /// The same as a key.
        keys: Arc<KeySet>,
    },
}

/// A list of symbols and prefixes under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `[a-z0-9_-]{1,32}`
    pub name: String,
    /// Symbols and prefixes.
    pub patterns: Vec<Pattern>,
}

impl Auth {
    /// Without a value for any key.
    pub(super) fn empty() -> Self {
        Self {
            mode: AuthMode::Off,
            keys: None,
            ca_file: PathBuf::new(),
            secret_env: String::new(),
            secret_file: PathBuf::new(),
            issuer: String::new(),
            audience: String::new(),
            streams_per_subject: 0,
            ticket_ttl: Duration::ZERO,
            look: Duration::ZERO,
            defaults: Lists::default(),
            anonymous: Lists::default(),
            groups: Vec::new(),
            source: None,
            policy: Arc::new(Policy::new(auth::Groups::default(), &Lists::default(), &Lists::default(), 0)),
        }
    }

    /// Takes over what verifies the tokens of another.
    pub(super) fn take_source(&mut self, other: &Self) {
        self.keys.clone_from(&other.keys);
        self.ca_file.clone_from(&other.ca_file);
        self.secret_env.clone_from(&other.secret_env);
        self.secret_file.clone_from(&other.secret_file);
        self.source.clone_from(&other.source);
    }

    /// Makes the policy of the lists, after a change of one.
    pub(super) fn compile(&mut self) {
        let groups =
            auth::Groups::new(self.groups.iter().map(|group| (group.name.as_str(), group.patterns.as_slice())));
        self.policy = Arc::new(Policy::new(groups, &self.defaults, &self.anonymous, self.streams_per_subject));
    }

    /// Whether the policies of both are the same.
    pub(super) fn has_lists_of(&self, other: &Self) -> bool {
        let lists = |auth: &Self| (auth.defaults.clone(), auth.anonymous.clone(), auth.groups.clone());
        lists(self) == lists(other) && self.streams_per_subject == other.streams_per_subject
    }

    /// Whose tokens count.
    pub fn expected(&self) -> Expected<'_> {
        Expected { issuer: &self.issuer, audience: &self.audience }
    }
}
