//! What a venue answers to requests for subscriptions.

use super::{Aim, Asked, Subscription, Verdict};
use crate::{
    market::{FeedSymbol, Reason},
    venue::{Batch, Message, Request, kit::Names},
};

/// The most requests that are asked again in halves: finding one bad name among 500 takes nine. After that, a refused
/// request refuses all of its symbols, good ones among them.
pub(super) const HALVINGS_MAX: u32 = 500;

/// How often the symbols that a list lacks are asked for again: a lost one is granted then, a refused one never.
const ROUNDS_MAX: u32 = 2;

impl<C: Copy + PartialEq> Subscription<C> {
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

    /// The venue has no room for all symbols of the oldest request, which had so many. It is taken back: those that are
    /// still listed may be asked for again, or [refused](Self::without_room). `None` where there is none, or it is for
    /// an end.
    pub(in crate::venue) fn taken_back(&mut self) -> Option<(u64, usize, Vec<FeedSymbol>)> {
        let asked = self.asked.pop_front_if(|asked| asked.aim == Aim::Begin)?;
        let count = asked.symbols.len();
        let left = self.still_listed(asked.symbols);
        Some((asked.id, count, left))
    }

    /// The venue has no room for these symbols, which are of no request.
    pub(in crate::venue) fn without_room(&mut self, kind: C, symbols: &[FeedSymbol]) {
        self.judge(kind, symbols, Verdict::Refused(Reason::SymbolLimit));
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

    /// The venue's answer to this request leaves out some of its symbols, which another one may name: asks for them
    /// again. After some rounds they are refused.
    pub(in crate::venue) fn answered_in_part(
        &mut self,
        id: u64,
        names: &Names,
        requests: &mut Vec<Request>,
    ) -> Message {
        let Some(asked) = self.take(Some(id)) else { return Message::Control };
        let left = self.still_listed(asked.unanswered);
        let may_ask = asked.round < ROUNDS_MAX;
        if may_ask {
            requests.extend(self.request(Aim::Begin, asked.kind, &left, asked.round + 1, names));
        } else {
            self.judge(asked.kind, &left, Verdict::Refused(Reason::NotGranted));
        }
        match (asked.is_granted, may_ask) {
            (true, _) => Message::Acknowledged(id),
            (false, true) => Message::Superseded(id),
            (false, false) => Message::Refused(Some(id)),
        }
    }

    /// The request for this symbol that counts as granted since the venue answers only what it refuses.
    pub(in crate::venue) fn accepted(&self, kind: C, symbol: FeedSymbol, names: &Names) -> Option<u64> {
        let has_it = |asked: &&Asked<C>| {
            asked.kind == kind && asked.symbols.iter().any(|&accepted| names.is_same(accepted, symbol))
        };
        self.accepted.iter().find(has_it).map(|asked| asked.id)
    }

    /// The newest request up to this id that counts as granted, and still has a symbol of the list.
    pub(in crate::venue) fn newest_accepted(&self, up_to: u64) -> Option<u64> {
        let begun = self.accepted.iter().filter(|asked| !asked.symbols.is_empty());
        begun.map(|asked| asked.id).filter(|id| *id <= up_to).max()
    }

    /// The oldest request of this kind without an answer for this symbol: for answers that name the symbol, and not
    /// the request.
    pub(in crate::venue) fn awaiting(&self, aim: Aim, kind: C, symbol: FeedSymbol, names: &Names) -> Option<u64> {
        let awaits = |asked: &&Asked<C>| {
            (asked.aim, asked.kind) == (aim, kind) && asked.unanswered.iter().any(|&open| names.is_same(open, symbol))
        };
        self.asked.iter().find(awaits).map(|asked| asked.id)
    }
}
