//! The thread that all streams live on.

use super::{
    Group, Wire,
    dial::{dial, source},
    judge::{Judge, Kin},
    plan::plan,
    stream::{Phase, Stream},
    timers::{Task, Timers},
};
use crate::{
    check::{Rule, Truth, Violations, Wanted, Witness, judge_last},
    measure::{Ended, Histogram, Process, Second, StreamMeasures, unix_micros},
    streams::Reads,
};
use mio::{Events, Interest, Poll, Token, event::Event};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
        mpsc,
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What one read takes at most: more than a socket's buffer mostly holds.
const READ_BYTES: usize = 128 * 1024;
/// Reads of one stream before others have their turn.
const READS_PER_TURN: usize = 4;
/// Planned tasks of one turn: a storm of connections must not hold up the reading.
const TASKS_PER_TURN: usize = 128;
/// How often a slow reader reads.
const SLOW_READ_INTERVAL: Duration = Duration::from_millis(50);
/// How often commands and seconds are looked at where nothing else happens.
const IDLE_MAX: Duration = Duration::from_millis(20);
/// A turn longer than this makes what is read in it late by our own fault.
const LATE_TURN: Duration = Duration::from_millis(200);
/// How long a stream that left as planned stays away, in ms.
const AWAY_MILLIS: std::ops::Range<u64> = 100..2_000;

/// What the streams are to do.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The server.
    pub target: SocketAddr,
    /// The `host` header.
    pub host: String,
    /// What it speaks.
    pub wire: Wire,
    /// All symbols that may be asked for, the most popular first.
    pub symbols: Vec<String>,
    /// The streams.
    pub groups: Vec<Group>,
    /// How many connect a second; `None`: all at once.
    pub connect_rate: Option<f64>,
    /// How late a tick may be that others have replaced.
    pub old_after: Duration,
    /// Decides who asks for what and who leaves when.
    pub seed: u64,
}

/// What the thread is told.
#[derive(Debug)]
pub enum Control {
    /// The venue is cut off for long enough: whatever is shown as live now is a violation.
    NothingIsLive,
    /// The load has ended: slow readers read at once, nobody leaves any more.
    CatchUp,
    /// All has come: judge the last states, by the venue's if they are known, and end.
    Finish(Option<Truth>),
}

/// How far the streams are, to be read at any time.
#[derive(Debug, Default)]
pub struct Progress {
    /// Streams whose first attempt is over.
    pub tried: AtomicU64,
    /// Open streams.
    pub open: AtomicU64,
    /// Ticks so far.
    pub ticks: AtomicU64,
    /// Bytes so far.
    pub bytes: AtomicU64,
    /// Violations so far.
    pub violations: AtomicU64,
    /// When the last tick was read, in µs since 1970.
    pub last_tick: AtomicI64,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What was measured.
    pub measures: StreamMeasures,
    /// What was wrong.
    pub violations: Violations,
    /// Second by second.
    pub seconds: Vec<Second>,
    /// Turns of the loop that took so long that what was read in them was late by our own fault.
    pub late_turns: u64,
    /// What the first server said that did not open a stream.
    pub refusal: Option<String>,
    /// No stream left anything unread: holes can be compared exactly.
    pub is_complete: bool,
}

/// The running streams.
#[derive(Debug)]
pub struct Crowd {
    /// How far they are.
    pub progress: Arc<Progress>,
    control: mpsc::Sender<Control>,
    thread: JoinHandle<io::Result<Outcome>>,
}

impl Crowd {
    /// Starts them.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let progress = Arc::new(Progress::default());
        let (control, commands) = mpsc::channel();
        let shared = progress.clone();
        let thread = std::thread::Builder::new()
            .name("streams".to_owned())
            .spawn(move || Loop::new(&setup, shared, commands)?.run())?;
        Ok(Self { progress, control, thread })
    }

    /// Tells the streams something.
    pub fn tell(&self, command: Control) {
        // If the thread is gone, its end says why.
        let _ = self.control.send(command);
    }

    /// Whether they still run; if not, [`Crowd::finish`] tells why.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the streams.
    ///
    /// # Errors
    /// What the system says where the thread could not go on.
    pub fn finish(self, truth: Option<Truth>) -> io::Result<Outcome> {
        self.tell(Control::Finish(truth));
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the streams' thread has died")))
    }
}

struct Loop {
    target: SocketAddr,
    poll: Poll,
    streams: Vec<Stream>,
    kins: Vec<Kin>,
    judge: Judge,
    timers: Timers,
    /// Streams that had more to read than one turn allows.
    again: Vec<u32>,
    buffer: Box<[u8]>,
    random: SmallRng,
    old_after: Duration,
    progress: Arc<Progress>,
    commands: mpsc::Receiver<Control>,
    begun: Instant,
    open: u64,
    tried: u64,
    seconds: Vec<Second>,
    /// Of the last full second.
    before: (Duration, u64, u64, u64),
    late_turns: u64,
    is_catching_up: bool,
    is_complete: bool,
}

impl Loop {
    fn new(setup: &Setup, progress: Arc<Progress>, commands: mpsc::Receiver<Control>) -> io::Result<Self> {
        let mut witness = Witness::default();
        let numbers: Vec<u32> = setup.symbols.iter().map(|name| witness.symbol(name)).collect();
        let (mut streams, mut kins) = (Vec::new(), Vec::new());
        for (place, group) in setup.groups.iter().enumerate() {
            kins.push(Kin::new(group));
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
        let judge = Judge {
            wire: setup.wire.clone(),
            host: setup.host.clone(),
            witness,
            violations: Violations::default(),
            measures: StreamMeasures::default(),
            latency: Histogram::default(),
            age: Histogram::default(),
            is_measuring: false,
            old_after: Some(setup.old_after),
            refusal: None,
            last_tick: 0,
        };
        Ok(Self {
            target: setup.target,
            poll: Poll::new()?,
            streams,
            kins,
            judge,
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
            is_catching_up: false,
            is_complete: true,
        })
    }

    fn run(mut self) -> io::Result<Outcome> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, Some(self.idle())) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let start = Instant::now();
            for stream in std::mem::take(&mut self.again) {
                self.readable(stream, false);
            }
            for event in &events {
                self.event(event);
            }
            self.due_tasks();
            if let Some(truth) = self.obey() {
                return Ok(self.finish(truth.as_ref()));
            }
            self.second(false);
            let is_late = start.elapsed() > LATE_TURN;
            self.late_turns += u64::from(is_late);
            self.judge.old_after = (!is_late).then_some(self.old_after);
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
                match self.kins[stream.kin].reads {
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
            let Some((index, life, task)) = self.timers.pop(now) else { break };
            if self.streams[index as usize].life != life {
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
        let receive_buffer = self.kins[stream.kin].reads.receive_buffer();
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
        self.judge.refusal.get_or_insert_with(|| error.to_string());
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
        self.judge.measures.connect.record(unix_micros() - stream.begun);
        let request = stream.request(&mut self.judge, &self.kins[stream.kin]);
        let Some(socket) = &mut stream.socket else { return };
        // A new connection has room for a request.
        match socket.write_all(request.as_bytes()) {
            Ok(()) => stream.phase = Phase::Asked,
            Err(error) => self.refused(index, &error),
        }
    }

    /// Reads what there is. `is_over`: the server has ended the connection behind it.
    fn readable(&mut self, index: u32, is_over: bool) {
        for _ in 0..READS_PER_TURN {
            match self.read(index, READ_BYTES) {
                // Less than there was room for: all is read, and what comes later is told anew.
                Some(count) if count < READ_BYTES && !is_over => return,
                Some(_) => {}
                None => return,
            }
        }
        self.again.push(index);
    }

    fn read_slowly(&mut self, index: u32, now: Instant) {
        let stream = &self.streams[index as usize];
        let Reads::BytesPerSecond(rate) = self.kins[stream.kin].reads else { return };
        if self.is_catching_up {
            return self.readable(index, false);
        }
        let bytes = (f64::from(rate) * SLOW_READ_INTERVAL.as_secs_f64()).ceil() as usize;
        self.read(index, bytes.min(READ_BYTES));
        let stream = &self.streams[index as usize];
        if stream.phase == Phase::Open {
            self.timers.add(now + SLOW_READ_INTERVAL, index, stream.life, Task::Read);
        }
    }

    /// Reads once; returns how many bytes came, or `None` if nothing is there or the stream has ended.
    fn read(&mut self, index: u32, bytes_max: usize) -> Option<usize> {
        let stream = &mut self.streams[index as usize];
        let (kin, phase) = (&self.kins[stream.kin], stream.phase);
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
        match stream.take(&self.buffer[..count], unix_micros(), &mut self.judge, kin) {
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
        self.tried += u64::from(stream.life == 0);
        let kin = &self.kins[stream.kin];
        let now = Instant::now();
        if matches!(kin.reads, Reads::BytesPerSecond(_)) {
            self.timers.add(now + SLOW_READ_INTERVAL, index, stream.life, Task::Read);
        }
        if let Some(stay) = kin.stay {
            // Exponential: as many leave in each second.
            let point: f64 = self.random.random_range(f64::EPSILON..1.0);
            self.timers.add(now + stay.mul_f64(-point.ln()), index, stream.life, Task::Leave);
        }
    }

    fn end(&mut self, index: u32, how: Ended) {
        let stream = &mut self.streams[index as usize];
        let was_open = stream.phase == Phase::Open;
        self.open -= u64::from(was_open);
        self.tried += u64::from(!was_open && stream.life == 0);
        self.is_complete &= !was_open;
        self.judge.measures.end(how);
        stream.drop_connection();
        if self.kins[stream.kin].reads == Reads::Never {
            return; // nobody looks at a page that has hung itself up
        }
        let away = match how {
            Ended::Left => Duration::from_millis(self.random.random_range(AWAY_MILLIS)),
            _ => stream.retry,
        };
        self.timers.add(Instant::now() + away, index, stream.life, Task::Connect);
    }

    /// Does what it is told; returns what the venue sent last once it is to finish.
    fn obey(&mut self) -> Option<Option<Truth>> {
        match self.commands.try_recv() {
            Ok(Control::NothingIsLive) => self.nothing_is_live(),
            Ok(Control::CatchUp) => {
                self.is_catching_up = true;
                let slow = |stream: &&Stream| matches!(self.kins[stream.kin].reads, Reads::BytesPerSecond(_));
                self.again.extend(self.streams.iter().filter(slow).map(|stream| stream.index));
            }
            Ok(Control::Finish(truth)) => return Some(truth),
            Err(mpsc::TryRecvError::Empty) => {}
            Err(mpsc::TryRecvError::Disconnected) => return Some(None),
        }
        None
    }

    fn nothing_is_live(&mut self) {
        let now = unix_micros();
        let judge = &mut self.judge;
        for stream in self.streams.iter().filter(|stream| self.kins[stream.kin].reads == Reads::AtOnce) {
            for symbol in stream.live() {
                let what = format!("{} is shown as live though the venue is cut off", judge.witness.name(symbol));
                judge.violations.note(Rule::StaleAsLive, Some(stream.index), now, what, b"");
            }
        }
    }

    fn publish(&mut self) {
        let progress = &self.progress;
        progress.tried.store(self.tried, Ordering::Relaxed);
        progress.open.store(self.open, Ordering::Relaxed);
        progress.ticks.store(self.judge.measures.ticks, Ordering::Relaxed);
        progress.bytes.store(self.judge.measures.bytes, Ordering::Relaxed);
        progress.violations.store(self.judge.violations.total(), Ordering::Relaxed);
        progress.last_tick.store(self.judge.last_tick, Ordering::Relaxed);
        self.judge.is_measuring = self.tried >= self.streams.len() as u64;
    }

    /// Closes the second if it is over, or in any case at the end.
    fn second(&mut self, is_end: bool) {
        let elapsed = self.begun.elapsed();
        let since = self.seconds.last().map_or(0.0, |second| second.at);
        let length = elapsed.as_secs_f64() - since;
        if length < 1.0 && !(is_end && length > 0.2) {
            return;
        }
        let cpu = Process::own_thread().usage().map_or(self.before.0, |usage| usage.cpu);
        let measures = &self.judge.measures;
        let (cpu_before, ticks, bytes, holes) = self.before;
        let per_second = |count: u64| (count as f64 / length) as u64;
        self.seconds.push(Second {
            at: elapsed.as_secs_f64(),
            open: self.open,
            ticks: per_second(measures.ticks - ticks),
            bytes: per_second(measures.bytes - bytes),
            holes: per_second(measures.holes - holes),
            latency: self.judge.latency.percentiles(),
            age: self.judge.age.percentiles(),
            own_cpu: cpu.saturating_sub(cpu_before).as_secs_f64() / length,
        });
        self.before = (cpu, measures.ticks, measures.bytes, measures.holes);
        self.judge.latency.reset();
        self.judge.age.reset();
    }

    fn finish(mut self, truth: Option<&Truth>) -> Outcome {
        self.second(true);
        let now = unix_micros();
        let judge = &mut self.judge;
        for stream in self.streams.iter().filter(|stream| stream.phase == Phase::Open) {
            let kin = &self.kins[stream.kin];
            if kin.reads == Reads::Never {
                self.is_complete = false;
                continue;
            }
            let (witness, violations) = (&judge.witness, &mut judge.violations);
            judge_last(&stream.slots, stream.index, kin.wanted, truth, now, witness, violations);
        }
        Outcome {
            measures: self.judge.measures,
            violations: self.judge.violations,
            seconds: self.seconds,
            late_turns: self.late_turns,
            refusal: self.judge.refusal,
            is_complete: self.is_complete,
        }
    }
}

impl Kin {
    fn new(group: &Group) -> Self {
        Self {
            query: group.query.clone(),
            wanted: Wanted::of_query(&group.query),
            reads: group.reads,
            stay: (group.churn > 0.0).then(|| Duration::from_secs_f64(60.0 * 100.0 / group.churn)),
        }
    }
}
