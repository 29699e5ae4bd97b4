//! Fan-out: ticks from the cache to streams, by worker threads that own their streams outright.
//!
//! Pull, not push: there is no queue per stream. A publisher marks a changed symbol for the workers that want it; a
//! worker finds in the symbol's ring what each of its streams still lacks, and writes that.

mod engine;

pub use engine::{Engine, Opening};
