//! Facts: what happened, as a reader of the run sees it and as its digest counts it.

use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::api::meta::ObjectName;
use crate::api::name::{Name, Text};
use crate::base::hash::{StableHasher, hash_text};

/// Who brought a fact about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Component {
    /// Whoever runs the cluster: applies manifests, changes them, breaks things.
    User,
    /// An API server.
    ApiServer,
    /// A scheduler.
    Scheduler,
    /// The taint eviction controller.
    TaintEvictionController,
    /// The HorizontalPodAutoscaler controller.
    HorizontalPodAutoscaler,
    /// The VerticalPodAutoscaler.
    VerticalPodAutoscaler,
    /// A controller manager as a whole.
    ControllerManager,
    /// A kubelet.
    Kubelet,
    /// The network between places.
    Network,
    /// A client of a Service.
    Client,
    /// The cluster autoscaler.
    ClusterAutoscaler,
    /// Whoever lends machines.
    Cloud,
    /// A node's machine.
    Node,
}

impl Component {
    /// Its name in a timeline.
    pub fn name(self) -> &'static str {
        match self {
            Component::User => "user",
            Component::ApiServer => "apiserver",
            Component::Scheduler => "scheduler",
            Component::TaintEvictionController => "taint-eviction-controller",
            Component::HorizontalPodAutoscaler => "horizontal-pod-autoscaler",
            Component::VerticalPodAutoscaler => "vertical-pod-autoscaler",
            Component::ControllerManager => "controller-manager",
            Component::Kubelet => "kubelet",
            Component::Network => "network",
            Component::Client => "client",
            Component::ClusterAutoscaler => "cluster-autoscaler",
            Component::Cloud => "cloud",
            Component::Node => "node",
        }
    }
}

macro_rules! verbs {
    ($($verb:ident $name:literal $doc:literal),* $(,)?) => {
        /// What happened to an object.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Verb {
            $(#[doc = $doc] $verb,)*
        }

        impl Verb {
            /// All verbs, with their meaning.
            pub const ALL: &'static [(Verb, &'static str)] = &[$((Verb::$verb, $doc)),*];

            /// As written in a timeline.
            pub fn name(self) -> &'static str {
                match self {
                    $(Verb::$verb => $name,)*
                }
            }

            fn stable_hash(self) -> u64 {
                match self {
                    $(Verb::$verb => const { hash_text($name) },)*
                }
            }
        }
    };
}

verbs! {
    Created "created" "The object was stored.",
    Refused "refused" "The API server refused to store or change the object; the message says why.",
    Changed "changed" "The object's spec was changed; values, of Endpoints: ready, not_ready.",
    Bound "bound" "The pod was bound to a node.",
    Unschedulable "unschedulable" "No node fits the pod; the message is kube-scheduler's.",
    Nominated "nominated" "The pod was promised a node on which pods of lower priority make room; values: victims.",
    Preempted "preempted" "The pod has to make room for one of higher priority, which the message names; values: priority, by_priority.",
    Accepted "accepted" "The node's kubelet took the pod on.",
    Pulling "pulling" "An image is being fetched.",
    Pulled "pulled" "An image was fetched; values: bytes.",
    ImagesRemoved "images-removed" "A kubelet removed images that nobody used, because its disk was full or they were old; values: images, bytes.",
    PullFailed "pull-failed" "An image could not be fetched.",
    Started "started" "A container was started; values: container, restarts.",
    Exited "exited" "A container ended; values: container, exit_code.",
    ResizePending "resize-pending" "The pod is to be resized in place, and its node has no room for it; the message says which.",
    Resizing "resizing" "The node made room to resize the pod in place: its containers get what they may take now.",
    ResizeFailed "resize-failed" "A container could not be resized; it is tried again.",
    Resized "resized" "All containers of the pod have what they may take now.",
    Killing "killing" "A container is being ended; the message says why.",
    HookFailed "hook-failed" "A postStart or preStop hook of a container failed, or was cut off; values: container.",
    ProbeFailed "probe-failed" "A probe reached its failure threshold.",
    BackOff "back-off" "A container waits before it is started again; values: seconds.",
    Running "running" "The pod's phase became Running.",
    Ready "ready" "The pod became ready.",
    Unready "unready" "The pod is no longer ready.",
    Finished "finished" "The pod's phase became Succeeded or Failed; values: failed 0 or 1.",
    Deleting "deleting" "The object was marked for deletion; values: grace_seconds.",
    Deleted "deleted" "The object is gone.",
    Recommended "recommended" "An autoscaler asks for another size of its target; values: current, desired; the message says why, as its Event SuccessfulRescale does.",
    Advised "advised" "A VerticalPodAutoscaler recommends other requests for a container, which the message names; values: cpu_milli, memory (bytes).",
    Outgrown "outgrown" "The pod asks for something else than a VerticalPodAutoscaler recommends, and is to be evicted or resized; values: cpu_milli, memory (bytes) it asks for.",
    Scaled "scaled" "A workload's replica count was set; values: replicas.",
    Status "status" "A workload's status was written; values: its counts.",
    Available "available" "A Deployment reached its desired state.",
    Suspended "suspended" "A Job was suspended.",
    Resumed "resumed" "A Job goes on after it was suspended.",
    Completing "completing" "A Job has all it wants and waits for its pods to end (SuccessCriteriaMet); the message is reason and message of the condition.",
    Failing "failing" "A Job is to fail and waits for its pods to end (FailureTarget); the message is reason and message of the condition.",
    Completed "completed" "A Job is complete; the message is reason and message of the condition.",
    Failed "failed" "A Job failed; the message is reason and message of the condition.",
    Endpoints "endpoints" "An EndpointSlice was written; values: ready, total.",
    NodeUnknown "node-unknown" "Nothing was heard from the node for the grace period.",
    NodeReady "node-ready" "The node became ready.",
    NodeNotReady "node-not-ready" "The node says it is not ready.",
    Tainted "tainted" "The node got a taint.",
    Untainted "untainted" "The node lost a taint.",
    Evicted "evicted" "The pod was told to leave its node.",
    Leader "leader" "An instance began to lead.",
    LeaderLost "leader-lost" "An instance stopped leading.",
    Down "down" "A component, node or link stopped working.",
    Up "up" "A component, node or link works again.",
    Step "step" "A step of the timeline began; the message says what it does.",
    Healed "healed" "The fault that a step of the timeline brought about ended.",
    Missed "missed" "A step of the timeline found nothing to do its work on.",
    Requests "requests" "What became of a client's requests since its last such fact, at the end of a second; values: sent, ok, refused, reset, timeout, failed, in_flight, latency_us_sum (of ok).",
    Harmed "harmed" "A request ended the program it was in; the message says how and which.",
    Crowded "crowded" "Programs ask for more processor time than the node has, and requests there take longer; told again after a minute without it; values: asked_milli, cores_milli.",
    Booting "booting" "A machine was asked for and boots.",
    Returned "returned" "A machine was given back; values: seconds it was lent.",
    Removing "removing" "The cluster autoscaler begins to remove the node; values: pods that have to move.",
    NotHelped "not-helped" "No node group helps the pod; the message is the cluster autoscaler's.",
    ScaleUpFailed "scale-up-failed" "Machines of a node group did not come in time; values: missing, backoff_seconds.",
    RequestFailed "request-failed" "A request failed; the message says why. Up to ten for each client, kind of failure and pod.",
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that happened.
#[derive(Clone, PartialEq, Debug)]
pub struct Fact {
    /// Who brought it about.
    pub component: Component,
    /// What happened.
    pub verb: Verb,
    /// To what.
    pub object: ObjectName,
    /// On which node, if that matters.
    pub node: Option<Name>,
    /// The integers that belong to it; the digest counts them, in this order.
    pub values: SmallVec<[(&'static str, i64); 2]>,
    /// A sentence for people; the digest does not count it.
    pub message: Option<Text>,
    /// Counts of latencies by bucket of [`crate::base::histogram`], ascending; the digest counts them.
    pub buckets: Option<Arc<[(u16, u32)]>>,
}

impl Fact {
    /// A fact about `object`.
    pub fn new(component: Component, verb: Verb, object: ObjectName) -> Fact {
        Fact {
            component,
            verb,
            object,
            node: None,
            values: SmallVec::new(),
            message: None,
            buckets: None,
        }
    }

    /// The same, on `node`.
    pub fn on(mut self, node: &Name) -> Fact {
        self.node = Some(node.clone());
        self
    }

    /// The same, with one more integer.
    pub fn with(mut self, key: &'static str, value: i64) -> Fact {
        self.values.push((key, value));
        self
    }

    /// The same, with counts of latencies by bucket.
    pub fn counting(mut self, buckets: Arc<[(u16, u32)]>) -> Fact {
        self.buckets = Some(buckets).filter(|buckets| !buckets.is_empty());
        self
    }

    /// The same, with a sentence.
    pub fn saying(mut self, message: impl Into<Text>) -> Fact {
        self.message = Some(message.into());
        self
    }
}

impl crate::kernel::Fact for Fact {
    fn fold(&self, hasher: &mut StableHasher) {
        let of_object = hasher
            .word(self.verb.stable_hash())
            .text(self.object.kind.name())
            .text(&self.object.namespace);
        let of_name = self.object.name.fold(of_object);
        let of_node = match &self.node {
            Some(node) => node.fold(of_name),
            None => of_name.word(0),
        };
        let counted = of_node.word(self.values.len() as u64);
        let valued = self.values.iter().fold(counted, |hasher, (_, value)| hasher.signed(*value));
        let buckets = self.buckets.iter().flat_map(|buckets| buckets.iter());
        *hasher = buckets.fold(valued, |hasher, (bucket, count)| {
            hasher.word(u64::from(*bucket) << 32 | u64::from(*count))
        });
    }
}
