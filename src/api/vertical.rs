//! VerticalPodAutoscalers (`autoscaling.k8s.io/v1`): custom resources, held as they are written. What one asks
//! for and recommends is read from that, and what it recommends is written back into it ([`status`]).
//!
//! Owns the format and the pure rules that several rooms need: the bounds of a container's policy, and what
//! becomes of the spec of a new pod ([`apply`]); and the format of their checkpoints ([`checkpoint`]).
//! vertical-pod-autoscaler, August 2026 (pkg/apis/autoscaling.k8s.io/v1, pkg/utils/vpa/capping.go).

pub mod apply;
pub mod checkpoint;
pub mod status;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

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
/// The recommender of those that name none.
const DEFAULT_RECOMMENDER: &str = "default";

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

impl Mode {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Off => "Off",
            Mode::Initial => "Initial",
            Mode::Recreate => "Recreate",
            Mode::InPlace => "InPlaceOrRecreate",
        }
    }
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

/// How a resource must change for a pod to be evicted (`updatePolicy.evictionRequirements`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// More is recommended than requested (`TargetHigherThanRequests`).
    Higher,
    /// Less is (`TargetLowerThanRequests`).
    Lower,
}

/// One of the requirements of an eviction: some of these resources is to change so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// Whether it is for processors, and whether for memory.
    pub of: [bool; 2],
    /// How they are to change.
    pub change: Change,
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
    /// All of them must hold for a pod to be evicted.
    pub requirements: Vec<Requirement>,
    /// Whether the recommender that is there by itself is the one it asks for.
    pub is_for_default: bool,
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
    recommenders: Vec<RawRecommender>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawRecommender {
    name: String,
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
    eviction_requirements: Vec<RawRequirement>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawRequirement {
    resources: Vec<String>,
    change_requirement: String,
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
fn is_vertical_kind(group: &str, kind: &str) -> bool {
    group == GROUP && kind == KIND
}

/// Whether a kind is theirs or their checkpoints': those act, and live in namespaces.
pub fn is_known_kind(group: &str, kind: &str) -> bool {
    is_vertical_kind(group, kind) || (group == GROUP && kind == checkpoint::KIND)
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
        let requirements = update.eviction_requirements.into_iter().map(requirement);
        let requirements: Vec<Requirement> = requirements.collect::<Result<_, Text>>()?;
        let recommenders = spec.recommenders;
        let is_default = |it: &RawRecommender| it.name == DEFAULT_RECOMMENDER;
        let is_for_default = recommenders.is_empty() || recommenders.iter().any(is_default);
        let policies = spec.resource_policy.unwrap_or_default().container_policies;
        let policies: Result<Vec<Policy>, Text> = policies.into_iter().map(policy).collect();
        let recommended = status.recommendation.unwrap_or_default().container_recommendations;
        let recommended: Result<Vec<Recommended>, Text> =
            recommended.into_iter().map(recommended_of).collect();
        let (policies, recommended) = (policies?, recommended?);
        let min_replicas = update.min_replicas;
        Ok(Vertical {
            target,
            mode,
            min_replicas,
            requirements,
            is_for_default,
            policies,
            recommended,
        })
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
            // A bound of zero is none.
            Some(amount.min(most.filter(|it| *it > 0).unwrap_or(i64::MAX)))
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

fn requirement(raw: RawRequirement) -> Result<Requirement, Text> {
    let path = "spec.updatePolicy.evictionRequirements";
    let change = match &*raw.change_requirement {
        "TargetHigherThanRequests" => Change::Higher,
        "TargetLowerThanRequests" => Change::Lower,
        other => {
            return Err(format!(
                "{path}.changeRequirement: Unsupported value: {other:?}: supported values: \
                 \"TargetHigherThanRequests\", \"TargetLowerThanRequests\""
            )
            .into());
        }
    };
    if raw.resources.is_empty() {
        return Err(format!("{path}.resources: Required value: which resources it is for").into());
    }
    let is_for = |name: &str| raw.resources.iter().any(|it| it == name);
    Ok(Requirement { of: [is_for("cpu"), is_for("memory")], change })
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

fn cpu_quantity(milli: i64) -> Quantity {
    Quantity::from_milli(milli, Format::DecimalSi)
}

fn memory_quantity(bytes: i64) -> Quantity {
    Quantity::new(bytes, Format::DecimalSi)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::meta::Meta;

    pub(super) fn vertical(spec: Value, status: Value) -> Other {
        let api_version = "autoscaling.k8s.io/v1".into();
        let written = json!({"kind": KIND, "spec": spec, "status": status}).to_string().into();
        let meta = Meta::new("default".into(), "web".into());
        Other { meta, api_version, kind: KIND.into(), written }
    }

    pub(super) fn target() -> Value {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"})
    }

    /// One that recommends these amounts for these containers.
    pub(super) fn recommending(spec: Value, all: &[(&str, Value)]) -> Vertical {
        let one = |(name, target): &(&str, Value)| json!({"containerName": name, "target": target});
        let all: Vec<Value> = all.iter().map(one).collect();
        let status = json!({"recommendation": {"containerRecommendations": all}});
        Vertical::of(&vertical(spec, status)).expect("it is right")
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field() {
        let evict = |requirement: Value| json!({"targetRef": target(), "updatePolicy": {"evictionRequirements": [requirement]}});
        for (spec, field) in [
            (json!({}), "spec.targetRef"),
            (json!({"targetRef": target(), "updatePolicy": {"updateMode": "Now"}}), "updateMode"),
            (json!({"targetRef": target(), "updatePolicy": {"minReplicas": 0}}), "minReplicas"),
            (
                json!({"targetRef": target(), "resourcePolicy": {"containerPolicies": [
                    {"containerName": "*", "minAllowed": {"cpu": "2"}, "maxAllowed": {"cpu": 1}}]}}),
                "containerPolicies",
            ),
            (evict(json!({"changeRequirement": "TargetHigherThanRequests"})), "resources"),
            (evict(json!({"resources": ["cpu"], "changeRequirement": "No"})), "changeRequirement"),
        ] {
            let told = Vertical::of(&vertical(spec, json!({}))).expect_err(field);
            assert!(told.contains(field), "{told}");
        }
    }

    #[test]
    fn bounds_of_zero_are_none_and_a_container_of_its_own_has_its_own_policy() {
        let policies = json!({"containerPolicies": [
            {"containerName": "*", "minAllowed": {"cpu": "1"}, "maxAllowed": {"memory": 0}},
            {"containerName": "own", "controlledResources": ["memory"], "maxAllowed": {"memory": "1M"}}]});
        let spec = json!({"targetRef": target(), "resourcePolicy": policies});
        let vertical = recommending(spec, &[]);
        assert_eq!((vertical.mode, vertical.is_for_default), (Mode::Recreate, true));
        let asked = Amounts { cpu: Some(1500), memory: Some(2_000_000) };
        assert_eq!(vertical.capped("web", asked), asked);
        let least = Amounts { cpu: Some(10), ..asked };
        assert_eq!(vertical.capped("web", least), Amounts { cpu: Some(1000), ..asked });
        assert_eq!(vertical.capped("own", asked), Amounts { cpu: None, memory: Some(1_000_000) });
    }

    #[test]
    fn one_that_asks_for_other_recommenders_gets_nothing_of_the_default_one() {
        for (recommenders, expected) in [
            (json!([]), true),
            (json!([{"name": "default"}]), true),
            (json!([{"name": "own"}]), false),
        ] {
            let spec = json!({"targetRef": target(), "recommenders": recommenders});
            assert_eq!(recommending(spec, &[]).is_for_default, expected);
        }
    }
}
