//! The first Server-Sent Events server that one writes with axum: a broadcast channel carries all ticks, and one task
//! per client picks those of its symbols and formats them.
//!
//! Environment: `LISTEN`, `VENUE` and `SYMBOLS`; for https and HTTP/2 also `TLS`, a folder with `chain.pem` and
//! `key.pem`.

use axum::{
    Router,
    extract::{Path, State},
    response::sse::{Event, Sse},
    routing::get,
    serve::ListenerExt,
};
use axum_server::{
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    env,
    error::Error,
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::{Stream, wrappers::BroadcastStream};
use tokio_tungstenite::{connect_async, tungstenite::Message};

/// How many ticks a task may lag behind; it misses older ones.
const CHANNEL: usize = 1_024;
/// The wait between two attempts to reach the venue.
const RETRY: Duration = Duration::from_millis(100);

type Ticks = broadcast::Sender<Arc<Tick>>;

/// The latest state of a symbol, with tickfan's field names.
#[derive(Debug, Clone, Default, Serialize)]
struct Tick {
    symbol: String,
    seq: u64,
    kind: &'static str,
    price: Option<f64>,
    size: Option<f64>,
    side: Option<&'static str>,
    trade_ts: Option<i64>,
    trades: u64,
    bid: Option<f64>,
    bid_size: Option<f64>,
    ask: Option<f64>,
    ask_size: Option<f64>,
}

#[derive(Deserialize)]
struct Combined {
    data: Update,
}

/// A message of Binance's combined streams: a trade or a book ticker.
#[derive(Deserialize)]
#[serde(untagged)]
enum Update {
    Trade {
        #[serde(rename = "s")]
        symbol: String,
        #[serde(rename = "p")]
        price: String,
        #[serde(rename = "q")]
        size: String,
        #[serde(rename = "T")]
        time: i64,
        #[serde(rename = "m")]
        buyer_is_maker: bool,
    },
    Quote {
        #[serde(rename = "s")]
        symbol: String,
        #[serde(rename = "b")]
        bid: String,
        #[serde(rename = "B")]
        bid_size: String,
        #[serde(rename = "a")]
        ask: String,
        #[serde(rename = "A")]
        ask_size: String,
    },
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listen = env::var("LISTEN")?;
    let venue = env::var("VENUE")?;
    let symbols = env::var("SYMBOLS")?;
    let (ticks, _) = broadcast::channel(CHANNEL);
    tokio::spawn(follow_always(venue, symbols, ticks.clone()));
    let app = Router::new().route("/sub/{symbols}", get(subscribe)).with_state(ticks);
    if let Some(folder) = env::var_os("TLS").map(PathBuf::from) {
        let config = RustlsConfig::from_pem_file(folder.join("chain.pem"), folder.join("key.pem")).await?;
        let acceptor = RustlsAcceptor::new(config).acceptor(NoDelayAcceptor::new());
        let server = axum_server::bind(listen.parse::<SocketAddr>()?).acceptor(acceptor);
        return Ok(server.serve(app.into_make_service()).await?);
    }
    // As axum's documentation shows; otherwise Nagle's algorithm would hold events back.
    let listener = TcpListener::bind(listen).await?.tap_io(|socket| drop(socket.set_nodelay(true)));
    Ok(axum::serve(listener, app).await?)
}

async fn subscribe(
    Path(symbols): Path<String>,
    State(ticks): State<Ticks>,
) -> Sse<impl Stream<Item = Result<Event, axum::Error>>> {
    let wanted: HashSet<String> = symbols.split(',').map(str::to_owned).collect();
    let events = BroadcastStream::new(ticks.subscribe()).filter_map(move |tick| {
        // An error says how many ticks the task was too slow for.
        let tick = tick.ok().filter(|tick| wanted.contains(&tick.symbol));
        std::future::ready(tick.map(|tick| Event::default().json_data(&*tick)))
    });
    Sse::new(events)
}

async fn follow_always(venue: String, symbols: String, ticks: Ticks) {
    loop {
        let ended = follow(&venue, &symbols, &ticks).await;
        eprintln!("the feed has ended: {ended:?}");
        tokio::time::sleep(RETRY).await;
    }
}

async fn follow(venue: &str, symbols: &str, ticks: &Ticks) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (mut socket, _) = connect_async(venue).await?;
    let names: HashMap<String, &str> = symbols.split(',').map(|symbol| (symbol.replace('-', ""), symbol)).collect();
    let params: Vec<String> = names
        .keys()
        .map(|name| name.to_lowercase())
        .flat_map(|name| [format!("{name}@trade"), format!("{name}@bookTicker")])
        .collect();
    let request = serde_json::json!({ "method": "SUBSCRIBE", "params": params, "id": 1 });
    socket.send(Message::text(request.to_string())).await?;
    let mut latest: HashMap<String, Tick> = HashMap::new();
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        // Anything but an update is the answer to the subscription.
        let Ok(Combined { data }) = serde_json::from_str(&text) else { continue };
        let (Update::Trade { symbol, .. } | Update::Quote { symbol, .. }) = &data;
        let Some(&name) = names.get(symbol) else { continue };
        let tick = latest.entry(symbol.clone()).or_insert_with(|| Tick { symbol: name.to_owned(), ..Tick::default() });
        apply(tick, data)?;
        // It fails while no client is connected.
        let _ = ticks.send(Arc::new(tick.clone()));
    }
    Ok(())
}

fn apply(tick: &mut Tick, update: Update) -> Result<(), std::num::ParseFloatError> {
    tick.seq += 1;
    match update {
        Update::Trade { price, size, time, buyer_is_maker, .. } => {
            tick.kind = "trade";
            tick.price = Some(price.parse()?);
            tick.size = Some(size.parse()?);
            tick.side = Some(if buyer_is_maker { "sell" } else { "buy" });
            tick.trade_ts = Some(time);
            tick.trades += 1;
        }
        Update::Quote { bid, bid_size, ask, ask_size, .. } => {
            tick.kind = "quote";
            tick.bid = Some(bid.parse()?);
            tick.bid_size = Some(bid_size.parse()?);
            tick.ask = Some(ask.parse()?);
            tick.ask_size = Some(ask_size.parse()?);
        }
    }
    Ok(())
}
