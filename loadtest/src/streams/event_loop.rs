//! The event loop of the streams' thread: it reads ready sockets, executes due tasks and takes commands.

use super::{
    control::{Control, Progress},
    group_settings::GroupSettings,
    observer::Observer,
    outcome::Outcome,
    plan::{Reads, plan},
    setup::Setup,
    stream::{Phase, Stream},
    timers::{Task, Timers},
};
use crate::{
    check::{SeenTicks, VenueState},
    measure::{Ended, Second, StreamTotals, unix_micros},
};
use mio::{Events, Poll, event::Event};
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

/// The size of one read: about a stream's receive buffer.
const READ_BYTES: usize = 64 * 1024;
/// Sockets read per turn: even with a full read each, a turn stays below a tenth of a second.
const EVENTS_PER_TURN: usize = 256;
/// Due tasks executed per turn, so that a storm of connects does not delay reads.
const TASKS_PER_TURN: usize = 128;
/// How often an idle loop looks at commands and closes seconds.
const IDLE_MAX: Duration = Duration::from_millis(20);
/// Bytes that have waited for longer than this were read late by the load tester's own fault.
const LATE_MAX: Duration = Duration::from_millis(200);

/// All streams, and what the loop around them needs.
pub(super) struct EventLoop {
    pub(super) target: SocketAddr,
    pub(super) poll: Poll,
    pub(super) streams: Vec<Stream>,
    pub(super) groups: Vec<GroupSettings>,
    pub(super) observer: Observer,
    pub(super) timers: Timers,
    /// Streams with more to read than one turn allows.
    pub(super) unread: Vec<Unread>,
    pub(super) buffer: Box<[u8]>,
    pub(super) random: SmallRng,
    pub(super) old_after: Duration,
    pub(super) progress: Arc<Progress>,
    commands: mpsc::Receiver<Control>,
    pub(super) begun: Instant,
    pub(super) open: u64,
    pub(super) tried: u64,
    pub(super) seconds: Vec<Second>,
    /// At the end of the last full second.
    pub(super) totals: StreamTotals,
    pub(super) late_turns: u64,
    /// In µs since 1970: everything that had arrived by then has been read.
    pub(super) caught_up: i64,
    pub(super) is_catching_up: bool,
    pub(super) is_complete: bool,
}

/// A stream that has more to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unread {
    pub(super) stream: u32,
    /// Whether the server has ended the connection behind these bytes.
    pub(super) is_ended: bool,
}

impl EventLoop {
    pub(super) fn new(setup: &Setup, progress: Arc<Progress>, commands: mpsc::Receiver<Control>) -> io::Result<Self> {
        let mut observer = Observer::new(setup.wire.clone(), setup.host.clone(), Some(setup.old_after));
        observer.seen_ticks = SeenTicks::new(setup.history.clone());
        let streams = planned_streams(setup, &mut observer.seen_ticks);
        let begun = Instant::now();
        Ok(Self {
            target: setup.target,
            poll: Poll::new()?,
            timers: first_connects(&streams, setup.connect_rate, begun),
            streams,
            groups: setup.groups.iter().map(GroupSettings::new).collect(),
            observer,
            unread: Vec::new(),
            buffer: vec![0; READ_BYTES].into(),
            random: SmallRng::seed_from_u64(setup.seed),
            old_after: setup.old_after,
            progress,
            commands,
            begun,
            open: 0,
            tried: 0,
            seconds: Vec::new(),
            totals: StreamTotals::default(),
            late_turns: 0,
            caught_up: unix_micros(),
            is_catching_up: false,
            is_complete: true,
        })
    }

    pub(super) fn run(mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            match self.poll.poll(&mut events, Some(self.poll_timeout())) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let has_all_events = events.iter().count() < EVENTS_PER_TURN;
            let start = unix_micros();
            self.late_turns += u64::from(is_late(self.caught_up, start));
            for Unread { stream, is_ended } in std::mem::take(&mut self.unread) {
                self.read_ready(stream, is_ended);
            }
            for event in &events {
                self.handle_event(event);
            }
            self.execute_due_tasks();
            if let Some(venue_state) = self.take_command() {
                return Ok(self.finish(venue_state.as_ref()));
            }
            self.close_second(false);
            if has_all_events && self.unread.is_empty() {
                // Anything unread has arrived since the turn began.
                self.caught_up = start;
            }
            self.publish();
        }
    }

    fn poll_timeout(&self) -> Duration {
        if !self.unread.is_empty() {
            return Duration::ZERO;
        }
        let next = self.timers.next().map(|at| at.saturating_duration_since(Instant::now()));
        next.map_or(IDLE_MAX, |wait| wait.min(IDLE_MAX))
    }

    fn handle_event(&mut self, event: &Event) {
        let index = event.token().0 as u32;
        let stream = &self.streams[index as usize];
        match stream.phase {
            Phase::Away => {}
            Phase::Connecting => self.connected(index),
            Phase::Requested | Phase::Open => {
                let is_ended = event.is_error() || event.is_read_closed();
                match self.groups[stream.group].reads {
                    Reads::AtOnce => self.read_ready(index, is_ended),
                    _ if self.is_catching_up || stream.phase == Phase::Requested => self.read_ready(index, is_ended),
                    // Slow readers read by timer, but learn of a reset at once.
                    _ if event.is_error() => self.end(index, Ended::Reset),
                    _ => {}
                }
            }
        }
    }

    fn execute_due_tasks(&mut self) {
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
                Task::Leave => self.end(index, Ended::Left),
            }
        }
    }

    /// Executes a command; `Some` ends the loop, with the venue's last state if the run has one.
    fn take_command(&mut self) -> Option<Option<VenueState>> {
        match self.commands.try_recv() {
            Ok(Control::NothingIsLive) => self.check_that_nothing_is_live(),
            Ok(Control::CatchUp) => self.catch_up(),
            Ok(Control::Finish(venue_state)) => return Some(venue_state),
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => return Some(None),
        }
        None
    }

    /// From now on slow readers read at once.
    fn catch_up(&mut self) {
        self.is_catching_up = true;
        for stream in &self.streams {
            if matches!(self.groups[stream.group].reads, Reads::BytesPerSecond(_)) {
                self.unread.push(Unread { stream: stream.index, is_ended: false });
            }
        }
    }
}

fn planned_streams(setup: &Setup, seen_ticks: &mut SeenTicks) -> Vec<Stream> {
    let numbers: Vec<u32> = setup.symbols.iter().map(|name| seen_ticks.symbol(name)).collect();
    let mut streams = Vec::new();
    for (group_index, group) in setup.groups.iter().enumerate() {
        for list in plan(group, numbers.len(), setup.seed.wrapping_add(group_index as u64)) {
            let symbols = list.iter().map(|&index| numbers[index as usize]).collect();
            streams.push(Stream::new(streams.len() as u32, group_index, symbols));
        }
    }
    streams
}

fn first_connects(streams: &[Stream], connect_rate: Option<f64>, begun: Instant) -> Timers {
    let seconds_between = connect_rate.map_or(0.0, |rate| 1.0 / rate);
    let mut timers = Timers::default();
    for stream in streams {
        let at = begun + Duration::from_secs_f64(seconds_between * f64::from(stream.index));
        timers.add(at, stream.index, 0, Task::Connect);
    }
    timers
}

/// Whether bytes read now may have waited too long for the load tester.
pub(super) fn is_late(caught_up: i64, now: i64) -> bool {
    u128::try_from(now - caught_up).is_ok_and(|since| since > LATE_MAX.as_micros())
}
