//! How many streams share what it costs to compress a tick of a symbol.

use crate::market::{Part, Parts};
use std::sync::atomic::{AtomicU32, Ordering};

/// The streams of all workers that compress and get each of a symbol's ticks of their parts. A stream with an interval
/// is none of them: which tick it gets, hardly another one does.
#[derive(Debug, Default)]
pub struct Sharers {
    whole: [AtomicU32; Part::ALL.len()],
    patches: [AtomicU32; Part::ALL.len()],
}

impl Sharers {
    /// Adds a stream that wants these parts, as patches or whole.
    pub fn join(&self, parts: Parts, patches: bool) {
        self.of_form(parts, patches).for_each(|count| _ = count.fetch_add(1, Ordering::Relaxed));
    }

    /// Takes it out.
    pub fn leave(&self, parts: Parts, patches: bool) {
        self.of_form(parts, patches).for_each(|count| _ = count.fetch_sub(1, Ordering::Relaxed));
    }

    /// How many get a tick that has changed these parts, as a patch or whole. Of two counts of which neither is whole
    /// in the other, the greater: no stream counts twice. A stream of patches that needs a whole tick, for once, is not
    /// counted.
    pub fn count(&self, changed: Parts, is_patch: bool) -> u32 {
        self.of_form(changed, is_patch).map(|count| count.load(Ordering::Relaxed)).max().unwrap_or(0)
    }

    fn of_form(&self, parts: Parts, patches: bool) -> impl Iterator<Item = &AtomicU32> {
        let form = if patches { &self.patches } else { &self.whole };
        parts.iter().map(|part| &form[part as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_and_part_has_a_count_of_its_own() {
        let quotes: Parts = [Part::Quote, Part::Status].into_iter().collect();
        let sharers = Sharers::default();
        for (parts, patches) in [(Parts::ALL, false), (Parts::ALL, true), (quotes, true), (quotes, true)] {
            sharers.join(parts, patches);
        }
        let trade: Parts = [Part::Trade].into_iter().collect();
        let both: Parts = [Part::Trade, Part::Quote].into_iter().collect();
        for (changed, whole, patches) in [(trade, 1, 1), (quotes, 1, 3), (both, 1, 3), (Parts::NONE, 0, 0)] {
            assert_eq!([false, true].map(|is_patch| sharers.count(changed, is_patch)), [whole, patches], "{changed:?}");
        }
        sharers.leave(quotes, true);
        sharers.leave(Parts::ALL, false);
        assert_eq!([false, true].map(|is_patch| sharers.count(both, is_patch)), [0, 2]);
    }
}
