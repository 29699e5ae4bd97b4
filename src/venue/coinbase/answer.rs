//! What an answer lists.

use super::Channel;
use crate::venue::{
    DecodeError,
    kit::raw::{Exact, Raw, Value},
};
use serde::Deserialize;
use std::{borrow::Cow, collections::HashSet};

/// An element of an answer's events.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Answer<'a> {
    subscriptions: Channels<'a>,
}

#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"), default)]
struct Channels<'a> {
    heartbeats: Exact<'a>,
    market_trades: Exact<'a>,
    ticker: Exact<'a>,
    status: Exact<'a>,
}

/// The names that an answer lists in each channel.
pub(super) struct Listed<'a>(Vec<(Channel, Vec<Cow<'a, str>>)>);

impl<'a> Listed<'a> {
    /// Reads the events of a frame.
    pub(super) fn read(events: Exact<'a>) -> Result<Self, DecodeError> {
        let mut lists = Vec::new();
        events.each(|answer: Answer<'a>| {
            let channels = answer.subscriptions;
            lists.extend([
                (Channel::Heartbeats, channels.heartbeats),
                (Channel::Trades, channels.market_trades),
                (Channel::Ticker, channels.ticker),
                (Channel::Status, channels.status),
            ]);
        })?;
        let names = |(channel, list): (Channel, Exact<'a>)| match list.texts() {
            Some(names) => Ok((channel, names)),
            None if matches!(list.raw(), Raw::Absent | Raw::Null) => Ok((channel, Vec::new())),
            None => Err(DecodeError::Shape),
        };
        lists.into_iter().map(names).collect::<Result<_, _>>().map(Self)
    }

    /// The names of a channel.
    pub(super) fn of(&self, channel: Channel) -> HashSet<&str> {
        let lists = self.0.iter().filter(|(listed, _)| *listed == channel);
        lists.flat_map(|(_, names)| names).map(|name| &**name).collect()
    }
}
