use super::*;
use crate::{
    market::{Now, UnixMicros},
    recording::write::member::BYTES_MAX,
};
use flate2::read::MultiGzDecoder;
use std::{
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// 2026-11-28T16:59:50Z.
const BEFORE_FIVE: i64 = 1_795_885_190_000_000;

/// A folder of its own, deleted at the end.
struct Rig(Settings);

impl Rig {
    fn new(connections: usize, bytes_max: u64) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tickfan-writer-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let symbols = ["BTC-USD", "ETH-USD"][..connections].iter().map(|name| vec![(*name).to_owned()]).collect();
        Self(Settings {
            feed: "crypto".to_owned(),
            venue: "examplex",
            symbols,
            folder: std::env::temp_dir().join(name),
            bytes_max,
            queue_bytes: 0,
        })
    }

    fn open(&self) -> Writer {
        Writer::open(&self.0, RecordMetrics::register("crypto")).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.folder.join(name)
    }

    fn text(&self, name: &str) -> String {
        let mut text = String::new();
        let file = File::open(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
        text
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0.folder).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0.folder);
    }
}

fn begin() -> Now {
    Now { unix: UnixMicros(BEFORE_FIVE), ..Now::read() }
}

fn lines(said: &[(usize, What, &str, Now)]) -> Lines {
    let mut lines = Lines::default();
    said.iter().for_each(|&(connection, what, frame, at)| lines.push(connection, what, frame.as_bytes(), at));
    lines
}

const FIVE: &str = "crypto.1-20261128T17.txt.gz";
const FOUR: &str = "crypto.1-20261128T16.txt.gz";

#[test]
fn each_hour_and_each_connection_has_a_file_that_begins_with_its_head() {
    let rig = Rig::new(2, u64::MAX);
    let begin = begin();
    let later = begin.after(Duration::from_secs(10));
    let mut writer = rig.open();
    let said = [
        (0, What::Opened, "", begin),
        (1, What::Opened, "", begin),
        (0, What::Text, "a", begin),
        (1, What::Text, "b", begin),
        (0, What::Text, "c", later),
        (0, What::Closed("gap"), "", later),
        (0, What::Opened, "", later),
        (0, What::Dropped(2), "", later),
        (0, What::Text, "d", later),
    ];
    writer.write(&lines(&said)).unwrap();
    writer.write_all().unwrap();
    assert_eq!(rig.names(), [FOUR, FIVE, "crypto.2-20261128T16.txt.gz"]);
    assert_eq!(
        rig.text(FOUR),
        "# tickfan 1 venue=examplex feed=crypto symbols=BTC-USD\n# 1795885190000000000 open\n1795885190000000000 a\n"
    );
    assert_eq!(
        rig.text(FIVE),
        "# tickfan 1 venue=examplex feed=crypto symbols=BTC-USD\n1795885200000000000 c\n\
         # 1795885200000000000 close gap\n\n# 1795885200000000000 open\n# 1795885200000000000 dropped 2\n\
         1795885200000000000 d\n"
    );
    assert!(rig.text("crypto.2-20261128T16.txt.gz").contains(" symbols=ETH-USD\n"));
}

#[test]
fn a_member_is_written_when_ten_seconds_are_over_and_not_before() {
    let rig = Rig::new(1, u64::MAX);
    let begin = begin();
    let mut writer = rig.open();
    writer.write(&lines(&[(0, What::Text, "a", begin)])).unwrap();
    writer.write_due(begin.instant + Duration::from_millis(9_999)).unwrap();
    assert_eq!(rig.names(), [""; 0]);
    writer.write_due(begin.instant + Duration::from_secs(10)).unwrap();
    assert!(rig.text(FOUR).ends_with(" a\n"));
}

#[test]
fn rule_10_a_member_holds_a_megabyte_at_most_unless_one_frame_is_longer() {
    let rig = Rig::new(1, u64::MAX);
    let begin = begin();
    let mut writer = rig.open();
    let half = "x".repeat(BYTES_MAX / 2);
    let long = "y".repeat(2 * BYTES_MAX);
    writer.write(&lines(&[(0, What::Text, &half, begin)])).unwrap();
    assert_eq!(rig.names(), [""; 0]);
    writer.write(&lines(&[(0, What::Text, &half, begin), (0, What::Text, &long, begin)])).unwrap();
    assert_eq!(rig.text(FOUR).lines().count(), 3, "the long frame is still on its way");
    writer.write_all().unwrap();
    assert!(rig.text(FOUR).ends_with(&format!("{long}\n")));
}

#[test]
fn what_another_run_left_is_gone_on_with_and_a_file_that_was_moved_away_begins_again() {
    let rig = Rig::new(1, u64::MAX);
    let begin = begin();
    let head = "# tickfan 1 venue=examplex feed=crypto symbols=BTC-USD\n";
    for frame in ["a", "b"] {
        let mut writer = rig.open();
        writer.write(&lines(&[(0, What::Text, frame, begin)])).unwrap();
        writer.write_all().unwrap();
    }
    let frames = ["a", "b", "c"].map(|frame| format!("1795885190000000000 {frame}\n"));
    assert_eq!(rig.text(FOUR), format!("{head}{}{head}{}", frames[0], frames[1]));
    let mut writer = rig.open();
    writer.write(&lines(&[(0, What::Text, "b", begin)])).unwrap();
    writer.write_all().unwrap();
    fs::remove_file(rig.path(FOUR)).unwrap();
    writer.write(&lines(&[(0, What::Text, "c", begin)])).unwrap();
    writer.write_all().unwrap();
    assert_eq!(rig.text(FOUR), format!("{head}{}", frames[2]));
}

#[test]
fn rule_10_the_oldest_files_of_the_feed_are_deleted_and_no_others() {
    let rig = Rig::new(1, 1_000);
    let mut writer = rig.open();
    let others = ["crypto-2.1-20200101T00.txt.gz", "crypto.1-20200101T00.txt", "notes"];
    others.iter().for_each(|name| fs::write(rig.path(name), vec![b'x'; 10_000]).unwrap());
    for hour in 0..20 {
        let at = begin().after(Duration::from_secs(hour * 3_600));
        writer.write(&lines(&[(0, What::Text, "a", at)])).unwrap();
        writer.write_all().unwrap();
        let files = writer.folder.files().unwrap();
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        assert!(bytes <= 1_000 && bytes == writer.bytes, "{bytes} of {files:?}, and {} known", writer.bytes);
    }
    let names = rig.names();
    assert!(others.iter().all(|other| names.iter().any(|name| name == other)), "{names:?}");
    let own: Vec<_> = names.iter().filter(|name| name.starts_with("crypto.1-2026")).collect();
    assert_eq!(own.last().unwrap().as_str(), "crypto.1-20261129T11.txt.gz");
    assert!((3..19).contains(&own.len()) && !names.contains(&FOUR.to_owned()), "{names:?}");
}

#[test]
fn a_file_that_others_hold_beyond_the_limit_goes_even_if_it_is_the_current_one() {
    let rig = Rig::new(1, 1_000);
    let mut writer = rig.open();
    fs::write(rig.path(FOUR), vec![b'x'; 5_000]).unwrap();
    writer.bytes = 5_000;
    writer.write(&lines(&[(0, What::Text, "a", begin())])).unwrap();
    writer.write_all().unwrap();
    assert!(rig.text(FOUR).ends_with(" a\n"));
}

#[test]
fn strangers_cannot_read_a_file() {
    let rig = Rig::new(1, u64::MAX);
    let mut writer = rig.open();
    writer.write(&lines(&[(0, What::Text, "a", begin())])).unwrap();
    writer.write_all().unwrap();
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(rig.path(FOUR)).unwrap());
    assert_eq!(mode & 0o007, 0, "{mode:o}");
}

#[test]
fn a_full_disk_is_an_error() {
    let rig = Rig::new(1, u64::MAX);
    let mut writer = rig.open();
    std::os::unix::fs::symlink("/dev/full", rig.path(FOUR)).unwrap();
    writer.write(&lines(&[(0, What::Text, "a", begin())])).unwrap();
    assert_eq!(writer.write_all().unwrap_err().kind(), io::ErrorKind::StorageFull);
}
