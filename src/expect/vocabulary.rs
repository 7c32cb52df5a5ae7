//! The words of conditions: what can be named, and what can be asked of it.

use std::fmt;

use crate::api::kinds::nearest;
use crate::api::name::Text;
use crate::api::selector_text::LabelQuery;
use crate::time::SimDuration;

/// What a value is, as far as a condition cares.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Type {
    Bool,
    Int,
    UInt,
    Double,
    Text,
    Bytes,
    Null,
    List(Box<Type>),
    Map(Box<Type>, Box<Type>),
    /// Known only when it is there; also what an error stands for, so that it is told once.
    Any,
}

impl Type {
    pub(super) fn list(of: Type) -> Type {
        Type::List(Box::new(of))
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Type::Int | Type::UInt | Type::Double)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Bool => f.write_str("true or false"),
            Type::Int => f.write_str("a whole number"),
            Type::UInt => f.write_str("an unsigned number"),
            Type::Double => f.write_str("a decimal number"),
            Type::Text => f.write_str("a text"),
            Type::Bytes => f.write_str("bytes"),
            Type::Null => f.write_str("null"),
            Type::List(_) => f.write_str("a list"),
            Type::Map(..) => f.write_str("a map"),
            Type::Any => f.write_str("any value"),
        }
    }
}

/// The words that begin a look at the cluster.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Noun {
    /// A Deployment.
    Deployment,
    /// A ReplicaSet.
    ReplicaSet,
    /// A ReplicationController.
    ReplicationController,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A Job.
    Job,
    /// A CronJob.
    CronJob,
    /// A HorizontalPodAutoscaler.
    Autoscaler,
    /// A VerticalPodAutoscaler.
    Vertical,
    /// A Service.
    Service,
    /// A node.
    Node,
    /// A group of nodes that can grow and shrink.
    NodeGroup,
    /// All pods a selector matches.
    Pods,
    /// One pod.
    Pod,
    /// All of it.
    Cluster,
}

/// Fields of a StatefulSet.
const STATEFUL_SET: &[(&str, Field, Kind)] = &[
    ("exists", Field::Exists, Kind::Flag),
    ("desired", Field::Desired, Kind::Number),
    ("replicas", Field::Replicas, Kind::Number),
    ("updated", Field::Updated, Kind::Number),
    ("ready", Field::Ready, Kind::Number),
    ("available", Field::Available, Kind::Number),
    ("converged", Field::Converged, Kind::Flag),
];

/// Fields of a DaemonSet, counted in nodes.
const DAEMON_SET: &[(&str, Field, Kind)] = &[
    ("exists", Field::Exists, Kind::Flag),
    ("desired", Field::Desired, Kind::Number),
    ("current", Field::Replicas, Kind::Number),
    ("misscheduled", Field::Misscheduled, Kind::Number),
    ("updated", Field::Updated, Kind::Number),
    ("ready", Field::Ready, Kind::Number),
    ("available", Field::Available, Kind::Number),
    ("unavailable", Field::Unavailable, Kind::Number),
    ("converged", Field::Converged, Kind::Flag),
];

/// Fields of a Job.
const JOB: &[(&str, Field, Kind)] = &[
    ("exists", Field::Exists, Kind::Flag),
    ("desired", Field::Desired, Kind::Number),
    ("active", Field::Active, Kind::Number),
    ("ready", Field::Ready, Kind::Number),
    ("terminating", Field::Terminating, Kind::Number),
    ("succeeded", Field::Succeeded, Kind::Number),
    ("failed", Field::Failed, Kind::Number),
    ("suspended", Field::Suspended, Kind::Flag),
    ("complete", Field::Complete, Kind::Flag),
    ("has_failed", Field::HasFailed, Kind::Flag),
    ("reason", Field::Reason, Kind::Word),
    ("completed_indexes", Field::CompletedIndexes, Kind::Word),
    ("failed_indexes", Field::FailedIndexes, Kind::Word),
    ("converged", Field::Converged, Kind::Flag),
];

/// Fields of a CronJob.
const CRON_JOB: &[(&str, Field, Kind)] = &[
    ("exists", Field::Exists, Kind::Flag),
    ("active", Field::Active, Kind::Number),
    ("suspended", Field::Suspended, Kind::Flag),
    ("last_schedule", Field::LastSchedule, Kind::Number),
];

const CLUSTER: &[(&str, Field, Kind)] = &[
    ("pods", Field::Pods, Kind::Number),
    ("pending", Field::Pending, Kind::Number),
    ("running", Field::Running, Kind::Number),
    ("ready", Field::Ready, Kind::Number),
    ("succeeded", Field::Succeeded, Kind::Number),
    ("failed", Field::Failed, Kind::Number),
    ("unschedulable", Field::Unschedulable, Kind::Number),
    ("terminating", Field::Terminating, Kind::Number),
    ("restarts", Field::Restarts, Kind::Number),
    ("nodes", Field::Nodes, Kind::Number),
    ("nodes_ready", Field::NodesReady, Kind::Number),
    ("converged", Field::Converged, Kind::Flag),
];

/// Fields of a HorizontalPodAutoscaler.
const AUTOSCALER: &[(&str, Field, Kind)] = &[
    ("exists", Field::Exists, Kind::Flag),
    ("min", Field::Min, Kind::Number),
    ("max", Field::Max, Kind::Number),
    ("current", Field::Replicas, Kind::Number),
    ("desired", Field::Desired, Kind::Number),
    ("able_to_scale", Field::AbleToScale, Kind::Flag),
    ("active", Field::ScalingActive, Kind::Flag),
    ("limited", Field::ScalingLimited, Kind::Flag),
    ("reason", Field::Reason, Kind::Word),
    ("cpu_utilization", Field::CpuUtilization, Kind::Number),
    ("last_scale", Field::LastScale, Kind::Number),
];

/// Fields of a VerticalPodAutoscaler: what it recommends, added up over the containers of a pod.
const VERTICAL: &[(&str, Field, Kind)] = &[
    ("exists", Field::Exists, Kind::Flag),
    ("mode", Field::Mode, Kind::Word),
    ("provided", Field::Provided, Kind::Flag),
    ("matched", Field::Matched, Kind::Flag),
    ("supported", Field::Supported, Kind::Flag),
    ("cpu", Field::Cpu(Amount::Target), Kind::Decimal),
    ("cpu_lower", Field::Cpu(Amount::Lower), Kind::Decimal),
    ("cpu_upper", Field::Cpu(Amount::Upper), Kind::Decimal),
    ("cpu_uncapped", Field::Cpu(Amount::Uncapped), Kind::Decimal),
    ("memory", Field::Memory(Amount::Target), Kind::Number),
    ("memory_lower", Field::Memory(Amount::Lower), Kind::Number),
    ("memory_upper", Field::Memory(Amount::Upper), Kind::Number),
    ("memory_uncapped", Field::Memory(Amount::Uncapped), Kind::Number),
];

impl Noun {
    /// Those that are called with a name or a selector.
    pub(super) const CALLED: [Noun; 14] = [
        Noun::Deployment,
        Noun::ReplicaSet,
        Noun::ReplicationController,
        Noun::StatefulSet,
        Noun::DaemonSet,
        Noun::Job,
        Noun::CronJob,
        Noun::Autoscaler,
        Noun::Vertical,
        Noun::Service,
        Noun::Node,
        Noun::NodeGroup,
        Noun::Pods,
        Noun::Pod,
    ];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Noun::Deployment => "deployment",
            Noun::ReplicaSet => "replicaset",
            Noun::ReplicationController => "replicationcontroller",
            Noun::StatefulSet => "statefulset",
            Noun::DaemonSet => "daemonset",
            Noun::Job => "job",
            Noun::CronJob => "cronjob",
            Noun::Autoscaler => "hpa",
            Noun::Vertical => "vpa",
            Noun::Service => "service",
            Noun::Node => "node",
            Noun::NodeGroup => "nodegroup",
            Noun::Pods => "pods",
            Noun::Pod => "pod",
            Noun::Cluster => "cluster",
        }
    }

    pub(super) fn called(word: &str) -> Option<Noun> {
        Noun::CALLED.into_iter().find(|noun| noun.word() == word)
    }

    /// The fields, with their types.
    pub(super) fn fields(self) -> &'static [(&'static str, Field, Kind)] {
        use Field as F;
        use Kind::{Decimal, Flag, Number, Word, Words};
        match self {
            Noun::Deployment => &[
                ("exists", F::Exists, Flag),
                ("desired", F::Desired, Number),
                ("replicas", F::Replicas, Number),
                ("updated", F::Updated, Number),
                ("ready", F::Ready, Number),
                ("available", F::Available, Number),
                ("unavailable", F::Unavailable, Number),
                ("terminating", F::Terminating, Number),
                ("paused", F::Paused, Flag),
                ("converged", F::Converged, Flag),
            ],
            Noun::ReplicaSet | Noun::ReplicationController => &[
                ("exists", F::Exists, Flag),
                ("desired", F::Desired, Number),
                ("replicas", F::Replicas, Number),
                ("ready", F::Ready, Number),
                ("available", F::Available, Number),
                ("terminating", F::Terminating, Number),
                ("converged", F::Converged, Flag),
            ],
            Noun::StatefulSet => STATEFUL_SET,
            Noun::DaemonSet => DAEMON_SET,
            Noun::Job => JOB,
            Noun::CronJob => CRON_JOB,
            Noun::Autoscaler => AUTOSCALER,
            Noun::Vertical => VERTICAL,
            Noun::Service => &[("exists", F::Exists, Flag), ("endpoints", F::Endpoints, Number)],
            Noun::Node => &[
                ("exists", F::Exists, Flag),
                ("ready", F::Ready, Flag),
                ("schedulable", F::Schedulable, Flag),
                ("zone", F::Zone, Word),
                ("taints", F::Taints, Words),
                ("pods", F::Pods, Number),
                ("cpu_requested", F::CpuRequested, Decimal),
                ("cpu_allocatable", F::CpuAllocatable, Decimal),
                ("memory_requested", F::MemoryRequested, Number),
                ("memory_allocatable", F::MemoryAllocatable, Number),
            ],
            Noun::NodeGroup => &[("size", F::Nodes, Number), ("ready", F::NodesReady, Number)],
            Noun::Pods => &[
                ("count", F::Pods, Number),
                ("pending", F::Pending, Number),
                ("running", F::Running, Number),
                ("succeeded", F::Succeeded, Number),
                ("failed", F::Failed, Number),
                ("ready", F::Ready, Number),
                ("unschedulable", F::Unschedulable, Number),
                ("terminating", F::Terminating, Number),
                ("restarts", F::Restarts, Number),
                ("max_restarts", F::MaxRestarts, Number),
                ("nodes", F::Nodes, Number),
                ("zones", F::Zones, Number),
            ],
            Noun::Pod => &[
                ("exists", F::Exists, Flag),
                ("phase", F::Phase, Word),
                ("node", F::Node, Word),
                ("zone", F::Zone, Word),
                ("ready", F::Ready, Flag),
                ("terminating", F::Terminating, Flag),
                ("restarts", F::Restarts, Number),
            ],
            Noun::Cluster => CLUSTER,
        }
    }

    /// What is asked with parentheses.
    pub(super) fn functions(self) -> &'static [(&'static str, Field, Kind)] {
        use Kind::{Decimal, Number};
        match self {
            Noun::Service => &[
                ("requests", Field::Requests, Number),
                ("errors", Field::Errors, Number),
                ("rate", Field::Rate, Decimal),
                ("success_ratio", Field::SuccessRatio, Decimal),
                ("mean_ms", Field::MeanMs, Decimal),
                ("p50_ms", Field::QuantileMs(50), Decimal),
                ("p95_ms", Field::QuantileMs(95), Decimal),
                ("p99_ms", Field::QuantileMs(99), Decimal),
            ],
            _ => &[],
        }
    }

    /// Everything that can be asked, for messages.
    pub(super) fn all_names(self) -> String {
        let fields = self.fields().iter().map(|(name, ..)| (*name).to_owned());
        let functions = self.functions().iter().map(|(name, ..)| format!("{name}()"));
        fields.chain(functions).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn nearest_name(self, given: &str) -> Option<&'static str> {
        let names: Vec<&'static str> =
            self.fields().iter().chain(self.functions()).map(|(name, ..)| *name).collect();
        nearest(given, &names)
    }
}

/// What is asked of something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Field {
    Exists,
    Desired,
    Replicas,
    Updated,
    Ready,
    Available,
    Unavailable,
    Misscheduled,
    Terminating,
    Paused,
    Converged,
    Endpoints,
    Schedulable,
    Zone,
    Taints,
    Pods,
    CpuRequested,
    CpuAllocatable,
    MemoryRequested,
    MemoryAllocatable,
    Pending,
    Running,
    Succeeded,
    Failed,
    Unschedulable,
    Restarts,
    MaxRestarts,
    Nodes,
    Zones,
    NodesReady,
    Phase,
    Node,
    Active,
    Suspended,
    Complete,
    HasFailed,
    /// Why a Job ended, or is to; why an autoscaler is active, or not.
    Reason,
    CompletedIndexes,
    FailedIndexes,
    /// In whole seconds from the start of the run.
    LastSchedule,
    Min,
    Max,
    AbleToScale,
    ScalingActive,
    ScalingLimited,
    /// In percent of what was asked for.
    CpuUtilization,
    /// In whole seconds from the start of the run.
    LastScale,
    Mode,
    Provided,
    Matched,
    Supported,
    /// In cores.
    Cpu(Amount),
    /// In bytes.
    Memory(Amount),
    Requests,
    Errors,
    Rate,
    SuccessRatio,
    MeanMs,
    /// Percent.
    QuantileMs(u8),
}

/// Which of the amounts that are recommended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Amount {
    Target,
    Lower,
    Upper,
    Uncapped,
}

/// The type of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Flag,
    Number,
    Decimal,
    Word,
    Words,
}

impl Kind {
    pub(super) fn of_value(self) -> Type {
        match self {
            Kind::Flag => Type::Bool,
            Kind::Number => Type::Int,
            Kind::Decimal => Type::Double,
            Kind::Word => Type::Text,
            Kind::Words => Type::list(Type::Text),
        }
    }
}

/// What a condition looks at.
#[derive(Clone, PartialEq, Debug)]
pub enum Subject {
    /// One object; nodes have no namespace.
    Object {
        /// Its kind.
        noun: Noun,
        /// Its namespace.
        namespace: Text,
        /// Its name.
        name: Text,
    },
    /// All pods that match.
    Pods {
        /// Of one namespace, or of all.
        namespace: Option<Text>,
        /// The selector.
        query: LabelQuery,
    },
    /// All of it.
    Cluster,
}

impl Subject {
    pub(super) fn noun(&self) -> Noun {
        match self {
            Subject::Object { noun, .. } => *noun,
            Subject::Pods { .. } => Noun::Pods,
            Subject::Cluster => Noun::Cluster,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Object { noun: Noun::Node, name, .. } => write!(f, "node('{name}')"),
            Subject::Object { noun, namespace, name } => {
                write!(f, "{}('{namespace}/{name}')", noun.word())
            }
            Subject::Pods { namespace: Some(namespace), query } => {
                write!(f, "pods('{namespace}', '{query}')")
            }
            Subject::Pods { namespace: None, query } => write!(f, "pods('{query}')"),
            Subject::Cluster => f.write_str("cluster"),
        }
    }
}

/// One value a condition looks at.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Reading {
    pub subject: Subject,
    pub field: Field,
    /// The span looked back over, for what is asked of requests; none: since the start.
    pub span: Option<SimDuration>,
    /// As it is written, for details.
    pub text: Text,
}
