//! The feeds of a gateway, which a reload changes one by one.
//!
//! What can fail is checked before the first step. A step that fails in spite of it, as where the system refuses a
//! thread, is told, and the others are taken: nothing would be won by a return to the old feeds.

use super::{
    GatewayError,
    delay::DelayTask,
    outcomes::Outcomes,
    running_feed::{Died, RunningFeed},
    wiring::{delay_line, reserved},
};
use crate::{
    admin::LiveFeeds,
    cache::Cache,
    config::{self, Config, FailedFeed, FeedStep, ReloadError},
    delay::LineChange,
    demand::OnDemand,
    fanout::{Announcer, WorkerPool},
    feed::{AccountPace, Feed, Timing},
    limits::{self, Permit, Permits},
    market::Now,
};
use std::{
    io,
    sync::{Arc, OnceLock, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Mutex, watch},
    time::sleep,
};

/// How long the step that a reload has begun may still take when the gateway stops: the last bytes of a recording. The
/// stop leaves feeds little more.
const STEP_MAX_AT_STOP: Duration = Duration::from_millis(500);
const STOPS: &str = "the gateway stops";

/// The feeds of a gateway.
pub(super) struct FeedSet {
    pub(super) cache: Arc<Cache>,
    pub(super) workers: Arc<WorkerPool>,
    permits: Permits,
    /// Of requests to the venues, whose accounts several feeds may share.
    pub(super) pace: AccountPace,
    /// The same feeds, for those who look at them.
    shown: LiveFeeds,
    /// What feeds that came later have of the descriptors that the start gave to streams.
    taken: std::sync::Mutex<Option<Permit<limits::Stream>>>,
    /// Whether they may change: not in a cluster, whose nodes have the same ones.
    may_change: bool,
    /// Where streams ask for symbols of feeds, if any is on demand.
    on_demand: OnceLock<Arc<OnDemand>>,
    /// Turns true at the stop: then no feed starts any more.
    closing: watch::Sender<bool>,
    /// Reloads take turns, and the stop waits for the one that changes it.
    state: Mutex<State>,
}

/// When the feeds are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// Between two steps.
    Meanwhile,
    InTheEnd,
}

/// What changes.
#[derive(Default)]
pub(super) struct State {
    pub(super) feeds: Vec<RunningFeed>,
    pub(super) delay: DelayTask,
    /// The lines of the start.
    lines: Vec<LineChange>,
    pub(super) timing: Option<Timing>,
    /// Takes the ends of feeds, from the run on.
    pub(super) died: Option<Died>,
}

impl FeedSet {
    /// No feeds yet.
    pub(super) fn new(cache: Arc<Cache>, workers: Arc<WorkerPool>, permits: Permits, may_change: bool) -> Self {
        Self {
            cache,
            workers,
            permits,
            pace: AccountPace::default(),
            shown: LiveFeeds::default(),
            may_change,
            taken: std::sync::Mutex::default(),
            on_demand: OnceLock::new(),
            closing: watch::Sender::new(false),
            state: Mutex::default(),
        }
    }

    /// The feeds, for those who look at them.
    pub(super) fn shown(&self) -> &LiveFeeds {
        &self.shown
    }

    /// Takes a feed of the start, which begins with [`run`](Self::run).
    pub(super) fn add(&mut self, feed: RunningFeed) -> Result<(), GatewayError> {
        let line = delay_line(&feed.config, feed.states(), &self.cache)?;
        let state = self.state.get_mut();
        state.lines.extend(line.map(|line| LineChange::Start(feed.debug().name.clone(), line)));
        state.feeds.push(feed);
        self.shown.replace(state.feeds.iter().map(|feed| feed.debug().clone()).collect());
        Ok(())
    }

    /// Some feeds subscribe on demand.
    pub(super) fn set_on_demand(&self, on_demand: &Arc<OnDemand>) {
        self.shown.set_on_demand(on_demand);
        let _ = self.on_demand.set(on_demand.clone()); // at the start, once
    }

    /// Where streams ask for symbols of feeds, if any is on demand.
    pub(super) fn on_demand(&self) -> Option<&OnDemand> {
        self.on_demand.get().map(|on_demand| &**on_demand)
    }

    /// Gives all feeds other waits, before they begin.
    pub(super) fn set_timing(&self, timing: Timing) {
        let mut state = self.state.try_lock().expect("nothing runs yet");
        state.feeds.iter_mut().for_each(|feed| feed.set_timing(timing));
        state.timing = Some(timing);
    }

    /// Begins all feeds. The end of one of them is told to `died`, also of one that comes later.
    ///
    /// # Errors
    /// The system refuses a thread for the delay lines, or what a feed needs.
    pub(super) async fn run(&self, died: Died) -> io::Result<()> {
        let mut state = self.state.lock().await;
        state.died = Some(died.clone());
        for line in std::mem::take(&mut state.lines) {
            state.delay.change(line, || self.announcer()).await?;
        }
        state.feeds.iter_mut().try_for_each(|feed| feed.launch(died.clone()))
    }

    /// Ends all feeds, and waits for their ends.
    pub(super) async fn stop(&self) {
        self.closing.send_replace(true);
        let mut state = self.state.lock().await;
        state.feeds.iter().for_each(RunningFeed::ask_to_stop);
        for feed in &mut state.feeds {
            feed.stop().await;
        }
        state.delay.stop().await;
    }

    /// Ends all feeds without waiting for their ends. A reload that changes one of them drops it by itself.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
        if let Ok(mut state) = self.state.try_lock() {
            *state = State::default();
        }
    }

    /// Whether the gateway can run these feeds in place of its own, and else why not.
    pub(super) fn may_run(&self, config: &Config, feeds: &[config::Feed]) -> Result<(), String> {
        if !self.may_change {
            return Err("the nodes of a cluster have the same feeds".to_owned());
        }
        if *self.closing.borrow() {
            return Err(STOPS.to_owned());
        }
        self.make_room(config, feeds, true)
    }

    /// Takes the descriptors of further feeds from those of streams, or gives them back. While the file changes, it may
    /// only take more.
    fn make_room(&self, config: &Config, feeds: &[config::Feed], may_take: bool) -> Result<(), String> {
        let Permits { streams, connections, waiting, .. } = &self.permits;
        let descriptors = limits::raise_descriptors().now;
        let clients = (streams.limit() + connections.limit() + waiting) as u64;
        let missing = (reserved(config, feeds) + clients).saturating_sub(descriptors);
        let missing = usize::try_from(missing).unwrap_or(usize::MAX);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = match &mut *taken {
            Some(taken) => (may_take && missing <= taken.count()) || taken.resize(missing),
            None if missing == 0 => true,
            none => {
                *none = streams.try_acquire_many(missing);
                none.is_some()
            }
        };
        if has_room { Ok(()) } else { Err(format!("the limit of {descriptors} open files is too low for it")) }
    }

    /// Checks that feeds fit their venues.
    ///
    /// # Errors
    /// [`ReloadError::Venue`].
    pub(super) fn check(config: &Config) -> Result<(), ReloadError> {
        let now = Now::read();
        for feed in &config.feeds {
            let wrong =
                |why: &dyn std::fmt::Display| ReloadError::Venue { feed: feed.name.clone(), why: why.to_string() };
            Feed::new(feed, &config.limits, now).map_err(|error| wrong(&error))?;
        }
        Ok(())
    }

    /// Takes the steps to the feeds of `config`, one after another. Returns the feeds that could not be changed. At the
    /// stop of the gateway the others are left.
    ///
    /// # Cancel safety
    /// None: a feed may have ended and not have started again. It runs in a task of its own.
    pub(super) async fn apply(&self, steps: Vec<FeedStep>, config: &Config) -> Vec<FailedFeed> {
        let feed = |step: &FeedStep| step.feed().map(str::to_owned);
        let feeds: Vec<_> = steps.iter().map(feed).collect();
        let mut outcomes = Outcomes::default();
        let mut closing = self.closing.subscribe();
        let mut state = self.state.lock().await;
        let stops = async {
            // An error: the set is gone.
            let _ = closing.wait_for(|closing| *closing).await;
            sleep(STEP_MAX_AT_STOP).await;
        };
        tokio::select! {
            () = self.take_all(&mut state, steps, config, &mut outcomes) => {}
            () = stops => {}
        }
        for feed in feeds.iter().skip(outcomes.taken).flatten() {
            outcomes.failed(feed, STOPS.to_owned());
        }
        outcomes.into_failed()
    }

    async fn take_all(&self, state: &mut State, mut steps: Vec<FeedStep>, config: &Config, outcomes: &mut Outcomes) {
        hidden_first(&mut steps, &state.feeds);
        for step in steps {
            match step.feed().map(str::to_owned) {
                Some(feed) if *self.closing.borrow() => outcomes.failed(&feed, STOPS.to_owned()),
                Some(feed) => {
                    let what = step.what();
                    match self.take(state, step, config).await {
                        Ok(()) => outcomes.done(&feed, what),
                        Err(error) => outcomes.failed(&feed, error.to_string()),
                    }
                }
                None => self.tell(state, config, outcomes).await,
            }
            self.end_orphans(state, outcomes).await;
            outcomes.taken += 1;
            self.show(state, config, Shows::Meanwhile);
        }
        self.show(state, config, Shows::InTheEnd);
        // Fewer are always free.
        let _ = self.make_room(config, &config.feeds, false);
        for running in &mut state.feeds {
            running.live_before = 0;
            if let Some(now) = config.feeds.iter().find(|now| now.name == running.config.name)
                && !outcomes.has_failed(&running.config.name)
            {
                running.config.clone_from(now);
            }
        }
    }

    /// The feeds that run, in the order of the configuration: those of a step that failed have their former settings.
    pub(super) async fn in_force(&self, config: &Config) -> Vec<config::Feed> {
        let state = self.state.lock().await;
        let running = |name: &str| state.feeds.iter().find(|running| running.config.name == name);
        config.feeds.iter().filter_map(|feed| Some(running(&feed.name)?.config.clone())).collect()
    }

    /// Shows the feeds to those who look, in the order of the configuration.
    fn show(&self, state: &State, config: &Config, when: Shows) {
        // One that ends before another starts does not leave the gateway without feeds: it would not be ready.
        if when == Shows::Meanwhile && state.feeds.is_empty() {
            return;
        }
        let place = |name: &str| config.feeds.iter().position(|feed| feed.name == name).unwrap_or(usize::MAX);
        let mut feeds: Vec<_> = state.feeds.iter().map(|feed| feed.debug().clone()).collect();
        feeds.sort_by_key(|feed| place(&feed.name));
        self.shown.replace(feeds);
    }

    pub(super) fn announcer(&self) -> Announcer {
        Announcer::new(self.workers.clone())
    }
}

/// Where both feeds of a pair restart, the standby does so first: unless most of its symbols show it.
fn hidden_first(steps: &mut [FeedStep], feeds: &[RunningFeed]) {
    let is_shown = |name: &str| {
        let standby = feeds.iter().find(|feed| feed.config.name == name).map(RunningFeed::debug);
        standby.is_some_and(|standby| 2 * standby.active_symbols() > standby.symbols.len())
    };
    let restarted = |step: &FeedStep| if let FeedStep::Restart(feed) = step { Some(feed.clone()) } else { None };
    for first in 0..steps.len() {
        let Some(standby) = restarted(&steps[first]) else { continue };
        let Some(of) = standby.standby.as_ref().filter(|_| is_shown(&standby.name)) else { continue };
        let is_primary = |step: &FeedStep| restarted(step).is_some_and(|feed| feed.name == of.primary);
        if let Some(later) = steps[first..].iter().position(is_primary) {
            steps.swap(first, first + later);
        }
    }
}

#[cfg(test)]
impl FeedSet {
    /// Holds up the steps of reloads, until what it returns is dropped.
    pub(super) async fn hold(&self) -> impl Drop + '_ {
        self.state.lock().await
    }

    /// Where a feed runs.
    pub(super) fn runtime_of(&self, place: usize) -> tokio::runtime::Handle {
        self.state.try_lock().unwrap().feeds[place].runtime().clone()
    }

    /// Where the delay lines run, once there are any.
    pub(super) fn runtime_of_delay(&self) -> tokio::runtime::Handle {
        self.state.try_lock().unwrap().delay.runtime().unwrap().clone()
    }

    /// The way of changes to the delay lines is another one, as [`DelayTask::replace_way`] has it.
    pub(super) fn replace_way_to_delay(
        &self,
        way: tokio::sync::mpsc::Sender<super::delay::Asked>,
    ) -> tokio::sync::mpsc::Sender<super::delay::Asked> {
        self.state.try_lock().unwrap().delay.replace_way(way)
    }

    /// Begins the delay lines before the feeds.
    pub(super) async fn begin_delay(&self) {
        let mut state = self.state.lock().await;
        for line in std::mem::take(&mut state.lines) {
            state.delay.change(line, || self.announcer()).await.unwrap();
        }
    }
}

#[cfg(test)]
#[path = "feed_set_tests.rs"]
mod tests;
