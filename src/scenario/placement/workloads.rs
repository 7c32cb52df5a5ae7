//! Workloads stand for the pods they want, where the input has none of theirs: one that has some is
//! taken as it stands there.
//!
//! Who is whose follows Kubernetes: a pod belongs to the workload of its owner reference, else to the one
//! that selects it. A Deployment without a ReplicaSet in the input gets its newest one, whose name and
//! pods' names are made as the API server makes them.

use std::sync::Arc;

use super::{PODS_MAX, Placing, claims, daemons, error, surroundings, warning};
use crate::api::compact::Compactor;
use crate::api::daemon_set::DaemonSet;
use crate::api::job::{Activity, Job, NAME_LABELS};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, Meta, Owner, Rare, RawId, Uid};
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::api::pod::{Pod, PodSpec, PodTemplate};
use crate::api::rules::selector::{Operator, Requirement, Selector};
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::Deployment;
use crate::base::hash::StableHasher;
use crate::base::{FastMap, FastSet};
use crate::cluster::plan::PlannedObject;
use crate::control_plane::controllers::deployment::hash::template_hash;
use crate::control_plane::scheduler::algorithm::Surroundings;
use crate::control_plane::scheduler::algorithm::volumes::Volumes;

/// The label that tells a Deployment's sets apart.
const TEMPLATE_HASH: &str = "pod-template-hash";
/// Labels of a StatefulSet's pods: the pod's own name, and its number.
const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
const POD_INDEX: &str = "apps.kubernetes.io/pod-index";

/// A pod of the input that lives.
struct Living {
    owner: Option<Uid>,
    labels: Arc<Labels>,
    /// The node it is on, or the one it is made for.
    node: Option<Text>,
}

/// What is known of the input's pods and sets before any workload is worked out.
pub(super) struct Workloads {
    /// By namespace.
    pods: FastMap<Text, Vec<Living>>,
    /// Owners of ReplicaSets: Deployments whose sets speak for them.
    with_sets: FastSet<u64>,
    /// Uids of all workloads of the input.
    known: FastSet<u64>,
    /// The StorageClass of claims that name none.
    default_class: Option<Text>,
}

/// What a workload's pods share.
#[derive(Clone)]
pub(super) struct Brood {
    pub owner: Owner,
    pub namespace: Text,
    pub labels: Arc<Labels>,
    pub annotations: Arc<Labels>,
    pub rare: Option<Arc<Rare>>,
    pub spec: Arc<PodSpec>,
}

impl Brood {
    fn of(kind: Kind, owner: &Meta, template: &PodTemplate) -> Brood {
        Brood {
            owner: Owner { kind, uid: owner.uid, at: RawId::NOWHERE },
            namespace: owner.namespace.clone(),
            labels: Arc::clone(&template.labels),
            annotations: Arc::clone(&template.annotations),
            rare: template.rare.clone(),
            spec: Arc::clone(&template.spec),
        }
    }

    /// With what the API server fills into a pod at its creation, which it leaves open in a template:
    /// requests out of limits.
    fn created(mut self) -> Brood {
        self.spec = Compactor::new().created(&self.spec);
        self
    }

    /// One of them.
    pub(super) fn pod(&self, name: Name) -> Pod {
        let mut meta = Meta::new(self.namespace.clone(), name);
        meta.uid =
            Uid(StableHasher::new().word(self.owner.uid.0).word(meta.name.stable_hash()).finish());
        meta.owner = Some(self.owner);
        meta.labels = Arc::clone(&self.labels);
        meta.annotations = Arc::clone(&self.annotations);
        meta.rare = self.rare.clone();
        Pod { meta, spec: Arc::clone(&self.spec), node: None, status: Default::default() }
    }
}

/// How pods of one workload are called.
enum Naming {
    /// The base, a dash and five letters.
    Generated(String),
    /// The base, a dash and a number, from this one on, with the labels of a StatefulSet's pods.
    Ordinal(String, i64),
}

impl Workloads {
    pub(super) fn of(objects: &[PlannedObject]) -> Workloads {
        let mut workloads = Workloads {
            pods: FastMap::default(),
            with_sets: FastSet::default(),
            known: FastSet::default(),
            default_class: surroundings::default_class(objects),
        };
        for planned in objects {
            let meta = planned.object.meta();
            match &planned.object {
                Object::Pod(pod) if pod.is_active() => {
                    let living = Living {
                        owner: meta.owner.map(|owner| owner.uid),
                        labels: Arc::clone(&meta.labels),
                        node: planned.node.clone().or_else(|| daemons::target(&pod.spec)),
                    };
                    workloads.pods.entry(meta.namespace.clone()).or_default().push(living);
                }
                Object::ReplicaSet(_) => {
                    workloads.with_sets.extend(meta.owner.map(|owner| owner.uid.0));
                    workloads.known.insert(meta.uid.0);
                }
                Object::Deployment(_)
                | Object::StatefulSet(_)
                | Object::DaemonSet(_)
                | Object::Job(_) => {
                    workloads.known.insert(meta.uid.0);
                }
                _ => {}
            }
        }
        workloads
    }

    /// The pods of the input that are this workload's.
    fn pods<'a>(
        &'a self,
        meta: &'a Meta,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a Living> {
        let pods = self.pods.get(&meta.namespace).map(Vec::as_slice).unwrap_or_default();
        pods.iter().filter(|pod| match pod.owner {
            Some(owner) if owner == meta.uid => true,
            Some(owner) if self.known.contains(&owner.0) => false,
            _ => selector.matches(&pod.labels),
        })
    }

    /// How many it stands for: one with pods in the input is taken as it stands there.
    fn lacks(&self, wanted: i32, meta: &Meta, selector: &Selector) -> i64 {
        match self.pods(meta, selector).next() {
            Some(_) => 0,
            None => i64::from(wanted),
        }
    }

    /// The pods a workload stands for take their places.
    pub(super) fn expand(
        &self,
        planned: &PlannedObject,
        placing: &mut Placing<'_>,
        surroundings: &mut Surroundings,
    ) {
        match &planned.object {
            Object::Deployment(it) if !self.with_sets.contains(&it.meta.uid.0) => {
                self.deployment(it, planned, placing, surroundings);
            }
            Object::ReplicaSet(it) => {
                let lacks = self.lacks(it.replicas, &it.meta, &it.selector);
                let brood = Brood::of(it.kind.into(), &it.meta, &it.template);
                let brood = brood.created();
                let naming = Naming::Generated(it.meta.name.to_string());
                make(&brood, lacks, &naming, planned, placing);
            }
            Object::StatefulSet(it) => {
                self.stateful_set(it, planned, placing, surroundings.volumes_mut())
            }
            Object::DaemonSet(it) => self.daemon_set(it, planned, placing),
            Object::Job(it) => self.job(it, planned, placing),
            Object::CronJob(it) => {
                let name = &it.meta.name;
                let message = format!(
                    "CronJob {name} makes its Jobs by the clock: none of its pods is placed"
                );
                placing.findings.push(warning(&planned.source.to_string(), message));
            }
            _ => {}
        }
    }

    fn deployment(
        &self,
        it: &Deployment,
        planned: &PlannedObject,
        placing: &mut Placing<'_>,
        surroundings: &mut Surroundings,
    ) {
        let lacks = self.lacks(it.replicas, &it.meta, &it.selector);
        let hash = template_hash(&it.template, 0);
        let name = format!("{}-{hash}", it.meta.name);
        let uid = Uid(StableHasher::new().word(it.meta.uid.0).text(&name).finish());
        let brood = Brood::of(Kind::ReplicaSet, &it.meta, &it.template);
        let mut brood = brood.created();
        brood.owner.uid = uid;
        Arc::make_mut(&mut brood.labels).insert(TEMPLATE_HASH.into(), hash.as_str().into());
        let mut selector = (*it.selector).clone();
        selector.requirements.push(Requirement {
            key: TEMPLATE_HASH.into(),
            operator: Operator::In,
            values: vec![hash.as_str().into()],
        });
        surroundings.set_owner(uid, Some(Arc::new(selector)));
        make(&brood, lacks, &Naming::Generated(name), planned, placing);
    }

    fn stateful_set(
        &self,
        it: &StatefulSet,
        planned: &PlannedObject,
        placing: &mut Placing<'_>,
        volumes: &mut Volumes,
    ) {
        let lacks = self.lacks(it.replicas, &it.meta, &it.selector);
        let brood = Brood::of(Kind::StatefulSet, &it.meta, &it.template);
        let mut brood = brood.created();
        if it.claims.is_empty() || brood.spec.containers.is_empty() {
            let naming = Naming::Ordinal(it.meta.name.to_string(), i64::from(it.first_ordinal));
            return make(&brood, lacks, &naming, planned, placing);
        }
        let template = Arc::clone(&brood.spec);
        for number in 0..lacks.max(0) {
            let ordinal = i64::from(it.first_ordinal) + number;
            let name = format!("{}-{ordinal}", it.meta.name);
            brood.spec = claims::with_claims(&template, it, &name);
            for claim in claims::claims(it, &name, self.default_class.as_ref()) {
                if volumes.claim(&it.meta.namespace, &claim.meta.name.to_string()).is_none() {
                    volumes.set_claim(&it.meta.namespace, &claim.meta.name.clone(), Some(claim));
                }
            }
            let naming = Naming::Ordinal(it.meta.name.to_string(), ordinal);
            make(&brood, 1, &naming, planned, placing);
        }
    }

    fn job(&self, it: &Job, planned: &PlannedObject, placing: &mut Placing<'_>) {
        if it.spec.activity == Activity::Suspended || it.is_finished() {
            return;
        }
        let mut brood = Brood::of(Kind::Job, &it.meta, &it.spec.template).created();
        let name: Text = it.meta.name.to_string().into();
        let labels = Arc::make_mut(&mut brood.labels);
        for label in NAME_LABELS {
            labels.insert(label.into(), name.clone());
        }
        let own = Requirement {
            key: NAME_LABELS[1].into(),
            operator: Operator::In,
            values: vec![name.clone()],
        };
        let selector = it.spec.manual_selector.clone();
        let selector = selector.unwrap_or_else(|| Selector { requirements: vec![own] });
        let left = it.spec.completions.map(|all| all.saturating_sub(it.status.succeeded));
        let parallelism = it.spec.parallelism;
        let wanted = left.map_or(parallelism, |left| left.min(parallelism));
        let lacks = self.lacks(wanted, &it.meta, &selector);
        make(&brood, lacks, &Naming::Generated(name.to_string()), planned, placing);
    }

    fn daemon_set(&self, it: &DaemonSet, planned: &PlannedObject, placing: &mut Placing<'_>) {
        let served: FastSet<&Text> =
            self.pods(&it.meta, &it.selector).filter_map(|pod| pod.node.as_ref()).collect();
        let brood = Brood::of(Kind::DaemonSet, &it.meta, &it.template).created();
        for (node, spec) in daemons::specs(&brood.spec, placing.nodes) {
            if served.contains(&node) {
                continue;
            }
            let brood = Brood { spec, ..brood.clone() };
            make(&brood, 1, &Naming::Generated(it.meta.name.to_string()), planned, placing);
        }
    }
}

/// `lacks` pods of one workload take their places.
fn make(
    brood: &Brood,
    lacks: i64,
    naming: &Naming,
    planned: &PlannedObject,
    placing: &mut Placing<'_>,
) {
    if brood.spec.containers.is_empty() {
        // Without a template it only counts by its selector.
        return;
    }
    if placing.pods.len() as i64 + lacks > PODS_MAX as i64 {
        let message =
            format!("{} is one pod too many: there may be {PODS_MAX}", planned.object.name());
        placing.findings.push(error(&planned.source, message));
        return;
    }
    let base: Text = match naming {
        Naming::Generated(name) => format!("{name}-").into(),
        _ => "".into(),
    };
    for number in 0..lacks.max(0) {
        let mut pod = brood.pod(match naming {
            Naming::Generated(_) => placing.generate(base.clone(), &brood.namespace),
            Naming::Ordinal(name, first) => Name::new(format!("{name}-{}", first + number)),
        });
        if let Naming::Ordinal(_, first) = naming {
            let labels = Arc::make_mut(&mut pod.meta.labels);
            labels.insert(POD_NAME.into(), pod.meta.name.to_string().into());
            labels.insert(POD_INDEX.into(), (first + number).to_string().into());
        }
        if let Some(node) = &pod.spec.node_name {
            pod.node = placing.node_ids.get(&**node).copied();
        }
        if let Err(why) = placing.admission.admit(&mut pod, false) {
            placing.findings.push(error(&planned.source, why));
            return;
        }
        placing.pods.push(pod);
    }
}
