//! Label selectors and node selectors.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::intern::Interner;
use crate::api::rules::affinity::{NodeAffinity, Term};
use crate::api::rules::selector::{Operator, Requirement, Selector};

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

    fn term(&mut self, written: &core::NodeSelectorTerm) -> Term {
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
}
