//! Which symbols were asked for, and which were granted: an answer lists all that is granted so far, never what was refused.

use super::super::{Failure, Message, Request};
use crate::market::Reason;
use std::collections::{HashSet, VecDeque};

/// The venue speaks first: it says that we are connected.
pub(super) const WELCOME: u64 = 0;
pub(super) const LOGIN: u64 = 1;
const FIRST_SUBSCRIPTION: u64 = 2;

/// How long a request may be, in bytes: some 500 symbols in each of two channels, and far below any limit of a server.
const REQUEST_BYTES_MAX: usize = 12_000;
/// How often what is missing from an answer is asked for again. What was lost is granted then; what is not wanted never will be.
const ROUNDS_MAX: u32 = 2;

/// What a request asks for. Corrections and cancels come by themselves with trades.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channels {
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
}

/// What came of asking for one symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Open,
    Granted,
    Refused(Reason),
}

/// The course of one connection's subscription.
#[derive(Debug, Default)]
pub(super) struct Subscription {
    /// In the order in which the venue will answer.
    asked: VecDeque<Asked>,
    next_id: u64,
    verdicts: Vec<Verdict>,
    rounds: u32,
}

impl Subscription {
    /// Asks for all symbols; what to send.
    pub(super) fn begin(names: &[Box<str>]) -> (Self, Vec<Request>) {
        let mut subscription =
            Self { next_id: FIRST_SUBSCRIPTION, verdicts: vec![Verdict::Open; names.len()], ..Self::default() };
        let all: Vec<u32> = (0..names.len() as u32).collect();
        let mut requests = subscription.ask(Channels::Prices, &all, names);
        requests.extend(subscription.ask(Channels::Extras, &all, names));
        (subscription, requests)
    }

    /// An answer has come, with the names that are now granted in trades and in quotes. Appends what is to be asked again.
    pub(super) fn answered(
        &mut self,
        granted: [&HashSet<&str>; 2],
        names: &[Box<str>],
        requests: &mut Vec<Request>,
    ) -> Message {
        let Some(asked) = self.asked.pop_front() else { return Message::Other };
        for (name, verdict) in names.iter().zip(&mut self.verdicts) {
            let in_all = granted.iter().all(|channel| channel.contains(&**name) || channel.contains("*"));
            if in_all {
                *verdict = Verdict::Granted;
            }
        }
        self.finish(names, requests).unwrap_or(Message::Acknowledged(asked.id))
    }

    /// The oldest request is refused as a whole.
    pub(super) fn refused(
        &mut self,
        reason: Reason,
        names: &[Box<str>],
        requests: &mut Vec<Request>,
    ) -> Option<Message> {
        let asked = self.asked.pop_front()?;
        if asked.channels == Channels::Prices {
            for symbol in asked.symbols {
                self.verdicts[symbol as usize] = Verdict::Refused(reason);
            }
        }
        Some(self.finish(names, requests).unwrap_or(Message::Refused(Some(asked.id))))
    }

    /// Whether the oldest request asks for what a feed can do without.
    pub(super) fn awaits_extras(&self) -> bool {
        self.asked.front().is_some_and(|asked| asked.channels == Channels::Extras)
    }

    /// The symbols that are refused, and why.
    pub(super) fn refusals(&self) -> Vec<(u32, Reason)> {
        let refusal = |(symbol, verdict): (u32, &Verdict)| match verdict {
            Verdict::Refused(reason) => Some((symbol, *reason)),
            Verdict::Open | Verdict::Granted => None,
        };
        (0..).zip(&self.verdicts).filter_map(refusal).collect()
    }

    /// Once all is answered: asks again for what is missing, and gives up on it after some rounds. Where nothing at all is
    /// granted, that is a failure.
    fn finish(&mut self, names: &[Box<str>], requests: &mut Vec<Request>) -> Option<Message> {
        if !self.asked.is_empty() {
            return None;
        }
        let is_open = |(symbol, verdict): (u32, &Verdict)| (*verdict == Verdict::Open).then_some(symbol);
        let missing: Vec<u32> = (0..).zip(&self.verdicts).filter_map(is_open).collect();
        if !missing.is_empty() && self.rounds < ROUNDS_MAX {
            self.rounds += 1;
            requests.extend(self.ask(Channels::Prices, &missing, names));
            return None;
        }
        for symbol in missing {
            self.verdicts[symbol as usize] = Verdict::Refused(Reason::NotGranted);
        }
        match self.verdicts.first() {
            Some(Verdict::Refused(reason)) if !self.verdicts.contains(&Verdict::Granted) => {
                Some(Message::Failed(Failure::Fatal(*reason)))
            }
            _ => None,
        }
    }

    fn ask(&mut self, channels: Channels, symbols: &[u32], names: &[Box<str>]) -> Vec<Request> {
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
            self.asked.push_back(Asked { id, channels, symbols: batch.to_vec() });
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
