//! Eviction thresholds, the order of victims, and oom_score_adj; see the files under `tests/data/vectors`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;
use wavetank::api::pod::Qos;
use wavetank::api::quantity::{Format, Quantity};
use wavetank::api::rules::oom_score::{OomContainer, OomPart, OomPod, oom_score_adj};
use wavetank::api::rules::resources::{amounts, counted, qos_class};
use wavetank::node::kubelet::eviction::ranking::{Candidate, Rule, order};
use wavetank::node::kubelet::eviction::thresholds::{
    Amount, Config, Layout, Measure, Observations, Since, Threshold, last_seen, met, percentage,
    pressures, seen_within, sort_by_priority, updated, with_allocatable, with_container_fs,
};
use wavetank::node::kubelet::eviction::{Observation, Pressure, Signal};
use wavetank::time::{SimDuration, SimTime};

use super::suite::{Outcome, run, same};

/// Why cases about a signal that does not exist are not asked: here a signal is a value of a type.
const NO_SIGNAL: &str = "a threshold of a signal that there is not cannot be put";

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn amount(value: &Value) -> Option<Amount> {
    if let Some(text) = value["quantity"].as_str() {
        return Some(Amount::Quantity(Quantity::parse(text).expect("a quantity")));
    }
    value["percentage"].as_f64().map(|part| Amount::Part(part as f32))
}

fn grace(value: &Value) -> SimDuration {
    let text = value["gracePeriod"].as_str().unwrap_or("0s");
    SimDuration::parse(text).expect("a duration")
}

fn threshold(value: &Value) -> Option<Threshold> {
    Some(Threshold {
        signal: Signal::named(value["signal"].as_str()?)?,
        value: amount(&value["value"]).unwrap_or(Amount::Quantity(Quantity::ZERO)),
        grace: grace(value),
        min_reclaim: amount(&value["minReclaim"]),
    })
}

fn thresholds(value: &Value) -> Vec<Threshold> {
    list(value).iter().filter_map(threshold).collect()
}

/// Thresholds as texts, sorted: tables compare them as sets. Amounts are told as numbers.
fn told(thresholds: &[Threshold]) -> Vec<String> {
    let number = |amount: Amount| match amount {
        Amount::Quantity(quantity) => format!("{}", quantity.value()),
        Amount::Part(part) => format!("{:.4}", part),
    };
    let mut told: Vec<_> = thresholds
        .iter()
        .map(|it| {
            let reclaim = it.min_reclaim.map(number);
            format!("{} {} {:?} {reclaim:?}", it.signal.name(), number(it.value), it.grace)
        })
        .collect();
    told.sort();
    told
}

/// Thresholds that stand as keys of an object, in Python's manner of writing them.
fn keyed(value: &Value) -> Vec<(Threshold, SimTime)> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .map(|(key, at)| {
            let key: Value = serde_json::from_str(&key.replace('\'', "\"")).expect("a threshold");
            (threshold(&key).expect("a signal"), instant(at))
        })
        .collect()
}

const NOW: SimTime = SimTime::from_secs(1000);

fn instant(value: &Value) -> SimTime {
    match value.as_str().and_then(|text| text.strip_prefix("now-")) {
        Some(ago) => NOW.saturating_sub(SimDuration::parse(ago).expect("a duration")),
        None => NOW,
    }
}

fn observations(value: &Value) -> Observations {
    let quantity = |value: &Value| {
        value.as_str().map_or(Quantity::ZERO, |text| Quantity::parse(text).expect("a quantity"))
    };
    let entries = value.as_object().into_iter().flatten();
    let of = |(signal, seen): (&String, &Value)| {
        let capacity = quantity(&seen["capacity"]);
        // The minutes of an instant of the year 2016 tell them apart.
        let minute = seen["time"].as_str().and_then(|text| text.get(14..16)?.parse().ok());
        let available = quantity(&seen["available"]);
        let observation = Observation { capacity, available, at: minute.map(SimTime::from_secs) };
        Some((Signal::named(signal)?, observation))
    };
    entries.filter_map(of).collect()
}

fn pressure(value: &Value) -> Pressure {
    let all = [Pressure::Memory, Pressure::Disk, Pressure::Pid];
    all.into_iter().find(|one| *one.name() == *value).expect("a condition")
}

fn seen(value: &Value) -> BTreeMap<Pressure, SimTime> {
    let entries = value.as_object().into_iter().flatten();
    entries.map(|(name, at)| (pressure(&Value::from(&**name)), instant(at))).collect()
}

fn names(found: &[Pressure]) -> Vec<&'static str> {
    found.iter().map(|one| one.name()).collect()
}

fn expected_names(value: &Value) -> Vec<&str> {
    list(value).iter().filter_map(Value::as_str).collect()
}

fn parsed(input: &Value) -> Result<Vec<Threshold>, String> {
    let map = |field: &str| -> Vec<(String, String)> {
        let entries = input[field].as_object().into_iter().flatten();
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        entries.map(|(name, value)| (name.clone(), text(value))).collect()
    };
    fn lent(map: &[(String, String)]) -> Vec<(&str, &str)> {
        map.iter().map(|(name, value)| (&**name, &**value)).collect()
    }
    let enforced = expected_names(&input["allocatableConfig"]);
    let (hard, soft) = (map("evictionHard"), map("evictionSoft"));
    let (graces, reclaims) = (map("evictionSoftGracePeriod"), map("evictionMinReclaim"));
    Config {
        enforced: &enforced,
        hard: &lent(&hard),
        soft: &lent(&soft),
        soft_grace: &lent(&graces),
        min_reclaim: &lent(&reclaims),
    }
    .thresholds()
}

fn container_fs(input: &Value, expected: &Value) -> Outcome {
    let layout = match (input["imageFs"].as_bool(), input["containerFs"].as_bool()) {
        (Some(true), Some(false)) => Layout::WithImages,
        _ => Layout::WithNode,
    };
    let (ours, ignored) = with_container_fs(&thresholds(&input["thresholdList"]), layout);
    let own = |it: &&Threshold| it.signal.name().starts_with("containerfs");
    let ours: Vec<_> = ours.iter().filter(own).copied().collect();
    let fields = [
        "expectedContainerFsHard",
        "expectedContainerFsSoft",
        "expectedContainerFsINodesHard",
        "expectedContainerFsINodesSoft",
    ];
    let theirs: Vec<_> = fields.iter().filter_map(|field| threshold(&expected[*field])).collect();
    same((told(&ours), !ignored.is_empty()), (told(&theirs), expected["expectErr"] == true))
}

fn eviction(function: &str, case: &Value) -> Outcome {
    let (input, expected) = (&case["input"], &case["expected"]);
    match function {
        "TestParseThresholdConfig" => {
            let theirs = match expected["expectErr"].as_bool() {
                Some(true) => None,
                _ => Some(told(&thresholds(&expected["expectThresholds"]))),
            };
            same(parsed(input).ok().map(|ours| told(&ours)), theirs)
        }
        "TestAddAllocatableThresholds" => {
            let ours = with_allocatable(&thresholds(&input["thresholds"]));
            same(told(&ours), told(&thresholds(&expected["expected"])))
        }
        "TestSortByEvictionPriority" => {
            let mut ours = thresholds(&input["thresholds"]);
            sort_by_priority(&mut ours);
            let signals =
                |all: &[Threshold]| -> Vec<_> { all.iter().map(|it| it.signal).collect() };
            same(signals(&ours), signals(&thresholds(&expected["expected"])))
        }
        "TestThresholdsMet" | "TestPercentageThresholdsMet" => {
            let strict = input["enforceMinReclaim"] == true || input["enforceMinRelaim"] == true;
            let measure = if strict { Measure::WithReclaim } else { Measure::Value };
            let seen = observations(&input["observations"]);
            let ours = met(&thresholds(&input["thresholds"]), &seen, measure);
            same(told(&ours), told(&thresholds(&expected["result"])))
        }
        "TestThresholdsUpdatedStats" => {
            let (seen, last) = (observations(&input["observations"]), observations(&input["last"]));
            let ours = updated(&thresholds(&input["thresholds"]), &seen, &last);
            same(told(&ours), told(&thresholds(&expected["result"])))
        }
        "TestThresholdsFirstObservedAt" => {
            let mut before = Since::default();
            keyed(&input["lastObservedAt"]).into_iter().for_each(|(it, at)| before.set(it, at));
            let ours = before.now_met(&thresholds(&input["thresholds"]), NOW);
            let ours: Vec<_> = ours.iter().map(|(it, at)| (told(&[*it]), *at)).collect();
            let theirs = keyed(&expected["result"]);
            same(ours, theirs.iter().map(|(it, at)| (told(&[*it]), *at)).collect())
        }
        "TestThresholdsMetGracePeriod" => {
            let mut since = Since::default();
            keyed(&input["observedAt"]).into_iter().for_each(|(it, at)| since.set(it, at));
            same(told(&since.over_grace(NOW)), told(&thresholds(&expected["result"])))
        }
        "TestParsePercentage" => {
            let ours = percentage(input["value"].as_str().unwrap_or("")).ok();
            let theirs = expected["value"].as_f64().filter(|_| expected["hasError"] != true);
            same(ours, theirs.map(|part| part as f32))
        }
        "TestCompareThresholdValue" => {
            let (a, b) = (amount(&input["a"]), amount(&input["b"]));
            let (a, b) = (a.expect("an amount"), b.expect("an amount"));
            same(a.is_same(b), expected["equal"] == true)
        }
        "TestGetReclaimableThreshold" => {
            let given = list(&input["thresholds"]);
            if given.iter().any(|it| threshold(it).is_none()) {
                return Outcome::Excluded(NO_SIGNAL);
            }
            let mut ours = thresholds(&input["thresholds"]);
            sort_by_priority(&mut ours);
            let first = ours.first().map(|it| (it.signal.name(), it.signal.starved().name()));
            let theirs = expected["expectedThreshold"]["signal"].as_str();
            same(first, theirs.zip(expected["expectedResourceName"].as_str()))
        }
        "TestAddContainerFsThresholds" => container_fs(input, expected),
        _ => conditions(function, input, expected),
    }
}

fn conditions(function: &str, input: &Value, expected: &Value) -> Outcome {
    match function {
        "TestNodeConditions" => {
            let ours = pressures(&thresholds(&input["inputs"]));
            same(names(&ours), expected_names(&expected["result"]))
        }
        "TestNodeConditionsLastObservedAt" => {
            let now: Vec<_> = list(&input["nodeConditions"]).iter().map(pressure).collect();
            let ours = last_seen(&now, &seen(&input["lastObservedAt"]), NOW);
            same(ours, seen(&expected["result"]))
        }
        "TestNodeConditionsObservedSince" => {
            let period =
                SimDuration::parse(input["period"].as_str().unwrap_or("")).expect("a span");
            let ours = seen_within(&seen(&input["observedAt"]), period, NOW);
            same(names(&ours), expected_names(&expected["result"]))
        }
        _ => Outcome::Different(format!("{function} is not asked")),
    }
}

#[test]
pub fn thresholds_are_read_met_and_held_as_in_the_kubelet() {
    let table = include_str!("../data/vectors/kubelet_eviction.json");
    run("kubelet_eviction", table, eviction);
}

fn candidate(pod: &Value) -> Candidate {
    let spec: Pod =
        serde_json::from_value(serde_json::json!({"spec": pod["spec"]})).expect("a pod");
    let spec = spec.spec.expect("a spec");
    let asked = spec.containers.iter().fold((0, 0), |(memory, disk), container| {
        let requests = container.resources.as_ref().and_then(|it| it.requests.as_ref());
        let asked = counted(&amounts(requests));
        (memory + asked.memory, disk + asked.ephemeral_storage)
    });
    let stats = &pod["stats"];
    let number = |value: &Value| value.as_i64().unwrap_or(0);
    let containers = list(&stats["containers"]);
    let local = |name: &Value| {
        list(&pod["spec"]["volumes"])
            .iter()
            .any(|one| one["name"] == *name && !one["emptyDir"].is_null())
    };
    let volumes = || list(&stats["volume"]).iter().filter(|one| local(&one["name"]));
    let sum = |field: &str, of: &str| -> i64 {
        containers.iter().map(|one| number(&one[field][of])).sum()
    };
    Candidate {
        priority: spec.priority.unwrap_or(0),
        memory: number(&stats["memory"]["workingSetBytes"]),
        memory_asked: asked.0,
        disk: sum("rootfs", "usedBytes")
            + sum("logs", "usedBytes")
            + volumes().map(|one| number(&one["usedBytes"])).sum::<i64>(),
        disk_asked: asked.1,
        inodes: sum("rootfs", "inodesUsed")
            + volumes().map(|one| number(&one["inodesUsed"])).sum::<i64>(),
        processes: number(&stats["process_stats"]["process_count"]),
    }
}

fn ranking(_: &str, case: &Value) -> Outcome {
    let rules: Vec<_> = case["input"]["comparators"]
        .as_str()
        .unwrap_or("")
        .split(',')
        .map(|name| match name {
            "exceedMemoryRequests" => Rule::ExceedsMemory,
            "exceedDiskRequests" => Rule::ExceedsDisk,
            "priority" => Rule::Priority,
            "memory" => Rule::Memory,
            "disk" => Rule::Disk,
            "disk(inodes)" => Rule::Inodes,
            "process" => Rule::Processes,
            other => panic!("no rule {other}"),
        })
        .collect();
    let pods = list(&case["input"]["pods"]);
    let candidates: Vec<_> = pods.iter().map(candidate).collect();
    let places = order(&candidates, &rules);
    let ours: Vec<_> = places.into_iter().filter_map(|at| pods[at]["name"].as_str()).collect();
    same(ours, expected_names(&case["expected"]["order"]))
}

#[test]
pub fn victims_go_in_the_kubelets_order() {
    let table = include_str!("../data/vectors/kubelet_eviction_ranking.json");
    run("kubelet_eviction_ranking", table, ranking);
}

fn oom(_: &str, case: &Value) -> Outcome {
    let input = &case["input"];
    let pod: Pod = serde_json::from_value(input["pod"].clone()).expect("a pod");
    let qos = match qos_class(&pod).name() {
        "Guaranteed" => Qos::Guaranteed,
        "Burstable" => Qos::Burstable,
        _ => Qos::BestEffort,
    };
    let spec = pod.spec.expect("a spec");
    let inits = spec.init_containers.clone().unwrap_or_default();
    let all: Vec<_> = inits.iter().chain(&spec.containers).collect();
    let memory = |it: Option<&k8s_openapi::api::core::v1::ResourceRequirements>| {
        counted(&amounts(it.and_then(|it| it.requests.as_ref()))).memory
    };
    let containers: Vec<_> = all
        .iter()
        .enumerate()
        .map(|(at, one)| OomContainer {
            asked: memory(one.resources.as_ref()),
            part: match one.restart_policy.as_deref() {
                _ if at >= inits.len() => OomPart::Main,
                Some("Always") => OomPart::Sidecar,
                _ => OomPart::Init,
            },
        })
        .collect();
    let whole = spec.resources.as_ref().filter(|it| it.requests.is_some());
    let pod = OomPod {
        qos,
        priority: spec.priority.unwrap_or(0),
        priority_class: spec.priority_class_name.as_deref().unwrap_or(""),
        asked: whole.map(|it| memory(Some(it))),
        containers: &containers,
    };
    let capacity = input["memoryCapacity"].as_i64().unwrap_or(0);
    let bounds = case["expected"]["lowHighOOMScoreAdj"].as_object().into_iter().flatten();
    for (name, bound) in bounds {
        let at = all.iter().position(|one| one.name == *name).expect("a container");
        let ours = oom_score_adj(&pod, at, capacity);
        let number = |field: &str| bound[field].as_i64().unwrap_or(0);
        if !(number("lowOOMScoreAdj")..=number("highOOMScoreAdj")).contains(&ours) {
            return Outcome::Different(format!("{name}: ours {ours}, theirs {bound}"));
        }
    }
    Outcome::Equal
}

#[test]
pub fn oom_scores_are_the_kubelets() {
    run("oom_score_adj", include_str!("../data/vectors/oom_score_adj.json"), oom);
}

#[test]
fn amounts_of_parts_are_whole_bytes() {
    let capacity = Quantity::new(1000, Format::BinarySi);
    assert_eq!(Amount::Part(0.15).of(capacity).value(), 150);
}
