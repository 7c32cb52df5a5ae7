//! Feature gates as people set them: `--feature-gates` and `spec.cluster.featureGates`.
//!
//! Owns which gates there are (of kube-scheduler 1.36), which of them act here and what is said of
//! the others, in the words of `k8s.io/component-base/featuregate`.

mod known;

use std::collections::BTreeMap;

use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::kinds::nearest;
use crate::api::validation::gates::{self as validation, Gate, State};
use crate::control_plane::scheduler::algorithm::gates::Gates;
use known::{Known, Lock, NEEDS, Stage};

/// Gates that act: on the scheduler's queue and cycle, on controllers, or on what manifests and
/// configurations may say.
const ACTING: [&str; 19] = [
    "ChangeContainerStatusOnKubeletRestart",
    "ContainerRestartRules",
    "DRADeviceBindingConditions",
    "DRAResourceClaimDeviceStatus",
    "DRASchedulerFilterTimeout",
    "DeploymentReplicaSetTerminatingReplicas",
    "EnvFiles",
    "HPAConfigurableTolerance",
    "InPlacePodVerticalScalingInitContainers",
    "MaxUnavailableStatefulSet",
    "MutablePodResourcesForSuspendedJobs",
    "OpportunisticBatching",
    "PodDeletionCost",
    "ReduceDefaultCrashLoopBackOffDecay",
    "RelaxedServiceNameValidation",
    "SchedulerAsyncPreemption",
    "SchedulerPopFromBackoffQ",
    "StrictIPCIDRValidation",
    "TaintTolerationComparisonOperators",
];

/// Gates as set by name, those of the command line over those of the Scenario.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FeatureGates {
    given: BTreeMap<String, bool>,
}

impl FeatureGates {
    /// Reads `A=true,B=false`, as of a flag; `kube:A=true` is the same gate.
    ///
    /// # Errors
    /// What is no such list.
    pub fn parse(text: &str) -> Result<FeatureGates, String> {
        let mut gates = FeatureGates::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let part = part.strip_prefix("kube:").unwrap_or(part);
            let (name, value) =
                part.split_once('=').ok_or_else(|| format!("missing bool value for {part}"))?;
            let (name, value) = (name.trim(), value.trim());
            let on = go_bool(value).ok_or_else(|| {
                let parse = format!("strconv.ParseBool: parsing {value:?}: invalid syntax");
                format!("invalid value of {name}={value}, err: {parse}")
            })?;
            gates.given.insert(name.to_owned(), on);
        }
        Ok(gates)
    }

    /// The gates written in a Scenario.
    pub(super) fn of(given: BTreeMap<String, bool>) -> FeatureGates {
        FeatureGates { given }
    }

    /// These, and those of `over` before them.
    pub(super) fn under(mut self, over: &FeatureGates) -> FeatureGates {
        self.given.extend(over.given.iter().map(|(name, on)| (name.clone(), *on)));
        self
    }

    /// These but for those that `over` sets too.
    pub(super) fn without(&self, over: &FeatureGates) -> FeatureGates {
        let kept = self.given.iter().filter(|(name, _)| !over.given.contains_key(*name));
        FeatureGates { given: kept.map(|(name, on)| (name.clone(), *on)).collect() }
    }

    /// All that were set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        self.given.iter().map(|(name, on)| (name.as_str(), *on))
    }

    /// Whether the gate is on; one that does not exist is off.
    pub(super) fn is_on(&self, name: &str) -> bool {
        let Some(gate) = known::named(name) else { return false };
        let of_stage = match gate.stage {
            Stage::Alpha => self.given.get("AllAlpha"),
            Stage::Beta => self.given.get("AllBeta"),
            Stage::Stable | Stage::Deprecated => None,
        };
        *self.given.get(name).or(of_stage).unwrap_or(&gate.default)
    }

    /// What checks of objects are to know of them.
    pub(super) fn of_checks(&self) -> validation::Gates {
        let state = |gate: Gate| if self.is_on(gate.name()) { State::On } else { State::Off };
        Gate::ALL
            .into_iter()
            .fold(validation::Gates::default(), |all, one| all.with(one, state(one)))
    }

    /// What the scheduler is to know of them.
    pub(super) fn of_scheduler(&self) -> Gates {
        Gates {
            pop_from_backoff: self.is_on("SchedulerPopFromBackoffQ"),
            batching: self.is_on("OpportunisticBatching"),
            async_preemption: self.is_on("SchedulerAsyncPreemption"),
        }
    }

    /// What is to be said of those among them that `told` sets; `place` makes a finding about the
    /// gate of a name, or about them all.
    pub(super) fn judge(
        &self,
        told: &FeatureGates,
        place: &dyn Fn(Option<&str>) -> Diagnostic,
    ) -> Vec<Diagnostic> {
        let mut findings = Vec::new();
        let mut tell = |severity, name: Option<&str>, message: String, hint: Option<String>| {
            findings.push(Diagnostic { severity, message, hint, ..place(name) });
        };
        let mut idle = Vec::new();
        for (name, on) in told.iter() {
            let Some(gate) = known::named(name) else {
                let names: Vec<&str> = known::all().map(|gate| gate.name).collect();
                let hint = nearest(name, &names).map(|name| format!("did you mean {name:?}?"));
                let message = format!("unrecognized feature gate: {name}");
                tell(Severity::Error, Some(name), message, hint);
                continue;
            };
            if gate.lock == Lock::Locked && gate.default != on {
                let message = format!(
                    "cannot set feature gate {name} to {on}, feature is locked to {}",
                    gate.default
                );
                tell(Severity::Error, Some(name), message, None);
            } else if let Some(stage) = leaving(gate) {
                let message = format!(
                    "Setting {stage} feature gate {name}={on}. It will be removed in a future release."
                );
                tell(Severity::Warning, Some(name), message, None);
            } else if on != gate.default && !ACTING.contains(&name) {
                idle.push(name);
            }
        }
        for (name, needed) in NEEDS {
            let cause = if self.given.contains_key(name) { name } else { needed };
            if self.is_on(name) && !self.is_on(needed) && told.given.contains_key(cause) {
                let message = format!(
                    "{name} is enabled, but depends on features that are disabled: [{needed}]"
                );
                tell(Severity::Error, Some(cause), message, None);
            }
        }
        if !idle.is_empty() {
            let message = format!("accepted, not modelled: {}", idle.join(", "));
            tell(Severity::Warning, None, message, None);
        }
        findings
    }
}

fn leaving(gate: Known) -> Option<&'static str> {
    match gate.stage {
        Stage::Stable => Some("GA"),
        Stage::Deprecated => Some("deprecated"),
        Stage::Alpha | Stage::Beta => None,
    }
}

/// `strconv.ParseBool`.
fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let gates = FeatureGates::parse(text).expect("gates");
        let findings = gates.judge(&gates, &|_| Diagnostic::of_file("--feature-gates", ""));
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_gate_stands_once() {
        let mut names: Vec<&str> = known::all().map(|gate| gate.name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!((names.len(), all > 200), (all, true));
        assert!(ACTING.iter().all(|name| known::named(name).is_some()));
        assert!(NEEDS.iter().all(|(a, b)| known::named(a).is_some() && known::named(b).is_some()));
    }

    #[test]
    fn acting_gates_say_nothing_and_act() {
        let text = "SchedulerPopFromBackoffQ=false,kube:OpportunisticBatching=F";
        assert_eq!(told(text), [""; 0]);
        let gates = FeatureGates::parse(text).expect("gates").of_scheduler();
        assert_eq!(
            gates,
            Gates { pop_from_backoff: false, batching: false, async_preemption: true }
        );
        assert_eq!(FeatureGates::default().of_scheduler(), Gates::default());
    }

    #[test]
    fn all_beta_gates_go_together_but_for_those_set() {
        let gates = FeatureGates::parse("AllBeta=false,OpportunisticBatching=true").expect("gates");
        assert_eq!(
            gates.of_scheduler(),
            Gates { pop_from_backoff: false, batching: true, async_preemption: false }
        );
    }

    #[test]
    fn unknown_locked_and_dependent_gates_are_refused_in_kubernetes_words() {
        assert_eq!(
            told("OportunisticBatching=false"),
            ["--feature-gates: unrecognized feature gate: OportunisticBatching (did you mean \
              \"OpportunisticBatching\"?)"]
        );
        assert_eq!(
            told("DynamicResourceAllocation=false"),
            [
                "--feature-gates: cannot set feature gate DynamicResourceAllocation to false, feature \
              is locked to true"
            ]
        );
        assert_eq!(
            told("GangScheduling=true"),
            [
                "--feature-gates: GangScheduling is enabled, but depends on features that are \
                 disabled: [GenericWorkload]",
                "--feature-gates: warning: accepted, not modelled: GangScheduling"
            ]
        );
    }

    #[test]
    fn what_is_no_list_of_gates_is_refused() {
        let refused = |text| FeatureGates::parse(text).expect_err("no gates");
        assert_eq!(refused("A"), "missing bool value for A");
        assert_eq!(
            refused("A=maybe"),
            "invalid value of A=maybe, err: strconv.ParseBool: parsing \"maybe\": invalid syntax"
        );
    }

    #[test]
    fn others_are_accepted_in_one_warning() {
        assert_eq!(
            told("MemoryQoS=true,PodsAPI=true,WatchList=true"),
            ["--feature-gates: warning: accepted, not modelled: MemoryQoS, PodsAPI"]
        );
    }
}
