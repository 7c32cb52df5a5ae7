//! The metrics APIs of a cluster: what pods use (`metrics.k8s.io`) and whatever else is measured
//! (`custom.metrics.k8s.io`, `external.metrics.k8s.io`). No objects: what they answer is worked out when
//! somebody asks.

use smallvec::SmallVec;

use crate::api::autoscaling::{MetricName, ObjectRef};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

/// What a container uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContainerSample {
    /// Which, counted through init containers and then containers of the spec.
    pub container: u16,
    /// Nano-cores, on average over the window.
    pub cpu: u64,
    /// Bytes of its working set, at the end of it.
    pub memory: u64,
}

/// What a pod uses, as it was measured last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodSample {
    /// When.
    pub at: SimTime,
    /// Over how long.
    pub window: SimDuration,
    /// Its containers that run.
    pub containers: SmallVec<[ContainerSample; 2]>,
    /// Up to when whoever asks is told the same amounts, as things stand; [`SimTime::MAX`]: for ever.
    pub holds_until: SimTime,
}

/// A pod, and where it runs, as somebody saw it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound {
    /// Which.
    pub pod: Id<Pod>,
    /// Its node, once it is bound: it never has another.
    pub node: Option<Id<Node>>,
    /// How many containers its spec has, init containers included: never more nor fewer.
    pub containers: u16,
}

impl Bound {
    /// Where a pod runs.
    pub fn of(id: Id<Pod>, pod: &Pod) -> Bound {
        let count = pod.spec.init_containers.len() + pod.spec.containers.len();
        Bound { pod: id, node: pod.node, containers: u16::try_from(count).unwrap_or(u16::MAX) }
    }
}

/// A figure, in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figure {
    /// How much.
    pub value: i64,
    /// Up to when whoever asks is told the same, as things stand; [`SimTime::MAX`]: for ever.
    pub holds_until: SimTime,
}

/// Why there is no figure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Absent {
    /// Nobody serves such metrics at all.
    NoServer,
    /// There is a server, and it does not know this one.
    NoMetric,
}

/// What the metrics APIs answer.
pub trait MetricsApi {
    /// What a pod uses at `now`; nothing if it is not known, or not yet.
    ///
    /// # Errors
    /// Nobody serves such metrics.
    fn usage(&self, pod: Id<Pod>, now: SimTime) -> Result<Option<PodSample>, Absent>;

    /// The same of a pod of which more is known.
    ///
    /// # Errors
    /// Nobody serves such metrics.
    fn usage_of(&self, of: Bound, now: SimTime) -> Result<Option<PodSample>, Absent> {
        self.usage(of.pod, now)
    }

    /// What these pods use is asked for next: so much of it as can be fetched ahead may be. Answers are the
    /// same without it.
    fn look_ahead(&self, _pods: &[Bound]) {}

    /// A figure of a pod, which is one of those selected with it.
    ///
    /// # Errors
    /// Nobody serves such metrics.
    fn of_pod(
        &self,
        metric: &MetricName,
        pod: Id<Pod>,
        now: SimTime,
    ) -> Result<Option<Figure>, Absent>;

    /// A figure of an object of `namespace`.
    ///
    /// # Errors
    /// There is none.
    fn of_object(
        &self,
        metric: &MetricName,
        namespace: &str,
        object: &ObjectRef,
        now: SimTime,
    ) -> Result<Figure, Absent>;

    /// All series of a figure from outside.
    ///
    /// # Errors
    /// Nobody serves such metrics.
    fn external(
        &self,
        metric: &MetricName,
        namespace: &str,
        now: SimTime,
    ) -> Result<Vec<Figure>, Absent>;
}
