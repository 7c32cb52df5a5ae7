//! The table of the same subject; see the file under `tests/data/vectors`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::Value;
use wavetank::api::kind::Kind;
use wavetank::api::meta::{Meta, Uid};
use wavetank::api::object::Object;
use wavetank::api::pod::Pod;
use wavetank::api::validation::field::{Errors, Path};
use wavetank::api::validation::meta::{Scope, validate_object_meta, validate_object_meta_update};
use wavetank::api::validation::names::{NameUse, subdomain_name};
use wavetank::base::Id;
use wavetank::messages::request::Propagation;
use wavetank::messages::{Call, Part};

use super::api_server::{Api, pod};
use super::objects;
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

/// The grace that a deleted pod gets.
fn graceful_delete(input: &Value, expected: &Value) -> Outcome {
    let mut api = Api::new(&["default"]);
    let mut pod = objects::pod(&input["pod"]);
    pod.meta = Meta::new("default".into(), "it".into());
    let id: Id<Pod> = api.store.create(objects::NOW, pod);
    let grace_seconds = input["deleteGracePeriod"].as_u64().map(|seconds| seconds as u32);
    let propagation = Propagation::Background;
    let call =
        Call::Delete { kind: Kind::Pod, id: id.into(), uid: None, grace_seconds, propagation };
    if let Err(status) = api.call(call) {
        return Outcome::Different(status.to_string());
    }
    let left = api.store.get(id).and_then(|pod| pod.meta.deletion);
    let left = left.map_or(0, |deletion| i64::from(deletion.grace_seconds));
    same(left, objects::int(&expected["gracePeriod"]))
}

/// A pod's generation counts the changes of its spec.
fn pod_generation(input: &Value, expected: &Value) -> Outcome {
    let mut api = Api::new(&["default"]);
    let read = |value: &Value| {
        let Object::Pod(mut pod) = pod(value) else { panic!("a pod became something else") };
        pod.meta.uid = Uid(1);
        pod.meta.generation = objects::int(&value["metadata"]["generation"]) as u32;
        *pod
    };
    let id: Id<Pod> = api.store.create(objects::NOW, read(&input["oldPod"]));
    let object = Object::Pod(Box::new(read(&input["newPod"])));
    let call = Call::Update { id: id.into(), object, base: None, part: Part::Main };
    if let Err(status) = api.call(call) {
        return Outcome::Different(status.to_string());
    }
    let ours = api.store.get(id).map(|pod| i64::from(pod.meta.generation));
    same(ours, expected["expectedGeneration"].as_i64())
}

#[test]
pub fn objectmeta() {
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
            "TestCheckGracefulDelete" => graceful_delete(input, expected),
            "TestPodGenerationPrepareForUpdate" => pod_generation(input, expected),
            other => Outcome::Different(format!("unknown function {other}")),
        }
    });
}
