//! The table of the same subject; see the file under `tests/data/vectors`.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PodSpec, ResourceRequirements};
use serde_json::{Value, json};
use wavetank::api::decode::Typed;
use wavetank::api::validation::Embedding;
use wavetank::api::validation::field::{Errors, FieldError, Path};
use wavetank::api::validation::gates::{Gate, Gates, State};
use wavetank::api::validation::object::{prepare_update, set_defaults};
use wavetank::api::validation::pod::validate_pod_spec;
use wavetank::api::validation::resources::{Holder, validate_requirements};

use super::suite::{Outcome, expected, kind, run, same};

const STORED: &str = "stored before the rule, by an API server that is no 1.36";

/// The errors of a spec below one of its fields, with the rest of the spec sound.
fn errors_below(field: &str, spec: Value) -> Vec<FieldError> {
    errors_under(Gates::default(), field, spec)
}

/// The same under these gates.
fn errors_under(gates: Gates, field: &str, spec: Value) -> Vec<FieldError> {
    let mut whole = json!({
        "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30, "containers": [container(json!({"name": "app"}))],
        "os": {"name": "linux"},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    let spec: PodSpec = serde_json::from_value(whole).expect("a pod spec");
    let mut errors = Errors::under(gates);
    validate_pod_spec(&spec, None, Embedding::Template, &Path::ROOT, &mut errors);
    errors.into_list().into_iter().filter(|error| error.path.starts_with(field)).collect()
}

/// The errors of a change of a Deployment whose pods have been so before, with one gate off by now.
fn errors_of_stored(gate: Gate, field: &str, given: &Value) -> Vec<FieldError> {
    let mut spec = json!({"containers": [container(json!({"name": "app"}))]});
    spec[field] = given.clone();
    let written = json!({"metadata": {"name": "d", "namespace": "default", "resourceVersion": "1"}, "spec": {
        "selector": {"matchLabels": {"app": "d"}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": spec},
    }});
    let held: Deployment = serde_json::from_value(written).expect("a Deployment");
    let mut old = Typed::Deployment(Box::new(held.clone()));
    set_defaults(&mut old);
    let mut new = Typed::Deployment(Box::new(held));
    prepare_update(&mut new, &old, without(gate)).into_list()
}

/// The gates of 1.36 but for one.
fn without(gate: Gate) -> Gates {
    Gates::default().with(gate, State::Off)
}

/// A sound container with some fields of its own.
fn container(fields: Value) -> Value {
    let mut whole = json!({
        "name": "ctr", "image": "image", "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
    });
    for (key, value) in fields.as_object().into_iter().flatten() {
        whole[key] = value.clone();
    }
    whole
}

fn places(errors: &[FieldError]) -> Vec<(String, String)> {
    let mut all: Vec<_> = errors.iter().map(|e| (kind(e).to_owned(), e.path.clone())).collect();
    all.sort();
    all
}

fn valid_or_not(errors: &[FieldError], wanted: &Value) -> Outcome {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match (wanted["valid"] == true, lines.is_empty()) {
        (true, false) => Outcome::Different(format!("{lines:?}")),
        (false, true) => Outcome::Different("accepted".to_owned()),
        _ => Outcome::Equal,
    }
}

fn containers(list: &str, case: &Value) -> Outcome {
    let (input, wanted) = (&case["input"], &case["expected"]);
    let name = case["name"].as_str().unwrap_or("");
    if name == "invalid env var name" {
        return Outcome::Excluded("strict variable names, which 1.36 does not allow");
    }
    if name == "privilege disabled" {
        return Outcome::Excluded("written for a cluster that refuses privileged containers");
    }
    if name.ends_with("allowed-if-already-exists") {
        return Outcome::Excluded(STORED);
    }
    // What was wrong before these gates is asked with them off.
    let gates = if name.contains("RestartPolicy") && wanted["valid"] == false {
        without(Gate::ContainerRestartRules)
    } else if list == "initContainers" && name.contains("ResizePolicy")
        || name.contains("RestartContainer")
    {
        without(Gate::InPlacePodVerticalScalingInitContainers)
    } else {
        Gates::default()
    };
    let given = match input.get(list) {
        Some(given) => given.clone(),
        None => {
            let mut one = input.clone();
            one["name"] = case["name"].clone();
            json!([one])
        }
    };
    let errors = errors_under(gates, list, json!({list: given}));
    if wanted["valid"] == true {
        return valid_or_not(&errors, wanted);
    }
    same(places(&errors), expected(&wanted["expectedErrors"]))
}

/// A list of one kind below a container: each valid case is one item, named by the case.
fn listed(field: &str, named: &str, items: Option<&str>, case: &Value) -> Vec<FieldError> {
    let input = &case["input"];
    let list = match items.and_then(|items| input.get(items)) {
        Some(list) => list.clone(),
        None => {
            let mut one = input.clone();
            if !named.is_empty() && one.get(named).is_none() {
                one[named] = case["name"].clone();
            }
            json!([one])
        }
    };
    let below = format!("containers[0].{field}");
    let gates = match case["name"] == "valueFrom without a source" {
        true => without(Gate::EnvFiles),
        false => Gates::default(),
    };
    errors_under(gates, &below, json!({"containers": [container(json!({field: list}))]}))
}

fn said(errors: &[FieldError], field: &str, case: &Value) -> Outcome {
    let wanted = &case["expected"];
    if wanted["valid"] == true {
        return valid_or_not(errors, wanted);
    }
    let below = format!("containers[0].{field}");
    let words = wanted["expectedError"].as_str().unwrap_or("");
    let words = words.strip_prefix("field").unwrap_or(words);
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let lines: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(&below)).collect();
    if !lines.is_empty() && lines.iter().any(|line| line.contains(words)) {
        return Outcome::Equal;
    }
    Outcome::Different(format!("{lines:?} lack {words:?}"))
}

fn mounts(case: &Value) -> Outcome {
    let list = match case["input"].get("value") {
        Some(list) => list.clone(),
        None => {
            let mut one = case["input"].clone();
            one["name"] = case["name"].clone();
            json!([one])
        }
    };
    let claim = |name: &str| json!({"name": name, "persistentVolumeClaim": {"claimName": "c"}});
    let devices = json!([
        {"name": "xyz", "devicePath": "/foofoo"},
        {"name": "uvw", "devicePath": "/foofoo/share/test"},
    ]);
    let spec = json!({
        "volumes": [
            claim("abc"), claim("abc-123"), claim("xyz"), claim("uvw"),
            {"name": "123", "hostPath": {"path": "/foo/baz", "type": "DirectoryOrCreate"}},
            {"name": "ephemeral", "emptyDir": {}},
            {"name": "image-volume", "image": {"reference": "i", "pullPolicy": "Always"}},
        ],
        "containers": [container(json!({"volumeMounts": list, "volumeDevices": devices}))],
    });
    valid_or_not(&errors_below("containers[0].volumeMounts", spec), &case["expected"])
}

fn handler(case: &Value) -> Outcome {
    let input = &case["input"];
    let fields = if input.get("grpc").is_some() {
        let mut probe = input.clone();
        probe["successThreshold"] = json!(1);
        json!({"livenessProbe": probe})
    } else {
        json!({"lifecycle": {"preStop": input}})
    };
    let errors = errors_below("containers[0].l", json!({"containers": [container(fields)]}));
    valid_or_not(&errors, &case["expected"])
}

fn restart_policy(case: &Value) -> Outcome {
    let mut fields = case["input"].clone();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("allowRestartAllContainers");
    }
    let errors = errors_below("containers", json!({"containers": [container(fields)]}));
    same(places(&errors), expected(&case["expected"]["expectedErrors"]))
}

fn probe(case: &Value) -> Outcome {
    let mut probe = case["input"]["args"]["probe"].clone();
    if probe.get("successThreshold").is_none() {
        probe["successThreshold"] = json!(1);
    }
    let spec = json!({"containers": [container(json!({"livenessProbe": probe}))]});
    let mut errors = errors_below("containers[0].livenessProbe", spec);
    // The table asks about any probe; a liveness probe's threshold has a rule of its own.
    errors.retain(|error| error.detail != "must be 1");
    let ours: Vec<_> = places(&errors);
    let theirs = expected(&case["expected"]["want"]).into_iter();
    let moved = |path: String| path.replacen("test", "containers[0].livenessProbe", 1);
    same(ours, theirs.map(|(kind, path)| (kind, moved(path))).collect())
}

fn requirements(case: &Value) -> Outcome {
    let name = case["name"].as_str().unwrap_or("");
    let holder = if name.starts_with("pod resource") { Holder::Pod } else { Holder::Container };
    let given: ResourceRequirements =
        serde_json::from_value(case["input"]["requirements"].clone()).expect("requirements");
    let mut errors = Errors::new();
    validate_requirements(&given, holder, &BTreeSet::new(), &Path::ROOT, &mut errors);
    valid_or_not(errors.list(), &case["expected"])
}

fn resource_name(case: &Value) -> Outcome {
    let name = case["input"]["input"].as_str().unwrap_or("");
    let given: ResourceRequirements =
        serde_json::from_value(json!({"limits": {name: "1Gi", "cpu": "1"}})).expect("limits");
    let mut errors = Errors::new();
    validate_requirements(&given, Holder::Pod, &BTreeSet::new(), &Path::ROOT, &mut errors);
    same(!errors.is_empty(), case["expected"]["expectedFailure"] == true)
}

fn spread(case: &Value) -> Outcome {
    let options = &case["input"]["opts"];
    let on = |option: &str| options.is_null() || options[option] == true;
    let merged = on("allowMatchLabelKeysInPodTopologySpreadSelectorMerge")
        && on("allowMatchLabelKeysInPodTopologySpread");
    let gates = match merged {
        true => Gates::default(),
        false => without(Gate::MatchLabelKeysInPodTopologySpreadSelectorMerge),
    };
    for lax in [
        "allowInvalidTopologySpreadConstraintLabelSelector",
        "oldPodViolatesMatchLabelKeysValidation",
    ] {
        if options[lax] == true {
            return Outcome::Excluded(STORED);
        }
    }
    let field = "topologySpreadConstraints";
    let given = &case["input"]["constraints"];
    let errors = match options["oldPodViolatesLegacyMatchLabelKeysValidation"] == true {
        true => {
            let gate = Gate::MatchLabelKeysInPodTopologySpreadSelectorMerge;
            errors_of_stored(gate, field, given)
        }
        false => errors_under(gates, field, json!({field: given})),
    };
    let theirs = expected(&case["expected"]["wantFieldErrors"]).into_iter();
    let theirs = theirs.map(|(kind, path)| (kind, path.replacen("field", field, 1)));
    same(places(&errors), theirs.collect())
}

fn gates(case: &Value) -> Outcome {
    let field = "schedulingGates";
    let errors = errors_below(field, json!({field: case["input"][field]}));
    let theirs = expected(&case["expected"]["wantFieldErrors"]).into_iter();
    let theirs = theirs.map(|(kind, path)| (kind, path.replacen("field", field, 1)));
    same(places(&errors), theirs.collect())
}

fn policy(field: &str, case: &Value) -> Outcome {
    let errors = errors_below(field, json!({field: case["input"]["value"]}));
    valid_or_not(&errors, &case["expected"])
}

#[test]
pub fn validation_containers() {
    let table = include_str!("../data/vectors/validation_containers.json");
    run("containers", table, |function, case| match function {
        "TestValidateContainers" => containers("containers", case),
        "TestValidateInitContainers" => containers("initContainers", case),
        "TestValidatePorts" => {
            valid_or_not(&listed("ports", "name", Some("p"), case), &case["expected"])
        }
        "TestValidateEnv" => said(&listed("env", "name", Some("envs"), case), "env", case),
        "TestValidateEnvFrom" => said(&listed("envFrom", "", Some("envs"), case), "envFrom", case),
        "TestValidateVolumeMounts" => mounts(case),
        "TestValidateHandler" => handler(case),
        "TestValidateRestartPolicy" => policy("restartPolicy", case),
        "TestValidateDNSPolicy" => policy("dnsPolicy", case),
        "TestValidateContainerRestartPolicy" => restart_policy(case),
        "Test_validateProbe" => probe(case),
        "TestValidateResourceRequirements" => requirements(case),
        "TestValidateTopologySpreadConstraints" => spread(case),
        "TestValidateSchedulingGates" => gates(case),
        "TestValidatePodResourceNames" => resource_name(case),
        other => Outcome::Different(format!("unknown function {other}")),
    });
}
