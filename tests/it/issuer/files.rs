//! Keys in files.

use super::{Kept, PATIENCE, WAITERS_MAX, key, key_set};
use crate::support::certificates::folder;
use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};
use tickfan::{
    auth::{KEY_SET_BYTES_MAX, KeySet, SECRET_BYTES_MAX, SECRET_FILE_BYTES_MAX},
    issuer::{Fetcher, FixedKeys, Outcome, Source, Times, keep},
};
use tokio::{task::yield_now, time::timeout};

const LOOK: Duration = Duration::from_millis(5);
const RARELY: Duration = Duration::from_secs(3600);

/// Files as Kubernetes mounts them: a link to a link, which is swapped.
struct Mounted {
    folder: PathBuf,
}

impl Mounted {
    fn new(test: &str) -> Self {
        let folder = folder(test);
        for link in ["keys.json", "..data"] {
            let _ = fs::remove_file(folder.join(link)); // of an earlier run
        }
        symlink("..data/keys.json", folder.join("keys.json")).unwrap();
        Self { folder }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("keys.json")
    }

    fn swap(&self, version: &str, json: &str) {
        let data = self.folder.join(version);
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("keys.json"), json).unwrap();
        let link = self.folder.join("..new");
        let _ = fs::remove_file(&link);
        symlink(version, &link).unwrap();
        fs::rename(&link, self.folder.join("..data")).unwrap();
    }
}

#[tokio::test]
async fn a_file_that_is_swapped_by_a_symbolic_link_is_read_again() {
    let mounted = Mounted::new("keys-swapped");
    mounted.swap("first", &key_set(&["a"]));
    let kept = Kept::start(Source::File(mounted.file()), Times::of_file(LOOK));
    kept.reaches(&["a"]).await;
    mounted.swap("second", &key_set(&["b"]));
    kept.reaches(&["b"]).await;
    mounted.swap("third", "{\"keys\":");
    kept.fails_with("it is not a JSON object").await;
    assert_eq!(kept.ids(), ["b"]);
    fs::remove_file(mounted.folder.join("..data")).unwrap();
    kept.fails_with("it cannot be read: No such file or directory").await;
    assert_eq!(kept.ids(), ["b"]);
    let keys = format!(r#"{{"keys":[{{"kty":"RSA"}},{}]}}"#, key("c"));
    mounted.swap("fourth", &keys);
    kept.reaches(&["c"]).await;
    let status = kept.keys.status();
    assert_eq!((status.skipped[0].to_string().as_str(), status.failure), ("key 1: `n` must be a string", None));
}

#[tokio::test]
async fn keys_stay_for_a_day_though_their_file_is_gone_and_no_longer() {
    assert_eq!(Times::of_file(LOOK).kept, Duration::from_secs(24 * 3600), "as those of a server");
    let mounted = Mounted::new("keys-gone");
    mounted.swap("first", &key_set(&["a"]));
    let brief = Times { kept: Duration::from_secs(1), ..Times::of_file(LOOK) };
    let kept = Kept::start(Source::File(mounted.file()), brief);
    kept.reaches(&["a"]).await;
    fs::remove_file(mounted.folder.join("..data")).unwrap();
    kept.fails_with("it cannot be read").await;
    kept.reaches(&[]).await;
    mounted.swap("second", &key_set(&["b"]));
    kept.reaches(&["b"]).await;
}

#[tokio::test]
async fn an_operators_signal_has_the_file_read_at_once() {
    let mounted = Mounted::new("keys-signal");
    mounted.swap("first", &key_set(&["a"]));
    let kept = Kept::start(Source::File(mounted.file()), Times::of_file(RARELY));
    kept.reaches(&["a"]).await;
    mounted.swap("second", &key_set(&["b"]));
    kept.keys.look();
    kept.reaches(&["b"]).await;
}

#[tokio::test]
async fn keys_that_were_read_before_the_start_count_at_once() {
    let mounted = Mounted::new("keys-before");
    mounted.swap("first", &key_set(&["a"]));
    let fetcher = Fetcher::new(Source::File(mounted.file()), Times::SERVER.step);
    let first = fetcher.read_local().unwrap().unwrap();
    let (keys, keeper) = keep(fetcher, Times::of_file(LOOK), WAITERS_MAX);
    assert!(keys.newest().is_none());
    let _keeper = keeper.with_keys(first);
    assert!(keys.newest().is_some());
}

#[tokio::test]
async fn a_secret_comes_from_a_file_or_a_variable() {
    let file = folder("keys-secret").join("secret");
    fs::write(&file, format!("{}\n", "s".repeat(32))).unwrap();
    let keys = Arc::new(KeySet::of_secret(&[7; 32]).unwrap());
    let fixed = FixedKeys { place: "the variable S".to_owned(), keys };
    for source in [Source::SecretFile(file.clone()), Source::Fixed(fixed)] {
        let kept = Kept::start(source, Times::of_file(RARELY));
        kept.reaches(&["-"]).await;
    }
    let kept = Kept::start(Source::SecretFile(file.clone()), Times::of_file(LOOK));
    kept.reaches(&["-"]).await;
    fs::write(&file, "hush").unwrap();
    kept.fails_with("the secret has 4 bytes; it must have 32 to 1024").await;
    assert!(!format!("{:?}", kept.keys).contains("ssss"));
}

fn read(path: &Path) -> Result<usize, (Outcome, String)> {
    let read = Fetcher::new(Source::File(path.into()), Times::SERVER.step).read_local();
    read.map(|found| found.unwrap().keys().len()).map_err(|failed| (failed.error.outcome(), failed.to_string()))
}

#[test]
fn rule_10_a_file_has_a_longest_length() {
    let file = folder("keys-long").join("keys.json");
    let json = key_set(&["a"]);
    let padded = |bytes: usize| json.clone() + &" ".repeat(bytes - json.len());
    fs::write(&file, padded(KEY_SET_BYTES_MAX)).unwrap();
    assert_eq!(read(&file), Ok(1));
    fs::write(&file, padded(KEY_SET_BYTES_MAX + 1)).unwrap();
    let too_long = Err((Outcome::TooLong, "it is longer than 64 KiB".to_owned()));
    assert_eq!(read(&file), too_long);
    assert_eq!(read(Path::new("/dev/zero")), too_long, "it never ends");
    assert_eq!(read(file.parent().unwrap()).unwrap_err().0, Outcome::File);
}

#[tokio::test]
async fn rule_10_a_secret_and_its_file_have_a_longest_length_at_a_look_too() {
    let file = folder("secret-long").join("secret");
    let fetcher = Fetcher::new(Source::SecretFile(file.clone()), Times::SERVER.step);
    for (secret, blanks, fault) in [
        (SECRET_BYTES_MAX, SECRET_FILE_BYTES_MAX - SECRET_BYTES_MAX, None),
        (SECRET_BYTES_MAX + 1, 0, Some("the secret has 1025 bytes; it must have 32 to 1024")),
        (SECRET_BYTES_MAX, SECRET_FILE_BYTES_MAX - SECRET_BYTES_MAX + 1, Some("it is longer than 4 KiB")),
    ] {
        fs::write(&file, "s".repeat(secret) + &" ".repeat(blanks)).unwrap();
        let looks = timeout(PATIENCE, fetcher.fetch()).await.unwrap().err().map(|failed| failed.to_string());
        assert_eq!(looks.as_deref(), fault);
        assert_eq!(fetcher.read_local().err().map(|failed| failed.to_string()), looks, "at the start");
    }
}

#[tokio::test]
async fn rule_10_a_file_that_hangs_takes_one_thread_and_a_limited_time() {
    let folder = folder("keys-pipe");
    let [file, pipe] = ["keys.json", "pipe"].map(|name| folder.join(name));
    for path in [&file, &pipe] {
        let _ = fs::remove_file(path); // of an earlier run
    }
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::hard_link(&pipe, &file).unwrap();
    let fetcher = Fetcher::new(Source::File(file.clone()), Duration::from_millis(50));
    let hangs = format!("it takes too long: waiting for the file {}", file.display());
    let failed = timeout(PATIENCE, fetcher.fetch()).await.unwrap().unwrap_err();
    assert_eq!((failed.to_string(), failed.error.outcome()), (hangs.clone(), Outcome::Timeout));
    // Now it could be read, but the thread still waits for a writer of the pipe.
    fs::remove_file(&file).unwrap();
    fs::write(&file, key_set(&["a"])).unwrap();
    assert_eq!(timeout(PATIENCE, fetcher.fetch()).await.unwrap().unwrap_err().to_string(), hangs);
    fs::write(&pipe, "").unwrap();
    let reads = async {
        while fetcher.fetch().await.is_err() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, reads).await.expect("the thread has ended");
}
