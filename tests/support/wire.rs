//! One client of three protocols: HTTP/1.1 plain and over TLS, and HTTP/2.

use super::{
    Answer, Client, PATIENCE,
    tls::{VERSIONS, client, client_config_of},
};
use bytes::Bytes;
use h2::RecvStream;
use http::{Request, Version};
use rustls::pki_types::CertificateDer;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    Http1,
    Tls,
    Http2,
}

impl Wire {
    pub const ALL: [Self; 3] = [Self::Http1, Self::Tls, Self::Http2];
}

/// Where a gateway is, and the certificate that its clients trust.
#[derive(Clone)]
pub struct Place {
    pub plain: SocketAddr,
    pub tls: SocketAddr,
    pub trusted: CertificateDer<'static>,
}

/// The connection of a client of HTTP/1.1.
pub trait Io: Read + Write + Send {}

impl<T: Read + Write + Send> Io for T {}

/// An answer whose head has come.
pub struct Reply {
    pub answer: Answer,
    source: Source,
}

enum Source {
    Http1(Client<Box<dyn Io>>),
    Http2 { runtime: Runtime, body: RecvStream, text: String },
}

impl Place {
    /// Sends a request without a body on a connection of its own, and reads the head of its answer; the body too, if
    /// its length is known.
    pub fn ask(&self, wire: Wire, method: &str, target: &str, fields: &[(&str, &str)]) -> Reply {
        match wire {
            Wire::Http1 => self.ask_http1(Box::new(self.socket(self.plain)), method, target, fields),
            Wire::Tls => {
                let config = client_config_of(self.trusted.clone(), &VERSIONS);
                self.ask_http1(Box::new(client(self.socket(self.tls), config)), method, target, fields)
            }
            Wire::Http2 => self.ask_http2(method, target, fields),
        }
    }

    fn socket(&self, address: SocketAddr) -> TcpStream {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    fn ask_http1(&self, io: Box<dyn Io>, method: &str, target: &str, fields: &[(&str, &str)]) -> Reply {
        let mut client = Client::over(io);
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let answer = client.request(method, target, &fields);
        Reply { answer, source: Source::Http1(client) }
    }

    fn ask_http2(&self, method: &str, target: &str, fields: &[(&str, &str)]) -> Reply {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut config = client_config_of(self.trusted.clone(), &VERSIONS);
        config.alpn_protocols = vec![b"h2".to_vec()];
        let mut request = Request::builder().method(method).uri(format!("https://localhost{target}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = request.version(Version::HTTP_2).body(()).unwrap();
        let asking = async {
            let socket = tokio::net::TcpStream::connect(self.tls).await.unwrap();
            let name = "localhost".try_into().unwrap();
            let io = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
            let (mut requests, connection) = h2::client::Builder::new().handshake::<_, Bytes>(io).await.unwrap();
            tokio::spawn(connection);
            requests.send_request(request, true).unwrap().0.await.unwrap()
        };
        let response = runtime.block_on(async { timeout(PATIENCE, asking).await }).expect("an answer");
        let (head, body) = response.into_parts();
        let mut lines = format!("HTTP/2 {}\r\n", head.status.as_u16());
        for (name, value) in &head.headers {
            lines += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        let answer = Answer { status: head.status.as_u16(), head: lines, body: String::new() };
        let mut reply = Reply { answer, source: Source::Http2 { runtime, body, text: String::new() } };
        if reply.answer.header("content-length").is_some() {
            reply.answer.body = reply.rest();
        }
        reply
    }
}

impl Reply {
    /// Reads a stream until what came satisfies the condition; returns it.
    pub fn until(&mut self, will_do: impl Fn(&str) -> bool) -> String {
        if !self.answer.body.is_empty() {
            assert!(will_do(&self.answer.body), "a whole answer: {:?}", self.answer);
            return self.answer.body.clone();
        }
        match &mut self.source {
            Source::Http1(client) => client.until(will_do),
            Source::Http2 { runtime, body, text } => {
                while !will_do(text) {
                    assert!(runtime.block_on(more(body, text)), "ended after {text:?}");
                }
                text.clone()
            }
        }
    }

    /// Reads a stream to its end.
    pub fn rest(&mut self) -> String {
        match &mut self.source {
            Source::Http1(client) => client.rest(),
            Source::Http2 { runtime, body, text } => {
                while runtime.block_on(more(body, text)) {}
                std::mem::take(text)
            }
        }
    }

    /// The data of the stream's `hello`.
    pub fn hello(&mut self) -> serde_json::Value {
        let text = self.until(|text| named(text, "hello").is_some());
        serde_json::from_str(named(&text, "hello").unwrap()).unwrap()
    }

    /// The problem's kind.
    pub fn kind(&self) -> String {
        let json = self.answer.json();
        assert_eq!(json["status"], self.answer.status, "{json}");
        json["type"].as_str().unwrap().strip_prefix("urn:tickfan:problem:").unwrap().to_owned()
    }
}

/// The data of a named event of a stream, once all of it has come.
pub fn named<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, behind) = text.split_once(&format!("event: {name}\ndata: "))?;
    Some(behind.split_once("\n\n")?.0)
}

/// Reads more of a body; `false` at its end.
async fn more(body: &mut RecvStream, text: &mut String) -> bool {
    match timeout(PATIENCE, body.data()).await.expect("more comes") {
        Some(data) => {
            let data = data.unwrap();
            body.flow_control().release_capacity(data.len()).unwrap();
            text.push_str(std::str::from_utf8(&data).unwrap());
            true
        }
        None => false,
    }
}
