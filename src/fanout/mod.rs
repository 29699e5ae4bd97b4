//! Fan-out: ticks from the cache to streams, by worker threads that own their streams outright.
//!
//! Pull, not push: there is no queue per stream. A publisher marks a changed symbol for the workers that want it; a
//! worker finds in the symbol's ring what each of its streams still lacks, and writes that.

mod pool;
mod inbox;
mod thread;
mod worker;
mod stream_table;
mod symbols;
mod recent_ticks;
mod stream;
mod cursors;
mod options;
mod pace;
mod schedule;
mod transport;
mod socket;
mod counts;
mod metrics;
mod slowest;

pub use counts::Counts;
pub use inbox::Inbox;
pub use metrics::StreamMetrics;
pub use options::Options;
pub use pace::Wait;
pub use pool::{Announcer, NewStream, Resume, WORKERS_MAX, WorkerPool, WorkerThreads};
pub use slowest::{SlowestQuery, SlowestStreams, StreamReport};
pub use socket::Socket;
pub use stream::Missed;
pub use transport::{CloseMode, CloseReason, Ready, Transport, TransportError};
pub use worker::{Command, Worker, WorkerInbox, WorkerLimits};
