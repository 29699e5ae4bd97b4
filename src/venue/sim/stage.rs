//! A script as one connection of the simulator plays it.

use crate::{
    market::{Now, Symbol},
    venue::{
        Act, Script,
        script::Condition::{Broken, Closed, Halted, Mute, Refused},
    },
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How far a connection is with its script.
pub(super) struct Stage {
    script: Arc<Script>,
    /// When the simulator began.
    began: Instant,
    /// Up to when the script is played on this connection.
    played: Duration,
    /// The symbols of the connection that the script names, with what the client knows of them.
    symbols: Vec<Told>,
}

struct Told {
    symbol: Symbol,
    refused: bool,
    /// `None` where a mute connection has not told it.
    status: Option<Status>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Status {
    halted: bool,
    closed: bool,
}

/// What a connection does next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cue {
    /// It goes on: with these statuses, and with a frame that is lost.
    Go { statuses: Vec<String>, lost: bool },
    /// It ends at once.
    Break,
    /// It announces its end: the next subscription is answered otherwise.
    Leave,
}

impl Stage {
    pub(super) fn new(script: Arc<Script>, began: Instant, now: Instant) -> Self {
        Self { script, began, played: now.saturating_duration_since(began), symbols: Vec::new() }
    }

    fn time(&self, now: Now) -> Duration {
        now.instant.saturating_duration_since(self.began)
    }

    /// Whether connections are turned away.
    pub(super) fn is_broken(&self, now: Now) -> bool {
        self.script.holds(Broken, None, self.time(now))
    }

    /// Whether data are held back.
    pub(super) fn is_mute(&self, now: Now) -> bool {
        self.script.holds(Mute, None, self.time(now))
    }

    /// Whether a symbol is refused.
    pub(super) fn refuses(&self, symbol: &Symbol, now: Now) -> bool {
        self.script.holds(Refused, Some(symbol), self.time(now))
    }

    /// Whether a symbol moves.
    pub(super) fn trades(&self, symbol: &Symbol) -> bool {
        let stands = |status: Status| status.halted || status.closed;
        !self.symbols.iter().any(|told| told.symbol == *symbol && told.status.is_some_and(stands))
    }

    /// The client asks for a symbol; returns its status, if the script names it.
    pub(super) fn asked(&mut self, symbol: &Symbol, now: Now) -> Option<String> {
        if !self.script.names(symbol) {
            return None;
        }
        let refused = self.refuses(symbol, now);
        let status = (!refused && !self.is_mute(now)).then(|| self.status(symbol, now));
        // A client may ask for a refused symbol again and again.
        self.symbols.retain(|told| told.symbol != *symbol);
        self.symbols.push(Told { symbol: symbol.clone(), refused, status });
        status.map(|status| status.message(symbol, now))
    }

    /// The client asks for the symbol no longer.
    pub(super) fn forget(&mut self, symbol: &Symbol) {
        self.symbols.retain(|told| told.symbol != *symbol);
    }

    /// Plays what has become due.
    pub(super) fn perform(&mut self, now: Now) -> Cue {
        let time = self.time(now);
        let since = std::mem::replace(&mut self.played, time);
        if self.script.happened(Act::Break, since, time) || self.is_broken(now) {
            return Cue::Break;
        }
        if self.symbols.iter().any(|told| self.refuses(&told.symbol, now) != told.refused) {
            return Cue::Leave;
        }
        let statuses = if self.is_mute(now) { Vec::new() } else { self.changed(now) };
        Cue::Go { statuses, lost: self.script.happened(Act::Gap, since, time) }
    }

    /// When something happens next.
    pub(super) fn next_change(&self) -> Option<Instant> {
        self.began.checked_add(self.script.next_change(self.played)?)
    }

    /// The statuses that the client does not know yet.
    fn changed(&mut self, now: Now) -> Vec<String> {
        let mut messages = Vec::new();
        for place in 0..self.symbols.len() {
            let status = self.status(&self.symbols[place].symbol, now);
            let told = &mut self.symbols[place];
            if !told.refused && told.status.replace(status) != Some(status) {
                messages.push(status.message(&told.symbol, now));
            }
        }
        messages
    }

    fn status(&self, symbol: &Symbol, now: Now) -> Status {
        let holds = |condition| self.script.holds(condition, Some(symbol), self.time(now));
        Status { halted: holds(Halted), closed: holds(Closed) }
    }
}

impl Status {
    fn message(self, symbol: &Symbol, now: Now) -> String {
        let trading = if self.halted { "halted" } else { "resumed" };
        let session = if self.closed { "closed" } else { "open" };
        let time = now.unix.0;
        format!(r#"{{"type":"status","symbol":"{symbol}","time":{time},"trading":"{trading}","session":"{session}"}}"#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::ScriptedEvent;

    #[test]
    fn rule_10_a_symbol_that_is_asked_for_again_and_again_is_kept_once() {
        let symbol: Symbol = "KO".parse().unwrap();
        for act in [Act::Refuse, Act::Halt] {
            let event =
                ScriptedEvent { at: Duration::ZERO, every: None, lasts: None, act, symbol: Some(symbol.clone()) };
            let now = Now::read();
            let mut stage = Stage::new(Arc::new(Script(vec![event])), now.instant, now.instant);
            (0..100).for_each(|_| drop(stage.asked(&symbol, now)));
            assert_eq!(stage.symbols.len(), 1, "{act:?}");
        }
    }
}
