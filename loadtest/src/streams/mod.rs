//! The streams: thousands of clients on one thread, that read, observer and measure.
//!
//! One thread because a core must do, and because what one thread reads in turn needs no locks to be compared.

mod pool;
mod descriptors;
mod dial;
mod observer;
mod plan;
mod probe;
mod stream;
mod progress;
mod timers;
mod event_loop;

pub use descriptors::{TooFewDescriptors, need_descriptors};
pub use observer::Wire;
pub use plan::{Group, Popularity, Reads, plan};
pub use pool::{Control, Outcome, Progress, Setup, Stayed, StreamPool};
pub use probe::{ProbeError, probe};
