//! A handle to the running streams.

use super::{
    control::{Control, Progress},
    event_loop::EventLoop,
    outcome::Outcome,
    setup::Setup,
};
use crate::check::VenueState;
use std::{
    io,
    sync::{Arc, mpsc},
    thread::JoinHandle,
    time::Instant,
};

/// The running streams.
#[derive(Debug)]
pub struct StreamPool {
    /// Their progress.
    pub progress: Arc<Progress>,
    control: mpsc::Sender<Control>,
    thread: JoinHandle<io::Result<Outcome>>,
}

impl StreamPool {
    /// Starts the thread of the streams, whose timeline counts since `begun`.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub fn start(setup: Setup, begun: Instant) -> io::Result<Self> {
        let progress = Arc::new(Progress::default());
        let (control, commands) = mpsc::channel();
        let shared = progress.clone();
        let thread = std::thread::Builder::new()
            .name("streams".to_owned())
            .spawn(move || EventLoop::new(&setup, begun, shared, commands)?.run())?;
        Ok(Self { progress, control, thread })
    }

    /// Sends the thread a command.
    pub fn send(&self, command: Control) {
        // It fails if the thread has ended; `finish` then returns why.
        let _ = self.control.send(command);
    }

    /// Whether the thread still runs; if not, [`StreamPool::finish`] returns why.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Ends the streams and returns their results.
    ///
    /// # Errors
    /// The error that ended the thread early.
    pub fn finish(self, venue_state: Option<VenueState>) -> io::Result<Outcome> {
        self.send(Control::Finish(venue_state));
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the streams' thread has panicked")))
    }
}
