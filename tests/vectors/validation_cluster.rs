//! LimitRanges, ResourceQuotas, nodes and namespaces.

use k8s_openapi::api::core::v1::{LimitRange, Namespace, Node, ResourceQuota};
use serde_json::{Value, json};
use wavetank::api::validation::{namespace, node, quota_limits};

use super::table::{Outcome, errors, object, run, verdict};

#[test]
pub fn limits_and_nodes_are_checked_as_by_the_api_server() {
    let data = include_str!("../data/vectors/validation_namespace_quota_node.json");
    run("validation_namespace_quota_node", data, |function, title, input, expected| {
        let valid = expected["valid"].as_bool();
        Some(match function {
            "TestValidateLimitRange" => {
                let given = input.get("r").unwrap_or(input);
                let mut given = given.clone();
                // The table's good ones are wrapped in metadata by the test itself.
                if given.get("metadata").is_none() {
                    given["metadata"] = json!({"name": "abc", "namespace": "foo"});
                }
                let range: LimitRange = object(&given);
                let found = errors(|errors| quota_limits::validate_limit_range(&range, errors));
                verdict(valid?, input["d"].as_str().unwrap_or(""), &found)
            }
            "TestValidateResourceQuota" => {
                let quota: ResourceQuota = object(&input["rq"]);
                let found = errors(|errors| quota_limits::validate_quota(&quota, errors));
                let text = |key: &str| expected[key].as_str().unwrap_or("").to_owned();
                let (detail, field) = (text("errDetail"), text("errField"));
                verdict(detail.is_empty() && field.is_empty(), &(field + &detail), &found)
            }
            "TestValidateNode" | "TestValidateNodeCIDRs" => {
                let given: Node = object(input.get("node").unwrap_or(input));
                let found = errors(|errors| node::validate(&given, errors));
                let refused = expected["expectError"].as_bool();
                verdict(valid.or(refused.map(|refused| !refused))?, "", &found)
            }
            "TestValidateNamespaceUpdate" => namespace_update(title, input, valid?),
            _ => return None,
        })
    });
}

fn namespace_update(_: &str, input: &Value, valid: bool) -> Outcome {
    let mut given = [input["oldNamespace"].clone(), input["namespace"].clone()];
    for namespace in &mut given {
        // The test itself gives both a version.
        namespace["metadata"]["resourceVersion"] = "1".into();
    }
    let [old, new] = given.map(|namespace| object::<Namespace>(&namespace));
    verdict(valid, "", &errors(|errors| namespace::validate_update(&new, &old, errors)))
}
