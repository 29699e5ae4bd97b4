//! Whether a run was asked to end before its time.

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

/// Whether the run is to end now; by default nobody asks.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on SIGINT and SIGTERM ask for the end, and end nothing by themselves: what was started is stopped in order, and
    /// the results so far are told.
    ///
    /// # Errors
    /// The system refuses it.
    pub fn on_signals() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM] {
            register(signal, stop.0.clone())?;
        }
        Ok(stop)
    }

    /// Whether somebody has asked.
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
