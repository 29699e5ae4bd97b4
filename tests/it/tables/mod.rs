//! The parts of documents that follow from a table in the code: the fields of a tick, the metrics and the venues.
//!
//! `TICKFAN_BLESS=1 cargo test --test it tables` writes them.

mod document;
mod metrics;
mod tick_fields;
mod venues;
