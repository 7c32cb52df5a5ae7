//! The table of the same subject; see the file under `tests/data/vectors`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::Value;
use wavetank::api::validation::field::{Errors, Path};
use wavetank::api::validation::meta::{Scope, validate_object_meta, validate_object_meta_update};
use wavetank::api::validation::names::{NameUse, subdomain_name};

use super::suite::{Outcome, run, same};

fn meta(value: &Value) -> ObjectMeta {
    serde_json::from_value(value.clone()).expect("metadata")
}

fn update(input: &Value) -> Vec<String> {
    let mut errors = Errors::new();
    let (new, old) = (meta(&input["new"]), meta(&input["old"]));
    validate_object_meta_update(&new, &old, &Path::ROOT.child("field"), &mut errors);
    errors.list().iter().map(ToString::to_string).collect()
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

/// The rule of the table's own test: one name is right, any other wrong.
fn only_test(name: &str, _: NameUse) -> Vec<String> {
    if name == "test" { Vec::new() } else { vec!["wrong value".to_owned()] }
}

fn created(meta: &ObjectMeta, rule: fn(&str, NameUse) -> Vec<String>) -> Vec<String> {
    let mut errors = Errors::new();
    validate_object_meta(meta, Scope::Cluster, rule, &Path::ROOT.child("field"), &mut errors);
    errors.list().iter().map(ToString::to_string).collect()
}

#[test]
fn objectmeta() {
    run("object metadata", include_str!("../data/vectors/objectmeta.json"), |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestValidateObjectMetaCustomName" => {
                let found = created(&meta(&input["input"]), only_test);
                let said = expected["errStr"].as_str().unwrap_or("");
                if !found.iter().all(|line| line.contains(said)) {
                    return Outcome::Different(format!("{found:?}"));
                }
                same(Some(found.len() as u64), expected["nErrs"].as_u64())
            }
            "TestValidateObjectMetaOwnerReferences" => {
                let mut meta = meta(input);
                meta.name = Some("test".to_owned());
                let found = created(&meta, subdomain_name);
                let said = expected["expectedErrorMessage"].as_str().unwrap_or("");
                let hit = found.iter().any(|line| line.contains(said)) && !found.is_empty();
                same(hit, expected["expectError"] == true)
            }
            "TestValidateFinalizersUpdate" => {
                let said = expected["expectedErr"].as_str().unwrap_or("");
                let mut input = input.clone();
                // The table's zero deletion time was lost on its way into JSON.
                if case["name"] != "valid adding finalizers for objects not being deleted" {
                    let zero = serde_json::to_value(Time(Default::default())).expect("a time");
                    input["old"]["deletionTimestamp"] = zero.clone();
                    input["new"]["deletionTimestamp"] = zero;
                }
                let found = update(&input);
                let hit = found.iter().any(|line| line.contains(said)) && !found.is_empty();
                same(hit, !said.is_empty())
            }
            "TestValidateObjectMetaUpdatePreventsDeletionFieldMutation"
            | "TestObjectMetaGenerationUpdate" => {
                same(update(input), texts(&expected["expectedErrs"]))
            }
            "TestCheckGracefulDelete" | "TestPodGenerationPrepareForUpdate" => {
                Outcome::Excluded("what the API server does on delete and update, not validation")
            }
            other => Outcome::Different(format!("unknown function {other}")),
        }
    });
}
