//! Changes of lists, options and rights, and what clients may see of them.

use super::{Grant, Terms, World, checks::Wish, first_seq};
use crate::client::{ChangedList, Client, Progress};
use bytes::Bytes;
use rand::RngExt;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
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
    rev: Option<u64>,
    symbols: Option<Vec<usize>>,
    parts: Option<Parts>,
    interval: Option<Option<Duration>>,
    patches: Option<bool>,
    rights: Option<AskedRights>,
}

/// The rights that a change brings.
struct AskedRights {
    grant: Grant,
    /// The symbols that the client has named and may not read.
    denied: Vec<usize>,
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
        let list = self.some_list();
        let symbols = (!list.is_empty() && self.random.random_bool(0.9)).then_some(list);
        let change = self.some_change();
        self.change(client, symbols, change, None);
    }

    fn some_list(&mut self) -> Vec<usize> {
        let mut list: Vec<usize> = (0..self.settings.symbols).filter(|_| self.random.random_bool(0.5)).collect();
        if self.random.random_bool(0.5) {
            list.reverse();
        }
        list
    }

    /// A change of options, if clients are choosy.
    fn some_change(&mut self) -> Change {
        let mut change = self.change_to(None);
        if self.settings.choosy && self.random.random_bool(0.3) {
            change.parts = Some(match self.random.random_range(0..3) {
                0 => Parts::ALL,
                1 => [Part::Trade].into_iter().collect(),
                _ => [Part::Quote].into_iter().collect(),
            });
            let millis = self.random.random_range(5..400);
            change.interval = Some(self.random.random_bool(0.5).then_some(Duration::from_millis(millis)));
            change.patches = self.random.random_bool(0.5).then(|| self.random.random());
        }
        change
    }

    /// Some client comes with new credentials: to renew, with fewer or more rights, with another list, as another
    /// subject, or with a change that was overtaken.
    pub(super) fn renew_some(&mut self) {
        if self.clients.is_empty() {
            return;
        }
        let client = self.random.random_range(0..self.clients.len());
        let (held, rev) = {
            let client = self.client(client);
            (client.terms.grant.clone().unwrap(), client.terms.rev)
        };
        let subject = if self.random.random_bool(0.05) { held.subject + 1 } else { held.subject };
        let mut grant = self.some_grant(subject);
        match self.random.random_range(0..6) {
            0..2 => grant.symbols = held.symbols, // only the end is another
            2 => grant.symbols = held.symbols.into_iter().filter(|_| self.random.random_bool(0.6)).collect(),
            3 => {
                let more =
                    held.symbols.into_iter().filter(|&state| self.readable(&grant, self.symbol(state)).is_none());
                let more: Vec<usize> = more.collect();
                grant.symbols.extend(more);
            }
            _ => {}
        }
        if self.settings.delayed && self.random.random_bool(0.5) {
            self.pass_some(&mut grant);
        }
        let asked = self.random.random_bool(0.5).then(|| self.some_list()).filter(|list| !list.is_empty());
        let (symbols, denied) = match asked {
            None => (None, Vec::new()),
            Some(list) => {
                let may_not = list.iter().copied().filter(|&symbol| self.readable(&grant, symbol).is_none()).collect();
                let may: Vec<usize> = list.iter().filter_map(|&symbol| self.readable(&grant, symbol)).collect();
                if may.is_empty() {
                    return; // its request is refused before it comes to a worker
                }
                (Some(may), may_not)
            }
        };
        let mut change = self.some_change();
        change.rev = match self.random.random_range(0..10) {
            0..5 => None,
            5..9 => Some(rev + self.random.random_range(1..3)),
            _ => Some(self.random.random_range(0..=rev)),
        };
        self.change(client, symbols, change, Some(AskedRights { grant, denied }));
    }

    fn change_to(&self, rev: Option<u64>) -> Change {
        let interval = None;
        Change {
            rev,
            symbols: None,
            unknown: Box::default(),
            parts: None,
            interval,
            patches: None,
            held: None,
            rights: None,
        }
    }

    /// A client asks for another list.
    pub(crate) fn change_list(&mut self, client: usize, symbols: &[usize]) {
        let change = self.change_to(None);
        self.change(client, Some(symbols.to_vec()), change, None);
    }

    /// A client renews its rights, and changes nothing.
    pub(crate) fn renew(&mut self, client: usize, grant: Grant) {
        let change = self.change_to(None);
        self.change(client, None, change, Some(AskedRights { grant, denied: Vec::new() }));
    }

    fn change(&mut self, client: usize, symbols: Option<Vec<usize>>, mut change: Change, rights: Option<AskedRights>) {
        let (worker, key) = {
            let client = self.client(client);
            (client.worker, client.key)
        };
        if key == 0 {
            return; // it has read no `hello`, so it cannot ask
        }
        let states = |list: &Vec<usize>| list.iter().map(|&symbol| self.symbols[symbol].clone()).collect();
        change.symbols = symbols.as_ref().map(states);
        change.rights = rights.as_ref().map(|rights| rights.grant.change(&rights.denied, &self.symbols));
        self.changes.sent += 1;
        let number = self.changes.sent;
        let Change { rev, parts, interval, patches, .. } = change;
        self.changes.asked.push_back(Asked { number, client, rev, symbols, parts, interval, patches, rights });
        let reply = Box::new(Answer { number, to: self.changes.answered.clone() });
        self.send(worker, Command::Change { key, name: StreamName::new(0), change: Box::new(change), reply });
    }

    /// What a turn has answered to changes holds from the start of that turn's writes on.
    pub(super) fn take_answers(&mut self) {
        let answered = mem::take(&mut *self.changes.answered.lock().unwrap());
        for (number, outcome) in answered {
            let place = self.changes.asked.iter().position(|asked| asked.number == number).unwrap();
            let asked = self.changes.asked.remove(place).unwrap();
            self.take_answer(asked, outcome);
        }
    }

    /// An answer is what the client's list and rights, the limits and the clocks make of the change.
    fn take_answer(&mut self, asked: Asked, outcome: Result<Bytes, ChangeRefused>) {
        let seed = self.seed;
        let now = self.now;
        let mut client = self.clients[asked.client].borrow_mut();
        let grant = asked.rights.as_ref().map(|rights| &rights.grant);
        let (may_be_gone, must_be_gone) = self.is_gone(&client, grant.map(|grant| grant.subject));
        if outcome == Err(ChangeRefused::NoSuchStream) {
            assert!(may_be_gone, "seed {seed}: a change finds no stream");
            return;
        }
        assert!(!must_be_gone, "seed {seed}: a stream that ends, or another's, is changed: {outcome:?}");
        let (list, denied) = self.list_of(&client.terms, asked.symbols.as_deref(), asked.rights.as_ref());
        let fits = list.is_empty() || client.terms.permit.allows_symbols(list.len() + denied.len());
        let expected = client.terms.number(asked.rev).and_then(|rev| {
            let streams = grant.and_then(|grant| grant.streams);
            let permit = &client.terms.permit;
            match streams.is_none_or(|streams| permit.allows_streams(streams)) {
                false => Err(ChangeRefused::TooManyStreams),
                true if !fits => Err(ChangeRefused::TooManySymbols),
                true => Ok(rev),
            }
        });
        assert_eq!(outcome.as_ref().map(|_| ()), expected.as_ref().map(|_| ()), "seed {seed}: what a change comes to");
        let (Ok(json), Ok(rev)) = (outcome, expected) else { return };
        self.check_answer(&json, rev, &list, grant.map(|grant| (grant, &*denied)));
        if list.is_empty() {
            return client.terms.deny(now);
        }
        client.terms.rev = rev;
        client.terms.denied = denied;
        if let Some(grant) = grant {
            client.terms.renew(grant, now);
        }
        self.changed(&mut client, &asked, list, json);
    }

    /// The list that a change brings, and what its client named beside and may not read. Without a list the client
    /// still asks for all that it has named, live or delayed as its rights have it, but what its rights have denied
    /// takes a new list.
    fn list_of(
        &self,
        terms: &Terms,
        asked: Option<&[usize]>,
        rights: Option<&AskedRights>,
    ) -> (Vec<usize>, Vec<usize>) {
        match (asked, rights) {
            (Some(list), rights) => (list.to_vec(), rights.map_or_else(Vec::new, |rights| rights.denied.clone())),
            (None, None) => (terms.list.clone(), terms.denied.clone()),
            (None, Some(rights)) => {
                let readable = |symbol: usize| self.readable(&rights.grant, symbol);
                let listed = || terms.list.iter().map(|&state| self.symbol(state));
                let denied = listed().chain(terms.denied.iter().copied()).filter(|&symbol| readable(symbol).is_none());
                (listed().filter_map(readable).collect(), denied.collect())
            }
        }
    }

    fn check_answer(&self, json: &Bytes, rev: u64, list: &[usize], rights: Option<(&Grant, &[usize])>) {
        let names = |list: &[usize]| list.iter().map(|&state| format!("S{}", self.symbol(state))).collect::<Vec<_>>();
        let answer: Value = serde_json::from_slice(json).unwrap();
        let mut expected = json!({"rev": rev, "epoch": answer["epoch"], "symbols": names(list), "unknown": []});
        if let Some((grant, denied)) = rights {
            let late: Vec<usize> = list.iter().copied().filter(|&state| self.is_late(state)).collect();
            expected["delayed"] = json!(names(&late));
            expected["denied"] = json!(names(denied));
            if let Some(until) = grant.until {
                expected["until"] = json!(until.0);
            }
        }
        assert_eq!(answer, expected, "seed {}: the answer says what the stream has", self.seed);
    }

    fn changed(&self, client: &mut Client, asked: &Asked, list: Vec<usize>, json: Bytes) {
        let newest = |symbol: usize| self.symbols[symbol].newest().seq;
        let pending = client.changed.take().map(|changed| changed.symbols);
        let known = pending
            .unwrap_or_else(|| client.symbols.iter().map(|(&symbol, progress)| (symbol, progress.at_join)).collect());
        let at_join = |&symbol: &usize| {
            // A symbol that left and came back before its client was told has never been away.
            let before = known.get(&symbol).copied();
            let at_join = before.or_else(|| Some(client.symbols.get(&symbol)?.at_join));
            // Unless its state is another one by now: then no stream had it.
            let first = first_seq(&self.symbols[symbol].newest());
            (symbol, at_join.filter(|&at_join| at_join >= first).unwrap_or_else(|| newest(symbol)))
        };
        let symbols: BTreeMap<usize, u64> = list.iter().map(at_join).collect();
        client.changed = Some(ChangedList { symbols, json });
        client.terms.list = list;
        let options = asked.options(client.options);
        if client.options != options && client.options.leave_out() {
            client.symbols.values_mut().for_each(|progress| progress.left_out = true);
        }
        client.options = options;
    }

    /// From the event on a client has the new list: no other symbol's ticks may come behind it. It is the event of the
    /// newest change, whatever came between.
    pub(super) fn check_list(&mut self, client: usize, block: &Bytes) {
        let mut client = self.clients[client].borrow_mut();
        self.check_rights(&client, None);
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
        let parts = self.asked_by(client).filter_map(|asked| asked.parts);
        parts.map(|parts| client.options.on(parts).parts()).fold(Parts::NONE, Parts::union)
    }

    /// Whether a client wants patches once one of its changes is carried out.
    pub(super) fn patches_to_come(&self, client: &Client) -> bool {
        self.asked_by(client).any(|asked| asked.patches == Some(true))
    }

    /// Which ticks a client may be sent of symbols that it was not told of.
    pub(super) fn wishes_to_come(&self, client: &Client, parts: Parts) -> Vec<Wish> {
        let mut to_come: BTreeMap<usize, u64> = BTreeMap::new();
        let mut listed: BTreeSet<usize> = client.terms.list.iter().map(|&state| self.symbol(state)).collect();
        for asked in self.asked_by(client) {
            let list = match (&asked.symbols, &asked.rights) {
                (Some(list), _) => list.clone(),
                (None, Some(rights)) => {
                    listed.iter().filter_map(|&symbol| self.readable(&rights.grant, symbol)).collect()
                }
                (None, None) => Vec::new(),
            };
            listed.extend(list.iter().map(|&state| self.symbol(state)));
            to_come.extend(list.into_iter().map(|state| (state, self.newest(state))));
        }
        to_come.extend(client.changed.iter().flat_map(|changed| &changed.symbols));
        let taken = &self.workers[client.worker].taken;
        let patches = client.options.patches() || self.patches_to_come(client);
        let wish = |(symbol, initial)| Wish {
            symbol,
            from: initial,
            after: None,
            parts,
            initial,
            patches,
            alone_from: Some(taken[symbol]),
        };
        to_come.into_iter().map(wish).collect()
    }

    fn asked_by(&self, client: &Client) -> impl Iterator<Item = &Asked> {
        let is_same = |asked: &&Asked| self.clients[asked.client].as_ptr().cast_const() == std::ptr::from_ref(client);
        self.changes.asked.iter().filter(is_same)
    }
}

impl Asked {
    /// The options that it makes of others.
    fn options(&self, before: Options) -> Options {
        let options = self.parts.map_or(before, |parts| before.on(parts));
        let options = self.interval.map_or(options, |own| options.every(own));
        let options = self.patches.map_or(options, |patches| options.with_patches(patches));
        self.rights.as_ref().map_or(options, |rights| options.allowed_every(rights.grant.interval_min))
    }
}
