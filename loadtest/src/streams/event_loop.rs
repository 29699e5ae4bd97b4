//! The event loop of the streams' thread: it reads ready sockets, executes due tasks and takes commands.

use super::{
    connection::{Buffers, Connection, State},
    control::{Control, Progress},
    dictionary,
    group_settings::GroupSettings,
    observer::Observer,
    outcome::Outcome,
    pauses::{Pauses, TIMER},
    plan::{Reads, plan_connections, plan_streams},
    server_wire::Wire,
    setup::Setup,
    stream::Stream,
    timers::{Task, Timers},
};
use crate::{
    check::{SeenTicks, VenueState},
    measure::{Asked, Ended, GroupMeasures, Histogram, Lateness, Process, Second, StreamTotals, unix_micros},
    tls::ClientTls,
};
use mio::{Events, Poll, event::Event};
use rand::{SeedableRng, rngs::SmallRng};
use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    sync::{Arc, atomic::Ordering, mpsc},
    time::{Duration, Instant},
};

/// The size of one read: about a stream's receive buffer, and more than the longest record of TLS.
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
    pub(super) targets: Vec<SocketAddr>,
    pub(super) tls: Option<ClientTls>,
    pub(super) poll: Poll,
    pub(super) connections: Vec<Connection>,
    pub(super) streams: Vec<Stream>,
    pub(super) groups: Vec<GroupSettings>,
    pub(super) observer: Observer,
    pub(super) timers: Timers,
    /// Connections with more to read than one turn allows.
    pub(super) unread: Vec<Unread>,
    pub(super) buffers: Buffers,
    pub(super) random: SmallRng,
    pub(super) old_after: Duration,
    pub(super) progress: Arc<Progress>,
    commands: mpsc::Receiver<Control>,
    /// Since when the timeline counts.
    pub(super) begun: Instant,
    pub(super) open: u64,
    pub(super) tried: u64,
    /// Whether connects have a schedule: then times count from it, not from when the thread gets to them.
    pub(super) is_paced: bool,
    pub(super) answer_max: Duration,
    pub(super) connects: Connects,
    /// The processor time of the thread at the load's begin and end.
    pub(super) cpu_of_load: [Option<(Instant, Duration)>; 2],
    pub(super) seconds: Vec<Second>,
    /// At the end of the last full second.
    pub(super) totals: StreamTotals,
    pub(super) late_turns: u64,
    pub(super) pauses: Pauses,
    pub(super) percentiles: Asked,
    /// In µs since 1970: everything that had arrived by then has been read.
    pub(super) caught_up: i64,
    pub(super) is_catching_up: bool,
    pub(super) is_complete: bool,
}

/// The connects of the streams.
#[derive(Debug, Clone, Default)]
pub(super) struct Connects {
    /// How late they were begun, against their schedule.
    pub(super) late: Lateness,
    /// How many streams began for the first time, and when the first and the last of them did.
    pub(super) first: u64,
    pub(super) begun: Option<(Instant, Instant)>,
}

impl Connects {
    /// A stream begins to connect for the first time.
    pub(super) fn note(&mut self, now: Instant) {
        self.first += 1;
        self.begun = Some((self.begun.map_or(now, |(first, _)| first), now));
    }

    /// How many began per second.
    pub(super) fn per_second(&self) -> Option<f64> {
        let (first, last) = self.begun?;
        let seconds = (last - first).as_secs_f64();
        (self.first > 1 && seconds > 0.0).then(|| (self.first - 1) as f64 / seconds)
    }
}

/// A connection that has more to read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unread {
    pub(super) connection: u32,
    /// Whether the server has ended the connection behind these bytes.
    pub(super) is_ended: bool,
}

impl EventLoop {
    /// The timeline counts since `begun`.
    pub(super) fn new(
        setup: &Setup,
        begun: Instant,
        progress: Arc<Progress>,
        commands: mpsc::Receiver<Control>,
    ) -> io::Result<Self> {
        let mut observer = Observer::new(setup.wire.clone(), setup.host.clone(), Some(setup.old_after));
        if setup.targets.len() > 1 {
            observer.measures.latency_by_target = vec![Histogram::default(); setup.targets.len()];
        }
        if setup.groups.len() > 1 {
            observer.measures.groups = vec![GroupMeasures::default(); setup.groups.len()];
        }
        observer.headers = setup.headers.clone();
        if setup.wire == Wire::Tickfan && setup.groups.iter().any(|group| group.compress) {
            observer.decoder = Some(Box::new(dictionary::fetch(setup)?));
        }
        observer.seen_ticks = SeenTicks::new(setup.history.clone(), setup.targets.len() > 1);
        let places = plan_connections(&setup.groups);
        let streams = planned_streams(setup, &places, &mut observer.seen_ticks);
        let poll = Poll::new()?;
        Ok(Self {
            targets: setup.targets.clone(),
            tls: setup.tls.clone(),
            pauses: Pauses::new(poll.registry())?,
            poll,
            timers: first_connects(&streams, setup.connect_rate, Instant::now()),
            is_paced: setup.connect_rate.is_some(),
            answer_max: setup.answer_max,
            connects: Connects::default(),
            cpu_of_load: [None; 2],
            connections: planned_connections(&streams),
            streams,
            groups: setup.groups.iter().map(GroupSettings::new).collect(),
            observer,
            unread: Vec::new(),
            buffers: Buffers { input: vec![0; READ_BYTES].into(), ..Buffers::default() },
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
            percentiles: setup.percentiles,
            caught_up: unix_micros(),
            is_catching_up: false,
            is_complete: true,
        })
    }

    pub(super) fn run(mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(EVENTS_PER_TURN);
        loop {
            self.turn(&mut events)?;
            if let Some(venue_state) = self.take_command() {
                return Ok(self.finish(venue_state.as_ref()));
            }
            self.close_second(false);
            self.publish();
        }
    }

    /// Waits for events, and handles them and what is due.
    pub(super) fn turn(&mut self, events: &mut Events) -> io::Result<()> {
        match self.poll.poll(events, Some(self.poll_timeout())) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let has_all_events = events.iter().count() < EVENTS_PER_TURN;
        let start = unix_micros();
        self.note_end_of_load();
        self.late_turns += u64::from(is_late(self.caught_up, start));
        for Unread { connection, is_ended } in std::mem::take(&mut self.unread) {
            self.read_ready(connection, is_ended);
        }
        for event in events.iter() {
            self.handle_event(event);
        }
        self.execute_due_tasks();
        if has_all_events && self.unread.is_empty() {
            // Anything unread has arrived since the turn began.
            self.caught_up = start;
        }
        Ok(())
    }

    fn poll_timeout(&self) -> Duration {
        if !self.unread.is_empty() {
            return Duration::ZERO;
        }
        let now = Instant::now();
        let next = self.timers.next().map(|at| at.saturating_duration_since(now));
        next.map_or(IDLE_MAX, |wait| wait.min(IDLE_MAX))
    }

    fn handle_event(&mut self, event: &Event) {
        if event.token() == TIMER {
            return self.pauses.note(unix_micros());
        }
        let index = event.token().0 as u32;
        let connection = &mut self.connections[index as usize];
        match connection.state {
            State::Away => {}
            State::Connecting => self.connected(index),
            State::Handshaking | State::Ready => {
                if event.is_writable() && connection.flush().is_err() {
                    return self.end_connection(index, Some(Ended::Reset));
                }
                let is_ended = event.is_error() || event.is_read_closed();
                let is_opening = connection.state == State::Handshaking || connection.opening > 0;
                match self.groups[connection.group].reads {
                    Reads::AtOnce | Reads::BlockedAfter(_) => self.read_ready(index, is_ended),
                    _ if self.is_catching_up || is_opening => self.read_ready(index, is_ended),
                    // Slow readers read by timer, but learn of a reset at once.
                    _ if event.is_error() => self.end_connection(index, Some(Ended::Reset)),
                    _ => {}
                }
            }
        }
    }

    fn execute_due_tasks(&mut self) {
        let now = Instant::now();
        for _ in 0..TASKS_PER_TURN {
            let Some((due, index, generation, task)) = self.timers.pop(now) else { break };
            let current = match task {
                Task::Read => self.connections[index as usize].generation,
                Task::Connect | Task::Timeout | Task::Leave => self.streams[index as usize].generation,
                Task::Come | Task::Go => generation,
            };
            match task {
                _ if current != generation => {}
                Task::Connect if !self.streams[index as usize].may_connect() => {}
                // Without a rate all connect at once at first: as fast as this thread can.
                Task::Connect if generation == 0 && !self.is_paced => self.connect(index, Instant::now()),
                Task::Connect => self.connect(index, due),
                Task::Timeout => self.time_out(index),
                Task::Read => self.read_slowly(index, now),
                Task::Leave | Task::Come | Task::Go if self.is_catching_up => {}
                Task::Leave => self.abandon(index, Ended::Left),
                Task::Come => self.come(index, due),
                Task::Go => self.go(index),
            }
        }
    }

    /// Executes a command; `Some` ends the loop, with the venue's last state if the run has one.
    fn take_command(&mut self) -> Option<Option<VenueState>> {
        match self.commands.try_recv() {
            Ok(Control::NothingIsLive) => self.check_that_nothing_is_live(),
            Ok(Control::Load) => self.begin_load(),
            Ok(Control::CatchUp) => self.catch_up(),
            Ok(Control::Finish(venue_state)) => return Some(venue_state),
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => return Some(None),
        }
        None
    }

    /// All streams have tried to connect: measures count from now on.
    fn begin_load(&mut self) {
        let now = unix_micros();
        self.pauses.late().begin_load(now);
        self.connects.late.begin_load(now);
        self.observer.is_measuring = true;
        self.cpu_of_load[0] = own_cpu();
        self.begin_stages();
    }

    /// Notices the end of the load.
    fn note_end_of_load(&mut self) {
        let ended = self.progress.load_ended.load(Ordering::Relaxed);
        if ended == 0 || self.observer.load_ended != 0 {
            return;
        }
        self.observer.load_ended = ended;
        self.pauses.late().end_load(ended);
        self.connects.late.end_load(ended);
        self.cpu_of_load[1] = own_cpu();
    }

    /// From now on slow readers read at once, and no page is blocked.
    fn catch_up(&mut self) {
        self.is_catching_up = true;
        for (index, connection) in self.connections.iter().enumerate() {
            if matches!(self.groups[connection.group].reads, Reads::BytesPerSecond(_)) {
                self.unread.push(Unread { connection: index as u32, is_ended: false });
            }
        }
        self.unblock_all();
    }
}

fn planned_streams(setup: &Setup, connections: &[Vec<u32>], seen_ticks: &mut SeenTicks) -> Vec<Stream> {
    let numbers: Vec<u32> = setup.symbols.iter().map(|name| seen_ticks.symbol(name)).collect();
    let mut streams = Vec::new();
    for (group_index, group) in setup.groups.iter().enumerate() {
        let lists = plan_streams(group, numbers.len(), setup.seed.wrapping_add(group_index as u64));
        for (list, &connection) in lists.into_iter().zip(&connections[group_index]) {
            let symbols = list.iter().map(|&index| numbers[index as usize]).collect();
            let mut stream = Stream::new(streams.len() as u32, group_index, symbols, connection);
            stream.is_wanted = group.stages.is_empty();
            streams.push(stream);
        }
    }
    streams
}

/// The connections of these streams. Each has the settings of the first group that uses it.
fn planned_connections(streams: &[Stream]) -> Vec<Connection> {
    let mut connections = Vec::new();
    for stream in streams {
        let index = stream.connection as usize;
        if connections.len() <= index {
            connections.resize_with(index + 1, || Connection::of(stream.group));
        }
        connections[index].streams.push(stream.index);
    }
    connections
}

fn first_connects(streams: &[Stream], connect_rate: Option<f64>, begun: Instant) -> Timers {
    let seconds_between = connect_rate.map_or(0.0, |rate| 1.0 / rate);
    let mut timers = Timers::default();
    for (number, stream) in streams.iter().filter(|stream| stream.is_wanted).enumerate() {
        let at = begun + Duration::from_secs_f64(seconds_between * number as f64);
        timers.add(at, stream.index, 0, Task::Connect);
    }
    timers
}

/// The processor time of this thread by now.
fn own_cpu() -> Option<(Instant, Duration)> {
    Process::own_thread().usage().ok().map(|usage| (Instant::now(), usage.cpu))
}

/// Whether bytes read now may have waited too long for the load tester.
pub(super) fn is_late(caught_up: i64, now: i64) -> bool {
    u128::try_from(now - caught_up).is_ok_and(|since| since > LATE_MAX.as_micros())
}
