//! Serves until the stop, then stops in order.

use super::{
    Gateway, GatewayError, Reloader,
    cluster::RunNode,
    feed_set::FeedSet,
    history,
    runtimes::{Background, Runtimes},
};
use crate::{
    access::SignOn,
    admin, api,
    cache::Cache,
    demand::OnDemand,
    fanout::WorkerThreads,
    history::History,
    limits::{self, HeapTrim, Permits},
    market::Now,
};
use std::{
    error::Error,
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, timeout_at},
};
use tracing::{debug, info, warn};

/// How much longer than the drain the last bytes of streams may take.
const AFTER_DRAIN: Duration = Duration::from_secs(2);
/// How much longer than that feeds and listeners may take. Whatever hangs then is left behind: the gateway ends within
/// the drain and three seconds, in a cluster [`GIVE_MAX`] more, with a margin for the end of the process and for a
/// standard error that takes nothing (`telemetry::logs::flush`).
const AFTER_STREAMS: Duration = Duration::from_millis(500);
/// How long the shards of a node may take to go to others, before streams drain: 0.9 s for three nodes that do not
/// answer, a second for the connection to the venue, a write of the lease.
const GIVE_MAX: Duration = Duration::from_millis(3_500);
/// How long the listener answers new streams where none is left to end, unless the drain is shorter. A refused
/// connection closes a browser's EventSource for good.
const LISTENS_MIN: Duration = Duration::from_secs(1);

/// How often the cache is swept of ticks that are too old to be replayed, and tickets of those that have expired; and
/// how many symbols at a time: a hundred thousand in ten seconds.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const SWEEP_SYMBOLS: usize = 10_000;

impl Gateway {
    /// Serves until `stop` is ready, then stops in order: readiness at once, in a cluster the shards once the drain's
    /// delay is over, then streams,
    /// new ones with a `bye` and open ones over the drain while feeds go on, then the clients' listener, then the feeds
    /// and the operators' listener. What hangs holds up the stop for at most three seconds beyond the drain, and in a
    /// cluster for 3.5 s before it.
    ///
    /// It needs a runtime for itself alone: feeds, clients and operators have theirs.
    ///
    /// # Errors
    /// [`GatewayError`] if the gateway cannot go on.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), GatewayError> {
        let tls = self.tls_address().map(tracing::field::display);
        let auth = self.live.current().auth.mode.name();
        info!(listen = %self.address(), admin = %self.admin_address(), tls, auth, "serving");
        let mut workers_ended = watch_workers(self.worker_threads)?;
        // One that dies ends the gateway.
        let (died_tx, mut died_rx) = mpsc::channel(1);
        self.feeds.run(died_tx).await?;
        let _ends_feeds = EndsFeeds(self.feeds.clone());
        self.reloader.set_feeds(&self.feeds);
        self.reloader.set_workers(&self.workers);
        let (node, cluster) = self.node.unzip();
        let (stops, mut tasks) = Tasks {
            api: self.api,
            admin: self.admin,
            node,
            cache: self.cache,
            history: self.history,
            on_demand: self.on_demand,
            permits: self.permits,
            reloader: self.reloader,
        }
        .begin(&self.runtimes);
        let stop = async {
            stop.await;
            self.stopping.store(true, Ordering::Relaxed);
            let drain_delay = self.live.current().server.drain_delay;
            if !drain_delay.is_zero() {
                info!(?drain_delay, "stopping: not ready, and still serving");
                tokio::time::sleep(drain_delay).await;
            }
        };
        tokio::select! {
            () = stop => {}
            Some(ended) = tasks.join_next() => return Err(died(ended)),
            Some(ended) = died_rx.recv() => return Err(died(Ok::<_, io::Error>(ended))),
            ended = &mut workers_ended => return Err(died(ended)),
        }
        if let Some(cluster) = cluster
            && !cluster.drain(GIVE_MAX).await
        {
            warn!("some shards were not handed over in time: another node takes them once their leases expire");
        }
        let drain = self.live.current().server.drain;
        info!(?drain, "draining");
        let streams_end = Instant::now() + drain + AFTER_DRAIN;
        self.draining.store(true, Ordering::Relaxed);
        self.workers.drain(drain);
        let listens = tokio::time::sleep(drain.min(LISTENS_MIN));
        match tokio::join!(timeout_at(streams_end, workers_ended), listens).0 {
            Ok(ended) => ended.map_err(io::Error::other)??,
            Err(_) => warn!("some streams did not end in time"),
        }
        stops.send_replace(true);
        let all = async { tokio::join!(all_ended(&mut tasks), self.feeds.stop()).0 };
        match timeout_at(streams_end + AFTER_STREAMS, all).await {
            Ok(ended) => ended?,
            Err(_) => warn!(left = tasks.len(), "some feeds or listeners did not end in time"),
        }
        info!("stopped");
        Ok(())
    }
}

/// The parts of a gateway that are tasks, but for its feeds.
struct Tasks {
    api: api::Server,
    admin: admin::Server,
    node: Option<RunNode>,
    cache: Arc<Cache>,
    history: Option<Arc<History>>,
    on_demand: Option<Arc<OnDemand>>,
    permits: Permits,
    reloader: Arc<Reloader>,
}

impl Tasks {
    /// Begins them. Returns what stops them all.
    fn begin(self, runtimes: &Runtimes) -> (watch::Sender<bool>, JoinSet<io::Result<()>>) {
        let (stop_tx, stop_rx) = watch::channel(false);
        let [operators, clients] = [&runtimes.operators, &runtimes.clients].map(Background::handle);
        let mut tasks = JoinSet::new();
        if let (Some(node), Some(runtime)) = (self.node, &runtimes.cluster) {
            tasks.spawn_on(node(stop_rx.clone()), runtime.handle());
        }
        if let Some(history) = self.history {
            tasks.spawn_on(history::keep(history, self.cache.clone(), stop_rx.clone()), operators);
        }
        let sweeps = sweep(self.cache, self.permits, self.api.sign_on(), self.on_demand, stop_rx.clone());
        tasks.spawn_on(sweeps, operators);
        tasks.spawn_on(self.api.run(stop_rx.clone()), clients);
        if let Some(keeper) = self.reloader.take_keeper() {
            tasks.spawn_on(keeper.run(stop_rx.clone()), operators);
        }
        if self.reloader.certificates().is_some() {
            tasks.spawn_on(watch_certificates(self.reloader, stop_rx.clone()), operators);
        }
        tasks.spawn_on(self.admin.run(stop_rx), operators);
        (stop_tx, tasks)
    }
}

/// Ends the feeds where the gateway ends by an error: a reloader may live longer.
struct EndsFeeds(Arc<FeedSet>);

impl Drop for EndsFeeds {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Waits until all tasks have ended.
async fn all_ended(tasks: &mut JoinSet<io::Result<()>>) -> io::Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(io::Error::other)??;
    }
    Ok(())
}

/// Waits for the workers on a thread of its own, and sends how they ended. A blocking task would not do: a runtime that
/// shuts down waits for those, and on an error the workers still run.
fn watch_workers(threads: WorkerThreads) -> io::Result<oneshot::Receiver<io::Result<()>>> {
    let (ended_tx, ended_rx) = oneshot::channel();
    std::thread::Builder::new().name("watch-workers".to_owned()).spawn(move || {
        // An error means that the gateway no longer waits.
        let _ = ended_tx.send(threads.join());
    })?;
    Ok(ended_rx)
}

/// Sweeps until the stop: the rings of quiet symbols stay small, what no stream wants is dropped, expired tickets are
/// forgotten, and what ended streams
/// took goes back to the system.
async fn sweep(
    cache: Arc<Cache>,
    permits: Permits,
    sign_on: Option<Arc<SignOn>>,
    on_demand: Option<Arc<OnDemand>>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut from = 0;
    let mut trim = HeapTrim::default();
    loop {
        tokio::select! {
            _ = every.tick() => {
                let now = Now::read();
                from = cache.sweep(from, SWEEP_SYMBOLS, now);
                if let Some(on_demand) = &on_demand {
                    on_demand.sweep(now);
                }
                if let Some(sign_on) = &sign_on {
                    sign_on.sweep();
                }
                if trim.is_due(permits.streams.in_use(), permits.subscriptions.in_use(), now.instant) {
                    limits::trim_heap();
                    debug!(took = ?now.instant.elapsed(), "returned freed memory to the system");
                }
            }
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// Looks at the files of the certificates again and again, until the stop. A reload may change how often.
async fn watch_certificates(reloader: Arc<Reloader>, mut stop: watch::Receiver<bool>) -> io::Result<()> {
    let mut looked = Instant::now();
    loop {
        let look = reloader.live().current().tls.as_ref().map_or(Duration::MAX, |tls| tls.look);
        let next = async {
            tokio::time::sleep(look.saturating_sub(looked.elapsed())).await;
            reloader.look().await;
        };
        tokio::select! {
            () = next => looked = Instant::now(),
            () = reloader.reloaded() => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}

/// The error for a part that ended although it should run for ever: a task, or the workers.
fn died(ended: Result<io::Result<()>, impl Error + Send + Sync + 'static>) -> GatewayError {
    match ended {
        Ok(Ok(())) => io::Error::other("a part of the gateway ended by itself").into(),
        Ok(Err(error)) => error.into(),
        Err(error) => io::Error::other(error).into(),
    }
}
