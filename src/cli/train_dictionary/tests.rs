//! Learning from a gateway that answers as it is told to.

use super::*;
use std::{
    io::{BufRead as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::Arc,
};

/// How a gateway answers.
#[derive(Clone)]
struct Answers {
    symbols: String,
    whole: String,
    patches: String,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            symbols: ok(r#"{"symbols":[{"symbol":"AAPL"},{"symbol":"MSFT"}]}"#),
            whole: ok(&(0..400).map(|seq| tick("id: 1-", seq)).collect::<String>()),
            patches: ok(&(0..400).map(|seq| tick("event: patch\nid: 1-", seq)).collect::<String>()),
        }
    }
}

fn ok(body: &str) -> String {
    format!("HTTP/1.0 200 OK\r\ncontent-type: x\r\n\r\n{body}")
}

fn tick(start: &str, seq: u64) -> String {
    let price = 7_919 * seq % 100_000;
    format!(
        "{start}{seq}\ndata: {{\"symbol\":\"AAPL\",\"seq\":{seq},\"kind\":\"trade\",\"price\":{price},\"size\":1}}\n\n"
    )
}

/// Answers, and keeps a stream open as long as the client does, unless it is to end.
fn serve(answers: &Answers, mut client: TcpStream) {
    let mut reader = BufReader::new(client.try_clone().unwrap());
    let mut head = String::new();
    while reader.read_line(&mut head).unwrap() > 2 {}
    assert!(head.contains("authorization: Bearer secret\r\n"), "{head}");
    let (answer, stays) = match () {
        () if head.contains("/v1/symbols?limit=500 ") => (&answers.symbols, false),
        () if head.contains("?symbols=AAPL,MSFT&patch=1 ") => (&answers.patches, true),
        () if head.contains("?symbols=AAPL,MSFT ") => (&answers.whole, true),
        () => panic!("{head}"),
    };
    // A client that has read a goodbye does not read on.
    let _ = client.write_all(answer.strip_suffix("END").unwrap_or(answer).as_bytes());
    if stays && answer.starts_with("HTTP/1.0 200 ") && !answer.ends_with("END") {
        let _ = reader.read_line(&mut head);
    }
}

/// What is said, and what is in the file that had something else in it before.
fn learn(name: &str, bytes: usize, answers: Answers) -> (Result<String, String>, Vec<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let from = listener.local_addr().unwrap();
    let answers = Arc::new(answers);
    thread::spawn(move || {
        for client in listener.incoming() {
            let answers = answers.clone();
            thread::spawn(move || serve(&answers, client.unwrap()));
        }
    });
    let folder = std::env::temp_dir().join(format!("tickfan-train-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (out, token) = (folder.join("dictionary.txt"), folder.join("token"));
    fs::write(&out, "old").unwrap();
    fs::write(&token, "secret\n").unwrap();
    let training = TrainDictionary { out: out.clone(), from, seconds: 1, bytes, token_file: Some(token) };
    let said = training.run().map_err(|error| error.to_string());
    let content = fs::read(out).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing is left beside it");
    fs::remove_dir_all(folder).unwrap();
    (said, content)
}

#[test]
fn a_dictionary_has_events_of_both_forms_and_takes_the_place_of_the_file_before() {
    let (said, content) = learn("good", 4 << 10, Answers::default());
    assert!(said.unwrap().contains("of 400 ticks and 400 patches of 2 symbols"));
    let text = String::from_utf8(content).unwrap();
    assert!(text.contains("\n\nid: 1-") && text.contains("event: patch\nid: 1-"), "{text}");
    assert!(Dictionary::new(text.into()).is_ok());
}

#[test]
fn what_goes_wrong_is_said_and_leaves_the_file_as_it_is() {
    let good = Answers::default();
    let bye = |reason: &str| format!("retry: 5000\nevent: bye\ndata: {{\"reason\":\"{reason}\"}}\n\n");
    let problem = |status: &str, detail: &str| format!("HTTP/1.0 {status}\r\n\r\n{{\"detail\":\"{detail}\"}}");
    let cases = [
        (
            "whole-bye",
            4096,
            Answers { whole: ok(&bye("busy")), ..good.clone() },
            "ended a stream: busy\n   = two streams",
        ),
        ("patch-bye", 4096, Answers { patches: ok(&bye("denied")), ..good.clone() }, "ended a stream: denied\n"),
        ("late-bye", 4096, Answers { whole: good.whole.clone() + &bye("expired"), ..good.clone() }, "expired"),
        (
            "early-end",
            4096,
            Answers { patches: good.patches.clone() + "END", ..good.clone() },
            "ended a stream: it said",
        ),
        ("no-patch", 4096, Answers { patches: ok(""), ..good.clone() }, "sent 400 ticks and 0 patches"),
        ("no-tick", 4096, Answers { whole: ok(""), ..good.clone() }, "sent 0 ticks and 400 patches"),
        ("no-symbols", 4096, Answers { symbols: ok("{}"), ..good.clone() }, "lists no symbols"),
        (
            "401",
            4096,
            Answers { symbols: problem("401 No", "sign on"), ..good.clone() },
            "401: sign on\n   = give a token",
        ),
        ("400", 4096, Answers { whole: problem("400 No", "at most 2"), ..good.clone() }, "400: at most 2\n   = change"),
        ("not-http", 4096, Answers { symbols: "SSH-2.0\r\n".to_owned(), ..good.clone() }, "\"SSH-2.0\"\n   = name the"),
        ("small", 256, Answers { whole: ok(&tick("id: 1-", 0).repeat(200)), ..good }, "256 to 262144 bytes"),
    ];
    // Each reads for a second.
    thread::scope(|scope| {
        for (name, bytes, answers, expected) in cases {
            scope.spawn(move || {
                let (said, content) = learn(name, bytes, answers);
                let said = said.unwrap_err();
                assert!(said.contains(expected), "{name}: {said}");
                assert_eq!(content, b"old", "{name}");
            });
        }
    });
}
