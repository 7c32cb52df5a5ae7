//! What the API server adds to new pods, and which PriorityClasses it takes.

use serde_json::Value;
use wavetank::api::kind::Kind;
use wavetank::api::meta::RawId;
use wavetank::api::misc::PriorityClass;
use wavetank::api::object::Object;
use wavetank::api::pod::{Pod, Preemption};
use wavetank::api::rules::taints::Toleration;
use wavetank::messages::request::Propagation;
use wavetank::messages::{Call, Part};

use super::api_server::{Api, class, pod};
use super::objects::{int, list, pod_spec, text};
use super::suite::{Outcome, run, same};

const NAMESPACES: [&str; 4] = ["default", "namespace", "kube-system", "non-system-namespace"];

/// A server that knows these classes.
fn with_classes(classes: &Value) -> Api {
    let mut api = Api::new(&NAMESPACES);
    for one in list(classes) {
        // Two defaults can only come about behind the server's back.
        let Object::PriorityClass(class) = class(one) else { continue };
        api.store.create(super::objects::NOW, *class);
    }
    api
}

/// A new pod as it is stored, or `None` if it is refused.
fn stored(api: &mut Api, written: &Value) -> Option<Pod> {
    let done = api.create(pod(written)).ok()?;
    api.store.get::<Pod>(done.id.typed()).cloned()
}

fn priority(input: &Value, expected: &Value) -> Outcome {
    let ours = stored(&mut with_classes(&input["existingClasses"]), &input["pod"]);
    if expected["expectError"] == true {
        return same(ours.is_none(), true);
    }
    let policy = match text(&expected["expectPreemptionPolicy"]) {
        "Never" => Preemption::Never,
        _ => Preemption::default(),
    };
    let theirs = (int(&expected["expectedPriority"]) as i32, policy);
    same(ours.map(|pod| (pod.spec.priority, pod.spec.preemption)), Some(theirs))
}

fn default_class(input: &Value, expected: &Value) -> Outcome {
    let plain = serde_json::json!({"spec": {"containers": [{"name": "c", "image": "x"}]}});
    let ask = |classes: &Value| {
        let pod = stored(&mut with_classes(classes), &plain).expect("a pod that is taken");
        (i64::from(pod.spec.priority), pod.spec.priority_class.to_string())
    };
    let theirs = |when: &str| {
        let name = text(&expected[format!("expectedDefaultName{when}")]).to_owned();
        (int(&expected[format!("expectedDefault{when}")]), name)
    };
    let ours = (ask(&input["classesBefore"]), ask(&input["classesAfter"]));
    same(ours, (theirs("Before"), theirs("After")))
}

fn new_class(input: &Value, expected: &Value) -> Outcome {
    let mut api = with_classes(&input["existingClasses"]);
    let Object::PriorityClass(new) = class(&input["newClass"]) else {
        return Outcome::Different("it became something else".to_owned());
    };
    let call = match text(&input["operation"]) {
        "CREATE" => Call::Create(Object::PriorityClass(new)),
        "UPDATE" => {
            let mut before: PriorityClass = (*new).clone();
            before.scope = Default::default();
            let id: RawId = api.store.create(super::objects::NOW, before).into();
            Call::Update { id, object: Object::PriorityClass(new), base: None, part: Part::Main }
        }
        _ => {
            let id: RawId = api.store.create(super::objects::NOW, *new).into();
            let (uid, grace_seconds, propagation) = (None, None, Propagation::Background);
            Call::Delete { kind: Kind::PriorityClass, id, uid, grace_seconds, propagation }
        }
    };
    same(api.call(call).is_err(), expected["expectError"] == true)
}

fn tolerations(input: &Value, expected: &Value) -> Outcome {
    let ours = stored(&mut with_classes(&Value::Null), &input["requestedPod"]);
    let theirs: Vec<Toleration> = pod_spec(&expected["expectedPod"]["spec"]).tolerations.clone();
    same(ours.map(|pod| pod.spec.tolerations.clone()), Some(theirs))
}

#[test]
pub fn pod_admission() {
    let data = include_str!("../data/vectors/pod_admission.json");
    run("pod admission", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestPodAdmission" => priority(input, expected),
            "TestDefaultPriority" => default_class(input, expected),
            "TestPriorityClassAdmission" => new_class(input, expected),
            "TestForgivenessAdmission" => tolerations(input, expected),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
}
