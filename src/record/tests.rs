use serde_json::Value;

use super::*;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::kernel::{FactSink, NO_CAUSE};
use crate::messages::{Component, Fact, Verb};
use crate::time::SimTime;

fn fact(verb: Verb) -> Fact {
    let object =
        ObjectName { kind: Kind::Pod, namespace: "default".into(), name: "web-5d4f-x2x9p".into() };
    Fact::new(Component::Scheduler, verb, object)
}

#[test]
fn a_fact_is_a_line_with_nine_decimals() {
    let mut text = Vec::new();
    let mut recorder = Recorder::to(&mut text);
    let at = SimTime::from_nanos(1_500_000_001);
    recorder.record(at, 1, NO_CAUSE, &fact(Verb::Created));
    recorder.record(at, 2, 1, &fact(Verb::Bound).on(&"n3".into()).with("a", 3).saying("say \"x\""));
    assert_eq!(recorder.finish().expect("memory takes it all").pods_created, 1);
    assert_eq!(
        String::from_utf8(text).expect("text"),
        concat!(
            r#"{"t": 1.500000001, "id": 1, "cause": null, "component": "scheduler", "#,
            r#""verb": "created", "object": "Pod/default/web-5d4f-x2x9p", "node": null, "#,
            r#""values": {}, "message": null}"#,
            "\n",
            r#"{"t": 1.500000001, "id": 2, "cause": 1, "component": "scheduler", "#,
            r#""verb": "bound", "object": "Pod/default/web-5d4f-x2x9p", "node": "n3", "#,
            r#""values": {"a": 3}, "message": "say \"x\""}"#,
            "\n",
        )
    );
}

/// Whether a value has exactly the fields its schema names, all the way down.
fn fits(schema: &Value, value: &Value, path: &str) {
    if let (Some(properties), Value::Object(fields)) = (schema.get("properties"), value) {
        let properties = properties.as_object().expect("properties are an object");
        for (key, value) in fields {
            let inner =
                properties.get(key).unwrap_or_else(|| panic!("{path}.{key} is not in the schema"));
            fits(inner, value, &format!("{path}.{key}"));
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            let key = required.as_str().expect("a name");
            assert!(fields.contains_key(key), "{path}.{key} is missing");
        }
    }
    if let (Some(items), Value::Array(list)) = (schema.get("items"), value) {
        for item in list {
            fits(items, item, &format!("{path}[]"));
        }
    }
}

#[test]
fn what_is_written_has_exactly_the_fields_of_its_schema() {
    let mut line = Vec::new();
    let mut recorder = Recorder::to(&mut line);
    recorder.record(SimTime::ZERO, 1, NO_CAUSE, &fact(Verb::Bound).on(&"n".into()).with("k", 1));
    recorder.finish().expect("memory takes it all");
    fits(&schema::timeline(), &serde_json::from_slice(&line).expect("JSON"), "line");

    let summary = Summary {
        scenario: "s".into(),
        seed: 1,
        digest: 0xabc,
        now: SimTime::from_secs(3),
        events: 4,
        converged_at: None,
        pods: PodCounts::default(),
        nodes: NodeCounts::default(),
        workloads: vec![WorkloadRow {
            namespace: "default".into(),
            kind: "Deployment",
            name: "web".to_owned(),
            desired: 3,
            ready: 3,
            updated: 3,
            available: 3,
        }],
        services: vec![ServiceRow {
            namespace: "shop".into(),
            name: "web".to_owned(),
            cluster_ip: Some("10.0.0.7".to_owned()),
            endpoints: 3,
            requests: RequestCounts {
                total: 9,
                ok: 8,
                errors: 1,
                latency_us: [Some(1_500), None, None],
            },
        }],
        costs: Vec::new(),
        expectations: vec![ExpectationRow {
            name: "up".to_owned(),
            passed: false,
            at: Some(SimTime::from_secs(2)),
            detail: "it was not".to_owned(),
            of_fact: Some(7),
        }],
        unplaced: Vec::new(),
        warnings: vec!["w".to_owned()],
    };
    let text = summary.to_json().pretty();
    assert!(text.contains("\"virtual_seconds\": 3.000000000"), "{text}");
    assert!(text.contains("\"digest\": \"0000000000000abc\""), "{text}");
    assert!(text.contains("\"p50_ms\": 1.500,"), "{text}");
    let written: Value = serde_json::from_str(&text).expect("JSON");
    fits(&schema::summary(), &written, "summary");
    assert_eq!(written["services"][0]["dns_name"], "web.shop.svc.cluster.local");
}
