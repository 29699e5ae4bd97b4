//! Why bytes of a venue were dropped.

use crate::telemetry::labels::labels;

labels! {
    /// Label `reason` of `tickfan_feed_decode_errors_total`: why a venue's message, or a field of it, was dropped.
    pub enum DecodeError {
        /// The message is not JSON, or cut off.
        Json = "json",
        /// The message is JSON, but not built as the protocol says.
        Shape = "shape",
        /// The message is of a symbol that was not asked for.
        UnknownSymbol = "unknown_symbol",
        /// The message is of a symbol that was asked for, and is listed no longer: it was on its way.
        RemovedSymbol = "removed_symbol",
        /// A field that such a message always has is missing.
        Missing = "missing",
        /// A field is not a number.
        Number = "number",
        /// A field is a number that does not fit exactly.
        Range = "range",
        /// A price is zero or below.
        Price = "price",
        /// A field is not a time.
        Time = "time",
        /// A field is none of the words that it can be.
        Word = "word",
    }
}

impl std::error::Error for DecodeError {}
