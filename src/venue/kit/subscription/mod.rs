//! Subscribing: requests in batches, answers per request or per symbol, and halving a batch that is refused as a whole.
//! Ends of subscriptions are asked for in the same way.

mod answers;

use super::Names;
use crate::{
    market::{FeedSymbol, Reason},
    venue::{ListedSymbol, Request, Silence},
};
use std::collections::{HashSet, VecDeque};

/// How a venue wants to be asked. `C` is what a request asks for, where a venue has several kinds.
#[derive(Debug)]
pub(in crate::venue) struct Form<C> {
    /// The id of the first request.
    pub(in crate::venue) first_id: u64,
    /// How many of these names fit into one request.
    pub(in crate::venue) fit: fn(C, &[&str]) -> usize,
    /// Writes a request.
    pub(in crate::venue) write: fn(Aim, u64, C, &[&str]) -> String,
    /// What it means that the venue does not answer a request.
    pub(in crate::venue) silence: Silence,
    /// Whether a symbol is refused without this kind. Other kinds are extras.
    pub(in crate::venue) is_required: fn(C) -> bool,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::venue) enum Aim {
    /// To begin subscriptions.
    Begin,
    /// To end them.
    End,
}

impl Aim {
    /// The word that asks for it.
    pub(in crate::venue) fn word(self, begin: &'static str, end: &'static str) -> &'static str {
        match self {
            Self::Begin => begin,
            Self::End => end,
        }
    }
}

/// A request without a whole answer.
#[derive(Debug)]
struct Asked<C> {
    id: u64,
    aim: Aim,
    kind: C,
    symbols: Vec<FeedSymbol>,
    /// How often these symbols were asked for before.
    round: u32,
    /// The symbols without an answer of their own, where the venue answers for each.
    unanswered: Vec<FeedSymbol>,
    /// Whether the venue has granted one of them.
    is_granted: bool,
}

/// The state of a symbol's subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// The place is not of the list.
    Free,
    Open,
    Granted,
    Refused(Reason),
}

/// The subscriptions of one connection.
#[derive(Debug)]
pub(in crate::venue) struct Subscription<C: 'static> {
    form: &'static Form<C>,
    /// Oldest first.
    asked: VecDeque<Asked<C>>,
    /// The requests that the venue does not answer unless it refuses them: at most all of the connection's.
    accepted: Vec<Asked<C>>,
    next_id: u64,
    verdicts: Vec<Verdict>,
    /// The symbols that have been granted in some kind.
    has_any: HashSet<FeedSymbol>,
    /// Since the list has changed.
    halvings: u32,
}

impl<C: Copy + PartialEq> Subscription<C> {
    /// The subscriptions of a connection with these symbols; nothing is asked for yet.
    pub(in crate::venue) fn new(form: &'static Form<C>, names: &Names) -> Self {
        let mut verdicts = vec![Verdict::Free; names.len()];
        names.listed().for_each(|symbol| verdicts[symbol.index()] = Verdict::Open);
        names.nameless().for_each(|symbol| verdicts[symbol.index()] = Verdict::Refused(Reason::NotGranted));
        Self {
            form,
            asked: VecDeque::new(),
            accepted: Vec::new(),
            next_id: form.first_id,
            verdicts,
            has_any: HashSet::new(),
            halvings: 0,
        }
    }

    /// Begins a connection: forgets the last one, and asks for all symbols, one kind after the other.
    pub(in crate::venue) fn restart(&mut self, kinds: &[C], names: &Names) -> Vec<Request> {
        *self = Self::new(self.form, names);
        let all: Vec<FeedSymbol> = names.listed().collect();
        kinds.iter().flat_map(|&kind| self.ask(kind, &all, names)).collect()
    }

    /// The list changes: asks for the end of these subscriptions, of the kinds that `ended` has, and then for the
    /// symbols that are added. A symbol that the venue has refused has none.
    pub(in crate::venue) fn change(
        &mut self,
        (begun, ended): (&[C], &[C]),
        (added, removed): (&[(FeedSymbol, ListedSymbol)], &[FeedSymbol]),
        names: &mut Names,
    ) -> Vec<Request> {
        let mut ends = Vec::new();
        for &symbol in removed {
            names.remove(symbol);
            let verdict = std::mem::replace(self.verdict(symbol), Verdict::Free);
            // One that is refused may still have one of several kinds.
            let has_one = self.has_any.remove(&symbol);
            ends.extend((has_one || matches!(verdict, Verdict::Open | Verdict::Granted)).then_some(symbol));
            for accepted in &mut self.accepted {
                accepted.symbols.retain(|asked| *asked != symbol);
            }
        }
        self.accepted.retain(|asked| !asked.symbols.is_empty());
        self.halvings = 0;
        let mut begins = if removed.is_empty() { Vec::new() } else { names.take_free() };
        begins.iter().for_each(|symbol| *self.verdict(*symbol) = Verdict::Open);
        for (symbol, listed) in added {
            let is_named = names.add(*symbol, listed);
            *self.verdict(*symbol) = if is_named { Verdict::Open } else { Verdict::Refused(Reason::NotGranted) };
            begins.extend(is_named.then_some(*symbol));
        }
        let ends = ended.iter().flat_map(|&kind| self.request(Aim::End, kind, &ends, 0, names)).collect::<Vec<_>>();
        let begins = begun.iter().flat_map(|&kind| self.ask(kind, &begins, names));
        ends.into_iter().chain(begins).collect()
    }

    fn verdict(&mut self, symbol: FeedSymbol) -> &mut Verdict {
        if self.verdicts.len() <= symbol.index() {
            self.verdicts.resize(symbol.index() + 1, Verdict::Free);
        }
        &mut self.verdicts[symbol.index()]
    }

    /// Asks for these symbols, in as many requests as it takes.
    pub(in crate::venue) fn ask(&mut self, kind: C, symbols: &[FeedSymbol], names: &Names) -> Vec<Request> {
        self.request(Aim::Begin, kind, symbols, 0, names)
    }

    fn request(&mut self, aim: Aim, kind: C, symbols: &[FeedSymbol], round: u32, names: &Names) -> Vec<Request> {
        let all: Vec<&str> = symbols.iter().map(|&symbol| names.of(symbol)).collect();
        // A venue that answers only what it refuses does not answer ends either.
        let is_awaited = self.form.silence != Silence::Accepts;
        let silence = if aim == Aim::End && is_awaited { Silence::Ends } else { self.form.silence };
        let mut requests = Vec::new();
        let mut from = 0;
        while from < symbols.len() {
            let count = (self.form.fit)(kind, &all[from..]).clamp(1, symbols.len() - from);
            let batch = from..from + count;
            let id = self.next_id;
            self.next_id += 1;
            let text = Some((self.form.write)(aim, id, kind, &all[batch.clone()]));
            requests.push(Request { id, text, silence });
            from += count;
            let symbols = symbols[batch].to_vec();
            let mut asked = Asked { id, aim, kind, symbols, round, unanswered: Vec::new(), is_granted: false };
            if !is_awaited {
                if aim == Aim::Begin {
                    self.judge(kind, &asked.symbols, Verdict::Granted);
                    self.accepted.push(asked);
                }
                continue;
            }
            asked.unanswered.clone_from(&asked.symbols);
            self.asked.push_back(asked);
        }
        requests
    }

    /// What this request without a whole answer asks for.
    pub(in crate::venue) fn asks(&self, id: u64) -> Option<(Aim, C)> {
        self.asked.iter().find(|asked| asked.id == id).map(|asked| (asked.aim, asked.kind))
    }

    /// The symbols of this request that have no answer of their own.
    pub(in crate::venue) fn open_symbols(&self, id: u64) -> &[FeedSymbol] {
        self.asked.iter().find(|asked| asked.id == id).map_or(&[], |asked| &asked.unanswered)
    }

    /// Whether a part of this request is granted already.
    pub(in crate::venue) fn is_part_granted(&self, id: u64) -> bool {
        self.asked.iter().any(|asked| asked.id == id && asked.is_granted)
    }

    /// What the oldest unanswered request asks for.
    pub(in crate::venue) fn oldest(&self) -> Option<(Aim, C)> {
        self.asked.front().map(|asked| (asked.aim, asked.kind))
    }

    /// The id of the oldest unanswered request with this aim, for an answer that names none.
    pub(in crate::venue) fn oldest_id(&self, aim: Aim) -> Option<u64> {
        self.asked.iter().find(|asked| asked.aim == aim).map(|asked| asked.id)
    }

    /// Takes the request with this id, or the oldest one, off the list: it has its answer.
    fn take(&mut self, id: Option<u64>) -> Option<Asked<C>> {
        let Some(id) = id else { return self.asked.pop_front() };
        match self.asked.iter().position(|asked| asked.id == id) {
            Some(place) => self.asked.remove(place),
            None => self.accepted.iter().position(|asked| asked.id == id).map(|place| self.accepted.remove(place)),
        }
    }

    /// The number of requests without a whole answer, those that are not sent yet among them.
    pub(in crate::venue) fn unanswered(&self) -> usize {
        self.asked.len()
    }

    /// Whether every request has its answer.
    pub(in crate::venue) fn is_answered(&self) -> bool {
        self.asked.is_empty()
    }

    /// Records what became of these symbols. A refusal stands: a symbol needs every required kind granted.
    fn judge(&mut self, kind: C, symbols: &[FeedSymbol], verdict: Verdict) {
        if !(self.form.is_required)(kind) {
            return;
        }
        if verdict == Verdict::Granted {
            self.has_any.extend(symbols);
        }
        for symbol in symbols {
            let known = &mut self.verdicts[symbol.index()];
            if !matches!(known, Verdict::Refused(_) | Verdict::Free) {
                *known = verdict;
            }
        }
    }

    /// The symbols that are granted.
    pub(in crate::venue) fn all_granted(&self) -> Vec<FeedSymbol> {
        let verdicts = FeedSymbol::all(self.verdicts.len()).zip(&self.verdicts);
        verdicts.filter(|(_, verdict)| **verdict == Verdict::Granted).map(|(symbol, _)| symbol).collect()
    }

    /// The symbols that are refused, and why.
    pub(in crate::venue) fn refusals(&self) -> Vec<(FeedSymbol, Reason)> {
        let refusal = |(symbol, verdict): (FeedSymbol, &Verdict)| match verdict {
            Verdict::Refused(reason) => Some((symbol, *reason)),
            Verdict::Free | Verdict::Open | Verdict::Granted => None,
        };
        FeedSymbol::all(self.verdicts.len()).zip(&self.verdicts).filter_map(refusal).collect()
    }
}

#[cfg(test)]
#[path = "../subscription_tests.rs"]
mod tests;
