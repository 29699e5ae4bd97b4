//! What tests of venues share.

use crate::{
    market::{Guards, Now, Origin, Snapshot},
    venue::{Batch, Credentials, ListedSymbol, Setup},
};

/// The settings of a feed in a test.
#[derive(Debug, Clone, Default)]
pub(in crate::venue) struct Given {
    pub(in crate::venue) url: Option<String>,
    pub(in crate::venue) symbols: Vec<ListedSymbol>,
    pub(in crate::venue) credentials: Option<Credentials>,
}

impl Given {
    /// Symbols, with the venue's names where they are set.
    pub(in crate::venue) fn symbols(names: &[(&str, Option<&str>)]) -> Self {
        let entry = |&(symbol, name): &(&str, Option<&str>)| ListedSymbol {
            symbol: symbol.parse().unwrap(),
            venue_name: name.map(str::to_owned),
        };
        Self { symbols: names.iter().map(entry).collect(), ..Self::default() }
    }

    pub(in crate::venue) fn setup(&self) -> Setup<'_> {
        Setup {
            url: self.url.as_deref(),
            symbols: &self.symbols,
            credentials: self.credentials.as_ref(),
            playback: None,
        }
    }
}

/// Which price of a symbol trades move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::venue) enum Moves {
    Last,
    Extended,
    Neither,
}

impl Moves {
    /// What the updates of a frame move, of one symbol that has shown nothing before.
    pub(in crate::venue) fn of(batch: &Batch, now: Now) -> Self {
        let (mut snapshot, mut guards) = (Snapshot::waiting(Origin::Market, now.unix), Guards::default());
        for update in &batch.updates {
            snapshot.apply(update, &mut guards, now);
        }
        match (snapshot.trade.price, snapshot.ext.price) {
            (Some(_), None) => Self::Last,
            (None, Some(_)) => Self::Extended,
            (None, None) => Self::Neither,
            both => panic!("{both:?}"),
        }
    }
}

/// A condition of US trades: its id at Massive, what it is, its letters on tape CTA and on tape UTP, which
/// over-the-counter trades use too, and which price such a trade moves. The letters and their effect on the
/// consolidated last sale are those of the tapes' specifications (CTS, sale conditions; UTP, sale condition modifiers),
/// the ids those that the venue publishes with them. A letter that means two things has two rows.
pub(in crate::venue) type Condition = (Option<u64>, &'static str, Option<&'static str>, Option<&'static str>, Moves);

pub(in crate::venue) const CONDITIONS: &[Condition] = &[
    (Some(0), "regular sale", Some("@"), Some("@"), Moves::Last),
    (None, "regular sale, without a letter", Some(" "), None, Moves::Last),
    (Some(1), "acquisition", None, Some("A"), Moves::Last),
    (Some(2), "average price", Some("B"), Some("W"), Moves::Neither),
    (Some(3), "automatic execution", Some("E"), None, Moves::Last),
    (Some(4), "bunched", None, Some("B"), Moves::Last),
    (Some(5), "bunched, sold late", None, Some("G"), Moves::Neither),
    // Its letter was `I`, which odd lots have today.
    (Some(6), "CAP election", None, None, Moves::Last),
    (Some(7), "cash", Some("C"), Some("C"), Moves::Neither),
    (Some(8), "closing prints", None, Some("6"), Moves::Last),
    (Some(9), "cross", Some("X"), Some("X"), Moves::Last),
    (Some(10), "derivatively priced", Some("4"), Some("4"), Moves::Neither),
    (Some(11), "distribution", None, Some("D"), Moves::Last),
    (Some(12), "extended hours", Some("T"), Some("T"), Moves::Extended),
    (Some(13), "extended hours, out of sequence", Some("U"), Some("U"), Moves::Neither),
    (Some(14), "intermarket sweep", Some("F"), Some("F"), Moves::Last),
    (Some(15), "official close of an exchange", Some("M"), Some("M"), Moves::Neither),
    (Some(16), "official open of an exchange", Some("Q"), Some("Q"), Moves::Neither),
    (Some(17), "opening of an exchange", Some("O"), None, Moves::Last),
    (Some(18), "reopening of an exchange", Some("5"), None, Moves::Last),
    (Some(19), "closing of an exchange", Some("6"), None, Moves::Last),
    (Some(20), "next day", Some("N"), Some("N"), Moves::Neither),
    (Some(21), "price variation", Some("H"), Some("H"), Moves::Neither),
    (Some(22), "prior reference price", Some("P"), Some("P"), Moves::Neither),
    (Some(23), "rule 155", Some("K"), Some("K"), Moves::Last),
    (Some(24), "rule 127", Some("K"), None, Moves::Last),
    (Some(25), "opening prints", None, Some("O"), Moves::Last),
    (Some(27), "stopped stock", None, Some("1"), Moves::Last),
    (Some(28), "reopening prints", None, Some("5"), Moves::Last),
    (Some(29), "seller", Some("R"), Some("R"), Moves::Neither),
    // Late, but still the last sale.
    (Some(30), "sold last", Some("L"), Some("L"), Moves::Last),
    (Some(31), "sold last, stopped stock", None, Some("2"), Moves::Last),
    (Some(32), "sold out of sequence", Some("Z"), Some("Z"), Moves::Neither),
    (Some(33), "sold out of sequence, stopped stock", None, Some("3"), Moves::Neither),
    (Some(34), "split", None, Some("S"), Moves::Last),
    (Some(35), "stock option", None, None, Moves::Last),
    (Some(36), "yellow flag", None, Some("Y"), Moves::Last),
    (Some(37), "odd lot", Some("I"), Some("I"), Moves::Neither),
    (Some(38), "corrected consolidated close", Some("9"), Some("9"), Moves::Last),
    (Some(41), "exempt from trade through", None, None, Moves::Last),
    (Some(26), "market center closed", None, None, Moves::Last),
    (Some(39), "unknown", None, None, Moves::Last),
    (Some(40), "held", None, None, Moves::Last),
    (Some(42), "not eligible", None, None, Moves::Neither),
    (Some(43), "not eligible, extended hours", None, None, Moves::Neither),
    (Some(44), "cancelled", None, None, Moves::Neither),
    (Some(45), "recovery", None, None, Moves::Last),
    (Some(46), "correction", None, None, Moves::Neither),
    (Some(47), "as of", None, None, Moves::Neither),
    (Some(48), "correction of as of", None, None, Moves::Neither),
    (Some(49), "cancel of as of", None, None, Moves::Neither),
    (Some(50), "out of bounds", None, None, Moves::Neither),
    (Some(51), "summary", None, None, Moves::Neither),
    (Some(52), "contingent", Some("V"), Some("V"), Moves::Neither),
    (Some(53), "qualified contingent", Some("7"), Some("7"), Moves::Neither),
    (Some(54), "errored", None, None, Moves::Neither),
    (Some(55), "detail of an opening", None, None, Moves::Last),
    (Some(56), "placeholder", None, None, Moves::Last),
    (Some(57), "short sale restriction", None, None, Moves::Last),
    (Some(58), "short sale restriction goes on", None, None, Moves::Last),
    (Some(59), "short sale restriction ends", None, None, Moves::Last),
    (Some(60), "short sale restriction in effect", None, None, Moves::Last),
    (None, "reserved", Some("8"), Some("8"), Moves::Last),
    (Some(999), "of tomorrow", Some("?"), Some("?"), Moves::Last),
];
