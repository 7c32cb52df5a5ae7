//! ResourceQuotas at admission: what is created, or grows, is charged to the quotas of its namespace
//! (admission plugin ResourceQuota, 1.36). What is given back is the quota controller's to count.

use std::sync::Arc;

use super::Server;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::object::Object;
use crate::api::pod::{Pod, PodSpec};
use crate::api::resource_quota::ResourceQuota;
use crate::api::rules::quota::admission::charge;
use crate::api::rules::quota::{Item, Life, PodAccount};
use crate::api::service::{Service, ServiceSpec};
use crate::api::status::Status;
use crate::api::storage::{ClaimSpec, PersistentVolumeClaim};
use crate::base::FastMap;
use crate::base::id::Id;

/// Accounts kept at most before those of specs nobody uses are let go.
const ACCOUNTS_MAX: usize = 4096;

/// Accounts of pods by the address of their spec: siblings share one.
#[derive(Clone, Debug, Default)]
pub(super) struct Accounts {
    of: FastMap<usize, (Arc<PodSpec>, Arc<PodAccount>)>,
    limit: usize,
}

impl Accounts {
    fn of(&mut self, spec: &Arc<PodSpec>) -> Arc<PodAccount> {
        let key = Arc::as_ptr(spec) as usize;
        if let Some((_, account)) = self.of.get(&key) {
            return account.clone();
        }
        if self.of.len() >= self.limit.max(ACCOUNTS_MAX) {
            self.of.retain(|_, (spec, _)| Arc::strong_count(spec) > 1);
            self.limit = 2 * self.of.len();
        }
        let account = Arc::new(PodAccount::of(spec));
        self.of.insert(key, (spec.clone(), account.clone()));
        account
    }
}

impl<T> Server<'_, T> {
    /// The quotas of a namespace, by name.
    fn quotas(&self, namespace: &str) -> Vec<(Id<ResourceQuota>, &ResourceQuota)> {
        let ids = self.store.indexes().quotas_in(namespace);
        let mut found: Vec<_> =
            ids.iter().filter_map(|&id| Some((id, self.store.get(id)?))).collect();
        found.sort_by(|(_, a), (_, b)| a.meta.name.cmp(&b.meta.name));
        found
    }

    fn has_quotas(&self, namespace: &str) -> bool {
        !self.store.indexes().quotas_in(namespace).is_empty()
    }

    /// Charges a new object to the quotas of its namespace.
    pub(super) fn charge_new(&mut self, object: &Object) -> Result<(), Status> {
        if !self.has_quotas(&object.meta().namespace) {
            return Ok(());
        }
        match object {
            Object::Pod(pod) => {
                let account = self.shared.accounts.of(&pod.spec);
                self.charge(&object.name(), &Item::Pod(&account, Life::Charged), None)
            }
            Object::Service(service) => {
                self.charge(&object.name(), &Item::Service(&service.spec), None)
            }
            Object::PersistentVolumeClaim(claim) => {
                self.charge(&object.name(), &Item::Claim(&claim.spec), None)
            }
            Object::Other(other) => match other.resource() {
                Some(resource) => self.charge(&object.name(), &Item::Counted(&resource), None),
                None => Ok(()),
            },
            _ => {
                let resource = object.kind().resource();
                self.charge(&object.name(), &Item::Counted(resource), None)
            }
        }
    }

    /// Charges what a Service needs more of than before.
    pub(super) fn charge_service(
        &mut self,
        next: &Service,
        held: &ServiceSpec,
    ) -> Result<(), Status> {
        let name = ObjectName::of(Kind::Service, &next.meta);
        self.charge(&name, &Item::Service(&next.spec), Some(&Item::Service(held)))
    }

    /// Charges what a claim needs more of than before.
    pub(super) fn charge_claim(
        &mut self,
        next: &PersistentVolumeClaim,
        held: &ClaimSpec,
    ) -> Result<(), Status> {
        let name = ObjectName::of(Kind::PersistentVolumeClaim, &next.meta);
        self.charge(&name, &Item::Claim(&next.spec), Some(&Item::Claim(held)))
    }

    /// Charges what a pod that is resized needs more of than before.
    pub(super) fn charge_resize(&mut self, next: &Pod, held: &Arc<PodSpec>) -> Result<(), Status> {
        if !self.has_quotas(&next.meta.namespace) {
            return Ok(());
        }
        let accounts = &mut self.shared.accounts;
        let (after, before) = (accounts.of(&next.spec), accounts.of(held));
        let (after, before) = (Item::Pod(&after, Life::Charged), Item::Pod(&before, Life::Charged));
        self.charge(&ObjectName::of(Kind::Pod, &next.meta), &after, Some(&before))
    }

    fn charge(
        &mut self,
        name: &ObjectName,
        item: &Item<'_>,
        before: Option<&Item<'_>>,
    ) -> Result<(), Status> {
        let quotas = self.quotas(&name.namespace);
        let all: Vec<&ResourceQuota> = quotas.iter().map(|(_, quota)| *quota).collect();
        let charged = charge(&all, item, before, &[]);
        let charged = charged.map_err(|why| Status::Forbidden(name.clone(), why.into()))?;
        let mut changed = Vec::new();
        for ((id, quota), used) in quotas.into_iter().zip(charged) {
            let Some(used) = used else { continue };
            let mut next = quota.clone();
            next.status.used = Some(Arc::new(used));
            changed.push((id, next));
        }
        for (id, next) in changed {
            self.store.update(self.now, id, next);
        }
        Ok(())
    }
}
