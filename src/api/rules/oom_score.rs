//! How willingly the kernel kills a container's processes when memory runs out (kubelet 1.36
//! `pkg/kubelet/qos/policy.go`, and the kernel's own `oom_badness`).

use crate::api::pod::Qos;

/// Of what must not be killed while anything else can.
pub const GUARANTEED: i64 = -997;
/// Of what goes first.
pub const BEST_EFFORT: i64 = 1000;
/// The priority from which a pod is critical (`SystemCriticalPriority`).
pub const CRITICAL_PRIORITY: i32 = 2_000_000_000;
/// The class of pods a node cannot do without.
const NODE_CRITICAL: &str = "system-node-critical";

/// What of a pod decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OomPod<'a> {
    /// Its quality of service.
    pub qos: Qos,
    /// Its priority.
    pub priority: i32,
    /// `priorityClassName`.
    pub priority_class: &'a str,
    /// Bytes of memory that the pod as a whole asks for (`spec.resources`), if it does.
    pub asked: Option<i64>,
    /// Its containers and sidecars: bytes of memory each asks for.
    pub containers: &'a [OomContainer],
}

/// A container or sidecar of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OomContainer {
    /// Bytes of memory it asks for.
    pub asked: i64,
    /// Whether it runs beside the others, to its own end, or is one of the pod's containers.
    pub part: OomPart,
}

/// What a container is to its pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OomPart {
    /// One of its containers.
    Main,
    /// A sidecar.
    Sidecar,
    /// An init container that ends.
    Init,
}

/// The `oom_score_adj` of the container at this place, on a node of so many bytes.
pub fn oom_score_adj(pod: &OomPod<'_>, at: usize, capacity: i64) -> i64 {
    if pod.priority >= CRITICAL_PRIORITY && pod.priority_class == NODE_CRITICAL {
        return GUARANTEED;
    }
    match pod.qos {
        Qos::Guaranteed => return GUARANTEED,
        Qos::BestEffort => return BEST_EFFORT,
        Qos::Burstable => {}
    }
    let Some(container) = pod.containers.get(at) else { return BEST_EFFORT - 1 };
    let rest = rest_each(pod);
    let capacity = i128::from(capacity.max(1));
    let score = |asked: i64| 1000 - 1000 * (i128::from(asked) + i128::from(rest)) / capacity;
    let mut score_of_it = score(container.asked);
    if container.part == OomPart::Sidecar {
        let mains = pod.containers.iter().filter(|one| one.part == OomPart::Main);
        score_of_it = score_of_it.min(score(mains.map(|one| one.asked).min().unwrap_or(0)));
    }
    score_of_it.clamp(i128::from(1000 + GUARANTEED), i128::from(BEST_EFFORT - 1)) as i64
}

/// What the pod asks for beyond its containers, spread over them.
fn rest_each(pod: &OomPod<'_>) -> i64 {
    let Some(asked) = pod.asked else { return 0 };
    let lasting = pod.containers.iter().filter(|one| one.part != OomPart::Init);
    let (count, sum) = lasting.fold((0, 0), |(count, sum), one| (count + 1, sum + one.asked));
    if count == 0 { 0 } else { (asked - sum) / count }
}

/// The kernel's measure of who is killed, the largest first: the pages it holds, and its
/// `oom_score_adj` in thousandths of the machine's pages. `None`: it is never killed.
pub fn badness(memory: u64, adj: i64, capacity: u64) -> Option<i128> {
    const PAGE: u64 = 4096;
    (adj > -1000)
        .then(|| i128::from(memory / PAGE) + i128::from(adj) * i128::from(capacity / PAGE / 1000))
}
