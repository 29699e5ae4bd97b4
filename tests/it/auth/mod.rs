//! Sign-on and entitlements from outside: a whole gateway, over HTTP/1.1, TLS and HTTP/2.

mod attacks;
mod changes;
mod credentials;
mod delay;
mod keys;
mod rights;
mod streams;

use crate::support::{
    PATIENCE,
    certificates::folder,
    issuer::{Issuer, SigningKey},
    running::{Running, serve_https},
    wire::{Place, Reply, Wire},
};
use std::{
    fs,
    ops::Deref,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tickfan::{
    config::{Loader, Overrides},
    feed::Timing,
    gateway::Reloader,
};
use tokio::runtime::Builder;

const FEED: &str = "[[feed]]\nvenue = \"sim\"\nsymbols = [\"AAPL\", \"MSFT\", \"BTC-USDT\", \"ETH-USDT\"]\n";

/// A gateway of simulated symbols, whose clients sign on, and its issuer.
struct Site {
    gateway: Running,
    place: Place,
    issuer: Issuer,
    /// The configuration.
    file: PathBuf,
    reloader: Arc<Reloader>,
}

impl Deref for Site {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.place
    }
}

impl Site {
    /// Clients must sign on.
    fn start() -> Self {
        Self::with("mode = \"required\"")
    }

    /// With these lines of `[auth]`.
    fn with(auth: &str) -> Self {
        Self::with_keys("keys = \"file:keys.json\"", auth)
    }

    /// With these lines of `[auth]`, and a second feed, whose prices are late: of one symbol that is live too, and of
    /// one that is not.
    fn with_late_prices(auth: &str) -> Self {
        Self::with(&format!(
            "{auth}\n[[feed]]\nname = \"late\"\nvenue = \"sim\"\ntier = \"delayed\"\ndelayed_by = \"15m\"\n\
             symbols = [\"AAPL\", \"BTC-EUR\"]"
        ))
    }

    /// With these lines of `[auth]`, and another source of the keys than a file of the issuer's.
    fn with_keys(keys: &str, auth: &str) -> Self {
        Self::of(FEED, keys, auth)
    }

    /// With these lines of `[auth]`, and another key of the issuer's.
    fn signed_by(key: SigningKey, auth: &str) -> Self {
        Self::of_issuer(Issuer::of(key, "one"), FEED, "keys = \"file:keys.json\"", auth)
    }

    /// With this feed.
    fn of(feed: &str, keys: &str, auth: &str) -> Self {
        Self::of_issuer(Issuer::new(1, "one"), feed, keys, auth)
    }

    fn of_issuer(issuer: Issuer, feed: &str, keys: &str, auth: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("auth-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = folder(&name);
        fs::write(folder.join("keys.json"), issuer.jwks()).unwrap();
        let file = folder.join("tickfan.toml");
        let text = format!(
            "[server]\ncors_origins = [\"https://app.example\"]\n\
             {feed}\
             [auth]\n{keys}\nissuer = \"https://login.example\"\n{auth}\n"
        );
        fs::write(&file, text).unwrap();
        let loader = Loader::new(Some(file.clone()), Vec::new(), Overrides::default());
        let mut config = loader.load().unwrap_or_else(|error| panic!("{error}"));
        config.server.listen = "127.0.0.1:0".parse().unwrap();
        config.server.admin_listen = "127.0.0.1:0".parse().unwrap();
        config.server.drain = Duration::ZERO;
        let ca = serve_https(&mut config, &name);
        let reloader = Reloader::new(config, loader, None);
        let gateway = Running::start_reloadable(reloader.clone(), Timing::default());
        let place = Place { plain: gateway.address, tls: gateway.tls.unwrap(), trusted: ca.der() };
        Self { gateway, place, issuer, file, reloader }
    }

    /// Writes another line under `[server]`, and reloads the configuration.
    fn reload_with(&self, line: &str) {
        self.reload_replacing("[server]\n", &format!("[server]\n{line}\n"));
    }

    /// Writes something else in one place of the configuration, and reloads it.
    fn reload_replacing(&self, before: &str, after: &str) {
        let text = fs::read_to_string(&self.file).unwrap();
        assert_eq!(text.matches(before).count(), 1, "{before} in {text}");
        fs::write(&self.file, text.replacen(before, after, 1)).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(self.reloader.reload()).unwrap();
        assert!(!report.changed.is_empty(), "{report:?}");
    }

    /// Asks with a bearer token.
    fn bearer(&self, wire: Wire, target: &str, token: &str) -> Reply {
        self.ask(wire, "GET", target, &[("authorization", &format!("Bearer {token}"))])
    }

    /// Gets a ticket to what a token allows.
    fn ticket(&self, token: &str) -> String {
        let bearer = format!("Bearer {token}");
        let reply = self.ask(Wire::Http1, "POST", "/v1/tickets", &[("authorization", &bearer)]);
        assert_eq!(reply.answer.status, 201, "{:?}", reply.answer);
        let json = reply.answer.json();
        assert_eq!(json["expires_in"], 30);
        json["ticket"].as_str().unwrap().to_owned()
    }
}

/// Repeats a question until its answer will do.
#[track_caller]
fn soon<T>(mut ask: impl FnMut() -> T, will_do: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if will_do(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "it does not come");
    }
}
