//! A venue with a certificate of a private CA, over real TLS.

use super::{
    proxy_tests::{self, through},
    *,
};
use crate::{dial::LookUp, feed::DisconnectReason};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async;

const PATIENCE: Duration = Duration::from_secs(20);

type Ca = CertifiedIssuer<'static, KeyPair>;

fn ca(name: &str) -> Ca {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate of a venue: its name, and the years of its validity.
fn server_config(ca: &Ca, name: &str, years: [i32; 2]) -> ServerConfig {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    [params.not_before, params.not_after] = years.map(|year| date_time_ymd(year, 1, 1));
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap()
}

/// A venue that takes one connection.
async fn venue(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        if let Ok(tls) = TlsAcceptor::from(Arc::new(config)).accept(tcp).await {
            let _ = accept_async(tls).await;
        }
    });
    address
}

/// A feed that trusts these CAs, and whose look-up finds this address.
fn dialing(trusted: &[&Ca], address: SocketAddr) -> Dialing {
    let own: Vec<CertificateDer<'static>> = trusted.iter().map(|ca| ca.der().clone()).collect();
    let look_up = LookUp::new(move |_, _| Ok(vec![address]));
    Dialing::new(&own, None).with_look_up(look_up)
}

async fn open(dialing: Dialing) -> Result<Socket, SocketError> {
    let dialer = Dialer::new(dialing, 1 << 20);
    timeout(PATIENCE, dialer.open("wss://venue.test/ws")).await.expect("the attempt ends")
}

#[tokio::test]
async fn a_venue_with_a_private_ca_is_trusted_where_the_feed_lists_it() {
    let [ca, other] = [ca("CA"), ca("other")];
    let valid = [2020, 2120];
    for trusted in [vec![&ca], vec![&other, &ca]] {
        let address = venue(server_config(&ca, "venue.test", valid)).await;
        open(dialing(&trusted, address)).await.unwrap();
    }
    let address = venue(server_config(&ca, "venue.test", valid)).await;
    let proxy = proxy_tests::leads_to(address).await;
    let dialer = proxy_tests::dialer(through(proxy.address, None), dialing(&[&ca], address));
    timeout(PATIENCE, dialer.open("wss://venue.test/ws")).await.unwrap().unwrap();
}

#[tokio::test]
async fn each_failure_of_a_certificate_has_its_own_explanation() {
    let [ca, other, renewed] = [ca("CA"), ca("other"), ca("CA")];
    for (trusted, name, years, explanation) in [
        (vec![], "venue.test", [2020, 2120], "the certificate's issuer is unknown; `ca_file` adds a private CA"),
        (vec![&other], "venue.test", [2020, 2120], "the certificate's issuer is unknown"),
        (vec![&renewed], "venue.test", [2020, 2120], "the certificate is not signed by the CA that it names"),
        (vec![&ca], "other.test", [2020, 2120], "the certificate is for another name"),
        (vec![&ca], "venue.test", [2020, 2021], "the certificate has expired"),
        (
            vec![&ca],
            "venue.test",
            [2119, 2120],
            "the certificate is not valid yet, or the clock of this host is behind",
        ),
    ] {
        let address = venue(server_config(&ca, name, years)).await;
        let error = open(dialing(&trusted, address)).await.unwrap_err();
        assert!(error.to_string().starts_with(explanation), "{name} {years:?}: {error}");
        assert_eq!(error.reason(), DisconnectReason::Tls);
    }
    let address = venue(server_config(&ca, "other.test", [2020, 2120])).await;
    let error = open(dialing(&[&ca], address)).await.unwrap_err().to_string();
    assert!(error.contains("venue.test") && error.contains("other.test"), "both names: {error}");
}

#[tokio::test]
async fn a_venue_that_does_not_speak_tls_is_told_as_that() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialing = dialing(&[], listener.local_addr().unwrap());
    let plain = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut tcp, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        tcp
    };
    let (opened, _tcp) = tokio::join!(open(dialing), plain);
    let error = opened.unwrap_err();
    assert!(error.to_string().starts_with("the other side does not speak TLS"), "{error}");
    assert_eq!(error.reason(), DisconnectReason::Tls);
}
