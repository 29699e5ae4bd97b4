//! How each protocol writes its updates.

use super::{
    alpaca,
    batch::{Batch, Entry, Update},
    binance, coinbase,
    protocol::Protocol,
};

impl Protocol {
    /// Writes an update: a message, or the element of an array that is one.
    pub(super) fn write(self, update: &Update<'_>, json: &mut String) {
        match self {
            Self::Binance => binance::write(update, json),
            Self::Alpaca => alpaca::write(update, json),
            Self::Coinbase => coinbase::write(update, json),
        }
    }

    /// The messages for a connection that wants some updates of a batch, in order.
    pub(super) fn messages(self, batch: &Batch, wants: impl Fn(&Entry) -> bool) -> Vec<String> {
        let wanted = batch.entries().iter().filter(|entry| wants(entry)).map(|entry| batch.json(entry));
        match self {
            Self::Binance | Self::Coinbase => wanted.map(str::to_owned).collect(),
            Self::Alpaca => alpaca::arrays(wanted),
        }
    }

    /// The next message of a connection that has sent so many.
    pub(super) fn framed(self, sent: &mut u64, message: String) -> String {
        let number = *sent;
        *sent += 1;
        if self == Self::Coinbase { coinbase::numbered(number, &message) } else { message }
    }
}
