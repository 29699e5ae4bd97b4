//! The steps of a reload: feeds that end, start, and start again.

use super::{
    GatewayError,
    feed_set::{FeedSet, State},
    outcomes::Outcomes,
    running_feed::RunningFeed,
    wiring::{Known, WiredTo, delay_line, wire_feed},
};
use crate::{
    admin::DebugFeed,
    cache::{Published, SymbolState},
    config::{self, Config, FeedStep},
    delay::LineChange,
    fanout::Announcer,
    feed::FeedState,
    ingest,
    market::{self, Now, Reason},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{sleep, timeout},
};
use tracing::error;

/// How long the restart of a feed waits for the other one of its pair, which has restarted before: a connect, and the
/// next prices of symbols that trade.
const OTHER_MAX: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl FeedSet {
    /// Takes a step of one feed.
    pub(super) async fn take(&self, state: &mut State, step: FeedStep, config: &Config) -> Result<(), GatewayError> {
        match step {
            FeedStep::End(feed) => self.end(state, &feed).await,
            FeedStep::Remove { feed, symbols } => self.remove(state, &feed, symbols).await,
            FeedStep::Restart(feed) => self.restart(state, &feed, config).await,
            FeedStep::Rekey(feed) => self.rekey(state, &feed, config).await,
            FeedStep::Failover(feed) => {
                limit_failover(state, &feed);
                Ok(())
            }
            FeedStep::Add { feed, symbols } => self.add_symbols(state, &feed, symbols).await,
            FeedStep::Tell => Ok(()),
            FeedStep::Start(feed) => self.start(state, &feed, None, config).await,
        }
    }

    /// Ends a feed.
    async fn end(&self, state: &mut State, name: &str) -> Result<(), GatewayError> {
        let Some(mut feed) = take_out(&mut state.feeds, name) else { return Ok(()) };
        feed.stop().await;
        self.tell_left(&feed);
        self.forget(state, &feed.config, feed.states()).await;
        Ok(())
    }

    /// Ends standbys whose primary does not run, as where its restart has failed: a standby publishes to the states of
    /// its primary, which are of no feed now. Without it, what is in force would not pass as a file.
    pub(super) async fn end_orphans(&self, state: &mut State, outcomes: &mut Outcomes) {
        for (name, primary) in orphans(&state.feeds) {
            let Some(mut feed) = take_out(&mut state.feeds, &name) else { continue };
            feed.stop().await;
            self.forget(state, &feed.config, feed.states()).await;
            // It may have spoken since its primary was taken away.
            ingest::removed(feed.states(), &mut self.announcer(), Now::read());
            outcomes.failed(&name, format!("its primary `{primary}` does not run"));
        }
    }

    /// A feed with these states runs no longer: streams on its symbols are told, and those of a standby are its
    /// primary's alone.
    pub(super) async fn forget(&self, state: &mut State, feed: &config::Feed, states: &[Arc<SymbolState>]) {
        if feed.standby.is_some() {
            let mut announcer = self.announcer();
            let now = Now::read();
            for symbol in states {
                announce(&mut announcer, symbol, symbol.remove_standby(now));
            }
            announcer.flush();
            return;
        }
        let late = self.late(feed, states);
        if feed.tier.line().is_some() {
            let end = LineChange::End(feed.name.as_str().into());
            let ended = state.delay.change(end, || self.announcer()).await;
            if let Err(error) = ended {
                error!(feed = feed.name, "its delay line goes on: {error}");
            }
        }
        self.retire(states);
        self.retire(&late);
    }

    /// Starts a feed; one that ran before, with the states that it keeps. Where that fails, it is as if it had ended.
    async fn start(
        &self,
        state: &mut State,
        feed: &config::Feed,
        kept: Option<&Known>,
        config: &Config,
    ) -> Result<(), GatewayError> {
        let on_demand = self.on_demand();
        let (cache, workers, limits, pace) = (&self.cache, &self.workers, &config.limits, &self.pace);
        let to = WiredTo { cache, workers, limits, pace, on_demand };
        let none = Known::new();
        let known = kept.unwrap_or(&none);
        let wired = wire_feed(feed, known, to)?;
        let states = wired.symbols.clone();
        let running = match RunningFeed::new(feed, wired) {
            Ok(running) => Ok(running),
            Err(error) => Err(error.into()),
        };
        let started = match running {
            Ok(running) => self.launch(state, running, kept).await,
            Err(error) => Err(error),
        };
        if started.is_err() {
            self.forget(state, feed, &states).await;
        }
        started
    }

    async fn launch(
        &self,
        state: &mut State,
        mut running: RunningFeed,
        kept: Option<&Known>,
    ) -> Result<(), GatewayError> {
        if let Some(timing) = state.timing {
            running.set_timing(timing);
        }
        let name = running.debug().name.clone();
        match kept {
            None => {
                if let Some(line) = delay_line(&running.config, running.states(), &self.cache)? {
                    ingest::readmitted(
                        &self.late(&running.config, running.states()),
                        &mut self.announcer(),
                        Now::read(),
                    );
                    state.delay.change(LineChange::Start(name, line), || self.announcer()).await?;
                }
            }
            Some(known) => {
                let is_new = |symbol: &&Arc<SymbolState>| !known.contains_key(symbol.symbol());
                let new: Vec<_> = running.states().iter().filter(is_new).cloned().collect();
                self.follow(state, &running.config, &new).await?;
            }
        }
        // Without a gateway that runs, nothing waits for the end of a feed.
        let died = state.died.clone().unwrap_or_else(|| mpsc::channel(1).0);
        running.launch(died)?;
        state.feeds.push(running);
        Ok(())
    }

    /// Ends the connections of a feed, and starts it with other settings.
    pub(super) async fn restart(
        &self,
        state: &mut State,
        feed: &config::Feed,
        config: &Config,
    ) -> Result<(), GatewayError> {
        are_back(others(&state.feeds, feed)).await;
        let Some(mut old) = take_out(&mut state.feeds, &feed.name) else {
            return self.start(state, feed, None, config).await;
        };
        old.stop().await;
        self.tell_left(&old);
        let source = old.debug().source();
        let live = live_symbols(old.debug());
        let is_elsewhere = old.config.venue != feed.venue
            || old.config.url != feed.url
            || old.config.playback != feed.playback
            || old.config.options != feed.options;
        // A server of our own begins its market again.
        let starts_over = is_elsewhere || feed.venue.local_server.is_some();
        let mut announcer = self.announcer();
        let now = Now::read();
        for symbol in old.states() {
            let publisher = symbol.through(None).of(source);
            let stale = if starts_over { publisher.start_over(now) } else { publisher.outage(Reason::Reconnect, now) };
            announce(&mut announcer, symbol, stale);
        }
        announcer.flush();
        let known = old.states().iter().map(|state| (state.symbol().clone(), state.clone())).collect();
        let started = self.start(state, feed, Some(&known), config).await;
        if started.is_err() {
            self.forget(state, &old.config, old.states()).await;
        }
        if let Some(again) = state.feeds.iter_mut().find(|running| running.config.name == feed.name) {
            again.live_before = live;
        }
        started
    }

    /// Tells streams on the states that a feed's list has lost: its connections may have spoken of them since. Those of
    /// a standby are its primary's.
    fn tell_left(&self, feed: &RunningFeed) {
        if feed.config.standby.is_none() {
            ingest::removed(feed.leaving(), &mut self.announcer(), Now::read());
        }
    }

    /// Gives a feed another key. One that has failed tries it at once: a venue that denies access is not asked again
    /// for minutes.
    async fn rekey(&self, state: &mut State, feed: &config::Feed, config: &Config) -> Result<(), GatewayError> {
        let running = state.feeds.iter_mut().find(|running| running.config.name == feed.name);
        let Some(running) = running else { return Ok(()) };
        running.key.set(feed.credentials.clone());
        let config::Feed { key_env, secret_env, credentials, .. } = feed.clone();
        running.config = config::Feed { key_env, secret_env, credentials, ..running.config.clone() };
        // Streams hold leases of a feed on demand, so it does not restart: its next attempt has the key.
        if running.debug().status.verdict() != FeedState::Failed || running.config.on_demand.is_some() {
            return Ok(());
        }
        let feed = running.config.clone();
        self.restart(state, &feed, config).await
    }

    /// Takes states out of the cache, and tells their streams.
    pub(super) fn retire(&self, states: &[Arc<SymbolState>]) {
        for state in states {
            self.cache.retire_state(state);
        }
        ingest::removed(states, &mut self.announcer(), Now::read());
    }

    /// The delayed states of these live ones that the feed's delay line feeds.
    pub(super) fn late(&self, feed: &config::Feed, states: &[Arc<SymbolState>]) -> Vec<Arc<SymbolState>> {
        if feed.tier.line().is_none() {
            return Vec::new();
        }
        let late = states.iter().filter_map(|state| self.cache.delayed(state.symbol()));
        late.filter(|late| *late.feed() == *feed.name).collect()
    }
}

/// The other feeds of the pairs of this one, and how many symbols each had live before this reload restarted it.
fn others(feeds: &[RunningFeed], feed: &config::Feed) -> Vec<(Arc<DebugFeed>, usize)> {
    let primary = |feed: &config::Feed| feed.standby.as_ref().map(|of| of.primary.clone());
    let own = primary(feed);
    let is_other = |other: &&RunningFeed| {
        own.as_ref() == Some(&other.config.name) || primary(&other.config).as_ref() == Some(&feed.name)
    };
    feeds.iter().filter(is_other).map(|other| (other.debug().clone(), other.live_before)).collect()
}

/// Waits until these feeds have as many symbols live as before: clients see one feed of a pair.
async fn are_back(feeds: Vec<(Arc<DebugFeed>, usize)>) {
    let are_back = async {
        while feeds.iter().any(|(feed, before)| live_symbols(feed) < *before) {
            sleep(LOOK_EVERY).await;
        }
    };
    // An error: quiet symbols are waited for no longer.
    let _ = timeout(OTHER_MAX, are_back).await;
}

/// How many of its symbols a feed has live, whether they are shown or not.
fn live_symbols(feed: &DebugFeed) -> usize {
    let source = feed.source();
    feed.symbols.iter().filter(|symbol| symbol.said_by(source).state() == market::State::Live).count()
}

/// Gives a standby other limits.
fn limit_failover(state: &mut State, feed: &config::Feed) {
    let running = state.feeds.iter_mut().find(|running| running.config.name == feed.name);
    if let (Some(running), Some(standby)) = (running, &feed.standby) {
        running.config.standby = Some(standby.clone());
        running.states().iter().for_each(|symbol| symbol.set_failover_limits(standby.limits));
    }
}

/// The standbys whose primary does not run, with its name.
fn orphans(feeds: &[RunningFeed]) -> Vec<(String, String)> {
    let primary = |feed: &RunningFeed| feed.config.standby.as_ref().map(|of| of.primary.clone());
    let pairs = feeds.iter().filter_map(|feed| Some((feed.config.name.clone(), primary(feed)?)));
    pairs.filter(|(_, primary)| feeds.iter().all(|feed| feed.config.name != *primary)).collect()
}

/// Takes a feed out of the list.
fn take_out(feeds: &mut Vec<RunningFeed>, name: &str) -> Option<RunningFeed> {
    let place = feeds.iter().position(|feed| feed.config.name == name)?;
    Some(feeds.remove(place))
}

fn announce(announcer: &mut Announcer, state: &Arc<SymbolState>, published: Published) {
    if let Published::Tick { interest } = published {
        announcer.add(state, interest);
    }
}
