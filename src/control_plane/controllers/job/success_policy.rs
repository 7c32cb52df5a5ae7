//! Whether a Job's `successPolicy` is met
//! (kube-controller-manager 1.36 pkg/controller/job/success_policy.go).

use super::indexes::Indexes;
use crate::api::job::SuccessRule;

/// The message of the first rule that is met.
pub fn met(rules: Option<&[SuccessRule]>, completions: i32, succeeded: &Indexes) -> Option<String> {
    if succeeded.intervals().is_empty() {
        return None;
    }
    let at = rules?.iter().position(|rule| is_met(rule, completions, succeeded))?;
    Some(format!("Matched rules at index {at}"))
}

fn is_met(rule: &SuccessRule, completions: i32, succeeded: &Indexes) -> bool {
    let Some(indexes) = &rule.indexes else {
        return rule.count.is_some_and(|count| succeeded.total() >= count);
    };
    let required = Indexes::parse(indexes, completions);
    if required.intervals().is_empty() {
        return false;
    }
    let found = succeeded.common(&required);
    rule.count.is_some_and(|count| found >= count) || found == required.total()
}
