//! Jobs and CronJobs in runs: out of a dump, deleted while they run, never due.

mod common {
    pub mod play;
}

use common::play;
use wavetank::api::cron_job::CronJob;
use wavetank::api::job::Job;
use wavetank::api::pod::Pod;
use wavetank::messages::Verb;
use wavetank::runs::Finished;
use wavetank::store::Store;

fn run(text: &str) -> Finished {
    play::run(text).0
}

fn job<'a>(store: &'a Store, name: &str) -> Option<&'a Job> {
    store.find::<Job>("default", name).and_then(|id| store.get(id))
}

const SCENARIO: &str = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\n";

/// A Job of two completions as `kubectl get -o yaml` gives it: one counted, one running.
const DUMP: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: w, uid: n-1}
status:
  capacity: {cpu: "8", memory: 16Gi, pods: "110"}
  allocatable: {cpu: "8", memory: 16Gi, pods: "110"}
  conditions: [{type: Ready, status: "True"}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: often, namespace: default, uid: c-1}
spec:
  schedule: "*/2 * * * *"
  concurrencyPolicy: Forbid
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: x}]}}}}
status: {lastScheduleTime: "2026-01-01T00:00:00Z", active: [{kind: Job, name: often-1, namespace: default, uid: j-1}]}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: often-1
  namespace: default
  uid: j-1
  ownerReferences: [{apiVersion: batch/v1, kind: CronJob, name: often, uid: c-1, controller: true}]
spec:
  parallelism: 1
  completions: 2
  selector: {matchLabels: {batch.kubernetes.io/controller-uid: j-1}}
  template:
    metadata: {labels: {batch.kubernetes.io/controller-uid: j-1, job-name: often-1}}
    spec: {restartPolicy: Never, containers: [{name: c, image: x}]}
status: {startTime: "2026-01-01T00:00:00Z", active: 1, ready: 1, succeeded: 1, uncountedTerminatedPods: {}}
---
apiVersion: v1
kind: Pod
metadata:
  name: often-1-abcde
  namespace: default
  uid: p-1
  finalizers: [batch.kubernetes.io/job-tracking]
  labels: {batch.kubernetes.io/controller-uid: j-1, job-name: often-1}
  ownerReferences: [{apiVersion: batch/v1, kind: Job, name: often-1, uid: j-1, controller: true}]
spec: {restartPolicy: Never, nodeName: w, containers: [{name: c, image: x}]}
status:
  phase: Running
  conditions: [{type: Ready, status: "True"}, {type: PodScheduled, status: "True"}]
  containerStatuses:
  - {name: c, ready: true, started: true, restartCount: 0, image: x, imageID: "", state: {running: {startedAt: "2026-01-01T00:00:00Z"}}}
"#;

#[test]
fn a_job_out_of_a_dump_goes_on_and_its_cron_job_with_it() {
    let finished = run(&format!("{SCENARIO}spec: {{duration: 5m}}\n---\n{DUMP}"));
    let store = finished.world.store();
    let status = &job(store, "often-1").expect("the Job").status;
    assert!(status.end().is_some(), "{status:?}");
    assert_eq!(
        (status.succeeded, status.failed),
        (2, 0),
        "what was counted stays, what ran is counted"
    );
    let cron = store.table::<CronJob>().iter().next().expect("the CronJob").1;
    assert_eq!(cron.status.last_schedule.map(|at| at.as_secs()), Some(240));
    assert_eq!(store.table::<Job>().iter().count(), 3, "and one each at 2 and 4 minutes");
    assert!(store.table::<Pod>().iter().all(|(_, pod)| pod.meta.finalizers().is_empty()));
}

const SWEEP: &str = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: sweep}\nspec:\n  parallelism: 3\n  \
    completions: 3\n  template:\n    metadata: {labels: {app: sweep}}\n    spec:\n      restartPolicy: Never\n      \
    containers: [{name: c, image: x}]\n";

#[test]
fn a_job_deleted_while_it_runs_takes_its_pods_along() {
    let spec = "spec:\n  duration: 2m\n  apps: [{match: {labels: {app: sweep}}, run: {for: 10m}}]\n  timeline:\n  \
                - {at: 30s, delete: job/sweep}\n";
    let finished = run(&format!("{SCENARIO}{spec}---\n{SWEEP}"));
    let store = finished.world.store();
    assert!(job(store, "sweep").is_none());
    assert_eq!(store.table::<Pod>().iter().count(), 0, "no finalizer holds a pod up");
}

#[test]
fn a_job_without_labels_has_those_of_its_pods() {
    let labels = |job_labels: &str, template: &str| {
        let text = SWEEP
            .replace("{name: sweep}", &format!("{{name: sweep{job_labels}}}"))
            .replace("{labels: {app: sweep}}", template);
        let finished = run(&format!("{SCENARIO}spec: {{duration: 5s}}\n---\n{text}"));
        let labels = job(finished.world.store(), "sweep").expect("it is there").meta.labels.clone();
        labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(labels("", "{labels: {app: sweep}}"), ["app=sweep"]);
    assert_eq!(labels(", labels: {own: x}", "{}"), ["own=x"]);
    let generated = labels("", "{}");
    assert_eq!(generated.len(), 4, "{generated:?}");
    assert!(generated.contains(&"batch.kubernetes.io/job-name=sweep".to_owned()), "{generated:?}");
}

#[test]
fn a_schedule_that_never_comes_starts_nothing_and_costs_nothing() {
    let cron = |schedule: &str| {
        format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c}}\nspec:\n  schedule: '{schedule}'\n  \
             jobTemplate: {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: x}}]}}}}}}}}\n"
        )
    };
    let events = |schedule: &str, span: &str| {
        let finished =
            run(&format!("{SCENARIO}spec: {{duration: {span}}}\n---\n{}", cron(schedule)));
        assert_eq!(finished.world.store().table::<Job>().iter().count(), 0);
        wavetank::kernel::Engine::events(&finished.world)
    };
    // The 31st of February, and a day that is far away.
    for schedule in ["0 0 31 2 *", "0 0 1 7 *"] {
        assert_eq!(events(schedule, "1h"), events(schedule, "48h"), "{schedule}");
    }
}

#[test]
fn what_the_pods_of_a_suspended_job_ask_for_and_where_they_go_may_change_and_nothing_else() {
    let patch = |at: &str, template: &str| {
        format!(
            "  - {{at: {at}, patch: job/default/sweep, type: strategic, with: {{spec: {{template: {template}}}}}}}\n"
        )
    };
    let cpu = |cpu: &str| {
        format!("{{spec: {{containers: [{{name: c, resources: {{requests: {{cpu: {cpu}}}}}}}]}}}}")
    };
    let suspend = |at: &str, value: &str| {
        format!(
            "  - {{at: {at}, patch: job/default/sweep, with: {{spec: {{suspend: {value}}}}}}}\n"
        )
    };
    let steps = [
        patch("10s", &cpu("100m")),
        suspend("20s", "true"),
        patch("1m", &cpu("200m")),
        patch("1m", "{spec: {nodeSelector: {disk: ssd}}, metadata: {labels: {tier: gold}}}"),
        patch("1m", "{spec: {containers: [{name: c, image: other}]}}"),
        patch("1m", "{metadata: {labels: {job-name: other}}}"),
        suspend("2m", "false"),
    ];
    let text = format!(
        "{SCENARIO}spec:\n  duration: 3m\n  apps: [{{match: {{labels: {{app: sweep}}}}, run: {{for: 10m}}}}]\n  \
         timeline:\n{}---\n{SWEEP}",
        steps.concat()
    );
    let (finished, told) = play::run(&text);
    let refused: Vec<String> = told
        .0
        .iter()
        .filter(|(_, fact)| fact.verb == Verb::Refused)
        .filter_map(|(_, fact)| fact.message.as_ref().map(ToString::to_string))
        .collect();
    assert_eq!(refused.len(), 3, "{refused:?}");
    let says = |at: usize, text: &str| assert!(refused[at].contains(text), "{}", refused[at]);
    says(0, "spec.template: Invalid value");
    says(1, "spec.template.spec: Invalid value");
    says(2, "spec.template.metadata.labels[job-name]: Invalid value");
    says(2, "must be 'sweep'");
    let store = finished.world.store();
    let pods: Vec<_> = store.table::<Pod>().iter().map(|(_, pod)| pod.clone()).collect();
    assert_eq!(pods.len(), 3, "they came anew");
    for pod in &pods {
        assert_eq!(pod.spec.containers[0].requests.cpu_milli, 200);
        assert_eq!(pod.meta.labels.get("tier").map(|it| &**it), Some("gold"));
        assert_eq!(pod.meta.labels.get("job-name").map(|it| &**it), Some("sweep"));
        assert!(pod.node.is_none(), "no node has such a disk");
    }
}

/// When a CronJob is due, somebody else's Job has the name of the one it would start.
#[test]
fn a_cron_job_whose_next_job_is_somebody_elses_waits_until_something_happens_to_it() {
    let spec = "restartPolicy: Never, containers: [{name: c, image: x}]";
    let started = |timeline: &str| {
        let text = format!(
            "{SCENARIO}spec: {{duration: 10m, epoch: '2026-03-28T23:57:30Z', timeline: [{timeline}]}}\n---\n\
             apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c}}\nspec:\n  schedule: '* * * * *'\n  \
             successfulJobsHistoryLimit: 20\n  jobTemplate: {{spec: {{template: {{spec: {{{spec}}}}}}}}}\n---\n\
             apiVersion: batch/v1\nkind: Job\nmetadata: {{name: c-29579040}}\nspec: {{template: {{spec: {{{spec}}}}}}}\n"
        );
        let finished = run(&text);
        let store = finished.world.store();
        let mut all: Vec<u32> = store
            .table::<Job>()
            .iter()
            .filter(|(_, job)| job.meta.owner.is_some())
            .filter_map(|(_, job)| job.meta.name.to_string().strip_prefix("c-295790")?.parse().ok())
            .collect();
        all.sort_unstable();
        all
    };
    assert_eq!(started(""), [38, 39]);
    let woken = "{at: 6m10s, annotate: cronjob/c, with: {a: b}}";
    assert_eq!(started(woken), [38, 39, 43, 44, 45, 46, 47]);
}

#[test]
fn a_job_keeps_its_selector_and_labels_when_they_become_its_own_to_say() {
    let patch = |at: &str, spec: &str| {
        format!("{{at: {at}, patch: job/default/sweep, type: merge, with: {{spec: {{{spec}}}}}}}, ")
    };
    let manual = |it: &str| format!("manualSelector: {it}");
    let no_label = "template: {metadata: {labels: {job-name: null}}}";
    let ran = |steps: &[String]| {
        let text = format!(
            "{SCENARIO}spec: {{duration: 2m, timeline: [{}], apps: [{{match: {{labels: {{app: sweep}}}}, run: {{for: \
             10m}}}}]}}\n---\n{SWEEP}",
            steps.concat()
        );
        play::run(&text)
    };
    let said = |told: &play::Told| -> Vec<String> {
        let refused = told.0.iter().filter(|(_, fact)| fact.verb == Verb::Refused);
        refused.filter_map(|(_, fact)| Some(fact.message.as_ref()?.to_string())).collect()
    };
    let (finished, told) = ran(&[patch("30s", &manual("true"))]);
    assert_eq!(said(&told), [""; 0]);
    let store = finished.world.store();
    let held = job(store, "sweep").expect("the Job");
    let selector = held.spec.manual_selector.as_ref().expect("its own");
    assert!(selector.matches(&held.pod_labels), "{selector:?}");
    assert_eq!(held.pod_labels.get("job-name").map(|it| &**it), Some("sweep"));
    let pods = store.table::<Pod>().iter();
    assert_eq!(pods.filter(|(_, pod)| selector.matches(&pod.meta.labels)).count(), 3);

    let there_and_back = [patch("30s", &manual("true")), patch("40s", &manual("false"))];
    let (finished, told) = ran(&there_and_back);
    assert_eq!(said(&told), [""; 0]);
    let (never, _) = ran(&[]);
    let held = |of: &Finished| job(of.world.store(), "sweep").expect("the Job").clone();
    assert_eq!(held(&finished).spec, held(&never).spec);

    let (_, told) = ran(&[patch("30s", no_label)]);
    let said = said(&told);
    let missing = "spec.template.metadata.labels[job-name]: Required value: must be 'sweep'";
    assert!(said[0].contains(missing), "{said:?}");
}
