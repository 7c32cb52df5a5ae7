//! Whether a container that ended is started again: its rules by exit code, its own policy, its pod's, in this order
//! (Kubernetes 1.36 `pkg/api/v1/pod/util.go`, `ContainerShouldRestart`).

use crate::api::pod::{Container, ExitCodes, Lifetime, RestartAction, RestartPolicy};

/// What the container's rules do about an exit code; `None`: they do not name it.
pub fn action_on(container: &Container, code: i32) -> Option<RestartAction> {
    let fits = |codes: &ExitCodes| match codes {
        ExitCodes::In(list) => list.contains(&code),
        ExitCodes::NotIn(list) => !list.contains(&code),
    };
    container.restart_rules.iter().find(|rule| fits(&rule.codes)).map(|rule| rule.action)
}

/// Whether there is an end after which the container may be started again (`IsContainerRestartable`).
pub fn may_restart(container: &Container, of_pod: RestartPolicy) -> bool {
    container.lifetime == Lifetime::Sidecar
        || !container.restart_rules.is_empty()
        || container.restart_policy.unwrap_or(of_pod) != RestartPolicy::Never
}

/// Whether the container is started again after it ended so, by itself or with its whole pod.
pub fn restarts_on(container: &Container, of_pod: RestartPolicy, code: i32) -> bool {
    if !may_restart(container, of_pod) {
        return false;
    }
    if container.lifetime == Lifetime::Sidecar || action_on(container, code).is_some() {
        return true;
    }
    match container.restart_policy.unwrap_or(of_pod) {
        RestartPolicy::Always => true,
        RestartPolicy::OnFailure => code != 0,
        RestartPolicy::Never => false,
    }
}

/// Whether a pod is in the middle of starting all its containers anew (condition AllContainersRestarting).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Anew {
    /// It is.
    Underway,
    /// It is not.
    No,
}

/// Whether all containers of a pod start anew: it is under way, or one ended so that they must; `ended` are the
/// containers that did, with their exit codes (`ShouldAllContainersRestart`).
pub fn all_restart<'a>(anew: Anew, ended: impl IntoIterator<Item = (&'a Container, i32)>) -> bool {
    let asks = |(container, code)| action_on(container, code) == Some(RestartAction::RestartAll);
    anew == Anew::Underway || ended.into_iter().any(asks)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::compact::Compactor;
    use crate::api::object::Object;

    fn container(fields: serde_json::Value) -> Container {
        let mut written = json!({"name": "c", "image": "c"});
        written
            .as_object_mut()
            .expect("an object")
            .extend(fields.as_object().expect("fields").clone());
        let meta = json!({"name": "p", "namespace": "default"});
        let pod = json!({"metadata": meta, "spec": {"containers": [written]}});
        let pod = serde_json::from_value(pod).expect("a Pod");
        match Compactor::new().pod(pod).object {
            Object::Pod(pod) => pod.spec.containers[0].clone(),
            other => panic!("a {:?}", other.kind()),
        }
    }

    #[test]
    fn rules_come_before_the_containers_policy_and_that_before_the_pods() {
        use RestartPolicy::{Always, Never, OnFailure};
        let plain = container(json!({}));
        assert!(!restarts_on(&plain, OnFailure, 0) && restarts_on(&plain, OnFailure, 1));
        let never = container(json!({"restartPolicy": "Never"}));
        assert!(!restarts_on(&never, Always, 1));
        let rule =
            json!({"action": "Restart", "exitCodes": {"operator": "NotIn", "values": [0, 3]}});
        let ruled = container(json!({"restartPolicy": "Never", "restartPolicyRules": [rule]}));
        let restarted: Vec<i32> =
            (0..5).filter(|&code| restarts_on(&ruled, Always, code)).collect();
        assert_eq!(restarted, [1, 2, 4]);
        assert!(!restarts_on(&ruled, Never, 0));
        assert_eq!(action_on(&ruled, 1), Some(RestartAction::Restart));
    }
}
