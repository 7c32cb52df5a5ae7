//! JSON Schema of a Profile.

use serde_json::{Map, Value, json};

use super::{KIND, Phase};
use crate::scenario::load::API_VERSION;
use crate::scenario::schema::{DIALECT, duration, list, object, text};

/// The schema of a Profile.
pub fn profile() -> Value {
    let share = |meaning: &str| json!({"type": "number", "minimum": 0, "maximum": 1, "description": meaning});
    let percent = || json!({"type": "number", "minimum": 0, "maximum": 100});
    let count = || json!({"type": "integer", "minimum": 0});
    let phase = object(json!({
        "samples": count(), "floor": duration(), "p50": duration(), "p99": duration(),
        "quantiles": list(duration()),
        "work": share("The part of the time that is work for a core."),
        "distance": share("The greatest distance between the samples' shares and the law's.")}));
    let phases: Map<String, Value> =
        Phase::ALL.iter().map(|it| (it.name().to_owned(), phase.clone())).collect();
    let mut phases = object(Value::Object(phases));
    phases["required"] = Phase::NEEDED.iter().map(|it| it.name()).collect();
    let mut pull = object(json!({
        "samples": count(), "base": duration(),
        "bytesPerSecond": {"type": "integer", "minimum": 1}, "perFile": duration(),
        "filesPerMebibyte": {"type": "integer", "minimum": 0,
            "description": "Files in 2^20 bytes of an image of which nothing else is known: an assumption."},
        "spread": {"type": "number", "minimum": 1, "description": "How much longer one in a hundred takes."},
        "work": share("The part that is work for a core.")}));
    pull["required"] = json!(["base", "bytesPerSecond", "perFile"]);
    let mut spec = object(json!({
        "measured": object(json!({
            "at": text("When."), "cpu": text("The processor."), "cores": count(),
            "kernel": text("Its version."), "cgroups": {"enum": ["v1", "v2", "hybrid"]},
            "network": text("How pods were connected."), "runtime": text("Name and version."),
            "oci": text("What ran the containers."), "took": duration(),
            "pressure": object(json!({"before": percent(), "after": percent()})),
            "steal": object(json!({"before": percent(), "during": percent()})),
            "busy": {"type": "boolean", "description": "The machine had other things to do."},
            "samples": text("The file of all samples.")})),
        "contention": object(json!({"behind": {"type": "number", "minimum": 0,
            "description": "How much of an operation's work is done once more when its answer is out."}})),
        "phases": phases,
        "pull": pull,
        "oom": object(json!({"runs": count(), "seen": count()})),
        "quota": list(object(json!({
            "quota": {"type": "number", "minimum": 0}, "threads": count(),
            "used": {"type": "number", "minimum": 0}}))),
    }));
    spec["required"] = json!(["phases", "pull"]);
    let mut schema = object(json!({
        "apiVersion": {"const": API_VERSION}, "kind": {"const": KIND},
        "metadata": object(json!({"name": text("Its name."),
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}}})),
        "spec": spec}));
    schema["required"] = json!(["apiVersion", "kind", "spec"]);
    schema["$schema"] = json!(DIALECT);
    schema["$id"] = json!(format!("{API_VERSION}/profile"));
    schema["title"] = json!("What a container engine costs, as measured");
    schema
}
