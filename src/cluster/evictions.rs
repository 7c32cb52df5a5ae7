//! Evictions as `kubectl drain` asks for them: one request for each pod of a node, all at once, each
//! by itself until its pod goes (kubectl 1.36 pkg/drain).
//!
//! ```text
//! asked ─▶ granted, or the pod is gone: done
//!   ▲ ├─▶ 429, or no answer ─ 5 s ─┐
//!   │ └─▶ refused otherwise: told  │
//!   └──────────────────────────────┘
//! ```

use std::collections::BTreeMap;

use super::World;
use super::clients::after;
use super::errands::Task;
use super::event::Event;
use super::requests::Sink;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::rules::static_pods::is_mirror;
use crate::api::status::Status;
use crate::base::id::Id;
use crate::messages::{Call, Component, Fact, Reply, Request, Verb};
use crate::time::SimDuration;

/// After which a refused eviction is asked for again.
const RETRY: SimDuration = SimDuration::from_secs(5);

/// Evictions under way, by the tag of their requests; 0 is none's.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    of: BTreeMap<u32, Eviction>,
    last: u32,
}

#[derive(Clone, Debug)]
struct Eviction {
    pod: Id<Pod>,
    task: Task,
}

impl Evictions {
    /// Whether all pods asked for are on their way out.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }
}

impl World {
    /// Whether the user has been answered all he asked.
    pub(super) fn is_asked(&self) -> bool {
        self.errands.is_done() && self.evictions.is_empty()
    }

    /// What `kubectl drain --ignore-daemonsets --force` evicts of a node: all pods but those of
    /// DaemonSets and mirror pods.
    pub(super) fn drain(&mut self, task: &Task, node: Id<Node>) {
        let bound: Vec<Id<Pod>> = self.store.indexes().pods_on(node).to_vec();
        for pod in bound {
            let Some(held) = self.store.get(pod) else { continue };
            let is_daemon = held.meta.owner.is_some_and(|owner| owner.kind == Kind::DaemonSet);
            if is_mirror(&held.meta) || is_daemon || held.meta.is_terminating() {
                continue;
            }
            let object = ObjectName::of(Kind::Pod, &held.meta);
            let evictions = &mut self.evictions;
            evictions.last += 1;
            let tag = evictions.last;
            let mut task = task.clone();
            task.object = object;
            evictions.of.insert(tag, Eviction { pod, task });
            self.ask_eviction(tag);
        }
        self.observed.doubt();
    }

    /// Asks for eviction number `tag`, for the first time or again.
    pub(super) fn ask_eviction(&mut self, tag: u32) {
        let Some(eviction) = self.evictions.of.get(&tag) else { return };
        let call = Call::Evict { pod: eviction.pod };
        let request = Request { client: self.user, tag: u64::from(tag), call };
        self.send(eviction.task.cause, request);
    }

    /// The API server answered one of them.
    pub(super) fn eviction_reply(&mut self, cause: u64, reply: &Reply, sink: Sink<'_>) {
        let Ok(tag) = u32::try_from(reply.tag) else { return };
        let Some(mut eviction) = self.evictions.of.remove(&tag) else { return };
        match &reply.result {
            Ok(_) | Err(Status::NotFound(_)) => {}
            Err(status) if status.is_transient() || status.code() == 429 => {
                let object = eviction.task.object.clone();
                let why = format!(
                    "error when evicting pods/\"{}\" -n \"{}\" (will retry after 5s): {status}",
                    object.name, object.namespace
                );
                let fact = Fact::new(Component::User, Verb::Refused, object).saying(why);
                eviction.task.cause = self.kernel.record(cause, &fact, sink);
                self.kernel.schedule(
                    after(self.kernel.now(), RETRY),
                    eviction.task.cause,
                    Event::Evict(tag),
                );
                self.evictions.of.insert(tag, eviction);
            }
            Err(status) => {
                eviction.task.cause = cause;
                self.refuse(eviction.task, status.clone(), sink);
            }
        }
        if self.evictions.is_empty() {
            self.observed.doubt();
        }
    }
}
