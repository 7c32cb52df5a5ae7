//! What a kubelet says of a pod that is resized: a few words and, as JSON, what its containers are to take
//! (kubelet 1.36 `pkg/kubelet/events/pod_resize.go`).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::api::pod::PodSpec;
use crate::api::quantity::Quantity;

/// The fields in the order in which they are written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_containers: Vec<Container<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<Container<'a>>,
    generation: u32,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
}

#[derive(Serialize)]
struct Container<'a> {
    name: &'a str,
    resources: Resources,
}

#[derive(Serialize)]
struct Resources {
    #[serde(skip_serializing_if = "Map::is_empty")]
    limits: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    requests: Map<String, Value>,
}

/// `words`, then what the containers of `spec` are to take by the pod's `generation`, and what went wrong, if
/// anything did.
pub(super) fn told(words: &str, spec: &PodSpec, generation: u32, error: &str) -> String {
    let written: Value = serde_json::from_str(&spec.written).unwrap_or_default();
    let of = |list: &str| written[list].as_array().into_iter().flatten().map(container).collect();
    let (init_containers, containers) = (of("initContainers"), of("containers"));
    let summary = Summary { init_containers, containers, generation, error };
    match serde_json::to_string(&summary) {
        Ok(summary) => format!("{words}: {summary}"),
        Err(_) => words.to_owned(),
    }
}

fn container(written: &Value) -> Container<'_> {
    let amounts = |field: &str| {
        let all = written["resources"][field].as_object().into_iter().flatten();
        all.map(|(name, amount)| (name.clone(), canonical(amount))).collect()
    };
    let resources = Resources { limits: amounts("limits"), requests: amounts("requests") };
    Container { name: written["name"].as_str().unwrap_or_default(), resources }
}

/// An amount as the API server gives it back.
fn canonical(amount: &Value) -> Value {
    let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
    Quantity::parse(&text).map_or(Value::String(text), |it| it.written().0.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Cases of `TestPodResizeStartedMsg`, `TestPodResizeErrorMsg` and `TestPodResizeCompletedMsg`
    /// (pkg/kubelet/events/pod_resize_test.go, 1.36).
    #[test]
    fn words_are_kubernetes_own() {
        let of = |spec: Value| PodSpec { written: spec.to_string().into(), ..PodSpec::default() };
        let all = json!({"cpu": "0.1", "memory": 100});
        let one = of(json!({"containers": [
            {"name": "c0", "resources": {"requests": all, "limits": all}}]}));
        assert_eq!(
            told("Pod resize started", &one, 1, ""),
            "Pod resize started: {\"containers\":[{\"name\":\"c0\",\"resources\":{\"limits\":{\"cpu\":\"100m\",\
             \"memory\":\"100\"},\"requests\":{\"cpu\":\"100m\",\"memory\":\"100\"}}}],\"generation\":1}"
        );
        let several = of(json!({
            "initContainers": [
                {"name": "c0", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}}],
            "containers": [
                {"name": "c1", "resources": {"requests": {"memory": "100"}, "limits": {"memory": "200"}}},
                {"name": "c2", "resources": {"requests": {"cpu": "200m", "memory": "100"}}}],
        }));
        assert_eq!(
            told("Pod resize error", &several, 2, "some error occurred"),
            "Pod resize error: {\"initContainers\":[{\"name\":\"c0\",\"resources\":{\"limits\":{\"cpu\":\"200m\"},\
             \"requests\":{\"cpu\":\"100m\"}}}],\"containers\":[{\"name\":\"c1\",\"resources\":{\"limits\":\
             {\"memory\":\"200\"},\"requests\":{\"memory\":\"100\"}}},{\"name\":\"c2\",\"resources\":{\"requests\":\
             {\"cpu\":\"200m\",\"memory\":\"100\"}}}],\"generation\":2,\"error\":\"some error occurred\"}"
        );
        let nothing = of(json!({"containers": [{"name": "c0"}]}));
        assert_eq!(
            told("Pod resize completed", &nothing, 3, ""),
            "Pod resize completed: {\"containers\":[{\"name\":\"c0\",\"resources\":{}}],\"generation\":3}"
        );
    }
}
