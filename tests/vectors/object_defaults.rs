//! Defaults of objects other than pods.

use k8s_openapi::api::core::v1::{Node, ReplicationController, Service};
use serde_json::{Value, json};
use wavetank::api::defaults::{
    cluster::default_node, service::default_service, workloads::default_replication_controller,
};

use super::table::{Outcome, object, run};

#[test]
pub fn what_is_left_out_is_filled_in() {
    let data = include_str!("../data/vectors/object_defaults.json");
    run("object_defaults", data, |function, _, input, expected| {
        Some(match function {
            "TestSetDefaultNodeStatusAllocatable" => {
                let mut node: Node = object(&json!({"metadata": {"name": "n"}, "status": input}));
                default_node(&mut node);
                let ours = node.status.and_then(|status| status.allocatable);
                let ours = serde_json::to_value(ours).ok()?;
                Outcome::same(&ours, &expected["expectedAllocatable"])
            }
            "TestSetDefaultReplicationController" => {
                let mut controller: ReplicationController = object(&input["rc"]);
                default_replication_controller(&mut controller);
                let labels = serde_json::to_value(&controller.metadata.labels).ok()?;
                let spec = serde_json::to_value(&controller.spec).ok()?;
                let template = &spec["template"]["metadata"]["labels"];
                let ours = (labels == *template, spec["selector"] == *template);
                let theirs =
                    (expected["expectLabels"].as_bool()?, expected["expectSelector"].as_bool()?);
                Outcome::same(ours, theirs)
            }
            "TestSetDefaultServiceInternalTrafficPolicy" => {
                let mut service: Service = object(&input["svc"]);
                default_service(&mut service);
                let ours = service.spec.and_then(|spec| spec.internal_traffic_policy);
                let ours = ours.map_or(Value::Null, Value::String);
                Outcome::same(&ours, &expected["expectedInternalTrafficPolicy"])
            }
            _ => return None,
        })
    });
}
