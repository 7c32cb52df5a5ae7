//! Objects that make no sense, or not with each other: Kubernetes' own refusals and conditions, and
//! the rest of the run goes on.

mod common {
    pub mod listened;
    pub mod play;
}

use common::listened::listened;
use common::play::run;
use wavetank::api::cron_job::CronJob;
use wavetank::api::disruption::PodDisruptionBudget;
use wavetank::api::job::Job;
use wavetank::api::pod::Pod;
use wavetank::api::stateful_set::StatefulSet;
use wavetank::api::workload::Deployment;
use wavetank::runs::Finished;
use wavetank::scenario::{Loader, Overrides};
use wavetank::store::Stored;

/// What goes on whatever else is wrong: a Deployment of two pods.
const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'web:1'}]}
";

fn scenario(spec: &str) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n{spec}\n---{WEB}---\n"
    )
}

/// Why the API server would not take this text.
fn refused(text: &str) -> Vec<String> {
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(loaded.has_errors());
    loaded.findings.iter().map(ToString::to_string).collect()
}

fn assert_says(lines: &[String], words: &str) {
    assert!(lines.iter().any(|line| line.contains(words)), "{words}: {lines:#?}");
}

/// What the API server refused while it ran.
fn refusals(finished: &Finished) -> Vec<String> {
    finished.world.refused().iter().map(|one| one.status.to_string()).collect()
}

/// The Events of a run as `kind/name reason: message`.
fn events(text: &str) -> Vec<String> {
    let (mut world, _) = listened(text);
    let all = world.core_events().expect("somebody listens").iter();
    let line = |it: &wavetank::control_plane::core_events::Stored| {
        let (about, remark) = (&it.about, &it.remark);
        format!("{}/{} {}: {}", about.kind, about.name, remark.reason, remark.message)
    };
    all.map(line).collect()
}

fn one<T: Stored>(finished: &Finished, name: &str) -> T {
    let store = finished.world.store();
    let id = store.find::<T>("default", name).expect("it is there");
    store.get(id).expect("it is there").clone()
}

/// Two web pods are available, and all else is as desired.
fn assert_goes_on(finished: &Finished) {
    assert_eq!(one::<Deployment>(finished, "web").status.available, 2);
    assert!(finished.has_converged());
}

fn cron_job(schedule: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c}}\nspec:\n  schedule: '{schedule}'\n  \
         jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: x}}]}}}}}}}}\n"
    )
}

#[test]
fn a_bad_schedule_is_refused_when_it_is_applied_and_when_it_is_changed() {
    let lines = refused(&(scenario("  duration: 1m") + &cron_job("61 * * * *")));
    assert_says(&lines, "spec.schedule: Invalid value: \"61 * * * *\"");
    let lines = refused(&(scenario("  duration: 1m") + &cron_job("TZ=Foo 0 * * * *")));
    assert!(lines[0].ends_with(": provided bad location Foo: unknown time zone Foo"), "{lines:?}");
    assert!(lines[1].ends_with("use timeZone field instead"), "{lines:?}");
    let spec = "  duration: 3m\n  timeline:\n  \
                - {at: 30s, patch: cronjob/c, type: merge, with: {spec: {schedule: 'every day'}}}";
    let (finished, _) = run(&(scenario(spec) + &cron_job("* * * * *")));
    let said = refusals(&finished);
    assert_says(&said, "\"c\" is invalid: spec.schedule: Invalid value: \"every day\"");
    let kept = one::<CronJob>(&finished, "c");
    assert_eq!(&*kept.spec.schedule, "* * * * *");
    assert_eq!(kept.status.last_schedule.map(|at| at.as_secs()), Some(120), "by its old schedule");
    assert_eq!(one::<Deployment>(&finished, "web").status.available, 2);
}

fn job(spec: &str, restart: &str) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: j}}\nspec:\n  {spec}\n  template:\n    \
         metadata: {{labels: {{app: j}}}}\n    spec:\n      restartPolicy: {restart}\n      \
         containers: [{{name: c, image: x}}]\n"
    )
}

#[test]
fn policies_that_contradict_the_pods_are_refused() {
    let rule =
        "podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [42]}}]}";
    let lines = refused(&(scenario("  duration: 1m") + &job(rule, "OnFailure")));
    assert_says(
        &lines,
        "spec.template.spec.restartPolicy: Invalid value: \"OnFailure\": only \"Never\" is \
         supported when podFailurePolicy is specified",
    );
    let lines = refused(&(scenario("  duration: 1m") + &job("backoffLimitPerIndex: 1", "Never")));
    assert_says(
        &lines,
        "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode",
    );
}

/// The first rule that matches decides, whatever the next one says.
#[test]
fn of_rules_that_contradict_each_other_the_first_decides() {
    let rules = |first: &str, second: &str| {
        let rule = |action: &str| {
            format!("{{action: {action}, onExitCodes: {{operator: In, values: [42]}}}}")
        };
        format!(
            "backoffLimit: 0\n  podFailurePolicy: {{rules: [{}, {}]}}",
            rule(first),
            rule(second)
        )
    };
    let spec = "  duration: 5m\n  apps: [{match: {labels: {app: j}}, run: {for: 1s, exit: 42}}]";
    let end = |first, second| {
        let (finished, _) = run(&(scenario(spec) + &job(&rules(first, second), "Never")));
        assert_eq!(one::<Deployment>(&finished, "web").status.available, 2);
        let status = one::<Job>(&finished, "j").status;
        let failed = status.conditions.iter().find(|it| it.value == Some(true));
        (failed.map(|it| it.reason.to_string()), status.failed)
    };
    assert_eq!(end("FailJob", "Ignore"), (Some("PodFailurePolicy".to_owned()), 1));
    assert_eq!(end("Ignore", "FailJob"), (None, 0), "tried again and again, and never counted");
}

fn budget(name: &str, app: &str, limit: &str) -> String {
    format!(
        "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: {name}}}\n\
         spec: {{{limit}, selector: {{matchLabels: {{app: {app}}}}}}}\n"
    )
}

#[test]
fn a_budget_that_selects_nothing_allows_nothing_and_hinders_nobody() {
    let spec = "  duration: 3m\n  timeline: [{at: 1m, drain: node/n-0}]";
    let (finished, _) = run(&(scenario(spec) + &budget("none", "nobody", "minAvailable: 1")));
    let status = one::<PodDisruptionBudget>(&finished, "none").status;
    assert_eq!((status.expected, status.healthy, status.allowed), (0, 0, 0));
    let condition = status.condition.expect("a condition");
    assert_eq!(
        (condition.reason.name(), condition.reason.is_allowed()),
        ("InsufficientPods", false)
    );
    assert_eq!(refusals(&finished), [""; 0]);
    assert_goes_on(&finished);
    let said = events(&(scenario(spec) + &budget("none", "nobody", "minAvailable: 1")));
    assert_says(&said, "PodDisruptionBudget/none NoPods: No matching pods found");
}

/// One pod for two zones: no hints, and why.
#[test]
fn a_service_with_too_few_pods_to_share_out_says_so() {
    let spec = "  duration: 2m\n  cluster: {nodes: [{name: a, zone: a}, {name: b, zone: b}]}";
    let service = "apiVersion: v1\nkind: Service\nmetadata:\n  name: lone\n  annotations: \
                   {service.kubernetes.io/topology-mode: Auto}\nspec: {selector: {app: lone}, ports: [{port: 80}]}\n\
                   ---\napiVersion: v1\nkind: Pod\nmetadata: {name: lone, labels: {app: lone}}\n\
                   spec: {containers: [{name: c, image: 'lone:1'}]}\n";
    assert_says(
        &events(&(scenario(spec) + service)),
        "Service/lone TopologyAwareHintsDisabled: Insufficient number of endpoints (1 endpoints, 2 \
         zones), addressType: IPv4",
    );
}

#[test]
fn a_pod_of_two_budgets_cannot_be_evicted() {
    let spec = "  duration: 3m\n  timeline: [{at: 1m, evict: pod/lone}]";
    let lone = "apiVersion: v1\nkind: Pod\nmetadata: {name: lone, labels: {app: lone}}\n\
                spec: {containers: [{name: c, image: 'lone:1'}]}\n";
    let budgets =
        budget("a", "lone", "maxUnavailable: 1") + &budget("b", "lone", "minAvailable: 0");
    let (finished, _) = run(&(scenario(spec) + lone + &budgets));
    assert_says(
        &refusals(&finished),
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not \
         support.",
    );
    assert!(!one::<Pod>(&finished, "lone").meta.is_terminating());
    assert_eq!(one::<Deployment>(&finished, "web").status.available, 2);
}

/// Its pods have no names in DNS; nothing else asks for the Service.
#[test]
fn a_stateful_set_without_its_service_is_made_all_the_same() {
    for service in ["serviceName: missing", "podManagementPolicy: OrderedReady"] {
        let set = format!(
            "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: db}}\nspec:\n  replicas: 2\n  \
             {service}\n  selector: {{matchLabels: {{app: db}}}}\n  template:\n    \
             metadata: {{labels: {{app: db}}}}\n    spec: {{containers: [{{name: c, image: 'db:1'}}]}}\n"
        );
        let (finished, _) = run(&(scenario("  duration: 3m") + &set));
        assert_eq!(one::<StatefulSet>(&finished, "db").status.ready, 2, "{service}");
        assert_goes_on(&finished);
    }
}

/// A VerticalPodAutoscaler's schema lists its modes: what is none of them is refused where it stands, and one that
/// says nothing of whom it is for too.
#[test]
fn a_vertical_autoscaler_in_no_mode_or_without_target_is_refused() {
    let vertical = |spec: &str| {
        refused(&format!(
            "apiVersion: autoscaling.k8s.io/v1\nkind: VerticalPodAutoscaler\nmetadata: {{name: v}}\nspec: {spec}\n---{WEB}"
        ))
    };
    let target = "targetRef: {apiVersion: apps/v1, kind: Deployment, name: web}";
    let said = vertical(&format!("{{{target}, updatePolicy: {{updateMode: Sometimes}}}}"));
    let [said] = &said[..] else { panic!("{said:?}") };
    assert!(
        said.contains("spec.updatePolicy.updateMode") && said.contains("\"Sometimes\""),
        "{said}"
    );
    assert!(said.contains("in.yaml:4:"), "{said}");
    let said = vertical("{updatePolicy: {updateMode: Auto}}");
    assert!(said.len() == 1 && said[0].contains("spec.targetRef"), "{said:?}");
}

/// A pod that may take 500m of a core is to take as much as said, under a range and a quota.
fn resized(cpu: &str) -> String {
    let of = |cpu: &str| {
        format!(
            "{{name: c, image: 'a:1', resources: {{requests: {{cpu: {cpu}}}, limits: {{cpu: {cpu}}}}}}}"
        )
    };
    let (small, more) = (of("500m"), of(cpu));
    let steps = format!(
        "  duration: 1m\n  timeline:\n  - at: 10s\n    apply: {{apiVersion: v1, kind: Pod, metadata: \
         {{name: small}}, spec: {{containers: [{small}]}}}}\n  - at: 30s\n    patch: pod/small\n    \
         subresource: resize\n    with: {{spec: {{containers: [{more}]}}}}"
    );
    scenario(&steps).replace(WEB, "\n")
        + "apiVersion: v1\nkind: LimitRange\nmetadata: {name: modest}\n\
           spec: {limits: [{type: Container, max: {cpu: 1}}]}\n---\n\
           apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: few}\nspec: {hard: {limits.cpu: 900m}}\n"
}

#[test]
fn a_resize_keeps_to_ranges_and_quotas_and_is_told_with_what_containers_take() {
    let refused = |cpu: &str| refusals(&run(&resized(cpu)).0);
    assert_says(&refused("2"), "maximum cpu usage per Container is 1, but limit is 2");
    assert_says(
        &refused("1"),
        "exceeded quota: few, requested: limits.cpu=500m, used: limits.cpu=500m, limited: limits.cpu=900m",
    );
    assert_eq!(refused("800m"), Vec::<String>::new());
    let told = events(&resized("800m"));
    let what = "{\"containers\":[{\"name\":\"c\",\"resources\":{\"limits\":{\"cpu\":\"800m\"},\
                \"requests\":{\"cpu\":\"800m\"}}}],\"generation\":2}";
    for (reason, words) in
        [("ResizeStarted", "Pod resize started"), ("ResizeCompleted", "Pod resize completed")]
    {
        let line = format!("Pod/small {reason}: {words}: {what}");
        assert!(told.contains(&line), "{line}: {told:#?}");
    }
}

#[test]
fn a_selector_that_asks_for_nothing_is_not_one_that_is_missing() {
    let lines = |kind: &str, selector: &str| {
        let object = format!(
            "apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: it}}\nspec:\n  {selector}\n  template:\n    \
             metadata: {{labels: {{a: b}}}}\n    spec: {{containers: [{{name: c, image: x}}]}}\n"
        );
        let lines = refused(&(scenario("  duration: 1m") + &object));
        let place = |line: &String| line.find("spec.").unwrap_or_default();
        lines.iter().map(|line| line[place(line)..].to_owned()).collect::<Vec<_>>()
    };
    let words = [
        ("Deployment", "deployment"),
        ("ReplicaSet", "deployment"),
        ("StatefulSet", "statefulset"),
        ("DaemonSet", "daemonset"),
    ];
    let unmatched = "spec.template.metadata.labels: Invalid value: {\"a\":\"b\"}: `selector` does not match \
                     template `labels`";
    for (kind, word) in words {
        let empty =
            format!("spec.selector: Invalid value: {{}}: empty selector is invalid for {word}");
        assert_eq!(lines(kind, "selector: {}"), [&*empty], "{kind}");
        assert_eq!(lines(kind, "selector: {matchLabels: {}}"), [&*empty], "{kind}");
        let missing = ["spec.selector: Required value", unmatched];
        let missing = if kind == "DaemonSet" { &missing[1..] } else { &missing[..] };
        assert_eq!(lines(kind, "minReadySeconds: 0"), missing, "{kind}");
    }
}
