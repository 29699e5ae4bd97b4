use super::{super::WantsSender, *};
use proptest::prelude::*;

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn at(millis: u64) -> Boot {
    Boot(millis * 1_000)
}

fn message(node: &str, instance: u64, number: u64, wants: Wants) -> WantsMessage {
    let instance = Instance::from_bits(instance).unwrap();
    WantsMessage { node: node.parse().unwrap(), instance, number, wants }
}

fn all(part: u32, parts: u32, names: &[&str]) -> Wants {
    Wants::All { part, parts, symbols: symbols(names) }
}

fn changes(added: &[&str], removed: &[&str]) -> Wants {
    Wants::Changes { added: symbols(added), removed: symbols(removed) }
}

fn taken(added: &[&str], removed: &[&str]) -> Taken {
    Taken { added: symbols(added), removed: symbols(removed), left_out: 0 }
}

#[test]
fn a_symbol_is_wanted_while_any_node_wants_it() {
    let mut table = WantsTable::default();
    for (node, number, wants, added, removed) in [
        ("a", 1, all(0, 1, &["X", "Y"]), &["X", "Y"][..], &[][..]),
        ("b", 1, changes(&["Y", "Z"], &["X"]), &["Z"], &[]),
        ("a", 2, changes(&["Y"], &["X", "Q"]), &[], &["X"]),
        ("a", 3, all(0, 1, &[]), &[], &[]),
        ("b", 2, all(0, 1, &["V"]), &["V"], &["Y", "Z"]),
    ] {
        assert_eq!(table.take(message(node, 1, number, wants), at(0)), taken(added, removed));
    }
    assert!(table.is_wanted(&"V".parse().unwrap()) && !table.is_wanted(&"X".parse().unwrap()));
    assert_eq!((table.len(), table.is_empty()), (1, false));
}

#[test]
fn an_old_message_counts_for_nothing_and_a_new_process_starts_over_with_its_list() {
    let mut table = WantsTable::default();
    table.take(message("a", 1, 5, all(0, 1, &["X"])), at(0));
    assert_eq!(table.take(message("a", 1, 5, all(0, 1, &["Y"])), at(0)), taken(&[], &[]));
    assert_eq!(table.take(message("a", 1, 4, changes(&[], &["X"])), at(0)), taken(&[], &[]));
    assert_eq!(table.take(message("a", 2, 1, all(0, 1, &["Y"])), at(0)), taken(&["Y"], &["X"]));
}

#[test]
fn a_list_counts_once_all_its_parts_are_there_in_a_row() {
    let mut table = WantsTable::default();
    table.take(message("a", 1, 1, all(0, 1, &["X"])), at(0));
    assert_eq!(table.take(message("a", 1, 2, all(0, 2, &["Y"])), at(0)), taken(&[], &[]));
    assert_eq!(table.take(message("a", 1, 3, all(1, 2, &["Z"])), at(0)), taken(&["Y", "Z"], &["X"]));
    // The first part is lost, or the one in the middle, or something comes between.
    assert_eq!(table.take(message("a", 1, 5, all(1, 2, &["V"])), at(0)), taken(&[], &[]));
    table.take(message("a", 1, 6, all(0, 3, &["V"])), at(0));
    assert_eq!(table.take(message("a", 1, 8, all(2, 3, &["W"])), at(0)), taken(&[], &[]));
    table.take(message("a", 1, 9, all(0, 2, &["V"])), at(0));
    assert_eq!(table.take(message("a", 1, 10, changes(&["U"], &[])), at(0)), taken(&["U"], &[]));
    assert_eq!(table.take(message("a", 1, 11, all(1, 2, &["W"])), at(0)), taken(&[], &[]));
}

#[test]
fn a_silent_node_wants_nothing() {
    let mut table = WantsTable::default();
    table.take(message("a", 1, 1, all(0, 1, &["X", "Y"])), at(0));
    table.take(message("b", 1, 1, all(0, 1, &["Y"])), at(1_000));
    assert_eq!(table.forget(at(29_999)), taken(&[], &[]));
    assert_eq!(table.forget(at(30_000)), taken(&[], &["X"]));
    assert_eq!(table.forget(at(31_000)), taken(&[], &["Y"]));
}

#[test]
fn rule_10_nodes_and_their_symbols_are_limited() {
    let mut table = WantsTable::default();
    let names: Vec<String> = (0..=NODE_SYMBOLS_MAX).map(|number| format!("S{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = table.take(message("a", 1, 1, all(0, 1, &names)), at(0));
    assert_eq!((found.added.len(), found.left_out), (NODE_SYMBOLS_MAX, 1));
    assert_eq!(table.take(message("a", 1, 2, changes(&["MORE", names[0]], &[])), at(0)).left_out, 1);
    assert_eq!(table.take(message("a", 1, 3, changes(&["MORE"], &[names[0]])), at(0)), taken(&["MORE"], &[names[0]]));
    for number in 1..NODES_MAX {
        table.take(message(&format!("n{number}"), 1, 1, all(0, 1, &["X"])), at(0));
    }
    assert_eq!(table.take(message("late", 1, 1, all(0, 1, &["L"])), at(0)).left_out, 1);
    assert_eq!(table.take(message("late", 1, 1, changes(&["L"], &[])), at(0)).left_out, 1);
    assert!(!table.is_wanted(&"L".parse().unwrap()));
}

proptest! {
    /// Whatever is lost, the table is right after the next list, and it says exactly what has changed.
    #[test]
    fn what_senders_want_is_what_the_table_has(
        steps in prop::collection::vec((0_usize..2, 0_usize..6, any::<bool>(), 0_u64..80, prop::bool::weighted(0.2)), 1..60)
    ) {
        let names = symbols(&["A", "B", "C", "D", "E", "F"]);
        let mut now = 0;
        let mut senders = ["a", "b"].map(|name| WantsSender::new(name.parse().unwrap(), Instance::from_bits(1).unwrap(), at(0)));
        let mut wanted = [HashSet::new(), HashSet::new()];
        let mut table = WantsTable::default();
        let mut said = HashSet::new();
        let mut follow = |taken: Taken| {
            for symbol in taken.added {
                assert!(said.insert(symbol));
            }
            for symbol in taken.removed {
                assert!(said.remove(&symbol));
            }
            said.clone()
        };
        for (sender, name, wants, millis, lost) in steps {
            if wants {
                senders[sender].add(&names[name], at(now));
                wanted[sender].insert(names[name].clone());
            } else {
                senders[sender].remove(&names[name], at(now));
                wanted[sender].remove(&names[name]);
            }
            now += millis;
            for message in senders[sender].take(at(now)) {
                if !lost {
                    follow(table.take(message, at(now)));
                }
            }
        }
        now += 10_000;
        let mut said = HashSet::new();
        for sender in &mut senders {
            for message in sender.take(at(now)) {
                said = follow(table.take(message, at(now)));
            }
        }
        let union: HashSet<_> = wanted[0].union(&wanted[1]).cloned().collect();
        prop_assert_eq!(&said, &union);
        prop_assert!(table.len() == union.len() && union.iter().all(|symbol| table.is_wanted(symbol)));
    }
}
