//! Where a view is shown: a terminal, again each second, or plain text, once.

use super::{
    TopError, ask,
    look::Look,
    view::{Table, View, view},
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

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);

/// Shows what a gateway does until `q`; with `once`, prints it and ends.
///
/// # Errors
/// [`TopError`]: the gateway does not answer, or there is no terminal.
pub fn run(address: SocketAddr, once: bool) -> Result<(), TopError> {
    if once {
        return print_once(address);
    }
    if !io::stdout().is_terminal() {
        return Err(TopError::NoTerminal);
    }
    let first = ask(address)?;
    let mut terminal = ratatui::try_init()?;
    let ended = watch(&mut terminal, address, first);
    ratatui::try_restore()?;
    ended
}

fn print_once(address: SocketAddr) -> Result<(), TopError> {
    let before = ask(address)?;
    std::thread::sleep(EVERY);
    let now = ask(address)?;
    Ok(io::stdout().write_all(plain(&view(&before, &now)).as_bytes())?)
}

/// What happens while it is shown.
enum News {
    Looked(Result<Look, TopError>),
    Terminal(io::Result<Event>),
}

fn watch(terminal: &mut ratatui::DefaultTerminal, address: SocketAddr, first: Look) -> Result<(), TopError> {
    let (news_tx, news) = mpsc::channel();
    let keys_tx = news_tx.clone();
    // Both end with the process: a gateway that does not answer holds up no key.
    std::thread::spawn(move || while keys_tx.send(News::Terminal(event::read())).is_ok() {});
    std::thread::spawn(move || look_each_second(address, &news_tx));
    let mut before = VecDeque::from([first]);
    let mut shown = None;
    let title = format!(" tickfan top  {address}  q quits ");
    loop {
        terminal.draw(|frame| draw(frame, &title, shown.as_ref()))?;
        match news.recv().expect("the thread that looks never ends") {
            News::Terminal(event) => {
                if quits(&event?) {
                    return Ok(());
                }
            }
            News::Looked(Ok(now)) => {
                shown = Some(view(&before[0], &now));
                before.push_back(now);
                // What feeds count comes once a second: over two there always is something new.
                if before.len() > 2 {
                    before.pop_front();
                }
            }
            // A gateway that restarts is asked again; until then the last look stands under what is wrong.
            News::Looked(Err(error)) => {
                let shown = shown.get_or_insert_with(|| View { summary: Vec::new(), tables: Vec::new() });
                shown.summary = vec![error.to_string()];
            }
        }
    }
}

fn look_each_second(address: SocketAddr, news_tx: &mpsc::Sender<News>) {
    loop {
        let begun = Instant::now();
        if news_tx.send(News::Looked(ask(address))).is_err() {
            return;
        }
        std::thread::sleep(EVERY.saturating_sub(begun.elapsed()));
    }
}

fn quits(event: &Event) -> bool {
    let Event::Key(key) = event else { return false };
    let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    interrupts || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
}

fn draw(frame: &mut Frame<'_>, title: &str, shown: Option<&View>) {
    let Some(View { summary, tables }) = shown else {
        return frame.render_widget(Paragraph::new("looking …").block(Block::bordered().title(title)), frame.area());
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

/// How high the summary and the tables are, frames included: what comes first is shown whole, and what is left of a low
/// terminal is shared by the tables after the first.
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

fn plain(view: &View) -> String {
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
    fn a_low_terminal_shows_the_summary_whole_and_something_of_each_table() {
        let tables = || [2, 11, 11, 11].into_iter();
        assert_eq!(heights(4, tables(), 60), [6, 4, 13, 13, 13]);
        assert_eq!(heights(4, tables(), 44), [6, 4, 11, 11, 12]);
        assert_eq!(heights(4, tables(), 24), [6, 4, 4, 5, 5]);
        assert_eq!(heights(4, tables(), 5), [5, 0, 0, 0, 0]);
    }
}
