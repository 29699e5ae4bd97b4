//! Compares two reports, figure by figure. It refuses reports of different loads, and warns where machines differ.

mod figures;
mod report;
mod compared;
mod merged;

pub use compared::{Compared, Figure, Options, Result, compare};
pub use merged::merge;
pub use report::{Report, ReportError};
