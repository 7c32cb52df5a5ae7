//! HorizontalPodAutoscalers: how fast they may move, and one look from end to end.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wavetank::api::autoscaling::{
    Behavior, HorizontalPodAutoscaler, MetricName, ObjectRef, ScalingRules,
};
use wavetank::api::compact::Compactor;
use wavetank::api::name::Text;
use wavetank::api::object::Object;
use wavetank::control_plane::controllers::horizontal_pod_autoscaler::behavior::{
    Bounds, Memory, Recommendation, ScaleEvent, changed_within, store,
};
use wavetank::control_plane::controllers::horizontal_pod_autoscaler::decide::{
    Decision, NO_EXTERNAL_METRICS, NO_RESOURCE_METRICS, Outcome as Ended, OwnTolerances, Rules,
    Scale, Seen, Selecting, decide, rescaled,
};
use wavetank::control_plane::controllers::horizontal_pod_autoscaler::pods::{PodFacts, Samples};
use wavetank::time::{SimDuration, SimTime};

use super::hpa_calculator::{TIMING, milli, pod, sample};
use super::objects::{NOW, instant, int, list, text};
use super::suite::{Outcome, run, same};

const WINDOW: SimDuration = SimDuration::from_secs(300);

/// An autoscaler as the API server has it.
fn autoscaler(spec: Value) -> HorizontalPodAutoscaler {
    let mut whole =
        json!({"scaleTargetRef": {"kind": "Deployment", "name": "d"}, "maxReplicas": 1});
    for (field, value) in spec.as_object().expect("fields") {
        whole[field] = value.clone();
    }
    let written = json!({"metadata": {"name": "hpa", "namespace": "n"}, "spec": whole});
    let written = serde_json::from_value(written).expect("an autoscaler");
    match Compactor::new().horizontal_pod_autoscaler(written).object {
        Object::HorizontalPodAutoscaler(it) => *it,
        other => panic!("an autoscaler became a {}", other.kind()),
    }
}

/// The rules a table gives, or the defaults.
fn behavior(up: &Value, down: &Value) -> Behavior {
    let up = match up.is_null() {
        true => json!({"stabilizationWindowSeconds": 0, "policies": [
            {"type": "Pods", "value": 4, "periodSeconds": 15},
            {"type": "Percent", "value": 100, "periodSeconds": 15},
        ]}),
        false => up.clone(),
    };
    let down = match down.is_null() {
        true => json!({"policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}),
        false => down.clone(),
    };
    let it = autoscaler(json!({"behavior": {"scaleUp": up, "scaleDown": down}}));
    it.spec.behavior.clone().expect("a behavior")
}

fn events(written: &Value) -> Vec<ScaleEvent> {
    let one = |event: &Value| ScaleEvent {
        change: int(&event["replicaChange"]) as i32,
        at: instant(&event["timestamp"]).expect("an instant"),
        is_outdated: event["outdated"] == true,
    };
    list(written).iter().map(one).collect()
}

fn recommendations(written: &Value) -> Vec<Recommendation> {
    let one = |it: &Value| Recommendation {
        replicas: int(&it["recommendation"]) as i32,
        at: instant(&it["timestamp"]).expect("an instant"),
    };
    list(written).iter().map(one).collect()
}

fn within_rates(input: &Value, expected: &Value) -> Outcome {
    let memory = Memory {
        recommendations: Vec::new(),
        ups: events(&input["scaleUpEvents"]),
        downs: events(&input["scaleDownEvents"]),
    };
    let number = |field: &str| int(&input[field]) as i32;
    let bounds = Bounds { min: number("specMinReplicas"), max: number("specMaxReplicas") };
    let rules = behavior(&input["scaleUpRules"], &input["scaleDownRules"]);
    let wanted = (number("currentReplicas"), number("prenormalizedDesiredReplicas"));
    let (replicas, (reason, _)) = memory.rated(&rules, wanted, bounds, NOW);
    let ours = json!({"expectedReplicas": replicas, "expectedCondition": reason});
    same(&ours, expected)
}

fn stored(input: &Value, expected: &Value) -> Outcome {
    let mut held = events(&input["prevScaleEvents"]);
    let rules: Option<ScalingRules> = (!input["scalingRules"].is_null())
        .then(|| behavior(&input["scalingRules"], &Value::Null).up);
    let longest = rules.iter().flat_map(|it| &it.policies).map(|it| it.period_seconds).max();
    let changed = changed_within(longest.unwrap_or(0), &held, NOW);
    store(&mut held, rules.as_ref(), int(&input["replicaChange"]) as i32, NOW);
    let shown = |event: &ScaleEvent| (event.change, event.is_outdated);
    let ours: Vec<_> = held.iter().map(shown).collect();
    let theirs: Vec<_> = events(&expected["newScaleEvents"]).iter().map(shown).collect();
    same((ours, changed), (theirs, int(&expected["expectedReplicasChange"]) as i32))
}

fn stabilized(input: &Value, expected: &Value) -> Outcome {
    let recommendations = recommendations(&input["recommendations"]);
    let mut memory = Memory { recommendations, ..Memory::default() };
    let desired = int(&input["prenormalizedDesiredReplicas"]) as i32;
    let theirs = int(&expected["expectedStabilizedReplicas"]) as i32;
    let Some(up) = input["scaleUpStabilizationWindowSeconds"].as_u64() else {
        let ours = memory.stabilize(desired, WINDOW, NOW);
        let length = int(&expected["expectedLogLength"]) as usize;
        return same((ours, memory.recommendations.len()), (theirs, length));
    };
    let down = int(&input["scaleDownStabilizationWindowSeconds"]) as u64;
    let windows = (SimDuration::from_secs(up), SimDuration::from_secs(down));
    let wanted = (int(&input["currentReplicas"]) as i32, desired);
    let ours = memory.stabilize_both_ways(wanted, windows, NOW);
    let Some(held) = expected["expectedRecommendations"].as_array() else {
        return same(ours, theirs);
    };
    let held: Vec<_> = held.iter().map(|it| int(&it["recommendation"]) as i32).collect();
    let kept: Vec<_> = memory.recommendations.iter().map(|it| it.replicas).collect();
    same((ours, kept), (theirs, held))
}

fn bounded(input: &Value, expected: &Value) -> Outcome {
    use wavetank::control_plane::controllers::horizontal_pod_autoscaler::behavior::bounded;
    let number = |field: &str| int(&input[field]) as i32;
    let bounds = Bounds { min: number("hpaMinReplicas"), max: number("hpaMaxReplicas") };
    let desired = int(&expected["expectedDesiredReplicas"]) as i32;
    let (replicas, (reason, _)) = bounded(number("currentReplicas"), desired, bounds);
    let theirs = (&expected["expectedConvertedDesiredReplicas"], &expected["expectedCondition"]);
    same((&json!(replicas), &json!(reason)), theirs)
}

/// What the tables' fake clients show.
struct Shown {
    pods: Vec<PodFacts<usize>>,
    requests: Vec<i64>,
    levels: Vec<i64>,
    /// Whether the metrics from outside are none.
    is_external_empty: bool,
}

impl Seen<usize> for Shown {
    fn pods(&self) -> &[PodFacts<usize>] {
        &self.pods
    }

    fn requests(&self, _: &str, _: Option<&str>) -> Result<BTreeMap<usize, i64>, Text> {
        let of = |pod: &PodFacts<usize>| match self.requests.get(pod.key) {
            Some(request) => Ok((pod.key, *request)),
            None => Err("missing request for cpu".into()),
        };
        self.pods.iter().map(of).collect()
    }

    fn resource(&self, _: &str, _: Option<&str>) -> Result<Samples<usize>, Text> {
        if self.levels.is_empty() {
            return Err(NO_RESOURCE_METRICS.into());
        }
        Ok(self.levels.iter().enumerate().map(|(i, level)| (i, sample(*level))).collect())
    }

    fn of_pods(&self, _: &MetricName) -> Result<Samples<usize>, Text> {
        self.resource("", None)
    }

    fn of_object(&self, _: &MetricName, _: &ObjectRef) -> Result<i64, Text> {
        Ok(self.levels[0])
    }

    fn external(&self, _: &MetricName) -> Result<Vec<i64>, Text> {
        match self.is_external_empty {
            true => Err(NO_EXTERNAL_METRICS.into()),
            false => Ok(self.levels.clone()),
        }
    }
}

fn looked_at(name: &str, input: &Value) -> Decision {
    let mut metrics = list(&input["metricsTarget"]).to_vec();
    if int(&input["cpuTarget"]) > 0 {
        let target = json!({"type": "Utilization", "averageUtilization": input["cpuTarget"]});
        metrics
            .insert(0, json!({"type": "Resource", "resource": {"name": "cpu", "target": target}}));
    }
    let mut spec =
        json!({"maxReplicas": input["maxReplicas"], "minReplicas": input["minReplicas"]});
    spec["metrics"] = metrics.into();
    let hpa = autoscaler(spec);
    let behavior = (!input["scaleUpRules"].is_null() || !input["scaleDownRules"].is_null())
        .then(|| behavior(&input["scaleUpRules"], &input["scaleDownRules"]));
    let hpa = match behavior {
        None => hpa,
        Some(behavior) => {
            let mut spec = (*hpa.spec).clone();
            spec.behavior = Some(behavior);
            HorizontalPodAutoscaler { spec: spec.into(), ..hpa }
        }
    };
    let requests = list(&input["reportedCPURequests"]);
    let there = int(&input["statusReplicas"]) as usize;
    let count = if input["reportedCPURequests"].is_array() { requests.len().max(1) } else { there };
    let shown = Shown {
        pods: (0..count).map(|i| pod(i, "reportedPod", input)).collect(),
        requests: requests.iter().map(milli).collect(),
        levels: list(&input["reportedLevels"]).iter().map(int).collect(),
        is_external_empty: name.contains("OneMetricEmpty"),
    };
    let scale = Scale {
        wanted: int(&input["specReplicas"]) as i32,
        there: there as i32,
        // What the table has lost but in names.
        selector: match name {
            "ConditionInvalidSelectorMissing" => Selecting::Missing,
            "ConditionInvalidSelectorUnparsable" => Selecting::Unreadable("cheddar cheese".into()),
            _ if name.starts_with("ConditionAmbiguousSelector") => {
                Selecting::Ambiguous("two".into())
            }
            _ => Selecting::Clear,
        },
    };
    let scale = match name {
        "ConditionFailedGetScale" => Err("something went wrong"),
        _ => Ok(&scale),
    };
    let mut memory = Memory::default();
    if input["recommendations"].is_array() {
        // The controller has looked before, so long ago that it does not matter.
        memory.recommendations.push(Recommendation { replicas: 0, at: SimTime::ZERO });
    }
    let own = match input["configurableToleranceGate"] == false {
        true => OwnTolerances::Ignored,
        false => OwnTolerances::Used,
    };
    let rules = Rules { timing: TIMING, own_tolerances: own, ..Rules::default() };
    decide(&hpa, scale, &shown, &mut memory, (&rules, NOW))
}

fn action(decision: &Decision) -> &'static str {
    match &decision.rescale {
        None => "none",
        Some(rescale) if rescale.to > rescale.from => "scale_up",
        Some(_) => "scale_down",
    }
}

/// The reason of every condition once the target is scaled, which nothing refuses here.
fn conditions(decision: &Decision) -> Value {
    let mut status = decision.status.clone();
    if let Some(rescale) = &decision.rescale {
        rescaled(&mut status, rescale, NOW);
    }
    let shown = status.conditions.iter().map(|one| {
        let value = if one.value == Some(true) { "True" } else { "False" };
        (one.kind.name().to_owned(), json!({"status": value, "reason": &*one.reason}))
    });
    Value::Object(shown.collect())
}

fn reconciled(name: &str, input: &Value, expected: &Value) -> Outcome {
    let decision = looked_at(name, input);
    let current = int(&input["specReplicas"]);
    let desired = decision.rescale.as_ref().map_or(current, |rescale| i64::from(rescale.to));
    let error = if decision.outcome == Ended::Done { "none" } else { "internal" };
    let ours = json!({
        "expectedDesiredReplicas": desired,
        "expectedReportedReconciliationActionLabel": action(&decision),
        "expectedReportedReconciliationErrorLabel": error,
    });
    for (field, value) in ours.as_object().expect("values") {
        if expected[field] != *value {
            let theirs = &expected[field];
            return Outcome::Different(format!("{field}: ours {value}, theirs {theirs}"));
        }
    }
    let shown = conditions(&decision);
    for one in list(&expected["expectedConditions"]) {
        let ours = &shown[text(&one["type"])];
        if ours["status"] != one["status"] || ours["reason"] != one["reason"] {
            return Outcome::Different(format!("ours {shown}, theirs {one}"));
        }
    }
    Outcome::Equal
}

fn tolerant(input: &Value, expected: &Value) -> Outcome {
    let mut whole = input.clone();
    for (field, from) in [("specReplicas", "replicas"), ("statusReplicas", "replicas")] {
        whole[field] = input[from].clone();
    }
    (whole["minReplicas"], whole["maxReplicas"]) = (json!(1), json!(5));
    whole["cpuTarget"] = json!(100);
    // Rules that give nothing but a tolerance have the defaults beside it.
    let filled = |rules: &Value, default: Value| {
        let mut filled = default;
        filled["tolerance"] = rules["tolerance"].clone();
        if rules.is_null() { Value::Null } else { filled }
    };
    let policies = json!([{"type": "Pods", "value": 4, "periodSeconds": 15}]);
    for field in ["scaleUpRules", "scaleDownRules"] {
        whole[field] = filled(&input[field], json!({"policies": policies}));
    }
    whole["recommendations"] = json!([]);
    let decision = looked_at("", &whole);
    let desired = decision.rescale.as_ref().map_or(int(&input["replicas"]), |it| it.to.into());
    let ours = json!({
        "expectedDesiredReplicas": desired,
        "expectedConditionReason": conditions(&decision)["AbleToScale"]["reason"],
        "expectedActionLabel": action(&decision),
    });
    same(&ours, expected)
}

#[test]
pub fn hpa_behavior() {
    let data = include_str!("../data/vectors/hpa_behavior.json");
    let tally = run("hpa_behavior", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestScalingWithRules" => within_rates(input, expected),
            "TestStoreScaleEvents" => stored(input, expected),
            "TestConvertDesiredReplicasWithRules" => bounded(input, expected),
            "TestConfigurableTolerance" => tolerant(input, expected),
            _ => stabilized(input, expected),
        }
    });
    assert_eq!((tally.equal, tally.excluded.len()), (75, 0));
}

#[test]
pub fn hpa_reconcile() {
    let data = include_str!("../data/vectors/hpa_reconcile.json");
    let tally = run("hpa_reconcile", data, |_, case| {
        reconciled(text(&case["name"]), &case["input"], &case["expected"])
    });
    assert_eq!((tally.equal, tally.excluded.len()), (51, 0));
}
