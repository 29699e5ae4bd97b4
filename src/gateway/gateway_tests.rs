use super::*;
use crate::{
    config::{Config, DelayLine, Feed, FeedTier, Loader, Overrides},
    fanout::{NewStream, Options, ResponseHead, Unlisted},
    feed::FeedState,
    market::{Now, Origin},
    telemetry, venue,
    wire::StreamName,
};
use bytes::Bytes;
use std::{
    future::{pending, ready},
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{OnceLock, mpsc},
    time::Duration,
};
use tokio::{runtime::Handle, sync::oneshot, task::yield_now, time::timeout};

const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the worker that ends its stream panic.
struct PanicAtEnd;

impl crate::fanout::StreamPermit for PanicAtEnd {
    fn resize(&mut self, _: usize) -> bool {
        true
    }

    fn keep(&mut self, _: Box<dyn Send>) {}
}

impl Drop for PanicAtEnd {
    fn drop(&mut self) {
        panic!("a deliberate panic");
    }
}

fn start(feeds: Vec<Feed>) -> Gateway {
    start_from(Config { feeds, ..Config::default() }, Loader::default())
}

fn start_from(mut config: Config, loader: Loader) -> Gateway {
    config.server.listen = "127.0.0.1:0".parse().unwrap();
    config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
    config.server.drain = Duration::ZERO;
    let reloader = Reloader::new(config, loader, None);
    Gateway::start(reloader, metrics()).unwrap()
}

/// The recorder of this process.
fn metrics() -> Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| telemetry::install().unwrap()).clone()
}

/// How many reloads were incomplete.
fn incomplete() -> u64 {
    let name = "tickfan_config_reloads_total{result=\"incomplete\"} ";
    let scrape = metrics().render();
    scrape.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_thread_that_hangs_does_not_hold_up_the_stop() {
    for hangs_in in 0..4 {
        let line = DelayLine { delay: Duration::from_secs(9), step: Duration::from_secs(1) };
        let gateway = start(vec![Feed { tier: FeedTier::LiveAndDelayed(line), ..feed("AAPL") }]);
        gateway.feeds.begin_delay().await;
        let [own, delay] = [gateway.feeds.runtime_of(0), gateway.feeds.runtime_of_delay()];
        let Runtimes { clients, operators, .. } = &gateway.runtimes;
        let runtime = [own, delay, clients.handle().clone(), operators.handle().clone()][hangs_in].clone();
        // As a look-up of the system hangs.
        let (_hold_tx, hold_rx) = mpsc::channel::<()>();
        let (begun_tx, begun_rx) = oneshot::channel();
        runtime.spawn_blocking(move || {
            let _ = begun_tx.send(());
            hold_rx.recv()
        });
        begun_rx.await.unwrap();
        gateway.run(ready(())).await.unwrap();
    }
}

fn feed(symbol: &str) -> Feed {
    let symbols = vec![symbol.parse::<crate::market::Symbol>().unwrap().into()];
    Feed { name: symbol.to_lowercase(), ..Feed::new(venue::DEFAULT, symbols) }
}

/// Takes all threads of a runtime, until what it returns is dropped.
async fn take_threads(runtime: &Handle) -> Vec<mpsc::Sender<()>> {
    let mut held = Vec::new();
    let mut begun = Vec::new();
    for _ in 0..runtime.metrics().num_workers() {
        let (hold_tx, hold_rx) = mpsc::channel::<()>();
        let (begun_tx, begun_rx) = oneshot::channel();
        runtime.spawn(async move {
            let _ = begun_tx.send(());
            let _ = hold_rx.recv();
        });
        held.push(hold_tx);
        begun.push(begun_rx);
    }
    for begun_rx in begun {
        begun_rx.await.unwrap();
    }
    held
}

#[tokio::test]
async fn a_step_that_fails_is_told_and_the_next_reload_takes_it_again() {
    let file = std::env::temp_dir().join(format!("tickfan-failing-step-{}.toml", std::process::id()));
    let write = |others: &str| {
        let text = format!(
            "[server]\ndrain = \"0s\"\n[[feed]]\nname = \"main\"\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\n{others}"
        );
        std::fs::write(&file, text).unwrap();
    };
    let other =
        |name: &str, symbols: &str| format!("[[feed]]\nname = \"{name}\"\nvenue = \"sim\"\nsymbols = [{symbols}]\n");
    write("");
    let free = || Some("127.0.0.1:0".parse().unwrap());
    let overrides = Overrides { listen: free(), admin_listen: free(), text: None };
    let loader = Loader { file: Some(file.clone()), overrides, ..Loader::default() };
    let gateway = start_from(loader.load().unwrap(), loader);
    let (cache, feeds, reloader) = (gateway.cache.clone(), gateway.feeds.clone(), gateway.reloader.clone());
    let names = || feeds.shown().current().iter().map(|feed| feed.name.to_string()).collect::<Vec<_>>();
    let (stop_tx, stop_rx) = oneshot::channel::<()>();
    let reloads = async {
        // A symbol that is there although no feed has it.
        let taken = "MSFT".parse().unwrap();
        cache.register("MSFT".parse().unwrap(), "none".into(), Origin::Market, Now::read()).unwrap();
        let whole = format!("{}{}", other("other", "\"MSFT\", \"NVDA\""), other("third", "\"GOOGL\""));
        write(&whole);
        for _ in 0..2 {
            let report = reloader.reload().await.unwrap();
            let [failed] = &report.failed[..] else { panic!("{report:?}") };
            assert_eq!(failed.feed, "other");
            assert!(failed.why.starts_with("MSFT is registered already"), "{}", failed.why);
            assert!(report.changed.iter().all(|change| change.key == "feed.third"), "{report:?}");
            assert_eq!(names(), ["main", "third"], "the others are there");
            assert!(cache.get(&"NVDA".parse().unwrap()).is_none(), "nothing of it is left");
        }
        // Who asked for it leaves while its steps are taken.
        let (told, held) = (incomplete(), feeds.hold().await);
        let others_are_in_force = async {
            while reloader.live().current().feeds.len() < 3 {
                yield_now().await;
            }
        };
        tokio::select! {
            biased;
            _ = reloader.reload() => panic!("its steps are held up"),
            () = others_are_in_force => drop(held),
        }
        write("a mistake");
        reloader.reload().await.expect_err("it comes after the other");
        assert_eq!(incomplete(), told + 1);
        write(&whole);
        cache.retire(&taken, crate::market::Tier::Live);
        let report = reloader.reload().await.unwrap();
        assert_eq!((report.failed.len(), report.changed[0].key.as_str()), (0, "feed.other"));
        assert_eq!(names(), ["main", "other", "third"]);
        assert_eq!(reloader.reload().await.unwrap(), crate::config::Reloaded::default(), "all is as in the file");
        drop(stop_tx);
    };
    let stop = async { drop(stop_rx.await) };
    let (ended, ()) = tokio::join!(gateway.run(stop), reloads);
    ended.unwrap();
    std::fs::remove_file(&file).unwrap();
}

async fn is_answered(address: SocketAddr) -> bool {
    let ask = move || -> io::Result<bool> {
        let mut client = TcpStream::connect(address)?;
        client.set_read_timeout(Some(PATIENCE))?;
        client.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut head = [0; 12];
        client.read_exact(&mut head).map(|()| head == *b"HTTP/1.1 200")
    };
    tokio::task::spawn_blocking(move || ask().unwrap_or(false)).await.unwrap()
}

#[tokio::test]
async fn a_runtime_whose_threads_are_all_taken_holds_up_no_other() {
    for held in ["the first feed", "clients", "operators"] {
        let gateway = start(["AAPL", "MSFT"].map(feed).into());
        let runtime = match held {
            "clients" => gateway.runtimes.clients.handle().clone(),
            "operators" => gateway.runtimes.operators.handle().clone(),
            _ => gateway.feeds.runtime_of(0),
        };
        let threads = take_threads(&runtime).await;
        let mut second = gateway.feeds.shown().current()[1].status.clone();
        let (address, admin_address) = (gateway.address(), gateway.admin_address());
        let (stop_tx, stop_rx) = oneshot::channel::<()>();
        let others = async {
            assert!(timeout(PATIENCE, second.reached(FeedState::Live)).await.is_ok(), "a feed waits for {held}");
            assert!(held == "clients" || is_answered(address).await, "clients wait for {held}");
            assert!(held == "operators" || is_answered(admin_address).await, "operators wait for {held}");
            drop(threads);
            drop(stop_tx);
        };
        let stop = async { drop(stop_rx.await) };
        let (ended, ()) = tokio::join!(gateway.run(stop), others);
        ended.unwrap();
    }
}

#[tokio::test]
async fn a_worker_that_panics_ends_the_gateway() {
    let gateway = start(Vec::new());
    let state = gateway.cache.register("AAPL".parse().unwrap(), "test".into(), Origin::Market, Now::read()).unwrap();
    let stream = NewStream {
        name: StreamName::new(0),
        client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
        head: ResponseHead::default(),
        hello: Box::new(Bytes::from_static(b"hello")),
        symbols: Box::new([state]),
        unlisted: Unlisted::default(),
        options: Options::new(Duration::from_secs(15)),
        dictionary: None,
        resume: None,
        generation: 0,
        has_rights: false,
        until: None,
        permit: Box::new(PanicAtEnd),
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    gateway.workers.open(listener.accept().unwrap().0, stream).unwrap();
    drop(client);
    let ended = tokio::time::timeout(Duration::from_secs(20), gateway.run(pending())).await.unwrap();
    let error = ended.unwrap_err().to_string();
    assert!(error.starts_with("worker ") && error.ends_with(" panicked"), "{error}");
}
