//! Prints each tick of a stream as a line: `{"symbol", "seq", "data"}`.

use eventsource_client::{Client as _, ClientBuilder, SSE};
use futures::TryStreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use std::io::Write;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("the address of a stream is missing")?;
    let client = ClientBuilder::for_url(&url)?.build_with_transport(HyperTransport::builder().build_http()?);
    let mut stream = client.stream();
    while let Some(event) = stream.try_next().await? {
        if let SSE::Event(event) = event
            && event.event_type == "message"
        {
            let tick: serde_json::Value = serde_json::from_str(&event.data)?;
            let line = serde_json::json!({"symbol": tick["symbol"], "seq": tick["seq"], "data": event.data});
            writeln!(std::io::stdout(), "{line}")?;
        }
    }
    Ok(())
}
