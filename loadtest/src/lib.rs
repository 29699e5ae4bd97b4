//! A load tester for tickfan and other servers of Server-Sent Events: a scriptable venue, and streams that check and
//! measure what they get.
//!
//! It shares no code with the gateway: its own reader of the wire cannot repeat the gateway's mistakes.

pub mod venue;
pub mod wire;
pub mod h2;
pub mod tls;
pub mod check;
pub mod measure;
pub mod streams;
pub mod scenario;
pub mod report;
pub mod compare;
pub mod limit;
pub mod run;
pub mod cli;
