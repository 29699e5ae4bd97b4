//! Patterns of symbols in tokens and in the configuration, and sets of them that answer quickly.

use crate::market::Symbol;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    str::FromStr,
    sync::Arc,
};

/// The longest name of a group.
const GROUP_BYTES_MAX: usize = 32;

/// Which symbols are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    /// `AAPL`: this one.
    Symbol(Symbol),
    /// `BTC-*`: those that begin with it; `*` is every symbol.
    Prefix(Box<str>),
    /// `@us`: those of a group of the configuration.
    Group(Box<str>),
}

/// Why a string is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern is a symbol, a prefix with an asterisk such as BTC-*, or a group such as @us")]
pub struct PatternError;

/// Whether a group may be called so: `[a-z0-9_-]{1,32}`.
pub fn is_group_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=GROUP_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

impl FromStr for Pattern {
    type Err = PatternError;

    /// Lower case is folded to upper case, as in requests.
    fn from_str(text: &str) -> Result<Self, PatternError> {
        if let Some(name) = text.strip_prefix('@') {
            return if is_group_name(name) { Ok(Self::Group(name.into())) } else { Err(PatternError) };
        }
        match text.strip_suffix('*') {
            Some("") => Ok(Self::Prefix("".into())),
            // The beginning of a symbol that has its full length is a symbol itself.
            Some(prefix) => {
                Symbol::fold(prefix).map(|prefix| Self::Prefix(prefix.as_str().into())).or(Err(PatternError))
            }
            None => Symbol::fold(text).map(Self::Symbol).or(Err(PatternError)),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => write!(f, "{symbol}"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

/// The groups of the configuration.
#[derive(Debug, Default)]
pub struct Groups(HashMap<Box<str>, Arc<Patterns>>);

impl Groups {
    /// Groups of symbols and prefixes; a group within a group has no effect.
    pub fn new<'a>(groups: impl IntoIterator<Item = (&'a str, &'a [Pattern])>) -> Self {
        let nested = Self::default();
        let compiled = |(name, patterns): (&'a str, _)| (name.into(), Arc::new(Patterns::new(patterns, &nested)));
        Self(groups.into_iter().map(compiled).collect())
    }
}

/// A set of patterns. A look-up costs a hash and a binary search, and as much again for each group.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Patterns {
    symbols: HashSet<Symbol>,
    /// In order. None begins with another, so the greatest that is not above a symbol is the only one that can match.
    prefixes: Vec<Box<str>>,
    groups: Vec<Arc<Patterns>>,
}

impl Patterns {
    /// The set. A group that the configuration does not have matches nothing.
    pub fn new(patterns: &[Pattern], groups: &Groups) -> Self {
        let mut set = Self::default();
        for pattern in patterns {
            match pattern {
                Pattern::Symbol(symbol) => drop(set.symbols.insert(symbol.clone())),
                Pattern::Prefix(prefix) => set.prefixes.push(prefix.clone()),
                Pattern::Group(name) => {
                    let group = groups.0.get(name);
                    set.groups.extend(group.filter(|group| !set.has_group(group)).cloned());
                }
            }
        }
        set.prefixes.sort();
        // Behind a prefix stand all those that begin with it.
        set.prefixes.dedup_by(|longer, kept| longer.starts_with(&**kept));
        set
    }

    fn has_group(&self, group: &Arc<Patterns>) -> bool {
        self.groups.iter().any(|held| Arc::ptr_eq(held, group))
    }

    /// Whether one of the patterns matches.
    pub fn contains(&self, symbol: &Symbol) -> bool {
        let name = symbol.as_str();
        let behind = self.prefixes.partition_point(|prefix| **prefix <= *name);
        let begins = self.prefixes[..behind].last().is_some_and(|prefix| name.starts_with(&**prefix));
        begins || self.symbols.contains(symbol) || self.groups.iter().any(|group| group.contains(symbol))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn symbol(text: &str) -> Symbol {
        text.parse().unwrap()
    }

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_pattern_is_a_symbol_a_prefix_or_a_group() {
        for (text, shown) in
            [("AAPL", "AAPL"), ("btc-*", "BTC-*"), ("*", "*"), ("@us", "@us"), ("brk.b", "BRK.B"), ("A*", "A*")]
        {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), shown);
        }
        let long = format!("@{}", "a".repeat(33));
        for bad in ["", "**", "A*B", "*A", "-*", "@", "@US", "@a b", "@a*", "A B", "A,B", "A?", &long, &"A".repeat(33)]
        {
            assert_eq!(bad.parse::<Pattern>(), Err(PatternError), "{bad}");
        }
    }

    #[test]
    fn groups_of_the_configuration_count_and_unknown_ones_match_nothing() {
        let us = patterns(&["AAPL", "BRK.*", "@us"]);
        let groups = Groups::new([("us", us.as_slice())]);
        let set = Patterns::new(&patterns(&["@us", "@eu", "BTC-USDT"]), &groups);
        for (name, is_in) in [("AAPL", true), ("BRK.B", true), ("BTC-USDT", true), ("MSFT", false), ("BRK", false)] {
            assert_eq!(set.contains(&symbol(name)), is_in, "{name}");
        }
        assert!(!Patterns::new(&patterns(&["@eu"]), &groups).contains(&symbol("AAPL")));
        let repeated = Patterns::new(&patterns(&["@us"; 64]), &groups);
        assert_eq!(repeated.groups.len(), 1, "a look-up asks each group once");
    }

    proptest! {
        #[test]
        fn a_set_matches_what_one_of_its_patterns_matches(
            texts in prop::collection::vec("[AB-]{0,4}\\*|[AB][AB-]{0,4}|@[xy]", 0..64),
            names in prop::collection::vec("[AB][AB-]{0,5}", 1..64),
        ) {
            let list: Vec<Pattern> = texts.iter().filter_map(|text| text.parse().ok()).collect();
            let x = patterns(&["AB*", "B"]);
            let set = Patterns::new(&list, &Groups::new([("x", x.as_slice())]));
            for name in &names {
                let matches = |pattern: &Pattern| match pattern {
                    Pattern::Symbol(symbol) => symbol.as_str() == name,
                    Pattern::Prefix(prefix) => name.starts_with(&**prefix),
                    Pattern::Group(group) => **group == *"x" && (name.starts_with("AB") || name == "B"),
                };
                prop_assert_eq!(set.contains(&symbol(name)), list.iter().any(matches), "{} in {:?}", name, texts);
            }
        }
    }
}
