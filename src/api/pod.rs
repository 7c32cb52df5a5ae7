//! Pods as a run holds them: a small changing row, and a spec shared by all pods of one template.

mod conditions;
mod limits;

use std::net::Ipv4Addr;
use std::sync::Arc;

pub use conditions::{Condition, POD_CONDITIONS, PodCondition, SaidCondition};
pub use limits::{EmptyDir, Medium, WholeMemory};

use super::meta::{Labels, Meta, Rare};
use super::name::Text;
use super::node::{Node, Tristate};
use super::resources::Resources;
use super::rules::affinity::{NodeAffinity, PodAffinity};
use super::rules::ports::HostPort;
use super::rules::spread::SpreadConstraint;
use super::rules::taints::Toleration;
use super::rules::volumes::PodVolumes;
use crate::base::hash::StableHasher;
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

/// A pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pod {
    /// Its metadata.
    pub meta: Meta,
    /// What it is made of, shared by its siblings.
    pub spec: Arc<PodSpec>,
    /// The node it is bound to (`spec.nodeName`).
    pub node: Option<Id<Node>>,
    /// What its kubelet says of it.
    pub status: PodStatus,
}

/// The template of pods: what a workload makes them from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodTemplate {
    /// The name it is given, which no pod takes but which tells templates apart; mostly empty.
    pub name: Text,
    /// Labels of each pod.
    pub labels: Arc<Labels>,
    /// Annotations of each pod.
    pub annotations: Arc<Labels>,
    /// The spec of each pod.
    pub spec: Arc<PodSpec>,
    /// Finalizers of each pod, if there are any.
    pub rare: Option<Arc<Rare>>,
    /// A hash of the template as written, stable across runs: equal templates, equal hashes.
    pub hash: u64,
}

impl PodTemplate {
    /// The template of pods with these labels and annotations and this spec.
    pub fn new(labels: Arc<Labels>, annotations: Arc<Labels>, spec: Arc<PodSpec>) -> PodTemplate {
        let mut hasher = StableHasher::new().text(&spec.written);
        for map in [&labels, &annotations] {
            hasher = hasher.word(map.len() as u64);
            for (key, value) in map.iter() {
                hasher = hasher.text(key).text(value);
            }
        }
        let (name, rare, hash) = ("".into(), None, hasher.finish());
        PodTemplate { name, labels, annotations, spec, rare, hash }
    }

    /// The same with what few templates carry: finalizers.
    #[must_use]
    pub fn with_rare(self, rare: Option<Arc<Rare>>) -> PodTemplate {
        let Some(held) = &rare else { return self };
        let hasher = StableHasher::new().word(self.hash).text("finalizers");
        let hasher = held.finalizers().iter().fold(hasher, |hasher, one| hasher.text(one));
        PodTemplate { hash: hasher.finish(), rare, ..self }
    }

    /// The finalizers of its pods.
    pub fn finalizers(&self) -> &[Text] {
        self.rare.as_ref().map_or(&[], |rare| rare.finalizers())
    }

    /// The same with a name of its own.
    #[must_use]
    pub fn named(self, name: Text) -> PodTemplate {
        match &*name {
            "" => self,
            text => PodTemplate {
                hash: StableHasher::new().word(self.hash).text(text).finish(),
                name,
                ..self
            },
        }
    }
}

/// What a pod is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodSpec {
    /// Init containers in order, sidecars among them.
    pub init_containers: Vec<Container>,
    /// The containers.
    pub containers: Vec<Container>,
    /// What happens to a container that ended.
    pub restart_policy: RestartPolicy,
    /// `terminationGracePeriodSeconds`.
    pub grace_seconds: u32,
    /// `activeDeadlineSeconds`.
    pub active_deadline_seconds: Option<u32>,
    /// The scheduler that places it.
    pub scheduler_name: Text,
    /// `nodeName` as written in the manifest, for a pod that nobody need place.
    pub node_name: Option<Text>,
    /// `nodeSelector`.
    pub node_selector: Labels,
    /// Node affinity.
    pub node_affinity: NodeAffinity,
    /// `affinity.podAffinity`: pods it is drawn to.
    pub pod_affinity: PodAffinity,
    /// `affinity.podAntiAffinity`: pods it keeps away from.
    pub pod_anti_affinity: PodAffinity,
    /// `topologySpreadConstraints`.
    pub spread: Vec<SpreadConstraint>,
    /// Tolerations, those that admission adds included.
    pub tolerations: Vec<Toleration>,
    /// `priorityClassName`, empty if none.
    pub priority_class: Text,
    /// The priority that admission worked out.
    pub priority: i32,
    /// Whether it may preempt others (`preemptionPolicy`).
    pub preemption: Preemption,
    /// Whether it uses the node's network.
    pub network: PodNetwork,
    /// `schedulingGates`, by name.
    pub scheduling_gates: Vec<Text>,
    /// Condition types that must be true besides for the pod to be ready.
    pub readiness_gates: Vec<Text>,
    /// What the scheduler counts: containers, init containers, sidecars and overhead.
    pub requests: Resources,
    /// The same with the scheduler's defaults for what asks for nothing (100m CPU, 200Mi memory a
    /// container), used in scores only.
    pub nonzero_requests: Resources,
    /// The quality-of-service class.
    pub qos: Qos,
    /// Ports of the host, of all containers.
    pub host_ports: Vec<HostPort>,
    /// Volumes that decide where it may run.
    pub volumes: PodVolumes,
    /// Its `emptyDir` volumes that have a medium or a limit.
    pub empty_dirs: Vec<EmptyDir>,
    /// What is set of memory for the pod as a whole (`spec.resources`).
    pub memory: WholeMemory,
    /// Fields set here that this version does not model, as paths (`containers.env`).
    pub not_modelled: Vec<&'static str>,
    /// The spec as written, as canonical JSON, the API server's defaults filled in.
    pub written: Text,
}

/// A pod's `preemptionPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preemption {
    /// It may take the place of pods of lower priority.
    #[default]
    LowerPriority,
    /// It waits.
    Never,
}

impl Preemption {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            Preemption::LowerPriority => "PreemptLowerPriority",
            Preemption::Never => "Never",
        }
    }
}

/// A pod's network.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PodNetwork {
    /// An address of its own out of the node's range.
    #[default]
    Own,
    /// The node's address (`hostNetwork`).
    Host,
}

/// What happens to a container that ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RestartPolicy {
    /// It is started again.
    #[default]
    Always,
    /// It is started again if it failed.
    OnFailure,
    /// It stays ended.
    Never,
}

/// Quality of service (`pkg/apis/core/v1/helper/qos`, 1.36).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Qos {
    /// Requests equal limits for CPU and memory in every container.
    Guaranteed,
    /// Something is asked for.
    Burstable,
    /// Nothing is asked for.
    #[default]
    BestEffort,
}

/// Transport protocol of a port.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// One container of a spec.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Container {
    /// Its name within the pod.
    pub name: Text,
    /// Its image as written.
    pub image: Text,
    /// When the image is fetched.
    pub pull: PullPolicy,
    /// Requests.
    pub requests: Resources,
    /// Limits; 0: none.
    pub limits: Resources,
    /// Ports it declares.
    pub ports: Vec<ContainerPort>,
    /// `startupProbe`.
    pub startup: Option<Probe>,
    /// `livenessProbe`.
    pub liveness: Option<Probe>,
    /// `readinessProbe`.
    pub readiness: Option<Probe>,
    /// An init container with `restartPolicy: Always`.
    pub lifetime: Lifetime,
    /// Whether it is started again, where it says so itself; `None`: as its pod says.
    pub restart_policy: Option<RestartPolicy>,
    /// What comes of an exit code, before any policy is asked (`restartPolicyRules`); the first that fits holds.
    pub restart_rules: Vec<RestartRule>,
    /// What its node does where it gets more or less of them while it runs (`resizePolicy`).
    pub on_resize: OnResize,
    /// What is done once it has begun (`lifecycle.postStart`).
    pub post_start: Option<Hook>,
    /// What is done before it is stopped (`lifecycle.preStop`).
    pub pre_stop: Option<Hook>,
}

/// What a lifecycle hook does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Hook {
    /// Its node waits so long (`sleep`).
    Sleep(SimDuration),
    /// A command is run in the container (`exec`): one that only sleeps, so long; how long others take is
    /// for whoever knows the program to say.
    Exec(Option<SimDuration>),
    /// A request to this port of the pod (`httpGet`); 0: a name that no port has.
    HttpGet(u16),
    /// A request to another host.
    HttpGetElsewhere,
    /// Something that no kubelet does (`tcpSocket`): it fails.
    Unknown,
}

/// What is done to a running container that is resized (`resizePolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OnResize {
    /// Where its CPU changes.
    pub cpu: ResizePolicy,
    /// Where its memory changes.
    pub memory: ResizePolicy,
}

/// Whether a container must begin anew to take on other resources.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ResizePolicy {
    /// It goes on (`NotRequired`).
    #[default]
    InPlace,
    /// It is restarted (`RestartContainer`).
    Restart,
}

/// What a container may take.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Share {
    /// Requests.
    pub requests: Resources,
    /// Limits.
    pub limits: Resources,
}

impl Container {
    /// What it may take.
    pub fn share(&self) -> Share {
        Share { requests: self.requests.clone(), limits: self.limits.clone() }
    }
}

/// The container of a spec by its index, init containers first.
///
/// # Panics
/// If there is none.
pub fn container_at(spec: &PodSpec, index: usize) -> &Container {
    let inits = spec.init_containers.len();
    if index < inits { &spec.init_containers[index] } else { &spec.containers[index - inits] }
}

/// How far a resize of a pod in place has got.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resizing {
    /// The spec as far as its node has made room for it (`allocatedResources`).
    pub allocated: Arc<PodSpec>,
    /// Containers that have something else than that so far, by index (`resources`).
    pub actual: Vec<(u16, Share)>,
    /// Why there is no room: condition PodResizePending.
    pub pending: Option<StatusReason>,
    /// That containers are being resized: condition PodResizeInProgress, whose reason may be empty.
    pub progress: Option<StatusReason>,
    /// The spec with the requests that schedulers count meanwhile.
    pub counted: Arc<PodSpec>,
}

/// How long a container is meant to run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Lifetime {
    /// Containers of a pod, and init containers that run to their end.
    #[default]
    Normal,
    /// A sidecar: an init container that goes on running (`restartPolicy: Always`).
    Sidecar,
}

/// What comes of some exit codes of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RestartRule {
    /// What is done.
    pub action: RestartAction,
    /// Of which exit codes: of these, or of all others.
    pub codes: ExitCodes,
}

/// What a [`RestartRule`] does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RestartAction {
    /// The container is started again.
    Restart,
    /// All containers of its pod are started anew, init containers first.
    RestartAll,
}

/// Some exit codes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExitCodes {
    /// These.
    In(Vec<i32>),
    /// All but these.
    NotIn(Vec<i32>),
}

/// When an image is fetched.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PullPolicy {
    /// If the node has it not.
    #[default]
    IfNotPresent,
    /// The registry is asked at each start.
    Always,
    /// Never: it must be there.
    Never,
}

/// A port a container declares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerPort {
    /// Its name, empty if none.
    pub name: Text,
    /// The port, 1 to 65535.
    pub port: u16,
    /// The protocol.
    pub protocol: Protocol,
}

/// A probe (`pkg/kubelet/prober`, 1.36). Times are whole seconds in manifests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Probe {
    /// What it does.
    pub handler: ProbeHandler,
    /// From the container's start to the first probe that counts.
    pub initial_delay: SimDuration,
    /// From one probe to the next.
    pub period: SimDuration,
    /// After which a probe without an answer failed.
    pub timeout: SimDuration,
    /// How many good ones in a row make it good.
    pub success_threshold: u32,
    /// How many bad ones in a row make it bad.
    pub failure_threshold: u32,
    /// A grace period of its own for the container this probe ends.
    pub grace_seconds: Option<u32>,
}

/// What a probe does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProbeHandler {
    /// Runs a command in the container.
    Exec,
    /// Asks for a page of this port.
    HttpGet(u16),
    /// Opens this port.
    TcpSocket(u16),
    /// Calls gRPC health checking on this port.
    Grpc(u16),
}

/// The phase of a pod. `CrashLoopBackOff` and `Terminating` are none.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Phase {
    /// Accepted; not all containers ever ran.
    #[default]
    Pending,
    /// Bound, its containers created, at least one runs or will again.
    Running,
    /// All containers ended well and none will start again.
    Succeeded,
    /// All ended, at least one badly, and none will start again.
    Failed,
    /// Whoever should know does not. No kubelet says so since 1.0; others may.
    Unknown,
}

impl Phase {
    /// Whether the pod is done for good.
    pub fn is_terminal(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }

    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
            Phase::Unknown => "Unknown",
        }
    }
}

/// What is known of a pod that runs, or does not.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodStatus {
    /// The phase.
    pub phase: Phase,
    /// The conditions, by [`PodCondition`].
    pub conditions: [Condition; POD_CONDITIONS],
    /// Conditions of other types, which somebody else writes, as for readiness gates.
    pub others: Option<Arc<[SaidCondition]>>,
    /// Its address, once its sandbox stands.
    pub ip: Option<Ipv4Addr>,
    /// When its kubelet took it.
    pub start_time: Option<SimTime>,
    /// The generation its kubelet knew when it wrote last; 0: it never did. The API server keeps the account.
    pub observed_generation: u32,
    /// Why it is in this phase (`Evicted`, `Unschedulable`), with a message.
    pub reason: Option<Arc<StatusReason>>,
    /// Why it was picked to be evicted: what condition DisruptionTarget says, where that is known.
    pub disruption: Option<Arc<StatusReason>>,
    /// The node whose room a scheduler keeps for it (`nominatedNodeName`); none once it is bound.
    pub nominated: Option<Id<Node>>,
    /// Its containers, init containers first, in the order of the spec.
    pub containers: Option<Arc<[ContainerStatus]>>,
    /// How far it is resized, if somebody ever asked for it.
    pub resize: Option<Arc<Resizing>>,
}

/// A reason with its message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusReason {
    /// One CamelCase word.
    pub reason: Text,
    /// A sentence.
    pub message: Text,
}

impl PodStatus {
    /// The condition `which`.
    pub fn condition(&self, which: PodCondition) -> Condition {
        self.conditions[which as usize]
    }

    /// Whether condition `which` is true.
    pub fn is(&self, which: PodCondition) -> bool {
        self.conditions[which as usize].value == Some(Tristate::True)
    }

    /// The condition of another type, if anybody ever set it.
    pub fn said(&self, kind: &str) -> Option<&SaidCondition> {
        self.others.iter().flat_map(|all| all.iter()).find(|it| &*it.kind == kind)
    }

    /// Sets a condition; the transition time moves only when the value changes.
    pub fn set(&mut self, which: PodCondition, value: bool, now: SimTime) {
        let (condition, value) = (&mut self.conditions[which as usize], Some(Tristate::of(value)));
        if condition.value != value {
            *condition = Condition { value, since_seconds: now.as_secs() as u32 };
        }
    }

    /// Restarts of all containers together.
    pub fn restarts(&self) -> u32 {
        self.containers.iter().flat_map(|list| list.iter()).map(|one| one.restarts).sum()
    }
}

impl Pod {
    /// Its spec with the requests that schedulers count.
    pub fn counted_spec(&self) -> &Arc<PodSpec> {
        self.status.resize.as_ref().map_or(&self.spec, |resize| &resize.counted)
    }

    /// Its spec as far as its node has made room for it.
    pub fn allocated_spec(&self) -> &Arc<PodSpec> {
        self.status.resize.as_ref().map_or(&self.spec, |resize| &resize.allocated)
    }

    /// Whether the pod is ready.
    pub fn is_ready(&self) -> bool {
        self.status.is(PodCondition::Ready)
    }

    /// Whether somebody said why it is not placed: no node fits, or gates hold it back.
    pub fn is_unplaced(&self) -> bool {
        self.status.phase == Phase::Pending
            && self.node.is_none()
            && self.status.condition(PodCondition::PodScheduled).value == Some(Tristate::False)
    }

    /// Whether no node fits it, as the scheduler said.
    pub fn is_unschedulable(&self) -> bool {
        let is_gated = |reason: &Arc<StatusReason>| &*reason.reason == "SchedulingGated";
        self.is_unplaced() && !self.status.reason.as_ref().is_some_and(is_gated)
    }

    /// Whether it counts for its ReplicaSet: neither done nor being deleted
    /// (`controller.IsPodActive`, 1.36).
    pub fn is_active(&self) -> bool {
        !self.status.phase.is_terminal() && !self.meta.is_terminating()
    }

    /// From when the pod has been ready for `min_ready_seconds`, counted as Kubernetes does from
    /// the transition time cut to the second; `None` while it is not ready, or does not say since when
    /// (`podutil.IsPodAvailable`, 1.36).
    pub fn available_from(&self, min_ready_seconds: u32) -> Option<SimTime> {
        let ready = self.status.condition(PodCondition::Ready);
        match (ready.value, min_ready_seconds) {
            (Some(Tristate::True), 0) => Some(SimTime::ZERO),
            (Some(Tristate::True), seconds) => {
                Some(ready.since()? + SimDuration::from_secs(seconds.into()))
            }
            _ => None,
        }
    }

    /// Whether the pod is available at `now`.
    pub fn is_available(&self, min_ready_seconds: u32, now: SimTime) -> bool {
        self.available_from(min_ready_seconds).is_some_and(|from| from <= now)
    }
}

/// The state of a container as its kubelet reports it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainerState {
    /// Not yet, or not now.
    Waiting(WaitingReason),
    /// Since when.
    Running(SimTime),
    /// How it ended.
    Terminated(Termination),
}

/// Why a container waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum WaitingReason {
    /// The pod is being set up.
    ContainerCreating,
    /// Init containers are still at it.
    PodInitializing,
    /// It ended too often of late.
    CrashLoopBackOff,
    /// Its image could not be fetched.
    ErrImagePull,
    /// Its image could not be fetched, and the next try is later.
    ImagePullBackOff,
    /// Its image is not there and may not be fetched.
    ErrImageNeverPull,
    /// Its image's name cannot be read.
    InvalidImageName,
    /// It could not be started.
    RunContainerError,
    /// Its postStart hook failed.
    PostStartHookError,
    /// All containers of its pod are started anew.
    RestartingAllContainers,
}

impl WaitingReason {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            WaitingReason::ContainerCreating => "ContainerCreating",
            WaitingReason::PodInitializing => "PodInitializing",
            WaitingReason::CrashLoopBackOff => "CrashLoopBackOff",
            WaitingReason::ErrImagePull => "ErrImagePull",
            WaitingReason::ImagePullBackOff => "ImagePullBackOff",
            WaitingReason::ErrImageNeverPull => "ErrImageNeverPull",
            WaitingReason::InvalidImageName => "InvalidImageName",
            WaitingReason::RunContainerError => "RunContainerError",
            WaitingReason::PostStartHookError => "PostStartHookError",
            WaitingReason::RestartingAllContainers => "RestartingAllContainers",
        }
    }
}

/// How a container ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Termination {
    /// Exit code: 0 to 255 on Linux, any on Windows.
    pub exit_code: i32,
    /// Why.
    pub reason: TerminationReason,
    /// When it had started.
    pub started: SimTime,
    /// When it ended.
    pub finished: SimTime,
}

/// Why a container ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TerminationReason {
    /// Exit code 0.
    Completed,
    /// Another exit code.
    Error,
    /// The kernel killed one of its processes for memory.
    OomKilled,
    /// Its command could not be run.
    StartError,
    /// Its end was not seen.
    ContainerStatusUnknown,
    /// It ran when its machine lost its power: nobody knows how it ended.
    Unknown,
    /// It was removed because all containers of its pod are started anew.
    RestartingAllContainers,
}

impl TerminationReason {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            TerminationReason::Completed => "Completed",
            TerminationReason::Error => "Error",
            TerminationReason::OomKilled => "OOMKilled",
            TerminationReason::StartError => "StartError",
            TerminationReason::ContainerStatusUnknown => "ContainerStatusUnknown",
            TerminationReason::Unknown => "Unknown",
            TerminationReason::RestartingAllContainers => "RestartingAllContainers",
        }
    }
}

/// What is known of one container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContainerStatus {
    /// Its state now.
    pub state: ContainerState,
    /// How it ended before.
    pub last: Option<Termination>,
    /// How often it was started again.
    pub restarts: u32,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether it has started (its startup probe succeeded, or it has none).
    pub started: bool,
    /// How long it is held back after its latest crash, in milliseconds, while it is.
    pub held_back_millis: u32,
}
