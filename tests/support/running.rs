//! A whole gateway in the test's own process.

use super::{PATIENCE, metrics};
use std::net::SocketAddr;
use tickfan::{
    config::{Config, Feed, Loader},
    feed::Timing,
    gateway::{Gateway, GatewayError, Reloader},
    market::Symbol,
    venue,
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::JoinHandle,
    time::timeout,
};

/// A gateway that serves.
pub struct Running {
    pub address: SocketAddr,
    pub admin: SocketAddr,
    stop_tx: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), GatewayError>>,
    runtime: Runtime,
}

/// The defaults, on ports that are free.
pub fn config(feeds: Vec<Feed>) -> Config {
    let mut config = Config { feeds, ..Config::default() };
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
    config
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
        let gateway = Gateway::start(Reloader::new(config.clone(), Loader::default(), None), metrics()).unwrap();
        let gateway = gateway.with_timing(timing);
        let address = gateway.address();
        let admin = gateway.admin_address();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (stop_tx, stop_rx) = oneshot::channel();
        let ended = runtime.spawn(gateway.run(async {
            let _ = stop_rx.await;
        }));
        Self { address, admin, stop_tx, ended, runtime }
    }

    /// Asks it to stop, and waits for its end.
    pub fn stop(self) -> Result<(), GatewayError> {
        self.stop_tx.send(()).unwrap();
        let ended = self.runtime.block_on(async { timeout(PATIENCE, self.ended).await });
        ended.expect("the gateway ends").unwrap()
    }
}
