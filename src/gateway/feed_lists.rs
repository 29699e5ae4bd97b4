//! How the lists of feeds change while they run.

use super::{
    GatewayError,
    feed_set::{FeedSet, State},
    running_feed::RunningFeed,
    wiring::{Known, followed, register},
};
use crate::{
    cache::SymbolState,
    config::{self, Config, FeedTier},
    delay::LineChange,
    feed::ListChange,
    ingest,
    market::{Now, Symbol, Tier},
    venue::ListedSymbol,
};
use futures_util::future::join_all;
use std::{collections::HashSet, sync::Arc};
use tracing::warn;

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
        let late = self.late(&feed.config, &removed);
        let mut left = Ok(());
        if !late.is_empty() {
            let change = LineChange::Leave(feed.debug().name.clone(), gone);
            left = state.delay.change(change, || self.announcer()).await;
        }
        self.retire(&removed);
        self.retire(&late);
        Ok(left?)
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
        let register = || Ok(register(&settings, &symbols, &Known::new(), &self.cache, None, Now::read())?);
        let added = self.give_way(&symbols, settings.tier, register)?;
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

    /// Registers live symbols that streams may have on demand: from now on they are of the feed that lists them.
    pub(super) fn give_way<T>(
        &self,
        symbols: &[ListedSymbol],
        tier: FeedTier,
        register: impl FnOnce() -> Result<T, GatewayError>,
    ) -> Result<T, GatewayError> {
        match self.on_demand() {
            Some(on_demand) if tier.tiers().contains(&Tier::Live) => {
                on_demand.give_way(symbols.iter().map(|listed| &listed.symbol), Now::read(), register)
            }
            _ => register(),
        }
    }

    /// Tells feeds of the changes of their lists, all at the same time. One that does not take them, as it has died or
    /// hangs, restarts; returns how that went.
    pub(super) async fn tell(&self, state: &mut State, config: &Config) -> Vec<(String, Result<(), String>)> {
        let told = join_all(state.feeds.iter_mut().map(RunningFeed::flush)).await;
        let settings = |feed: &RunningFeed| {
            let settings = config.feeds.iter().find(|now| now.name == feed.config.name);
            settings.unwrap_or(&feed.config).clone()
        };
        let untold = state.feeds.iter().zip(told).filter(|(_, is_told)| !is_told);
        let hang: Vec<_> = untold.map(|(feed, _)| settings(feed)).collect();
        let mut restarted = Vec::new();
        for feed in hang {
            warn!(feed = feed.name, "the feed does not take the changes of its list, and restarts");
            let outcome = self.restart(state, &feed, config).await.map_err(|error| error.to_string());
            restarted.push((feed.name, outcome));
        }
        restarted
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
