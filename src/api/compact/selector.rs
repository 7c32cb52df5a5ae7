//! Label selectors and node selectors.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::intern::Interner;
use crate::api::name::Text;
use crate::api::rules::affinity::{NodeAffinity, PodAffinity, PodTerm, Term};
use crate::api::rules::selector::{Operator, Requirement, Selector};
use crate::api::rules::spread::{InclusionPolicy, SpreadConstraint, WhenUnsatisfiable};

fn operator(written: &str) -> Operator {
    match written {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        _ => Operator::DoesNotExist,
    }
}

impl Interner {
    fn requirement(
        &mut self,
        key: &str,
        written: &str,
        values: Option<&Vec<String>>,
    ) -> Requirement {
        let mut values: Vec<_> = values.into_iter().flatten().map(|it| self.text(it)).collect();
        values.sort_unstable();
        Requirement { key: self.text(key), operator: operator(written), values }
    }

    pub(super) fn selector(&mut self, written: &LabelSelector) -> Selector {
        let mut selector = self.label_selector(written.match_labels.as_ref());
        for it in written.match_expressions.iter().flatten() {
            selector.requirements.push(self.requirement(&it.key, &it.operator, it.values.as_ref()));
        }
        selector
    }

    pub(super) fn label_selector(&mut self, labels: Option<&BTreeMap<String, String>>) -> Selector {
        let labels = labels.map(|labels| self.plain_labels(labels)).unwrap_or_default();
        Selector::of_labels(&labels)
    }

    pub(super) fn term(&mut self, written: &core::NodeSelectorTerm) -> Term {
        let mut all = |list: Option<&Vec<core::NodeSelectorRequirement>>| {
            list.into_iter()
                .flatten()
                .map(|it| self.requirement(&it.key, &it.operator, it.values.as_ref()))
                .collect()
        };
        Term {
            labels: all(written.match_expressions.as_ref()),
            fields: all(written.match_fields.as_ref()),
        }
    }

    pub(super) fn node_affinity(&mut self, written: &core::NodeAffinity) -> NodeAffinity {
        let required = written
            .required_during_scheduling_ignored_during_execution
            .as_ref()
            .map(|selector| selector.node_selector_terms.iter().map(|it| self.term(it)).collect());
        let preferred = written
            .preferred_during_scheduling_ignored_during_execution
            .iter()
            .flatten()
            .map(|it| (it.weight, self.term(&it.preference)))
            .collect();
        NodeAffinity { required, preferred }
    }

    fn texts(&mut self, written: Option<&Vec<String>>) -> Vec<Text> {
        written.into_iter().flatten().map(|it| self.text(it)).collect()
    }

    fn pod_term(&mut self, written: &core::PodAffinityTerm) -> PodTerm {
        PodTerm {
            selector: written.label_selector.as_ref().map(|it| self.selector(it)),
            namespaces: self.texts(written.namespaces.as_ref()),
            namespace_selector: written.namespace_selector.as_ref().map(|it| self.selector(it)),
            topology_key: self.text(&written.topology_key),
            match_label_keys: self.texts(written.match_label_keys.as_ref()),
            mismatch_label_keys: self.texts(written.mismatch_label_keys.as_ref()),
        }
    }

    /// Affinity or anti-affinity between pods.
    pub(super) fn between_pods(
        &mut self,
        required: Option<Vec<core::PodAffinityTerm>>,
        preferred: Option<Vec<core::WeightedPodAffinityTerm>>,
    ) -> PodAffinity {
        let (required, preferred) = (required.iter().flatten(), preferred.iter().flatten());
        PodAffinity {
            required: required.map(|it| self.pod_term(it)).collect(),
            preferred: preferred
                .map(|it| (it.weight, self.pod_term(&it.pod_affinity_term)))
                .collect(),
        }
    }

    pub(super) fn spread(
        &mut self,
        written: Option<&[core::TopologySpreadConstraint]>,
    ) -> Vec<SpreadConstraint> {
        let policy = |written: Option<&str>, default| match written {
            Some("Honor") => InclusionPolicy::Honor,
            Some("Ignore") => InclusionPolicy::Ignore,
            _ => default,
        };
        let one = |it: &core::TopologySpreadConstraint| SpreadConstraint {
            max_skew: it.max_skew,
            topology_key: self.text(&it.topology_key),
            unsatisfiable: match it.when_unsatisfiable.as_str() {
                "ScheduleAnyway" => WhenUnsatisfiable::ScheduleAnyway,
                _ => WhenUnsatisfiable::DoNotSchedule,
            },
            selector: it.label_selector.as_ref().map(|it| self.selector(it)),
            min_domains: it.min_domains,
            node_affinity: policy(it.node_affinity_policy.as_deref(), InclusionPolicy::Honor),
            node_taints: policy(it.node_taints_policy.as_deref(), InclusionPolicy::Ignore),
            match_label_keys: self.texts(it.match_label_keys.as_ref()),
        };
        written.into_iter().flatten().map(one).collect()
    }
}
