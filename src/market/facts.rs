//! What is known of an instrument besides its prices: it changes rarely, and is not a part of a tick.

use super::Decimal;

/// What is known of an instrument besides its prices. What neither the venue nor its name of the symbol tells is
/// `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its name for people: `Apple Inc.`
    pub name: Option<Name>,
    /// What its prices are in: `USD`, `USDT`.
    pub currency: Option<Currency>,
    /// What it is.
    pub kind: Option<InstrumentKind>,
    /// How many decimals its prices have at most.
    pub price_digits: Option<Digits>,
    /// How many decimals its sizes have at most.
    pub size_digits: Option<Digits>,
}

impl Facts {
    /// Takes over what is said; what is not said stays. Returns whether anything has changed.
    pub fn learn(&mut self, said: &Self) -> bool {
        let mut has_changed = false;
        has_changed |= replace(&mut self.name, &said.name);
        has_changed |= replace(&mut self.currency, &said.currency);
        has_changed |= replace(&mut self.kind, &said.kind);
        has_changed |= replace(&mut self.price_digits, &said.price_digits);
        has_changed |= replace(&mut self.size_digits, &said.size_digits);
        has_changed
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn replace<T: Clone + PartialEq>(known: &mut Option<T>, said: &Option<T>) -> bool {
    let is_news = said.is_some() && known != said;
    if is_news {
        known.clone_from(said);
    }
    is_news
}

/// An instrument's name for people, which no venue can abuse: at most [`Name::CHARACTERS_MAX`] characters, none of
/// which is a control character, hides, or turns the direction of what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    shown: Box<str>,
    /// As searches compare it.
    folded: Box<str>,
}

impl Name {
    /// The longest name, in characters: longer ones are cut.
    pub const CHARACTERS_MAX: usize = 64;

    /// Makes a name of a venue's words: blanks between two words become one, and what may not be shown is left out.
    /// `None` where nothing is left.
    pub fn new(words: &str) -> Option<Self> {
        let mut shown = String::new();
        let mut count = 0;
        let mut is_blank_due = false;
        for letter in words.chars() {
            if letter.is_whitespace() {
                is_blank_due = count > 0;
                continue;
            }
            if letter.is_control() || is_hidden(letter) {
                continue;
            }
            if count + usize::from(is_blank_due) >= Self::CHARACTERS_MAX {
                break;
            }
            if std::mem::take(&mut is_blank_due) {
                shown.push(' ');
                count += 1;
            }
            shown.push(letter);
            count += 1;
        }
        let folded = Self::fold(&shown).into();
        (count > 0).then(|| Self { shown: shown.into(), folded })
    }

    /// The name as it is shown.
    pub fn as_str(&self) -> &str {
        &self.shown
    }

    /// The name as [`fold`](Self::fold) makes it.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// The letters and digits of a text, in lower case: names that differ in nothing else are found by each other.
    pub fn fold(text: &str) -> String {
        text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    }
}

/// Characters without a shape of their own, which join, hide or turn others: Unicode's format characters and fillers.
fn is_hidden(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}')
}

/// What prices are in: `[A-Z0-9]{1,16}`, a currency of a state or a coin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Currency(Box<str>);

impl Currency {
    /// The longest one, in characters.
    pub const LENGTH_MAX: usize = 16;

    /// Lower case is folded to upper case. `None` for another string than a currency's code.
    pub fn fold(code: &str) -> Option<Self> {
        let is_code =
            (1..=Self::LENGTH_MAX).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_code.then(|| Self(code.to_ascii_uppercase().into()))
    }

    /// The code as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an instrument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstrumentKind {
    /// A share or a fund, traded at a stock exchange.
    Stock,
    /// A pair of which a coin is at least one.
    Crypto,
    /// A pair of states' currencies.
    Forex,
    /// A contract that never ends.
    Perpetual,
    /// A contract that ends on a day.
    Future,
    /// A figure of several others, which is not traded.
    Index,
}

impl InstrumentKind {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 6] = [Self::Stock, Self::Crypto, Self::Forex, Self::Perpetual, Self::Future, Self::Index];

    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Crypto => "crypto",
            Self::Forex => "forex",
            Self::Perpetual => "perpetual",
            Self::Future => "future",
            Self::Index => "index",
        }
    }

    /// What this word of the wire means.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A number of decimals, 0 to [`Digits::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits(u8);

impl Digits {
    /// The most that a venue may claim: numbers with more decimals than this hardly fit a [`Decimal`].
    pub const MAX: u8 = 18;

    /// `None`: there are more than any number has.
    pub fn new(count: u64) -> Option<Self> {
        u8::try_from(count).ok().filter(|count| *count <= Self::MAX).map(Self)
    }

    /// The decimals of the multiples of an increment: 2 of `0.05`, 0 of `10`. `None` where it is not above zero.
    pub fn of_increment(increment: Decimal) -> Option<Self> {
        let (_, scale) = increment.mantissa_and_scale();
        increment.is_positive().then(|| Self::new(scale.into())).flatten()
    }

    /// How many.
    pub fn count(self) -> u8 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_10_a_name_is_cut_and_has_nothing_that_hides_or_turns_a_text() {
        for (words, shown) in [
            ("Apple Inc.", "Apple Inc."),
            ("  Apple\t\r\n Inc. ", "Apple Inc."),
            ("A\u{202e}B\u{200b}C\0\u{1b}[31mD\u{feff}\u{2066}E", "ABC[31mDE"),
            ("\u{200f}A \u{200d} B", "A B"),
            ("Nestlé 雀巢 S&P <b>\"'\\", "Nestlé 雀巢 S&P <b>\"'\\"),
            (&"ä".repeat(65), &"ä".repeat(64)),
            (&format!("{} b", "a".repeat(63)), &"a".repeat(63)),
            (&format!("{} b", "a".repeat(62)), &format!("{} b", "a".repeat(62))),
        ] {
            assert_eq!(Name::new(words).unwrap().as_str(), shown);
        }
        for nothing in ["", "  \n", "\u{200b}\u{202e}", "\0"] {
            assert_eq!(Name::new(nothing), None, "{nothing:?}");
        }
        assert_eq!(Name::new("S&P 500 – Ärzte AG").unwrap().folded(), "sp500ärzteag");
    }

    #[test]
    fn rule_10_a_currency_is_a_short_code() {
        for (code, currency) in
            [("USD", "USD"), ("usdt", "USDT"), ("1INCH", "1INCH"), ("ABCDEFGHIJKLMNOP", "ABCDEFGHIJKLMNOP")]
        {
            assert_eq!(Currency::fold(code).unwrap().as_str(), currency);
        }
        for other in ["", "US$", "U D", "ABCDEFGHIJKLMNOPQ", "EÜR", "US-D"] {
            assert_eq!(Currency::fold(other), None, "{other}");
        }
    }

    #[test]
    fn rule_10_digits_follow_from_a_count_or_an_increment_and_end_at_18() {
        assert_eq!([0, 8, 18].map(|count| Digits::new(count).unwrap().count()), [0, 8, 18]);
        assert_eq!([19, 256, u64::MAX].map(Digits::new), [None; 3]);
        let of =
            |increment: &str| Digits::of_increment(Decimal::parse(increment.as_bytes()).unwrap()).map(Digits::count);
        for (increment, digits) in [
            ("0.01", Some(2)),
            ("0.05", Some(2)),
            ("0.00000001", Some(8)),
            ("1e-8", Some(8)),
            ("0.10", Some(1)),
            ("1", Some(0)),
            ("10", Some(0)),
            ("0.5", Some(1)),
            ("1e-19", None),
            ("0", None),
            ("-0.01", None),
        ] {
            assert_eq!(of(increment), digits, "{increment}");
        }
    }

    #[test]
    fn what_is_said_replaces_what_is_known_and_what_is_not_said_stays() {
        let mut known =
            Facts { currency: Currency::fold("USD"), kind: Some(InstrumentKind::Crypto), ..Facts::default() };
        let said = Facts { name: Name::new("Apple"), kind: Some(InstrumentKind::Stock), ..Facts::default() };
        assert!(known.learn(&said));
        assert_eq!(known, Facts { currency: Currency::fold("USD"), ..said.clone() });
        assert!(!known.learn(&said), "it is known");
        assert!(!known.learn(&Facts::default()));
        assert!(Facts::default().is_empty() && !known.is_empty());
    }

    #[test]
    fn each_kind_has_a_word() {
        for kind in InstrumentKind::ALL {
            assert_eq!(InstrumentKind::of_word(kind.word()), Some(kind));
        }
        assert_eq!(InstrumentKind::of_word("Stock"), None);
    }
}
