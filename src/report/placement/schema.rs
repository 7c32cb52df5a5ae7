//! The JSON Schema of a schedule.

use serde_json::{Value, json};

use crate::record::schema::DIALECT;

fn texts(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": description})
}

fn numbers(description: &str) -> Value {
    json!({
        "type": "object", "additionalProperties": {"type": "integer"}, "description": description,
    })
}

fn rejection(nodes: &Value) -> Value {
    json!({
        "type": "object",
        "properties": {
            "plugin": {"type": "string"},
            "code": {"enum": ["Unschedulable", "UnschedulableAndUnresolvable"]},
            "reasons": texts("in kube-scheduler's words"),
            "nodes": nodes,
        },
        "required": ["plugin", "code", "reasons", "nodes"],
        "additionalProperties": false,
    })
}

fn step() -> Value {
    let named = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "properties": {
            "pod": named("namespace/name"),
            "attempt": {"type": "integer", "minimum": 1, "description": "which attempt of this pod"},
            "num_nodes": {"type": "integer", "minimum": 0, "description": "nodes of the cluster"},
            "evaluated": {
                "type": "integer", "minimum": 0,
                "description": "nodes looked at; 0 where none was found, as kube-scheduler reports it",
            },
            "nominated_before": named("the node an earlier attempt made room on; tried before all others"),
            "node_hint": named("the node that opportunistic batching took from the pod before"),
            "feasible": texts("nodes that passed all filters, sorted"),
            "scored": {
                "type": "boolean",
                "description": "false with one feasible node or none: then nothing is scored",
            },
            "scores": numbers("final weighted sum by node; where scored"),
            "per_plugin": {
                "type": "object", "additionalProperties": numbers("by node"),
                "description": "normalised scores (0..100, before the weight); a plugin with nothing \
                    to say is absent",
            },
            "max_set": texts("nodes of the best total, sorted; where one was chosen"),
            "chosen": named("the node; absent where there was none"),
            "rejected": {
                "type": "array",
                "items": rejection(&texts("sorted")),
                "description": "nodes by the first plugin that rejected them; absent where none was",
            },
            "absent_nodes": rejection(&json!({
                "type": "null", "description": "all that were not looked at",
            })),
            "unschedulable_plugins": texts("plugins that rejected any node; absent where none did"),
            "failure_message": named("as in the condition PodScheduled; absent where one was chosen"),
            "failure_reason": named("its reason; likewise"),
            "preemption": {
                "type": "object",
                "properties": {
                    "nominated": named("the node where room is made"),
                    "victims": texts("pods that go, the most important first"),
                },
                "required": ["nominated", "victims"],
                "additionalProperties": false,
                "description": "absent where nobody was preempted",
            },
        },
        "required": ["pod", "attempt", "num_nodes", "evaluated", "feasible", "scored"],
        "additionalProperties": false,
    })
}

/// What `wavetank schedule -o json` prints.
pub fn schema() -> Value {
    let by_name = |description: &str| {
        json!({
            "type": "object", "additionalProperties": {"type": "string"},
            "description": description,
        })
    };
    json!({
        "$schema": DIALECT,
        "$id": "wavetank.dev/schedule/v1",
        "title": "A schedule",
        "description": "What `wavetank schedule -o json` prints: every scheduling attempt in order, \
            and where each pod ends. Names are those of the recorded runs of kube-scheduler.",
        "type": "object",
        "properties": {
            "steps": {"type": "array", "items": step()},
            "final": {
                "type": "object",
                "properties": {
                    "bound": by_name("pods with their nodes, those that ran from the start among them"),
                    "unschedulable": texts("pods that stay pending, sorted"),
                    "gated": texts("pods held back by scheduling gates; absent where none is"),
                    "deleted": texts("pods that were preempted, sorted"),
                    "unknown_scheduler": by_name(
                        "pods of `unschedulable` that nobody tried, with the scheduler they name; \
                         absent where none is"
                    ),
                },
                "required": ["bound", "unschedulable", "deleted"],
                "additionalProperties": false,
            },
            "capacity": {
                "type": "object",
                "properties": {
                    "pod": {"type": "string", "description": "namespace/name"},
                    "copies": {"type": "integer", "minimum": 0, "description": "how many more fit"},
                    "nodes": numbers("copies by node"),
                    "stop_reason": {
                        "enum": ["Unschedulable", "SchedulingGated", "UnknownScheduler", "LimitReached"],
                    },
                    "stop_message": {"type": "string", "description": "why no more fit"},
                },
                "required": ["pod", "copies", "nodes", "stop_reason", "stop_message"],
                "additionalProperties": false,
                "description": "with --capacity",
            },
        },
        "required": ["steps", "final"],
        "additionalProperties": false,
    })
}
