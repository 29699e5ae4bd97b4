//! What an event has in common with a few events of a dictionary.
//!
//! An event repeats others of its symbol and of its kind, field by field, up to a number that differs. Each field is
//! compared with the same field of those events, the lanes, and what takes the fewest bits is the way through them.

use super::{
    index::{FIELDS_MAX, Field, Index, LANES_MAX, Lanes, each_field},
    literals::is_known,
    sequences::{MATCH_MIN, Sequence},
};

/// What parts of a frame take, in quarters of bits: a digit, bytes that the table of literals lacks, a match at the
/// last distance, at one of the two before, and at another: that with the bits of the distance besides.
const DIGIT: u32 = 14;
const UNKNOWN: u32 = 1 << 20;
const AGAIN: u32 = 60;
const BEFORE: u32 = 64;
const ELSEWHERE: u32 = 60;
/// What a dictionary should end with: the start of an event is then as near as can be.
pub const DICTIONARY_END: &[u8] = b"event: patch\nid: ";
/// How events start.
const STARTS: [&[u8]; 2] = [b"id: ", DICTIONARY_END];

/// The last three distances, newest first.
#[derive(Debug, Clone, Copy)]
struct Last([u32; 3]);

impl Last {
    /// Those before the first match (RFC 8878, section 3.1.1.5).
    const FIRST: Self = Self([1, 4, 8]);

    fn then(self, distance: u32) -> Self {
        let [first, second, third] = self.0;
        Self(match distance {
            _ if distance == first => self.0,
            _ if distance == second => [second, first, third],
            _ => [distance, first, second],
        })
    }

    /// How the format numbers a distance. Right behind a match its own distance cannot go on, so the numbers shift.
    fn number(self, distance: u32, literals: u32) -> u32 {
        let shift = u32::from(literals == 0);
        match self.0.iter().position(|last| *last == distance) {
            Some(place) if place as u32 >= shift => place as u32 + 1 - shift,
            _ => distance + 3,
        }
    }
}

/// What it takes to come through a lane up to a field.
#[derive(Debug, Clone, Copy)]
struct Way {
    cost: u32,
    last: Last,
    /// Where its last match ends.
    end: usize,
}

/// A field's match in a lane, and the lane before.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    distance: u32,
    length: u32,
    from: u8,
}

/// Takes an event apart: what is not repeated is appended to `literals`.
pub(super) fn compare(index: &Index, event: &[u8], literals: &mut Vec<u8>, sequences: &mut Vec<Sequence>) {
    let mut fields = [Field::default(); FIELDS_MAX];
    let mut count = 0;
    each_field(event, |field| {
        if let Some(place) = fields.get_mut(count) {
            *place = field;
            count += 1;
        }
    });
    let fields = &fields[..count];
    let mut path = [Step::default(); FIELDS_MAX];
    if !find_path(index, event, fields, &index.lanes(event, fields, false), &mut path) {
        find_path(index, event, fields, &index.lanes(event, fields, true), &mut path);
    }
    let mut last = Last::FIRST;
    let mut end = 0;
    // The match that may go on, with its distance.
    let mut open: Option<Sequence> = None;
    let mut close = |open: Sequence| {
        sequences.push(Sequence { distance: last.number(open.distance, open.literals), ..open });
        last = last.then(open.distance);
    };
    for (field, step) in fields.iter().zip(path).filter(|(_, step)| step.length > 0) {
        let start = field.start as usize;
        match &mut open {
            Some(open) if open.distance == step.distance && start == end => open.length += step.length,
            _ => {
                open.take().map(&mut close);
                literals.extend_from_slice(&event[end..start]);
                let (literals, length) = ((start - end) as u32, step.length);
                open = Some(Sequence { literals, length, distance: step.distance });
            }
        }
        end = start + step.length as usize;
    }
    open.map(close);
    literals.extend_from_slice(&event[end..]);
}

/// Finds the step of each field that together take the fewest bits; returns whether the table has what they leave.
fn find_path(index: &Index, event: &[u8], fields: &[Field], lanes: &Lanes, path: &mut [Step; FIELDS_MAX]) -> bool {
    let lanes = lanes.get();
    let mut steps = [[Step::default(); LANES_MAX]; FIELDS_MAX];
    let mut ways = [Way { cost: 0, last: Last::FIRST, end: 0 }; LANES_MAX];
    // Fields have the same order everywhere, so each is looked for behind the one before.
    let mut unread: [&[Field]; LANES_MAX] = [&[]; LANES_MAX];
    for (unread, lane) in unread.iter_mut().zip(lanes) {
        *unread = &index.events[*lane as usize];
    }
    for (place, field) in fields.iter().enumerate() {
        let start = field.start as usize;
        let end = fields.get(place + 1).map_or(event.len(), |next| next.start as usize);
        let text = &event[start..end];
        let before = ways;
        let before = &before[..lanes.len()];
        let cheapest = (0..before.len()).min_by_key(|lane| before[*lane].cost);
        // Where all ways have what the table lacks, it is not worth looking on.
        let Some(cheapest) = cheapest.filter(|lane| before[*lane].cost < UNKNOWN) else { return false };
        for (lane, unread) in unread[..lanes.len()].iter_mut().enumerate() {
            let mut at = unread.iter().position(|other| other.name == field.name).map(|found| {
                let at = unread[found].start as usize;
                *unread = &unread[found + 1..];
                at
            });
            if place == 0 {
                at = start_at_the_end(index, text, at).or(at);
            }
            let same = at.map_or(0, |at| common(text, &index.content[at..]));
            let distance = at.map_or(0, |at| (index.content.len() - at + start) as u32);
            let is_match = same >= MATCH_MIN as usize;
            let length = if is_match { same } else { 0 };
            let (from, cost) =
                if is_match { best(before, cheapest, distance, start) } else { (cheapest, before[cheapest].cost) };
            let rest = &text[length..];
            let rest = if rest.iter().all(|byte| is_known(*byte)) { DIGIT * rest.len() as u32 } else { UNKNOWN };
            let Way { last, end, .. } = before[from];
            let (last, end) = if is_match { (last.then(distance), start + length) } else { (last, end) };
            ways[lane] = Way { cost: cost + rest, last, end };
            steps[place][lane] = Step { distance, length: length as u32, from: from as u8 };
        }
    }
    let mut lane = (0..lanes.len()).min_by_key(|lane| ways[*lane].cost).unwrap_or(0);
    let is_known = ways[lane].cost < UNKNOWN;
    for place in (0..fields.len()).rev() {
        path[place] = steps[place][lane];
        lane = usize::from(path[place].from);
    }
    is_known
}

/// The way to a match that takes the fewest bits, and how many: the cheapest, or one that was at that distance.
fn best(ways: &[Way], cheapest: usize, distance: u32, start: usize) -> (usize, u32) {
    let mut best = (cheapest, ways[cheapest].cost + ELSEWHERE + 4 * distance.max(1).ilog2());
    for (lane, way) in ways.iter().enumerate().filter(|(_, way)| way.last.0.contains(&distance)) {
        let is_last = way.last.0[0] == distance;
        let goes_on = is_last && way.end == start && start > 0;
        let cost = way.cost
            + if goes_on {
                0
            } else if is_last {
                AGAIN
            } else {
                BEFORE
            };
        if cost < best.1 {
            best = (lane, cost);
        }
    }
    best
}

/// Where a dictionary ends with the start of an event, if that is more of it than what is elsewhere.
fn start_at_the_end(index: &Index, text: &[u8], elsewhere: Option<usize>) -> Option<usize> {
    let start = STARTS.iter().find(|start| text.starts_with(start))?;
    let at = index.content.len().checked_sub(start.len()).filter(|at| index.content[*at..] == **start)?;
    // There may also be the epoch, which then is the same for all events.
    let same = elsewhere.map_or(0, |at| common(text, &index.content[at..]));
    (same <= start.len() + 2).then_some(at)
}

/// How many bytes two texts begin with in common.
fn common(mut one: &[u8], mut other: &[u8]) -> usize {
    let mut same = 0;
    while let (Some((left, rest_of_one)), Some((right, rest_of_other))) =
        (one.split_first_chunk(), other.split_first_chunk())
    {
        let differs = u64::from_le_bytes(*left) ^ u64::from_le_bytes(*right);
        if differs != 0 {
            return same + (differs.trailing_zeros() / u8::BITS) as usize;
        }
        same += left.len();
        (one, other) = (rest_of_one, rest_of_other);
    }
    same + one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_numbered_by_the_last_three() {
        let mut last = Last::FIRST;
        // A distance, the literals before it, and its number (RFC 8878, section 3.1.1.5).
        let matches = [
            (4, 0, 1),
            (4, 2, 1),
            (90, 0, 93),
            (1, 3, 3),
            (4, 1, 3),
            (90, 1, 3),
            (4, 0, 1),
            (1, 0, 2),
            (4, 5, 2),
            (4, 0, 7),
            (1, 1, 2),
            (90, 1, 3),
        ];
        for (place, (distance, literals, number)) in matches.into_iter().enumerate() {
            assert_eq!(last.number(distance, literals), number, "{place}");
            last = last.then(distance);
        }
    }
}
