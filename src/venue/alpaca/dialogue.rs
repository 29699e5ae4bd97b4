//! The course of a subscription: first prices, then the extras of what was granted. An answer lists all that is
//! granted so far, never what was refused.

use crate::{
    market::{FeedSymbol, Reason},
    venue::{
        Batch, Failure, ListedSymbol, Message, Request, Silence,
        kit::{Aim, Form, Names, Subscription},
    },
};
use std::collections::HashSet;

/// The venue speaks first: it says that we are connected.
pub(super) const WELCOME: u64 = 0;
/// The login.
pub(super) const LOGIN: u64 = 1;

/// The longest request, in bytes: some 500 symbols in each of two channels, and far below any limit of a server.
const REQUEST_BYTES_MAX: usize = 12_000;

static FORM: Form<Channels> = Form {
    first_id: 2,
    fit,
    write: subscribe,
    silence: Silence::Disconnects,
    is_required: |channels| channels == Channels::Prices,
};

/// What a request asks for. Corrections and cancels come by themselves with trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    /// Without these a symbol is refused.
    Prices,
    /// A plan or a feed may lack these.
    Extras,
    /// The extras of coins, which have neither statuses nor price bands.
    Bars,
}

impl Channels {
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Prices => &["trades", "quotes"],
            Self::Extras => &["dailyBars", "statuses", "lulds"],
            Self::Bars => &["dailyBars"],
        }
    }

    /// Whether symbols live without them.
    pub(super) fn is_extra(self) -> bool {
        self != Self::Prices
    }
}

/// The subscription of one connection.
#[derive(Debug)]
pub(super) struct Dialogue {
    /// What is asked for beside prices.
    extras: Channels,
    subscription: Subscription<Channels>,
    /// Whether the venue has answered for all prices of the first list.
    has_prices: bool,
    /// The symbols whose extras were asked for.
    has_extras: HashSet<FeedSymbol>,
    overflow: Overflow,
}

/// What a plan's limit has no room for. The venue does not tell the limit: it refuses a request that goes over it as a
/// whole, so the limit is found by ever smaller requests.
#[derive(Debug, Default)]
struct Overflow {
    /// The symbols of refused requests, in the order of the list.
    left: Vec<FeedSymbol>,
    /// The limit is at most this.
    limit_max: usize,
}

impl Dialogue {
    /// Asks for the prices of all symbols, and later for these extras.
    pub(super) fn begin(extras: Channels, names: &Names) -> (Self, Vec<Request>) {
        let mut subscription = Subscription::new(&FORM, names);
        let requests = subscription.restart(&[Channels::Prices], names);
        (
            Self { extras, subscription, has_prices: false, has_extras: HashSet::new(), overflow: Overflow::default() },
            requests,
        )
    }

    /// The list changes.
    pub(super) fn change(
        &mut self,
        added: &[(FeedSymbol, ListedSymbol)],
        removed: &[FeedSymbol],
        names: &mut Names,
    ) -> Vec<Request> {
        removed.iter().for_each(|symbol| _ = self.has_extras.remove(symbol));
        self.overflow.left.retain(|symbol| !removed.contains(symbol));
        let kinds: (&[_], &[_]) = (&[Channels::Prices], &[Channels::Prices, self.extras]);
        self.subscription.change(kinds, (added, removed), names)
    }

    /// The venue does not answer this request, which ends subscriptions.
    pub(super) fn unanswered(&mut self, id: u64) {
        self.subscription.refused(Some(id), Reason::NotGranted);
    }

    /// The channels of the oldest request, which the next answer is to.
    pub(super) fn awaits(&self) -> Option<Channels> {
        self.subscription.oldest().map(|(_, channels)| channels)
    }

    /// The answer to the oldest request; `is_listed` says whether it lists a name in all of the request's channels.
    /// Asks again for the symbols that it lacks, up to some rounds.
    pub(super) fn answered(&mut self, is_listed: impl Fn(&str) -> bool, names: &Names, batch: &mut Batch) -> Message {
        let message = self.subscription.listed(is_listed, names, &mut batch.requests);
        self.go_on(names, batch).unwrap_or(message)
    }

    /// The oldest request is refused as a whole. One name of a bad form does not cost the others: they are asked for
    /// again in halves.
    pub(super) fn refused(&mut self, reason: Reason, names: &Names, batch: &mut Batch) -> Option<Message> {
        let is_for_one = self.awaits()? == Channels::Prices && reason == Reason::NotGranted;
        let message = if is_for_one {
            self.subscription.refused_for_one(None, reason, names, &mut batch.requests)
        } else {
            self.subscription.refused(None, reason)
        };
        Some(self.go_on(names, batch).unwrap_or(message))
    }

    /// The venue has no room for all symbols of the oldest request. Of prices, as many are asked for again as it may
    /// have room for.
    pub(super) fn over_the_limit(&mut self, names: &Names, batch: &mut Batch) -> Option<Message> {
        if self.awaits()? != Channels::Prices {
            return self.refused(Reason::SymbolLimit, names, batch);
        }
        let Some((id, asked, symbols)) = self.subscription.taken_back() else {
            return self.refused(Reason::SymbolLimit, names, batch);
        };
        let granted = self.subscription.all_granted().len();
        self.overflow.limit_max = (granted + asked).saturating_sub(1);
        self.overflow.left.extend(symbols);
        self.overflow.left.sort();
        let asked_before = batch.requests.len();
        if let Some(failure) = self.go_on(names, batch) {
            return Some(failure);
        }
        let is_superseded = batch.requests.len() > asked_before || !self.subscription.is_answered();
        Some(if is_superseded { Message::Superseded(id) } else { Message::Refused(Some(id)) })
    }

    /// Asks for half of the symbols that the plan may still have room for, and refuses all if it has none.
    fn fill_room(&mut self, names: &Names, batch: &mut Batch) {
        if self.overflow.left.is_empty() || !self.subscription.is_answered() {
            return;
        }
        let room_max = self.overflow.limit_max.saturating_sub(self.subscription.all_granted().len());
        let count = room_max.div_ceil(2).min(self.overflow.left.len());
        if count == 0 {
            let left = std::mem::take(&mut self.overflow.left);
            batch.refuses_symbol = true;
            return self.subscription.without_room(Channels::Prices, &left);
        }
        let next: Vec<FeedSymbol> = self.overflow.left.drain(..count).collect();
        batch.requests.extend(self.subscription.ask(Channels::Prices, &next, names));
    }

    /// The symbols that are refused, and why.
    pub(super) fn refusals(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    /// Once all prices have their answer: asks for the extras of the granted symbols, and for their latest state. Where
    /// none of the first list is granted, that is a failure.
    fn go_on(&mut self, names: &Names, batch: &mut Batch) -> Option<Message> {
        self.fill_room(names, batch);
        if !self.subscription.is_answered() {
            return None;
        }
        let is_first = !std::mem::replace(&mut self.has_prices, true);
        let mut granted = self.subscription.all_granted();
        if granted.is_empty()
            && is_first
            && let Some((_, reason)) = self.subscription.refusals().first()
        {
            return Some(Message::Failed(Failure::Fatal(*reason)));
        }
        granted.retain(|symbol| self.has_extras.insert(*symbol));
        batch.requests.extend(self.subscription.ask(self.extras, &granted, names));
        batch.snapshots.extend(granted);
        None
    }
}

/// How many of these names fit into a request: each stands in every channel, in quotes and with a comma.
fn fit(channels: Channels, names: &[&str]) -> usize {
    let mut bytes = 0;
    let fit = names.iter().take_while(|name| {
        bytes += channels.names().len() * (name.len() + 3);
        bytes <= REQUEST_BYTES_MAX
    });
    fit.count()
}

fn subscribe(aim: Aim, _: u64, channels: Channels, names: &[&str]) -> String {
    let mut request = serde_json::json!({ "action": aim.word("subscribe", "unsubscribe") });
    for channel in channels.names() {
        request[*channel] = serde_json::json!(names);
    }
    request.to_string()
}
