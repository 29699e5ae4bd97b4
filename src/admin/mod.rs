//! HTTP for operators, on a listener of its own: whether the gateway lives, whether it should get clients, what it
//! measures, and what is slow, hot or stale inside it.
//!
//! The same `server` as for clients, without streams and without CORS.

mod routes;
mod cluster_metrics;
mod health;
mod status;
mod debug;
mod reload;
mod state_counts;
mod give;
mod prefer;

pub use debug::{DebugFeed, DebugSources, LiveFeeds, WorkerReports};
pub use health::{FIRST_VERDICTS_MAX, FeedHealth, HealthInputs, NodeHealth, NotReady};
pub use reload::Reload;
pub use status::{ClusterInputs, GatewayStatus, RunningGateway};

use crate::{
    config::Live,
    limits::{ADMIN_WAITING_MAX, Admin, Gate},
    server::{Audience, BindError, HttpServer, NoStreams, RequestHandler},
    telemetry::Metrics,
};
use routes::Context;
use std::{io, net::SocketAddr, sync::Arc};
use tokio::sync::watch;

/// What operators may see.
pub struct Services {
    /// The process's metrics.
    pub metrics: Metrics,
    /// Health, and the metrics that are not counted in the recorder.
    pub status: Arc<dyn GatewayStatus>,
    /// What `/debug/` shows.
    pub sources: DebugSources,
    /// Reads the configuration again.
    pub reload: Arc<dyn Reload>,
}

/// The operators' listener, bound.
pub struct Server {
    bound: HttpServer<Admin, NoStreams>,
    metrics: Metrics,
}

impl Server {
    /// Binds the listener. It needs no runtime.
    ///
    /// # Errors
    /// [`BindError`], such as an address in use.
    pub fn bind(live: &Live, gate: Gate<Admin>, services: Services) -> Result<Self, BindError> {
        let Services { metrics, status, sources, reload } = services;
        let routes = routes::routes(Context { metrics: metrics.clone(), status, sources, reload, live: live.clone() });
        let handler = RequestHandler::new(Audience::Operators, live.clone(), routes, NoStreams);
        let address = live.current().server.admin_listen;
        Ok(Self { bound: HttpServer::bind(address, live.clone(), gate, ADMIN_WAITING_MAX, handler)?, metrics })
    }

    /// Where it listens. Port 0 in the configuration has become the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.bound.local_addr()
    }

    /// Serves until `shutdown` is true or its sender is dropped, and keeps the metrics small meanwhile.
    ///
    /// # Errors
    /// The system's, where the listener cannot be watched.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        tokio::select! {
            ended = self.bound.run(None, shutdown) => ended,
            never = self.metrics.keep_up() => match never {},
        }
    }
}
