//! VerticalPodAutoscalers (`autoscaling.k8s.io/v1`): custom resources, held as they are written. What one asks
//! for and recommends is read from that, and what it recommends is written back into it.
//!
//! Owns the format and the pure rules that several rooms need: the bounds of a container's policy, and what
//! becomes of the spec of a new pod. vertical-pod-autoscaler, August 2026
//! (pkg/apis/autoscaling.k8s.io/v1, pkg/utils/vpa/capping.go, pkg/admission-controller/resource/pod).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use serde::Deserialize;
use serde_json::{Value, json};

use super::autoscaling::ObjectRef;
use super::misc::Other;
use super::name::Text;
use super::quantity::{Format, Quantity};

/// Their group.
const GROUP: &str = "autoscaling.k8s.io";
/// Their kind.
pub const KIND: &str = "VerticalPodAutoscaler";
/// A policy for all containers that have none of their own.
const ALL: &str = "*";

/// Amounts of what is recommended; `None`: nothing is said of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Amounts {
    /// Thousandths of a core.
    pub cpu: Option<i64>,
    /// Bytes.
    pub memory: Option<i64>,
}

/// What is recommended for a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recommended {
    /// The container.
    pub container: Text,
    /// What to request.
    pub target: Amounts,
    /// Less is too little.
    pub lower: Amounts,
    /// More is too much.
    pub upper: Amounts,
    /// What to request, policies apart.
    pub uncapped: Amounts,
}

/// What becomes of a recommendation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// It is shown.
    Off,
    /// New pods get it.
    Initial,
    /// Pods are evicted so that new ones get it (`Recreate`, `Auto`).
    Recreate,
    /// Pods are resized in place, and evicted where that does not work (`InPlaceOrRecreate`).
    InPlace,
}

/// Whether limits follow requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Controlled {
    /// They stay in proportion.
    #[default]
    RequestsAndLimits,
    /// They stay as they are, and no request exceeds them.
    RequestsOnly,
}

/// What holds for a container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Policy {
    container: String,
    is_off: bool,
    least: Amounts,
    most: Amounts,
    /// Whether processors, and whether memory, are controlled.
    controls: [bool; 2],
    values: Controlled,
}

/// A VerticalPodAutoscaler.
#[derive(Clone, PartialEq, Debug)]
pub struct Vertical {
    /// Whose pods it is for.
    pub target: ObjectRef,
    /// What becomes of what it recommends.
    pub mode: Mode,
    /// Pods there must be for one to be evicted; `None`: as usual.
    pub min_replicas: Option<i32>,
    policies: Vec<Policy>,
    /// What it recommends now.
    pub recommended: Vec<Recommended>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawObject {
    spec: RawSpec,
    status: RawStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawSpec {
    target_ref: Option<RawTarget>,
    update_policy: Option<RawUpdate>,
    resource_policy: Option<RawPolicies>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawTarget {
    api_version: String,
    kind: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawUpdate {
    update_mode: Option<String>,
    min_replicas: Option<i32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawPolicies {
    container_policies: Vec<RawPolicy>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawPolicy {
    container_name: String,
    mode: Option<String>,
    min_allowed: BTreeMap<String, Value>,
    max_allowed: BTreeMap<String, Value>,
    controlled_resources: Option<Vec<String>>,
    controlled_values: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawStatus {
    recommendation: Option<RawRecommendation>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawRecommendation {
    container_recommendations: Vec<RawRecommended>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawRecommended {
    container_name: String,
    target: BTreeMap<String, Value>,
    lower_bound: BTreeMap<String, Value>,
    upper_bound: BTreeMap<String, Value>,
    uncapped_target: BTreeMap<String, Value>,
}

/// Whether an object of another kind is one.
pub fn is_vertical(other: &Other) -> bool {
    let group = other.api_version.split_once('/').map_or("", |(group, _)| group);
    is_vertical_kind(group, &other.kind)
}

/// Whether a kind is theirs.
pub fn is_vertical_kind(group: &str, kind: &str) -> bool {
    group == GROUP && kind == KIND
}

impl Vertical {
    /// What is written of one.
    ///
    /// # Errors
    /// What is wrong with it, by field.
    pub fn of(other: &Other) -> Result<Vertical, Text> {
        let raw: RawObject =
            serde_json::from_str(&other.written).map_err(|error| error.to_string())?;
        let RawObject { spec, status } = raw;
        let target = spec.target_ref.unwrap_or_default();
        if target.kind.is_empty() || target.name.is_empty() {
            return Err("spec.targetRef: Required value: whose pods it is for".into());
        }
        let target = ObjectRef {
            api_version: target.api_version.into(),
            kind: target.kind.into(),
            name: target.name.into(),
        };
        let update = spec.update_policy.unwrap_or_default();
        let mode = mode(update.update_mode.as_deref())?;
        if update.min_replicas.is_some_and(|it| it <= 0) {
            let why = "spec.updatePolicy.minReplicas: Invalid value: has to be positive";
            return Err(why.into());
        }
        let policies = spec.resource_policy.unwrap_or_default().container_policies;
        let policies: Result<Vec<Policy>, Text> = policies.into_iter().map(policy).collect();
        let recommended = status.recommendation.unwrap_or_default().container_recommendations;
        let recommended: Result<Vec<Recommended>, Text> =
            recommended.into_iter().map(recommended_of).collect();
        let (policies, recommended) = (policies?, recommended?);
        let min_replicas = update.min_replicas;
        Ok(Vertical { target, mode, min_replicas, policies, recommended })
    }

    fn policy(&self, container: &str) -> Option<&Policy> {
        let own = self.policies.iter().find(|it| it.container == container);
        own.or_else(|| self.policies.iter().find(|it| it.container == ALL))
    }

    /// Whether a container gets recommendations.
    pub fn controls(&self, container: &str) -> bool {
        self.policy(container).is_none_or(|it| !it.is_off)
    }

    /// What of `amounts` is controlled, within the bounds of the container's policy.
    pub fn capped(&self, container: &str, amounts: Amounts) -> Amounts {
        let Some(policy) = self.policy(container) else { return amounts };
        let within = |amount: Option<i64>, least: Option<i64>, most: Option<i64>| {
            let amount = amount?.max(least.unwrap_or(i64::MIN));
            Some(amount.min(most.unwrap_or(i64::MAX)))
        };
        let controlled = self.controlled(container, amounts);
        Amounts {
            cpu: within(controlled.cpu, policy.least.cpu, policy.most.cpu),
            memory: within(controlled.memory, policy.least.memory, policy.most.memory),
        }
    }

    /// What of `amounts` is controlled.
    pub fn controlled(&self, container: &str, amounts: Amounts) -> Amounts {
        let [cpu, memory] = self.policy(container).map_or([true; 2], |it| it.controls);
        Amounts { cpu: amounts.cpu.filter(|_| cpu), memory: amounts.memory.filter(|_| memory) }
    }

    /// Gives the containers of a new pod what is recommended, limits in proportion. Returns what was done and
    /// the containers seen, as the annotations say it; nothing if nothing is recommended.
    pub fn fill(&self, name: &str, spec: &mut core::PodSpec) -> Option<(String, String)> {
        let mut done = Vec::new();
        let seen: Vec<&str> = spec.containers.iter().map(|it| it.name.as_str()).collect();
        let seen = seen.join(", ");
        for (at, container) in spec.containers.iter_mut().enumerate() {
            let found = self.recommended.iter().find(|it| *it.container == *container.name);
            let Some(found) = found.filter(|it| self.controls(&it.container)) else { continue };
            let values = self.policy(&container.name).map_or_else(Default::default, |it| it.values);
            let target = self.capped(&container.name, found.target);
            let parts = raise(container, target, values);
            if !parts.is_empty() {
                done.push(format!("container {at}: {}", parts.join(", ")));
            }
        }
        let said = format!("Pod resources updated by {name}: {}", done.join("; "));
        (!done.is_empty()).then_some((said, seen))
    }

    /// The object with a recommendation in its status, and what is to be said of the pods it is for.
    pub fn written(other: &Other, recommended: &[Recommended], has_pods: bool) -> Option<Text> {
        let mut whole: Value = serde_json::from_str(&other.written).ok()?;
        let mut conditions = Vec::new();
        if !has_pods {
            conditions.push(json!({"type": "NoPodsMatched", "status": "True",
                "reason": "NoPodsMatched", "message": "No pods match this VPA object"}));
        }
        let provided = if recommended.is_empty() { "False" } else { "True" };
        conditions.push(json!({"type": "RecommendationProvided", "status": provided}));
        let all: Vec<Value> = recommended
            .iter()
            .map(|it| {
                json!({
                    "containerName": &*it.container,
                    "lowerBound": shown(it.lower),
                    "target": shown(it.target),
                    "uncappedTarget": shown(it.uncapped),
                    "upperBound": shown(it.upper),
                })
            })
            .collect();
        let mut status = json!({"conditions": conditions});
        if !all.is_empty() {
            status["recommendation"] = json!({"containerRecommendations": all});
        }
        whole.as_object_mut()?.insert("status".to_owned(), status);
        Some(whole.to_string().into())
    }
}

fn mode(written: Option<&str>) -> Result<Mode, Text> {
    match written {
        Some("Off") => Ok(Mode::Off),
        Some("Initial") => Ok(Mode::Initial),
        // What is not said is `Auto`.
        None | Some("Recreate" | "Auto") => Ok(Mode::Recreate),
        Some("InPlaceOrRecreate") => Ok(Mode::InPlace),
        Some(other) => Err(format!(
            "spec.updatePolicy.updateMode: Unsupported value: {other:?}: supported values: \"Off\", \
             \"Initial\", \"Recreate\", \"InPlaceOrRecreate\", \"Auto\""
        )
        .into()),
    }
}

fn policy(raw: RawPolicy) -> Result<Policy, Text> {
    let path = "spec.resourcePolicy.containerPolicies";
    let (least, most) = (amounts(&raw.min_allowed)?, amounts(&raw.max_allowed)?);
    let exceeds =
        |least: Option<i64>, most: Option<i64>| least.zip(most).is_some_and(|it| it.0 > it.1);
    if exceeds(least.cpu, most.cpu) || exceeds(least.memory, most.memory) {
        return Err(format!("{path}: Invalid value: max resource is lower than min").into());
    }
    let is_off = match raw.mode.as_deref() {
        None | Some("Auto") => false,
        Some("Off") => true,
        Some(other) => {
            return Err(format!("{path}.mode: Unsupported value: {other:?}").into());
        }
    };
    let values = match raw.controlled_values.as_deref() {
        None | Some("RequestsAndLimits") => Controlled::RequestsAndLimits,
        Some("RequestsOnly") => Controlled::RequestsOnly,
        Some(other) => {
            return Err(format!("{path}.controlledValues: Unsupported value: {other:?}").into());
        }
    };
    let controls = raw.controlled_resources;
    let controls = |name: &str| controls.as_ref().is_none_or(|it| it.iter().any(|one| one == name));
    let controls = [controls("cpu"), controls("memory")];
    Ok(Policy { container: raw.container_name, is_off, least, most, controls, values })
}

fn recommended_of(raw: RawRecommended) -> Result<Recommended, Text> {
    Ok(Recommended {
        container: raw.container_name.into(),
        target: amounts(&raw.target)?,
        lower: amounts(&raw.lower_bound)?,
        upper: amounts(&raw.upper_bound)?,
        uncapped: amounts(&raw.uncapped_target)?,
    })
}

fn amounts(written: &BTreeMap<String, Value>) -> Result<Amounts, Text> {
    let amount = |name: &str| {
        let Some(value) = written.get(name) else { return Ok(None) };
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        let wrong = || Text::from(format!("quantity {text:?} of {name} cannot be read"));
        Quantity::parse(&text).map(Some).map_err(|_| wrong())
    };
    Ok(Amounts {
        cpu: amount("cpu")?.map(Quantity::milli_value),
        memory: amount("memory")?.map(Quantity::value),
    })
}

fn shown(amounts: Amounts) -> Value {
    let mut all = serde_json::Map::new();
    if let Some(cpu) = amounts.cpu {
        all.insert("cpu".to_owned(), cpu_quantity(cpu).written().0.into());
    }
    if let Some(memory) = amounts.memory {
        all.insert("memory".to_owned(), memory_quantity(memory).written().0.into());
    }
    Value::Object(all)
}

fn cpu_quantity(milli: i64) -> Quantity {
    Quantity::from_milli(milli, Format::DecimalSi)
}

fn memory_quantity(bytes: i64) -> Quantity {
    Quantity::new(bytes, Format::DecimalSi)
}

/// Sets the requests of a container, and its limits in proportion; says what it set.
fn raise(
    container: &mut core::Container,
    target: Amounts,
    values: Controlled,
) -> Vec<&'static str> {
    let resources = container.resources.get_or_insert_default();
    let mut done = Vec::new();
    for (name, amount, parts) in [
        ("cpu", target.cpu.map(cpu_quantity), ["cpu request", "cpu limit"]),
        ("memory", target.memory.map(memory_quantity), ["memory request", "memory limit"]),
    ] {
        let Some(mut amount) = amount else { continue };
        let of = |list: &Option<BTreeMap<String, Written>>| {
            list.as_ref().and_then(|it| it.get(name)).and_then(|it| Quantity::of(it).ok())
        };
        let (request, limit) = (of(&resources.requests), of(&resources.limits));
        if values == Controlled::RequestsOnly
            && let Some(limit) = limit.filter(|it| it.milli_value() < amount.milli_value())
        {
            amount = limit;
        }
        if let Some(limit) = limit.filter(|it| !it.is_zero() && values != Controlled::RequestsOnly)
        {
            // Without a request of its own a container requests its limit.
            let ratio = request.filter(|it| !it.is_zero()).unwrap_or(limit);
            let wide = i128::from(amount.milli_value()) * i128::from(limit.milli_value());
            let milli = wide / i128::from(ratio.milli_value().max(1));
            let milli = i64::try_from(milli).unwrap_or(i64::MAX);
            let next = match name {
                "cpu" => cpu_quantity(milli),
                _ => memory_quantity(milli / 1000),
            };
            let list = resources.limits.get_or_insert_default();
            list.insert(name.to_owned(), next.written());
            done.push(parts[1]);
        }
        let list = resources.requests.get_or_insert_default();
        list.insert(name.to_owned(), amount.written());
        done.push(parts[0]);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::Meta;

    fn vertical(spec: Value, status: Value) -> Other {
        let api_version = "autoscaling.k8s.io/v1".into();
        let written = json!({"kind": KIND, "spec": spec, "status": status}).to_string().into();
        let meta = Meta::new("default".into(), "web".into());
        Other { meta, api_version, kind: KIND.into(), written }
    }

    fn target() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field() {
        for (spec, field) in [
            (json!({}), "spec.targetRef"),
            (json!({"targetRef": target(), "updatePolicy": {"updateMode": "Now"}}), "updateMode"),
            (json!({"targetRef": target(), "updatePolicy": {"minReplicas": 0}}), "minReplicas"),
            (
                json!({"targetRef": target(), "resourcePolicy": {"containerPolicies": [
                    {"containerName": "*", "minAllowed": {"cpu": "2"}, "maxAllowed": {"cpu": 1}}]}}),
                "containerPolicies",
            ),
        ] {
            let told = Vertical::of(&vertical(spec, json!({}))).expect_err(field);
            assert!(told.contains(field), "{told}");
        }
    }

    #[test]
    fn a_new_pod_gets_what_is_recommended_within_bounds_and_limits_keep_their_proportion() {
        let policies = json!({"containerPolicies": [
            {"containerName": "side", "mode": "Off"},
            {"containerName": "*", "maxAllowed": {"cpu": "300m"}}]});
        let spec = json!({"targetRef": target(), "resourcePolicy": policies});
        let one = |name: &str| json!({"containerName": name, "target": {"cpu": "400m", "memory": "262144k"}});
        let status =
            json!({"recommendation": {"containerRecommendations": [one("web"), one("side")]}});
        let held = vertical(spec, status);
        let vertical = Vertical::of(&held).expect("it is right");
        assert_eq!((vertical.mode, vertical.recommended.len()), (Mode::Recreate, 2));
        let mut pod: core::PodSpec = serde_json::from_value(json!({"containers": [
            {"name": "web", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m", "memory": "1Gi"}}},
            {"name": "side"}]}))
        .expect("a spec");
        let (said, seen) = vertical.fill("web", &mut pod).expect("something is done");
        assert_eq!(seen, "web, side");
        assert_eq!(
            said,
            "Pod resources updated by web: container 0: cpu limit, cpu request, memory limit, memory request"
        );
        let now = serde_json::to_value(&pod.containers[0].resources).expect("it is written");
        assert_eq!(
            now,
            json!({"requests": {"cpu": "300m", "memory": "262144k"},
                   "limits": {"cpu": "600m", "memory": "262144k"}})
        );
        assert!(pod.containers[1].resources.is_none());
        let text = Vertical::written(&held, &vertical.recommended, true).expect("it is written");
        let again = Vertical::of(&Other { written: text, ..held }).expect("it is right");
        assert_eq!(again, vertical);
    }
}
