//! The thread that all streams live on: what is ready is read, what is due is done, in turns.

use super::{
    Control, Outcome, Progress, Reads, Setup, Stayed,
    dial::{dial, source},
    observer::{GroupSettings, Observer},
    plan::plan,
    stream::{Phase, Stream},
    timers::{Task, Timers},
};
use crate::{
    check::{Rule, SeenTicks, VenueState, judge_last},
    measure::{Ended, Second, spread, unix_micros},
};
use mio::{Events, Interest, Poll, Token, event::Event};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

/// What one read takes at most: about what a stream's receive buffer holds.
const READ_BYTES: usize = 64 * 1024;
/// Sockets that are looked at in one turn: with a full read each, a turn stays below a tenth of a second.
const EVENTS_PER_TURN: usize = 256;
/// Planned tasks of one turn: a storm of connections must not hold up the reading.
const TASKS_PER_TURN: usize = 128;
/// How often a slow reader reads.
const SLOW_READ_INTERVAL: Duration = Duration::from_millis(50);
/// How often commands and seconds are looked at where nothing else happens.
const IDLE_MAX: Duration = Duration::from_millis(20);
/// What was there to be read for longer than this is read late by our own fault.
const LATE_MAX: Duration = Duration::from_millis(200);
/// How long a stream that left as planned stays away, in ms.
const AWAY_MILLIS: std::ops::Range<u64> = 100..2_000;

/// All streams, and the turns in which they are served.
pub(super) struct EventLoop {
    target: SocketAddr,
    poll: Poll,
    pub(super) streams: Vec<Stream>,
    groups: Vec<GroupSettings>,
    pub(super) observer: Observer,
    timers: Timers,
    /// Streams that had more to read than one turn allows, and whether the server has ended them.
    again: Vec<(u32, bool)>,
    buffer: Box<[u8]>,
    random: SmallRng,
    old_after: Duration,
    pub(super) progress: Arc<Progress>,
    commands: mpsc::Receiver<Control>,
    pub(super) begun: Instant,
    pub(super) open: u64,
    pub(super) tried: u64,
    pub(super) seconds: Vec<Second>,
    /// Of the last full second.
    pub(super) before: (Duration, u64, u64, u64),
    late_turns: u64,
    /// In µs since 1970: all that had come by then is read.
    caught_up: i64,
    is_catching_up: bool,
    is_complete: bool,
}

impl EventLoop {
    pub(super) fn new(setup: &Setup, progress: Arc<Progress>, commands: mpsc::Receiver<Control>) -> io::Result<Self> {
        let mut observer = Observer::new(setup.wire.clone(), setup.host.clone(), Some(setup.old_after));
        observer.seen_ticks = SeenTicks::new(setup.history.clone());
        let numbers: Vec<u32> = setup.symbols.iter().map(|name| observer.seen_ticks.symbol(name)).collect();
        let (mut streams, mut groups) = (Vec::new(), Vec::new());
        for (place, group) in setup.groups.iter().enumerate() {
            groups.push(GroupSettings::new(group));
            for list in plan(group, numbers.len(), setup.seed.wrapping_add(place as u64)) {
                let symbols: Box<[u32]> = list.iter().map(|&place| numbers[place as usize]).collect();
                streams.push(Stream::new(streams.len() as u32, place, symbols));
            }
        }
        let begun = Instant::now();
        let mut timers = Timers::default();
        let between = setup.connect_rate.map_or(0.0, |rate| 1.0 / rate);
        for stream in &streams {
            let at = begun + Duration::from_secs_f64(between * f64::from(stream.index));
            timers.add(at, stream.index, 0, Task::Connect);
        }
        Ok(Self {
            target: setup.target,
            poll: Poll::new()?,
            streams,
            groups,
            observer,
            timers,
            again: Vec::new(),
            buffer: vec![0; READ_BYTES].into(),
            random: SmallRng::seed_from_u64(setup.seed),
            old_after: setup.old_after,
            progress,
            commands,
            begun,
            open: 0,
            tried: 0,
            seconds: Vec::new(),
            before: (Duration::ZERO, 0, 0, 0),
            late_turns: 0,
            caught_up: unix_micros(),
            is_catching_up: false,
            is_complete: true,
        })
    }

    pub(super) fn run(mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            match self.poll.poll(&mut events, Some(self.idle())) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let is_all = events.iter().count() < EVENTS_PER_TURN;
            let start = unix_micros();
            self.late_turns += u64::from(is_late(self.caught_up, start));
            for (stream, is_over) in std::mem::take(&mut self.again) {
                self.readable(stream, is_over);
            }
            for event in &events {
                self.event(event);
            }
            self.due_tasks();
            if let Some(venue_state) = self.take_command() {
                return Ok(self.finish(venue_state.as_ref()));
            }
            self.second(false);
            if is_all && self.again.is_empty() {
                self.caught_up = start; // what is left has come since
            }
            self.publish();
        }
    }

    fn idle(&self) -> Duration {
        if !self.again.is_empty() {
            return Duration::ZERO;
        }
        let next = self.timers.next().map(|at| at.saturating_duration_since(Instant::now()));
        next.map_or(IDLE_MAX, |wait| wait.min(IDLE_MAX))
    }

    fn event(&mut self, event: &Event) {
        let index = event.token().0 as u32;
        let stream = &self.streams[index as usize];
        match stream.phase {
            Phase::Away => {}
            Phase::Connecting => self.connected(index),
            Phase::Asked | Phase::Open => {
                let is_over = event.is_error() || event.is_read_closed();
                match self.groups[stream.group].reads {
                    Reads::AtOnce => self.readable(index, is_over),
                    _ if self.is_catching_up || stream.phase == Phase::Asked => self.readable(index, is_over),
                    // The others read when it is their time. That they were reset is known at once.
                    _ if event.is_error() => self.end(index, Ended::Reset),
                    _ => {}
                }
            }
        }
    }

    fn due_tasks(&mut self) {
        let now = Instant::now();
        for _ in 0..TASKS_PER_TURN {
            let Some((index, generation, task)) = self.timers.pop(now) else { break };
            if self.streams[index as usize].generation != generation {
                continue;
            }
            match task {
                Task::Connect => self.connect(index),
                Task::Read => self.read_slowly(index, now),
                Task::Leave if self.is_catching_up => {}
                Task::Leave => {
                    self.end(index, Ended::Left);
                }
            }
        }
    }

    fn connect(&mut self, index: u32) {
        let stream = &mut self.streams[index as usize];
        let receive_buffer = self.groups[stream.group].reads.receive_buffer();
        let begun = unix_micros();
        let dialled = dial(self.target, source(self.target.ip(), index), receive_buffer).and_then(|mut socket| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(&mut socket, Token(index as usize), interest)?;
            Ok(socket)
        });
        match dialled {
            Ok(socket) => stream.begin(socket, begun),
            Err(error) => self.refused(index, &error),
        }
    }

    fn refused(&mut self, index: u32, error: &io::Error) {
        self.observer.refusal.get_or_insert_with(|| error.to_string());
        self.end(index, Ended::Refused);
    }

    /// The connection is made, or has failed: asks for the stream.
    fn connected(&mut self, index: u32) {
        let stream = &mut self.streams[index as usize];
        let Some(socket) = &mut stream.socket else { return };
        if let Ok(Some(error)) | Err(error) = socket.take_error() {
            return self.refused(index, &error);
        }
        if socket.peer_addr().is_err() {
            return; // not yet
        }
        self.observer.measures.connect.record(unix_micros() - stream.begun);
        let request = stream.request(&mut self.observer, &self.groups[stream.group]);
        let Some(socket) = &mut stream.socket else { return };
        // A new connection has room for a request.
        match socket.write_all(request.as_bytes()) {
            Ok(()) => stream.phase = Phase::Asked,
            Err(error) => self.refused(index, &error),
        }
    }

    /// Reads what there is, or as much as one turn allows. `is_over`: the server has ended the connection behind it.
    fn readable(&mut self, index: u32, is_over: bool) {
        // Less than there was room for: all is read, and what comes later is told anew.
        if self.read(index, READ_BYTES).is_some_and(|count| count == READ_BYTES || is_over) {
            self.again.push((index, is_over));
        }
    }

    fn read_slowly(&mut self, index: u32, now: Instant) {
        let stream = &self.streams[index as usize];
        let Reads::BytesPerSecond(rate) = self.groups[stream.group].reads else { return };
        if self.is_catching_up {
            return self.readable(index, false);
        }
        let bytes = (f64::from(rate) * SLOW_READ_INTERVAL.as_secs_f64()).ceil() as usize;
        self.read(index, bytes.min(READ_BYTES));
        let stream = &self.streams[index as usize];
        if stream.phase == Phase::Open {
            self.timers.add(now + SLOW_READ_INTERVAL, index, stream.generation, Task::Read);
        }
    }

    /// Reads once; returns how many bytes came, or `None` if nothing is there or the stream has ended.
    fn read(&mut self, index: u32, bytes_max: usize) -> Option<usize> {
        let stream = &mut self.streams[index as usize];
        let (group, phase) = (&self.groups[stream.group], stream.phase);
        let count = match stream.socket.as_mut()?.read(&mut self.buffer[..bytes_max]) {
            Ok(0) => {
                let how = stream.how_it_ends();
                self.end(index, how);
                return None;
            }
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return None,
            Err(_) => {
                self.end(index, Ended::Reset);
                return None;
            }
        };
        let at = unix_micros();
        self.observer.load_ended = self.progress.load_ended.load(Ordering::Relaxed);
        self.observer.old_after = (!is_late(self.caught_up, at)).then_some(self.old_after);
        match stream.take(&self.buffer[..count], at, &mut self.observer, group) {
            Ok(()) if phase != Phase::Open && stream.phase == Phase::Open => self.opened(index),
            Ok(()) => {}
            Err(how) => {
                self.end(index, how);
                return None;
            }
        }
        Some(count)
    }

    fn opened(&mut self, index: u32) {
        self.open += 1;
        let stream = &self.streams[index as usize];
        self.tried += u64::from(stream.generation == 0);
        let group = &self.groups[stream.group];
        let now = Instant::now();
        if matches!(group.reads, Reads::BytesPerSecond(_)) {
            self.timers.add(now + SLOW_READ_INTERVAL, index, stream.generation, Task::Read);
        }
        if let Some(stay) = group.stay {
            // Exponential: as many leave in each second.
            let point: f64 = self.random.random_range(f64::EPSILON..1.0);
            self.timers.add(now + stay.mul_f64(-point.ln()), index, stream.generation, Task::Leave);
        }
    }

    fn end(&mut self, index: u32, how: Ended) {
        let stream = &mut self.streams[index as usize];
        let was_open = stream.phase == Phase::Open;
        self.open -= u64::from(was_open);
        self.tried += u64::from(!was_open && stream.generation == 0);
        self.is_complete &= !was_open;
        self.observer.measures.end(stream.group, how);
        stream.drop_connection();
        if self.groups[stream.group].reads == Reads::Never {
            return; // nobody looks at a page that has hung itself up
        }
        let away = match how {
            Ended::Left => Duration::from_millis(self.random.random_range(AWAY_MILLIS)),
            _ => stream.retry,
        };
        self.timers.add(Instant::now() + away, index, stream.generation, Task::Connect);
    }

    /// Does what it is told; returns what the venue sent last once it is to finish.
    fn take_command(&mut self) -> Option<Option<VenueState>> {
        match self.commands.try_recv() {
            Ok(Control::NothingIsLive) => self.nothing_is_live(),
            Ok(Control::CatchUp) => {
                self.is_catching_up = true;
                let slow = |stream: &&Stream| matches!(self.groups[stream.group].reads, Reads::BytesPerSecond(_));
                self.again.extend(self.streams.iter().filter(slow).map(|stream| (stream.index, false)));
            }
            Ok(Control::Finish(venue_state)) => return Some(venue_state),
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => return Some(None),
        }
        None
    }

    fn nothing_is_live(&mut self) {
        let now = unix_micros();
        let observer = &mut self.observer;
        let reads = |stream: &&Stream| stream.phase == Phase::Open && self.groups[stream.group].reads == Reads::AtOnce;
        for stream in self.streams.iter().filter(reads) {
            for symbol in stream.live() {
                let what = format!("{} is shown as live though the venue is cut off", observer.seen_ticks.name(symbol));
                observer.violations.note(Rule::StaleAsLive, Some(stream.index), now, what, b"");
            }
        }
    }

    fn finish(mut self, venue_state: Option<&VenueState>) -> Outcome {
        self.second(true);
        self.observer.measures.age_spread = spread(self.streams.iter().map(|stream| &stream.ages));
        self.observer.measures.symbol_age_spread = spread(self.observer.symbol_ages.iter());
        let now = unix_micros();
        let observer = &mut self.observer;
        let mut stayed = Vec::new();
        for stream in self.streams.iter().filter(|stream| stream.phase == Phase::Open) {
            let group = &self.groups[stream.group];
            if group.reads == Reads::Never {
                self.is_complete = false;
                continue;
            }
            if stream.generation == 0 {
                stayed.push(Stayed { stream: stream.index, name: stream.name.clone(), holes: stream.holes });
            }
            let (seen_ticks, violations) = (&observer.seen_ticks, &mut observer.violations);
            // A load that goes on has no last state.
            if let Some(venue_state) = venue_state {
                judge_last(&stream.slots, stream.index, group.wanted, venue_state, now, seen_ticks, violations);
            }
        }
        Outcome {
            measures: self.observer.measures,
            violations: self.observer.violations,
            seconds: self.seconds,
            late_turns: self.late_turns,
            refusal: self.observer.refusal,
            stayed,
            is_complete: self.is_complete,
        }
    }
}

/// Whether what is read now may have waited too long for us.
fn is_late(caught_up: i64, now: i64) -> bool {
    u128::try_from(now - caught_up).is_ok_and(|since| since > LATE_MAX.as_micros())
}
