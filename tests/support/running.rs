//! A whole gateway in the test's own process.

use super::{
    PATIENCE,
    certificates::{Ca, folder},
    log_watch::LogWatch,
    metrics,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tickfan::{
    cluster::bus::{Bus, Leases},
    config::{Config, Feed, Loader, Tls},
    feed::Timing,
    gateway::{Gateway, GatewayError, Membership, Reloader},
    market::{Now, Symbol},
    tls::CertificateSet,
    venue,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// A gateway that serves. When it is dropped, a look at all that was logged so far fails its test if a line gives
/// something away.
pub struct Running {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    /// The port for https, if there is one.
    pub tls: Option<SocketAddr>,
    stop_tx: Option<oneshot::Sender<()>>,
    ended: Option<JoinHandle<Result<(), GatewayError>>>,
    /// How long streams may take to end.
    drain: Duration,
    runtime: Runtime,
}

/// The defaults, on ports that are free, and without a drain: over one, a stream that its test still holds ends at a
/// random moment.
pub fn config(feeds: Vec<Feed>) -> Config {
    let mut config = Config { feeds, ..Config::default() };
    config.server.drain = Duration::ZERO;
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
    config
}

/// Adds a listener for https; returns the CA of its certificate.
pub fn serve_https(config: &mut Config, test: &str) -> Ca {
    let ca = Ca::new("a CA");
    let files = vec![ca.sign(&["localhost"]).write(&folder(test))];
    let loaded = CertificateSet::load(&files, Now::read().unix.0 / 1_000_000).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    config.tls = Some(Tls { listen, certificates: files, loaded: Arc::new(loaded), ..Tls::default() });
    ca
}

/// A feed of a venue that speaks as Binance does.
pub fn binance(name: &str, url: &str, symbols: &[&str]) -> Feed {
    let symbols = symbols.iter().map(|name| name.parse::<Symbol>().unwrap().into()).collect();
    Feed { name: name.to_owned(), url: Some(url.to_owned()), ..Feed::new(venue::find("binance").unwrap(), symbols) }
}

impl Running {
    pub fn start(config: &Config) -> Self {
        Self::start_with(config, Timing::default())
    }

    pub fn start_with(config: &Config, timing: Timing) -> Self {
        Self::start_reloadable(Reloader::new(config.clone(), Loader::default(), None), timing)
    }

    /// As a node of a cluster.
    pub fn start_in<B: Bus, L: Leases>(config: &Config, membership: Membership<B, L>) -> Self {
        LogWatch::of_this_process();
        let reloader = Reloader::new(config.clone(), Loader::default(), None);
        Self::run(Gateway::start_in(reloader, metrics(), membership).unwrap(), config.server.drain)
    }

    pub fn start_reloadable(reloader: Arc<Reloader>, timing: Timing) -> Self {
        LogWatch::of_this_process();
        let drain = reloader.live().current().server.drain;
        Self::run(Gateway::start(reloader, metrics()).unwrap().with_timing(timing), drain)
    }

    fn run(gateway: Gateway, drain: Duration) -> Self {
        let address = gateway.address();
        let admin = gateway.admin_address();
        let tls = gateway.tls_address();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop_tx, stop_rx) = oneshot::channel();
        let ended = runtime.spawn(gateway.run(async {
            let _ = stop_rx.await;
        }));
        Self { address, admin, tls, stop_tx: Some(stop_tx), ended: Some(ended), drain, runtime }
    }

    /// Asks it to stop, and waits for its end.
    pub fn stop(mut self) -> Result<(), GatewayError> {
        self.stop_tx.take().unwrap().send(()).unwrap();
        let ended = self.ended.take().unwrap();
        let ended = self.runtime.block_on(async { timeout(self.drain + PATIENCE, ended).await });
        ended.expect("the gateway ends").unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        LogWatch::of_this_process().check();
    }
}
