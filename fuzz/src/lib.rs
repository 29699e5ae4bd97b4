//! What the fuzz targets share. The files of this folder are modules of `tests/it/venues/corpus.rs` and of `tests/it/h2/`,
//! too, which read the corpus on every run of the tests.

pub mod allocations;
pub mod http2;
pub mod reading;
pub mod requests;
