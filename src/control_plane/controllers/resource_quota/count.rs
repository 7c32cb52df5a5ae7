//! What is used of a quota (`CalculateUsage`, k8s.io/apiserver/pkg/quota/v1/resources.go, 1.36).

use crate::api::controller_revision::ControllerRevision;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::kinds::SERVED;
use crate::api::limit_range::LimitRange;
use crate::api::misc::{Lease, Other};
use crate::api::quantity::Quantity;
use crate::api::resource_quota::{ResourceQuota, ScopeRule};
use crate::api::rules::quota::amounts::masked;
use crate::api::rules::quota::{Evaluator, Item, is_in_all};
use crate::api::rules::resources::{Amounts, add};
use crate::api::service::{EndpointSlice, Endpoints, Service};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::PersistentVolumeClaim;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::store::{Stored, View};
use crate::time::SimTime;

use super::Tally;

const NOTHING: Quantity = Quantity::ZERO;

/// What is used of what a quota names and somebody can count.
pub(super) fn used(quota: &ResourceQuota, pods: &Tally, view: &View<'_>, now: SimTime) -> Amounts {
    let namespace = &*quota.meta.namespace;
    let hard = || quota.hard.keys().map(String::as_str);
    let mut used = Amounts::new();
    let mut take = |evaluator: Evaluator<'_>, found: &dyn Fn() -> Amounts| {
        let tracked = hard().filter(|name| evaluator.tracks(name));
        let zeros: Amounts = tracked.map(|name| (name.to_owned(), NOTHING)).collect();
        if !zeros.is_empty() {
            add(&mut used, &zeros);
            add(&mut used, &masked(&found(), |name| zeros.contains_key(name)));
        }
    };
    take(Evaluator::Pods, &|| pods.used(&quota.scopes, view, now));
    take(Evaluator::Services, &|| {
        let here = view.list::<Service>().filter(|(_, it)| &*it.meta.namespace == namespace);
        let items: Vec<&Service> = here.map(|(_, it)| it).collect();
        sum(items.iter().map(|it| Item::Service(&it.spec)), &quota.scopes)
    });
    take(Evaluator::Claims, &|| {
        let all = view.list::<PersistentVolumeClaim>();
        let here = all.filter(|(_, it)| &*it.meta.namespace == namespace);
        let items: Vec<&PersistentVolumeClaim> = here.map(|(_, it)| it).collect();
        sum(items.iter().map(|it| Item::Claim(&it.spec)), &quota.scopes)
    });
    let rest = hard().filter(|name| {
        let others = [Evaluator::Pods, Evaluator::Services, Evaluator::Claims];
        !others.iter().any(|evaluator| evaluator.tracks(name))
    });
    for name in rest {
        let resource = name.strip_prefix("count/").unwrap_or(name);
        let evaluator = Evaluator::of(resource);
        if evaluator.tracks(name) && is_served(resource) {
            take(evaluator, &|| {
                let count = counted(resource, namespace, view);
                sum(std::iter::repeat_n(Item::Counted(resource), count), &quota.scopes)
            });
        }
    }
    used
}

fn sum<'a>(items: impl Iterator<Item = Item<'a>>, rules: &[ScopeRule]) -> Amounts {
    let mut used = Amounts::new();
    items.filter(|item| is_in_all(item, rules)).for_each(|item| add(&mut used, &item.usage()));
    used
}

fn is_served(resource: &str) -> bool {
    let (plural, group) = resource.split_once('.').unwrap_or((resource, ""));
    SERVED.iter().any(|kind| kind.plural == plural && kind.group == group)
}

/// How many objects of the resource `deployments.apps` there are in a namespace.
fn counted(resource: &str, namespace: &str, view: &View<'_>) -> usize {
    fn of<T: Stored>(namespace: &str, view: &View<'_>, is: impl Fn(&T) -> bool) -> usize {
        let here = view.list::<T>().filter(|(_, it)| &*it.meta().namespace == namespace);
        here.filter(|(_, it)| is(it)).count()
    }
    fn all<T: Stored>(namespace: &str, view: &View<'_>) -> usize {
        of::<T>(namespace, view, |_| true)
    }
    match resource {
        "deployments.apps" => all::<Deployment>(namespace, view),
        "replicasets.apps" | "replicationcontrollers" => {
            let kind = if resource == "replicasets.apps" {
                Kind::ReplicaSet
            } else {
                Kind::ReplicationController
            };
            of::<ReplicaSet>(namespace, view, |set| Kind::from(set.kind) == kind)
        }
        "statefulsets.apps" => all::<StatefulSet>(namespace, view),
        "daemonsets.apps" => all::<DaemonSet>(namespace, view),
        "controllerrevisions.apps" => all::<ControllerRevision>(namespace, view),
        "jobs.batch" => all::<Job>(namespace, view),
        "cronjobs.batch" => all::<CronJob>(namespace, view),
        "endpoints" => all::<Endpoints>(namespace, view),
        "endpointslices.discovery.k8s.io" => all::<EndpointSlice>(namespace, view),
        "leases.coordination.k8s.io" => all::<Lease>(namespace, view),
        "poddisruptionbudgets.policy" => all::<PodDisruptionBudget>(namespace, view),
        "limitranges" => all::<LimitRange>(namespace, view),
        "resourcequotas" => all::<ResourceQuota>(namespace, view),
        _ => of::<Other>(namespace, view, |it| it.resource().is_some_and(|it| it == resource)),
    }
}
