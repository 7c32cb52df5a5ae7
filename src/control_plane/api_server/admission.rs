//! What the API server adds to new objects, or refuses about them: priority, default tolerations,
//! cluster addresses (behaviours of the admission plugins Priority and DefaultTolerationSeconds and
//! of `ipallocator`, 1.36).

use std::cmp::Reverse;
use std::sync::Arc;

use super::Server;
use super::delete::NAMESPACE_CONTENT;
use crate::api::compact::Compactor;
use crate::api::job::{Job, JobStatus, NAME_LABELS, UID_LABELS};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, ObjectName};
use crate::api::misc::{ClassScope, Namespace, PriorityClass};
use crate::api::name::Text;
use crate::api::node::{Node, TAINT_NOT_READY, TAINT_UNREACHABLE};
use crate::api::pod::{Phase, Pod, PodCondition, PodSpec, Preemption, StatusReason};
use crate::api::rules::merge_label_keys::Merges;
use crate::api::rules::taints::{Comparison, Effect, Taint, Toleration};
use crate::api::service::Service;
use crate::api::status::Status;
use crate::api::storage::{ClaimPhase, PersistentVolumeClaim, StorageClass};
use crate::base::FastMap;
use crate::luck::Label;
use crate::net::address::AddressError;
use crate::store::Rev;

const CLUSTER_IP: Label = Label::new("cluster-ip");

/// How long every pod stays on a node that is not ready or unreachable, unless it says otherwise
/// (DefaultTolerationSeconds, 1.36).
const DEFAULT_TOLERATION_SECONDS: i64 = 300;

/// Why a pod with scheduling gates is not placed (`pkg/registry/core/pod/strategy.go`, 1.36).
const SCHEDULING_GATED: (&str, &str) =
    ("SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates");

/// Admitted specs kept at most before those nobody uses are let go.
const ADMITTED_MAX: usize = 4096;

/// The two classes every cluster has (`pkg/apis/scheduling/types.go`, 1.36).
const SYSTEM_CLASSES: [(&str, i32); 2] =
    [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)];

/// Specs as admission left them, by the spec they came from: siblings share one.
#[derive(Clone, Debug, Default)]
pub(super) struct Admitted {
    by_source: FastMap<usize, (Arc<PodSpec>, Arc<PodSpec>)>,
    merges: Merges,
    /// Of how many they are looked through next; 0: of the usual number.
    limit: usize,
    /// The revision of the priority classes they were worked out with.
    classes: Rev,
}

impl<T> Server<'_, T> {
    pub(super) fn admit_pod(&mut self, pod: &mut Pod) -> Result<(), Status> {
        let spec = self.admitted_spec(pod)?;
        pod.spec = self.shared.admitted.merges.spec(&spec, &pod.meta.labels);
        if let Some(name) = &pod.spec.node_name
            && pod.node.is_none()
        {
            pod.node = self.store.find::<Node>("", name);
            if pod.node.is_some() {
                pod.status.set(PodCondition::PodScheduled, true, self.now);
            }
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
        let admitted = &mut self.shared.admitted;
        if admitted.classes != classes {
            admitted.by_source.clear();
            admitted.classes = classes;
        }
        let key = Arc::as_ptr(&pod.spec) as usize;
        if let Some((_, spec)) = admitted.by_source.get(&key) {
            return Ok(spec.clone());
        }
        // What comes of a template lacks what is filled in at creation.
        let mut spec = match pod.meta.owner {
            Some(_) => (*Compactor::new().created(&pod.spec)).clone(),
            None => (*pod.spec).clone(),
        };
        let written = (spec.priority, spec.preemption);
        self.admit_priority(pod, &mut spec)?;
        agrees(pod, written, &spec)?;
        add_default_tolerations(&mut spec);
        let spec = if spec == *pod.spec { pod.spec.clone() } else { Arc::new(spec) };
        let Admitted { by_source: held, limit, .. } = &mut self.shared.admitted;
        if held.len() >= (*limit).max(ADMITTED_MAX) {
            held.retain(|_, (source, spec)| {
                // What admission left alone is held twice here.
                let own = 1 + usize::from(Arc::ptr_eq(source, spec));
                Arc::strong_count(source) > own || Arc::strong_count(spec) > own
            });
            *limit = 2 * held.len();
        }
        held.insert(key, (pod.spec.clone(), spec.clone()));
        Ok(spec)
    }

    fn admit_priority(&self, pod: &Pod, spec: &mut PodSpec) -> Result<(), Status> {
        if spec.priority_class.is_empty() {
            let default = self
                .store
                .table::<PriorityClass>()
                .iter()
                .filter(|(_, class)| class.scope == ClassScope::Default)
                .min_by_key(|(_, class)| class.value);
            if let Some((_, class)) = default {
                spec.priority = class.value;
                spec.preemption = class.preemption;
                spec.priority_class = class.meta.name.to_string().into();
            }
            return Ok(());
        }
        let system = SYSTEM_CLASSES.iter().find(|(name, _)| **name == *spec.priority_class);
        if let Some((_, value)) = system {
            spec.priority = *value;
            return Ok(());
        }
        let class = self.store.find::<PriorityClass>("", &spec.priority_class);
        let Some(class) = class.and_then(|id| self.store.get(id)) else {
            let why = format!("no PriorityClass with name {} was found", spec.priority_class);
            return Err(Status::Forbidden(ObjectName::of(Kind::Pod, &pod.meta), why.into()));
        };
        spec.priority = class.value;
        spec.preemption = class.preemption;
        Ok(())
    }

    pub(super) fn admit_service(&mut self, service: &mut Service) -> Result<(), Status> {
        let spec = &service.spec;
        service.cluster_ip = match (spec.exposure, spec.wanted_ip) {
            (exposure, _) if !exposure.has_address() => None,
            (_, Some(wanted)) => {
                let taken = self.shared.service_range.take(wanted);
                taken.map_err(|why| no_address(service, why))?;
                Some(wanted)
            }
            (_, None) => {
                let draw = self.shared.luck.draw(CLUSTER_IP, service.meta.uid.0, 0);
                let given = self.shared.service_range.take_any(draw);
                Some(given.map_err(|why| no_address(service, why))?)
            }
        };
        Ok(())
    }

    /// A claim that names no class gets the default one: of several the latest, then the first by
    /// name (admission plugin DefaultStorageClass, 1.36).
    pub(super) fn admit_claim(&mut self, claim: &mut PersistentVolumeClaim) {
        claim.phase = ClaimPhase::Pending;
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
        namespace.meta.finalizers = Some(Arc::from([NAMESPACE_CONTENT.into()]));
    }
}

/// A Job's pods are told by its uid and name, unless it says otherwise itself
/// (`pkg/registry/batch/job/strategy.go`, 1.36).
pub(super) fn admit_job(job: &mut Job) {
    job.status = JobStatus::default();
    job.pod_labels = match job.spec.manual_selector {
        Some(_) => job.spec.template.labels.clone(),
        None => {
            let mut labels = Labels::clone(&job.spec.template.labels);
            let uid: Text = job.meta.uid.to_string().into();
            let name: Text = job.meta.name.to_string().into();
            labels.extend(UID_LABELS.map(|key| (key.into(), uid.clone())));
            labels.extend(NAME_LABELS.map(|key| (key.into(), name.clone())));
            Arc::new(labels)
        }
    };
}

fn no_address(service: &Service, why: AddressError) -> Status {
    let wanted = service.spec.wanted_ip.map_or_else(String::new, |ip| ip.to_string());
    let text = match why {
        AddressError::Full => "failed to allocate IP: range is full".to_owned(),
        AddressError::Taken => format!(
            "spec.clusterIPs: Invalid value: [\"{wanted}\"]: failed to allocate IP {wanted}: \
             provided IP is already allocated"
        ),
        AddressError::OutOfRange => format!(
            "spec.clusterIPs: Invalid value: [\"{wanted}\"]: failed to allocate IP {wanted}: the \
             provided IP is not in the valid range"
        ),
    };
    Status::Invalid(ObjectName::of(Kind::Service, &service.meta), text.into())
}

/// A priority that a pod states itself must be its class's (admission plugin Priority, 1.36). What is
/// as by default counts as not stated.
fn agrees(
    pod: &Pod,
    (priority, preemption): (i32, Preemption),
    of: &PodSpec,
) -> Result<(), Status> {
    let refuse =
        |why: String| Err(Status::Forbidden(ObjectName::of(Kind::Pod, &pod.meta), why.into()));
    if priority != 0 && priority != of.priority {
        return refuse(format!(
            "the integer value of priority ({priority}) must not be provided in pod spec; priority \
             admission controller computed {} from the given PriorityClass name",
            of.priority
        ));
    }
    if preemption != Preemption::default() && preemption != of.preemption {
        return refuse(
            "the string value of PreemptionPolicy (Never) must not be provided in pod spec; \
             priority admission controller computed PreemptLowerPriority from the given \
             PriorityClass name"
                .to_owned(),
        );
    }
    Ok(())
}

/// Every pod tolerates a node that is not ready or unreachable for five minutes, unless it says
/// otherwise.
fn add_default_tolerations(spec: &mut PodSpec) {
    for key in [TAINT_NOT_READY, TAINT_UNREACHABLE] {
        let taint = Taint { key: key.into(), value: "".into(), effect: Effect::NoExecute };
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
