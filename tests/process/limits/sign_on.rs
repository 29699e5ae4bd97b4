//! Clients that sign on.

use super::*;

/// A gateway whose clients sign on, under a limit of `[auth]`, and its issuer.
fn sign_on(limit: &str) -> (Rig, Issuer) {
    let (rig, issuer, _) = sign_on_with_keys(limit);
    (rig, issuer)
}

/// The same, with the file of the issuer's keys.
fn sign_on_with_keys(limit: &str) -> (Rig, Issuer, PathBuf) {
    let issuer = Issuer::new(1, "one");
    let name = thread::current().name().unwrap_or_default().to_owned();
    let keys = certificates::folder(&name).join("keys.json");
    std::fs::write(&keys, issuer.jwks()).unwrap();
    let auth = format!("[auth]\nmode = \"required\"\nkeys = \"file:{}\"\n{limit}", keys.display());
    (Rig::start(&auth), issuer, keys)
}

pub(super) fn a_file_of_keys_is_looked_at() {
    let (rig, issuer, keys) = sign_on_with_keys("look = \"1s\"");
    let next = Issuer::new(2, "two");
    let status = |issuer: &Issuer| {
        let fields = format!("authorization: Bearer {}\r\n", issuer.live("u17", &["*"]));
        rig.client().request("GET", "/v1/symbols", &fields).status
    };
    assert_eq!((status(&issuer), status(&next)), (200, 401));
    std::fs::write(&keys, next.jwks()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while (status(&issuer), status(&next)) != (401, 200) {
        assert!(Instant::now() < deadline, "the new keys do not count");
        thread::sleep(Duration::from_millis(20));
    }
}

pub(super) fn a_stream_too_many_of_a_subject_is_sent_away() {
    let (rig, issuer) = sign_on("streams_per_subject = 2");
    let opens = |subject: &str| {
        let mut client = rig.client();
        let token = issuer.live(subject, &["*"]);
        client.send(format!("GET {TARGET} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"));
        let text = client.until(|text| text.contains("event: hello\n") || text.contains("event: bye\n"));
        text.contains("event: hello\n").then_some(client)
    };
    let _held = [opens("u17").unwrap(), opens("u17").unwrap()];
    assert!(opens("u17").is_none());
    assert_eq!(rig.gateway.metric("tickfan_streams_rejected_total", "subject"), 1);
    opens("u18").unwrap();
}

pub(super) fn a_ticket_no_longer_counts() {
    let (rig, issuer) = sign_on("ticket_ttl = \"5s\"");
    let bearer = format!("authorization: Bearer {}\r\n", issuer.live("u17", &["*"]));
    let issue = || rig.client().request("POST", "/v1/tickets", &bearer);
    let first = issue().json();
    assert_eq!(first["expires_in"], 5);
    let begin = Instant::now();
    // As many as a subject may have: the next is issued once the first has expired.
    (1..32).for_each(|_| assert_eq!(issue().status, 201));
    while issue().status == 429 {
        assert!(begin.elapsed() < Duration::from_secs(60), "tickets do not expire");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(begin.elapsed() >= Duration::from_secs(4));
    let ticket = first["ticket"].as_str().unwrap();
    let answer = rig.client().get(&format!("{TARGET}?ticket={ticket}"));
    assert_eq!((answer.status, &answer.json()["type"]), (401, &"urn:tickfan:problem:bad-ticket".into()));
}
