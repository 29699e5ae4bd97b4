//! What a market says, and the latest that is known of it: pure values, no I/O and no clock.
//!
//! A venue's message becomes [`Update`]s; [`Quote::apply`] merges an update into the latest state of its symbol and
//! says which of its parts changed. Everything here is exact: a number is the number that came.

mod date;
mod decimal;
mod guard;
mod hours;
mod new_york;
mod quote;
mod state;
mod symbol;
mod time;
mod update;

pub use date::{Date, DateError, Weekday};
pub use decimal::{Decimal, DecimalError};
pub use guard::Guards;
pub use hours::{Hours, Phase, Schedule};
pub use quote::{Applied, Book, Kind, Origin, Quote, Stats, Trade};
pub use state::{Reason, State};
pub use symbol::{Symbol, SymbolError};
pub use time::{Now, UnixMicros};
pub use update::{
    BookUpdate, Corrected, Correction, Field, Halt, Order, Part, Parts, Session, Side, StatsUpdate, StatusUpdate,
    TradeKey, TradeUpdate, Update, Window,
};
