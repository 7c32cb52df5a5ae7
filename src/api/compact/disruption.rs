//! PodDisruptionBudgets.

use std::sync::Arc;

use k8s_openapi::api::policy::v1 as policy;

use super::meta::arrival;
use super::pod_spec::canonical;
use super::workload::{generation, number, share};
use super::{Compacted, Compactor};
use crate::api::disruption::{
    BudgetCondition, BudgetReason, BudgetStatus, Limit, PodDisruptionBudget, UnhealthyEviction,
};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::time::SimTime;

impl Compactor {
    /// A PodDisruptionBudget. Its status is taken as written; whoever stores an applied one resets
    /// it.
    pub fn pod_disruption_budget(&mut self, written: policy::PodDisruptionBudget) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let status = written.status.unwrap_or_default();
        let intern = &mut self.intern;
        let mut scratch = std::mem::take(&mut intern.scratch);
        let text = intern.text(canonical(&spec, &mut scratch));
        intern.scratch = scratch;
        let budget = PodDisruptionBudget {
            meta,
            selector: spec.selector.as_ref().map(|it| Arc::new(intern.selector(it))),
            limit: match (&spec.min_available, &spec.max_unavailable) {
                (Some(it), _) => Limit::MinAvailable(share(Some(it))),
                (None, Some(it)) => Limit::MaxUnavailable(share(Some(it))),
                (None, None) => Limit::Unwritten,
            },
            unhealthy: match spec.unhealthy_pod_eviction_policy.as_deref() {
                Some("AlwaysAllow") => UnhealthyEviction::AlwaysAllow,
                _ => UnhealthyEviction::IfHealthyBudget,
            },
            status: BudgetStatus {
                allowed: number(status.disruptions_allowed),
                disrupted: status
                    .disrupted_pods
                    .iter()
                    .flatten()
                    .map(|(pod, _)| (intern.text(pod), SimTime::ZERO))
                    .collect(),
                healthy: number(status.current_healthy),
                desired: number(status.desired_healthy),
                expected: number(status.expected_pods),
                observed_generation: generation(status.observed_generation),
                condition: status
                    .conditions
                    .iter()
                    .flatten()
                    .find(|one| one.type_ == "DisruptionAllowed")
                    .map(|one| BudgetCondition {
                        reason: match one.reason.as_str() {
                            "SufficientPods" => BudgetReason::SufficientPods,
                            "SyncFailed" => BudgetReason::SyncFailed,
                            _ => BudgetReason::InsufficientPods,
                        },
                        message: intern.text(&one.message),
                        observed_generation: generation(one.observed_generation),
                        since: SimTime::ZERO,
                    }),
            },
            written: text,
        };
        Compacted { object: Object::PodDisruptionBudget(Box::new(budget)), arrival, node: None }
    }
}
