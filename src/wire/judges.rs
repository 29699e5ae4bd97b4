//! What the content of a dictionary is worth, for those who choose one.

use super::frame::{self, Index, Marks, Parts};

/// Events by which the content of a dictionary is judged.
pub struct Judges<'a>(Vec<(&'a [u8], Option<Marks>)>);

impl<'a> Judges<'a> {
    /// Judges by these events.
    pub fn new(events: &[&'a [u8]]) -> Self {
        Self(events.iter().map(|event| (*event, Marks::of_event(event))).collect())
    }

    /// How many bytes each event takes with a dictionary of this content.
    pub fn bytes(&self, content: &[u8]) -> Vec<usize> {
        let index = Index::new(content);
        let mut parts = Parts::default();
        self.0.iter().map(|(event, _)| bytes(&index, event, &mut parts)).collect()
    }

    /// The same, where `behind` is how many they take with the content behind its first event. What is not compared
    /// with that event takes as many, since distances are counted from the end.
    pub fn bytes_with_first(&self, content: &[u8], behind: &[usize]) -> Vec<usize> {
        let index = Index::new(content);
        let mut parts = Parts::default();
        let judged = self.0.iter().zip(behind).map(|((event, marks), behind)| match marks {
            Some(marks) if index.compares_with_first(marks) => bytes(&index, event, &mut parts),
            _ => *behind,
        });
        judged.collect()
    }
}

/// What only the general compressor could write counts as two thirds of its bytes: more than it would have, so that a
/// dictionary with an event of each symbol and kind is chosen.
fn bytes(index: &Index, event: &[u8], parts: &mut Parts) -> usize {
    let mut out = Vec::new();
    if frame::write(index, event, parts, &mut out) { out.len() } else { event.len() * 2 / 3 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dictionary;

    #[test]
    fn an_event_before_others_changes_only_what_is_compared_with_it() {
        let dictionary = Dictionary::built_in();
        let events: Vec<&str> = std::str::from_utf8(dictionary.content()).unwrap().split_inclusive("\n\n").collect();
        let judging: Vec<&[u8]> = events.iter().step_by(2).map(|event| event.as_bytes()).collect();
        let judges = Judges::new(&judging);
        let mut content = Vec::new();
        let mut bytes = judges.bytes(&content);
        let (mut all, mut compared) = (0, 0);
        for event in events.iter().rev().filter(|event| event.ends_with('\n')) {
            content.splice(0..0, event.bytes());
            let then = judges.bytes_with_first(&content, &bytes);
            assert_eq!(then, judges.bytes(&content), "{event}");
            all += bytes.len();
            compared += bytes.iter().zip(&then).filter(|(before, then)| before != then).count();
            bytes = then;
        }
        assert!(compared > 0 && compared * 4 < all, "{compared} of {all}");
    }
}
