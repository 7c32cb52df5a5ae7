//! The plan of a run: everything a World is built from, and nothing else decides a run but this and
//! external inputs.
//!
//! Owns the data; refuses to know files, formats and flags (`scenario/` fills it) and what becomes
//! of it (`World` reads it).

mod step;

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;

use crate::api::compact::Arrival;
use crate::api::ip_family::Families;
use crate::api::meta::Labels;
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::{Container, Pod, PodSpec, PodTemplate};
use crate::api::rules::static_pods::name_on;
use crate::api::validation::gates::Gates as Checks;
use crate::base::glob::is_like;
use crate::base::{FastMap, StableHasher};
use crate::control_plane::api_server::tolerations::PodTolerations;
use crate::control_plane::controllers::cluster_autoscaler::Options;
use crate::control_plane::metrics_server::Metrics;
use crate::control_plane::scheduler;
use crate::control_plane::scheduler::algorithm::gates::Gates;
use crate::control_plane::scheduler::queue::backoff::Backoff;
use crate::kernel::Fidelity;
use crate::messages::Profile;
use crate::messages::app::{App, Apps};
use crate::messages::cloud::NodeGroup;
use crate::node::container_engine::simulated::EngineSettings;
use crate::node::kubelet::KubeletSettings;
use crate::time::{SimDuration, SimTime};
pub use crate::traffic::plan::TrafficPlan;
pub use step::{
    Act, Change, Count, Fault, Instance, LinkHarm, Pods, Propagation, Spot, Step, TaintEdit,
    Target, Which,
};

/// What is run.
#[derive(Clone, PartialEq, Debug)]
pub struct Plan {
    /// The scenario's name; names the run's folder.
    pub name: Text,
    /// The one seed.
    pub seed: u64,
    /// The calendar instant of the start, in seconds since 1970.
    pub epoch_seconds: i64,
    /// When it ends.
    pub end: End,
    /// The nodes in order, masters after workers.
    pub nodes: Vec<PlannedNode>,
    /// The master nodes and what runs on them.
    pub control_plane: ControlPlane,
    /// How fast clients may ask.
    pub clients: ClientLimits,
    /// How kubelets are set.
    pub kubelet: KubeletSettings,
    /// Whether recurring occurrences are worked out or run.
    pub fidelity: Fidelity,
    /// Feature gates that were set.
    pub feature_gates: BTreeMap<Text, bool>,
    /// How those of them stand that objects are checked by.
    pub checks: Checks,
    /// Whether namespaces have a say in their pods' tolerations.
    pub pod_tolerations: PodTolerations,
    /// The families of the cluster's addresses.
    pub families: Families,
    /// How long things take.
    pub profile: Profile,
    /// What container engines cost.
    pub engine: EngineSettings,
    /// How schedulers place pods.
    pub scheduler: SchedulerPlan,
    /// How programs behave.
    pub apps: AppRules,
    /// Sizes of images in bytes, as nodes report them; others are the profile's business.
    pub images: BTreeMap<Text, i64>,
    /// What is there, or is applied, at the start: namespaces first, then the order of the input.
    pub objects: Vec<PlannedObject>,
    /// Pods that nodes run from manifests of their own.
    pub static_pods: Vec<StaticPod>,
    /// What happens later, by time; at one instant in the order written.
    pub steps: Vec<Step>,
    /// Groups of nodes that can grow and shrink, in the order written.
    pub node_groups: Vec<NodeGroup>,
    /// How they do so by themselves; nothing: they do not.
    pub autoscaler: Option<Options>,
    /// Clients that call Services, in the order written.
    pub traffic: Vec<TrafficPlan>,
    /// What serves the metrics APIs.
    pub metrics: Metrics,
}

/// When a run ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// At an instant, whatever the state.
    At(SimTime),
    /// When the cluster was as desired for so long, or nothing can change any more, and at the
    /// latest at the backstop.
    Settled {
        /// How long convergence must hold.
        hold: SimDuration,
        /// The last instant.
        backstop: SimTime,
    },
}

impl End {
    /// The last instant that may be run.
    pub fn until(self) -> SimTime {
        match self {
            End::At(at) => at,
            End::Settled { backstop, .. } => backstop,
        }
    }
}

/// A node of the cluster. Its address may be unspecified: it is given one.
#[derive(Clone, PartialEq, Debug)]
pub struct PlannedNode {
    /// The node. Its conditions are those of an imported one, else unknown.
    pub node: Node,
    /// Where it comes from.
    pub arrival: Arrival,
    /// What it is for.
    pub role: Role,
}

/// A pod that a node runs from a manifest of its own.
#[derive(Clone, PartialEq, Debug)]
pub struct StaticPod {
    /// The node's name; always one of the plan's.
    pub node: Text,
    /// The pod as written.
    pub pod: Arc<Pod>,
}

/// What a node is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Workloads.
    Worker,
    /// It is the machine of the control plane with this number. Where no node is, the control plane
    /// stands outside the cluster.
    Master(u16),
}

/// How many of each there are. Instances are spread over the masters in turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlPlane {
    /// Master nodes, tainted so that workloads keep off.
    pub masters: u16,
    /// API servers.
    pub api_servers: u16,
    /// Members of etcd.
    pub etcd: u16,
    /// Schedulers, one of which leads.
    pub schedulers: u16,
    /// Controller managers, one of which leads.
    pub controller_managers: u16,
    /// The processors each API server shares with its etcd; as many as it takes if not said.
    pub api_server_cores: Option<u16>,
}

impl Default for ControlPlane {
    fn default() -> ControlPlane {
        ControlPlane {
            masters: 1,
            api_servers: 1,
            etcd: 1,
            schedulers: 1,
            controller_managers: 1,
            api_server_cores: None,
        }
    }
}

/// A client's rate limit: a token bucket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientLimit {
    /// Requests a second, at least 1.
    pub qps: u32,
    /// Requests at once after a pause, at least 1.
    pub burst: u32,
}

/// How fast each kind of client may ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientLimits {
    /// Each controller's own client.
    pub controllers: ClientLimit,
    /// A scheduler's client.
    pub scheduler: ClientLimit,
    /// A kubelet's client.
    pub kubelets: ClientLimit,
    /// Whoever runs the cluster (kubectl 1.27 and later: 50 a second, 300 at once).
    pub user: ClientLimit,
}

impl Default for ClientLimits {
    /// Defaults of 1.36: `kube-api-qps` and `kube-api-burst` of each component.
    fn default() -> ClientLimits {
        ClientLimits {
            controllers: ClientLimit { qps: 20, burst: 30 },
            scheduler: ClientLimit { qps: 50, burst: 100 },
            kubelets: ClientLimit { qps: 50, burst: 100 },
            user: ClientLimit { qps: 50, burst: 300 },
        }
    }
}

/// How schedulers place pods: what a KubeSchedulerConfiguration says.
#[derive(Clone, PartialEq, Debug)]
pub struct SchedulerPlan {
    /// The profiles, at least one, each with a name of its own.
    pub profiles: Vec<Arc<scheduler::algorithm::Profile>>,
    /// Waits after failed attempts.
    pub backoff: Backoff,
    /// Feature gates.
    pub gates: Gates,
}

impl Default for SchedulerPlan {
    fn default() -> SchedulerPlan {
        SchedulerPlan {
            profiles: vec![Arc::default()],
            backoff: Backoff::default(),
            gates: Gates::default(),
        }
    }
}

impl SchedulerPlan {
    /// The settings of each instance.
    pub fn settings(&self) -> scheduler::Settings {
        scheduler::Settings {
            profiles: self.profiles.clone(),
            backoff: self.backoff,
            gates: self.gates,
            ..scheduler::Settings::default()
        }
    }
}

/// An object that is there at the start, or is applied.
#[derive(Clone, PartialEq, Debug)]
pub struct PlannedObject {
    /// The object. A pod's `node` is not set: see `node` here.
    pub object: Object,
    /// Whether it was in the cluster before or is applied now.
    pub arrival: Arrival,
    /// The node a pod is bound to; always one of the plan's.
    pub node: Option<Text>,
    /// Where it was written.
    pub source: Source,
    /// What the user wrote, as canonical JSON without the API server's defaults: only of an object that
    /// is applied, and applied again by a step, so that a later manifest can be told from it.
    pub manifest: Option<Text>,
}

/// Where something was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The file's display name; empty for what nobody wrote.
    pub file: Text,
    /// The document in it, from 1; 0 if none.
    pub document: u32,
    /// The item of a list, from 0.
    pub item: Option<u32>,
}

impl Source {
    /// Nobody wrote it.
    pub fn nowhere() -> Source {
        Source { file: "".into(), document: 0, item: None }
    }
}

impl fmt::Display for Source {
    /// `shop.yaml document 2`, `dump.json items[7]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.document > 1 || (self.document == 1 && self.item.is_none()) {
            write!(f, " document {}", self.document)?;
        }
        match self.item {
            Some(item) => write!(f, " items[{item}]"),
            None => Ok(()),
        }
    }
}

/// How programs behave: the first rule that matches a container counts.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AppRules {
    /// The rules in order.
    pub rules: Vec<AppRule>,
}

/// One rule.
#[derive(Clone, PartialEq, Debug)]
pub struct AppRule {
    /// What the image must look like: `*` stands for any letters, `?` for one.
    pub image: Option<Text>,
    /// Labels the pod must have.
    pub labels: Labels,
    /// What the container must be called.
    pub container: Option<Text>,
    /// How it behaves.
    pub app: App,
}

impl AppRules {
    /// The behaviours of all containers of pods with this spec and these labels, init containers
    /// first.
    pub fn of(&self, spec: &PodSpec, labels: &Labels) -> Apps {
        let containers = spec.init_containers.iter().chain(&spec.containers);
        containers.map(|container| self.of_container(container, labels)).collect()
    }

    /// Whether labels make a difference.
    pub fn ask_for_labels(&self) -> bool {
        self.rules.iter().any(|rule| !rule.labels.is_empty())
    }

    /// The behaviours of the pods of a template.
    pub fn of_template(&self, template: &PodTemplate) -> Apps {
        self.of(&template.spec, &template.labels)
    }

    fn of_container(&self, container: &Container, labels: &Labels) -> App {
        let matches = |rule: &&AppRule| {
            rule.image.as_ref().is_none_or(|pattern| is_like(&container.image, pattern))
                && rule.container.as_ref().is_none_or(|name| *name == container.name)
                && rule.labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        };
        self.rules.iter().find(matches).map(|rule| rule.app.clone()).unwrap_or_default()
    }
}

impl Plan {
    /// Static pods as the API will show them, by the names of their mirrors.
    pub fn mirrors(&self) -> Vec<PlannedObject> {
        let of = |StaticPod { node, pod }: &StaticPod| {
            let mut pod = Pod::clone(pod);
            pod.meta.name = name_on(&pod.meta.name, &Name::new(node.clone()));
            PlannedObject {
                object: Object::Pod(Box::new(pod)),
                arrival: Arrival::Applied,
                node: Some(node.clone()),
                source: Source::nowhere(),
                manifest: None,
            }
        };
        self.static_pods.iter().map(of).collect()
    }

    /// A hash of all of it, the same for the same plan on every machine.
    pub fn hash(&self) -> u64 {
        let mut out = Folding(StableHasher::new());
        let head = (&self.name, self.seed, self.epoch_seconds, self.end, self.fidelity);
        let head = (head, &self.scheduler);
        let rest = (&self.control_plane, &self.clients, &self.feature_gates, &self.profile);
        let app = (&self.apps, &self.images, &self.nodes);
        if !self.node_groups.is_empty() {
            let _ = write!(out, "{:?}{:?}", self.node_groups, self.autoscaler);
        }
        if !self.static_pods.is_empty() {
            let _ = write!(out, "{:?}", self.static_pods);
        }
        // Writing into a hash cannot fail.
        if self.pod_tolerations != PodTolerations::default() {
            let _ = write!(out, "{:?}", self.pod_tolerations);
        }
        if self.families != Families::V4 {
            let _ = write!(out, "{:?}", self.families);
        }
        if self.kubelet != KubeletSettings::default() {
            let _ = write!(out, "{:?}", self.kubelet);
        }
        if self.engine != EngineSettings::default() {
            let _ = write!(out, "{:?}", self.engine);
        }
        let _ = write!(out, "{head:?}{rest:?}{app:?}{:?}", self.traffic);
        for Step { at, name, act } in &self.steps {
            let _ = write!(out, "{at:?}{name:?}");
            let Act::Apply(objects) = act else {
                let _ = write!(out, "{act:?}");
                continue;
            };
            // Where an object was written decides nothing.
            for PlannedObject { object, arrival, node, manifest, source: _ } in objects {
                let _ = write!(out, "{object:?}{arrival:?}{node:?}{manifest:?}");
            }
        }
        let mut specs = FastMap::default();
        for planned in &self.objects {
            let _ = write!(out, "{:?}{:?}", planned.arrival, planned.node);
            match &planned.object {
                Object::Pod(pod) => {
                    let _ = write!(out, "{:?}{:?}", pod.meta, pod.status);
                    let hash = *specs
                        .entry(Arc::as_ptr(&pod.spec))
                        .or_insert_with(|| StableHasher::new().text(&pod.spec.written).finish());
                    out.0 = out.0.word(hash);
                }
                other => {
                    let _ = write!(out, "{other:?}");
                }
            }
        }
        out.0.finish()
    }
}

/// Folds what is written into a hash.
struct Folding(StableHasher);

impl Write for Folding {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.text(text);
        Ok(())
    }
}
