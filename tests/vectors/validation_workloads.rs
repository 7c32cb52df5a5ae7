//! Workloads and their status.

use k8s_openapi::api::{
    apps::v1::{
        DaemonSet, Deployment, DeploymentStatus, ReplicaSet, ReplicaSetStatus,
        RollingUpdateDaemonSet, StatefulSet, StatefulSetStatus,
    },
    core::v1::ReplicationController,
};
use serde_json::Value;
use wavetank::api::validation::{
    field::{Errors, FieldError, Path, Reason},
    gates::{Gate, Gates, State},
    workloads::{
        daemon_set, deployment, replica_set, replication_controller, stateful_set, status,
    },
};

use super::table::{Outcome, errors, lines, object, run, verdict};

#[test]
pub fn workloads_are_checked_as_by_the_api_server() {
    let data = include_str!("../data/vectors/validation_workloads.json");
    run("validation_workloads", data, |function, title, input, expected| {
        let valid = expected["valid"].as_bool().unwrap_or(true);
        let refused = expected["expectedErr"].as_bool().or(expected["expectError"].as_bool());
        let text = expected["expectedError"].as_str().unwrap_or("");
        Some(match function {
            "TestValidateStatefulSet" => {
                let set: StatefulSet = object(&input["set"]);
                // The table asks for the check alone, with the field that its gate drops.
                let gates = Gates::default().with(Gate::MaxUnavailableStatefulSet, State::On);
                let mut errors = Errors::under(gates);
                stateful_set::validate(&set, &mut errors);
                fields(expected, errors.list())
            }
            "TestValidateReplicaSet" => {
                let set: ReplicaSet = object(unwrapped(input));
                verdict(valid, text, &errors(|errors| replica_set::validate(&set, errors)))
            }
            "TestValidateDaemonSet" => {
                let set: DaemonSet = object(unwrapped(input));
                verdict(valid, text, &errors(|errors| daemon_set::validate(&set, errors)))
            }
            "TestValidateDeployment" if title == "must be greater than or equal to 0" => {
                Outcome::Excluded("asks of rollbackTo, which apps/v1 has not")
            }
            "TestValidateDeployment" => {
                let it: Deployment = object(&input["value"]);
                verdict(valid, text, &errors(|errors| deployment::validate(&it, errors)))
            }
            "TestValidateReplicationController" => {
                let it: ReplicationController = object(unwrapped(input));
                let found = errors(|errors| replication_controller::validate(&it, errors));
                verdict(valid, text, &found)
            }
            "TestDaemonSetUpdateMaxSurge" => {
                let update: RollingUpdateDaemonSet = object(&input["ds"]);
                let found = errors(|errors| {
                    daemon_set::validate_rolling_update(&update, &Path::ROOT, errors);
                });
                verdict(!refused?, "", &found)
            }
            "TestValidateStatefulSetStatus" => {
                let it: StatefulSetStatus = object(input);
                verdict(!refused?, "", &errors(|errors| status::validate_stateful_set(&it, errors)))
            }
            "TestValidateDeploymentStatus" => {
                let it: DeploymentStatus = object(input);
                verdict(!refused?, "", &errors(|errors| status::validate_deployment(&it, errors)))
            }
            "TestValidateReplicaSetStatus" => {
                let it: ReplicaSetStatus = object(input);
                verdict(!refused?, "", &errors(|errors| status::validate_replica_set(&it, errors)))
            }
            _ => return None,
        })
    });
}

/// The object of a case, which some tables wrap.
fn unwrapped(input: &Value) -> &Value {
    ["rs", "ds", "rc", "value"].iter().find_map(|key| input.get(key)).unwrap_or(input)
}

/// Compares the kinds of errors and their fields, each counted once.
fn fields(expected: &Value, found: &[FieldError]) -> Outcome {
    let mut theirs: Vec<(String, String)> = expected["errs"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| {
            let text = |key: &str| error[key].as_str().unwrap_or("").to_owned();
            (text("type"), text("field"))
        })
        .collect();
    let mut ours: Vec<(String, String)> =
        found.iter().map(|error| (kind(error.reason).to_owned(), error.path.clone())).collect();
    for list in [&mut theirs, &mut ours] {
        list.sort();
        list.dedup();
    }
    if ours == theirs {
        Outcome::Equal
    } else {
        Outcome::Different(format!("theirs {theirs:?}, ours {:?}", lines(found)))
    }
}

fn kind(reason: Reason) -> &'static str {
    match reason {
        Reason::Required => "FieldValueRequired",
        Reason::Invalid => "FieldValueInvalid",
        Reason::TypeInvalid => "FieldValueTypeInvalid",
        Reason::NotSupported => "FieldValueNotSupported",
        Reason::Duplicate => "FieldValueDuplicate",
        Reason::Forbidden => "FieldValueForbidden",
        Reason::TooLong => "FieldValueTooLong",
        Reason::TooMany => "FieldValueTooMany",
        Reason::NotFound => "FieldValueNotFound",
    }
}
