//! The `scale` subresource: how many replicas a workload is to have, and nothing else of it.

use super::{Server, not_found};
use crate::api::edit::edited;
use crate::api::kind::Kind;
use crate::api::meta::{RawId, Uid};
use crate::api::object::Object;
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::validation::gates::Gates;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::messages::{Done, Part};

impl<T> Server<'_, T> {
    /// Sets how many replicas a workload is to have.
    pub(super) fn scale(
        &mut self,
        kind: Kind,
        id: RawId,
        uid: Uid,
        replicas: i32,
    ) -> Result<Done, Status> {
        let found = match kind {
            Kind::Deployment => self.store.get::<Deployment>(id.typed()).map(|held| {
                let next = Deployment { replicas, ..held.clone() };
                Object::Deployment(Box::new(next))
            }),
            Kind::ReplicaSet | Kind::ReplicationController => {
                self.store.get::<ReplicaSet>(id.typed()).map(|held| {
                    let next = ReplicaSet { replicas, ..held.clone() };
                    Object::ReplicaSet(Box::new(next))
                })
            }
            Kind::StatefulSet => match self.store.get::<StatefulSet>(id.typed()) {
                Some(held) => {
                    let held = Object::StatefulSet(Box::new(held.clone()));
                    // What hangs on a gate is there already, and let through.
                    let gates = Gates::default();
                    let next =
                        edited(&held, gates, |json| json["spec"]["replicas"] = replicas.into());
                    Some(next.map_err(|why| Status::Invalid(held.name(), why.into()))?)
                }
                None => None,
            },
            _ => None,
        };
        let Some(object) = found.filter(|object| object.meta().uid == uid) else {
            return Err(not_found(kind, None));
        };
        self.update(id, object, None, Part::Main)
    }
}
