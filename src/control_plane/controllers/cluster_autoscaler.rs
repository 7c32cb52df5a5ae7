//! The Cluster Autoscaler (cluster-autoscaler 1.36): adds nodes for pods that fit nowhere, and removes
//! nodes that nobody needs.
//!
//! Owns what it remembers of groups and nodes from scan to scan. Refuses to know how machines come
//! about: it asks the cloud ([`crate::messages::cloud`]) and sees what registers. It is one of the
//! controllers of a manager, and is lost and begins anew with it.
//!
//! ```text
//! scan, each 10 s ─▶ sizes, failures ─▶ pods that fit nowhere? ─ yes ─▶ expander ─▶ machines
//!                                            │ no
//!                                            ▼
//!                     unneeded nodes ─ 10 min, no scale-up of late ─▶ removal
//! ```
//! A scan in which nothing can change is not run: [`ClusterAutoscaler::next_scan`] names the next one
//! that matters.

pub mod cluster_state;
pub mod drain;
pub mod eligible;
pub mod estimator;
pub mod expander;
pub mod limits;
pub mod options;
mod picture;
pub mod planner;
mod removal;
mod scale_down;
mod scale_up;
pub mod similar;
pub mod simulation;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Known, Timer};
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::kernel::NO_CAUSE;
use crate::kernel::recurring::Cadence;
use crate::messages::cloud::{Cloud, CloudCall};
use crate::messages::{ClientId, Component, Effects, Fact, Reply, Verb};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};
use cluster_state::{Backoff, ScaleUp, is_healthy};
use eligible::Unremovable;
pub use options::{Options, Setup};
use picture::{Fleet, Picture};
use planner::Unneeded;
use removal::{News, Removals};

/// Taint of a node that is on its way out.
pub const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";
/// Taint of a node that may go soon.
pub const CANDIDATE: &str = "DeletionCandidateOfClusterAutoscaler";

const TICK: SimDuration = SimDuration::from_nanos(1);

/// Whether the next scan must run whatever the deadlines say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Look {
    Needed,
    No,
}

/// The autoscaler.
#[derive(Clone, Debug)]
pub struct ClusterAutoscaler {
    client: ClientId,
    setup: Arc<Setup>,
    cadence: Cadence,
    look: Look,
    /// The first instant at which a scan could find something else, nothing else changing.
    until: Option<SimTime>,
    /// The cloud's changes that the latest scan knew.
    cloud_changes: Option<u64>,
    scale_ups: BTreeMap<u16, ScaleUp>,
    backoffs: BTreeMap<u16, Backoff>,
    unneeded: Unneeded,
    unremovable: BTreeMap<Id<Node>, (SimTime, Unremovable)>,
    last_up: Option<SimTime>,
    last_removal: Option<SimTime>,
    last_failure: Option<SimTime>,
    removals: Removals,
    choices: u64,
    /// What pods were told last.
    told: BTreeMap<Id<Pod>, Text>,
    /// The fact upstream of the latest pod that fits nowhere.
    cause: u64,
}

impl ClusterAutoscaler {
    /// The autoscaler, sending by `client`.
    pub fn new(client: ClientId, setup: Arc<Setup>) -> ClusterAutoscaler {
        ClusterAutoscaler {
            client,
            cadence: every(SimTime::ZERO, setup.options.scan_interval),
            setup,
            look: Look::Needed,
            until: None,
            cloud_changes: None,
            scale_ups: BTreeMap::new(),
            backoffs: BTreeMap::new(),
            unneeded: Unneeded::default(),
            unremovable: BTreeMap::new(),
            last_up: None,
            last_removal: None,
            last_failure: None,
            removals: Removals::default(),
            choices: 0,
            told: BTreeMap::new(),
            cause: NO_CAUSE,
        }
    }

    /// The manager starts: the first scan is one interval later.
    pub fn begin(&mut self, now: SimTime) {
        let interval = self.setup.options.scan_interval;
        self.cadence = every(now + interval, interval);
    }

    /// When scans fall.
    pub fn cadence(&self) -> Cadence {
        self.cadence
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>) {
        let matters = |pod: &Pod| {
            let end = pod.meta.deletion.is_some();
            (
                pod.node,
                pod.is_unschedulable(),
                pod.status.phase.is_terminal(),
                end,
                pod.status.nominated,
            )
        };
        if change.old.map(matters) != change.new.map(matters) {
            self.look = Look::Needed;
            if change.new.is_some_and(Pod::is_unschedulable) {
                self.cause = change.cause;
            }
        }
        if change.new.is_none() {
            self.told.remove(&change.id);
        }
    }

    /// A node changed.
    pub fn node(&mut self, change: &Change<'_, Node>) {
        let same = match (change.old, change.new) {
            (Some(old), Some(new)) => {
                old.conditions.ready == new.conditions.ready
                    && old.taints == new.taints
                    && old.schedulability == new.schedulability
                    && old.meta.labels == new.meta.labels
                    && old.meta.annotations == new.meta.annotations
                    && old.allocatable == new.allocatable
            }
            _ => false,
        };
        if !same {
            self.look = Look::Needed;
        }
        if change.new.is_none() {
            self.unremovable.remove(&change.id);
        }
    }

    /// A budget changed.
    pub fn budget(&mut self, change: &Change<'_, PodDisruptionBudget>) {
        let allowed = |budget: &PodDisruptionBudget| budget.status.allowed;
        if change.old.map(allowed) != change.new.map(allowed) {
            self.look = Look::Needed;
        }
    }

    /// A DaemonSet changed.
    pub fn daemon_set(&mut self, change: &Change<'_, DaemonSet>) {
        let template = |set: &DaemonSet| set.template.hash;
        if change.old.map(template) != change.new.map(template) {
            self.look = Look::Needed;
        }
    }

    /// The next scan after `after` in which something could change, as things stand.
    pub fn next_scan(&self, after: SimTime, cloud: &dyn Cloud) -> Option<u64> {
        let next = self.cadence.first_from(after + TICK);
        if self.look == Look::Needed || self.cloud_changes != Some(cloud.changes()) {
            return Some(next);
        }
        self.until.map(|until| self.cadence.first_from(until).max(next))
    }

    /// A scan (`RunOnce`).
    pub fn scan(&mut self, cloud: &dyn Cloud, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.look = Look::No;
        self.until = None;
        self.cloud_changes = Some(cloud.changes());
        let setup = Arc::clone(&self.setup);
        let fleet = Fleet::of(known.view, cloud, &setup);
        if let Some(until) = fleet.until {
            self.look_at(until, fx.now());
        }
        self.judge_scale_ups(&fleet, fx);
        let options = &setup.options;
        let (all, unready) = fleet.nodes;
        if !is_healthy(unready, all, options.unready_ok, options.unready_percent) {
            return;
        }
        let mut picture = Picture::of(known.view, &fleet, &setup);
        if !picture.waiting.is_empty() && self.scale_up(&picture, &fleet, known, fx) {
            return;
        }
        self.scale_down(&mut picture, &fleet, known, fx);
    }

    /// A later scan could find something else at `at`.
    fn look_at(&mut self, at: SimTime, now: SimTime) {
        if at > now {
            self.until = Some(self.until.map_or(at, |held| held.min(at)));
        }
    }

    /// Scale-ups that are through, or took too long (`updateScaleRequests`); machines that never came
    /// are given back (`removeOldUnregisteredNodes`).
    fn judge_scale_ups(&mut self, fleet: &Fleet, fx: &mut Effects<Timer>) {
        let now = fx.now();
        let due: Vec<u16> = self.scale_ups.keys().copied().collect();
        for group in due {
            let state = &fleet.groups[usize::from(group)];
            let Some(request) = self.scale_ups.get(&group).copied() else { continue };
            if request.expected < now {
                self.scale_ups.remove(&group);
                self.back_off(group, state.overdue.len() as i64, fx);
            } else if state.upcoming() == 0 && state.overdue.is_empty() {
                self.scale_ups.remove(&group);
                self.backoffs.remove(&group);
            } else {
                self.look_at(request.expected + TICK, now);
            }
        }
        for machine in fleet.groups.iter().flat_map(|group| &group.overdue) {
            fx.cloud(CloudCall::Remove { machine: machine.clone() });
            self.look = Look::Needed;
        }
        let ends: Vec<SimTime> = self.backoffs.values().map(|held| held.until).collect();
        ends.into_iter().for_each(|until| self.look_at(until, now));
    }

    fn back_off(&mut self, group: u16, missing: i64, fx: &mut Effects<Timer>) {
        let before = self.backoffs.get(&group).copied();
        let next = Backoff::after(before, fx.now(), self.setup.options.backoff);
        self.backoffs.insert(group, next);
        self.look_at(next.until, fx.now());
        let wait = next.until.saturating_since(fx.now());
        fx.because(self.cause);
        fx.fact(
            self.fact(group, Verb::ScaleUpFailed)
                .with("missing", missing)
                .with("backoff_seconds", wait.as_secs() as i64),
        );
    }

    /// A fact about a group.
    fn fact(&self, group: u16, verb: Verb) -> Fact {
        let name = self.setup.groups[usize::from(group)].name.clone();
        let object = ObjectName {
            kind: Kind::NodeGroup,
            namespace: "".into(),
            name: crate::api::name::Name::new(name),
        };
        Fact::new(Component::ClusterAutoscaler, verb, object)
    }

    /// The API server answered.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        if reply.tag == removal::HINT {
            self.look = Look::Needed;
            return;
        }
        let news = self.removals.reply(reply, self.client, known, fx);
        self.note(news, fx.now());
    }

    /// A removal may have something to do.
    pub fn due(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        let setup = Arc::clone(&self.setup);
        let news = self.removals.due(self.client, &setup.options, known, fx);
        self.note(news, fx.now());
    }

    fn note(&mut self, news: News, now: SimTime) {
        if news.over + news.failed > 0 {
            self.look = Look::Needed;
        }
        if news.failed > 0 {
            self.last_failure = Some(now);
        }
    }
}

fn every(from: SimTime, interval: SimDuration) -> Cadence {
    Cadence::new(from, interval.max(SimDuration::from_millis(1)))
        .expect("a period that is not zero")
}
