//! Reloads the configuration: reads it again, applies what can change while the gateway runs, and says what cannot.
//! Certificates are also loaded when their files change.

use super::{
    certificates::{Looks, log_loaded, record_expiry},
    feed_set::FeedSet,
    keys,
    outcomes::all_failed,
    reading::Reading,
};
use crate::{
    admin::Reload,
    config::{self, Change, Config, FeedStep, Live, Loader, ReloadError, Reloaded, check_mixed, reload},
    fanout::{OpenRights, WorkerPool},
    issuer::{self, IssuerKeys, Keeper, Replacement},
    market::Now,
    telemetry::{LogHandle, catalog},
    tls::{CertificateError, CertificateSet, Certificates, Changes},
};
use futures_util::future::BoxFuture;
use std::sync::{Arc, OnceLock, PoisonError, Weak};
use tokio::sync::{Mutex, Notify, OwnedMutexGuard};
use tracing::{error, info, warn};

/// Reloads the configuration of one gateway.
pub struct Reloader {
    live: Live,
    loader: Arc<Loader>,
    /// `None` where the process's logs are another's.
    logs: Option<LogHandle>,
    /// Those in force, where the gateway serves https.
    certificates: Option<Arc<Certificates>>,
    /// The keys that verify tokens, where clients sign on.
    issuer: Option<IssuerKeys>,
    /// What keeps them fresh, until the gateway runs it.
    keeper: std::sync::Mutex<Option<Keeper>>,
    /// Reloads and looks take turns.
    turn: Arc<Mutex<Turn>>,
    /// Those of the gateway, once it runs.
    feeds: OnceLock<Weak<FeedSet>>,
    /// Those of the gateway, once it runs.
    workers: OnceLock<Weak<WorkerPool>>,
    /// Tells the task that looks at certificates of each reload.
    reloaded: Notify,
}

/// What a reload or a look leaves for the next one.
#[derive(Default)]
struct Turn {
    reading: Reading,
    looks: Looks,
}

impl Reloader {
    /// The gateway runs with `config`, which came from `loader`.
    pub fn new(config: Config, loader: Loader, logs: Option<LogHandle>) -> Arc<Self> {
        let certificates = config.tls.as_ref().map(|tls| Certificates::new(tls.loaded.clone()));
        let (issuer, keeper) = keys::of_start(&config).unzip();
        let live = Live::new(config);
        Arc::new(Self {
            live,
            loader: Arc::new(loader),
            logs,
            certificates,
            issuer,
            keeper: std::sync::Mutex::new(keeper),
            turn: Arc::default(),
            feeds: OnceLock::new(),
            workers: OnceLock::new(),
            reloaded: Notify::new(),
        })
    }

    /// The settings in force.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// The certificates in force, where the gateway serves https.
    pub fn certificates(&self) -> Option<&Arc<Certificates>> {
        self.certificates.as_ref()
    }

    /// The keys that verify tokens, where clients sign on.
    pub fn issuer(&self) -> Option<&IssuerKeys> {
        self.issuer.as_ref()
    }

    /// What keeps them fresh, for the first who asks.
    pub(super) fn take_keeper(&self) -> Option<Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The configuration that the gateway starts with counts as loaded, with its certificates.
    pub(super) fn register_metrics(&self) {
        catalog::CONFIG_RELOADS.register_all();
        record_success();
        if self.issuer.is_some() {
            issuer::register_metrics();
        }
        if let Some(certificates) = &self.certificates {
            catalog::CERTIFICATE_RELOADS.register_all();
            let set = certificates.current();
            record_expiry(&CertificateSet::default(), &set);
            log_loaded(&set);
            if let Ok(mut turn) = self.turn.try_lock() {
                turn.looks.announce_expiry(&set, unix_seconds());
            }
        }
    }

    /// Lets reloads change the feeds of the gateway, which run from now on.
    pub(super) fn set_feeds(&self, feeds: &Arc<FeedSet>) {
        // A reloader is of one gateway.
        let _ = self.feeds.set(Arc::downgrade(feeds));
    }

    /// Lets reloads end streams of the gateway, which run from now on.
    pub(super) fn set_workers(&self, workers: &Arc<WorkerPool>) {
        // As above.
        let _ = self.workers.set(Arc::downgrade(workers));
    }

    /// Reads the file again and applies it, or changes nothing. It logs one line.
    ///
    /// It must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ReloadError`].
    ///
    /// # Cancel safety
    /// Dropped, it has changed nothing, or goes on by itself to its end.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let turn = self.turn.clone().lock_owned().await;
        let outcome = async {
            let loaded = self.read(&turn.reading).await?;
            let keys = keys::of_reload(&self.live.current(), &loaded).await?;
            self.apply(loaded, keys)
        }
        .await;
        match outcome {
            Ok((report, steps)) => Ok(self.change_feeds(report, steps, turn).await),
            Err(error) => {
                tell_rejected(&error);
                Err(error)
            }
        }
    }

    /// Waits for a reload that was applied.
    ///
    /// # Cancel safety
    /// Dropped, it has missed none.
    pub(super) async fn reloaded(&self) {
        self.reloaded.notified().await;
    }

    async fn read(&self, reading: &Reading) -> Result<Config, ReloadError> {
        if self.loader.file.is_none() {
            return Err(ReloadError::WithoutFile);
        }
        let loader = self.loader.clone();
        Ok(reading.read(move || loader.load()).await??)
    }

    /// Compares the files of the certificates with what was loaded, and loads those that have changed. A mistake in one
    /// keeps that one in force.
    ///
    /// # Cancel safety
    /// As [`Self::reload`].
    pub(super) async fn look(&self) {
        let Some(certificates) = &self.certificates else { return };
        let mut turn = self.turn.lock().await;
        let now = unix_seconds();
        let current = certificates.current();
        let found = turn.reading.read(move || current.load_changed(now)).await.unwrap_or_else(|error| Changes {
            set: None,
            mistakes: vec![CertificateError { what: error.to_string(), help: None }],
        });
        if let Some(changed) = found.set.map(Arc::new) {
            let mut next = Config::clone(&self.live.current());
            if let Some(tls) = &mut next.tls {
                tls.loaded = changed.clone();
            }
            self.live.replace(next);
            replace(certificates, changed);
            turn.looks.replaced();
        }
        for mistake in turn.looks.found(&found.mistakes) {
            catalog::CERTIFICATE_RELOADS.handle(["rejected".into()]).increment(1);
            error!("did not load a changed certificate, the one in force stays: {mistake}");
        }
        if turn.looks.are_right_again() {
            info!("the files of the certificates are right again");
        }
        turn.looks.announce_expiry(&certificates.current(), now);
    }

    /// Takes the steps of the feeds, in a task of its own, which has the turn until its end: a step must not be left
    /// half-way. Tells the outcome there, as who asked for the reload may have left. The report names the feeds that
    /// could not be changed: they count as what they are, so the next reload tries again.
    async fn change_feeds(&self, report: Reloaded, steps: Vec<FeedStep>, turn: OwnedMutexGuard<Turn>) -> Reloaded {
        let Some(feeds) = self.feeds.get().and_then(Weak::upgrade) else {
            tell_applied(&report);
            return report;
        };
        let live = self.live.clone();
        let if_it_ends = report.clone().with_failed(all_failed(&steps, "the steps have ended too early"));
        let changes = tokio::spawn(async move {
            let config = live.current();
            let failed = feeds.apply(steps, &config).await;
            if !failed.is_empty() {
                live.replace(Config { feeds: feeds.in_force(&config).await, ..Config::clone(&config) });
            }
            let report = report.with_failed(failed);
            tell_applied(&report);
            drop(turn);
            report
        });
        changes.await.unwrap_or_else(|ended| {
            error!("the feeds are not as configured: {ended}");
            tell_applied(&if_it_ends);
            if_it_ends
        })
    }

    fn apply(&self, loaded: Config, keys: Option<Replacement>) -> Result<(Reloaded, Vec<FeedStep>), ReloadError> {
        let running = self.live.current();
        let may_run = |next: &[config::Feed]| match self.feeds.get().and_then(Weak::upgrade) {
            Some(feeds) => feeds.may_run(&running, next),
            None => Err("the gateway does not run".to_owned()),
        };
        let (next, report, steps) = reload(&running, loaded, may_run);
        check_mixed(&next)?;
        if !steps.is_empty() {
            FeedSet::check(&next)?;
        }
        if next.server.log != running.server.log
            && let Some(logs) = &self.logs
        {
            logs.set(next.server.log.clone());
        }
        if let (Some(certificates), Some(tls)) = (&self.certificates, &next.tls)
            && !tls.loaded.has_same_files_as(&certificates.current())
        {
            replace(certificates, tls.loaded.clone());
        }
        match (&self.issuer, keys) {
            (Some(issuer), Some(keys)) => issuer.replace(keys),
            (Some(issuer), None) => issuer.look(),
            (None, _) => {}
        }
        let policy = next.auth.policy.clone();
        self.live.replace(next);
        if !policy.is_same_without_credentials(&running.auth.policy)
            && let Some(workers) = self.workers.get().and_then(Weak::upgrade)
        {
            // Rights with credentials last until these end; those without do not end by themselves.
            let rights: Arc<dyn OpenRights> = policy.anonymous();
            workers.withdraw(&rights);
        }
        self.reloaded.notify_one();
        Ok((report, steps))
    }
}

/// Counts a reload that has changed nothing, and logs it.
fn tell_rejected(error: &ReloadError) {
    if matches!(error, ReloadError::WithoutFile) {
        catalog::CONFIG_RELOADS.handle(["without_file".into()]).increment(1);
        warn!("reloaded nothing: the gateway was started without a configuration file");
        return;
    }
    catalog::CONFIG_RELOADS.handle(["rejected".into()]).increment(1);
    catalog::CONFIG_LAST_RELOAD_SUCCESSFUL.handle([]).set(0.0);
    error!("reloaded nothing, the configuration in force stays: {error}");
}

/// Counts a reload that was applied, and logs it.
fn tell_applied(report: &Reloaded) {
    let is_whole = report.failed.is_empty();
    let result = if is_whole { "applied" } else { "incomplete" };
    catalog::CONFIG_RELOADS.handle([result.into()]).increment(1);
    let [changed, at_restart] = [&report.changed, &report.at_restart].map(|changes| names(changes));
    if is_whole {
        record_success();
    } else {
        catalog::CONFIG_LAST_RELOAD_SUCCESSFUL.handle([]).set(0.0);
        let failed = report.failed.iter().map(|failed| format!("feed.{} ({})", failed.feed, failed.why));
        let failed = failed.collect::<Vec<_>>().join(", ");
        error!(failed, changed, at_restart, "reloaded the configuration, but some feeds could not be changed");
        return;
    }
    match (changed, at_restart) {
        (None, None) => info!("reloaded the configuration; nothing has changed"),
        (changed, None) => info!(changed, "reloaded the configuration"),
        (changed, at_restart) => {
            warn!(changed, at_restart, "reloaded the configuration; some changes wait for a restart");
        }
    }
}

/// Puts other certificates in force.
fn replace(certificates: &Certificates, set: Arc<CertificateSet>) {
    record_expiry(&certificates.current(), &set);
    log_loaded(&set);
    catalog::CERTIFICATE_RELOADS.handle(["applied".into()]).increment(1);
    certificates.replace(set);
}

impl Reload for Reloader {
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, ReloadError>> {
        Box::pin(Self::reload(self))
    }
}

fn unix_seconds() -> i64 {
    Now::read().unix.0 / 1_000_000
}

fn record_success() {
    catalog::CONFIG_LAST_RELOAD_SUCCESSFUL.handle([]).set(1.0);
    catalog::CONFIG_LAST_RELOAD_SUCCESS_TIMESTAMP.handle([]).set(Now::read().unix.0 as f64 / 1e6);
}

/// The keys, if any; of feeds with what has changed.
fn names(changes: &[Change]) -> Option<String> {
    let name = |change: &Change| match change.key.strip_prefix("feed.") {
        Some(_) => format!("{} ({})", change.key, change.to),
        None => change.key.clone(),
    };
    let names = changes.iter().map(name).collect::<Vec<_>>().join(", ");
    (!names.is_empty()).then_some(names)
}
