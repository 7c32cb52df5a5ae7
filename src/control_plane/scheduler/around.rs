//! What a scheduler follows besides nodes and pods: namespaces, who selects pods, budgets.
//!
//! Owns how objects seen in watches become [`Surroundings`]. Refuses to know what they mean for a
//! decision, and whom a change could help.

use std::ops::Range;
use std::sync::Arc;

use super::algorithm::{Budget, Surroundings};
use crate::api::disruption::PodDisruptionBudget;
use crate::api::meta::Meta;
use crate::api::misc::Namespace;
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::service::Service;
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::ReplicaSet;
use crate::store::{Store, Stored, TableKind, View};

/// Takes in an object, or that it is gone.
type Take<T> = fn(&mut Surroundings, &View<'_>, &Meta, Option<&T>);

/// Takes in all there is.
pub(super) fn list(view: &View<'_>, around: &mut Surroundings) {
    around.clear();
    each(view, around, namespace);
    each(view, around, service);
    each(view, around, replica_set);
    each(view, around, stateful_set);
    each(view, around, budget);
}

fn each<T: Stored>(view: &View<'_>, around: &mut Surroundings, take: Take<T>) {
    for (_, object) in view.list::<T>() {
        take(around, view, object.meta(), Some(object));
    }
}

/// Takes in the changes of this range of a table's log; of tables it does not know nothing.
pub(super) fn follow(
    table: TableKind,
    changes: Range<u64>,
    store: &Store,
    view: &View<'_>,
    around: &mut Surroundings,
) {
    match table {
        TableKind::Namespace => changed(store, changes, view, around, namespace),
        TableKind::Service => changed(store, changes, view, around, service),
        TableKind::ReplicaSet => changed(store, changes, view, around, replica_set),
        TableKind::StatefulSet => changed(store, changes, view, around, stateful_set),
        TableKind::PodDisruptionBudget => changed(store, changes, view, around, budget),
        _ => {}
    }
}

fn changed<T: Stored>(
    store: &Store,
    changes: Range<u64>,
    view: &View<'_>,
    around: &mut Surroundings,
    take: Take<T>,
) {
    for change in store.table::<T>().changes(changes) {
        if let Some(known) = change.new.or(change.old) {
            take(around, view, known.meta(), change.new);
        }
    }
}

fn name_of(meta: &Meta) -> Text {
    meta.name.to_string().into()
}

fn namespace(around: &mut Surroundings, _: &View<'_>, meta: &Meta, new: Option<&Namespace>) {
    around.set_namespace(&name_of(meta), new.map(|_| Arc::clone(&meta.labels)));
}

fn service(around: &mut Surroundings, _: &View<'_>, meta: &Meta, new: Option<&Service>) {
    let selector = new.and_then(|service| service.spec.selector.clone()).map(Arc::new);
    around.set_service(&meta.namespace, &name_of(meta), selector);
}

fn replica_set(around: &mut Surroundings, _: &View<'_>, meta: &Meta, new: Option<&ReplicaSet>) {
    around.set_owner(meta.uid, new.map(|set| Arc::clone(&set.selector)));
}

fn stateful_set(around: &mut Surroundings, _: &View<'_>, meta: &Meta, new: Option<&StatefulSet>) {
    around.set_owner(meta.uid, new.map(|set| Arc::clone(&set.selector)));
}

fn budget(
    around: &mut Surroundings,
    view: &View<'_>,
    meta: &Meta,
    new: Option<&PodDisruptionBudget>,
) {
    let budget = new.map(|written| {
        let disrupted = written.status.disrupted.iter();
        Budget {
            selector: written.selector.as_deref().cloned(),
            allowed: written.status.allowed,
            disrupted: disrupted
                .filter_map(|(pod, _)| view.find::<Pod>(&meta.namespace, pod))
                .collect(),
        }
    });
    around.set_budget(&meta.namespace, &name_of(meta), budget);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::{Labels, Uid};
    use crate::store::Cursors;
    use crate::time::SimTime;

    fn meta(name: &str, labels: &[(&str, &str)]) -> Meta {
        let labels: Labels = labels.iter().map(|&(k, v)| (k.into(), v.into())).collect();
        let mut meta = Meta::new("shop".into(), name.into());
        meta.labels = Arc::new(labels);
        meta.uid = Uid(7);
        meta
    }

    fn budget(allowed: i32) -> PodDisruptionBudget {
        let mut budget = PodDisruptionBudget {
            meta: meta("pdb", &[]),
            selector: None,
            limit: Default::default(),
            unhealthy: Default::default(),
            status: Default::default(),
            written: "".into(),
        };
        budget.status.allowed = allowed;
        budget
    }

    #[test]
    fn what_is_listed_and_what_changes_later_is_taken_in() {
        let (now, mut store, mut cursors) = (SimTime::ZERO, Store::default(), Cursors::default());
        let mut around = Surroundings::default();
        store.create(now, Namespace::new(meta("shop", &[("team", "a")])));
        let id = store.create(now, budget(1));
        for table in [TableKind::Namespace, TableKind::PodDisruptionBudget] {
            cursors.set(table, Some(store.open(table)));
        }
        list(&View::new(now, &store, &cursors), &mut around);
        let team = around.namespace("shop").and_then(|labels| labels.get("team")).cloned();
        assert_eq!(team.as_deref(), Some("a"));
        let allowed = |around: &Surroundings| -> Vec<i32> {
            around.budgets("shop").map(|budget| budget.allowed).collect()
        };
        assert_eq!(allowed(&around), [1]);

        let before = store.table::<PodDisruptionBudget>().log_end();
        store.update(now, id, budget(0));
        let range = before..store.table::<PodDisruptionBudget>().log_end();
        let view = View::new(now, &store, &cursors);
        follow(TableKind::PodDisruptionBudget, range, &store, &view, &mut around);
        assert_eq!(allowed(&around), [0]);

        let before = store.table::<PodDisruptionBudget>().log_end();
        store.delete(now, id);
        let range = before..store.table::<PodDisruptionBudget>().log_end();
        let view = View::new(now, &store, &cursors);
        follow(TableKind::PodDisruptionBudget, range, &store, &view, &mut around);
        assert!(!around.has_budgets());
    }
}
