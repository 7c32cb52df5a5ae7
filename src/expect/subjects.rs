//! What conditions look at, as it stands: each subject is told what changed and answers for its fields.

use std::collections::BTreeMap;

use super::tally::Tally;
use super::vocabulary::{Amount, Field, Noun, Subject};
use crate::api::autoscaling::{HorizontalPodAutoscaler, HpaConditionKind, MetricSpec};
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::job::{Activity, Job, JobConditionKind};
use crate::api::meta::RawId;
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::node::{Node, Schedulability};
use crate::api::pod::{Phase, Pod};
use crate::api::rules::selector::{Operator, Requirement};
use crate::api::selector_text::{self, LabelQuery};
use crate::api::service::{EndpointSlice, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::vertical::status::{self, Said};
use crate::api::vertical::{Amounts, Recommended, Vertical, is_vertical};
use crate::api::workload::{Deployment, ReplicaSet, Rollout, SetKind};
use crate::base::id::Id;
use crate::messages::cloud::GROUP_LABEL;
use crate::store::{Store, Stored, TableKind};

/// A value a condition can look at.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Scalar {
    Flag(bool),
    Number(i64),
    Decimal(f64),
    Word(Text),
    Words(Vec<Text>),
}

impl From<&Scalar> for cel::Value {
    fn from(scalar: &Scalar) -> cel::Value {
        let text = |text: &Text| cel::Value::from(&**text);
        match scalar {
            Scalar::Flag(flag) => cel::Value::Bool(*flag),
            Scalar::Number(number) => cel::Value::Int(*number),
            Scalar::Decimal(number) => cel::Value::Float(*number),
            Scalar::Word(word) => text(word),
            Scalar::Words(words) => {
                cel::Value::List(words.iter().map(text).collect::<Vec<_>>().into())
            }
        }
    }
}

/// One subject, followed through a run.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    subject: Subject,
    /// The object while it is there.
    id: Option<RawId>,
    /// What its pods must have, if it is a set of pods by selector.
    requirements: Vec<Requirement>,
    tally: Tally,
    /// Ready endpoints by slice.
    slices: BTreeMap<Id<EndpointSlice>, i64>,
    /// Whether each node is ready.
    nodes: BTreeMap<Id<Node>, bool>,
    nodes_ready: i64,
}

impl Watched {
    pub(super) fn new(subject: Subject) -> Watched {
        let requirements = match &subject {
            Subject::Pods { query, .. } => requirements(query),
            _ => Vec::new(),
        };
        Watched {
            subject,
            id: None,
            requirements,
            tally: Tally::default(),
            slices: BTreeMap::new(),
            nodes: BTreeMap::new(),
            nodes_ready: 0,
        }
    }

    pub(super) fn subject(&self) -> &Subject {
        &self.subject
    }

    /// An object was written or is gone; returns whether any field may have another value now.
    pub(super) fn note(&mut self, store: &Store, table: TableKind, id: RawId) -> bool {
        match (self.subject.noun(), table) {
            (Noun::Deployment, TableKind::Deployment) => self.follow::<Deployment>(store, id),
            (Noun::ReplicaSet, TableKind::ReplicaSet) => {
                self.follow_set(store, id, SetKind::ReplicaSet)
            }
            (Noun::ReplicationController, TableKind::ReplicaSet) => {
                self.follow_set(store, id, SetKind::ReplicationController)
            }
            (Noun::StatefulSet, TableKind::StatefulSet) => self.follow::<StatefulSet>(store, id),
            (Noun::DaemonSet, TableKind::DaemonSet) => self.follow::<DaemonSet>(store, id),
            (Noun::Job, TableKind::Job) => self.follow::<Job>(store, id),
            (Noun::CronJob, TableKind::CronJob) => self.follow::<CronJob>(store, id),
            (Noun::Autoscaler, TableKind::HorizontalPodAutoscaler) => {
                self.follow::<HorizontalPodAutoscaler>(store, id)
            }
            (Noun::Vertical, TableKind::Other) => {
                let now = store.get::<Other>(id.typed());
                now.is_none_or(is_vertical) && self.follow::<Other>(store, id)
            }
            (Noun::Service, TableKind::Service) => {
                let before = self.id;
                let is_mine = self.follow::<Service>(store, id);
                if self.id != before {
                    self.slices.clear();
                    store.table::<EndpointSlice>().iter().for_each(|(id, _)| {
                        self.slice(store, id);
                    });
                }
                is_mine
            }
            (Noun::Service, TableKind::EndpointSlice) => self.slice(store, id.typed()),
            (Noun::Node, TableKind::Node) => {
                let before = self.id;
                let is_mine = self.follow::<Node>(store, id);
                if self.id != before {
                    self.tally = Tally::default();
                    store.table::<Pod>().iter().for_each(|(id, _)| {
                        self.pod(store, id);
                    });
                }
                is_mine
            }
            (Noun::Node | Noun::Pods | Noun::Cluster, TableKind::Pod) => {
                self.pod(store, id.typed())
            }
            (Noun::Pod, TableKind::Pod) => self.follow::<Pod>(store, id),
            (Noun::Cluster | Noun::NodeGroup, TableKind::Node) => self.node(store, id.typed()),
            _ => false,
        }
    }

    /// Whether the object is the one named, there or just gone.
    fn follow<T: Stored>(&mut self, store: &Store, id: RawId) -> bool {
        let now = store.get::<T>(id.typed());
        if self.id == Some(id) {
            if now.is_none() {
                self.id = None;
            }
            return true;
        }
        let Subject::Object { namespace, name, .. } = &self.subject else { return false };
        let is_mine =
            now.is_some_and(|it| it.meta().name == **name && it.meta().namespace == *namespace);
        if is_mine {
            self.id = Some(id);
        }
        is_mine
    }

    fn follow_set(&mut self, store: &Store, id: RawId, kind: SetKind) -> bool {
        let now = store.get::<ReplicaSet>(id.typed());
        now.is_none_or(|set| set.kind == kind) && self.follow::<ReplicaSet>(store, id)
    }

    fn slice(&mut self, store: &Store, id: Id<EndpointSlice>) -> bool {
        let mine = store.get(id).filter(|slice| {
            let owner = slice.meta.owner.filter(|owner| Some(owner.at) == self.id);
            let service = owner.and_then(|owner| store.get::<Service>(owner.at.typed()));
            // A pod with addresses of two families is one endpoint.
            owner.is_some()
                && service.is_none_or(|service| service.families.primary() == slice.family)
        });
        let ready = mine
            .map(|slice| slice.endpoints.iter().filter(|it| it.conditions.ready).count() as i64);
        match ready {
            Some(ready) => self.slices.insert(id, ready) != Some(ready),
            None => self.slices.remove(&id).is_some(),
        }
    }

    fn pod(&mut self, store: &Store, id: Id<Pod>) -> bool {
        let pod = store.get(id).filter(|pod| match &self.subject {
            Subject::Cluster => true,
            Subject::Object { .. } => pod.node.is_some_and(|node| self.id == Some(node.into())),
            Subject::Pods { namespace, .. } => {
                namespace.as_ref().is_none_or(|it| *it == pod.meta.namespace)
                    && self.requirements.iter().all(|it| it.matches(&pod.meta.labels))
            }
        });
        self.tally.put(id, pod)
    }

    fn node(&mut self, store: &Store, id: Id<Node>) -> bool {
        let is_counted = |node: &&Node| match &self.subject {
            Subject::Object { name, .. } => node.meta.labels.get(GROUP_LABEL) == Some(name),
            _ => true,
        };
        let new = store.get(id).filter(is_counted).map(Node::is_ready);
        let old = match new {
            Some(is_ready) => self.nodes.insert(id, is_ready),
            None => self.nodes.remove(&id),
        };
        self.nodes_ready += i64::from(new == Some(true)) - i64::from(old == Some(true));
        old != new
    }

    /// The value of a field now; nothing if it has none.
    pub(super) fn read(&self, store: &Store, field: Field) -> Option<Scalar> {
        if field == Field::Exists {
            return Some(Scalar::Flag(self.id.is_some()));
        }
        match self.subject.noun() {
            Noun::Deployment => deployment(store.get(self.id?.typed())?, field),
            Noun::Job => job(store.get(self.id?.typed())?, field),
            Noun::CronJob => cron_job(store.get(self.id?.typed())?, field),
            Noun::Autoscaler => autoscaler(store.get(self.id?.typed())?, field),
            Noun::Vertical => vertical(store.get(self.id?.typed())?, field),
            Noun::ReplicaSet | Noun::ReplicationController => {
                replica_set(store.get(self.id?.typed())?, field)
            }
            Noun::StatefulSet => stateful_set(store.get(self.id?.typed())?, field),
            Noun::DaemonSet => daemon_set(store.get(self.id?.typed())?, field),
            Noun::Service => match field {
                Field::Endpoints if self.id.is_some() => {
                    Some(Scalar::Number(self.slices.values().sum()))
                }
                _ => None,
            },
            Noun::Node => self.of_node(store.get(self.id?.typed())?, field),
            Noun::Pod => of_pod(store, store.get(self.id?.typed())?, field),
            Noun::NodeGroup => match field {
                Field::Nodes => Some(Scalar::Number(self.nodes.len() as i64)),
                Field::NodesReady => Some(Scalar::Number(self.nodes_ready)),
                _ => None,
            },
            Noun::Pods | Noun::Cluster => self.of_pods(store, field),
        }
    }

    fn of_node(&self, node: &Node, field: Field) -> Option<Scalar> {
        let cores = |milli: i64| Scalar::Decimal(milli as f64 / 1000.0);
        Some(match field {
            Field::Ready => Scalar::Flag(node.is_ready()),
            Field::Schedulable => Scalar::Flag(node.schedulability == Schedulability::Open),
            Field::Zone => Scalar::Word(node.zone().into()),
            Field::Taints => Scalar::Words(
                node.taints
                    .iter()
                    .map(|taint| match &*taint.value {
                        "" => format!("{}:{}", taint.key, taint.effect.name()).into(),
                        value => format!("{}={value}:{}", taint.key, taint.effect.name()).into(),
                    })
                    .collect(),
            ),
            Field::Pods => Scalar::Number(self.tally.unfinished()),
            Field::CpuRequested => cores(self.tally.cpu_milli),
            Field::CpuAllocatable => cores(node.allocatable.cpu_milli),
            Field::MemoryRequested => Scalar::Number(self.tally.memory),
            Field::MemoryAllocatable => Scalar::Number(node.allocatable.memory),
            _ => return None,
        })
    }

    fn of_pods(&self, store: &Store, field: Field) -> Option<Scalar> {
        let tally = &self.tally;
        let is_cluster = self.subject == Subject::Cluster;
        let number = match field {
            Field::Pods => tally.count(),
            Field::Pending => tally.phase(Phase::Pending),
            Field::Running => tally.phase(Phase::Running),
            Field::Succeeded => tally.phase(Phase::Succeeded),
            Field::Failed => tally.phase(Phase::Failed),
            Field::Ready => tally.ready,
            Field::Unschedulable => tally.unschedulable,
            Field::Terminating => tally.terminating,
            Field::Restarts => tally.restarts,
            Field::MaxRestarts => tally.max_restarts()?,
            Field::Nodes if is_cluster => self.nodes.len() as i64,
            Field::Nodes => tally.nodes().len() as i64,
            Field::NodesReady => self.nodes_ready,
            Field::Zones => {
                let nodes = tally.nodes().filter_map(|id| store.get(id));
                let mut zones: Vec<&str> = nodes.map(Node::zone).collect();
                zones.sort_unstable();
                zones.dedup();
                zones.len() as i64
            }
            _ => return None,
        };
        Some(Scalar::Number(number))
    }
}

fn deployment(it: &Deployment, field: Field) -> Option<Scalar> {
    let status = &it.status;
    let number = |number: i32| Scalar::Number(number.into());
    Some(match field {
        Field::Desired => number(it.replicas),
        Field::Replicas => number(status.replicas),
        Field::Updated => number(status.updated),
        Field::Ready => number(status.ready),
        Field::Available => number(status.available),
        Field::Unavailable => number(status.unavailable),
        Field::Terminating => number(status.terminating.unwrap_or(0)),
        Field::Paused => Scalar::Flag(it.rollout == Rollout::Paused),
        Field::Converged => Scalar::Flag(
            status.observed_generation >= it.meta.generation
                && [status.replicas, status.updated, status.ready, status.available]
                    == [it.replicas; 4],
        ),
        _ => return None,
    })
}

fn replica_set(it: &ReplicaSet, field: Field) -> Option<Scalar> {
    let status = &it.status;
    let number = |number: i32| Scalar::Number(number.into());
    Some(match field {
        Field::Desired => number(it.replicas),
        Field::Replicas => number(status.replicas),
        Field::Ready => number(status.ready),
        Field::Available => number(status.available),
        Field::Terminating => number(status.terminating.unwrap_or(0)),
        Field::Converged => Scalar::Flag(
            status.observed_generation >= it.meta.generation
                && [status.replicas, status.ready, status.available] == [it.replicas; 3],
        ),
        _ => return None,
    })
}

fn stateful_set(it: &StatefulSet, field: Field) -> Option<Scalar> {
    let status = &it.status;
    let number = |number: i32| Scalar::Number(number.into());
    Some(match field {
        Field::Desired => number(it.replicas),
        Field::Replicas => number(status.replicas),
        Field::Updated => number(status.updated),
        Field::Ready => number(status.ready),
        Field::Available => number(status.available),
        Field::Converged => Scalar::Flag(it.is_rolled_out()),
        _ => return None,
    })
}

fn job(it: &Job, field: Field) -> Option<Scalar> {
    let (spec, status) = (&it.spec, &it.status);
    let number = |number: i32| Scalar::Number(number.into());
    Some(match field {
        Field::Desired => number(spec.completions.unwrap_or(spec.parallelism)),
        Field::Active => number(status.active),
        Field::Ready => number(status.ready.unwrap_or(0)),
        Field::Terminating => number(status.terminating.unwrap_or(0)),
        Field::Succeeded => number(status.succeeded),
        Field::Failed => number(status.failed),
        Field::Suspended => Scalar::Flag(it.is_suspended()),
        Field::Complete => Scalar::Flag(it.is_complete()),
        Field::HasFailed => Scalar::Flag(it.has_failed()),
        Field::Reason => {
            let ends = |kind| status.holding(kind);
            let interim = ends(JobConditionKind::SuccessCriteriaMet)
                .or_else(|| ends(JobConditionKind::FailureTarget));
            let why = status.end().or(interim);
            Scalar::Word(why.map_or_else(|| "".into(), |it| it.reason.clone()))
        }
        Field::CompletedIndexes => Scalar::Word(status.completed_indexes.clone()),
        Field::FailedIndexes => Scalar::Word(status.failed_indexes.clone().unwrap_or_default()),
        Field::Converged => {
            Scalar::Flag(it.is_finished() || (it.is_suspended() && status.active == 0))
        }
        _ => return None,
    })
}

fn daemon_set(it: &DaemonSet, field: Field) -> Option<Scalar> {
    let status = &it.status;
    let number = |number: i32| Scalar::Number(number.into());
    Some(match field {
        Field::Desired => number(status.desired),
        Field::Replicas => number(status.current),
        Field::Misscheduled => number(status.misscheduled),
        Field::Updated => number(status.updated),
        Field::Ready => number(status.ready),
        Field::Available => number(status.available),
        Field::Unavailable => number(status.unavailable),
        Field::Converged => Scalar::Flag(it.is_rolled_out()),
        _ => return None,
    })
}

fn autoscaler(it: &HorizontalPodAutoscaler, field: Field) -> Option<Scalar> {
    let status = &it.status;
    let number = |number: i32| Scalar::Number(number.into());
    let condition = |kind| status.condition(kind);
    let flag = |kind| Scalar::Flag(condition(kind).is_some_and(|one| one.value == Some(true)));
    let on_cpu = |metric: &MetricSpec| matches!(metric, MetricSpec::Resource { name, .. } if &**name == "cpu");
    Some(match field {
        Field::Min => number(it.spec.min_replicas),
        Field::Max => number(it.spec.max_replicas),
        Field::Replicas => number(status.current),
        Field::Desired => number(status.desired),
        Field::AbleToScale => flag(HpaConditionKind::AbleToScale),
        Field::ScalingActive => flag(HpaConditionKind::ScalingActive),
        Field::ScalingLimited => flag(HpaConditionKind::ScalingLimited),
        Field::Reason => {
            let reason = condition(HpaConditionKind::ScalingActive).map(|one| one.reason.clone());
            Scalar::Word(reason.unwrap_or_default())
        }
        Field::CpuUtilization => {
            let shown = status.metrics.of.iter().zip(status.metrics.values.iter());
            let mut of_cpu = shown.filter(|(metric, _)| on_cpu(metric));
            number(of_cpu.find_map(|(_, value)| (*value)?.utilization)?)
        }
        Field::LastScale => {
            let seconds = status.last_scale?.as_secs();
            Scalar::Number(i64::try_from(seconds).unwrap_or(i64::MAX))
        }
        _ => return None,
    })
}

fn vertical(it: &Other, field: Field) -> Option<Scalar> {
    let vertical = Vertical::of(it).ok()?;
    let is_said = |said| status::says(it, said);
    let sum = |which: Amount, of: fn(Amounts) -> Option<i64>| {
        let amount = |one: &Recommended| match which {
            Amount::Target => one.target,
            Amount::Lower => one.lower,
            Amount::Upper => one.upper,
            Amount::Uncapped => one.uncapped,
        };
        let all = vertical.recommended.iter().filter_map(|one| of(amount(one)));
        all.reduce(i64::saturating_add)
    };
    Some(match field {
        Field::Mode => Scalar::Word(vertical.mode.name().into()),
        Field::Provided => Scalar::Flag(is_said(Said::Provided)),
        Field::Matched => Scalar::Flag(!is_said(Said::NoPods)),
        Field::Supported => Scalar::Flag(!is_said(Said::Unsupported)),
        Field::Cpu(which) => Scalar::Decimal(sum(which, |it| it.cpu)? as f64 / 1000.0),
        Field::Memory(which) => Scalar::Number(sum(which, |it| it.memory)?),
        _ => return None,
    })
}

fn cron_job(it: &CronJob, field: Field) -> Option<Scalar> {
    Some(match field {
        Field::Active => Scalar::Number(it.status.active.len() as i64),
        Field::Suspended => Scalar::Flag(it.spec.activity == Activity::Suspended),
        Field::LastSchedule => Scalar::Number(it.status.last_schedule?.as_secs() as i64),
        _ => return None,
    })
}

fn of_pod(store: &Store, pod: &Pod, field: Field) -> Option<Scalar> {
    let node = || pod.node.and_then(|node| store.node_of_pods(node));
    Some(match field {
        Field::Phase => Scalar::Word(pod.status.phase.name().into()),
        Field::Node => Scalar::Word(node()?.meta.name.to_string().into()),
        Field::Zone => Scalar::Word(node()?.zone().into()),
        Field::Ready => Scalar::Flag(pod.is_ready()),
        Field::Terminating => Scalar::Flag(pod.meta.is_terminating()),
        Field::Restarts => Scalar::Number(pod.status.restarts().into()),
        _ => return None,
    })
}

/// A selector as pods' labels are held.
pub fn requirements(query: &LabelQuery) -> Vec<Requirement> {
    use selector_text::Operator as Written;
    let requirement = |it: &selector_text::Requirement| {
        let mut values: Vec<Text> = it.values().iter().map(|it| it.as_str().into()).collect();
        values.sort_unstable();
        let operator = match it.operator() {
            Written::Equals | Written::DoubleEquals | Written::In => Operator::In,
            Written::NotEquals | Written::NotIn => Operator::NotIn,
            Written::Exists => Operator::Exists,
            Written::DoesNotExist => Operator::DoesNotExist,
            Written::GreaterThan => Operator::Gt,
            Written::LessThan => Operator::Lt,
        };
        Requirement { key: it.key().into(), operator, values }
    };
    query.requirements().iter().map(requirement).collect()
}
