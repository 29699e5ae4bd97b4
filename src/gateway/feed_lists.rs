//! How the lists of feeds change while they run.

use super::{
    GatewayError,
    feed_set::{FeedSet, State},
    outcomes::Outcomes,
    running_feed::RunningFeed,
    wiring::{Known, followed, list, stand_in},
};
use crate::{
    cache::SymbolState,
    config::{self, Config},
    delay::LineChange,
    feed::ListChange,
    ingest,
    market::{Now, Symbol},
    venue::ListedSymbol,
};
use futures_util::future::join_all;
use std::{collections::HashSet, sync::Arc};
use tracing::{error, warn};

impl FeedSet {
    /// Removes symbols of a living feed.
    pub(super) async fn remove(&self, state: &mut State, name: &str, symbols: Vec<Symbol>) -> Result<(), GatewayError> {
        let gone: HashSet<Symbol> = symbols.into_iter().collect();
        let Some(feed) = state.feeds.iter_mut().find(|feed| feed.config.name == name) else { return Ok(()) };
        let (removed, kept): (Vec<_>, Vec<_>) =
            feed.states().iter().cloned().partition(|state| gone.contains(state.symbol()));
        feed.list(removed.iter().map(|state| ListChange::Remove(state.symbol().clone())), kept);
        feed.leave(&removed);
        feed.config.symbols.retain(|listed| !gone.contains(&listed.symbol));
        if feed.config.standby.is_some() {
            let settings = feed.config.clone();
            self.forget(state, &settings, &removed).await;
            return Ok(());
        }
        let late = self.late(&feed.config, &removed);
        if !late.is_empty() {
            let change = LineChange::Leave(feed.debug().name.clone(), gone);
            // A line that goes on shows no more than it knows: the live states change no longer.
            if let Err(error) = state.delay.change(change, || self.announcer()).await {
                error!(feed = name, "its delay line still has symbols that are removed: {error}");
            }
        }
        self.retire(&removed);
        self.retire(&late);
        Ok(())
    }

    /// Adds symbols to a living feed.
    pub(super) async fn add_symbols(
        &self,
        state: &mut State,
        name: &str,
        symbols: Vec<ListedSymbol>,
    ) -> Result<(), GatewayError> {
        let Some(feed) = state.feeds.iter().find(|feed| feed.config.name == name) else { return Ok(()) };
        let settings = feed.config.clone();
        let (none, now) = (Known::new(), Now::read());
        let added = match (&settings.standby, &feed.debug().standby_for) {
            (Some(standby), Some((_, counts))) => {
                stand_in(&settings, standby, &symbols, &none, counts, &self.cache, now)?
            }
            _ => list(&settings, &symbols, &none, &self.cache, self.on_demand(), now)?,
        };
        if let Err(error) = self.follow(state, &settings, &added).await {
            self.retire(&self.late(&settings, &added));
            self.retire(&added);
            return Err(error);
        }
        let Some(feed) = state.feeds.iter_mut().find(|feed| feed.config.name == name) else { return Ok(()) };
        let add = |(symbol, target): (&ListedSymbol, &Arc<SymbolState>)| ListChange::Add {
            symbol: symbol.clone(),
            target: target.clone(),
        };
        let states = feed.states().iter().chain(&added).cloned().collect();
        feed.list(symbols.iter().zip(&added).map(add), states);
        feed.config.symbols.extend(symbols);
        Ok(())
    }

    /// Tells feeds of the changes of their lists, all at the same time. One that does not take them, as it has died or
    /// hangs, restarts: with the list that it has by now, which later steps change.
    pub(super) async fn tell(&self, state: &mut State, config: &Config, outcomes: &mut Outcomes) {
        let told = join_all(state.feeds.iter_mut().map(RunningFeed::flush)).await;
        let settings = |feed: &RunningFeed| {
            let settings = config.feeds.iter().find(|now| now.name == feed.config.name);
            match settings.filter(|_| !outcomes.has_failed(&feed.config.name)) {
                Some(settings) => config::Feed { symbols: feed.config.symbols.clone(), ..settings.clone() },
                None => feed.config.clone(),
            }
        };
        let untold = state.feeds.iter().zip(told).filter(|(_, is_told)| !is_told);
        let hang: Vec<_> = untold.map(|(feed, _)| settings(feed)).collect();
        for feed in hang {
            warn!(feed = feed.name, "the feed does not take the changes of its list, and restarts");
            match self.restart(state, &feed, config).await {
                Ok(()) => outcomes.done(&feed.name, "restarted".to_owned()),
                Err(error) => outcomes.failed(&feed.name, error.to_string()),
            }
        }
    }

    /// Follows live states by the delay line of their feed, if it has one.
    pub(super) async fn follow(
        &self,
        state: &mut State,
        feed: &config::Feed,
        states: &[Arc<SymbolState>],
    ) -> Result<(), GatewayError> {
        let Some(line) = feed.tier.line() else { return Ok(()) };
        let symbols = followed(feed, line, states, &self.cache)?;
        // They may be taken back. What they show next has its delay before it.
        ingest::readmitted(&self.late(feed, states), &mut self.announcer(), Now::read());
        let change = LineChange::Follow(feed.name.as_str().into(), symbols);
        Ok(state.delay.change(change, || self.announcer()).await?)
    }
}
