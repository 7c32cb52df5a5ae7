//! Requests to the API server, and what comes back.

use std::sync::Arc;

use crate::api::kind::Kind;
use crate::api::meta::{RawId, Uid};
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::{Pod, PodStatus, StatusReason};
use crate::api::status::Status;
use crate::base::id::Id;
use crate::store::Rev;

/// A client of the API server: one rate limit, one place, one owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u32);

/// A request on its way.
#[derive(Clone, PartialEq, Debug)]
pub struct Request {
    /// Whose it is.
    pub client: ClientId,
    /// What its owner knows it by; comes back with the reply.
    pub tag: u64,
    /// What is asked.
    pub call: Call,
}

/// What a request asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Call {
    /// Read an object as it is now, past every cache; what is asked is whether it is there.
    Get {
        /// Its kind.
        kind: Kind,
        /// The object.
        id: RawId,
    },
    /// Store a new object. A name that ends in `-` is a `generateName`: the server adds the suffix.
    Create(Object),
    /// Replace an object's main or status part. With `base`, only if that is still its revision.
    Update {
        /// The object.
        id: RawId,
        /// Its next state; the part not asked for is ignored.
        object: Object,
        /// The revision the change was worked out from; `None`: last write wins.
        base: Option<Rev>,
        /// Which part.
        part: Part,
    },
    /// A kubelet's patch of a pod's status.
    PodStatus {
        /// The pod.
        pod: Id<Pod>,
        /// Its uid, as a precondition.
        uid: Uid,
        /// The status.
        status: Box<PodStatus>,
    },
    /// A patch of a pod's condition DisruptionTarget: it was picked to be evicted.
    Disrupt {
        /// The pod.
        pod: Id<Pod>,
        /// Its uid, as a precondition.
        uid: Uid,
        /// The condition's reason and message.
        why: Arc<StatusReason>,
    },
    /// A patch of a pod's status: it has failed.
    Fail {
        /// The pod.
        pod: Id<Pod>,
        /// Its uid, as a precondition.
        uid: Uid,
        /// Reason and message of its condition DisruptionTarget, if it gets one.
        why: Option<Arc<StatusReason>>,
    },
    /// A patch of an object's metadata.
    Patch {
        /// Its kind.
        kind: Kind,
        /// The object.
        id: RawId,
        /// Its uid, as a precondition.
        uid: Uid,
        /// What changes.
        patch: MetaPatch,
    },
    /// Delete an object whose owners are gone or want it gone.
    Collect {
        /// Its kind.
        kind: Kind,
        /// The object.
        id: RawId,
        /// What it was judged by, and what becomes of its own dependents.
        by: Judged,
    },
    /// Set how many replicas a workload is to have (its `scale` subresource).
    Scale {
        /// Its kind.
        kind: Kind,
        /// The workload.
        id: RawId,
        /// Its uid, as a precondition.
        uid: Uid,
        /// How many.
        replicas: i32,
    },
    /// Evict a pod (`pods/eviction`): delete it, if its PodDisruptionBudget allows.
    Evict {
        /// The pod.
        pod: Id<Pod>,
    },
    /// Bind a pod to a node.
    Bind {
        /// The pod.
        pod: Id<Pod>,
        /// The node.
        node: Id<Node>,
    },
    /// Delete an object.
    Delete {
        /// Its kind.
        kind: Kind,
        /// The object.
        id: RawId,
        /// Only if it has this uid.
        uid: Option<Uid>,
        /// Seconds to end in; `None`: as the object says. Only pods end gracefully.
        grace_seconds: Option<u32>,
        /// What becomes of its dependents.
        propagation: Propagation,
    },
    /// Record a core Event: what it costs its client. What Events say goes another way
    /// ([`Effects::say`](super::Effects::say)) and changes nothing.
    /// Like any other request it is answered: the sender has one on its way at a time.
    Event,
}

/// A patch of an object's metadata.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetaPatch {
    /// It loses the owners with these uids.
    DropOwners(Arc<[Uid]>),
    /// None of its owners waits for it any more.
    Unblock,
    /// It loses a finalizer.
    DropFinalizer(Text),
    /// A namespace loses a finalizer of its spec (its subresource `finalize`).
    Finalize(Text),
    /// It gets a finalizer, unless it is being deleted.
    AddFinalizer(Text),
    /// It gets an annotation: its key and value.
    Annotate(Box<(Text, Text)>),
}

/// What the garbage collector knows of an object that is to go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Judged {
    /// Its uid.
    pub uid: Uid,
    /// Its owners ([`crate::api::meta::Meta::owners_hash`]).
    pub owners: u64,
    /// What becomes of its own dependents.
    pub propagation: Propagation,
}

/// Which part of an object a write is for: status is a resource of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Everything but the status.
    Main,
    /// The status alone.
    Status,
    /// What the containers of a pod may take (its subresource `resize`).
    Resize,
}

/// What becomes of the dependents of a deleted object.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Propagation {
    /// The garbage collector deletes them afterwards.
    #[default]
    Background,
    /// They go first.
    Foreground,
    /// They stay, without owner.
    Orphan,
    /// As the object's finalizers say, else as is the custom of its kind.
    Custom,
}

/// What a request brought about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Done {
    /// The object written.
    pub id: RawId,
    /// The revision it has now; [`Rev::ZERO`] if it is gone or was no object.
    pub rev: Rev,
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Reply {
    /// The client that asked.
    pub client: ClientId,
    /// The tag of the request.
    pub tag: u64,
    /// What was done, or why not.
    pub result: Result<Done, Status>,
}

impl<T> From<Id<T>> for RawId {
    fn from(id: Id<T>) -> RawId {
        RawId { slot: id.slot() as u32, generation: id.generation() }
    }
}

impl RawId {
    /// The id in the table of `T`; the caller knows the kind.
    pub fn typed<T>(self) -> Id<T> {
        Id::from_parts(self.slot, self.generation)
    }
}
