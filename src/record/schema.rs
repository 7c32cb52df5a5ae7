//! JSON Schemas of `summary.json` and `timeline.jsonl`.

use serde_json::{Value, json};

use super::summary::SUMMARY_SCHEMA;
use super::timeline::TIMELINE_SCHEMA;
use crate::messages::Verb;

/// The dialect of our schemas.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// An object with exactly these fields, all of them there.
pub(crate) fn exactly(fields: &[(&str, Value)]) -> Value {
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: serde_json::Map<String, Value> =
        fields.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({
        "type": "object", "properties": properties, "required": names,
        "additionalProperties": false,
    })
}

fn count() -> Value {
    json!({"type": "integer", "minimum": 0})
}

fn text() -> Value {
    json!({"type": "string"})
}

fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

fn counts(names: &[&str]) -> Value {
    let fields: Vec<(&str, Value)> = names.iter().map(|name| (*name, count())).collect();
    exactly(&fields)
}

fn workload() -> Value {
    exactly(&[
        ("kind", text()),
        ("namespace", text()),
        ("name", text()),
        ("desired", count()),
        ("ready", count()),
        ("updated", count()),
        ("available", count()),
    ])
}

fn service() -> Value {
    let milliseconds = json!({"type": ["number", "null"], "minimum": 0});
    exactly(&[
        ("namespace", text()),
        ("name", text()),
        (
            "cluster_ip",
            json!({"type": ["string", "null"],
            "description": "\"None\" for a headless Service, null where it has no address"}),
        ),
        ("dns_name", text()),
        ("endpoints", count()),
        (
            "requests",
            exactly(&[
                ("total", count()),
                ("ok", count()),
                ("errors", count()),
                ("p50_ms", milliseconds.clone()),
                ("p95_ms", milliseconds.clone()),
                ("p99_ms", milliseconds),
            ]),
        ),
    ])
}

fn expectation() -> Value {
    exactly(&[
        ("name", text()),
        ("passed", json!({"type": "boolean"})),
        ("at_seconds", json!({"type": ["number", "null"]})),
        ("detail", text()),
    ])
}

/// The schema of `summary.json`.
pub fn summary() -> Value {
    let mut schema = exactly(&[
        ("schema", json!({"const": SUMMARY_SCHEMA})),
        ("scenario", text()),
        ("seed", count()),
        ("digest", json!({"type": "string", "pattern": "^[0-9a-f]{16}$"})),
        ("virtual_seconds", json!({"type": "number", "minimum": 0})),
        ("events", count()),
        ("converged", json!({"type": "boolean"})),
        ("converged_at_seconds", json!({"type": ["number", "null"], "minimum": 0})),
        (
            "pods",
            counts(&[
                "created",
                "running",
                "ready",
                "pending",
                "unschedulable",
                "succeeded",
                "failed",
                "evicted",
                "oom_killed",
                "restarts",
            ]),
        ),
        ("nodes", counts(&["total", "ready"])),
        ("workloads", list(&workload())),
        ("services", list(&service())),
        ("expectations", list(&expectation())),
        ("warnings", list(&text())),
    ]);
    schema["$schema"] = json!(DIALECT);
    schema["$id"] = json!(SUMMARY_SCHEMA);
    schema["title"] = json!("How a run ended");
    let money = || json!({"type": ["number", "null"], "minimum": 0});
    let mut cost = exactly(&[
        ("total", money()),
        ("node_seconds", count()),
        (
            "groups",
            list(&exactly(&[
                ("name", text()),
                ("machines", count()),
                ("lent", count()),
                ("node_seconds", count()),
                ("price_per_hour", money()),
                ("cost", money()),
            ])),
        ),
    ]);
    cost["description"] = json!("Only where there are node groups: what their machines cost.");
    schema["properties"]["cost"] = cost;
    schema["properties"]["wall"] =
        json!({"type": "object", "description": "What depends on the machine; never compared."});
    schema
}

/// The schema of one line of `timeline.jsonl`.
pub fn timeline() -> Value {
    let verbs: Vec<Value> = Verb::ALL
        .iter()
        .map(|(verb, meaning)| json!({"const": verb.name(), "description": meaning}))
        .collect();
    let mut schema = exactly(&[
        ("t", json!({"type": "number", "minimum": 0, "description": "Seconds from the start."})),
        ("id", json!({"type": "integer", "minimum": 1})),
        (
            "cause",
            json!({"type": ["integer", "null"],
            "description": "The id of the fact this one followed from."}),
        ),
        ("component", text()),
        ("verb", json!({"oneOf": verbs})),
        (
            "object",
            json!({"type": "string",
            "description": "Kind/namespace/name, or Kind/name for what lives in no namespace."}),
        ),
        ("node", json!({"type": ["string", "null"]})),
        (
            "values",
            json!({"type": "object", "additionalProperties": {"type": "integer"},
            "description": "The integers the digest counts."}),
        ),
        ("message", json!({"type": ["string", "null"]})),
    ]);
    schema["properties"]["buckets"] = json!({
        "type": "array",
        "items": {"type": "array", "items": count(), "minItems": 2, "maxItems": 2},
        "description": "Only where there are any: [bucket, count] of the latencies of requests that \
            succeeded. Bucket b < 256 holds b nanoseconds, others those from (128 + b % 128) * 2^(b / 128 - 1) on.",
    });
    schema["$schema"] = json!(DIALECT);
    schema["$id"] = json!(TIMELINE_SCHEMA);
    schema["title"] = json!("A fact");
    schema
}
