//! Which events become the dictionary: pure.
//!
//! Every event that is sent has the form of others, of the same symbol and kind, and differs in some numbers. So whole
//! events make a better dictionary than the pieces of text that occur most often: an event is compressed against one
//! of them, from its beginning to its end.

use std::io;

/// The level at which events are compared. Higher ones order them the same way.
const LEVEL: i32 = 12;

/// Chooses events that together have at most so many bytes. Those that help most come last: what is near is cheap to
/// refer to.
///
/// Every second event is a candidate. The others are what it is judged by, since an event that helps to compress itself
/// says nothing. Of all candidates the one is taken next that saves most for each of its bytes.
///
/// # Errors
/// The system's, for want of memory.
pub(super) fn choose(events: &[Vec<u8>], bytes: usize) -> io::Result<Vec<u8>> {
    let candidates: Vec<&[u8]> = events.iter().step_by(2).map(Vec::as_slice).collect();
    let others: Vec<&[u8]> = events.iter().skip(1).step_by(2).map(Vec::as_slice).collect();
    let costs = candidates.iter().map(|candidate| costs(candidate, &others)).collect::<io::Result<Vec<_>>>()?;
    let mut best: Vec<usize> = others.iter().map(|event| event.len()).collect();
    let mut left = bytes;
    let mut chosen: Vec<usize> = Vec::new();
    loop {
        let fits = (0..candidates.len()).filter(|index| candidates[*index].len() <= left);
        let saved = |index: usize| -> usize {
            best.iter().zip(&costs[index]).map(|(best, cost)| best.saturating_sub(*cost)).sum()
        };
        // In thousandths, since few bytes are saved for each at the end. One that is chosen already saves none.
        let next = fits.map(|index| (saved(index) * 1_000 / candidates[index].len().max(1), index)).max();
        let Some((1.., index)) = next else { break };
        for (best, cost) in best.iter_mut().zip(&costs[index]) {
            *best = (*best).min(*cost);
        }
        left -= candidates[index].len();
        chosen.push(index);
    }
    Ok(chosen.into_iter().rev().flat_map(|index| candidates[index].to_vec()).collect())
}

/// How many bytes each event takes with one candidate as the dictionary.
fn costs(candidate: &[u8], others: &[&[u8]]) -> io::Result<Vec<usize>> {
    let mut compressor = zstd::bulk::Compressor::with_dictionary(LEVEL, candidate)?;
    others.iter().map(|event| Ok(compressor.compress(event)?.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events() -> Vec<Vec<u8>> {
        let event = |index: usize| {
            let symbol = ["AAPL", "MSFT", "BTC-USDT"][index / 2 % 3];
            let seq = 1_000 + 7_919 * index;
            let text =
                format!("id: 1-{seq}\ndata: {{\"symbol\":\"{symbol}\",\"kind\":\"{symbol}-trade\",\"seq\":{seq}}}\n\n");
            text.into_bytes()
        };
        (0..60).map(event).collect()
    }

    #[test]
    fn an_event_of_each_form_is_chosen_and_none_twice() {
        let events = events();
        let chosen = String::from_utf8(choose(&events, 300).unwrap()).unwrap();
        assert!(chosen.len() <= 300, "{chosen}");
        for symbol in ["AAPL", "MSFT", "BTC-USDT"] {
            assert!(chosen.contains(&format!("\"{symbol}\"")), "{chosen}");
        }
        let mut blocks: Vec<&str> = chosen.split_terminator("\n\n").collect();
        blocks.sort_unstable();
        blocks.dedup();
        assert_eq!(blocks.len(), chosen.matches("\n\n").count());
        assert_eq!(choose(&events, 300).unwrap(), chosen.as_bytes(), "the same events make the same dictionary");
    }

    #[test]
    fn rule_10_the_dictionary_is_never_longer_than_asked_for() {
        let events = events();
        for bytes in [0, 1, 60, 200, 1_000] {
            assert!(choose(&events, bytes).unwrap().len() <= bytes);
        }
        assert_eq!(choose(&[], 300).unwrap(), b"");
    }
}
