//! The streams as a run holds them: started, told, watched and ended.

use super::{Group, Wire, event_loop::EventLoop};
use crate::{
    check::{VenueState, Violations},
    measure::{Second, StreamMeasures},
    venue::History,
};
use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64},
        mpsc,
    },
    thread::JoinHandle,
    time::Duration,
};

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
    /// What its venue sent lately, where the server has never heard another.
    pub history: Option<Arc<History>>,
}

/// What the thread is told.
#[derive(Debug)]
pub enum Control {
    /// The venue is cut off for long enough: whatever is shown as live now is a violation.
    NothingIsLive,
    /// The load has ended: slow readers read at once, nobody leaves any more.
    CatchUp,
    /// End. If all has come, the last states are judged by what the venue sent last.
    Finish(Option<VenueState>),
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
    /// When the load ended, in µs since 1970, or 0: what the server receives later is checked, but not measured.
    pub load_ended: AtomicI64,
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
    /// EventLoop of the loop in which what was read may have waited for us.
    pub late_turns: u64,
    /// What the first server said that did not open a stream.
    pub refusal: Option<String>,
    /// The streams that stayed from their first connection to the end, and have read all.
    pub stayed: Vec<Stayed>,
    /// No stream left anything unread: holes can be compared exactly.
    pub is_complete: bool,
}

/// A stream that stayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stayed {
    /// Its number.
    pub stream: u32,
    /// The server's name of it.
    pub name: Box<str>,
    /// Ticks that were left out of it.
    pub holes: u64,
}

/// The running streams.
#[derive(Debug)]
pub struct StreamPool {
    /// How far they are.
    pub progress: Arc<Progress>,
    control: mpsc::Sender<Control>,
    thread: JoinHandle<io::Result<Outcome>>,
}

impl StreamPool {
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
            .spawn(move || EventLoop::new(&setup, shared, commands)?.run())?;
        Ok(Self { progress, control, thread })
    }

    /// Tells the streams something.
    pub fn send(&self, command: Control) {
        // If the thread is gone, its end says why.
        let _ = self.control.send(command);
    }

    /// Whether they still run; if not, [`StreamPool::finish`] tells why.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the streams.
    ///
    /// # Errors
    /// What the system says where the thread could not go on.
    pub fn finish(self, venue_state: Option<VenueState>) -> io::Result<Outcome> {
        self.send(Control::Finish(venue_state));
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the streams' thread has died")))
    }
}
