//! What the user of the screen has chosen: a pure state that keys change.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// The longest filter: names of symbols and feeds, and addresses, are shorter.
const FILTER_LENGTH_MAX: usize = 48;

/// The rows that `PageDown` goes on by.
const PAGE_ROWS: usize = 10;

/// The order of a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sort {
    pub(super) column: usize,
    pub(super) is_descending: bool,
}

/// How one table is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// None: as the gateway sorts them, the worst first.
    pub(super) sort: Option<Sort>,
    /// The first row that is shown, of those that pass the filter. Drawing takes it back to where the last one is seen.
    pub(super) first_row: usize,
    /// How many columns behind the first, which is always shown, are left out.
    pub(super) skipped_columns: usize,
}

/// All that the user has chosen.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Controls {
    /// New samples are not shown.
    pub(super) is_paused: bool,
    /// Rows without this in any cell are left out, whatever its case.
    pub(super) filter: String,
    /// Keys go to the filter.
    pub(super) is_typing: bool,
    /// The table that keys are for.
    pub(super) chosen: usize,
    /// How each table is shown, in their order.
    pub(super) tables: Vec<Shown>,
    /// The name of each table.
    pub(super) names: Vec<String>,
}

/// What a key asks for beyond a change of the controls.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Draw again.
    Draw,
    /// End.
    Quit,
}

impl Controls {
    /// Moves what was chosen for each table to where a new view has it: a gateway that restarts as a node of a cluster
    /// has other tables.
    pub(super) fn fit(&mut self, names: &[&str]) {
        if self.names == names {
            return;
        }
        let place = |name: &str| self.names.iter().position(|known| known == name);
        let shown = |name: &&str| place(name).and_then(|place| self.tables.get(place)).copied().unwrap_or_default();
        let tables = names.iter().map(shown).collect();
        let chosen = names.iter().position(|name| place(name) == Some(self.chosen)).unwrap_or(0);
        self.tables = tables;
        self.chosen = chosen;
        self.names = names.iter().map(|&name| name.to_owned()).collect();
    }

    /// Applies an event of the terminal. `columns` is the number of columns of each table.
    pub(super) fn apply(&mut self, event: &Event, columns: &[usize]) -> Outcome {
        let Event::Key(key) = event else { return Outcome::Draw };
        if key.kind == KeyEventKind::Release {
            return Outcome::Draw;
        }
        if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
            return Outcome::Quit;
        }
        self.tables.resize(columns.len(), Shown::default());
        self.chosen = self.chosen.min(columns.len().saturating_sub(1));
        if self.is_typing {
            self.type_filter(key);
            return Outcome::Draw;
        }
        self.command(key.code, columns)
    }

    fn type_filter(&mut self, key: &KeyEvent) {
        match key.code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(character) if self.filter.chars().count() < FILTER_LENGTH_MAX => self.filter.push(character),
            _ => {}
        }
        // The rows that pass are others now.
        self.tables.iter_mut().for_each(|table| table.first_row = 0);
    }

    fn command(&mut self, code: KeyCode, columns: &[usize]) -> Outcome {
        let count = columns.len();
        match code {
            KeyCode::Char('q') => return Outcome::Quit,
            KeyCode::Esc if self.filter.is_empty() => return Outcome::Quit,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Tab if count > 0 => self.chosen = (self.chosen + 1) % count,
            KeyCode::BackTab if count > 0 => self.chosen = (self.chosen + count - 1) % count,
            code => self.change_table(code, columns),
        }
        Outcome::Draw
    }

    fn change_table(&mut self, code: KeyCode, columns: &[usize]) {
        let (Some(table), Some(&columns)) = (self.tables.get_mut(self.chosen), columns.get(self.chosen)) else {
            return;
        };
        match code {
            KeyCode::Up => table.first_row = table.first_row.saturating_sub(1),
            KeyCode::Down => table.first_row = table.first_row.saturating_add(1),
            KeyCode::PageUp => table.first_row = table.first_row.saturating_sub(PAGE_ROWS),
            KeyCode::PageDown => table.first_row = table.first_row.saturating_add(PAGE_ROWS),
            KeyCode::Home => table.first_row = 0,
            KeyCode::End => table.first_row = usize::MAX,
            KeyCode::Left => table.skipped_columns = table.skipped_columns.saturating_sub(1),
            KeyCode::Right => table.skipped_columns = (table.skipped_columns + 1).min(columns.saturating_sub(2)),
            KeyCode::Char('s') => table.sort = next_sort(table.sort, columns),
            KeyCode::Char('r') => {
                if let Some(sort) = &mut table.sort {
                    sort.is_descending = !sort.is_descending;
                }
            }
            _ => {}
        }
    }
}

/// By the next column, the largest first; behind the last one as the gateway sorts.
fn next_sort(sort: Option<Sort>, columns: usize) -> Option<Sort> {
    let column = sort.map_or(0, |sort| sort.column + 1);
    (column < columns).then_some(Sort { column, is_descending: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [usize; 2] = [3, 2];

    /// The controls after these keys; `None` once one of them quits.
    fn after(keys: &[KeyCode]) -> Option<Controls> {
        let mut controls = Controls::default();
        for key in keys {
            let event = Event::Key(KeyEvent::new(*key, KeyModifiers::NONE));
            if controls.apply(&event, &COLUMNS) == Outcome::Quit {
                return None;
            }
        }
        Some(controls)
    }

    #[test]
    fn q_and_escape_quit_but_escape_takes_a_filter_first() {
        use KeyCode::{Char, Enter, Esc};
        assert_eq!(after(&[Char('q')]), None);
        assert_eq!(after(&[Esc]), None);
        let kept = after(&[Char('/'), Char('q'), Char('p'), Enter]).unwrap();
        assert!(kept.filter == "qp" && !kept.is_typing && !kept.is_paused, "{kept:?}");
        assert_eq!(after(&[Char('/'), Char('q'), Enter, Esc]).unwrap().filter, "");
        assert_eq!(after(&[Char('/'), Char('q'), Esc]).unwrap().filter, "");
        assert_eq!(after(&[Char('/'), Char('q'), Enter, Esc, Esc]), None);
        let control_c = Event::Key(KeyEvent::new(Char('c'), KeyModifiers::CONTROL));
        let mut typing = after(&[Char('/')]).unwrap();
        assert_eq!(typing.apply(&control_c, &COLUMNS), Outcome::Quit);
    }

    #[test]
    fn the_filter_has_a_longest_length() {
        let mut keys = vec![KeyCode::Char('/')];
        keys.extend([KeyCode::Char('ä'); FILTER_LENGTH_MAX + 5]);
        assert_eq!(after(&keys).unwrap().filter.chars().count(), FILTER_LENGTH_MAX);
        keys.push(KeyCode::Backspace);
        assert_eq!(after(&keys).unwrap().filter.chars().count(), FILTER_LENGTH_MAX - 1);
    }

    #[test]
    fn s_goes_through_the_columns_of_the_chosen_table_and_r_turns_the_order() {
        use KeyCode::{BackTab, Char, Tab};
        let sorts = |keys: &[KeyCode]| after(keys).unwrap().tables.iter().map(|table| table.sort).collect::<Vec<_>>();
        let by = |column, is_descending| Some(Sort { column, is_descending });
        assert_eq!(sorts(&[Char('s'), Char('s')]), [by(1, true), None]);
        assert_eq!(sorts(&[Char('s'), Char('r')]), [by(0, false), None]);
        assert_eq!(sorts(&[Char('r')]), [None, None]);
        assert_eq!(sorts(&[Tab, Char('s')]), [None, by(0, true)]);
        assert_eq!(sorts(&[BackTab, Char('s'), Char('s'), Char('s')]), [None, None], "as the gateway sorts");
        assert_eq!(after(&[Tab, Tab]).unwrap().chosen, 0);
    }

    #[test]
    fn arrows_and_pages_begin_where_the_table_does_and_space_pauses() {
        use KeyCode::{Char, Down, End, Home, Left, PageDown, PageUp, Right, Up};
        let first = |keys: &[KeyCode]| after(keys).unwrap().tables[0];
        assert_eq!(first(&[Up, Left]), Shown::default());
        assert_eq!(first(&[Right, Right, Right]).skipped_columns, 1, "two columns stay");
        assert_eq!(first(&[Down, Down, Up]).first_row, 1);
        assert_eq!(first(&[PageDown, PageDown, PageUp, Down]).first_row, PAGE_ROWS + 1);
        assert_eq!([first(&[PageUp]).first_row, first(&[End, Down, Home]).first_row], [0, 0]);
        assert_eq!(first(&[End, Down]).first_row, usize::MAX);
        assert_eq!(first(&[Down, Char('/'), Char('a')]).first_row, 0, "other rows pass now");
        assert!(after(&[Char(' ')]).unwrap().is_paused && !after(&[Char('p'), Char(' ')]).unwrap().is_paused);
    }

    #[test]
    fn choices_stay_with_the_table_of_their_name() {
        let mut controls = Controls::default();
        controls.fit(&["feeds", "slowest streams"]);
        for key in [KeyCode::Tab, KeyCode::Down, KeyCode::Char('s')] {
            controls.apply(&Event::Key(KeyEvent::new(key, KeyModifiers::NONE)), &COLUMNS);
        }
        let streams = Shown { first_row: 1, sort: Some(Sort { column: 0, is_descending: true }), skipped_columns: 0 };
        assert_eq!((controls.chosen, controls.tables.as_slice()), (1, &[Shown::default(), streams][..]));
        controls.fit(&["feeds", "shards", "slowest streams"]);
        assert_eq!(
            (controls.chosen, controls.tables.as_slice()),
            (2, &[Shown::default(), Shown::default(), streams][..])
        );
        controls.fit(&["feeds", "shards"]);
        assert_eq!((controls.chosen, controls.tables.as_slice()), (0, &[Shown::default(); 2][..]));
    }

    #[test]
    fn a_table_that_is_gone_is_not_chosen() {
        let mut controls = after(&[KeyCode::Tab]).unwrap();
        controls.apply(&Event::Key(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::NONE)), &COLUMNS[..1]);
        assert_eq!((controls.chosen, controls.tables.len()), (0, 1));
        controls.apply(&Event::Key(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::NONE)), &[]);
        assert_eq!((controls.chosen, controls.tables.len()), (0, 0));
    }
}
