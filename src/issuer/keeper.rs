//! The task that keeps the keys fresh.

use super::{
    fetched::Fetched,
    fetcher::{Failed, Fetcher},
    keys::{Answer, IssuerKeys, Orders, Replacement},
    report::Reporter,
    schedule::{Asked, Due, Schedule, Times},
};
use crate::market::Now;
use std::{
    convert::Infallible,
    future::pending,
    io,
    num::NonZero,
    pin::Pin,
    time::{Duration, Instant},
};
use tokio::{
    sync::{mpsc, watch},
    time::sleep_until,
};

/// A fetch under way.
type Fetch = Pin<Box<dyn Future<Output = Result<Fetched, Failed>> + Send>>;

/// The keys of a source, and what keeps them fresh once it runs. At most `waiters_max` requests wait for a fetch at a
/// time. Any other is answered as if the fetch were not allowed: it may be one of a flood of invented keys.
pub fn keep(fetcher: Fetcher, times: Times, waiters_max: NonZero<usize>) -> (IssuerKeys, Keeper) {
    let (keys, asks) = IssuerKeys::kept(fetcher.source(), waiters_max);
    (keys.clone(), Keeper { keys, asks, fetcher, times, waiters_max, first: None })
}

/// Keeps the keys of a source fresh once it runs.
pub struct Keeper {
    keys: IssuerKeys,
    asks: mpsc::Receiver<Answer>,
    fetcher: Fetcher,
    times: Times,
    waiters_max: NonZero<usize>,
    /// Keys that were read before the start.
    first: Option<Fetched>,
}

/// A request that waits for the fetch under way.
struct Waiter {
    answer: Answer,
    /// The fetch began for it. One that had begun before may give what its source had before the request came: keys
    /// that it lacks may be there by now, so it settles nothing.
    began: bool,
}

/// A [`Keeper`] that runs.
struct Running {
    keys: IssuerKeys,
    asks: mpsc::Receiver<Answer>,
    fetcher: Fetcher,
    schedule: Schedule,
    reporter: Reporter,
    fetch: Option<Fetch>,
    /// Requests that wait for the fetch under way, and the most of them.
    waiters: Vec<Waiter>,
    waiters_max: NonZero<usize>,
    /// What the last successful fetch gave, while it counts.
    newest: Option<Fetched>,
}

impl Keeper {
    /// With keys that were read already: they count from now on.
    pub fn with_keys(self, first: Fetched) -> Self {
        self.keys.publish(Some(first.keys.clone()));
        Self { first: Some(first), ..self }
    }

    /// Keeps the keys fresh until `stop` turns true, or its sender is gone.
    ///
    /// # Errors
    /// None so far: a fetch that fails is logged and counted.
    pub async fn run(self, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let now = Instant::now();
        let mut running = Running {
            reporter: Reporter::new(self.fetcher.source().to_string()),
            schedule: Schedule::new(self.times, now),
            keys: self.keys,
            asks: self.asks,
            fetcher: self.fetcher,
            fetch: None,
            waiters: Vec::new(),
            waiters_max: self.waiters_max,
            newest: None,
        };
        if let Some(first) = self.first {
            running.succeeded(first);
        }
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            never = running.keep() => match never {},
        }
    }
}

impl Running {
    async fn keep(&mut self) -> Infallible {
        loop {
            while let Some(due) = self.schedule.due(Instant::now()) {
                match due {
                    Due::Fetch => self.begin(),
                    Due::Expire => self.expire(),
                }
            }
            let deadline = self.schedule.deadline();
            tokio::select! {
                biased;
                orders = self.keys.ordered() => self.follow(orders),
                fetched = ended(&mut self.fetch) => self.take(fetched),
                Some(waiter) = self.asks.recv() => self.ask(waiter),
                () = reached(deadline) => {}
            }
        }
    }

    fn begin(&mut self) {
        let fetcher = self.fetcher.clone();
        self.fetch = Some(Box::pin(async move { fetcher.fetch().await }));
    }

    fn expire(&mut self) {
        self.newest = None;
        self.keys.publish(None);
        self.reporter.expired();
        self.keys.report(self.reporter.status());
    }

    fn take(&mut self, fetched: Result<Fetched, Failed>) {
        self.fetch = None;
        match fetched {
            Ok(fetched) => {
                self.succeeded(fetched);
                self.answer(Some(self.schedule.until_next_ask(Instant::now())));
            }
            Err(failed) => {
                self.schedule.failed(Instant::now(), rand::random());
                self.reporter.failed(&failed);
                self.keys.report(self.reporter.status());
                self.answer(None);
            }
        }
    }

    fn succeeded(&mut self, fetched: Fetched) {
        let now = Now::read();
        self.schedule.fetched(now.instant, rand::random());
        let changed = self.newest.as_ref().is_none_or(|newest| !newest.is_same(&fetched));
        self.reporter.fetched(&fetched, changed, now);
        self.keys.report(self.reporter.status());
        if changed {
            self.keys.publish(Some(fetched.keys.clone()));
            self.newest = Some(fetched);
        }
    }

    fn ask(&mut self, answer: Answer) {
        let max = self.waiters_max.get();
        if self.waiters.len() == max {
            self.waiters.retain(|waiter| !waiter.answer.is_closed());
        }
        let asked = if self.waiters.len() == max { Asked::Refused } else { self.schedule.ask(Instant::now()) };
        match asked {
            Asked::Begun => self.begin(),
            Asked::Running => {}
            Asked::Refused | Asked::Fixed => {
                // An error means that the request has ended.
                let _ = answer.send((asked == Asked::Fixed).then_some(Duration::MAX));
                return;
            }
        }
        self.waiters.push(Waiter { answer, began: asked == Asked::Begun });
    }

    /// The fetch has ended. `settled`: if it has given all keys that there are, for how long no other begins.
    fn answer(&mut self, settled: Option<Duration>) {
        for Waiter { answer, began } in self.waiters.drain(..) {
            let _ = answer.send(settled.filter(|_| began));
        }
    }

    fn follow(&mut self, orders: Orders) {
        if let Some(Replacement { fetcher, times, fetched }) = orders.replacement {
            self.fetch = None;
            self.reporter.replaced(fetcher.source().to_string());
            self.fetcher = fetcher;
            self.schedule = Schedule::new(times, Instant::now());
            self.newest = None;
            self.succeeded(fetched);
            self.answer(None); // they were fetched before, and the fetch that was awaited is given up
        } else if orders.look {
            self.schedule.look(Instant::now());
        }
    }
}

async fn ended(fetch: &mut Option<Fetch>) -> Result<Fetched, Failed> {
    match fetch {
        Some(fetch) => fetch.await,
        None => pending().await,
    }
}

async fn reached(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
