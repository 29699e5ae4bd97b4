// cargo add eventsource-client launchdarkly-sdk-transport futures serde_json; cargo add tokio --features macros,rt
use eventsource_client::{Client as _, ClientBuilder, ReconnectOptions, SSE};
use futures::TryStreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use std::time::Duration;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = "http://127.0.0.1:8080/v1/stream?symbols=AAPL,BTC-USDT";
    // It reconnects by itself, also where the first attempt fails, after a random and growing wait.
    let reconnect = ReconnectOptions::reconnect(true).retry_initial(true).delay_max(Duration::from_secs(16)).build();
    let client = ClientBuilder::for_url(url)?.reconnect(reconnect).build_with_transport(HyperTransport::builder().build_http()?);
    let mut events = client.stream();
    loop {
        match events.try_next().await {
            // The others are hello, heartbeat and bye.
            Ok(Some(SSE::Event(event))) if event.event_type == "message" => {
                let tick: serde_json::Value = serde_json::from_str(&event.data)?;
                println!("{} {} {} {} {}", tick["symbol"], tick["price"], tick["bid"], tick["ask"], tick["state"]);
            }
            Ok(Some(_)) => {}
            Ok(None) => return Ok(()),
            Err(error) => println!("lost: {error}; reconnecting"),
        }
    }
}
