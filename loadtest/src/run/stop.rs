//! The request to end a run early.

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag::register,
};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether a run is to end now.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// A request that SIGINT and SIGTERM make. From now on these signals no longer end the process by themselves: the
    /// run stops what it has started, and reports the results so far.
    ///
    /// # Errors
    /// The system cannot register a signal handler.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            register(signal, stop.0.clone())?;
        }
        Ok(stop)
    }

    /// Whether the run is to end now.
    pub fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
