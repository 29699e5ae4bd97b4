//! All delay lines, which share a limit of notes.

use super::line::{Followed, Line};
use crate::{
    cache::{SymbolState, WorkerMask},
    market::{Now, Symbol},
};
use std::{collections::HashSet, sync::Arc, time::Instant};
use tracing::warn;

/// A change of the lines, by the name of a feed.
pub enum LineChange {
    /// The feed has a line from now on.
    Start(Arc<str>, Line),
    /// Its line ends; what it has noted is never shown.
    End(Arc<str>),
    /// Its line follows these symbols too.
    Follow(Arc<str>, Vec<Followed>),
    /// Its line leaves these symbols; what it has noted of them is never shown.
    Leave(Arc<str>, HashSet<Symbol>),
}

/// All delay lines. A line without anything to do costs nothing.
pub struct DelayLines {
    lines: Vec<(Arc<str>, Line)>,
    notes_max: usize,
}

impl DelayLines {
    /// These lines, by the names of their feeds, with at most so many notes in all: at least three of each symbol.
    pub fn new(lines: Vec<(Arc<str>, Line)>, notes_max: usize) -> Self {
        Self { lines, notes_max }
    }

    /// Changes the lines. A change of a line that there is not is none.
    pub fn change(&mut self, change: LineChange) {
        let find = |lines: &[(Arc<str>, Line)], feed: &Arc<str>| lines.iter().position(|(name, _)| name == feed);
        match change {
            LineChange::Start(feed, line) => {
                // One whose end was not taken would take the changes of this one.
                self.lines.retain(|(name, _)| *name != feed);
                self.lines.push((feed, line));
            }
            LineChange::End(feed) => self.lines.retain(|(name, _)| *name != feed),
            LineChange::Follow(feed, symbols) => {
                if let Some(place) = find(&self.lines, &feed) {
                    self.lines[place].1.follow(symbols);
                }
            }
            LineChange::Leave(feed, symbols) => {
                if let Some(place) = find(&self.lines, &feed) {
                    self.lines[place].1.leave(&symbols);
                }
            }
        }
    }

    /// Does the next piece of work, if it is time: shows what has come due, or notes what has changed, of a few hundred
    /// symbols. `announce` takes each delayed state that has changed, with the workers that want it.
    ///
    /// Returns when there is more to do, which may be at once; `None`: never, as there is not a symbol.
    pub fn turn(&mut self, now: Now, announce: &mut dyn FnMut(&Arc<SymbolState>, WorkerMask)) -> Option<Instant> {
        let place = self.earliest()?;
        let (_, line) = &mut self.lines[place];
        if line.is_due(now.instant) {
            line.show(now, announce);
        } else if line.wakes_at().is_some_and(|at| at <= now.instant) {
            self.make_room(place, now.instant);
            self.lines[place].1.look(now);
        }
        let place = self.earliest()?;
        self.lines[place].1.wakes_at()
    }

    /// The line that has something to do first.
    fn earliest(&self) -> Option<usize> {
        let wakes = self.lines.iter().enumerate().filter_map(|(place, (_, line))| Some((line.wakes_at()?, place)));
        wakes.min().map(|(_, place)| place)
    }

    /// Makes room for what the next look of a line may note: the step of the line with the most notes doubles.
    fn make_room(&mut self, place: usize, now: Instant) {
        let wanted = self.lines[place].1.next_notes_max();
        if self.notes() < self.notes_max / 4 {
            self.lines[place].1.halve(now);
        }
        while self.notes() + wanted > self.notes_max {
            let can_double = self.lines.iter_mut().filter(|(_, line)| line.can_double());
            let Some((feed, line)) = can_double.max_by_key(|(_, line)| line.notes()) else { return };
            line.double(now);
            let step = line.step();
            warn!(feed = &**feed, ?step, "too many delayed prices are held: `delay_step` is doubled");
        }
    }

    /// How many notes all lines hold.
    pub(super) fn notes(&self) -> usize {
        self.lines.iter().map(|(_, line)| line.notes()).sum()
    }

    /// The steps of all lines.
    #[cfg(test)]
    pub(super) fn steps(&self) -> impl Iterator<Item = std::time::Duration> {
        self.lines.iter().map(|(_, line)| line.step())
    }
}
