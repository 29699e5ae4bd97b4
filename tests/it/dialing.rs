//! How a feed's settings reach the sockets that it opens: a private CA, over real TLS.

use futures_util::{SinkExt, StreamExt};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tickfan::{
    config::{self, CaFile, Config},
    dial::LookUp,
    feed::{Feed, Trial},
    market::{Now, Symbol},
    venue,
};
use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{accept_async, tungstenite::Message};
use venue_sim::{PATIENCE, within};

/// A venue with a certificate of a CA of its own, which grants every request; returns the CA too.
async fn venue() -> (SocketAddr, CertificateDer<'static>) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["venue.test".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(tls) = TlsAcceptor::from(Arc::new(config.clone())).accept(tcp).await {
                let mut socket = accept_async(tls).await.unwrap();
                let request = socket.next().await.unwrap().unwrap();
                let request: serde_json::Value = serde_json::from_str(request.to_text().unwrap()).unwrap();
                let granted = Message::text(json!({"result": null, "id": request["id"]}).to_string());
                socket.send(granted).await.unwrap();
                // Until the feed leaves.
                while let Some(Ok(_)) = socket.next().await {}
            }
        }
    });
    (address, ca.der().clone())
}

/// A feed at `wss://venue.test`, or at another name.
fn feed(host: &str, ca_file: Option<CaFile>) -> Feed {
    let symbol: Symbol = "BTC-USDT".parse().unwrap();
    let config = config::Feed {
        url: Some(format!("wss://{host}/ws")),
        ca_file,
        ..config::Feed::new(venue::find("binance").unwrap(), vec![symbol.into()])
    };
    Feed::new(&config, &Config::default().limits, Now::read()).unwrap()
}

/// A try of it at this address.
async fn try_out(host: &str, address: SocketAddr, ca_file: Option<CaFile>) -> Trial {
    let feed = feed(host, ca_file).with_look_up(LookUp::new(move |_, _| Ok(vec![address])));
    within("the try ends", feed.try_out(PATIENCE)).await
}

#[tokio::test]
async fn a_feed_trusts_the_private_ca_of_its_ca_file() {
    let (address, ca) = venue().await;
    let ca_file = |certificates: Vec<CertificateDer<'static>>| Some(CaFile { path: "ca.pem".to_owned(), certificates });
    let (_, other) = venue().await;
    for certificates in [vec![ca.clone()], vec![other.clone(), ca.clone()]] {
        let trial = try_out("venue.test", address, ca_file(certificates)).await;
        assert_eq!((trial.outcome, trial.tried), (Ok(0), format!("{address} connected")));
    }
    for (host, ca_file, why) in [
        ("venue.test", None, "the certificate's issuer is unknown"),
        ("other.test", ca_file(vec![ca.clone()]), "the certificate is for another name"),
        ("venue.test", ca_file(vec![other]), "the certificate is not signed by the CA that it names"),
    ] {
        let trial = try_out(host, address, ca_file).await;
        let error = trial.outcome.unwrap_err();
        assert!(error.starts_with(&format!("tls {why}")), "{host}: {error}");
    }
}

#[tokio::test]
async fn a_venue_that_has_moved_to_another_address_is_found_by_the_next_attempt() {
    let (moved, ca) = venue().await;
    // It is bound and does not listen.
    let left = TcpSocket::new_v4().unwrap();
    left.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let left_address = left.local_addr().unwrap();
    let found = Arc::new(Mutex::new(left_address));
    let look_up = {
        let found = found.clone();
        LookUp::new(move |_, _| Ok(vec![*found.lock().unwrap()]))
    };
    let ca_file = CaFile { path: "ca.pem".to_owned(), certificates: vec![ca] };
    let feed = feed("venue.test", Some(ca_file)).with_look_up(look_up);
    let next = feed.again();
    let trial = within("the try ends", feed.try_out(PATIENCE)).await;
    assert_eq!((trial.outcome.is_err(), trial.tried), (true, format!("{left_address} refused")));
    *found.lock().unwrap() = moved;
    // Or the verdict of the first attempt would be its own.
    next.rest("it is tried again", Now::read());
    let trial = within("the try ends", next.try_out(PATIENCE)).await;
    assert_eq!((trial.outcome, trial.tried), (Ok(0), format!("{moved} connected")));
}
