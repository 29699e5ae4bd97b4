//! The course of a subscription: first prices, then the extras of what was granted. An answer lists all that is
//! granted so far, never what was refused.

use crate::{
    market::{FeedSymbol, Reason},
    venue::{
        Failure, Message, Request,
        kit::{Asked, Form, Names, Subscription, Verdict},
    },
};

/// The venue speaks first: it says that we are connected.
pub(super) const WELCOME: u64 = 0;
/// The login.
pub(super) const LOGIN: u64 = 1;

/// The longest request, in bytes: some 500 symbols in each of two channels, and far below any limit of a server.
const REQUEST_BYTES_MAX: usize = 12_000;
/// How often the symbols that an answer lacks are asked for again: a lost one is granted then, a refused one never.
const ROUNDS_MAX: u32 = 2;

static FORM: Form<Channels> = Form { first_id: 2, fit, write: subscribe };

/// What a request asks for. Corrections and cancels come by themselves with trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    /// Without these a symbol is refused.
    Prices,
    /// A plan or a feed may lack these.
    Extras,
}

impl Channels {
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Prices => &["trades", "quotes"],
            Self::Extras => &["dailyBars", "statuses", "lulds"],
        }
    }
}

/// The subscription of one connection.
#[derive(Debug)]
pub(super) struct Dialogue {
    subscription: Subscription<Channels>,
    asked_for_extras: bool,
}

impl Dialogue {
    /// Asks for the prices of all symbols.
    pub(super) fn begin(names: &Names) -> (Self, Vec<Request>) {
        let mut subscription = Subscription::new(&FORM, names.len());
        let requests = subscription.ask_for_all(Channels::Prices, names);
        (Self { subscription, asked_for_extras: false }, requests)
    }

    /// The channels of the oldest request, which the next answer is to.
    pub(super) fn awaits(&self) -> Option<Channels> {
        self.subscription.oldest()
    }

    /// The answer to the oldest request; `is_listed` says whether it lists a name in all of the request's channels.
    /// Asks again for the symbols that it lacks, up to some rounds.
    pub(super) fn answered(
        &mut self,
        is_listed: impl Fn(&str) -> bool,
        names: &Names,
        requests: &mut Vec<Request>,
    ) -> Message {
        let Some(Asked { id, kind, symbols, round, .. }) = self.subscription.take(None) else { return Message::Other };
        let (listed, missing): (Vec<FeedSymbol>, Vec<FeedSymbol>) =
            symbols.into_iter().partition(|&symbol| is_listed(names.of(symbol)));
        let is_final = round == ROUNDS_MAX;
        if !is_final && !missing.is_empty() {
            requests.extend(self.subscription.ask(kind, &missing, round + 1, names));
        }
        if kind == Channels::Prices {
            self.subscription.judge(&listed, Verdict::Granted);
            if is_final {
                self.subscription.judge(&missing, Verdict::Refused(Reason::NotGranted));
            }
        }
        let lacks_extras = kind == Channels::Extras && is_final && !missing.is_empty();
        let answer = if lacks_extras { Message::Refused(Some(id)) } else { Message::Acknowledged(id) };
        self.go_on(names, requests).unwrap_or(answer)
    }

    /// The oldest request is refused as a whole. One name of a bad form does not cost the others: they are asked for
    /// again in halves.
    pub(super) fn refused(&mut self, reason: Reason, names: &Names, requests: &mut Vec<Request>) -> Option<Message> {
        let asked = self.subscription.take(None)?;
        if asked.kind == Channels::Prices {
            if reason == Reason::NotGranted
                && let Some(halves) = self.subscription.halve(&asked, names)
            {
                requests.extend(halves);
                return Some(Message::Superseded(asked.id));
            }
            self.subscription.judge(&asked.symbols, Verdict::Refused(reason));
        }
        Some(self.go_on(names, requests).unwrap_or(Message::Refused(Some(asked.id))))
    }

    /// The symbols that are refused, and why.
    pub(super) fn refusals(&self) -> Vec<(FeedSymbol, Reason)> {
        self.subscription.refusals()
    }

    /// Once all prices have their answer: asks for the extras of the granted symbols. Where none is granted, that is a
    /// failure.
    fn go_on(&mut self, names: &Names, requests: &mut Vec<Request>) -> Option<Message> {
        if self.asked_for_extras || !self.subscription.is_answered() {
            return None;
        }
        self.asked_for_extras = true;
        let granted = self.subscription.all_granted();
        if granted.is_empty()
            && let Some((_, reason)) = self.subscription.refusals().first()
        {
            return Some(Message::Failed(Failure::Fatal(*reason)));
        }
        requests.extend(self.subscription.ask(Channels::Extras, &granted, 0, names));
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

fn subscribe(_: u64, channels: Channels, names: &[&str]) -> String {
    let mut request = serde_json::json!({ "action": "subscribe" });
    for channel in channels.names() {
        request[*channel] = serde_json::json!(names);
    }
    request.to_string()
}
