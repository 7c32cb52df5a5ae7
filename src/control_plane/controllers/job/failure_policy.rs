//! What a Job's `podFailurePolicy` makes of a failed pod
//! (kube-controller-manager 1.36 pkg/controller/job/pod_failure_policy.go).

use crate::api::job::{ExitCodeOperator, FailureAction, FailurePattern, FailureRule};
use crate::api::node::Tristate;
use crate::api::pod::{ContainerState, Pod, PodCondition};

/// What was found about a failed pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The action of the first rule that matches; `None`: none does.
    pub action: Option<FailureAction>,
    /// Why the Job fails at once, if it does.
    pub failure: Option<String>,
}

impl Verdict {
    /// Whether the failure counts.
    pub fn counts(&self) -> bool {
        self.action != Some(FailureAction::Ignore)
    }
}

/// The first rule that matches decides; without policy or match the failure counts.
pub fn judge(rules: Option<&[FailureRule]>, pod: &Pod) -> Verdict {
    for (at, rule) in rules.unwrap_or_default().iter().enumerate() {
        let Some(action) = rule.action else { continue };
        let Some(why) = matching(&rule.applies, pod) else { continue };
        let failure = (action == FailureAction::FailJob)
            .then(|| format!("{why} matching {} rule at index {at}", action.name()));
        return Verdict { action: Some(action), failure };
    }
    Verdict { action: None, failure: None }
}

/// What of the pod matches, in the words of the condition's message.
fn matching(pattern: &FailurePattern, pod: &Pod) -> Option<String> {
    let name = || format!("{}/{}", pod.meta.namespace, pod.meta.name);
    match pattern {
        FailurePattern::ExitCodes { container, operator, values } => {
            let (of, code) = matching_exit(pod, container.as_deref(), *operator, values)?;
            Some(format!("Container {of} for pod {} failed with exit code {code}", name()))
        }
        FailurePattern::Conditions(patterns) => {
            let mut held = patterns.iter().filter(|it| has_condition(pod, &it.0, it.1));
            let (kind, _) = held.next()?;
            Some(format!("Pod {} has condition {kind}", name()))
        }
    }
}

/// The first container, those of the main list before the init containers, that ended badly and
/// matches.
fn matching_exit<'p>(
    pod: &'p Pod,
    container: Option<&str>,
    operator: ExitCodeOperator,
    values: &[i32],
) -> Option<(&'p str, i32)> {
    let statuses = pod.status.containers.as_deref().unwrap_or_default();
    let all = pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let all: Vec<_> = all.map(|it| &*it.name).zip(statuses).collect();
    let (init, main) = all.split_at(pod.spec.init_containers.len().min(all.len()));
    main.iter().chain(init).find_map(|(name, status)| {
        let ContainerState::Terminated(end) = status.state else { return None };
        let is_among = values.contains(&end.exit_code);
        let is_wanted = match operator {
            ExitCodeOperator::In => is_among,
            ExitCodeOperator::NotIn => !is_among,
            ExitCodeOperator::Unknown => false,
        };
        let fits = container.is_none_or(|wanted| wanted == *name);
        (fits && end.exit_code != 0 && is_wanted).then_some((*name, end.exit_code))
    })
}

fn has_condition(pod: &Pod, kind: &str, wanted: Tristate) -> bool {
    let held = match PodCondition::named(kind) {
        Some(which) => pod.status.condition(which).value,
        None => pod.status.said(kind).map(|it| it.value),
    };
    held == Some(wanted)
}
