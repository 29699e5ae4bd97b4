//! Which rows and columns of the tables fit the terminal, and in which order: pure functions of the controls.

use super::{
    cells::Table,
    controls::{Shown, Sort},
};
use std::cmp::Ordering;

/// Between two columns.
const SPACING: usize = 2;
/// The lines of a table besides its rows: its border, with the title, and its head.
const FRAME_LINES: usize = 3;
/// With fewer rows of each table, one table has all the room.
const ROWS_WORTH_SHOWING: usize = 3;

/// The tables that are shown, each with its place in the list and its lines.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) table: usize,
    pub(super) lines: usize,
}

/// Gives each table its lines, or all of them to the chosen one where the terminal is too low for all. `rows` are those
/// of each table, without its head.
pub(super) fn places(rows: &[usize], chosen: usize, lines: usize) -> Vec<Place> {
    let least = rows.iter().map(|rows| rows.min(&ROWS_WORTH_SHOWING) + FRAME_LINES);
    if least.sum::<usize>() > lines {
        return rows.get(chosen).map(|_| Place { table: chosen, lines }).into_iter().collect();
    }
    let mut left = lines;
    let mut places = Vec::new();
    for (table, count) in rows.iter().enumerate() {
        let after: usize = rows[table + 1..].iter().map(|rows| rows.min(&ROWS_WORTH_SHOWING) + FRAME_LINES).sum();
        // The first table may take what the others do not need; the others share evenly.
        let share = if table == 0 { left - after } else { (left / (rows.len() - table)).min(left - after) };
        let lines = (count + FRAME_LINES).min(share.max(count.min(&ROWS_WORTH_SHOWING) + FRAME_LINES));
        left -= lines;
        places.push(Place { table, lines });
    }
    places
}

/// The part of a table that is shown: filtered, sorted, without the columns that were skipped or do not fit, and
/// without the rows above the first one shown, which is at most the one that leaves no line empty. The title tells what
/// is left out.
pub(super) fn arrange(table: &Table, shown: &mut Shown, filter: &str, width: usize, height: usize) -> Table {
    let [head, rows @ ..] = &table.rows[..] else { return Table { title: table.title.clone(), rows: Vec::new() } };
    let filter = filter.to_lowercase();
    let passes = |row: &&Vec<String>| row.iter().any(|cell| cell.to_lowercase().contains(&filter));
    let mut kept: Vec<&Vec<String>> = rows.iter().filter(passes).collect();
    // The view may be newer than the choice.
    let sort = shown.sort.filter(|sort| sort.column < head.len());
    if let Some(sort) = sort {
        kept.sort_by(|one, other| order(one, other, sort));
    }
    let visible = height.saturating_sub(FRAME_LINES);
    let first = shown.first_row.min(kept.len().saturating_sub(visible));
    shown.first_row = first;
    let columns = columns(head, &kept, shown.skipped_columns, width);
    let head = columns.iter().map(|&column| titled(head, column, sort)).collect();
    let cut = |row: &&Vec<String>| columns.iter().map(|&column| row[column].clone()).collect();
    let body = kept.iter().skip(first).take(visible).map(cut);
    let below = kept.len().saturating_sub(first + visible);
    let hidden = table.rows[0].len() - columns.len();
    Table {
        title: title(&table.title, [first + below, rows.len() - kept.len(), hidden]),
        rows: std::iter::once(head).chain(body).collect(),
    }
}

fn title(title: &str, [scrolled, filtered, columns]: [usize; 3]) -> String {
    let mut title = title.to_owned();
    for (count, what) in [(scrolled, "more, ↑↓"), (filtered, "filtered out"), (columns, "columns more, ←→")] {
        if count > 0 {
            title += &format!(" · {count} {what}");
        }
    }
    title
}

/// The name of a column, with the direction of its order.
fn titled(head: &[String], column: usize, sort: Option<Sort>) -> String {
    match sort {
        Some(sort) if sort.column == column => {
            format!("{} {}", head[column], if sort.is_descending { '↓' } else { '↑' })
        }
        _ => head[column].clone(),
    }
}

/// The columns that fit: the first, which names the row, and then those behind the skipped ones.
fn columns(head: &[String], rows: &[&Vec<String>], skipped: usize, width: usize) -> Vec<usize> {
    let cell = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        // Room for the mark of the order.
        cells.max().unwrap_or(0).max(head[column].chars().count() + 2)
    };
    let mut left = width;
    let mut columns = Vec::new();
    for column in (0..head.len()).filter(|&column| column == 0 || column > skipped) {
        let needed = cell(column) + if column == 0 { 0 } else { SPACING };
        if needed > left && column > 0 {
            break;
        }
        left = left.saturating_sub(needed);
        columns.push(column);
    }
    columns
}

/// Numbers by their size, whatever their unit; a dash counts less than any of them; all else as strings.
fn order(one: &[String], other: &[String], sort: Sort) -> Ordering {
    let [one, other] = [one, other].map(|row| row[sort.column].as_str());
    let order = match (size(one), size(other)) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        (None, None) => one.cmp(other),
        // A string, such as the name of a symbol, and a number: by their kind.
        (one, other) => one.is_some().cmp(&other.is_some()),
    };
    if sort.is_descending { order.reverse() } else { order }
}

/// The number that a cell begins with, in its base unit; a cell of anything else has none.
fn size(cell: &str) -> Option<f64> {
    let cell = cell.strip_prefix("under ").unwrap_or(cell);
    let (number, unit) = cell.split_once([' ', ',']).unwrap_or((cell, ""));
    let factor = match unit.split(' ').next().unwrap_or_default() {
        "ms" => 1e-3,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => 1.0,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = vec![
            row(["symbol", "feed", "bytes", "age"]),
            row(["AAPL", "us", "9.3 kB", "–"]),
            row(["MSFT", "us", "800 B", "2.0 s"]),
            row(["BTC-USD", "kraken", "1.1 MB", "under 5 ms"]),
        ];
        Table { title: "symbols".to_owned(), rows }
    }

    fn first_cells(table: &Table) -> Vec<&str> {
        table.rows[1..].iter().map(|row| row[0].as_str()).collect()
    }

    #[test]
    fn a_low_terminal_shows_the_chosen_table_alone() {
        let places = |chosen, lines| {
            places(&[2, 10, 10], chosen, lines).iter().map(|place| (place.table, place.lines)).collect::<Vec<_>>()
        };
        assert_eq!(places(0, 60), [(0, 5), (1, 13), (2, 13)]);
        assert_eq!(places(0, 25), [(0, 5), (1, 10), (2, 10)]);
        assert_eq!(places(0, 17), [(0, 5), (1, 6), (2, 6)]);
        assert_eq!(places(2, 16), [(2, 16)]);
        assert_eq!(places(0, 0), [(0, 0)]);
        assert_eq!(super::places(&[], 0, 10), []);
    }

    #[test]
    fn lines_are_never_more_than_there_are() {
        for lines in 0..80 {
            for rows in [vec![0, 0], vec![40, 1, 9, 3], vec![1, 40, 40, 40, 40]] {
                let used: usize = places(&rows, 0, lines).iter().map(|place| place.lines).sum();
                assert!(used <= lines, "{used} of {lines} for {rows:?}");
            }
        }
    }

    #[test]
    fn numbers_are_sorted_by_size_and_not_by_digits() {
        let sorted = |column, is_descending| {
            let mut shown = Shown { sort: Some(Sort { column, is_descending }), ..Shown::default() };
            let arranged = arrange(&table(), &mut shown, "", 99, 99);
            first_cells(&arranged).join(" ")
        };
        assert_eq!(sorted(2, true), "BTC-USD AAPL MSFT");
        assert_eq!(sorted(2, false), "MSFT AAPL BTC-USD");
        assert_eq!(sorted(3, true), "MSFT BTC-USD AAPL");
        assert_eq!(sorted(0, false), "AAPL BTC-USD MSFT");
    }

    #[test]
    fn a_sort_by_a_column_that_a_table_does_not_have_is_left_out() {
        let mut shown = Shown { sort: Some(Sort { column: 4, is_descending: true }), ..Shown::default() };
        let arranged = arrange(&table(), &mut shown, "", 99, 99);
        assert_eq!(first_cells(&arranged).join(" "), "AAPL MSFT BTC-USD");
    }

    #[test]
    fn a_filter_looks_at_all_cells_and_the_title_counts_what_it_leaves_out() {
        let arranged = arrange(&table(), &mut Shown::default(), "KRA", 99, 99);
        assert_eq!((first_cells(&arranged), arranged.title.as_str()), (vec!["BTC-USD"], "symbols · 2 filtered out"));
    }

    #[test]
    fn columns_that_do_not_fit_are_left_out_and_can_be_reached() {
        let heads = |skipped_columns, width| {
            let arranged = arrange(&table(), &mut Shown { skipped_columns, ..Shown::default() }, "", width, 99);
            assert!(arranged.rows.iter().all(|row| row.len() == arranged.rows[0].len()));
            arranged.rows[0].join(" ")
        };
        assert_eq!(heads(0, 99), "symbol feed bytes age");
        assert_eq!(heads(0, 20), "symbol feed");
        assert_eq!(heads(2, 20), "symbol age");
        assert_eq!(heads(0, 3), "symbol", "the name of a row is always there");
    }

    #[test]
    fn rows_below_can_be_reached_and_no_further() {
        let shown = |first_row| {
            let mut shown = Shown { first_row, ..Shown::default() };
            let arranged = arrange(&table(), &mut shown, "", 99, FRAME_LINES + 2);
            (first_cells(&arranged).join(" "), arranged.title.clone())
        };
        let title = "symbols · 1 more, ↑↓".to_owned();
        assert_eq!(shown(0), ("AAPL MSFT".to_owned(), title.clone()));
        assert_eq!(shown(9), ("MSFT BTC-USD".to_owned(), title));
    }
}
