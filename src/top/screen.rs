//! Shows a view: in a terminal, each second again, or once as plain text.

use super::{
    TopError,
    cells::Table,
    poll,
    sample::Sample,
    view::{View, view},
};
use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Modifier, Style},
    text::Line,
    widgets::{Block, Paragraph, Row},
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
    let first = poll(address)?;
    let mut terminal = ratatui::try_init()?;
    let ended = watch(&mut terminal, address, first);
    ratatui::try_restore()?;
    ended
}

fn print_once(address: SocketAddr) -> Result<(), TopError> {
    let before = poll(address)?;
    std::thread::sleep(POLL_INTERVAL);
    let now = poll(address)?;
    Ok(io::stdout().write_all(plain_text(&view(&before, &now)).as_bytes())?)
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
    let mut before = VecDeque::from([first]);
    let mut current = None;
    let title = format!(" tickfan top  {address}  q quits ");
    loop {
        terminal.draw(|frame| draw(frame, &title, current.as_ref()))?;
        match events.recv().expect("the polling thread runs as long as the process") {
            ScreenEvent::Terminal(event) => {
                if quits(&event?) {
                    return Ok(());
                }
            }
            ScreenEvent::Polled(Ok(now)) => {
                current = Some(view(&before[0], &now));
                before.push_back(now);
                // Feeds publish their counts once a second: two seconds always span a new one.
                if before.len() > 2 {
                    before.pop_front();
                }
            }
            // The next poll may find the gateway restarted. Until then the last tables stay below the error.
            ScreenEvent::Polled(Err(error)) => {
                let view = current.get_or_insert_with(|| View { summary: Vec::new(), tables: Vec::new() });
                view.summary = vec![error.to_string()];
            }
        }
    }
}

fn poll_each_second(address: SocketAddr, events_tx: &mpsc::Sender<ScreenEvent>) {
    loop {
        let start = Instant::now();
        if events_tx.send(ScreenEvent::Polled(poll(address))).is_err() {
            return;
        }
        std::thread::sleep(POLL_INTERVAL.saturating_sub(start.elapsed()));
    }
}

fn quits(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    interrupts || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

fn draw(frame: &mut Frame<'_>, title: &str, view: Option<&View>) {
    let Some(View { summary, tables }) = view else {
        return frame.render_widget(
            Paragraph::new("waiting for the gateway …").block(Block::bordered().title(title)),
            frame.area(),
        );
    };
    let heights = heights(summary.len(), tables.iter().map(|table| table.rows.len()), frame.area().height.into());
    let heights = heights.into_iter().map(|height| Constraint::Length(height as u16));
    let areas = Layout::vertical(heights).split(frame.area());
    let lines: Vec<_> = summary.iter().map(|line| Line::from(line.as_str())).collect();
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(title)), areas[0]);
    for (table, area) in tables.iter().zip(areas.iter().skip(1)) {
        draw_table(frame, table, *area);
    }
}

/// The heights of the summary and the tables, borders included. On a low terminal the summary and the first table keep
/// their height, and the other tables share the remaining lines.
fn heights(summary: usize, tables: impl ExactSizeIterator<Item = usize>, all: usize) -> Vec<usize> {
    let count = tables.len();
    let mut heights = vec![(summary + 2).min(all)];
    let mut left = all - heights[0];
    for (place, rows) in tables.enumerate() {
        let share = if place == 0 { left } else { left / (count - place) };
        heights.push((rows + 2).min(share));
        left -= heights[place + 1];
    }
    heights
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

    #[test]
    fn a_low_terminal_shows_the_whole_summary_and_a_share_of_each_table() {
        let tables = || [2, 11, 11, 11].into_iter();
        assert_eq!(heights(4, tables(), 60), [6, 4, 13, 13, 13]);
        assert_eq!(heights(4, tables(), 44), [6, 4, 11, 11, 12]);
        assert_eq!(heights(4, tables(), 24), [6, 4, 4, 5, 5]);
        assert_eq!(heights(4, tables(), 5), [5, 0, 0, 0, 0]);
    }
}
