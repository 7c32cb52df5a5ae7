//! What pods of one class find on a node because of pods elsewhere: hard and soft spreading, affinity
//! both ways. Worked out from sums; nothing here looks at a pod on a node.
//!
//! Owns which sums a class asks for. They are looked up once, and again when selectors changed or
//! terms appeared.

use super::super::framework::{Plugin, Question, Rejection};
use super::super::plugins::inter_pod_affinity;
use super::super::plugins::topology_spread::score::{Keys, worth};
use super::super::plugins::topology_spread::{self, Constraint, constraints};
use super::super::profile::ResidentPreferences;
use super::super::snapshot::Snapshot;
use super::Candidate;
use super::classes::Classes;
use super::eligible::EligibleRule;
use super::rules::{Carried, Rule, Term};
use super::tally::Tallies;
use super::topology::NOWHERE;
use crate::api::node::HOSTNAME_LABEL;
use crate::api::rules::spread::WhenUnsatisfiable;

/// The raw score of a node that is left out.
const LEFT_OUT: i64 = i64::MIN;

/// Sums, and the topology they are by.
#[derive(Clone, Copy, Debug)]
struct Near {
    sums: usize,
    topology: usize,
}

impl Near {
    /// How many pods are near a node; none where it has not the label.
    #[inline]
    fn count(self, tallies: &Tallies, slot: u32) -> Option<u32> {
        let domain = tallies.topology(self.topology).of(slot);
        (domain != NOWHERE).then(|| tallies.sums(self.sums).of(domain))
    }
}

/// A hard constraint.
#[derive(Debug)]
struct Hard {
    near: Near,
    max_skew: i64,
    self_match: i64,
    min_domains: usize,
    /// The largest number of pods a domain may have at the moment.
    most: i64,
}

/// A soft constraint.
#[derive(Debug)]
struct Soft {
    topology: usize,
    max_skew: i64,
    count: Count,
    /// What a pod counts for at the moment.
    weight: f64,
}

/// Where a soft constraint's numbers come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Count {
    /// The pods of the node itself, where the label is the host name.
    Node(usize),
    /// Those of its domain.
    Domain(usize),
}

/// What a class asks of other pods.
#[derive(Debug, Default)]
pub(super) struct Company {
    hard: Vec<Hard>,
    soft: Vec<Soft>,
    keys: Keys,
    /// Pods it must be near, term by term.
    must: Vec<Near>,
    /// Whether it is such a pod itself, and so may be the first.
    starts_series: bool,
    /// Pods it must not be near.
    avoids: Vec<Near>,
    /// Pods that must not be near it.
    avoided_by: Vec<Near>,
    /// What being near counts for.
    likes: Vec<(Near, i64)>,
    carriers_seen: usize,
    /// The version of selectors it was worked out from.
    seen: Option<u64>,
    /// Whether it has to be near pods of which there are none, and may be the first.
    is_first: bool,
    scratch: Vec<i64>,
    /// Domains met.
    met: Vec<bool>,
}

impl Company {
    /// Looks up its sums, where that was not done since selectors changed or terms appeared.
    pub fn resolve(&mut self, q: Question<'_>, classes: &mut Classes) {
        let version = q.snapshot.surroundings().selectors_version();
        if self.seen.is_none() {
            self.look_around(q, classes);
        }
        if self.seen != Some(version) {
            self.seen = Some(version);
            self.spread(q, classes);
        }
        self.meet_carriers(q, classes);
        self.stand(classes);
    }

    /// The constraints of topology spreading, the pod's own or the profile's.
    fn spread(&mut self, q: Question<'_>, classes: &mut Classes) {
        self.hard.clear();
        self.soft.clear();
        if q.profile.filters.has(Plugin::PodTopologySpread) {
            let constraints = constraints(q, WhenUnsatisfiable::DoNotSchedule);
            let labels = topologies(&constraints, classes, q.snapshot);
            for (constraint, &topology) in constraints.iter().zip(&labels) {
                let sums = domains(constraint, topology, labels.clone(), q, classes);
                self.hard.push(Hard {
                    near: Near { sums, topology },
                    max_skew: constraint.max_skew,
                    self_match: i64::from(constraint.selects(q.pod.labels())),
                    min_domains: constraint.min_domains,
                    most: 0,
                });
            }
        }
        if q.profile.weight(Plugin::PodTopologySpread) == 0 {
            return;
        }
        let constraints = constraints(q, WhenUnsatisfiable::ScheduleAnyway);
        let labels = topologies(&constraints, classes, q.snapshot);
        self.keys = Keys::of(q);
        for (constraint, &topology) in constraints.iter().zip(&labels) {
            let count = if &*constraint.key == HOSTNAME_LABEL {
                let counter = classes.counter(rule(constraint, q), q.snapshot.surroundings());
                Count::Node(counter)
            } else {
                let needed = match self.keys {
                    Keys::All => labels.clone(),
                    Keys::Any => Vec::new(),
                };
                Count::Domain(domains(constraint, topology, needed, q, classes))
            };
            let max_skew = constraint.max_skew;
            self.soft.push(Soft { topology, max_skew, count, weight: 0.0 });
        }
    }

    /// The pod's own terms.
    fn look_around(&mut self, q: Question<'_>, classes: &mut Classes) {
        let (spec, namespace) = (q.pod.spec(), q.pod.namespace());
        let around = q.snapshot.surroundings();
        let near = |terms: Vec<Term>, key: &Term, classes: &mut Classes| {
            let counter = classes.counter(Rule::Near(terms), around);
            let topology = classes.topology(&key.term.topology_key, q.snapshot);
            Near { sums: classes.tallies.sums_of(counter, topology, None), topology }
        };
        if q.profile.filters.has(Plugin::InterPodAffinity) {
            let required = spec.pod_affinity.required.iter();
            let terms: Vec<Term> = required.map(|term| Term::of(term, namespace)).collect();
            self.must = terms.iter().map(|term| near(terms.clone(), term, classes)).collect();
            self.starts_series = terms.iter().all(|term| term.is_about(q.pod, around));
            for term in &spec.pod_anti_affinity.required {
                let term = Term::of(term, namespace);
                self.avoids.push(near(vec![term.clone()], &term, classes));
            }
        }
        if q.profile.weight(Plugin::InterPodAffinity) > 0 {
            let likes = spec.pod_affinity.preferred.iter().map(|(weight, term)| (*weight, term));
            let dislikes =
                spec.pod_anti_affinity.preferred.iter().map(|(weight, term)| (-*weight, term));
            for (weight, term) in likes.chain(dislikes) {
                let term = Term::of(term, namespace);
                self.likes.push((near(vec![term.clone()], &term, classes), i64::from(weight)));
            }
        }
    }

    /// Terms of pods on nodes that concern it, as far as they were not met yet.
    fn meet_carriers(&mut self, q: Question<'_>, classes: &Classes) {
        let carriers = classes.carriers(self.carriers_seen);
        self.carriers_seen += carriers.len();
        let around = q.snapshot.surroundings();
        let (spec, profile) = (q.pod.spec(), q.profile);
        let has_own =
            !spec.pod_affinity.preferred.is_empty() || !spec.pod_anti_affinity.preferred.is_empty();
        let scores = profile.weight(Plugin::InterPodAffinity) > 0
            && (has_own || profile.preferences_of_residents == ResidentPreferences::Counted);
        for carrier in carriers {
            if !carrier.carried.term().concerns(q.pod, around) {
                continue;
            }
            let near = Near { sums: carrier.sums, topology: carrier.topology };
            match &carrier.carried {
                Carried::Repels(_) if profile.filters.has(Plugin::InterPodAffinity) => {
                    self.avoided_by.push(near);
                }
                Carried::Draws(_) if scores && profile.hard_pod_affinity_weight > 0 => {
                    self.likes.push((near, i64::from(profile.hard_pod_affinity_weight)));
                }
                Carried::Likes(weight, _) if scores => self.likes.push((near, *weight)),
                _ => {}
            }
        }
    }

    /// Works out what holds for all nodes at the moment.
    fn stand(&mut self, classes: &Classes) {
        for hard in &mut self.hard {
            let sums = classes.tallies.sums(hard.near.sums);
            let least = match (sums.inhabited() as usize) < hard.min_domains {
                true => 0,
                false => sums.least().map_or(i64::MAX, i64::from),
            };
            hard.most = least.saturating_add(hard.max_skew - hard.self_match);
        }
        let there = |near: &Near| classes.tallies.sums(near.sums).total() > 0;
        self.is_first = self.starts_series && !self.must.iter().any(there);
    }

    /// Whether it rejects no node.
    pub fn is_open(&self) -> bool {
        self.hard.is_empty()
            && self.must.is_empty()
            && self.avoids.is_empty()
            && self.avoided_by.is_empty()
    }

    /// Whether it demands anything of other pods.
    pub fn demands(&self) -> bool {
        !(self.hard.is_empty() && self.must.is_empty() && self.avoids.is_empty())
    }

    /// The rejection of the node at a slot, if it is rejected for other pods' sake.
    #[inline]
    pub fn rejection(&self, slot: u32, tallies: &Tallies) -> Option<Rejection> {
        for hard in &self.hard {
            match hard.near.count(tallies, slot) {
                None => return Some(topology_spread::filter::UNLABELED),
                Some(count) if i64::from(count) > hard.most => {
                    return Some(topology_spread::filter::TOO_MANY);
                }
                Some(_) => {}
            }
        }
        let mut all_near = true;
        for near in &self.must {
            match near.count(tallies, slot) {
                None => return Some(inter_pod_affinity::filter::NOT_NEAR),
                Some(count) => all_near &= count > 0,
            }
        }
        if !all_near && !self.is_first {
            return Some(inter_pod_affinity::filter::NOT_NEAR);
        }
        let any = |list: &[Near]| list.iter().any(|it| it.count(tallies, slot).unwrap_or(0) > 0);
        if any(&self.avoids) {
            return Some(inter_pod_affinity::filter::TOO_NEAR);
        }
        any(&self.avoided_by).then_some(inter_pod_affinity::filter::UNWELCOME)
    }

    /// Adds to the candidates' totals what other pods add.
    pub fn score(&mut self, q: Question<'_>, tallies: &Tallies, candidates: &mut [Candidate]) {
        if !self.soft.is_empty() {
            self.score_spread(q.profile.weight(Plugin::PodTopologySpread), tallies, candidates);
        }
        if !self.likes.is_empty() {
            self.score_near(q.profile.weight(Plugin::InterPodAffinity), tallies, candidates);
        }
    }

    fn score_spread(&mut self, weight: i64, tallies: &Tallies, candidates: &mut [Candidate]) {
        let mut raw = std::mem::take(&mut self.scratch);
        raw.clear();
        self.weigh(tallies, candidates);
        let (mut least, mut most) = (i64::MAX, 0);
        for one in &*candidates {
            if leaves_out(self.keys, &self.soft, one.slot, tallies) {
                raw.push(LEFT_OUT);
                continue;
            }
            let mut sum: f64 = 0.0;
            for soft in &self.soft {
                let domain = tallies.topology(soft.topology).of(one.slot);
                if domain != NOWHERE {
                    let count = match soft.count {
                        Count::Node(counter) => tallies.counter(counter).at(one.slot),
                        Count::Domain(sums) => tallies.sums(sums).of(domain),
                    };
                    sum += worth(i64::from(count), soft.max_skew, soft.weight);
                }
            }
            let score = sum.round() as i64;
            (least, most) = (least.min(score), most.max(score));
            raw.push(score);
        }
        for (one, &raw) in candidates.iter_mut().zip(&raw) {
            if raw != LEFT_OUT {
                one.total += weight * topology_spread::score::share(raw, least, most);
            }
        }
        self.scratch = raw;
    }

    /// What a pod counts for in each soft constraint: the more domains the candidates have, the
    /// more. Candidates without the label are one domain.
    fn weigh(&mut self, tallies: &Tallies, candidates: &[Candidate]) {
        for at in 0..self.soft.len() {
            let topology = tallies.topology(self.soft[at].topology);
            self.met.clear();
            self.met.resize(topology.domains() + 1, false);
            let mut size = 0;
            for one in candidates {
                if leaves_out(self.keys, &self.soft, one.slot, tallies) {
                    continue;
                }
                size += match self.soft[at].count {
                    Count::Node(_) => 1,
                    Count::Domain(_) => {
                        let domain = (topology.of(one.slot) as usize).min(topology.domains());
                        usize::from(!std::mem::replace(&mut self.met[domain], true))
                    }
                };
            }
            self.soft[at].weight = topology_spread::score::weight(size);
        }
    }

    fn score_near(&mut self, weight: i64, tallies: &Tallies, candidates: &mut [Candidate]) {
        let raw = &mut self.scratch;
        raw.clear();
        raw.extend(candidates.iter().map(|one| {
            let of_term = |(near, weight): &(Near, i64)| {
                weight * i64::from(near.count(tallies, one.slot).unwrap_or(0))
            };
            self.likes.iter().map(of_term).sum::<i64>()
        }));
        let least = raw.iter().copied().min().unwrap_or(0);
        let most = raw.iter().copied().max().unwrap_or(0);
        if most > least {
            for (one, raw) in candidates.iter_mut().zip(&*raw) {
                one.total += weight * inter_pod_affinity::score::share(*raw, least, most);
            }
        }
    }
}

/// Whether a node is left out of soft spreading, for want of a label.
#[inline]
fn leaves_out(keys: Keys, soft: &[Soft], slot: u32, tallies: &Tallies) -> bool {
    keys == Keys::All && soft.iter().any(|it| tallies.topology(it.topology).of(slot) == NOWHERE)
}

/// Which pods a constraint counts.
fn rule(constraint: &Constraint, q: Question<'_>) -> Rule {
    Rule::Spread { namespace: q.pod.namespace().clone(), selector: constraint.selector.clone() }
}

fn topologies(
    constraints: &[Constraint],
    classes: &mut Classes,
    snapshot: &Snapshot,
) -> Vec<usize> {
    constraints.iter().map(|it| classes.topology(&it.key, snapshot)).collect()
}

/// A constraint's pods by domain, over nodes with all `labels` that count for the pod.
fn domains(
    constraint: &Constraint,
    topology: usize,
    labels: Vec<usize>,
    q: Question<'_>,
    classes: &mut Classes,
) -> usize {
    let counter = classes.counter(rule(constraint, q), q.snapshot.surroundings());
    let nodes = EligibleRule {
        labels,
        affinity: constraint.node_affinity,
        taints: constraint.node_taints,
        pod: q.pod.clone(),
    };
    let tallies = &mut classes.tallies;
    let eligible = classes.eligibles.column(nodes, q.snapshot.rows(), tallies);
    tallies.sums_of(counter, topology, eligible)
}
