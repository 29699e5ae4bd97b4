//! Which symbols were asked for, and which were granted: an answer lists all that is granted so far, never what was refused.

use super::super::{Failure, Message, Request};
use crate::market::Reason;
use std::collections::VecDeque;

/// The venue speaks first: it says that we are connected.
pub(super) const WELCOME: u64 = 0;
pub(super) const LOGIN: u64 = 1;
const FIRST_SUBSCRIPTION: u64 = 2;

/// How long a request may be, in bytes: some 500 symbols in each of two channels, and far below any limit of a server.
const REQUEST_BYTES_MAX: usize = 12_000;
/// How often what is missing from an answer is asked for again. What was lost is granted then; what is not wanted never will be.
const ROUNDS_MAX: u32 = 2;
/// How many requests are asked again in halves: to find one bad name among 500 takes nine.
const HALVINGS_MAX: u32 = 500;

/// What a request asks for. Corrections and cancels come by themselves with trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    /// Without these a symbol is refused.
    Prices,
    /// What a plan or a feed may lack.
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

/// A request that is not answered yet.
#[derive(Debug)]
struct Asked {
    id: u64,
    channels: Channels,
    symbols: Vec<u32>,
    /// How often these were asked for before.
    round: u32,
}

/// What came of asking for one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Open,
    Granted,
    Refused(Reason),
}

/// The course of one connection's subscription: prices, and then, for what was granted, the extras.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// In the order in which the venue will answer.
    asked: VecDeque<Asked>,
    next_id: u64,
    verdicts: Vec<Verdict>,
    halvings: u32,
    asked_for_extras: bool,
}

impl Subscription {
    /// Asks for all symbols; what to send.
    pub(super) fn begin(names: &[Box<str>]) -> (Self, Vec<Request>) {
        let mut subscription =
            Self { next_id: FIRST_SUBSCRIPTION, verdicts: vec![Verdict::Open; names.len()], ..Self::default() };
        let all: Vec<u32> = (0..names.len() as u32).collect();
        let requests = subscription.ask(Channels::Prices, &all, 0, names);
        (subscription, requests)
    }

    /// What the oldest request asks for, which the next answer is to.
    pub(super) fn awaits(&self) -> Option<Channels> {
        self.asked.front().map(|asked| asked.channels)
    }

    /// An answer has come; `is_listed` says which names it has in all channels that were asked for. Appends what is to be asked
    /// next: again what is missing, up to some rounds.
    pub(super) fn answered(
        &mut self,
        is_listed: impl Fn(&str) -> bool,
        names: &[Box<str>],
        requests: &mut Vec<Request>,
    ) -> Message {
        let Some(Asked { id, channels, symbols, round }) = self.asked.pop_front() else { return Message::Other };
        let (listed, missing): (Vec<u32>, Vec<u32>) =
            symbols.into_iter().partition(|&symbol| is_listed(&names[symbol as usize]));
        let is_final = round == ROUNDS_MAX;
        if !is_final && !missing.is_empty() {
            requests.extend(self.ask(channels, &missing, round + 1, names));
        }
        if channels == Channels::Prices {
            self.judge(&listed, Verdict::Granted);
            self.judge(if is_final { &missing } else { &[] }, Verdict::Refused(Reason::NotGranted));
        }
        let lacks_extras = channels == Channels::Extras && is_final && !missing.is_empty();
        let told = if lacks_extras { Message::Refused(Some(id)) } else { Message::Acknowledged(id) };
        self.go_on(names, requests).unwrap_or(told)
    }

    /// The oldest request is refused as a whole. For one name of a bad form the others are not given up: they are asked for
    /// again in halves.
    pub(super) fn refused(
        &mut self,
        reason: Reason,
        names: &[Box<str>],
        requests: &mut Vec<Request>,
    ) -> Option<Message> {
        let Asked { id, channels, symbols, round } = self.asked.pop_front()?;
        let is_price = channels == Channels::Prices;
        if is_price && reason == Reason::NotGranted && symbols.len() > 1 && self.halvings < HALVINGS_MAX {
            self.halvings += 1;
            let (left, right) = symbols.split_at(symbols.len() / 2);
            for half in [left, right] {
                requests.extend(self.ask(channels, half, round, names));
            }
            return Some(Message::Acknowledged(id));
        }
        if is_price {
            self.judge(&symbols, Verdict::Refused(reason));
        }
        Some(self.go_on(names, requests).unwrap_or(Message::Refused(Some(id))))
    }

    /// The symbols that are refused, and why.
    pub(super) fn refusals(&self) -> Vec<(u32, Reason)> {
        let refusal = |(symbol, verdict): (u32, &Verdict)| match verdict {
            Verdict::Refused(reason) => Some((symbol, *reason)),
            Verdict::Open | Verdict::Granted => None,
        };
        (0..).zip(&self.verdicts).filter_map(refusal).collect()
    }

    fn judge(&mut self, symbols: &[u32], verdict: Verdict) {
        for &symbol in symbols {
            self.verdicts[symbol as usize] = verdict;
        }
    }

    /// Once it is known what is granted: asks for the extras of that. Where nothing at all is granted, that is a failure.
    fn go_on(&mut self, names: &[Box<str>], requests: &mut Vec<Request>) -> Option<Message> {
        if self.asked_for_extras || !self.asked.is_empty() {
            return None;
        }
        self.asked_for_extras = true;
        let is_granted = |(symbol, verdict): (u32, &Verdict)| (*verdict == Verdict::Granted).then_some(symbol);
        let granted: Vec<u32> = (0..).zip(&self.verdicts).filter_map(is_granted).collect();
        if let (true, Some(Verdict::Refused(reason))) = (granted.is_empty(), self.verdicts.first()) {
            return Some(Message::Failed(Failure::Fatal(*reason)));
        }
        requests.extend(self.ask(Channels::Extras, &granted, 0, names));
        None
    }

    fn ask(&mut self, channels: Channels, symbols: &[u32], round: u32, names: &[Box<str>]) -> Vec<Request> {
        let length = |symbol: u32| channels.names().len() * (names[symbol as usize].len() + 3);
        let mut requests = Vec::new();
        let mut rest = symbols;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fit = rest.iter().take_while(|&&symbol| {
                bytes += length(symbol);
                bytes <= REQUEST_BYTES_MAX
            });
            let (batch, later) = rest.split_at(fit.count().max(1));
            let id = self.next_id;
            self.next_id += 1;
            requests.push(Request { id, text: Some(subscribe(channels, batch, names)) });
            self.asked.push_back(Asked { id, channels, symbols: batch.to_vec(), round });
            rest = later;
        }
        requests
    }
}

fn subscribe(channels: Channels, symbols: &[u32], names: &[Box<str>]) -> String {
    let names: Vec<&str> = symbols.iter().map(|&symbol| &*names[symbol as usize]).collect();
    let mut request = serde_json::json!({ "action": "subscribe" });
    for channel in channels.names() {
        request[*channel] = serde_json::json!(names);
    }
    request.to_string()
}
