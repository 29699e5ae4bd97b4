//! What a market says, and the latest that is known of it: pure values, no I/O and no clock.
//!
//! A venue's message becomes [`Update`]s; [`Quote::apply`] merges an update into the latest state of its symbol and
//! says which of its parts changed. Everything here is exact: a number is the number that came.

mod decimal;
mod quote;
mod symbol;
mod time;
mod update;

pub use decimal::{Decimal, DecimalError};
pub use quote::{Applied, Book, Guards, Kind, Origin, Quote, Reason, State, Stats, Trade};
pub use symbol::{Symbol, SymbolError};
pub use time::{Now, UnixMicros};
pub use update::{BookUpdate, Field, Order, Part, Parts, Side, StatsUpdate, TradeUpdate, Update, Window};
