//! HorizontalPodAutoscalers: from metrics to a number of replicas, which pods count, what they ask for.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wavetank::api::node::Tristate;
use wavetank::api::pod::Phase;
use wavetank::api::quantity::Quantity;
use wavetank::api::rules::resources::PodLevel;
use wavetank::control_plane::controllers::horizontal_pod_autoscaler::calculator::{
    PerPod, Proposal, Tolerances, by_share, by_value, sum,
};
use wavetank::control_plane::controllers::horizontal_pod_autoscaler::decide::NO_RESOURCE_METRICS;
use wavetank::control_plane::controllers::horizontal_pod_autoscaler::pods::{
    PodFacts, Sample, Samples, Timing, group, request,
};
use wavetank::time::{SimDuration, SimTime};

use super::objects::{self, NOW, instant, int, list, phase, text};
use super::suite::{Outcome, run, same};

/// What the tables' controllers are set to.
pub(super) const TIMING: Timing = Timing {
    cpu_initialization: SimDuration::from_secs(120),
    initial_readiness: SimDuration::from_secs(10),
};
/// The window of the tables' samples.
pub(super) const WINDOW: SimDuration = SimDuration::from_secs(60);

/// The `i`-th pod of a table: ready and running for ever but for what the table says.
pub(super) fn pod(i: usize, prefix: &str, input: &Value) -> PodFacts<usize> {
    let of = |field: &str| &input[format!("{prefix}{field}")][i];
    let started = instant(of("StartTime")).unwrap_or(SimTime::ZERO);
    let ready = Tristate::parse(of("Readiness").as_str().unwrap_or("True"));
    PodFacts {
        key: i,
        is_deleting: of("DeletionTimestamp") == true,
        phase: if of("Phase").is_null() { Phase::Running } else { phase(of("Phase")) },
        ready: Some((ready, started)),
        started: Some(started),
    }
}

fn pods(input: &Value) -> Vec<PodFacts<usize>> {
    let count = list(&input["podPhase"]).len().max(int(&input["currentReplicas"]) as usize);
    (0..count).map(|i| pod(i, "pod", input)).collect()
}

pub(super) fn sample(value: i64) -> Sample {
    Sample { value, at: NOW, window: WINDOW }
}

/// What each pod uses: of one container, or of all.
fn usage(resource: &Value, container: &str) -> Samples<usize> {
    let mut samples = Samples::new();
    for (i, levels) in list(&resource["levels"]).iter().enumerate() {
        let key = match resource["podNames"][i].as_str() {
            // A pod of another name than any there is.
            Some(_) => usize::MAX - i,
            None => i,
        };
        let levels = list(levels);
        let value = match container.strip_prefix("container") {
            None => Some(levels.iter().map(int).sum()),
            Some(number) => {
                let at: usize = number.parse().expect("a number");
                levels.get(at - 1).map(int)
            }
        };
        if let Some(value) = value {
            samples.insert(key, sample(value));
        }
    }
    samples
}

fn tolerances(input: &Value) -> Tolerances {
    let of = |field: &str| input["tolerances"][field].as_f64().unwrap_or(0.1);
    Tolerances { down: of("scaleDown"), up: of("scaleUp") }
}

fn requests(input: &Value, pods: usize) -> Result<BTreeMap<usize, i64>, String> {
    let (requests, container) = (&input["resource"]["requests"], text(&input["container"]));
    let of = |i: usize| {
        let resources = match requests[i].as_str() {
            Some(amount) => json!({"requests": {"cpu": amount}}),
            None => json!({}),
        };
        let one = |name: &str| json!({"name": name, "resources": resources});
        let spec = json!({"containers": [one("container1"), one("container2")]});
        let container = (!container.is_empty()).then_some(container);
        request(&serde_json::from_value(spec).expect("a spec"), container, "cpu", PodLevel::Used)
            .map_err(|why| why.told("cpu", &format!("test-pod-{i}")).to_string())
    };
    (0..pods).map(|i| Ok((i, of(i)?))).collect()
}

fn proposal(input: &Value) -> Result<Proposal, String> {
    let all = pods(input);
    let current = int(&input["currentReplicas"]) as i32;
    let whole = (current, tolerances(input));
    let per_pod = |samples, resource| PerPod {
        current,
        tolerances: tolerances(input),
        pods: &all,
        samples,
        resource,
        timing: TIMING,
        now: NOW,
    };
    let resource = &input["resource"];
    if resource.is_object() {
        let name = text(&resource["name"]);
        let samples = usage(resource, text(&input["container"]));
        if samples.is_empty() {
            return Err(NO_RESOURCE_METRICS.to_owned());
        }
        let found = match resource["targetUtilization"].as_i64() {
            Some(target) => per_pod(samples, Some(name))
                .by_percent(target as i32, || requests(input, all.len()).map_err(Into::into)),
            None => per_pod(samples, Some(name)).by_average(int(&resource["targetUsage"])),
        };
        return found.map_err(|why| why.to_string());
    }
    let metric = &input["metric"];
    let levels: Vec<i64> = list(&metric["levels"]).iter().map(int).collect();
    let (target, each) = (int(&metric["targetUsage"]), int(&metric["perPodTargetUsage"]));
    match int(&metric["metricType"]) {
        0 => by_value(whole, levels[0], target, &all),
        1 => Ok(by_share(whole, levels[0], each)),
        2 => by_value(whole, sum(&levels), target, &all),
        3 => Ok(by_share(whole, sum(&levels), each)),
        4 => {
            let samples = levels.iter().enumerate().map(|(i, level)| (i, sample(*level)));
            per_pod(samples.collect(), None).by_average(target)
        }
        other => panic!("no metric of type {other}"),
    }
    .map_err(|why| why.to_string())
}

fn replicas(input: &Value, expected: &Value) -> Outcome {
    let theirs = match expected["error"]["error"].as_str() {
        Some(error) => {
            return match proposal(input) {
                Err(why) if why.contains(error) || error.ends_with(&why) => Outcome::Equal,
                ours => Outcome::Different(format!("ours {ours:?}, theirs {error}")),
            };
        }
        None => expected,
    };
    let ours = match proposal(input) {
        Ok(ours) => ours,
        Err(why) => return Outcome::Different(why),
    };
    let shown = ours.shown;
    let used = shown.value.or(shown.average);
    let found = json!({
        "replicas": ours.replicas,
        "expectedReplicas": ours.replicas,
        "expectedUtilization": shown.utilization,
        "expectedValue": used,
        "expectedUsage": used,
    });
    let fields = theirs.as_object().expect("values").iter().filter(|(_, value)| !value.is_null());
    let differs: Vec<_> = fields.filter(|(field, value)| found[*field] != **value).collect();
    if differs.is_empty() {
        return Outcome::Equal;
    }
    Outcome::Different(format!("ours {found}, theirs {differs:?}"))
}

fn groups(input: &Value, expected: &Value) -> Outcome {
    let resource = text(&input["resource"]);
    let names: Vec<&str> =
        list(&input["pods"]).iter().map(|pod| text(&pod["metadata"]["name"])).collect();
    let fact = |(key, written): (usize, &Value)| {
        let status = &written["status"];
        let ready = list(&status["conditions"]).iter().find(|one| one["type"] == "Ready");
        PodFacts {
            key,
            is_deleting: !written["metadata"]["deletionTimestamp"].is_null(),
            phase: phase(&status["phase"]),
            ready: ready.map(|one| {
                let since = instant(&one["lastTransitionTime"]).expect("an instant");
                (Tristate::parse(text(&one["status"])), since)
            }),
            started: instant(&status["startTime"]),
        }
    };
    let pods: Vec<_> = list(&input["pods"]).iter().enumerate().map(fact).collect();
    let mut samples = Samples::new();
    for (name, written) in input["metrics"].as_object().expect("metrics") {
        let key = names.iter().position(|known| known == name).expect("a pod");
        let window = text(&written["window"]).trim_end_matches('s').parse().unwrap_or(0);
        let at = instant(&written["timestamp"]).unwrap_or(SimTime::ZERO);
        let window = SimDuration::from_secs(window);
        samples.insert(key, Sample { value: int(&written["value"]), at, window });
    }
    let found = group(&pods, &samples, Some(resource), TIMING, NOW);
    let named = |keys: &[usize]| keys.iter().map(|&key| names[key]).collect::<Vec<_>>();
    let ours = json!({
        "expectReadyPodCount": found.ready,
        "expectUnreadyPods": named(&found.unready),
        "expectMissingPods": named(&found.missing),
        "expectIgnoredPods": named(&found.ignored),
    });
    same(&ours, expected)
}

fn asked(input: &Value, expected: &Value) -> Outcome {
    let container = Some(text(&input["container"])).filter(|name| !name.is_empty());
    let resource = text(&input["resource"]);
    let pod_level = match input["enablePodLevelResources"] == true {
        true => PodLevel::Used,
        false => PodLevel::Skipped,
    };
    let mut ours = json!({});
    for pod in list(&input["pods"]) {
        let name = text(&pod["metadata"]["name"]);
        let spec = serde_json::from_value(pod["spec"].clone()).expect("a spec");
        match request(&spec, container, resource, pod_level) {
            Ok(amount) => ours[name] = json!(amount),
            Err(why) => {
                return same(&*why.told(resource, name), text(&expected["expectedError"]["error"]));
            }
        }
    }
    same(&ours, &expected["expectedRequests"])
}

#[test]
pub fn hpa_replica_calculator() {
    let data = include_str!("../data/vectors/hpa_replica_calculator.json");
    let tally = run("hpa_replica_calculator", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestGroupPods" => groups(input, expected),
            "TestCalculateRequests" => asked(input, expected),
            _ => replicas(input, expected),
        }
    });
    assert_eq!((tally.equal, tally.excluded.len()), (100, 0));
}

/// An amount in thousandths.
pub(super) fn milli(written: &Value) -> i64 {
    Quantity::parse(text(written)).expect("an amount").milli_value()
}

#[test]
fn a_sample_of_a_pod_nobody_knows_counts_for_nothing() {
    let facts = objects::pod(&json!({"metadata": {"name": "a"}, "spec": {"containers": []}}));
    let pods = [PodFacts::of(0, &facts)];
    assert_eq!(pods[0].ready, None);
    let samples = Samples::from([(7, sample(5))]);
    let groups = group(&pods, &samples, Some("memory"), TIMING, NOW);
    assert_eq!((groups.ready, groups.unready.len()), (0, 1));
}
