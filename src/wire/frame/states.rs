//! Finite state entropy (RFC 8878, section 4.1): writes codes of a known distribution in fractions of bits.

use super::bits::Bits;

/// How to write codes of one distribution.
#[derive(Debug)]
pub(super) struct Distribution {
    log: u32,
    /// The states by code, in the order in which a decoder finds them.
    states: Vec<u16>,
    codes: Vec<Transition>,
}

/// How a code changes the state.
#[derive(Debug, Clone, Copy)]
struct Transition {
    /// Added to a state, its upper half is the number of bits that leave it.
    bits: u32,
    /// Where the next states of this code begin.
    start: i32,
}

/// The state after the codes so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct State(u32);

impl Distribution {
    /// `shares` are those of the codes, `1 << log` in sum; −1 is a share below one.
    pub(super) fn new(shares: &[i16], log: u32) -> Self {
        let mut next = 0;
        let mut starts = Vec::with_capacity(shares.len());
        let mut codes = Vec::with_capacity(shares.len());
        for share in shares.iter().map(|share| u32::from(share.unsigned_abs())) {
            starts.push(next as usize);
            // The most bits that leave a state, and how many states lose one fewer.
            let most = log - (share - 1).checked_ilog2().unwrap_or(0);
            codes.push(Transition { bits: (most << 16) - (share << most), start: next as i32 - share as i32 });
            next += share;
        }
        let mut states = vec![0; 1 << log];
        for (place, code) in spread(shares, log).into_iter().enumerate() {
            states[starts[code]] = (1 << log) + place as u16;
            starts[code] += 1;
        }
        Self { log, states, codes }
    }

    /// The state behind the code that is written first, which takes no bits of its own.
    pub(super) fn first(&self, code: u8) -> State {
        let transition = self.codes[usize::from(code)];
        let bits = (transition.bits + (1 << 15)) >> 16;
        self.next((bits << 16) - transition.bits, bits, transition)
    }

    /// Writes a code.
    pub(super) fn push(&self, state: &mut State, code: u8, bits: &mut Bits, out: &mut Vec<u8>) {
        let transition = self.codes[usize::from(code)];
        let count = (state.0 + transition.bits) >> 16;
        bits.push(out, state.0 & ((1 << count) - 1), count);
        *state = self.next(state.0, count, transition);
    }

    /// Writes the state that a decoder begins with.
    pub(super) fn end(&self, state: State, bits: &mut Bits, out: &mut Vec<u8>) {
        bits.push(out, state.0 & ((1 << self.log) - 1), self.log);
    }

    fn next(&self, state: u32, bits: u32, transition: Transition) -> State {
        let place = (state >> bits) as i32 + transition.start;
        State(u32::from(self.states[place as usize]))
    }
}

/// The code of each state, as decoders spread them.
fn spread(shares: &[i16], log: u32) -> Vec<usize> {
    let size = 1_usize << log;
    let mut spread = vec![0; size];
    // Codes with a share below one take the last states.
    let mut end = size;
    for (code, _) in shares.iter().enumerate().filter(|(_, share)| **share == -1) {
        end -= 1;
        spread[end] = code;
    }
    let step = (size >> 1) + (size >> 3) + 3;
    let mut place = 0;
    for (code, share) in shares.iter().enumerate() {
        for _ in 0..(*share).max(0) {
            spread[place] = code;
            place = (place + step) & (size - 1);
            while place >= end {
                place = (place + step) & (size - 1);
            }
        }
    }
    spread
}
