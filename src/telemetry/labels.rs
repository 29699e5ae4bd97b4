//! Counters with one label from a closed set. Hot paths count in plain integers, which are published now and then.

use metrics::Counter;
use std::marker::PhantomData;

/// A label's closed set of values. No string from outside can become a label.
pub trait Label: Copy + 'static {
    /// All values, each at its own [`Label::index`].
    const ALL: &'static [Self];

    /// The value as metrics and logs show it.
    fn label(self) -> &'static str;

    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Declares an enum and its [`Label`] from one list, so that neither can miss a value.
macro_rules! labels {
    ($(#[$about:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $value:ident = $label:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $($(#[$doc])* $value,)+ }

        impl $crate::telemetry::labels::Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value,)+];

            fn label(self) -> &'static str {
                match self { $(Self::$value => $label,)+ }
            }

            fn index(self) -> usize {
                self as usize
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str($crate::telemetry::labels::Label::label(*self))
            }
        }
    };
}
pub(crate) use labels;

/// Counts since the last publishing: plain integers of one owner, for hot loops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally<L> {
    counts: Box<[u64]>,
    label: PhantomData<L>,
}

impl<L: Label> Default for Tally<L> {
    fn default() -> Self {
        Self { counts: vec![0; L::ALL.len()].into(), label: PhantomData }
    }
}

impl<L: Label> Tally<L> {
    /// Counts one.
    pub fn count(&mut self, label: L) {
        self.counts[label.index()] += 1;
    }

    /// Counts several.
    pub fn add(&mut self, label: L, count: u64) {
        self.counts[label.index()] += count;
    }

    /// Takes a label's count away.
    pub fn forget(&mut self, label: L) {
        self.counts[label.index()] = 0;
    }

    /// Adds the counts of another tally.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
    }

    /// The count since the last publishing.
    pub fn of(&self, label: L) -> u64 {
        self.counts[label.index()]
    }

    /// The count since the last publishing, over all values.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// The registered counters of one label, one per value. All exist from the start, at zero, so that a rate is defined.
#[derive(Debug, Clone)]
pub struct Counters<L> {
    handles: Box<[Counter]>,
    label: PhantomData<L>,
}

impl<L: Label> Counters<L> {
    /// Registers one counter per value; `register` receives the value's label.
    pub fn register(register: impl Fn(&'static str) -> Counter) -> Self {
        Self { handles: L::ALL.iter().map(|value| register(value.label())).collect(), label: PhantomData }
    }

    /// Counts one immediately: for rare events.
    pub fn count(&self, label: L) {
        self.handles[label.index()].increment(1);
    }

    /// Moves the counts of a tally into the counters.
    pub fn publish(&self, tally: &mut Tally<L>) {
        for (handle, count) in self.handles.iter().zip(&mut tally.counts) {
            if *count != 0 {
                handle.increment(std::mem::take(count));
            }
        }
    }
}
