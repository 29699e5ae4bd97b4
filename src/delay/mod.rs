//! Delay lines: they show the live prices of a feed again some time later, to clients whose rights to them are delayed.
//!
//! A line notes the newest tick of each symbol that has changed, every `delay_step`, and shows it in the symbol's
//! delayed state once it is as old as the delay. A state that is stale, halted, closed or refused is shown as late as a
//! price.
//! Nothing on the way of a live tick knows of it: the line looks at the live states by itself.
//!
//! Pure: the time is passed in. The gateway calls [`DelayLines::turn`] again and again.

mod metrics;
mod round;
mod line;
mod lines;
#[cfg(test)]
mod world_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod event_tests;
#[cfg(test)]
mod change_tests;

pub use line::{Followed, Line};
pub use lines::{DelayLines, LineChange};
pub use metrics::DelayMetrics;
