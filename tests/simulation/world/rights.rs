//! What clients may read, until when, and how streams end that may read no more.

use super::World;
use crate::client::Client;
use bytes::Bytes;
use rand::RngExt;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use tickfan::{
    cache::SymbolState,
    fanout::{ChangeRefused, ChangeRights, CloseMode, Options, Resume, StreamPermit},
    market::{Symbol, UnixMicros},
};

/// How long a client may take for its goodbye.
const LINGER: Duration = Duration::from_secs(1);

/// What a client may read, as its credentials say.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) subject: u32,
    /// The states that may be read: of each symbol the live one, the delayed one or neither.
    pub(crate) symbols: BTreeSet<usize>,
    pub(crate) until: Option<UnixMicros>,
    /// The shortest time between two writes that it allows.
    pub(crate) interval_min: Option<Duration>,
    /// How many streams its subject may have.
    pub(crate) streams: Option<usize>,
}

impl Grant {
    pub(super) fn is_for(&self, state: usize) -> bool {
        self.symbols.contains(&state)
    }

    /// As a change brings it, for a list that the client may read but for `denied`.
    pub(super) fn change(&self, denied: &[usize], states: &[Arc<SymbolState>]) -> ChangeRights {
        let readable: HashMap<Symbol, Arc<SymbolState>> =
            self.symbols.iter().map(|&state| (states[state].symbol().clone(), states[state].clone())).collect();
        ChangeRights {
            subject: Some(subject(self.subject)),
            until: self.until,
            streams: self.streams,
            denied: denied.iter().map(|&symbol| super::name(symbol)).collect(),
            readable: Box::new(move |symbol, _| readable.get(symbol).cloned()),
            interval_min: self.interval_min,
        }
    }
}

/// A subject as streams know it.
pub(super) fn subject(number: u32) -> String {
    format!("{number:016x}")
}

/// What a client's worker has agreed to: its list and its rights, and how far its end has come.
pub(crate) struct Terms {
    /// The list, in its order: of each symbol the state that its client reads.
    pub(super) list: Vec<usize>,
    /// What its client named beside and may not read.
    pub(super) denied: Vec<usize>,
    /// The highest number of a change.
    pub(super) rev: u64,
    /// Its client's rights; `None` where clients do not sign on.
    pub(super) grant: Option<Grant>,
    /// When they end by the clock that does not step, once the stream is open.
    ends_at: Option<Instant>,
    /// Since when the end may have begun, as its rights had ended by some clock.
    may_be_over_since: Option<Instant>,
    /// Since when the end has certainly begun.
    pub(super) is_over_since: Option<Instant>,
    /// A renewal has left none of its symbols.
    is_denied: bool,
    /// Its transport was closed before the turn, or its goodbye begun.
    was_closed: bool,
    /// When ticks were written last, as far as its rights let the next ones wait for it.
    pub(super) paced_at: Option<Instant>,
    pub(super) permit: Arc<PermitState>,
}

impl Terms {
    pub(crate) fn new(list: Vec<usize>, grant: Option<Grant>) -> Self {
        let permit = PermitState {
            symbols_max: AtomicUsize::new(usize::MAX),
            open: AtomicUsize::new(1),
            listed: AtomicUsize::new(list.len()),
            is_held: AtomicBool::new(true),
        };
        Self {
            list,
            rev: 0,
            denied: Vec::new(),
            grant,
            ends_at: None,
            may_be_over_since: None,
            is_over_since: None,
            is_denied: false,
            was_closed: false,
            paced_at: None,
            permit: Arc::new(permit),
        }
    }

    /// The number that a change has.
    pub(super) fn number(&self, rev: Option<u64>) -> Result<u64, ChangeRefused> {
        match rev {
            Some(rev) if rev <= self.rev => Err(ChangeRefused::OldRevision { last: self.rev }),
            rev => Ok(rev.unwrap_or(self.rev)),
        }
    }

    /// Whether a clock says that its rights have ended.
    pub(super) fn is_expired(&self, now: super::Now) -> bool {
        let by_wall_clock = self.grant.as_ref().and_then(|grant| grant.until).is_some_and(|until| until <= now.unix);
        by_wall_clock || self.ends_at.is_some_and(|at| at <= now.instant)
    }

    /// Whether no tick may come any more.
    pub(super) fn is_over(&self, now: super::Now) -> bool {
        self.is_over_since.is_some() || self.is_expired(now)
    }

    /// New rights count from now on.
    pub(super) fn renew(&mut self, grant: &Grant, now: super::Now) {
        self.ends_at = grant.until.map(|until| now.instant_of(until));
        self.may_be_over_since = None;
        let before = self.grant.replace(grant.clone()).and_then(|before| before.interval_min);
        if before < grant.interval_min {
            self.paced_at = None; // the last write was none of these rights
        }
    }

    /// They leave none of its symbols.
    pub(super) fn deny(&mut self, now: super::Now) {
        self.is_denied = true;
        self.is_over_since.get_or_insert(now.instant);
    }
}

/// A stream's permit, as the world sees it.
pub(crate) struct PermitState {
    /// The longest list that it allows.
    pub(super) symbols_max: AtomicUsize,
    /// How many streams its subject has open.
    pub(super) open: AtomicUsize,
    /// How many symbols it is for.
    listed: AtomicUsize,
    is_held: AtomicBool,
}

impl PermitState {
    pub(super) fn allows_symbols(&self, symbols: usize) -> bool {
        symbols <= self.symbols_max.load(Relaxed)
    }

    pub(super) fn allows_streams(&self, streams: usize) -> bool {
        self.open.load(Relaxed) <= streams
    }
}

/// A stream's permit.
pub(super) struct Permit(pub(super) Arc<PermitState>);

impl StreamPermit for Permit {
    fn resize(&mut self, symbols: usize) -> bool {
        let fits = self.0.allows_symbols(symbols);
        if fits {
            self.0.listed.store(symbols, Relaxed);
        }
        fits
    }

    fn keep(&mut self, _: Box<dyn Send>) {}

    fn fits(&self, streams: usize) -> bool {
        self.0.allows_streams(streams)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.is_held.store(false, Relaxed);
    }
}

impl World {
    /// Some rights of a subject, which end soon.
    pub(super) fn some_grant(&mut self, subject: u32) -> Grant {
        let share = [0.3, 0.6, 0.9][self.random.random_range(0..3)];
        let symbols = (0..self.settings.symbols).filter(|_| self.random.random_bool(share)).collect();
        let micros = match self.random.random_range(0..10) {
            0 => None,
            1 => Some(self.random.random_range(0..20_000)),
            2..6 => Some(self.random.random_range(0..1_500_000)),
            _ => Some(self.random.random_range(0..10_000_000)),
        };
        let interval = self.random.random_range(5..300);
        let mut grant = Grant {
            subject,
            symbols,
            until: micros.map(|micros| UnixMicros(self.now.unix.0 + micros)),
            interval_min: self.random.random_bool(0.2).then_some(Duration::from_millis(interval)),
            streams: self.random.random_bool(0.3).then(|| self.random.random_range(1..4)),
        };
        if self.settings.delayed {
            self.pass_some(&mut grant);
        }
        grant
    }

    /// A client signs on for what it may read of a list.
    pub(super) fn sign_on(
        &mut self,
        worker: usize,
        wanted: &[usize],
        room: usize,
        options: Options,
        resume: Option<Resume>,
    ) {
        let subject = self.random.random_range(0..3);
        let grant = self.some_grant(subject);
        let list: Vec<usize> = wanted.iter().filter_map(|&symbol| self.readable(&grant, symbol)).collect();
        if list.is_empty() {
            return; // its request is refused
        }
        if self.settings.sharing && self.random.random_bool(0.8) {
            let connection = self.some_connection(worker, room);
            let worker = self.connections[connection].worker;
            let client = self.add_client(worker, &list, 0, options, resume, Some(grant));
            self.ask_on(connection, client);
        } else {
            self.join_as(worker, &list, room, options, resume, grant);
        }
    }

    /// A client with these rights opens a stream.
    pub(crate) fn join_as(
        &mut self,
        worker: usize,
        list: &[usize],
        room: usize,
        options: Options,
        resume: Option<Resume>,
        grant: Grant,
    ) -> usize {
        let client = self.add_client(worker, list, room, options, resume, Some(grant));
        self.open(client)
    }

    /// Someone sets the wall clock, a limit changes, a subject's other streams come and go, or a transport wears out.
    pub(super) fn disturb_some(&mut self) {
        match self.random.random_range(0..4) {
            0 if self.random.random_bool(0.3) => {
                let seconds = [-86_400, -3_600, -1, 1, 3_600][self.random.random_range(0..5)];
                self.set_clock(seconds);
            }
            1 if !self.clients.is_empty() && self.random.random_bool(0.1) => {
                let client = self.random.random_range(0..self.clients.len());
                let mut client = self.client(client);
                client.is_worn = client.stream == 0; // a connection that is shared wears out as a whole
            }
            2 if !self.clients.is_empty() => {
                let client = self.random.random_range(0..self.clients.len());
                let symbols_max = self.random.random_range(1..2 * self.settings.symbols);
                let open = self.random.random_range(1..5);
                let client = self.client(client);
                client.terms.permit.symbols_max.store(symbols_max, Relaxed);
                client.terms.permit.open.store(open, Relaxed);
            }
            _ => {}
        }
    }

    /// Someone sets the wall clock, by so many seconds.
    pub(crate) fn set_clock(&mut self, seconds: i64) {
        self.now.unix = UnixMicros(self.now.unix.0 + seconds * 1_000_000);
    }

    /// A turn begins.
    pub(super) fn note_closed(&mut self) {
        for client in &self.clients {
            let mut client = client.borrow_mut();
            client.terms.was_closed = client.closed.is_some() || client.bye.is_some();
        }
    }

    /// A stream is open: its rights end by both clocks from now on.
    pub(super) fn note_open(&mut self, client: usize) {
        let now = self.now;
        let mut client = self.client(client);
        let terms = &mut client.terms;
        terms.ends_at = terms.grant.as_ref().and_then(|grant| grant.until).map(|until| now.instant_of(until));
    }

    /// Whether a worker may have refused a change because the stream is ending, and whether it must have.
    pub(super) fn is_gone(&self, client: &Client, subject: Option<u32>) -> (bool, bool) {
        let terms = &client.terms;
        let is_anothers = terms.grant.as_ref().map(|grant| grant.subject) != subject;
        let must = terms.was_closed || is_anothers || terms.is_over(self.now);
        let has_left = client.left || client.gone || client.closed.is_some();
        let may = has_left || client.is_worn || self.drains || terms.may_be_over_since.is_some();
        (must || may, must)
    }

    /// What a turn has made of a stream's rights. Where they have ended by the clock that does not step, its end has
    /// begun; where by the wall clock, the end begins with the next tick or deadline.
    pub(super) fn note_ends(&mut self, client: usize) {
        let now = self.now;
        let mut client = self.client(client);
        if client.key == 0 || client.is_new {
            return;
        }
        let terms = &mut client.terms;
        if terms.is_expired(now) {
            terms.may_be_over_since.get_or_insert(now.instant);
        }
        if terms.ends_at.is_some_and(|at| at <= now.instant) {
            terms.is_over_since.get_or_insert(now.instant);
        }
    }

    /// A stream that may read no more is ended in time, and any other has its permit, for as many symbols as it has.
    pub(super) fn check_terms(&self, client: usize) {
        let client = self.clients[client].borrow();
        if client.key == 0 || client.is_new || client.left || client.gone {
            return;
        }
        let seed = self.seed;
        let terms = &client.terms;
        let late = terms.is_over_since.is_some_and(|since| since + LINGER <= self.now.instant);
        assert!(!late || client.closed.is_some(), "seed {seed}: a stream without rights is not ended");
        assert!(
            client.closed != Some(CloseMode::Finish) || client.bye.is_some(),
            "seed {seed}: it ends without a word"
        );
        if client.closed.is_none() {
            let held = terms.permit.is_held.load(Relaxed).then(|| terms.permit.listed.load(Relaxed));
            let named = terms.list.len() + terms.denied.len();
            assert_eq!(held, Some(named), "seed {seed}: a permit for as many symbols as the stream keeps");
        }
    }

    /// Whether a client may be closed since its rights have ended, though it takes no byte.
    pub(super) fn may_be_cut_off(&self, client: &Client) -> bool {
        let terms = &client.terms;
        let since = [terms.may_be_over_since, terms.is_over_since].into_iter().flatten().min();
        since.is_some_and(|since| since + LINGER <= self.now.instant) || (client.is_worn && terms.grant.is_some())
    }

    /// No tick, and no list, comes to a client that may read no more; no tick of a state that it may not read.
    pub(super) fn check_rights(&self, client: &Client, state: Option<usize>) {
        let seed = self.seed;
        let Some(grant) = &client.terms.grant else { return };
        assert!(!client.terms.is_over(self.now), "seed {seed}: a client gets state {state:?} whose rights have ended");
        if let Some(state) = state {
            assert!(grant.is_for(state), "seed {seed}: a client gets state {state}, which it may not read");
        }
    }

    /// A goodbye says why, and is the last.
    pub(super) fn check_goodbye(&self, client: usize, block: &Bytes) {
        let seed = self.seed;
        let text = std::str::from_utf8(block).unwrap();
        let (retry, event) = text.strip_prefix("retry: ").unwrap().split_once('\n').unwrap();
        let retry: u64 = retry.parse().unwrap();
        let reason = event.strip_prefix("event: bye\ndata: {\"reason\":\"").unwrap().strip_suffix("\"}\n\n").unwrap();
        let mut client = self.clients[client].borrow_mut();
        let terms = &client.terms;
        let (may, soonest, latest) = match reason {
            "shutdown" => (!terms.is_denied && (self.drains || client.is_worn), 1_000, 10_000),
            "expired" => (!terms.is_denied && terms.may_be_over_since.is_some(), 1_000, 3_000),
            "denied" => (terms.is_denied, 1_000, 3_000),
            _ => (false, 0, 0),
        };
        assert!(may, "seed {seed}: a goodbye for {reason}");
        assert!((soonest..latest).contains(&retry), "seed {seed}: {reason}, and back after {retry} ms");
        client.goodbyes += 1;
        client.bye = Some(reason.to_owned());
    }
}

/// Whether a block is a goodbye.
pub(super) fn is_goodbye(block: &[u8]) -> bool {
    block.starts_with(b"retry: ")
}
