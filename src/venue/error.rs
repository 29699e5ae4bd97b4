//! Why the settings of a feed do not fit its venue.

use super::CredentialsRule;
use crate::market::Symbol;

/// The longest name that a venue may have for a symbol, in bytes: the longest known one has 40.
pub const NAME_BYTES_MAX: usize = 64;

/// Why the settings of a feed do not fit its venue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VenueError {
    /// Two symbols have one name at the venue: their updates could not be distinguished.
    #[error("`{first}` and `{second}` are both `{name}` at the venue")]
    NamesMeet {
        /// The symbol that comes first in the list.
        first: Symbol,
        /// The other symbol.
        second: Symbol,
        /// Their name at the venue.
        name: String,
    },
    /// The venue's name of a symbol does not follow from the symbol.
    #[error("{venue}'s name of `{symbol}` cannot be derived")]
    NotDerivable {
        /// The symbol.
        symbol: Symbol,
        /// The venue.
        venue: &'static str,
    },
    /// A name that cannot be a venue's.
    #[error(
        "`{name}` cannot be a venue's name of `{symbol}`: a name has 1 to {NAME_BYTES_MAX} bytes, without blanks, quotes, \
         backslashes, '@' and ','"
    )]
    BadName {
        /// The symbol.
        symbol: Symbol,
        /// The name.
        name: String,
    },
    /// More symbols than the connections of a feed carry.
    #[error("{count} symbols are too many: a connection to {venue} carries {per_connection}")]
    TooManySymbols {
        /// The number of symbols.
        count: usize,
        /// The most on one connection.
        per_connection: usize,
        /// The venue.
        venue: &'static str,
    },
    /// The symbols need more connections than the feed may open.
    #[error("{count} symbols need {needed} connections to {venue}, and the feed may open {max}")]
    TooManyConnections {
        /// The number of symbols.
        count: usize,
        /// The connections that carry them.
        needed: usize,
        /// The most that the feed may open.
        max: usize,
        /// The venue.
        venue: &'static str,
    },
    /// The venue requires a key, and the feed has none.
    #[error("{venue} requires a key: {}", rule.how_to_set())]
    NoCredentials {
        /// The venue.
        venue: &'static str,
        /// What it requires.
        rule: CredentialsRule,
    },
    /// A feed of recordings without one.
    #[error("no recording to play: name its files")]
    NoRecording,
    /// An address that can be a websocket's, but not one of the data that the venue's protocol reads.
    #[error("`{url}` {why}: {instead}")]
    WrongEndpoint {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: &'static str,
        /// What to write.
        instead: &'static str,
    },
    /// An address that cannot be a websocket's.
    #[error("`{url}` is not the address of a websocket; write wss://host:port/path")]
    BadUrl {
        /// The address.
        url: String,
    },
}

impl VenueError {
    /// The symbol at fault, if it is one.
    pub fn symbol(&self) -> Option<&Symbol> {
        match self {
            Self::NamesMeet { second, .. } => Some(second),
            Self::NotDerivable { symbol, .. } | Self::BadName { symbol, .. } => Some(symbol),
            Self::TooManySymbols { .. }
            | Self::TooManyConnections { .. }
            | Self::NoCredentials { .. }
            | Self::NoRecording
            | Self::WrongEndpoint { .. }
            | Self::BadUrl { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_names_the_settings_that_the_venue_requires() {
        let error = |rule| VenueError::NoCredentials { venue: "examplex", rule }.to_string();
        let key_alone = CredentialsRule::Key { key_env: "KEY" };
        assert_eq!(error(key_alone), "examplex requires a key: name the variable that holds it with key_env");
        let both = CredentialsRule::KeyAndSecret { key_env: "KEY", secret_env: "SECRET" };
        let expected = "examplex requires a key: name the variables that hold it with key_env and secret_env";
        assert_eq!(error(both), expected);
    }
}
