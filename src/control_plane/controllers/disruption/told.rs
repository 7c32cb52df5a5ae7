//! What the controller says of budgets and pods (`disruption.go`, 1.36).

use serde_json::Value;

use crate::api::disruption::PodDisruptionBudget;
use crate::api::kind::Kind;
use crate::api::pod::Pod;
use crate::messages::{About, Remark};

/// The budget selects nothing.
pub(super) fn no_pods() -> Remark {
    Remark::normal("NoPods", "No matching pods found")
}

/// What is expected cannot be told.
pub(super) fn uncounted(why: &str) -> Remark {
    let what = format!("Failed to calculate the number of expected pods: {why}");
    Remark::warning("CalculateExpectedPodCountFailed", what)
}

/// Pods belong to nobody who says how many there are to be.
pub(super) fn unmanaged(budget: &PodDisruptionBudget) -> Remark {
    let spec: Value = serde_json::from_str(&budget.written).unwrap_or_default();
    let what = format!(
        "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a \
         result, the status of the PDB cannot be calculated correctly, which may result in undefined \
         behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an \
         integer value.",
        selector(&spec["selector"])
    );
    Remark::warning("UnmanagedPods", what)
}

/// A pod that was evicted stays.
pub(super) fn not_deleted(
    pod: Option<&Pod>,
    budget: &PodDisruptionBudget,
) -> (Option<About>, Remark) {
    let (namespace, name) = (&budget.meta.namespace, &budget.meta.name);
    let what = format!("Pod was expected by PDB {namespace}/{name} to be deleted but it wasn't");
    let about = pod.map(|pod| About::of(Kind::Pod, &pod.meta));
    (about, Remark::warning("NotDeleted", what))
}

/// Several budgets select the pod, and it counts for `chosen`.
pub(super) fn of_several(pod: &Pod, chosen: Option<&PodDisruptionBudget>) -> Remark {
    let chosen = chosen.map(|budget| budget.meta.name.to_string()).unwrap_or_default();
    let (namespace, name) = (&pod.meta.namespace, &pod.meta.name);
    let what = format!(
        "Pod \"{namespace}\"/\"{name}\" matches multiple PodDisruptionBudgets.  Chose \"{chosen}\" \
         arbitrarily."
    );
    Remark::warning("MultiplePodDisruptionBudgets", what)
}

/// A label selector as Go prints it (`LabelSelector.String`, apimachinery).
fn selector(written: &Value) -> String {
    let labels: String = written["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}: {},", value.as_str().unwrap_or_default()))
        .collect();
    let requirements: String = written["matchExpressions"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| {
            let text = |field: &str| one[field].as_str().unwrap_or_default();
            let values = one["values"].as_array().into_iter().flatten();
            let values: Vec<&str> = values.filter_map(Value::as_str).collect();
            let (key, operator) = (text("key"), text("operator"));
            let values = values.join(" ");
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},")
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{requirements}}},}}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_selector_is_printed_as_go_does() {
        let written = json!({"matchLabels": {"app": "web", "tier": "front"}, "matchExpressions": [
            {"key": "zone", "operator": "In", "values": ["a", "b"]}]});
        let expected = "&LabelSelector{MatchLabels:map[string]string{app: web,tier: front,},\
                        MatchExpressions:[]LabelSelectorRequirement{\
                        LabelSelectorRequirement{Key:zone,Operator:In,Values:[a b],},},}";
        assert_eq!(selector(&written), expected);
    }
}
