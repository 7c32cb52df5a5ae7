//! PodTopologySpread: keeps pods evenly spread over the values of a label of nodes
//! (`plugins/podtopologyspread`, 1.36).
//!
//! Owns which constraints hold for a pod, its own or the profile's, and which nodes and pods they
//! count. What a constraint that must hold rejects is [`filter`]'s, what one that is only a wish is
//! worth is [`score`]'s.

pub mod filter;
pub mod score;

use super::super::framework::Question;
use super::super::node_info::NodeInfo;
use super::super::profile::SpreadDefaults;
use super::super::resident::Standing;
use super::super::shape::PodShape;
use super::node_affinity;
use super::taint_toleration::keeps_off;
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::node::ZONE_LABEL;
use crate::api::rules::selector::Selector;
use crate::api::rules::spread::{InclusionPolicy, SpreadConstraint, WhenUnsatisfiable};
use crate::api::rules::taints::first_untolerated;

/// The label of a node's host name, counted node by node.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// Kubernetes' own defaults (`systemDefaultConstraints`): label and skew.
const SYSTEM_DEFAULTS: [(&str, i32); 2] = [(HOSTNAME, 3), (ZONE_LABEL, 5)];

/// A constraint as it is applied to one pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Constraint {
    /// By how much counts may differ.
    pub max_skew: i64,
    /// The label of nodes.
    pub key: Text,
    /// Which pods count; `None`: none.
    pub selector: Option<Selector>,
    /// With fewer values than this the smallest count is taken for 0.
    pub min_domains: usize,
    /// Whether nodes are left out that the pod's node affinity excludes.
    pub node_affinity: InclusionPolicy,
    /// Whether nodes are left out that have taints the pod does not tolerate.
    pub node_taints: InclusionPolicy,
}

impl Constraint {
    fn of(written: &SpreadConstraint, selector: Option<&Selector>) -> Constraint {
        Constraint {
            max_skew: i64::from(written.max_skew),
            key: written.topology_key.clone(),
            selector: selector.cloned(),
            min_domains: written.min_domains.map_or(1, |domains| domains.max(0) as usize),
            node_affinity: written.node_affinity,
            node_taints: written.node_taints,
        }
    }

    fn system((key, max_skew): (&str, i32), selector: &Selector) -> Constraint {
        Constraint {
            max_skew: i64::from(max_skew),
            key: key.into(),
            selector: Some(selector.clone()),
            min_domains: 1,
            node_affinity: InclusionPolicy::Honor,
            node_taints: InclusionPolicy::Ignore,
        }
    }

    /// Whether it counts a pod with these labels.
    pub fn selects(&self, labels: &Labels) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.matches(labels))
    }

    /// Whether a node counts for the pod (`matchNodeInclusionPolicies`).
    fn includes(&self, q: Question<'_>, node: &NodeInfo) -> bool {
        let tolerated = || {
            let tolerations = &q.pod.spec().tolerations;
            first_untolerated(&node.taints, tolerations, keeps_off).is_none()
        };
        (self.node_affinity == InclusionPolicy::Ignore || node_affinity::selects(q.pod, node))
            && (self.node_taints == InclusionPolicy::Ignore || tolerated())
    }

    /// How many pods on the node it counts: of the pod's namespace, and not on their way out. One
    /// that selects everything counts none (`countPodsMatchSelector`).
    fn count(&self, q: Question<'_>, node: &NodeInfo) -> i64 {
        let Some(selector) = self.selector.as_ref().filter(|selector| !selector.is_empty()) else {
            return 0;
        };
        let counts = |shape: &PodShape| {
            shape.namespace() == q.pod.namespace() && selector.matches(shape.labels())
        };
        let staying = node.pods.iter().filter(|pod| pod.standing == Standing::Staying);
        staying.filter(|pod| counts(&pod.shape)).count() as i64
    }
}

/// The constraints of this sort that hold for the pod: its own, or where it has none at all the
/// profile's, over the pods of its Services and its controller.
pub fn constraints(q: Question<'_>, sort: WhenUnsatisfiable) -> Vec<Constraint> {
    let own = &q.pod.spec().spread;
    if !own.is_empty() {
        let of_sort = own.iter().filter(|one| one.unsatisfiable == sort);
        return of_sort.map(|one| Constraint::of(one, one.selector.as_ref())).collect();
    }
    match &q.profile.spread {
        SpreadDefaults::System if sort == WhenUnsatisfiable::ScheduleAnyway => {
            let selector = default_selector(q);
            let by = |selector| SYSTEM_DEFAULTS.map(|one| Constraint::system(one, selector));
            selector.as_ref().map(by).into_iter().flatten().collect()
        }
        SpreadDefaults::System => Vec::new(),
        SpreadDefaults::List(list) => {
            let of_sort: Vec<_> = list.iter().filter(|one| one.unsatisfiable == sort).collect();
            if of_sort.is_empty() {
                return Vec::new();
            }
            let selector = default_selector(q);
            let with = |selector| of_sort.iter().map(move |one| Constraint::of(one, selector));
            selector.as_ref().map(|it| with(Some(it)).collect()).unwrap_or_default()
        }
    }
}

/// Whether a constraint that must hold counts `other`: what becomes of that one may help the pod
/// (`isSchedulableAfterPodChange`).
pub fn is_counted(q: Question<'_>, other: &PodShape) -> bool {
    let constraints = constraints(q, WhenUnsatisfiable::DoNotSchedule);
    q.pod.namespace() == other.namespace()
        && constraints.iter().any(|constraint| constraint.selects(other.labels()))
}

/// What selects the pod's siblings: all Services that select it, and its controller; none where
/// there is neither (`helper.DefaultSelector`).
pub fn default_selector(q: Question<'_>) -> Option<Selector> {
    let around = q.snapshot.surroundings();
    let selects = |service: &&std::sync::Arc<Labels>| {
        service.iter().all(|(key, value)| q.pod.labels().get(key) == Some(value))
    };
    let mut merged = Labels::new();
    for service in around.services(q.pod.namespace()).filter(selects) {
        merged.extend(service.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    let mut selector = Selector::of_labels(&merged);
    if let Some(of_owner) = q.pod.owner().and_then(|uid| around.owner(uid)) {
        selector.requirements.extend(of_owner.requirements.iter().cloned());
    }
    (!selector.is_empty()).then_some(selector)
}

/// Whether the node has the labels of all constraints.
fn has_all_keys(node: &NodeInfo, constraints: &[Constraint]) -> bool {
    constraints.iter().all(|constraint| node.labels.contains_key(&constraint.key))
}
