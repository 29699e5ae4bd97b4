//! The streams: thousands of clients on one thread, that read, judge and measure.
//!
//! One thread because a core must do, and because what one thread reads in turn needs no locks to be compared.

mod crowd;
mod descriptors;
mod dial;
mod judge;
mod plan;
mod probe;
mod stream;
mod tally;
mod timers;
mod turns;

pub use crowd::{Control, Crowd, Outcome, Progress, Setup, Stayed};
pub use descriptors::{TooFewDescriptors, need_descriptors};
pub use judge::Wire;
pub use plan::{Group, Popularity, Reads, plan};
pub use probe::{ProbeError, probe};
