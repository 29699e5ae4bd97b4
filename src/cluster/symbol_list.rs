//! The list of a shard's symbols in short, by which nodes find out that their configurations differ.

use super::json::JsonError;
use crate::market::Symbol;
use std::{fmt, str::FromStr};

/// How many symbols a list has, and a hash of them. Lists with the same symbols are equal, whatever their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SymbolList {
    count: u32,
    hash: u64,
}

impl SymbolList {
    /// The list of these symbols, of which none comes twice.
    pub fn of<'a>(symbols: impl IntoIterator<Item = &'a Symbol>) -> Self {
        let mut names: Vec<&str> = symbols.into_iter().map(Symbol::as_str).collect();
        names.sort_unstable();
        // A line feed is in none of them.
        let bytes = names.iter().flat_map(|name| name.bytes().chain([b'\n']));
        Self { count: u32::try_from(names.len()).expect("a feed has fewer symbols"), hash: fnv_1a(bytes) }
    }

    /// How many symbols it has.
    pub fn count(self) -> u32 {
        self.count
    }

    /// Whether it surely lacks symbols of another list. One that has more symbols than the other may still lack some.
    pub fn lacks_some_of(self, other: Self) -> bool {
        self != other && self.count <= other.count
    }
}

/// The same in all versions of the compiler, which its own hashes are not.
fn fnv_1a(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The count, and the hash in 16 digits: `20-00c5f1a07b3e9d24`.
impl fmt::Display for SymbolList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.count, self.hash)
    }
}

impl FromStr for SymbolList {
    type Err = JsonError;

    fn from_str(text: &str) -> Result<Self, JsonError> {
        let wrong = || JsonError::form("a list of symbols is its count, `-` and a hash of 16 hexadecimal digits");
        let (count, hash) = text.split_once('-').ok_or_else(wrong)?;
        if hash.len() != 16 {
            return Err(wrong());
        }
        let count = count.parse().map_err(|_| wrong())?;
        Ok(Self { count, hash: u64::from_str_radix(hash, 16).map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> SymbolList {
        let symbols: Vec<Symbol> = names.iter().map(|name| name.parse().unwrap()).collect();
        SymbolList::of(&symbols)
    }

    #[test]
    fn a_list_is_equal_to_another_of_the_same_symbols_and_a_shorter_one_lacks_some() {
        let (all, other) = (list(&["A", "B", "C"]), list(&["A", "B", "D"]));
        assert_eq!(all, list(&["C", "A", "B"]));
        assert_ne!(list(&["AB"]), list(&["A", "B"]));
        for (one, two, lacks) in [
            (all, all, false),
            (other, all, true),
            (list(&["A", "B"]), all, true),
            (all, list(&["A", "B"]), false),
            (SymbolList::default(), all, true),
        ] {
            assert_eq!(one.lacks_some_of(two), lacks, "{one} {two}");
        }
    }

    #[test]
    fn a_list_is_a_string_and_comes_back() {
        let all = list(&["A", "B"]);
        assert_eq!(all.to_string(), "2-76fca88cb6d9040e");
        assert_eq!(all.to_string().parse(), Ok(all));
        for wrong in
            ["", "2", "2-", "2-76fca88cb6d9040", "x-76fca88cb6d9040e", "2-76fca88cb6d9040x", "-2-76fca88cb6d9040e"]
        {
            assert!(wrong.parse::<SymbolList>().is_err(), "{wrong}");
        }
    }
}
