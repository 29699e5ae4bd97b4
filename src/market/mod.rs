//! What a market says, and the latest that is known of it: pure values, no I/O and no clock.
//!
//! A venue's message becomes [`Update`]s; [`Snapshot::apply`] merges an update into the latest state of its symbol and
//! says which of its parts changed. Everything here is exact: a number is the number that came.

mod date;
mod decimal;
mod guard;
mod hours;
mod names;
mod new_york;
mod snapshot;
mod state;
mod symbol;
mod time;
mod update;

pub use date::{Date, DateError, Weekday};
pub use decimal::{Decimal, DecimalError};
pub use guard::Guards;
pub use hours::{Hours, Phase, Schedule};
pub use snapshot::{Applied, Kind, Origin, Quote, Snapshot, Stats, Trade};
pub use state::{Reason, State};
pub use symbol::{Symbol, SymbolError};
pub use time::{Now, UnixMicros};
pub use update::{
    Corrected, Correction, Field, Halt, Part, Parts, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow,
    StatusUpdate, TradeKey, TradeUpdate, TradingSession, Update,
};
