//! The pods of one namespace as quotas count them: how many there are of each spec, so that a count
//! costs what there are kinds of pods, not pods.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::pod::{Pod, PodSpec};
use crate::api::resource_quota::ScopeRule;
use crate::api::rules::quota::{Item, Life, PodAccount, is_charged, is_in_all};
use crate::api::rules::resources::{Amounts, add};
use crate::base::FastMap;
use crate::base::id::Id;
use crate::store::{Change, View};
use crate::time::SimTime;

/// Pods of one spec that neither leave nor left.
#[derive(Clone, Debug)]
struct Row {
    /// Held, so that its address stays its own.
    spec: Arc<PodSpec>,
    account: Arc<PodAccount>,
    charged: i64,
    done: i64,
}

/// The pods of a namespace.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    rows: Vec<Row>,
    row_of: FastMap<usize, usize>,
    /// Pods on their way out: whether these count is a question of time.
    leaving: BTreeSet<Id<Pod>>,
}

/// Rows without pods that are let be.
const EMPTY_MAX: usize = 64;

impl Tally {
    /// The pods of a namespace as they are now.
    pub fn of_namespace(namespace: &str, view: &View<'_>) -> Tally {
        let mut tally = Tally::default();
        for (id, pod) in view.list::<Pod>().filter(|(_, pod)| &*pod.meta.namespace == namespace) {
            tally.count(id, pod, 1);
        }
        tally
    }

    /// A pod of the namespace changed.
    pub fn note(&mut self, change: &Change<'_, Pod>) {
        if let Some(old) = change.old {
            self.count(change.id, old, -1);
        }
        if let Some(new) = change.new {
            self.count(change.id, new, 1);
        }
    }

    fn count(&mut self, id: Id<Pod>, pod: &Pod, by: i64) {
        let is_done = pod.status.phase.is_terminal();
        if pod.meta.is_terminating() && !is_done {
            if by > 0 {
                self.leaving.insert(id);
            } else {
                self.leaving.remove(&id);
            }
            return;
        }
        let row = self.row(&pod.spec);
        if is_done {
            row.done += by;
        } else {
            row.charged += by;
        }
    }

    fn row(&mut self, spec: &Arc<PodSpec>) -> &mut Row {
        let key = Arc::as_ptr(spec) as usize;
        let at = match self.row_of.get(&key) {
            Some(&at) => at,
            None => {
                self.sweep();
                let account = Arc::new(PodAccount::of(spec));
                self.rows.push(Row { spec: spec.clone(), account, charged: 0, done: 0 });
                self.row_of.insert(key, self.rows.len() - 1);
                self.rows.len() - 1
            }
        };
        &mut self.rows[at]
    }

    /// Lets rows without pods go, once they are many.
    fn sweep(&mut self) {
        let is_empty = |row: &Row| row.charged == 0 && row.done == 0;
        if self.rows.len() < EMPTY_MAX
            || self.rows.iter().filter(|row| is_empty(row)).count() * 2 < self.rows.len()
        {
            return;
        }
        self.rows.retain(|row| !is_empty(row));
        let keys = self.rows.iter().enumerate();
        self.row_of = keys.map(|(at, row)| (Arc::as_ptr(&row.spec) as usize, at)).collect();
    }

    /// Whether pods will stop counting just because time goes by.
    pub fn depends_on_time(&self, view: &View<'_>, now: SimTime) -> bool {
        let leaving = self.leaving.iter().filter_map(|&id| view.get(id));
        leaving.into_iter().any(|pod| is_charged(pod, now))
    }

    /// What the pods that fulfil `rules` use at `now`.
    pub fn used(&self, rules: &[ScopeRule], view: &View<'_>, now: SimTime) -> Amounts {
        let mut used = Amounts::new();
        for row in &self.rows {
            for (life, count) in [(Life::Charged, row.charged), (Life::Free, row.done)] {
                let item = Item::Pod(&row.account, life);
                if count > 0 && is_in_all(&item, rules) {
                    let usage = item.usage().into_iter();
                    add(&mut used, &usage.map(|(name, it)| (name, it.times(count))).collect());
                }
            }
        }
        for pod in self.leaving.iter().filter_map(|&id| view.get(id)) {
            let account = match self.row_of.get(&(Arc::as_ptr(&pod.spec) as usize)) {
                Some(&at) => self.rows[at].account.clone(),
                None => Arc::new(PodAccount::of(&pod.spec)),
            };
            let life = if is_charged(pod, now) { Life::Charged } else { Life::Free };
            let item = Item::Pod(&account, life);
            if is_in_all(&item, rules) {
                add(&mut used, &item.usage());
            }
        }
        used
    }
}
