//! Fewer nodes where nobody needs them (cluster-autoscaler 1.36 core/scaledown, core/static_autoscaler.go).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::drain::{Allowances, Fate, fate};
use super::eligible::{self, Unremovable};
use super::options::{Options, Setup};
use super::picture::{Fleet, Picture};
use super::planner::{
    Candidate, Gate, Load, Replicas, Since, Sizes, categorize, not_yet_recreated, removable,
    spared, unneeded_most,
};
use super::removal::{self, Hint};
use super::simulation::Wanderer;
use super::{ClusterAutoscaler, Known, Look, Timer};
use crate::api::disruption::PodDisruptionBudget;
use crate::api::kind::Kind;
use crate::api::meta::Owner;
use crate::api::node::Node;
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::ReplicaSet;
use crate::base::id::Id;
use crate::messages::Effects;
use crate::messages::cloud::Sizing;
use crate::time::SimTime;

/// The most nodes that get or lose the mark of a candidate in one scan
/// (`--max-bulk-soft-taint-count`).
const HINTS: usize = 10;

/// Budgets as nodes that are planned to go use them up.
struct Budgets<'a> {
    known: Known<'a>,
    left: Allowances,
}

impl<'a> Budgets<'a> {
    fn of(known: Known<'a>) -> Budgets<'a> {
        let mut left = Allowances::default();
        for (id, budget) in known.view.list::<PodDisruptionBudget>() {
            left.note(id, budget.status.allowed);
        }
        Budgets { known, left }
    }
}

impl Gate for Budgets<'_> {
    fn check(&self, pods: &[Wanderer]) -> Result<(), Unremovable> {
        let asked = pods.iter().map(|one| self.known.index.budgets_of(one.pod));
        if self.left.allow(asked) { Ok(()) } else { Err(Unremovable::BlockedByPod) }
    }

    fn take(&mut self, pods: &[Wanderer]) {
        self.left.take(pods.iter().map(|one| self.known.index.budgets_of(one.pod)));
    }
}

impl ClusterAutoscaler {
    /// Notes which nodes nobody needs, and begins to remove those that have waited for long enough.
    pub(super) fn scale_down(
        &mut self,
        picture: &mut Picture,
        fleet: &Fleet,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let setup = Arc::clone(&self.setup);
        self.update_unneeded(picture, fleet, known, fx);
        let began = match self.cools_until(&setup.options).filter(|&until| until > fx.now()) {
            Some(until) => {
                self.look_at(until, fx.now());
                0
            }
            None => self.remove_due(fleet, &setup, known, fx),
        };
        if began == 0 {
            self.hint(known, fx);
        }
    }

    /// Until when no node is removed.
    fn cools_until(&self, options: &Options) -> Option<SimTime> {
        let after = |at: Option<SimTime>, wait| at.map(|at| at + wait);
        [
            after(self.last_up, options.after_add),
            after(self.last_removal, options.after_delete),
            after(self.last_failure, options.after_failure),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    fn update_unneeded(
        &mut self,
        picture: &mut Picture,
        fleet: &Fleet,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let (setup, now) = (Arc::clone(&self.setup), fx.now());
        self.put_leaving(picture, known);
        self.unremovable.retain(|_, (until, _)| *until > now);
        let mut destinations: BTreeSet<Id<Node>> = known
            .view
            .list::<Node>()
            .map(|(id, _)| id)
            .filter(|&id| !self.removals.contains(id))
            .collect();
        let candidates = self.candidates(picture, fleet, &setup, known, now);
        let options = &setup.options;
        let most = unneeded_most(
            self.unneeded.len(),
            options.parallel_most,
            options.waits.unneeded,
            options.scan_interval,
        );
        let mut budgets = Budgets::of(known);
        let found =
            categorize(&mut picture.simulation, candidates, &mut destinations, most, &mut budgets);
        for &(node, why) in &found.unremovable {
            let until = now + options.recheck;
            self.unremovable.insert(node, (until, why));
        }
        if found.unneeded.len() != self.unneeded.len() {
            self.look = Look::Needed;
        }
        self.unneeded.update(&found.unneeded, now);
        let again: Vec<SimTime> = self.unremovable.values().map(|(until, _)| *until).collect();
        again.into_iter().for_each(|until| self.look_at(until, now));
        let due: Vec<SimTime> = self
            .unneeded
            .iter()
            .filter_map(|(id, since)| {
                let node = known.view.get(id)?;
                let waits = &options.waits;
                Some(since.at + if node.is_ready() { waits.unneeded } else { waits.unready })
            })
            .collect();
        due.into_iter().for_each(|at| self.look_at(at, now));
    }

    /// Pods of nodes that go need places too (`injectOngoingActuation`).
    fn put_leaving(&self, picture: &mut Picture, known: Known<'_>) {
        for mut one in self.removals.leaving(known) {
            one.pod = picture.simulation.imagined_pod();
            let _found = picture.simulation.place_anywhere(&one, |_| true);
        }
        let evicted = self.removals.evicted(known);
        let owners: BTreeMap<_, Owner> = evicted
            .iter()
            .filter_map(|(_, owner)| Some((owner.as_ref()?.uid, (*owner)?)))
            .collect();
        let evicted: Vec<_> =
            evicted.into_iter().map(|(shape, owner)| (shape, owner.map(|it| it.uid))).collect();
        let replicas = |uid| replicas(*owners.get(&uid)?, known);
        for shape in not_yet_recreated(evicted, replicas) {
            let pod = picture.simulation.imagined_pod();
            let _found = picture.simulation.place_anywhere(&Wanderer { pod, shape }, |_| true);
        }
    }

    /// Nodes worth thinking about: those thought unneeded before come first.
    fn candidates(
        &self,
        picture: &Picture,
        fleet: &Fleet,
        setup: &Setup,
        known: Known<'_>,
        now: SimTime,
    ) -> Vec<Candidate> {
        let mut found: Vec<(bool, Candidate)> = Vec::new();
        for (&id, &group) in &fleet.group_of {
            let Some(node) = known.view.get(id) else { continue };
            let Some(info) = picture.simulation.node(id) else { continue };
            let used = eligible::utilization(&info.requested, &info.allocatable);
            let sizes = self.sizes(group, fleet, setup);
            if self.removals.contains(id)
                || self.unremovable.contains_key(&id)
                || sizes.now <= sizes.min
                || eligible::check(node, used, setup.options.threshold).is_some()
            {
                continue;
            }
            let staying = self.staying(id, setup, known, now);
            let sizing = setup.groups[usize::from(group)].sizing;
            found.push((!self.unneeded.contains(id), Candidate { node: id, staying, sizing }));
        }
        found.sort_by_key(|(is_new, _)| *is_new);
        found.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// The pods of a node that need no other place, or what holds it.
    fn staying(
        &self,
        id: Id<Node>,
        setup: &Setup,
        known: Known<'_>,
        now: SimTime,
    ) -> Result<BTreeSet<Id<crate::api::pod::Pod>>, Unremovable> {
        let mut staying = BTreeSet::new();
        for &pod in known.index.pods_on(id) {
            let Some(written) = known.view.get(pod) else { continue };
            if written.spec.priority < setup.options.expendable_below {
                staying.insert(pod);
                continue;
            }
            let has_budget = !known.index.budgets_of(pod).is_empty();
            match fate(written, has_budget, setup.options.scruples, now) {
                Fate::Moves => {}
                Fate::GoesAlong | Fate::Ignored => {
                    staying.insert(pod);
                }
                Fate::Holds(_) => return Err(Unremovable::BlockedByPod),
            }
        }
        Ok(staying)
    }

    /// A group's sizes, removals under way taken off.
    fn sizes(&self, group: u16, fleet: &Fleet, setup: &Setup) -> Sizes {
        let going = self.removals.iter().filter(|(_, one)| one.group == group).count() as u32;
        let target = fleet.groups[usize::from(group)].target;
        Sizes { min: setup.groups[usize::from(group)].min, now: target.saturating_sub(going) }
    }

    /// Begins what is due; returns how many removals (`NodesToDelete`, `StartDeletion`).
    fn remove_due(
        &mut self,
        fleet: &Fleet,
        setup: &Setup,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> usize {
        let now = fx.now();
        let mut ready: Vec<((Id<Node>, u16), Load)> = Vec::new();
        for (id, Since { at, load }) in self.unneeded.iter() {
            let Some(node) = known.view.get(id) else { continue };
            let group = fleet.group_of.get(&id).copied();
            let sizes = group.map(|group| self.sizes(group, fleet, setup));
            if removable(node, at, now, setup.options.waits, sizes).is_ok()
                && let Some(group) = group
            {
                ready.push(((id, group), load));
            }
        }
        // A group that goes as a whole goes when all of it may.
        let count = |ready: &[((Id<Node>, u16), Load)], group| {
            ready.iter().filter(|((_, of), _)| *of == group).count() as u32
        };
        let all = ready.clone();
        ready.retain(|((_, group), _)| {
            let whole = setup.groups[usize::from(*group)].sizing == Sizing::ZeroOrMax;
            !whole || count(&all, *group) == fleet.groups[usize::from(*group)].target
        });
        let mut left: BTreeMap<u16, u32> = BTreeMap::new();
        let ready = spared(ready, |(_, group)| {
            let sizes = self.sizes(*group, fleet, setup);
            let left = left.entry(*group).or_insert(sizes.now.saturating_sub(sizes.min));
            let may = *left > 0;
            *left = left.saturating_sub(1);
            may
        });
        let draining = self.removals.iter().filter(|(_, one)| one.load == Load::Drain).count();
        let mut drains = setup.options.drains_most.saturating_sub(draining);
        let mut room = setup.options.parallel_most.saturating_sub(self.removals.len());
        let mut began = 0;
        for ((id, group), load) in ready {
            let budget = if load == Load::Drain { &mut drains } else { &mut room };
            if *budget == 0 || began >= setup.options.parallel_most {
                continue;
            }
            *budget -= 1;
            let Some(node) = known.view.get(id) else { continue };
            fx.because(crate::kernel::NO_CAUSE);
            let (options, client) = (&setup.options, self.client);
            self.removals.begin((id, node), (group, load), options, client, known, fx);
            began += 1;
        }
        if began > 0 {
            self.last_removal = Some(now);
            self.look = Look::Needed;
        }
        began
    }

    /// Marks nodes that may go soon, and takes the mark off others (`UpdateSoftDeletionTaints`).
    fn hint(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        let nodes = known.view.list::<Node>().filter(|(id, _)| !self.removals.contains(*id));
        let wrong: Vec<(Id<Node>, Hint)> = nodes
            .filter_map(|(id, node)| match (self.unneeded.contains(id), removal::is_hinted(node)) {
                (true, false) => Some((id, Hint::Set)),
                (false, true) => Some((id, Hint::Removed)),
                _ => None,
            })
            .collect();
        fx.because(crate::kernel::NO_CAUSE);
        for &(id, wanted) in wrong.iter().take(HINTS) {
            removal::hint(id, wanted, self.client, known, fx);
        }
        if wrong.len() > HINTS {
            self.look = Look::Needed;
        }
    }
}

/// What a controller wants and has, as far as it counts replicas.
fn replicas(owner: Owner, known: Known<'_>) -> Option<Replicas> {
    match owner.kind {
        Kind::ReplicaSet | Kind::ReplicationController => {
            let set = known.view.get::<ReplicaSet>(owner.at.typed())?;
            Some(Replicas { wanted: set.replicas, present: set.status.replicas })
        }
        Kind::StatefulSet => {
            let set = known.view.get::<StatefulSet>(owner.at.typed())?;
            Some(Replicas { wanted: set.replicas, present: set.status.replicas })
        }
        _ => None,
    }
}
