//! Subscribing: requests in batches, answers per request or per symbol, and halving a batch that is refused as a whole.
//! Ends of subscriptions are asked for in the same way.

use super::Names;
use crate::{
    market::{FeedSymbol, Reason},
    venue::{Batch, ListedSymbol, Message, Request, Silence},
};
use std::collections::VecDeque;

/// The most requests that are asked again in halves: finding one bad name among 500 takes nine. After that, a refused
/// request refuses all of its symbols, good ones among them.
const HALVINGS_MAX: u32 = 500;

/// How often the symbols that a list lacks are asked for again: a lost one is granted then, a refused one never.
const ROUNDS_MAX: u32 = 2;

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
    halvings: u32,
}

impl<C: Copy + PartialEq> Subscription<C> {
    /// The subscriptions of a connection with these symbols; nothing is asked for yet.
    pub(in crate::venue) fn new(form: &'static Form<C>, names: &Names) -> Self {
        let mut verdicts = vec![Verdict::Free; names.len()];
        names.listed().for_each(|symbol| verdicts[symbol.index()] = Verdict::Open);
        names.nameless().for_each(|symbol| verdicts[symbol.index()] = Verdict::Refused(Reason::NotGranted));
        Self { form, asked: VecDeque::new(), accepted: Vec::new(), next_id: form.first_id, verdicts, halvings: 0 }
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
            ends.extend(matches!(verdict, Verdict::Open | Verdict::Granted).then_some(symbol));
            for accepted in &mut self.accepted {
                accepted.symbols.retain(|asked| *asked != symbol);
            }
        }
        let mut begins = Vec::new();
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
        let silence = if aim == Aim::End { Silence::Ends } else { self.form.silence };
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
            if silence == Silence::Accepts {
                self.judge(kind, &asked.symbols, Verdict::Granted);
                self.accepted.push(asked);
                continue;
            }
            asked.unanswered.clone_from(&asked.symbols);
            self.asked.push_back(asked);
        }
        requests
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

    /// The venue grants the whole request.
    pub(in crate::venue) fn granted(&mut self, id: u64) -> Message {
        if let Some(asked) = self.take(Some(id)).filter(|asked| asked.aim == Aim::Begin) {
            self.judge(asked.kind, &asked.symbols, Verdict::Granted);
        }
        Message::Acknowledged(id)
    }

    /// The venue refuses the whole request, for all of its symbols. What it refuses to end, it does not send.
    pub(in crate::venue) fn refused(&mut self, id: Option<u64>, reason: Reason) -> Message {
        let Some(asked) = self.take(id) else { return Message::Refused(id) };
        self.all_refused(&asked, reason)
    }

    fn all_refused(&mut self, asked: &Asked<C>, reason: Reason) -> Message {
        if asked.aim == Aim::End {
            return Message::Acknowledged(asked.id);
        }
        self.judge(asked.kind, &asked.symbols, Verdict::Refused(reason));
        Message::Refused(Some(asked.id))
    }

    /// The venue refuses the whole request for one bad symbol, and does not say which: asks again in halves until it
    /// is found.
    pub(in crate::venue) fn refused_for_one(
        &mut self,
        id: Option<u64>,
        reason: Reason,
        names: &Names,
        requests: &mut Vec<Request>,
    ) -> Message {
        let Some(asked) = self.take(id) else { return Message::Refused(id) };
        match self.halve(&asked, names) {
            Some(halves) if halves.is_empty() => Message::Acknowledged(asked.id),
            Some(halves) => {
                requests.extend(halves);
                Message::Superseded(asked.id)
            }
            None => self.all_refused(&asked, reason),
        }
    }

    /// The venue refuses the whole request because it holds this symbol's subscription already: asks again for the
    /// others. A symbol that the request does not have is not the cause, so the request is asked again in halves.
    pub(in crate::venue) fn refused_for_held(
        &mut self,
        id: Option<u64>,
        held: FeedSymbol,
        names: &Names,
        requests: &mut Vec<Request>,
    ) -> Message {
        let Some(id) = id.or_else(|| self.oldest_id(Aim::Begin)) else { return Message::Refused(id) };
        let has_it = |asked: &Asked<C>| {
            asked.id == id && asked.aim == Aim::Begin && asked.symbols.iter().any(|&symbol| names.is_same(symbol, held))
        };
        if !self.asked.iter().any(has_it) {
            return self.refused_for_one(Some(id), Reason::NotGranted, names, requests);
        }
        let Some(asked) = self.take(Some(id)) else { return Message::Refused(Some(id)) };
        let (held, others): (Vec<FeedSymbol>, Vec<FeedSymbol>) =
            asked.symbols.iter().partition(|&&symbol| names.is_same(symbol, held));
        self.judge(asked.kind, &held, Verdict::Granted);
        let others = self.still_listed(others);
        if others.is_empty() {
            return Message::Acknowledged(id);
        }
        requests.extend(self.request(Aim::Begin, asked.kind, &others, asked.round, names));
        Message::Superseded(id)
    }

    /// Those of these symbols that are of the list still.
    fn still_listed(&self, mut symbols: Vec<FeedSymbol>) -> Vec<FeedSymbol> {
        symbols.retain(|symbol| self.verdicts[symbol.index()] != Verdict::Free);
        symbols
    }

    /// Asks for the halves of a refused request, or for what is left of it where symbols have left meanwhile. `None`
    /// where it has only one symbol, or was halved too often.
    fn halve(&mut self, asked: &Asked<C>, names: &Names) -> Option<Vec<Request>> {
        let left = match asked.aim {
            Aim::Begin => self.still_listed(asked.symbols.clone()),
            Aim::End => asked.symbols.clone(),
        };
        if left.is_empty() {
            return Some(Vec::new());
        }
        if asked.symbols.len() < 2 || self.halvings == HALVINGS_MAX {
            return None;
        }
        self.halvings += 1;
        let (first, second) = left.split_at(left.len() / 2);
        let mut requests = self.request(asked.aim, asked.kind, first, asked.round, names);
        requests.extend(self.request(asked.aim, asked.kind, second, asked.round, names));
        Some(requests)
    }

    /// The venue answers the oldest request with a list of all that is subscribed so far, and does not say what it
    /// refuses. Asks again for the symbols that the list lacks; after some rounds they are refused.
    pub(in crate::venue) fn listed(
        &mut self,
        is_listed: impl Fn(&str) -> bool,
        names: &Names,
        requests: &mut Vec<Request>,
    ) -> Message {
        self.answered_by_list(None, |_, name| is_listed(name), names, requests)
    }

    /// The same where the list has the kinds apart. It answers the oldest request that it lists whole, in whichever
    /// order the answers come; where it lists none whole, the oldest one.
    pub(in crate::venue) fn listed_by_kind(
        &mut self,
        is_listed: impl Fn(C, &str) -> bool,
        names: &Names,
        requests: &mut Vec<Request>,
    ) -> Message {
        let is_whole = |asked: &&Asked<C>| {
            let is_done = |&symbol: &FeedSymbol| is_listed(asked.kind, names.of(symbol)) == (asked.aim == Aim::Begin);
            asked.symbols.iter().all(is_done)
        };
        let whole = self.asked.iter().find(is_whole).map(|asked| asked.id);
        self.answered_by_list(whole, is_listed, names, requests)
    }

    fn answered_by_list(
        &mut self,
        id: Option<u64>,
        is_listed: impl Fn(C, &str) -> bool,
        names: &Names,
        requests: &mut Vec<Request>,
    ) -> Message {
        let Some(asked) = self.take(id) else { return Message::Other };
        let Asked { id, aim, kind, symbols, round, .. } = asked;
        if aim == Aim::End {
            // What it lists still was asked for again since, or it does not end it.
            return Message::Acknowledged(id);
        }
        let symbols = self.still_listed(symbols);
        if symbols.is_empty() {
            return Message::Acknowledged(id);
        }
        let (listed, missing): (Vec<FeedSymbol>, Vec<FeedSymbol>) =
            symbols.into_iter().partition(|&symbol| is_listed(kind, names.of(symbol)));
        self.judge(kind, &listed, Verdict::Granted);
        if missing.is_empty() {
            return Message::Acknowledged(id);
        }
        if round < ROUNDS_MAX {
            requests.extend(self.request(Aim::Begin, kind, &missing, round + 1, names));
            return if listed.is_empty() { Message::Superseded(id) } else { Message::Acknowledged(id) };
        }
        self.judge(kind, &missing, Verdict::Refused(Reason::NotGranted));
        // An extra that is missing refuses no symbol, so the request has to show it.
        let is_refused = listed.is_empty() || !(self.form.is_required)(kind);
        if is_refused { Message::Refused(Some(id)) } else { Message::Acknowledged(id) }
    }

    /// The venue answers for one symbol of a request. The request has its answer when all of its symbols have one: it
    /// is acknowledged if one of them is granted, or if it is for an end.
    pub(in crate::venue) fn answered(
        &mut self,
        id: u64,
        symbol: FeedSymbol,
        refused: Option<Reason>,
        names: &Names,
        batch: &mut Batch,
    ) -> Message {
        let Some(place) = self.asked.iter().position(|asked| asked.id == id) else { return Message::Control };
        let asked = &mut self.asked[place];
        let is_it = |&open: &FeedSymbol| names.is_same(open, symbol);
        let Some(answered) = asked.unanswered.iter().position(is_it) else { return Message::Control };
        let symbol = asked.unanswered.remove(answered);
        let Asked { aim, kind, .. } = *asked;
        asked.is_granted |= refused.is_none() || aim == Aim::End;
        let is_granted = asked.is_granted;
        let is_whole = asked.unanswered.is_empty();
        if aim == Aim::Begin {
            batch.refuses_symbol |= refused.is_some();
            self.judge(kind, &[symbol], refused.map_or(Verdict::Granted, Verdict::Refused));
        }
        if !is_whole {
            return Message::Control;
        }
        self.asked.remove(place);
        if is_granted { Message::Acknowledged(id) } else { Message::Refused(Some(id)) }
    }

    /// The oldest request of this kind without an answer for this symbol: for answers that name the symbol, and not
    /// the request.
    pub(in crate::venue) fn awaiting(&self, aim: Aim, kind: C, symbol: FeedSymbol, names: &Names) -> Option<u64> {
        let awaits = |asked: &&Asked<C>| {
            (asked.aim, asked.kind) == (aim, kind) && asked.unanswered.iter().any(|&open| names.is_same(open, symbol))
        };
        self.asked.iter().find(awaits).map(|asked| asked.id)
    }

    /// Records what became of these symbols. A refusal stands: a symbol needs every required kind granted.
    fn judge(&mut self, kind: C, symbols: &[FeedSymbol], verdict: Verdict) {
        if !(self.form.is_required)(kind) {
            return;
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
#[path = "subscription_tests.rs"]
mod tests;
