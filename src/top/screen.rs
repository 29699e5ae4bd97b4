//! Shows a view: in a terminal, each second again, or once as plain text.

use super::{
    TopError,
    arrange::{arrange, places},
    cells::Table,
    controls::{Controls, Outcome, Shown},
    poll,
    sample::Sample,
    view::{View, view},
};
use ratatui::{
    Frame,
    crossterm::event::{self, Event},
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::Line,
    widgets::{Block, Paragraph, Row, Wrap},
};
use std::{
    collections::VecDeque,
    io::{self, IsTerminal as _, Write as _},
    net::SocketAddr,
    sync::mpsc,
    time::{Duration, Instant},
};

/// How often it polls the gateway.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How many entries of each list plain text has.
const LISTED_ONCE: usize = 10;
/// How many entries of each list the screen has: more than fit, to be scrolled, filtered and sorted.
const LISTED_ON_SCREEN: usize = 100;

/// Shows what a gateway does until the user presses `q`; with `once`, prints it and ends.
///
/// # Errors
/// [`TopError`]: the gateway does not answer, or standard output is not a terminal.
pub fn run(address: SocketAddr, once: bool) -> Result<(), TopError> {
    if once {
        return print_once(address);
    }
    if !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let first = poll(address, LISTED_ON_SCREEN)?;
    let mut terminal = ratatui::try_init()?;
    let ended = watch(&mut terminal, address, first);
    ratatui::try_restore()?;
    ended
}

fn print_once(address: SocketAddr) -> Result<(), TopError> {
    let before = poll(address, LISTED_ONCE)?;
    std::thread::sleep(POLL_INTERVAL);
    let now = poll(address, LISTED_ONCE)?;
    Ok(io::stdout().write_all(plain_text(&view(&before, &now)).as_bytes())?)
}

/// What the polls have brought.
#[derive(Default)]
struct Polls {
    /// The last samples, the oldest first.
    before: VecDeque<Sample>,
    /// What is shown. None until the second sample.
    view: Option<View>,
    /// Why the last poll failed.
    error: Option<String>,
}

/// What the screen reacts to.
enum ScreenEvent {
    Polled(Result<Sample, TopError>),
    Terminal(io::Result<Event>),
}

fn watch(terminal: &mut ratatui::DefaultTerminal, address: SocketAddr, first: Sample) -> Result<(), TopError> {
    let (events_tx, events) = mpsc::channel();
    let keys_tx = events_tx.clone();
    // Both threads end with the process, so a gateway that does not answer does not delay a key.
    std::thread::spawn(move || while keys_tx.send(ScreenEvent::Terminal(event::read())).is_ok() {});
    std::thread::spawn(move || poll_each_second(address, &events_tx));
    let mut polls = Polls { before: VecDeque::from([first]), ..Polls::default() };
    let mut controls = Controls::default();
    loop {
        terminal.draw(|frame| draw(frame, &title(address, &controls, &polls), &polls, &mut controls))?;
        match events.recv().expect("the polling thread runs as long as the process") {
            ScreenEvent::Terminal(event) => {
                let columns = polls.view.as_ref().map_or_else(Vec::new, columns);
                if controls.apply(&event?, &columns) == Outcome::Quit {
                    return Ok(());
                }
            }
            ScreenEvent::Polled(polled) => take(polled, &mut polls, &mut controls),
        }
    }
}

/// Shows a new sample, unless the user reads the last one.
fn take(polled: Result<Sample, TopError>, polls: &mut Polls, controls: &mut Controls) {
    let Polls { before, view: current, error } = polls;
    // The next poll may find the gateway restarted. Until then the last tables stay.
    *error = polled.as_ref().err().map(ToString::to_string);
    let Ok(now) = polled else { return };
    if !controls.is_paused {
        let view = current.insert(view(&before[0], &now));
        controls.fit(&view.tables.iter().map(Table::name).collect::<Vec<_>>());
    }
    before.push_back(now);
    // Feeds publish their counts once a second: two seconds always span a new one.
    if before.len() > 2 {
        before.pop_front();
    }
}

/// How many columns each table has.
fn columns(view: &View) -> Vec<usize> {
    view.tables.iter().map(|table| table.rows.first().map_or(0, Vec::len)).collect()
}

/// The address, and whether the user has paused.
fn title(address: SocketAddr, controls: &Controls, polls: &Polls) -> String {
    let paused = match (&polls.error, controls.is_paused) {
        // The summary that the user reads stays below.
        (Some(error), true) => format!("  PAUSED: {error}"),
        (None, true) => "  PAUSED".to_owned(),
        (_, false) => String::new(),
    };
    format!(" tickfan top {address}{paused} ")
}

/// The keys, or the filter that they have made.
fn keys(controls: &Controls) -> String {
    match (controls.is_typing, controls.filter.as_str()) {
        (true, filter) => format!(" /{filter}_  Enter keeps, Esc clears "),
        (false, "") => " q quit · p pause · / filter · s sort · r reverse · Tab table ".to_owned(),
        (false, filter) => format!(" /{filter}  Esc clears "),
    }
}

fn poll_each_second(address: SocketAddr, events_tx: &mpsc::Sender<ScreenEvent>) {
    loop {
        let start = Instant::now();
        if events_tx.send(ScreenEvent::Polled(poll(address, LISTED_ON_SCREEN))).is_err() {
            return;
        }
        std::thread::sleep(POLL_INTERVAL.saturating_sub(start.elapsed()));
    }
}

/// Draws what fits, and ends a scroll that went beyond the last row.
fn draw(frame: &mut Frame<'_>, title: &str, polls: &Polls, controls: &mut Controls) {
    let Some(View { summary, tables }) = &polls.view else {
        let waiting = polls.error.as_deref().unwrap_or("waiting for the gateway …");
        return frame.render_widget(
            Paragraph::new(waiting).wrap(Wrap { trim: true }).block(Block::bordered().title(title)),
            frame.area(),
        );
    };
    let summary = match &polls.error {
        Some(error) if !controls.is_paused => std::slice::from_ref(error),
        _ => summary.as_slice(),
    };
    let area = frame.area();
    let lines: Vec<_> = summary.iter().map(|line| Line::from(line.as_str())).collect();
    let summary_lines = wrapped_lines(summary, area.width.saturating_sub(2).into()) + 2;
    let rows: Vec<_> = tables.iter().map(|table| table.rows.len().saturating_sub(1)).collect();
    let places = places(&rows, controls.chosen, usize::from(area.height).saturating_sub(summary_lines));
    let heights = std::iter::once(summary_lines).chain(places.iter().map(|place| place.lines));
    let areas = Layout::vertical(heights.map(|height| Constraint::Length(height as u16))).split(area);
    let summary = Paragraph::new(lines).wrap(Wrap { trim: true });
    frame.render_widget(summary.block(Block::bordered().title(title).title_bottom(keys(controls))), areas[0]);
    for (place, area) in places.iter().zip(areas.iter().skip(1)) {
        let (width, height) = (usize::from(area.width).saturating_sub(2), area.height.into());
        let mut unchosen = Shown::default();
        let shown = controls.tables.get_mut(place.table).unwrap_or(&mut unchosen);
        let mut table = arrange(&tables[place.table], shown, &controls.filter, width, height);
        if place.table == controls.chosen {
            // Where one table has all the room, the others are behind Tab.
            let others = if places.len() < tables.len() {
                format!(" ({} of {})", place.table + 1, tables.len())
            } else {
                String::new()
            };
            table.title = format!("▶ {}{others}", table.title);
        }
        draw_table(frame, &table, *area);
    }
}

/// How many lines these take, wrapped to a width: words may make it a little more, so one more where a line is long.
fn wrapped_lines(lines: &[String], width: usize) -> usize {
    let wrapped = |line: &String| {
        let length = line.chars().count();
        if length <= width { 1 } else { (length + length / 8).div_ceil(width.max(1)) }
    };
    lines.iter().map(wrapped).sum()
}

fn draw_table(frame: &mut Frame<'_>, table: &Table, area: Rect) {
    let widths: Vec<_> = widths(table).into_iter().map(|width| Constraint::Length(width as u16)).collect();
    let mut rows = table.rows.iter().map(|row| Row::new(row.iter().map(String::as_str)));
    let head = rows.next().unwrap_or_default().style(Style::new().add_modifier(Modifier::BOLD));
    let widget = ratatui::widgets::Table::new(rows, widths).header(head).column_spacing(2);
    frame.render_widget(widget.block(Block::bordered().title(table.title.as_str())), area);
}

fn widths(table: &Table) -> Vec<usize> {
    let columns = table.rows.first().map_or(0, Vec::len);
    (0..columns).map(|column| table.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)).collect()
}

fn plain_text(view: &View) -> String {
    let mut text = view.summary.join("\n") + "\n";
    for table in &view.tables {
        text += &format!("\n{}\n", table.title);
        let widths = widths(table);
        for row in &table.rows {
            let cells: Vec<_> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            text += &format!("  {}\n", cells.join("  ").trim_end());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::{Terminal, backend::TestBackend};

    fn drawn(width: u16, height: u16, mut controls: Controls) -> String {
        drawn_after(None, width, height, &mut controls)
    }

    /// The screen after a poll that failed so.
    fn drawn_after(error: Option<&str>, width: u16, height: u16, controls: &mut Controls) -> String {
        let row = |name: &str| vec![name.to_owned(), "live".to_owned(), "0.0 s".to_owned(), "1200".to_owned()];
        let head = vec!["name".to_owned(), "state".to_owned(), "last message".to_owned(), "messages/s".to_owned()];
        let table = |title: &str, count: usize| {
            let rows = (0..count).map(|index| row(&format!("{title}-{index}")));
            Table { title: title.to_owned(), rows: std::iter::once(head.clone()).chain(rows).collect() }
        };
        let summary = "streams 3 of 15848, 0 full, 0.0 opened/s, 0 rejected since the start of this gateway";
        let view = View {
            summary: vec![summary.to_owned(); 2],
            tables: vec![table("feeds", 2), table("streams", 30), table("symbols", 30)],
        };
        let polls = Polls { view: Some(view), error: error.map(str::to_owned), ..Polls::default() };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        let title = title("127.0.0.1:8081".parse().unwrap(), controls, &polls);
        terminal.draw(|frame| draw(frame, &title, &polls, controls)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn a_large_terminal_shows_all_tables_with_the_keys() {
        let screen = drawn(120, 50, Controls::default());
        for part in
            ["q quit", "▶ feeds", "feeds-1", "streams-9", "symbols-9", "since the start of this gateway", "more, ↑↓"]
        {
            assert!(screen.contains(part), "{part}\n{screen}");
        }
    }

    #[test]
    fn a_small_terminal_shows_the_whole_summary_and_the_chosen_table() {
        let screen = drawn(70, 20, Controls { chosen: 1, ..Controls::default() });
        for part in ["q quit", "Tab table", "this gateway", "▶ streams", "(2 of 3)", "streams-7", "1200"] {
            assert!(screen.contains(part), "{part}\n{screen}");
        }
        assert!(!screen.contains("feeds-0"), "{screen}");
        let tiny = drawn(20, 6, Controls::default());
        assert!(tiny.contains("tickfan top"), "{tiny}");
    }

    #[test]
    fn a_scroll_ends_with_the_last_row_and_the_next_key_goes_back_from_there() {
        let far = Shown { first_row: 500, ..Shown::default() };
        let mut controls = Controls { chosen: 1, tables: vec![far; 3], ..Controls::default() };
        let screen = drawn_after(None, 70, 20, &mut controls);
        let first = controls.tables[1].first_row;
        assert!(screen.contains("streams-29") && screen.contains(&format!("streams-{first} ")), "{first}\n{screen}");
    }

    #[test]
    fn an_error_takes_the_place_of_the_summary_but_not_of_one_that_the_user_reads() {
        let error = Some("cannot poll");
        let screen = drawn_after(error, 120, 50, &mut Controls::default());
        assert!(screen.contains("cannot poll") && !screen.contains("this gateway"), "{screen}");
        assert!(screen.contains("feeds-1"), "the last tables stay\n{screen}");
        let mut paused = Controls { is_paused: true, ..Controls::default() };
        let screen = drawn_after(error, 120, 50, &mut paused);
        assert!(screen.contains("PAUSED: cannot poll") && screen.contains("this gateway"), "{screen}");
        let repaired = drawn(120, 50, paused);
        assert!(repaired.contains("PAUSED") && !repaired.contains("cannot poll"), "{repaired}");
    }

    #[test]
    fn a_pause_and_a_filter_are_said() {
        let controls = Controls { is_paused: true, filter: "streams-2".to_owned(), ..Controls::default() };
        let screen = drawn(120, 50, controls);
        assert!(
            screen.contains("PAUSED") && screen.contains("/streams-2") && screen.contains("filtered out"),
            "{screen}"
        );
        assert!(screen.contains("streams-29") && !screen.contains("streams-3 "), "{screen}");
    }
}
