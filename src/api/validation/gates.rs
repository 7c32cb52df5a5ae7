//! Feature gates that checks go by (`pkg/features`, 1.36): those that can be set.
//!
//! It does not know how people set them.

/// A gate that decides what is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Gate {
    /// Containers have restart policies and rules of their own.
    ContainerRestartRules,
    /// Variables come from files.
    EnvFiles,
    /// Init containers may be resized.
    InPlacePodVerticalScalingInitContainers,
    /// `matchLabelKeys` of spread constraints are merged into their selectors.
    MatchLabelKeysInPodTopologySpreadSelectorMerge,
    /// StatefulSets say how many of their pods may be unavailable while they are updated.
    MaxUnavailableStatefulSet,
    /// What the pods of a suspended Job ask for may change.
    MutablePodResourcesForSuspendedJobs,
    /// Names of Services may begin with a digit.
    RelaxedServiceNameValidation,
    /// Ambiguous spellings of addresses are refused.
    StrictIPCIDRValidation,
    /// Tolerations compare numbers.
    TaintTolerationComparisonOperators,
}

impl Gate {
    /// All of them.
    pub const ALL: [Gate; 9] = [
        Gate::ContainerRestartRules,
        Gate::EnvFiles,
        Gate::InPlacePodVerticalScalingInitContainers,
        Gate::MatchLabelKeysInPodTopologySpreadSelectorMerge,
        Gate::MaxUnavailableStatefulSet,
        Gate::MutablePodResourcesForSuspendedJobs,
        Gate::RelaxedServiceNameValidation,
        Gate::StrictIPCIDRValidation,
        Gate::TaintTolerationComparisonOperators,
    ];

    /// As Kubernetes calls it.
    pub const fn name(self) -> &'static str {
        match self {
            Gate::ContainerRestartRules => "ContainerRestartRules",
            Gate::EnvFiles => "EnvFiles",
            Gate::InPlacePodVerticalScalingInitContainers => {
                "InPlacePodVerticalScalingInitContainers"
            }
            Gate::MatchLabelKeysInPodTopologySpreadSelectorMerge => {
                "MatchLabelKeysInPodTopologySpreadSelectorMerge"
            }
            Gate::MaxUnavailableStatefulSet => "MaxUnavailableStatefulSet",
            Gate::MutablePodResourcesForSuspendedJobs => "MutablePodResourcesForSuspendedJobs",
            Gate::RelaxedServiceNameValidation => "RelaxedServiceNameValidation",
            Gate::StrictIPCIDRValidation => "StrictIPCIDRValidation",
            Gate::TaintTolerationComparisonOperators => "TaintTolerationComparisonOperators",
        }
    }
}

/// Where a gate stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// On.
    On,
    /// Off.
    Off,
}

/// Where all of them stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gates {
    on: u16,
}

impl Default for Gates {
    /// As 1.36 has them: all on but the comparison of numbers and `maxUnavailable` of StatefulSets.
    fn default() -> Gates {
        Gates { on: u16::MAX }
            .with(Gate::MaxUnavailableStatefulSet, State::Off)
            .with(Gate::TaintTolerationComparisonOperators, State::Off)
    }
}

impl Gates {
    /// These, with one of them so.
    pub const fn with(self, gate: Gate, state: State) -> Gates {
        let bit = 1 << gate as u8;
        match state {
            State::On => Gates { on: self.on | bit },
            State::Off => Gates { on: self.on & !bit },
        }
    }

    /// Where a gate stands.
    pub const fn state(self, gate: Gate) -> State {
        if self.on & (1 << gate as u8) == 0 { State::Off } else { State::On }
    }
}
