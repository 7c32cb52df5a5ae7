//! Pod specs and pod templates: one for all siblings.

use std::net::Ipv4Addr;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use super::container::{Place, lifetime, port, protocol};
use super::intern::Interner;
use super::{Compactor, unsigned};
use crate::api::meta::Rare;
use crate::api::pod::{
    Lifetime, PodNetwork, PodSpec, PodTemplate, Preemption, Qos, RestartPolicy, WholeMemory,
};
use crate::api::quantity::{Format, Quantity};
use crate::api::rules::ports::HostPort;
use crate::api::rules::resources::{
    Amounts, QosClass, SumRules, amounts, counted, pod_requests, qos_class,
};
use crate::api::rules::taints::{Comparison, Effect, Toleration};

/// Where the API server mounts a pod's token, unasked.
const TOKEN_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// How the volume of that token is called, followed by five letters that differ from pod to pod.
const TOKEN_VOLUME: &str = "kube-api-access-";

/// Takes out what admission put into a pod that came out of a cluster and that differs among
/// siblings: the volume of its token.
pub(super) fn strip_token_volume(spec: &mut core::PodSpec) {
    let is_token = |name: &str| name.starts_with(TOKEN_VOLUME);
    let containers = spec.containers.iter_mut().chain(spec.init_containers.iter_mut().flatten());
    for container in containers {
        if let Some(mounts) = &mut container.volume_mounts {
            mounts.retain(|it| it.mount_path != TOKEN_PATH || !is_token(&it.name));
            if mounts.is_empty() {
                container.volume_mounts = None;
            }
        }
    }
    if let Some(volumes) = &mut spec.volumes {
        volumes.retain(|it| it.projected.is_none() || !is_token(&it.name));
        if volumes.is_empty() {
            spec.volumes = None;
        }
    }
}

/// A value as JSON; keys come in the order of the official type, so equal values give equal texts.
/// Lists without a member are left out: what is stored does not tell them from no list.
pub(super) fn canonical<'s>(value: &impl serde::Serialize, scratch: &'s mut Vec<u8>) -> &'s str {
    scratch.clear();
    // Writing plain data into memory cannot fail, and JSON is UTF-8.
    let _ = serde_json::to_writer(&mut *scratch, value);
    if std::str::from_utf8(scratch).is_ok_and(|text| text.contains(":[]"))
        && let Ok(mut whole) = serde_json::from_slice::<Value>(scratch)
    {
        drop_empty_lists(&mut whole);
        scratch.clear();
        let _ = serde_json::to_writer(&mut *scratch, &whole);
    }
    std::str::from_utf8(scratch).unwrap_or_default()
}

fn drop_empty_lists(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.as_array().is_some_and(Vec::is_empty));
            fields.values_mut().for_each(drop_empty_lists);
        }
        Value::Array(members) => members.iter_mut().for_each(drop_empty_lists),
        _ => {}
    }
}

impl Compactor {
    /// The compact spec of a pod; equal ones are one. Fields that are not modelled are counted for
    /// `kind`, with the kind's own path before them.
    pub(super) fn pod_spec(&mut self, kind: &'static str, written: core::PodSpec) -> Arc<PodSpec> {
        let mut scratch = std::mem::take(&mut self.intern.scratch);
        let text = canonical(&written, &mut scratch);
        let spec = match self.intern.known_spec(text) {
            Some(known) => known,
            None => {
                let spec = self.intern.new_spec(written, text);
                self.intern.keep_spec(spec)
            }
        };
        self.intern.scratch = scratch;
        self.notes.add_fields(kind, &spec.not_modelled);
        spec
    }

    pub(super) fn template(
        &mut self,
        kind: &'static str,
        written: Option<core::PodTemplateSpec>,
    ) -> PodTemplate {
        let written = written.unwrap_or_default();
        let meta = written.metadata.unwrap_or_default();
        let labels = self.intern.labels(meta.labels.as_ref());
        let annotations = self.intern.labels(meta.annotations.as_ref());
        let spec = self.pod_spec(kind, written.spec.unwrap_or_default());
        let name = self.intern.optional(meta.name.as_deref());
        let finalizers = meta.finalizers.iter().flatten();
        let finalizers: Vec<_> = finalizers.map(|one| self.intern.text(one)).collect();
        let rare = (!finalizers.is_empty()).then(|| Rare::of_finalizers(finalizers));
        PodTemplate::new(labels, annotations, spec).named(name).with_rare(rare)
    }
}

fn toleration(intern: &mut Interner, written: &core::Toleration) -> Toleration {
    Toleration {
        key: intern.optional(written.key.as_deref()),
        comparison: match written.operator.as_deref() {
            Some("Exists") => Comparison::Exists,
            Some("Lt") => Comparison::Lt,
            Some("Gt") => Comparison::Gt,
            _ => Comparison::Equal,
        },
        value: intern.optional(written.value.as_deref()),
        effect: written.effect.as_deref().and_then(Effect::named),
        seconds: written.toleration_seconds,
    }
}

/// Ports of the host that containers and sidecars ask for (`GetHostPorts` of kube-scheduler 1.36).
fn host_ports(spec: &core::PodSpec) -> Vec<HostPort> {
    let sidecars = spec
        .init_containers
        .iter()
        .flatten()
        .filter(|it| lifetime(it, Place::Init) == Lifetime::Sidecar);
    let ports = spec.containers.iter().chain(sidecars).flat_map(|it| it.ports.iter().flatten());
    ports
        .filter_map(|it| {
            let number = it.host_port.map(port).filter(|number| *number > 0)?;
            let ip = it.host_ip.as_deref().unwrap_or_default();
            Some(HostPort {
                ip: ip.parse().unwrap_or(Ipv4Addr::UNSPECIFIED),
                protocol: protocol(it.protocol.as_deref()),
                port: number,
            })
        })
        .collect()
}

fn qos(spec: core::PodSpec) -> Qos {
    match qos_class(&core::Pod { spec: Some(spec), ..core::Pod::default() }) {
        QosClass::Guaranteed => Qos::Guaranteed,
        QosClass::Burstable => Qos::Burstable,
        QosClass::BestEffort => Qos::BestEffort,
    }
}

/// What the scheduler takes a container for that asks for nothing (`GetNonzeroRequests`, 1.36).
pub(super) fn nonzero_defaults() -> Amounts {
    Amounts::from([
        ("cpu".to_owned(), Quantity::from_milli(100, Format::DecimalSi)),
        ("memory".to_owned(), Quantity::new(200 * 1024 * 1024, Format::BinarySi)),
    ])
}

impl Interner {
    fn new_spec(&mut self, written: core::PodSpec, text: &str) -> PodSpec {
        let containers =
            written.containers.iter().map(|it| self.container(it, Place::Main)).collect();
        let init_containers = written
            .init_containers
            .iter()
            .flatten()
            .map(|it| self.container(it, Place::Init))
            .collect();
        let defaults = nonzero_defaults();
        let nonzero = SumRules { missing: Some(&defaults), ..SumRules::default() };
        let affinity = written.affinity.clone().unwrap_or_default();
        let near = affinity.pod_affinity.unwrap_or_default();
        let apart = affinity.pod_anti_affinity.unwrap_or_default();
        let tolerations = written.tolerations.iter().flatten();
        let gates = written.scheduling_gates.iter().flatten();
        let readiness = written.readiness_gates.iter().flatten();
        let mut spec = PodSpec {
            init_containers,
            containers,
            restart_policy: match written.restart_policy.as_deref() {
                Some("OnFailure") => RestartPolicy::OnFailure,
                Some("Never") => RestartPolicy::Never,
                _ => RestartPolicy::Always,
            },
            grace_seconds: match written.termination_grace_period_seconds {
                // Less than none is read as one second (CheckGracefulDelete, 1.36).
                Some(..0) => 1,
                seconds => unsigned(seconds.unwrap_or(30)),
            },
            active_deadline_seconds: written.active_deadline_seconds.map(unsigned),
            scheduler_name: self.text(match written.scheduler_name.as_deref() {
                Some(name) if !name.is_empty() => name,
                _ => "default-scheduler",
            }),
            node_name: written
                .node_name
                .as_deref()
                .filter(|name| !name.is_empty())
                .map(|name| self.text(name)),
            node_selector: written
                .node_selector
                .as_ref()
                .map(|it| self.plain_labels(it))
                .unwrap_or_default(),
            node_affinity: affinity
                .node_affinity
                .map(|it| self.node_affinity(&it))
                .unwrap_or_default(),
            pod_affinity: self.between_pods(
                near.required_during_scheduling_ignored_during_execution,
                near.preferred_during_scheduling_ignored_during_execution,
            ),
            pod_anti_affinity: self.between_pods(
                apart.required_during_scheduling_ignored_during_execution,
                apart.preferred_during_scheduling_ignored_during_execution,
            ),
            spread: self.spread(written.topology_spread_constraints.as_deref()),
            tolerations: tolerations.map(|it| toleration(self, it)).collect(),
            priority_class: self.optional(written.priority_class_name.as_deref()),
            priority: written.priority.unwrap_or(0),
            preemption: preemption(written.preemption_policy.as_deref()),
            network: match written.host_network {
                Some(true) => PodNetwork::Host,
                _ => PodNetwork::Own,
            },
            scheduling_gates: gates.map(|it| self.text(&it.name)).collect(),
            readiness_gates: readiness.map(|it| self.text(&it.condition_type)).collect(),
            requests: counted(&pod_requests(&written, None, SumRules::default())),
            nonzero_requests: counted(&pod_requests(&written, None, nonzero)),
            qos: Qos::BestEffort,
            host_ports: host_ports(&written),
            volumes: self.pod_volumes(written.volumes.as_deref()),
            empty_dirs: self.empty_dirs(written.volumes.as_deref()),
            memory: whole_memory(&written),
            not_modelled: super::pod::not_modelled(&written),
            written: text.into(),
        };
        spec.qos = qos(written);
        spec
    }
}

/// What is set of memory for the pod as a whole.
fn whole_memory(spec: &core::PodSpec) -> WholeMemory {
    let Some(set) = &spec.resources else { return WholeMemory::default() };
    let of = |map| amounts(map).get("memory").map(|amount| amount.value());
    WholeMemory { asked: of(set.requests.as_ref()), limit: of(set.limits.as_ref()) }
}

/// A `preemptionPolicy`.
pub(super) fn preemption(written: Option<&str>) -> Preemption {
    match written {
        Some("Never") => Preemption::Never,
        _ => Preemption::LowerPriority,
    }
}
