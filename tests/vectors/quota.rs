//! ResourceQuotas: what objects use, which quotas they count for, what admission says, and what the
//! controller writes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::object::Object;
use wavetank::api::pod::Pod;
use wavetank::api::quantity::Quantity;
use wavetank::api::resource_quota::{QuotaScope, QuotaStatus, ResourceQuota, ScopeRule};
use wavetank::api::rules::quota::admission::{Limited, charge};
use wavetank::api::rules::quota::amounts::{
    above, difference, is_zero, masked, negative, without_zeros,
};
use wavetank::api::rules::quota::{Item, Life, PodAccount, is_charged};
use wavetank::api::rules::resources::{Amounts, add, is_huge_pages, raise};
use wavetank::api::rules::selector::Operator;
use wavetank::control_plane::controllers::resource_quota::status_of;
use wavetank::store::{Cursors, Store, Stored, View};
use wavetank::time::SimTime;

use super::objects::{self, NOW, list, text};
use super::suite::{Outcome, run, same};

const NO_LIST: &str = "a cache that cannot list is not modelled";

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).expect("an object of its kind")
}

fn amounts(value: &Value) -> Amounts {
    let all = value.as_object().into_iter().flatten();
    all.map(|(name, it)| (name.clone(), Quantity::parse(text(it)).expect("a quantity"))).collect()
}

/// Amounts with their texts, so that forms are compared too.
fn shown(amounts: &Amounts) -> BTreeMap<String, String> {
    amounts.iter().map(|(name, it)| (name.clone(), it.to_string())).collect()
}

fn pod(value: &Value) -> Pod {
    let mut value = value.clone();
    let (meta, phase) = (objects::meta(&value["metadata"]), value["status"]["phase"].clone());
    value["metadata"] = json!({"name": "pod"});
    value["status"] = json!({"phase": phase});
    let Object::Pod(mut pod) = Compactor::new().pod(read(&value)).object else {
        panic!("a pod became something else")
    };
    pod.status.phase = match text(&phase) {
        "Succeeded" => wavetank::api::pod::Phase::Succeeded,
        "Failed" => wavetank::api::pod::Phase::Failed,
        "Running" => wavetank::api::pod::Phase::Running,
        _ => wavetank::api::pod::Phase::Pending,
    };
    pod.meta = meta;
    *pod
}

fn life(pod: &Pod) -> Life {
    if is_charged(pod, NOW) { Life::Charged } else { Life::Free }
}

fn quota(value: &Value) -> ResourceQuota {
    let Object::ResourceQuota(quota) = Compactor::new().resource_quota(read(value)).object else {
        panic!("a quota became something else")
    };
    *quota
}

fn service_usage(value: &Value) -> Amounts {
    let Object::Service(service) = Compactor::new().service(read(value)).object else {
        panic!("a Service became something else")
    };
    Item::Service(&service.spec).usage()
}

fn rule(value: &Value) -> ScopeRule {
    ScopeRule {
        scope: QuotaScope::named(text(&value["scopeName"])).expect("a scope"),
        operator: match text(&value["operator"]) {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "DoesNotExist" => Operator::DoesNotExist,
            _ => Operator::Exists,
        },
        values: list(&value["values"]).iter().map(|it| text(it).into()).collect(),
    }
}

/// What `pods` use of a quota that names all of it.
fn stats(input: &Value, theirs: &Value) -> Outcome {
    let spec = json!({
        "hard": theirs["want"],
        "scopes": input["quotaScopes"],
        "scopeSelector": input["quotaScopeSelector"],
    });
    let quota = quota(&json!({"metadata": {"name": "quota", "namespace": "ns"}, "spec": spec}));
    let status = status(&quota, list(&input["objs"]), "ns");
    same(shown(&status.used.expect("a count")), shown(&amounts(&theirs["want"])))
}

/// The status of a quota where these pods are.
fn status(quota: &ResourceQuota, pods: &[Value], namespace: &str) -> QuotaStatus {
    let (mut store, mut cursors) = (Store::default(), Cursors::default());
    for value in pods {
        let mut pod = pod(value);
        pod.meta.namespace = namespace.into();
        store.create(SimTime::ZERO, pod);
    }
    let cursor = store.table_mut::<Pod>().open();
    cursors.set(Pod::TABLE, Some(cursor));
    status_of(quota, &View::new(NOW, &store, &cursors))
}

fn sync(input: &Value, expected: &Value) -> Outcome {
    if !text(&expected["expectedError"]).is_empty() {
        return Outcome::Excluded(NO_LIST);
    }
    let quota = quota(&input["quota"]);
    let namespace = quota.meta.namespace.clone();
    let status = status(&quota, list(&input["items"]), &namespace);
    let of = |it: &Option<Arc<Amounts>>| shown(it.as_deref().expect("amounts"));
    let theirs = &expected["status"];
    let theirs = (shown(&amounts(&theirs["hard"])), shown(&amounts(&theirs["used"])));
    same((of(&status.hard), of(&status.used)), theirs)
}

fn admission(input: &Value, expected: &Value) -> Outcome {
    let pod = pod(&input["testPod"]);
    let account = PodAccount::of(&pod.spec);
    let quotas: Vec<ResourceQuota> = ["quota", "anotherQuota"]
        .iter()
        .filter(|field| input[**field]["spec"].is_object())
        .map(|field| quota(&input[*field]))
        .collect();
    let limited = list(&input["config"]["limitedResources"]).iter().map(|one| Limited {
        resource: text(&one["resource"]).to_owned(),
        contains: list(&one["matchContains"]).iter().map(|it| text(it).to_owned()).collect(),
        scopes: list(&one["matchScopes"]).iter().map(rule).collect(),
    });
    let limited: Vec<Limited> = limited.collect();
    let quotas: Vec<&ResourceQuota> = quotas.iter().collect();
    let answer = charge(&quotas, &Item::Pod(&account, life(&pod)), None, &limited);
    let theirs = text(&expected["expErr"]);
    match answer {
        Ok(_) => same("", theirs),
        Err(ours) if !theirs.is_empty() && format!("forbidden: {ours}").contains(theirs) => {
            Outcome::Equal
        }
        Err(ours) => same(ours.as_str(), theirs),
    }
}

fn scopes(input: &Value, expected: &Value) -> Outcome {
    let account = PodAccount::of(&pod(&input["pod"]).spec);
    let mut asked: Vec<ScopeRule> = QuotaScope::ALL.into_iter().map(ScopeRule::plainly).collect();
    asked[4] = ScopeRule {
        operator: Operator::In,
        values: vec!["class1".into()],
        ..ScopeRule::plainly(QuotaScope::PriorityClass)
    };
    if let Some(selectors) = input["selectors"].as_array() {
        asked = selectors.iter().map(rule).collect();
    }
    let item = Item::Pod(&account, Life::Charged);
    asked.retain(|rule| item.is_in(rule));
    let mut theirs: Vec<ScopeRule> = list(&expected["wantSelectors"]).iter().map(rule).collect();
    theirs.sort_by_key(|rule| rule.scope);
    same(asked, theirs)
}

fn arithmetic(function: &str, input: &Value, expected: &Value) -> Outcome {
    let (a, b) = (amounts(&input["a"]), amounts(&input["b"]));
    let names = |value: &Value| -> Vec<String> {
        let mut names: Vec<String> = list(value).iter().map(|it| text(it).to_owned()).collect();
        names.sort_unstable();
        names
    };
    let is = |ours: bool| same(ours, expected["expected"] == json!(true));
    let sum = |change: fn(&mut Amounts, &Amounts)| {
        let mut sum = a.clone();
        change(&mut sum, &b);
        same(sum, amounts(&expected["expected"]))
    };
    match function {
        "TestEquals" => is(a == b),
        "TestLessThanOrEqual" => {
            let over: Vec<String> = above(&a, &b).into_iter().map(str::to_owned).collect();
            let theirs = (expected["expected"] == json!(true), names(&expected["out"]));
            same((over.is_empty(), over), theirs)
        }
        "TestMax" => sum(raise),
        "TestAdd" => sum(add),
        "TestSubtract" => same(difference(&a, &b), amounts(&expected["expected"])),
        "TestIsZero" => is(is_zero(&a)),
        "TestRemoveZeros" => same(without_zeros(&a), amounts(&expected["expected"])),
        "TestIsNegative" => {
            let below: Vec<String> = negative(&a).into_iter().map(str::to_owned).collect();
            same(below, names(&expected["expected"]))
        }
        "TestResourceNames" => same(a.keys().cloned().collect(), names(&expected["expected"])),
        "TestContainsPrefix" => is(is_huge_pages(text(&input["b"]))),
        "TestContains" => is(names(&input["a"]).contains(&text(&input["b"]).to_owned())),
        _ => {
            // Sets of names are the names of amounts.
            let named = names(&input["a"]).into_iter().map(|name| (name, Quantity::ZERO));
            let (named, others) = (named.collect(), names(&input["b"]));
            let is_shared = |name: &str| others.iter().any(|it| it == name);
            let kept = match function {
                "TestIntersection" => masked(&named, is_shared),
                _ => masked(&named, |name| !is_shared(name)),
            };
            same(kept.into_keys().collect(), names(&expected["expected"]))
        }
    }
}

#[test]
pub fn quotas_are_counted_and_kept_as_upstream_does() {
    let table = include_str!("../data/vectors/resourcequota.json");
    let tally = run("resourcequota.json", table, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestSyncResourceQuota" => sync(input, expected),
            "TestPodEvaluatorUsage" => {
                let pod = pod(&input["pod"]);
                let usage = Item::Pod(&PodAccount::of(&pod.spec), life(&pod)).usage();
                same(shown(&usage), shown(&amounts(&expected["usage"])))
            }
            "TestServiceEvaluatorUsage" => {
                let usage = service_usage(&input["service"]);
                same(shown(&usage), shown(&amounts(&expected["usage"])))
            }
            "TestPodConstraintsFunc" => {
                let account = PodAccount::of(&pod(&input["pod"]).spec);
                let required = list(&input["required"]).iter().map(text);
                let lack = Item::Pod(&account, Life::Charged).lacks(required);
                same(lack.unwrap_or_default().as_str(), text(&expected["err"]))
            }
            "TestServiceConstraintsFunc" => same("", text(&expected["err"])),
            "TestPodEvaluatorUsageStats" => stats(input, expected),
            "TestPodEvaluatorMatchingScopes" => scopes(input, expected),
            "TestAdmitLimitedScopeWithCoverQuota" => admission(input, expected),
            _ => arithmetic(function, input, expected),
        }
    });
    assert_eq!(tally.excluded_for(NO_LIST), 2);
}
