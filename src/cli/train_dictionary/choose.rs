//! Which events become the dictionary: pure.
//!
//! Every event that is sent has the form of others, of the same symbol and kind, and differs in some numbers. So whole
//! events make a better dictionary than the pieces of text that occur most often: an event is compressed against a few
//! of them, from its beginning to its end.

use crate::wire::{DICTIONARY_END, Judges};

/// So many candidates are tried at a time, spread over all: that is much faster, and chooses as well.
const TRIED: usize = 100;
/// Savings are counted in 2^-30 of an event's length, so that they do not round to 0 when they are divided by a
/// candidate's bytes.
const PART: usize = 1 << 30;

/// Chooses events that together have at most so many bytes. Those that help most come last: what is near is cheap to
/// refer to. The end is what all events begin with.
///
/// Every second event is a candidate. The others are what it is judged by, since an event that helps to compress itself
/// says nothing. Of some candidates the one is taken next that saves most for each of its bytes, beside those that are
/// chosen; then of some others, until none of them saves anything. What it saves counts in proportion to the length of
/// the event that it is saved of, so that patches count as much as whole ticks.
pub(super) fn choose(events: &[Vec<u8>], bytes: usize) -> Vec<u8> {
    let mut chosen = if bytes < DICTIONARY_END.len() { Vec::new() } else { DICTIONARY_END.to_vec() };
    let candidates: Vec<&[u8]> = events.iter().step_by(2).map(Vec::as_slice).collect();
    let judging: Vec<&[u8]> = events.iter().skip(1).step_by(2).map(Vec::as_slice).collect();
    let judges = Judges::new(&judging);
    let parts = |bytes: &[usize]| -> usize {
        bytes.iter().zip(&judging).map(|(bytes, event)| bytes * PART / event.len().max(1)).sum()
    };
    let mut now = judges.bytes(&chosen);
    let groups = candidates.len().div_ceil(TRIED);
    let (mut group, mut in_vain) = (0, 0);
    while in_vain < groups {
        let some = candidates.iter().skip(group).step_by(groups);
        group = (group + 1) % groups;
        let fits = some.filter(|event| chosen.len() + event.len() <= bytes);
        let tried = fits.map(|event| {
            let content = [*event, &chosen].concat();
            let then = judges.bytes_with_first(&content, &now);
            (parts(&now).saturating_sub(parts(&then)) / event.len().max(1), content, then)
        });
        match tried.max_by_key(|(saves, ..)| *saves) {
            Some((1.., content, then)) => (chosen, now, in_vain) = (content, then, 0),
            _ => in_vain += 1,
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Vec<u8>> {
        let event = |index: usize| {
            let symbol = ["AAPL", "MSFT", "BTC-USDT"][index / 2 % 3];
            let seq = 1_000 + 7_919 * index;
            let text = format!(
                "id: 1-{seq}\ndata: {{\"symbol\":\"{symbol}\",\"seq\":{seq},\"kind\":\"{symbol}-trade\",\"price\":{seq}}}\n\n"
            );
            text.into_bytes()
        };
        (0..60).map(event).collect()
    }

    #[test]
    fn an_event_of_each_form_is_chosen_and_none_twice() {
        let events = events();
        let chosen = String::from_utf8(choose(&events, 350)).unwrap();
        assert!(chosen.len() <= 350, "{chosen}");
        for symbol in ["AAPL", "MSFT", "BTC-USDT"] {
            assert!(chosen.contains(&format!("\"{symbol}\"")), "{chosen}");
        }
        let blocks = chosen.strip_suffix("event: patch\nid: ").unwrap();
        let mut blocks: Vec<&str> = blocks.split_terminator("\n\n").collect();
        blocks.sort_unstable();
        blocks.dedup();
        assert_eq!(blocks.len(), chosen.matches("\n\n").count());
        assert_eq!(choose(&events, 350), chosen.as_bytes(), "the same events make the same dictionary");
    }

    #[test]
    fn rule_10_the_dictionary_is_never_longer_than_asked_for() {
        let events = events();
        for bytes in [0, 1, 60, 200, 1_000] {
            assert!(choose(&events, bytes).len() <= bytes);
        }
        assert_eq!(choose(&[], 300), DICTIONARY_END);
    }
}
