//! A product of the channel `status`.

use crate::{
    market::{Facts, FeedSymbol},
    telemetry::labels::Tally,
    venue::{
        DecodeError,
        kit::{
            Names, facts,
            raw::{Exact, Value},
        },
    },
};
use serde::Deserialize;

/// A product, whether it trades, and the steps of its prices and sizes.
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), default)]
pub(super) struct Product<'a> {
    id: Exact<'a>,
    status: Exact<'a>,
    quote_currency: Exact<'a>,
    quote_increment: Exact<'a>,
    base_increment: Exact<'a>,
}

impl Product<'_> {
    /// What it says besides prices.
    pub(super) fn facts(&self, errors: &mut Tally<DecodeError>) -> Facts {
        Facts {
            currency: facts::currency(self.quote_currency, errors),
            price_digits: facts::digits_of_increment(self.quote_increment, errors),
            size_digits: facts::digits_of_increment(self.base_increment, errors),
            ..Facts::default()
        }
    }

    /// Its symbol, and whether it is online.
    ///
    /// # Errors
    /// It is of no symbol of this connection, or cannot be read.
    pub(super) fn status(&self, names: &Names) -> Result<(FeedSymbol, bool), DecodeError> {
        let id = self.id.text().ok_or(DecodeError::Shape)?;
        let in_usd = super::data_name(&id);
        let symbol = names.data_of(in_usd.as_deref().unwrap_or(&id))?;
        if in_usd.is_some() && names.of(symbol) != id {
            // A book that was asked for in USD has a product of its own.
            return Err(DecodeError::UnknownSymbol);
        }
        match &*self.status.text().ok_or(DecodeError::Missing)? {
            "" => Err(DecodeError::Word),
            status => Ok((symbol, status == "online")),
        }
    }
}
