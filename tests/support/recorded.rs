//! The files of a recording.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::read::MultiGzDecoder;
use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

/// An empty folder.
pub fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("recorded-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The names of the files that a recording of this feed may begin now: an hour may end meanwhile.
pub fn names_of_now(feed: &str, connection: usize) -> Vec<String> {
    let hours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 3_600;
    let name = |hour: u64| {
        let time = humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_secs(hour * 3_600));
        let stamp = time.to_string()[..13].replace('-', "");
        format!("{feed}.{connection}-{stamp}.txt.gz")
    };
    vec![name(hours), name(hours + 1)]
}

/// All files of a folder, in the order of their names.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Their size.
pub fn bytes(folder: &Path) -> u64 {
    files(folder).iter().map(|file| fs::metadata(file).unwrap().len()).sum()
}

/// Their text.
pub fn text(folder: &Path) -> String {
    let mut text = String::new();
    for file in files(folder) {
        MultiGzDecoder::new(File::open(file).unwrap()).read_to_string(&mut text).unwrap();
    }
    text
}

/// The frames of a recording's text.
pub fn frames(text: &str) -> Vec<Vec<u8>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let frame = |line: &str| {
        let (time, frame) = line.split_once(' ').unwrap();
        assert_eq!(time.len(), 19, "{line}");
        match frame.strip_prefix("base64:") {
            Some(binary) => BASE64_STANDARD.decode(binary).unwrap(),
            None => frame.as_bytes().to_vec(),
        }
    };
    lines.map(frame).collect()
}

/// Makes a named pipe.
pub fn make_pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

/// Reads all that is written to a pipe, until its text is asked for.
pub struct Reader {
    thread: JoinHandle<Vec<u8>>,
    /// Keeps the pipe open between two writers.
    writer: File,
}

/// Begins to read a pipe.
pub fn read_pipe(path: PathBuf) -> Reader {
    // Opened for both, it does not wait for the other end.
    let writer = File::options().read(true).write(true).open(&path).unwrap();
    let mut reader = File::open(path).unwrap();
    let thread = thread::spawn(move || {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        bytes
    });
    Reader { thread, writer }
}

impl Reader {
    /// The text of what was written.
    pub fn text(self) -> String {
        drop(self.writer);
        let bytes = self.thread.join().unwrap();
        let mut text = String::new();
        if bytes.is_empty() {
            return text;
        }
        MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        text
    }
}
