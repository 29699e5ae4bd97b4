//! A load tester for tickfan, and what it is made of: a venue that does as it is told, and streams that check what they get.
//!
//! It knows nothing of the gateway's code, so that it cannot share its mistakes: the wire is read anew here.

pub mod venue;
pub mod wire;
pub mod check;
pub mod measure;
pub mod streams;
pub mod scenario;
pub mod report;
pub mod run;
pub mod cli;
