//! Views beside plainly copied caches, under lag, cuts, compaction and re-lists.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{CursorId, Rev, Store};
use crate::api::meta::Meta;
use crate::api::misc::Lease;
use crate::base::id::Id;
use crate::time::SimTime;

fn lease(name: &str, transitions: u32) -> Lease {
    Lease {
        meta: Meta::new("ns".into(), name.into()),
        holder: "".into(),
        acquired: SimTime::ZERO,
        renewed: SimTime::ZERO,
        transitions,
    }
}

/// A cache as an informer would keep it: every object copied.
type Copied = BTreeMap<Id<Lease>, Lease>;

struct Watcher {
    cursor: CursorId,
    copied: Copied,
    is_cut: bool,
}

#[derive(Clone, Debug)]
enum Action {
    Write { name: u8 },
    Delete { name: u8 },
    Deliver { watcher: usize, most: u64 },
    Cut { watcher: usize },
    Reconnect { watcher: usize },
    Compact,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        6 => (0u8..6).prop_map(|name| Action::Write { name }),
        2 => (0u8..6).prop_map(|name| Action::Delete { name }),
        6 => (0usize..3, 1u64..5).prop_map(|(watcher, most)| Action::Deliver { watcher, most }),
        1 => (0usize..3).prop_map(|watcher| Action::Cut { watcher }),
        1 => (0usize..3).prop_map(|watcher| Action::Reconnect { watcher }),
        1 => Just(Action::Compact),
    ]
}

/// The store under test beside everything it should show.
/// Names for which ids are held.
const HELD: [&str; 2] = ["n0", "n1"];

struct Rig {
    store: Store,
    watchers: Vec<Watcher>,
    now: u64,
    version: u32,
}

impl Rig {
    fn new() -> Rig {
        let mut store = Store::default();
        for name in HELD {
            store.reserve(lease(name, 0));
        }
        let watchers = (0..3)
            .map(|_| Watcher {
                cursor: store.table_mut::<Lease>().open(),
                copied: Copied::new(),
                is_cut: false,
            })
            .collect();
        Rig { store, watchers, now: 0, version: 0 }
    }

    fn apply(&mut self, action: &Action) {
        self.now += 1;
        let at = SimTime::from_secs(self.now);
        match *action {
            Action::Write { name } => {
                self.version += 1;
                let name = format!("n{name}");
                let next = lease(&name, self.version);
                match self.store.find::<Lease>("ns", &name) {
                    Some(id) => assert!(self.store.update(at, id, next)),
                    None => {
                        self.store.create_reserved(at, next);
                    }
                }
            }
            Action::Delete { name } => {
                if let Some(id) = self.store.find::<Lease>("ns", &format!("n{name}")) {
                    assert!(self.store.delete(at, id).is_some());
                }
            }
            Action::Deliver { watcher, most } => self.deliver(watcher, most),
            Action::Cut { watcher } => self.watchers[watcher].is_cut = true,
            Action::Reconnect { watcher } => {
                let one = &mut self.watchers[watcher];
                one.is_cut = false;
                let table = self.store.table_mut::<Lease>();
                if table.is_lost(one.cursor) {
                    table.relist(one.cursor);
                    one.copied = table.iter().map(|(id, it)| (id, it.clone())).collect();
                }
            }
            Action::Compact => {
                let horizon = SimTime::from_secs(self.now.saturating_sub(4));
                self.store.table_mut::<Lease>().compact(horizon);
            }
        }
    }

    fn deliver(&mut self, watcher: usize, most: u64) {
        let one = &mut self.watchers[watcher];
        let table = self.store.table_mut::<Lease>();
        if one.is_cut || table.is_lost(one.cursor) {
            return;
        }
        let range = table.advance(one.cursor, table.next(one.cursor) + most);
        for change in table.changes(range.clone()) {
            assert_eq!(change.old, one.copied.get(&change.id), "old state as last seen");
            match change.new {
                Some(new) => one.copied.insert(change.id, new.clone()),
                None => one.copied.remove(&change.id),
            };
        }
        table.settle(range);
    }

    fn check(&self) {
        let table = self.store.table::<Lease>();
        for one in &self.watchers {
            let seen = table.seen(one.cursor);
            let view: Copied = table.list(seen).map(|(id, it)| (id, it.clone())).collect();
            assert_eq!(view, one.copied);
            for (id, copied) in &one.copied {
                let found = table.find("ns", &copied.meta.name.to_string(), seen);
                assert_eq!(found, Some(*id));
            }
        }
    }
}

proptest! {
    #[test]
    fn views_equal_copied_caches(actions in prop::collection::vec(action(), 1..200)) {
        let mut rig = Rig::new();
        for action in &actions {
            rig.apply(action);
            rig.check();
        }
        // Once everybody has seen everything, only current versions are left.
        for watcher in 0..3 {
            rig.apply(&Action::Reconnect { watcher });
            rig.deliver(watcher, u64::MAX / 2);
        }
        rig.check();
        let table = rig.store.table::<Lease>();
        let held = HELD.iter().filter(|name| table.find("ns", name, Rev(u64::MAX - 1)).is_none());
        prop_assert_eq!(table.versions(), table.len() + held.count());
    }
}

#[test]
fn a_slow_watch_holds_versions_and_lets_them_go() {
    let mut store = Store::default();
    let cursor = store.table_mut::<Lease>().open();
    let id = store.create(SimTime::ZERO, lease("a", 0));
    for transitions in 1..=100 {
        store.update(SimTime::ZERO, id, lease("a", transitions));
    }
    let table = store.table_mut::<Lease>();
    assert_eq!(table.versions(), 101);
    let range = table.advance(cursor, u64::MAX);
    table.settle(range);
    assert_eq!(table.versions(), 1);
    assert_eq!(table.at(id, Rev(101)).map(|(_, it)| it.transitions), Some(100));
}

#[test]
fn a_name_can_be_used_again_while_a_watch_still_sees_the_old_object() {
    let mut store = Store::default();
    let cursor = store.table_mut::<Lease>().open();
    let first = store.create(SimTime::ZERO, lease("a", 1));
    let table = store.table_mut::<Lease>();
    let range = table.advance(cursor, u64::MAX);
    table.settle(range);
    store.delete(SimTime::ZERO, first);
    let second = store.create(SimTime::ZERO, lease("a", 2));
    let table = store.table::<Lease>();
    assert_eq!(table.find("ns", "a", table.seen(cursor)), Some(first));
    assert_eq!(store.find::<Lease>("ns", "a"), Some(second));
}

#[test]
fn objects_of_a_reserved_name_have_one_id() {
    let mut store = Store::default();
    let held = store.reserve(lease("a", 0));
    assert_eq!((store.get(held), store.find::<Lease>("ns", "a")), (None, None));
    let cursor = store.table_mut::<Lease>().open();
    for transitions in 1..4 {
        assert_eq!(store.create_reserved(SimTime::ZERO, lease("a", transitions)), held);
        assert_eq!(store.get(held).map(|it| it.transitions), Some(transitions));
        assert_ne!(store.create_reserved(SimTime::ZERO, lease("b", transitions)), held);
        store.delete(SimTime::ZERO, held);
        assert_eq!(store.get(held), None);
    }
    let table = store.table_mut::<Lease>();
    let range = table.advance(cursor, u64::MAX);
    let came: Vec<_> = table.changes(range).filter(|it| it.id == held).collect();
    assert_eq!(came.len(), 6);
    assert!(came.iter().step_by(2).all(|it| it.old.is_none() && it.new.is_some()));
}
