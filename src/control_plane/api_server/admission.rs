//! What the API server adds to new objects, or refuses about them: priority, default tolerations,
//! default classes of claims (admission plugins LimitRanger, Priority, DefaultTolerationSeconds,
//! DefaultStorageClass, PodTolerationRestriction, RuntimeClass, 1.36). Order: LimitRanges fill in, priority,
//! tolerations, the runtime class; then the pod is checked, by its own rules first, then by LimitRanges;
//! quotas come last.

use std::cmp::Reverse;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::Server;
use super::tolerations::PodTolerations;
use crate::api::compact::Compactor;
use crate::api::job::{Job, JobStatus};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::misc::{ClassScope, NAMESPACE_CONTENT, Namespace, PriorityClass, SYSTEM_CLASSES};
use crate::api::name::{Name, Text};
use crate::api::node::{Node, TAINT_NOT_READY, TAINT_UNREACHABLE};
use crate::api::pod::{Phase, Pod, PodCondition, PodSpec, Preemption, StatusReason};
use crate::api::rules::merge_label_keys::Merges;
use crate::api::rules::static_pods::is_mirror;
use crate::api::rules::taints::{Comparison, Effect, Taint, Toleration};
use crate::api::status::Status;
use crate::api::storage::{CLAIM_PROTECTION, ClaimPhase, PersistentVolumeClaim, StorageClass};
use crate::base::Held;
use crate::store::Rev;

/// How long every pod stays on a node that is not ready or unreachable, unless it says otherwise
/// (DefaultTolerationSeconds, 1.36).
const DEFAULT_TOLERATION_SECONDS: i64 = 300;

/// Why a pod with scheduling gates is not placed (`pkg/registry/core/pod/strategy.go`, 1.36).
const SCHEDULING_GATED: (&str, &str) =
    ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates");

/// Where a spec comes from: its address, the namespace where that has a say, and the revision of
/// objects like runtime classes where it names one.
type Source = (usize, Option<Text>, Rev);

/// Specs as admission left them, by the spec they came from: siblings share one.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    by_source: Held<Source, (Arc<PodSpec>, Arc<PodSpec>)>,
    merges: Merges,
    /// The revisions of the priority classes, and of the namespaces if they have a say, that they were
    /// worked out with.
    as_of: (Rev, Rev),
}

impl<T> Server<'_, T> {
    pub(super) fn admit_pod(&mut self, pod: &mut Pod) -> Result<(), Status> {
        if let Some(raised) = self.raised(pod) {
            pod.spec = raised.spec.clone();
            raised.annotate(&mut pod.meta.annotations);
        }
        let limited = self.limited(pod);
        if let Some(limited) = &limited {
            pod.spec = limited.spec.clone();
            limited.annotate(&mut pod.meta.annotations);
        }
        let spec = self.admitted_spec(pod)?;
        if let Some(limited) = limited {
            limited.verdict(|| ObjectName::of(Kind::Pod, &pod.meta))?;
        }
        pod.spec = self.shared.admitted.merges.spec(&spec, &pod.meta.labels);
        if let Some(name) = &pod.spec.node_name
            && pod.node.is_none()
        {
            pod.node = self.store.find::<Node>("", name);
            if pod.node.is_some() {
                pod.status.set(PodCondition::PodScheduled, true, self.now);
            }
        }
        let names_node = pod.node.is_some() || pod.spec.node_name.is_some();
        let is_lost = pod.node.is_none_or(|node| self.store.get(node).is_none());
        if is_mirror(&pod.meta) && names_node && is_lost {
            let why = "node is not found".into();
            return Err(Status::Forbidden(ObjectName::of(Kind::Pod, &pod.meta), why));
        }
        pod.status.phase = Phase::Pending;
        if pod.node.is_none() && !pod.spec.scheduling_gates.is_empty() {
            pod.status.set(PodCondition::PodScheduled, false, self.now);
            let (reason, message) = SCHEDULING_GATED;
            let reason = StatusReason { reason: reason.into(), message: message.into() };
            pod.status.reason = Some(Arc::new(reason));
        }
        Ok(())
    }

    fn admitted_spec(&mut self, pod: &Pod) -> Result<Arc<PodSpec>, Status> {
        let classes = self.store.table::<PriorityClass>().newest();
        let (as_of, namespace) = match self.shared.pod_tolerations {
            PodTolerations::Free => ((classes, Rev::ZERO), None),
            PodTolerations::Restricted => {
                let namespaces = self.store.table::<Namespace>().newest();
                ((classes, namespaces), Some(pod.meta.namespace.clone()))
            }
        };
        let admitted = &mut self.shared.admitted;
        if admitted.as_of != as_of {
            admitted.by_source.clear();
            admitted.as_of = as_of;
        }
        let runtime = self.runtime_classes(&pod.spec);
        let admitted = &mut self.shared.admitted;
        let key = (Arc::as_ptr(&pod.spec) as usize, namespace, runtime);
        if let Some((_, spec)) = admitted.by_source.get(&key) {
            return Ok(spec.clone());
        }
        // What comes of a template lacks what is filled in at creation.
        let mut spec = match pod.meta.owner {
            Some(_) => (*Compactor::new().created(&pod.spec)).clone(),
            None => (*pod.spec).clone(),
        };
        self.admit_priority(pod, &mut spec)?;
        add_default_tolerations(&mut spec);
        if let Some(namespace) = &key.1 {
            self.restrict_tolerations(namespace, &mut spec)?;
        }
        self.admit_runtime(pod, &mut spec)?;
        let spec = if spec == *pod.spec { pod.spec.clone() } else { Arc::new(spec) };
        let value = (pod.spec.clone(), spec.clone());
        self.shared.admitted.by_source.insert(key, value, |(source, spec)| {
            // What admission left alone is held twice here.
            let own = 1 + usize::from(Arc::ptr_eq(source, spec));
            Arc::strong_count(source) > own || Arc::strong_count(spec) > own
        });
        Ok(spec)
    }

    /// Gives a pod its class's priority; one that it states itself must be the same (admission plugin
    /// Priority, 1.36).
    fn admit_priority(&self, pod: &Pod, spec: &mut PodSpec) -> Result<(), Status> {
        let forbidden = |why: String| Err(Status::Forbidden(asked_name(pod), why.into()));
        let (priority, preemption) = match self.class_of(spec) {
            Ok(found) => found,
            Err(why) => return forbidden(why),
        };
        let (written, policy) = written_priority(spec);
        let words = "must not be provided in pod spec; priority admission controller computed";
        if let Some(written) = written.filter(|written| *written != priority) {
            return forbidden(format!(
                "the integer value of priority ({written}) {words} {priority} from the given \
                 PriorityClass name"
            ));
        }
        if let Some(policy) = policy.filter(|policy| *policy != preemption.name()) {
            return forbidden(format!(
                "the string value of PreemptionPolicy ({policy}) {words} {} from the given \
                 PriorityClass name",
                preemption.name()
            ));
        }
        (spec.priority, spec.preemption) = (priority, preemption);
        Ok(())
    }

    /// What a pod's class gives it; one that names none gets the default class, if there is one.
    fn class_of(&self, spec: &mut PodSpec) -> Result<(i32, Preemption), String> {
        let classes = self.store.table::<PriorityClass>();
        if spec.priority_class.is_empty() {
            let default = classes
                .iter()
                .filter(|(_, class)| class.scope == ClassScope::Default)
                .min_by_key(|(_, class)| class.value);
            let Some((_, class)) = default else { return Ok((0, Preemption::default())) };
            spec.priority_class = class.meta.name.to_string().into();
            return Ok((class.value, class.preemption));
        }
        let system = SYSTEM_CLASSES.iter().find(|(name, ..)| **name == *spec.priority_class);
        if let Some((_, value)) = system {
            return Ok((*value, Preemption::default()));
        }
        let class = self.store.find::<PriorityClass>("", &spec.priority_class);
        match class.and_then(|id| self.store.get(id)) {
            Some(class) => Ok((class.value, class.preemption)),
            None => Err(format!("no PriorityClass with name {} was found", spec.priority_class)),
        }
    }

    /// Only one class may be the default (admission plugin Priority, 1.36).
    pub(super) fn admit_class(&self, class: &PriorityClass) -> Result<(), Status> {
        if class.scope != ClassScope::Default {
            return Ok(());
        }
        let classes = self.store.table::<PriorityClass>().iter().map(|(_, held)| held);
        let held = classes
            .filter(|held| held.scope == ClassScope::Default && held.meta.name != class.meta.name)
            .min_by_key(|held| (held.value, held.meta.name.clone()));
        let Some(held) = held else { return Ok(()) };
        let why = format!(
            "PriorityClass {} is already marked as default. Only one default can exist",
            held.meta.name
        );
        Err(Status::Forbidden(ObjectName::of(Kind::PriorityClass, &class.meta), why.into()))
    }

    /// A claim that names no class gets the default one: of several the latest, then the first by
    /// name (admission plugin DefaultStorageClass, 1.36).
    pub(super) fn admit_claim(&mut self, claim: &mut PersistentVolumeClaim) {
        claim.phase = ClaimPhase::Pending;
        (claim.capacity, claim.growth) = (0, None);
        claim.meta.add_finalizer(CLAIM_PROTECTION);
        if claim.spec.class.is_some() {
            return;
        }
        let classes = self.store.table::<StorageClass>().iter().map(|(_, class)| class);
        let default = classes
            .filter(|class| class.is_default())
            .min_by_key(|class| (Reverse(class.meta.created), class.meta.name.clone()));
        if let Some(class) = default {
            Arc::make_mut(&mut claim.spec).class = Some(class.meta.name.to_string().into());
        }
    }

    pub(super) fn admit_namespace(&mut self, namespace: &mut Namespace) {
        if !namespace.finalizers.iter().any(|it| &**it == NAMESPACE_CONTENT) {
            namespace.finalizers.push(NAMESPACE_CONTENT.into());
        }
    }
}

/// What a plugin calls a pod: a name that is generated is not known yet when it is asked.
pub(super) fn asked_name(pod: &Pod) -> ObjectName {
    let mut name = ObjectName::of(Kind::Pod, &pod.meta);
    name.name = Name::new(name.name.base().clone());
    name
}

/// A new Job has no status yet, and pods that are told by it.
pub(super) fn admit_job(job: &mut Job) {
    job.status = JobStatus::default();
    job.label_pods();
    // A Job without labels has its template's: those that its author wrote there, or else those that it
    // has by the time it is read back (`SetDefaults_Job`, pkg/apis/batch/v1/defaults.go).
    if job.meta.labels.is_empty() {
        let written = &job.spec.template.labels;
        job.meta.labels = if written.is_empty() { &job.pod_labels } else { written }.clone();
    }
}

/// The priority and the preemption policy that a spec names itself.
fn written_priority(spec: &PodSpec) -> (Option<i32>, Option<String>) {
    if !["\"priority\":", "\"preemptionPolicy\":"].iter().any(|it| spec.written.contains(it)) {
        return (None, None);
    }
    let written: core::PodSpec = serde_json::from_str(&spec.written).unwrap_or_default();
    (written.priority, written.preemption_policy)
}

/// Every pod tolerates a node that is not ready or unreachable for five minutes, unless it says
/// otherwise.
fn add_default_tolerations(spec: &mut PodSpec) {
    for key in [TAINT_NOT_READY, TAINT_UNREACHABLE] {
        let taint = Taint::new(key, "", Effect::NoExecute);
        // Any toleration of the key counts, whatever value it asks for.
        let said = spec.tolerations.iter().any(|toleration| {
            (toleration.key.is_empty() || toleration.key == taint.key)
                && toleration.effect.is_none_or(|effect| effect == Effect::NoExecute)
        });
        if !said {
            spec.tolerations.push(Toleration {
                key: taint.key,
                comparison: Comparison::Exists,
                value: taint.value,
                effect: Some(Effect::NoExecute),
                seconds: Some(DEFAULT_TOLERATION_SECONDS),
            });
        }
    }
}
