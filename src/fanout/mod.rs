//! Fan-out: ticks from the cache to streams, by worker threads that own their streams outright.
//!
//! Pull, not push: there is no queue per stream. A publisher marks a changed symbol for the workers that want it; a
//! worker finds in the symbol's ring what each of its streams still lacks, and writes that.

mod engine;
mod inbox;
mod thread;
mod worker;
mod roster;
mod symbols;
mod window;
mod stream;
mod cursors;
mod options;
mod pace;
mod schedule;
mod transport;
mod socket;
mod counts;
mod report;
mod review;

pub use counts::Counts;
pub use engine::{Announcer, Engine, Opening, Resume, WORKERS_MAX, Workers};
pub use inbox::Inbox;
pub use options::Options;
pub use pace::Wait;
pub use report::StreamMetrics;
pub use review::{Review, Reviewed, StreamReport};
pub use socket::Socket;
pub use stream::Missed;
pub use transport::{Close, Closed, Gone, Ready, Transport};
pub use worker::{Command, Worker, WorkerInbox, WorkerLimits};
