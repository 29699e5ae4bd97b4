//! A dictionary's events, by what an event may be like, and the fields of both.

use std::{collections::HashMap, hash::Hasher as _};

/// How many fields of an event are compared; what follows is sent as it is.
pub(super) const FIELDS_MAX: usize = 48;
/// How many events of a dictionary an event is compared with: of its symbol and its form, whole ones of its symbol
/// where it is a patch, and of its kind: as many as are worth the time.
const OF_SYMBOL_MAX: usize = 2;
const WHOLE_MAX: usize = 1;
const OF_KIND: usize = 1;
/// And of its kind where these lack a word of it.
const OF_KIND_MAX: usize = 6;
pub(super) const LANES_MAX: usize = OF_SYMBOL_MAX + WHOLE_MAX + OF_KIND_MAX;
/// The names of what is not a member: an event's start, its data, and the end of these.
const START: u64 = 0;
const DATA: u64 = 1;
const END: u64 = 2;

/// A field: where it begins, and its name as a number.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Field {
    pub(super) start: u32,
    pub(super) name: u64,
}

/// A dictionary, and its events.
#[derive(Debug)]
pub(in crate::wire) struct Index {
    pub(super) content: Vec<u8>,
    pub(super) events: Vec<Vec<Field>>,
    /// By symbol or kind, and form; the one that is nearest to the end is first.
    alike: HashMap<u64, Vec<u32>>,
}

/// The numbers of some events of a dictionary.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    events: [u32; LANES_MAX],
    count: usize,
}

impl Lanes {
    fn add<'a>(&mut self, events: impl Iterator<Item = &'a u32>) {
        for event in events {
            if self.count < LANES_MAX && !self.get().contains(event) {
                self.events[self.count] = *event;
                self.count += 1;
            }
        }
    }

    pub(super) fn get(&self) -> &[u32] {
        &self.events[..self.count]
    }
}

/// FNV-1a, which is short enough to run for each byte.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Index {
    /// Finds the events of a dictionary.
    pub(in crate::wire) fn new(content: &[u8]) -> Self {
        let mut index = Self { content: content.to_vec(), events: Vec::new(), alike: HashMap::new() };
        let mut start = 0;
        while let Some(end) = content[start..].windows(2).position(|bytes| bytes == b"\n\n") {
            let event = &content[start..start + end + 2];
            let mut fields = Vec::new();
            each_field(event, |field| fields.push(field));
            if let Some(marks) = Marks::of(event, &fields) {
                for mark in [marks.symbol, marks.kind] {
                    index.alike.entry(mark).or_default().insert(0, index.events.len() as u32);
                }
                fields.iter_mut().for_each(|field| field.start += start as u32);
                index.events.push(fields);
            }
            start += event.len();
        }
        index
    }

    /// The events that an event may be like: a few, or more of its kind.
    pub(super) fn lanes(&self, event: &[u8], fields: &[Field], more: bool) -> Lanes {
        let mut lanes = Lanes::default();
        let Some(marks) = Marks::of(event, fields) else { return lanes };
        for (mark, count) in marks.groups(if more { OF_KIND_MAX } else { OF_KIND }) {
            lanes.add(self.alike(mark, count));
        }
        lanes
    }

    /// Whether an event with these marks may be compared with the first event.
    pub(in crate::wire) fn compares_with_first(&self, marks: &Marks) -> bool {
        marks.groups(OF_KIND_MAX).into_iter().any(|(mark, count)| self.alike(mark, count).any(|event| *event == 0))
    }

    fn alike(&self, mark: u64, count: usize) -> impl Iterator<Item = &u32> {
        self.alike.get(&mark).into_iter().flatten().take(count)
    }
}

/// By what events are alike.
#[derive(Debug)]
pub(in crate::wire) struct Marks {
    /// The symbol, and the form.
    symbol: u64,
    /// The symbol, of a whole tick.
    whole: u64,
    /// The kind, and the form.
    kind: u64,
}

impl Marks {
    /// `None` for what is not a tick.
    pub(in crate::wire) fn of_event(event: &[u8]) -> Option<Self> {
        let mut fields = Vec::new();
        each_field(event, |field| fields.push(field));
        Self::of(event, &fields)
    }

    /// The events that one with these marks is compared with: of each mark, how many.
    fn groups(&self, of_kind: usize) -> [(u64, usize); 3] {
        [(self.symbol, OF_SYMBOL_MAX), (self.kind, of_kind), (self.whole, WHOLE_MAX)]
    }

    /// `None` for what is not a tick: its first members are the symbol, `seq` and the kind.
    fn of(event: &[u8], fields: &[Field]) -> Option<Self> {
        let [_, data, seq, kind, behind, ..] = fields else { return None };
        let mark = |field: &Field, end: &Field, form: u8| {
            let mut hash = Fnv::new();
            hash.write(&event[field.start as usize..end.start as usize]);
            hash.write(&[form]);
            hash.finish()
        };
        let form = event[0];
        Some(Self { symbol: mark(data, seq, form), whole: mark(data, seq, b'i'), kind: mark(kind, behind, form) })
    }
}

/// Calls `each` for the fields of an event, from its start to its end: every byte is of one of them.
pub(super) fn each_field(event: &[u8], mut each: impl FnMut(Field)) {
    each(Field { start: 0, name: START });
    let mut name: Option<(usize, Fnv)> = None;
    for (place, byte) in event.iter().enumerate() {
        match byte {
            b'\n' if event[place..].starts_with(b"\ndata") => {
                name = None;
                each(Field { start: place as u32, name: DATA });
            }
            b',' if event.get(place + 1) == Some(&b'"') => name = Some((place, Fnv::new())),
            b':' => {
                if let Some((start, name)) = name.take() {
                    each(Field { start: start as u32, name: name.finish() });
                }
            }
            b'}' => {
                name = None;
                each(Field { start: place as u32, name: END });
            }
            _ => {
                if let Some((_, name)) = &mut name {
                    name.write(&[*byte]);
                }
            }
        }
    }
}
