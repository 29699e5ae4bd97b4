//! Changes of lists and options, and what clients may see of them.

use super::{HEARTBEAT, World, checks::Wish};
use crate::client::{ChangedList, Client, Progress};
use bytes::Bytes;
use rand::RngExt;
use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};
use tickfan::{
    fanout::{Change, ChangeRefused, ChangeReply, Command, Options},
    market::{Part, Parts},
    wire::StreamName,
};

/// The answers that came, each with the number of its change.
type Answers = Arc<Mutex<Vec<(u64, Result<Bytes, ChangeRefused>)>>>;

/// The changes that were sent and are not answered, and the answers that were not looked at, each in order.
#[derive(Default)]
pub(super) struct Changes {
    asked: VecDeque<Asked>,
    answered: Answers,
    sent: u64,
}

/// A change that a client has asked for.
struct Asked {
    number: u64,
    client: usize,
    symbols: Option<Vec<usize>>,
    options: Options,
}

struct Answer {
    number: u64,
    to: Answers,
}

impl ChangeReply for Answer {
    fn reply(self: Box<Self>, outcome: Result<Bytes, ChangeRefused>) {
        self.to.lock().unwrap().push((self.number, outcome));
    }
}

impl World {
    /// Some client asks for another list, and perhaps for other options.
    pub(super) fn change_some(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let client = self.random.random_range(0..self.clients.len());
        let mut list: Vec<usize> = (0..self.symbols.len()).filter(|_| self.random.random_bool(0.5)).collect();
        if self.random.random_bool(0.5) {
            list.reverse();
        }
        let symbols = (!list.is_empty() && self.random.random_bool(0.9)).then_some(list);
        let mut change = self.change_to(None);
        if self.settings.choosy && self.random.random_bool(0.3) {
            change.parts = Some(match self.random.random_range(0..3) {
                0 => Parts::ALL,
                1 => [Part::Trade].into_iter().collect(),
                _ => [Part::Quote].into_iter().collect(),
            });
            let millis = self.random.random_range(5..400);
            change.interval = Some(self.random.random_bool(0.5).then_some(Duration::from_millis(millis)));
        }
        self.change(client, symbols.as_deref(), change);
    }

    fn change_to(&self, rev: Option<u64>) -> Change {
        Change {
            rev,
            symbols: None,
            unknown: Box::default(),
            parts: None,
            interval: None,
            epoch: self.cache.epoch(),
            rights: None,
        }
    }

    /// A client asks for another list.
    pub(crate) fn change_list(&mut self, client: usize, symbols: &[usize]) {
        let change = self.change_to(None);
        self.change(client, Some(symbols), change);
    }

    fn change(&mut self, client: usize, symbols: Option<&[usize]>, mut change: Change) {
        let (worker, key, options) = {
            let client = self.client(client);
            (client.worker, client.key, client.options)
        };
        if key == 0 {
            return; // it has read no `hello`, so it cannot ask
        }
        let states = symbols.map(|list| list.iter().map(|&symbol| self.symbols[symbol].clone()).collect());
        change.symbols = states;
        let before = self.changes.asked.iter().rev().find(|asked| asked.client == client);
        let mut options = before.map_or(options, |asked| asked.options);
        if let Some(parts) = change.parts {
            options = options.on(parts);
        }
        if let Some(interval) = change.interval {
            options = options.every(interval);
        }
        self.changes.sent += 1;
        let number = self.changes.sent;
        self.changes.asked.push_back(Asked { number, client, symbols: symbols.map(<[usize]>::to_vec), options });
        let reply = Box::new(Answer { number, to: self.changes.answered.clone() });
        self.send(worker, Command::Change { key, name: StreamName::new(0), change: Box::new(change), reply });
    }

    /// What a turn has answered to changes holds from the start of that turn's writes on.
    pub(super) fn take_answers(&mut self) {
        let answered = mem::take(&mut *self.changes.answered.lock().unwrap());
        for (number, outcome) in answered {
            let place = self.changes.asked.iter().position(|asked| asked.number == number).unwrap();
            let asked = self.changes.asked.remove(place).unwrap();
            match outcome {
                Ok(json) => self.changed(asked, json),
                Err(ChangeRefused::NoSuchStream) => {}
                Err(refused) => panic!("seed {}: {refused:?}", self.seed),
            }
        }
    }

    fn changed(&mut self, asked: Asked, json: Bytes) {
        let newest = |symbol: usize| self.symbols[symbol].newest().seq;
        let mut client = self.clients[asked.client].borrow_mut();
        let pending = client.changed.take().map(|changed| changed.symbols);
        let known = pending
            .unwrap_or_else(|| client.symbols.iter().map(|(&symbol, progress)| (symbol, progress.at_join)).collect());
        let list = asked.symbols.unwrap_or_else(|| listed(&json));
        assert_eq!(listed(&json), list, "seed {}: the answer has the list", self.seed);
        let at_join = |&symbol: &usize| {
            // A symbol that left and came back before its client was told has never been away.
            let before = known.get(&symbol).copied();
            let at_join = before.or_else(|| Some(client.symbols.get(&symbol)?.at_join));
            (symbol, at_join.unwrap_or_else(|| newest(symbol)))
        };
        let symbols: BTreeMap<usize, u64> = list.iter().map(at_join).collect();
        client.changed = Some(ChangedList { symbols, json });
        if client.options != asked.options && client.options != Options::new(HEARTBEAT) {
            client.symbols.values_mut().for_each(|progress| progress.left_out = true);
        }
        client.options = asked.options;
    }

    /// From the event on a client has the new list: no other symbol's ticks may come behind it. It is the event of the
    /// newest change, whatever came between.
    pub(super) fn check_list(&mut self, client: usize, block: &Bytes) {
        let mut client = self.clients[client].borrow_mut();
        let changed = client.changed.take();
        let changed = changed.unwrap_or_else(|| panic!("seed {}: an event without a change", self.seed));
        let event = [b"event: symbols\ndata: ", &changed.json[..], b"\n\n"].concat();
        assert_eq!(block, &event, "seed {}: the event of the newest change", self.seed);
        client.events_seen += 1;
        client.symbols.retain(|symbol, _| changed.symbols.contains_key(symbol));
        for (symbol, at_join) in changed.symbols {
            let published = self.symbols[symbol].newest().seq;
            let fresh = Progress { at_join, published, ..Progress::default() };
            client.symbols.entry(symbol).or_insert(fresh);
        }
    }

    /// The parts that a client wants once its changes are carried out.
    pub(super) fn parts_to_come(&self, client: &Client) -> Parts {
        let parts = self.asked_by(client).map(|asked| asked.options.parts());
        parts.fold(Parts::NONE, Parts::union)
    }

    /// Which ticks a client may be sent of symbols that it was not told of.
    pub(super) fn wishes_to_come(&self, client: &Client, parts: Parts) -> Vec<Wish> {
        let mut to_come: BTreeMap<usize, u64> = BTreeMap::new();
        for &symbol in self.asked_by(client).flat_map(|asked| &asked.symbols).flatten() {
            to_come.insert(symbol, self.symbols[symbol].newest().seq);
        }
        to_come.extend(client.changed.iter().flat_map(|changed| &changed.symbols));
        let taken = &self.workers[client.worker].taken;
        let wish = |(symbol, initial)| Wish {
            symbol,
            from: initial,
            after: None,
            parts,
            initial,
            alone_from: Some(taken[symbol]),
        };
        to_come.into_iter().map(wish).collect()
    }

    fn asked_by(&self, client: &Client) -> impl Iterator<Item = &Asked> {
        let is_same = |asked: &&Asked| self.clients[asked.client].as_ptr().cast_const() == std::ptr::from_ref(client);
        self.changes.asked.iter().filter(is_same)
    }
}

/// The list in the JSON of an answer.
fn listed(json: &Bytes) -> Vec<usize> {
    let text = std::str::from_utf8(json).unwrap();
    let (_, list) = text.split_once("\"symbols\":[").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split(',').map(|name| name.trim_matches('"')[1..].parse().unwrap()).collect()
}
