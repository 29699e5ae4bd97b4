use super::*;
use crate::recording::{
    Format, Header, Record,
    read::bytes::tests::{file, gzip},
};

const BASE: UnixNanos = 1_732_283_045_000_000_000;

/// All entries of these files: how many ns after the base, of which file, and what.
fn read(files: Vec<PathBuf>) -> Vec<(i64, usize, String)> {
    let shown = |item: Result<Played, RecordingError>| match item {
        Ok(Played { file, entry }) => (entry.at as i64 - BASE as i64, file, say(entry.record)),
        Err(error) => (0, 0, error.to_string().rsplit_once('-').unwrap().1.to_owned()),
    };
    let all = Merged::new(files.clone()).map(shown).collect();
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap_or_default());
    all
}

fn say(record: Record) -> String {
    match record {
        Record::Frame(frame) => String::from_utf8(frame).unwrap(),
        other => format!("{other:?}"),
    }
}

fn is_frame(item: &Result<Played, RecordingError>) -> bool {
    matches!(item.as_ref().unwrap().entry.record, Record::Frame(_))
}

fn own(lines: &[(u64, &str)]) -> String {
    lines.iter().map(|(after, frame)| format!("{} {frame}\n", BASE + after)).collect()
}

#[test]
fn files_are_merged_by_their_times_and_bare_ones_come_last() {
    let files = vec![
        file("a", own(&[(1, "a1"), (4, "a4"), (5, "a5")]).as_bytes()),
        file("b", &gzip(&own(&[(0, "b0"), (4, "b4"), (9, "b9")]))),
        file("c", b"{\"c\":1}\n{\"c\":2}\n"),
        file("d", own(&[(7, "d7")]).as_bytes()),
    ];
    let read = read(files);
    let order: Vec<&str> = read.iter().map(|(.., what)| what.as_str()).collect();
    assert_eq!(order, ["b0", "a1", "a4", "b4", "a5", "d7", "b9", "{\"c\":1}", "{\"c\":2}"]);
    assert_eq!(read.iter().map(|(_, file, _)| *file).collect::<Vec<_>>(), [1, 0, 0, 1, 0, 3, 1, 2, 2]);
    assert_eq!((read[7].0, read[8].0), (10_000_009, 20_000_009), "a hundred a second");
}

#[test]
fn times_that_step_back_are_kept_in_the_order_of_the_file() {
    let read = read(vec![file("back", own(&[(5, "a"), (3, "b"), (9, "c")]).as_bytes())]);
    assert_eq!(
        read.iter().map(|(at, _, what)| (*at, what.as_str())).collect::<Vec<_>>(),
        [(5, "a"), (3, "b"), (9, "c")]
    );
}

#[test]
fn what_is_no_frame_is_read_too() {
    let frames = own(&[(0, "a"); 20]);
    let text = format!(
        "# tickfan 1 venue=sim\n# {BASE} open\n{frames}nonsense\n\n# {BASE} dropped 3\n# a comment\n# {BASE} close io\n\n"
    );
    let read = read(vec![file("events", text.as_bytes())]);
    let mut said: Vec<&str> = read.iter().map(|(.., what)| what.as_str()).collect();
    said.dedup();
    assert_eq!(said, ["Opened", "a", "Unreadable", "Closed(\"\")", "Dropped(3)", "Closed(\"io\")"]);
    assert!(read.iter().all(|(at, ..)| *at == 0), "a line without a time has the last one");
}

#[test]
fn a_file_that_breaks_off_tells_and_the_others_go_on() {
    let cut = gzip(&own(&[(1, "a"), (2, "b")]));
    let files = vec![
        file("cut.gz", &cut[..cut.len() - 4]),
        file("whole", own(&[(3, "c")]).as_bytes()),
        PathBuf::from("/a-missing"),
    ];
    let said: Vec<String> = read(files).into_iter().map(|(.., what)| what).collect();
    assert_eq!(said[0], "missing: No such file or directory (os error 2)");
    let notice = "cut.gz:3: the file is cut off; what follows is missing";
    assert_eq!(said[1..], ["a", "b", notice, "Closed(\"\")", "c"], "what it said last is old now");
}

#[test]
fn a_file_that_ends_before_the_others_tells_that_its_prices_are_old() {
    let closed = format!("{}\n", own(&[(1, "b")]));
    let files = vec![
        file("short", own(&[(0, "a")]).as_bytes()),
        file("told", closed.as_bytes()),
        file("long", own(&[(0, "c"), (5, "c")]).as_bytes()),
        file("alone", own(&[(7, "d")]).as_bytes()),
        file("later", own(&[(7, "e"), (9, "e")]).as_bytes()),
    ];
    let said = read(files);
    let lost: Vec<_> =
        said.iter().filter(|(.., what)| what.starts_with("Closed")).map(|said| (said.0, said.1)).collect();
    assert_eq!(lost, [(1, 1), (7, 3)], "as long as a file waits, it may go on with what ended: {said:?}");
    assert!(matches!(said.last(), Some((9, 4, what)) if what == "e"));
}

#[test]
fn a_file_that_was_cut_before_its_first_line_plays_nothing_and_is_not_refused() {
    let path = file("stub.gz", &gzip(&own(&[(1, "a")]))[..12]);
    assert!(!inspect(&path).unwrap().has_entries);
    let said: Vec<String> =
        read(vec![path, file("whole2", own(&[(3, "c")]).as_bytes())]).into_iter().map(|(.., what)| what).collect();
    assert_eq!(said.iter().filter(|what| *what == "c").count(), 1);
    assert!(said.contains(&"stub.gz:1: the file is cut off; what follows is missing".to_owned()), "{said:?}");
}

#[test]
fn the_first_lines_decide() {
    let inspected = |name: &str, text: &str| {
        let path = file(name, text.as_bytes());
        let inspected = inspect(&path).map_err(|error| error.to_string().rsplit_once("-i.").unwrap().1.to_owned());
        std::fs::remove_file(path).unwrap();
        inspected
    };
    let lines = |count: u64, more: &str| own(&(0..count).map(|number| (number, "{}")).collect::<Vec<_>>()) + more;
    let own_file = inspected("i.own", &format!("# tickfan 1 venue=a feed=b symbols=A,B\n{}", lines(2, ""))).unwrap();
    let header = Header { venue: "a".to_owned(), feed: "b".to_owned(), symbols: vec!["A".to_owned(), "B".to_owned()] };
    let expected = Inspection { format: Format::Own, header: Some(header), first_at: Some(BASE), has_entries: true };
    assert_eq!(own_file, expected);
    assert!(inspected("i.late", &lines(20, "nonsense\n")).is_ok(), "it is counted when it is played");
    assert!(!inspected("i.empty", "").unwrap().has_entries);
    for (name, text, expected) in [
        (
            "i.early",
            lines(19, "nonsense\n"),
            "early:20: `nonsense` is not like the lines before it; expected `<ns since 1970> <frame>`",
        ),
        ("i.csv", "symbol,price\nA,1\n".to_owned(), "csv:1: not a recording: `symbol,price`"),
        ("i.new", "# tickfan 2 x\n".to_owned(), "new:1: version 2 of a recording; this program reads version 1"),
        ("i.bytes", "\n\u{1b}[2J\n".to_owned(), "bytes:2: not a recording: `\u{fffd}[2J`"),
    ] {
        assert_eq!(inspected(name, &text).unwrap_err(), expected);
    }
    let long = "x".repeat(super::super::LINE_BYTES_MAX + 1);
    assert_eq!(inspected("i.long", &long).unwrap_err(), "long:1: the line is longer than 4 MiB");
}

#[test]
fn rule_10_a_frame_has_a_limit_too() {
    let frame = "x".repeat(super::super::FRAME_BYTES_MAX);
    let read = read(vec![file("frames", own(&[(1, "a"), (2, &frame), (3, &format!("{frame}x"))]).as_bytes())]);
    assert_eq!((read[1].2.len(), read[2].2.as_str()), (frame.len(), "Unreadable"));
}

#[test]
fn rule_10_only_files_of_one_time_are_open_at_once() {
    let files: Vec<PathBuf> = (0..200)
        .map(|hour| file(&format!("hour{hour}"), own(&[(hour * 10, "a"), (hour * 10 + 10, "b")]).as_bytes()))
        .collect();
    let mut merged = Merged::new(files.clone());
    let mut entries = 0;
    while let Some(item) = merged.next() {
        entries += usize::from(is_frame(&item));
        assert!(merged.open.len() <= 2);
    }
    assert_eq!(entries, 400);
    let same: Vec<PathBuf> = files
        .iter()
        .map(|path| {
            std::fs::write(path, own(&[(1, "a")])).unwrap();
            path.clone()
        })
        .collect();
    let mut merged = Merged::new(same);
    merged.next();
    assert!(merged.open.len() <= OPEN_MAX);
    assert_eq!(merged.filter(is_frame).count(), 199, "those that wait come when others have ended");
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
}
