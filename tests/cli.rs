//! The command line from outside: exit codes, messages, and what is written.

#![expect(clippy::disallowed_methods, reason = "the tests make files of their own")]

mod common {
    pub mod command;
}

use std::fs;
use std::path::Path;

use common::command::{Said, wavetank};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

/// A Deployment with holes for what is wrong with it.
fn deployment(replicas: &str, selects: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  \
         replicas: {replicas}\n  selector: {{matchLabels: {{app: {selects}}}}}\n  template:\n    \
         metadata: {{labels: {{app: web}}}}\n    spec:\n      containers:\n      - name: c\n        \
         image: a:1\n        {more}\n"
    )
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Alias upon alias: nine to the ninth values.
fn bomb() -> String {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, name) in ('a'..='i').zip('b'..='j') {
        let list = vec![format!("*{before}"); 9].join(", ");
        text += &format!("{name}: &{name} [{list}]\n");
    }
    text
}

#[test]
fn bad_input_is_one_clear_line_and_exit_2_and_nothing_is_written() {
    let nested = "[".repeat(100_000) + &"]".repeat(100_000);
    let duration =
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nspec: {duration: 5 minutes}\n";
    let cases: Vec<(String, &str)> = vec![
        ("a: [1, 2\nb: {".into(), "in.yaml:2:2 (document 1): not valid YAML"),
        (bomb(), "excessive aliasing"),
        (nested, "in.yaml:1:201 (document 1): not valid YAML: nested deeper than 200 levels"),
        ("kind: Pod\nmetadata:\n  name: {{ .Values.name }}\n".into(), "unrendered Helm template"),
        (String::new(), "in.yaml: the file is empty"),
        ("\u{0}\u{1}\u{2}\u{0}\u{0}".into(), "in.yaml: a binary file"),
        (
            "apiVersion: apps/v1\nkind: Deploymant\nmetadata: {name: a}\n".into(),
            "in.yaml:2:1 (document 1, Deploymant/a): no matches for kind \"Deploymant\" in version \
             \"apps/v1\" (did you mean Deployment in \"apps/v1\"?)",
        ),
        (
            deployment("two", "web", ""),
            "in.yaml:5:3 (document 1, Deployment/default/web): spec.replicas: expected an integer",
        ),
        (
            deployment("-1", "web", ""),
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        (deployment("1", "other", ""), "`selector` does not match template `labels`"),
        (
            deployment("1", "web", "resources: {requests: {memory: 1.5.0Gi}}"),
            "spec.template.spec.containers[0].resources.requests[memory]: Invalid value: \"1.5.0Gi\"",
        ),
        (
            duration.into(),
            "in.yaml:3:8 (document 1, Scenario): spec.duration: invalid duration \"5 minutes\"",
        ),
    ];
    for (text, message) in cases {
        let folder = folder(&[("in.yaml", &text)]);
        for command in ["check", "run", "test"] {
            let said = wavetank(folder.path(), &[command, "in.yaml"]);
            assert_eq!(said.code, 2, "{command}: {message}: {}", said.err);
            assert!(said.err.contains(message), "{command}: {message}: {}", said.err);
            assert_eq!(said.err.lines().count(), 1, "{}", said.err);
            assert!(said.out.is_empty(), "{}", said.out);
        }
        assert_eq!(names_in(folder.path()), ["in.yaml"], "{message}");
    }
}

#[test]
fn all_errors_of_all_files_come_at_once() {
    let folder = folder(&[
        ("a.yaml", &deployment("-1", "other", "")),
        ("b.yaml", "apiVersion: v1\nkind: Pood\n"),
    ]);
    let said = wavetank(folder.path(), &["check", "a.yaml", "b.yaml", "none.yaml"]);
    assert_eq!(said.code, 2);
    for part in
        ["spec.replicas", "spec.template.metadata.labels", "Pood", "none.yaml: cannot be read"]
    {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    assert!(said.err.ends_with("4 errors\n"), "{}", said.err);
}

#[test]
fn an_unknown_field_is_a_warning_unless_strict() {
    let folder = folder(&[("in.yaml", &deployment("1", "web", "imagPullPolicy: Always"))]);
    let said = wavetank(folder.path(), &["check", "in.yaml"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.err.starts_with("in.yaml:13:9 "), "{}", said.err);
    assert!(said.err.contains("(did you mean \"imagePullPolicy\"?)"), "{}", said.err);
    assert!(said.out.starts_with("1 document, 1 warning: fine\n"), "{}", said.out);
    assert_eq!(wavetank(folder.path(), &["check", "in.yaml", "--strict"]).code, 2);
}

#[test]
fn flags_that_make_no_sense_are_exit_2_and_name_the_flag() {
    let folder = folder(&[("in.yaml", &deployment("1", "web", ""))]);
    for (args, part) in [
        (&["run", "in.yaml", "--until", "1m", "--settle", "2s"][..], "--settle"),
        (&["run", "in.yaml", "--until", "5 minutes"], "--until: invalid duration"),
        (&["run", "in.yaml", "--nodes", "5y"], "--nodes 5y"),
        (&["run", "in.yaml", "--set", "seed=1"], "--set seed=1"),
        (&["run", "in.yaml", "--set", "spec.seed=x"], "--set spec.seed=x"),
        (&["run", "in.yaml", "--max-input", "0"], "--max-input 0"),
        (&["run", "in.yaml", "--max-input", "10"], "--max-input"),
        (&["test", "in.yaml", "--seeds", "5..1"], "--seeds 5..1"),
        (&["test", "in.yaml", "--seeds", "1..2", "--seed", "3"], "--seed"),
        (&["test", "in.yaml", "--jobs", "0"], "--jobs 0"),
        (&["run"], "FILE"),
        (&["schema", "nope"], "nope"),
    ] {
        let said = wavetank(folder.path(), args);
        assert_eq!(said.code, 2, "{args:?}: {}", said.err);
        assert!(said.err.contains(part), "{args:?}: {}", said.err);
    }
    assert_eq!(names_in(folder.path()), ["in.yaml"]);
}

#[test]
fn what_cannot_be_written_is_exit_4_and_what_is_not_ours_is_left_alone() {
    let folder = folder(&[("in.yaml", &deployment("1", "web", "")), ("file", "")]);
    let said = wavetank(folder.path(), &["run", "in.yaml", "--out", "file/out"]);
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("file/out: cannot be written"), "{}", said.err);
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).expect("a folder");
    fs::write(foreign.join("letter.txt"), "dear").expect("a file");
    let said = wavetank(folder.path(), &["run", "in.yaml", "--out", "foreign"]);
    assert_eq!(said.code, 2, "{}", said.err);
    assert_eq!(names_in(&foreign), ["letter.txt"]);
}

#[test]
fn schemas_are_json_with_a_name() {
    let folder = folder(&[]);
    for name in ["scenario", "summary", "timeline", "schedule", "profile"] {
        let said = wavetank(folder.path(), &["schema", name]);
        let schema: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        assert!(schema["$id"].as_str().is_some_and(|id| id.starts_with("wavetank.dev/")), "{name}");
    }
}

#[test]
fn a_run_leaves_a_folder_from_which_it_can_be_run_again() {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/first-light.yaml");
    let folder = folder(&[]);
    let first = wavetank(folder.path(), &["run", scenario]);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    assert!(first.out.contains("converged at "), "{}", first.out);
    let place = folder.path().join("reports/first-light");
    let mut expected: Vec<String> =
        ["inputs", "metrics.csv", "report.html", "run.json", "summary.json", "timeline.jsonl"]
            .map(str::to_owned)
            .into();
    let pictures = ["latency", "nodes", "pods", "requests", "workloads"];
    expected.extend(pictures.iter().flat_map(|it| [format!("{it}.png"), format!("{it}.svg")]));
    expected.sort();
    assert_eq!(names_in(&place), expected);
    assert_eq!(names_in(&folder.path().join("reports")), ["first-light"]);
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.join("summary.json")).expect("a summary"))
            .expect("JSON");
    assert_eq!(summary["pods"]["ready"], 8);
    assert_eq!(summary["converged"], true);

    let again = wavetank(folder.path(), &["run", "reports/first-light/inputs", "--out", "again"]);
    assert_eq!(again.code, 0, "{}", again.err);
    let facts = |place: &Path| fs::read(place.join("timeline.jsonl")).expect("a timeline");
    assert_eq!(facts(&place), facts(&folder.path().join("again")));
}

/// Files that steps apply are kept too, where a run of the folder does not take them for its start.
#[test]
fn a_run_whose_steps_apply_files_can_be_run_again() {
    let config = |data: &str| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{a: {data}}}\n")
    };
    let scenario = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  timeline:\n  \
                    - {at: 1m, apply: [late/one.yaml, late/two.yaml]}\n  - {at: 2m, apply: late/one.yaml}\n";
    let files = [("in.yaml", &*deployment("1", "web", "")), ("scenario.yaml", scenario)];
    let folder = folder(&files);
    let late = folder.path().join("late");
    fs::create_dir(&late).expect("a folder");
    fs::write(late.join("one.yaml"), config("b")).expect("a file");
    fs::write(late.join("two.yaml"), deployment("2", "web", "")).expect("a file");
    let run = |args: &[&str]| {
        let said = wavetank(folder.path(), args);
        assert_eq!(said.code, 0, "{}{}", said.out, said.err);
        let out = folder.path().join(args.last().expect("a place"));
        fs::read_to_string(out.join("timeline.jsonl")).expect("a timeline")
    };
    let first = run(&["run", "in.yaml", "scenario.yaml", "--out", "first"]);
    fs::remove_dir_all(&late).expect("it was there");
    let kept = names_in(&folder.path().join("first/inputs/applied"));
    assert_eq!(kept, ["0000-one.json", "0001-two.json", "0002-one.json"]);
    assert_eq!(run(&["run", "first/inputs", "--out", "again"]), first);
    assert!(first.contains("scaled"), "the second manifest wants two replicas");
}

#[test]
fn a_pod_that_fits_nowhere_is_no_input_error() {
    let pod = deployment("1", "web", "resources: {requests: {cpu: \"64\"}}");
    let folder = folder(&[("in.yaml", &pod)]);
    let said = wavetank(folder.path(), &["run", "in.yaml", "--until", "2m"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(
        said.out.contains(
            "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 Insufficient"
        ),
        "{}",
        said.out
    );
    assert!(said.out.contains("1 pending"), "{}", said.out);
}

#[test]
fn seeds_give_the_same_verdicts_whatever_the_jobs() {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/first-light.yaml");
    let folder = folder(&[]);
    let with =
        |jobs| wavetank(folder.path(), &["test", scenario, "--seeds", "1..4", "--jobs", jobs]);
    let (one, four) = (with("1"), with("4"));
    assert_eq!(one.code, 0, "{}{}", one.out, one.err);
    assert_eq!(one.out, four.out);
    assert!(one.out.ends_with("4 of 4 passed\n"), "{}", one.out);
}

#[test]
fn a_run_over_its_budget_is_written_as_far_as_it_came() {
    let web = deployment("3", "web", "");
    let folder = folder(&[("web.yaml", &web)]);
    let said = wavetank(folder.path(), &["run", "web.yaml", "--max-events", "50", "--out", "r"]);
    assert_eq!(said.code, 4, "{}", said.err);
    assert!(said.err.contains("over --max-events"), "{}", said.err);
    assert!(folder.path().join("r/summary.json").is_file());
    let said = wavetank(folder.path(), &["run", "web.yaml", "--max-wall", "5 minutes"]);
    assert_eq!(said.code, 2, "{}", said.err);
}

#[test]
fn the_readme_shows_what_is_printed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("the README");
    let shown = readme.split("The first prints").nth(1).and_then(|rest| rest.split("```").nth(1));
    let shown = shown.expect("a quoted output").trim();
    let out = TempDir::new().expect("a folder");
    let place = out.path().join("run");
    let place = place.to_str().expect("a plain path");
    let said = wavetank(root, &["run", "scenarios/first-light.yaml", "--out", place]);
    let printed = said.out.replace(place, "reports/first-light");
    assert_eq!(printed.trim(), shown);
}

#[test]
fn a_step_that_finds_nothing_is_told_beside_the_verdict() {
    let scenario = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  \
                    timeline: [{at: 30s, name: nobody, delete: pod/web-zzz}]\n";
    let folder = folder(&[("s.yaml", scenario), ("web.yaml", &deployment("1", "web", ""))]);
    let said = wavetank(folder.path(), &["run", "s.yaml", "web.yaml"]);
    assert_eq!(said.code, 1, "{}", said.err);
    let part = "failed, for a step did nothing: nobody\n  pods \"web-zzz\" not found";
    assert!(said.out.contains(part), "{}", said.out);
}

#[test]
fn a_client_that_called_nobody_is_told() {
    let web = deployment("1", "web", "");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n";
    let scenario = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  duration: 1m\n  \
                    traffic: [{name: ghosts, from: {pods: {app: nobody}}, to: \"web:80\", rate: 1/s}]\n";
    let files = [("web.yaml", &*web), ("service.yaml", service), ("scenario.yaml", scenario)];
    let folder = folder(&files);
    let said = wavetank(folder.path(), &["run", "web.yaml", "service.yaml", "scenario.yaml"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.err.contains("client \"ghosts\" sent no request"), "{}", said.err);
}

const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: a:1}]}\n";

/// A configuration of the scheduler with this body.
fn configuration(body: &str) -> String {
    format!(
        "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n{body}\n"
    )
}

#[test]
fn a_scheduler_configuration_may_be_a_file_of_its_own_and_there_is_one() {
    let good = configuration("profiles: [{schedulerName: mine}]");
    let folder = folder(&[("pod.yaml", POD), ("config.yaml", &good), ("other.yaml", &good)]);
    let said = wavetank(folder.path(), &["check", "pod.yaml", "--scheduler-config", "config.yaml"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let args = ["check", "pod.yaml", "other.yaml", "--scheduler-config", "config.yaml"];
    let said = wavetank(folder.path(), &args);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("a second KubeSchedulerConfiguration"), "{}", said.err);
    let said = wavetank(folder.path(), &["check", "pod.yaml", "--scheduler-config", "pod.yaml"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("expected a KubeSchedulerConfiguration"), "{}", said.err);
    let said = wavetank(folder.path(), &["check", "pod.yaml", "--scheduler-config", "none.yaml"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("none.yaml: cannot be read"), "{}", said.err);
}

#[test]
fn feature_gates_that_cannot_be_are_refused() {
    let folder = folder(&[("pod.yaml", POD)]);
    for (gates, words) in [
        ("SchedulerPopFromBackofQ=false", "did you mean \"SchedulerPopFromBackoffQ\"?"),
        ("SchedulerPopFromBackoffQ", "missing bool value for SchedulerPopFromBackoffQ"),
        ("SchedulerQueueingHints=false", "feature is locked to true"),
    ] {
        let said = wavetank(folder.path(), &["check", "pod.yaml", "--feature-gates", gates]);
        assert_eq!(said.code, 2, "{gates}");
        assert!(said.err.contains(words), "{gates}: {}", said.err);
    }
    let gates = "OpportunisticBatching=false,SchedulerAsyncPreemption=false";
    let said = wavetank(folder.path(), &["check", "pod.yaml", "--feature-gates", gates]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn a_bad_configuration_ends_a_command_with_all_that_is_wrong() {
    let bad = configuration(
        "profiles:\n- plugins: {score: {enabled: [{name: ImageLocality, weight: -1}, {name: Nope}]}}\n  \
         pluginConfig:\n  - {name: InterPodAffinity, args: {hardPodAffinityWeight: 101}}\n  \
         - {name: GpuShare, args: {policy: FDG, workload: [{gpuMilli: 2000}]}}",
    );
    let node = "apiVersion: v1\nkind: Node\nmetadata: {name: worker}\n\
                status: {allocatable: {cpu: -1, memory: 1Gi, pods: 10}, capacity: {cpu: 4, memory: 1Gi, pods: 10}}\n";
    let folder = folder(&[("pod.yaml", POD), ("config.yaml", &bad), ("node.yaml", node)]);
    let args = ["run", "pod.yaml", "node.yaml", "--scheduler-config", "config.yaml"];
    let said = wavetank(folder.path(), &args);
    assert_eq!(said.code, 2, "{}", said.err);
    for words in [
        "config.yaml:4:",
        "weight: Invalid value: -1: must be greater than or equal to 0",
        "ScorePlugin \"Nope\" does not exist",
        "hardPodAffinityWeight: Invalid value: 101: not in valid range [0, 100]",
        "policy: Unsupported value: \"FDG\"",
        "did you mean \"FGD\"?",
        "workload[0].gpuMilli: Invalid value: 2000: not in valid range [1, 1000]",
        "node.yaml:4:",
        "must be greater than or equal to 0",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
}

/// Two nodes, and pods with these lines in their specs.
fn to_place(pods: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for name in ["a", "b"] {
        text += &format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\n\
             status: {{allocatable: {{cpu: '2', memory: 4Gi, pods: '10'}}}}\n---\n"
        );
    }
    for (name, more) in pods {
        text += &format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  {more}\n  containers:\n  \
             - {{name: c, image: 'a:1', resources: {{requests: {{cpu: '1'}}}}}}\n---\n"
        );
    }
    text
}

#[test]
fn schedule_says_where_pods_go_and_who_waits() {
    let all: Vec<String> = (0..5).map(|number| format!("p{number}")).collect();
    let pods: Vec<(&str, &str)> = all.iter().map(|name| (name.as_str(), "priority: 0")).collect();
    let folder = folder(&[("four.yaml", &to_place(&pods[..4])), ("five.yaml", &to_place(&pods))]);
    let four = wavetank(folder.path(), &["schedule", "four.yaml"]);
    assert_eq!(four.code, 0, "{}", four.err);
    assert!(four.out.contains("4 of 4 pods placed"), "{}", four.out);
    let five = wavetank(folder.path(), &["schedule", "five.yaml", "--explain=p4"]);
    assert_eq!(five.code, 1);
    assert!(five.out.contains("0/2 nodes are available: 2 Insufficient cpu."), "{}", five.out);
    let json = wavetank(folder.path(), &["schedule", "five.yaml", "-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["final"]["unschedulable"], serde_json::json!(["default/p4"]));
    assert_eq!(json["steps"][4]["rejected"][0]["plugin"], "NodeResourcesFit");
}

/// Each kind of workload, on two nodes of 2 CPUs and 10 pods, and how many pods it stands for there.
#[test]
fn workloads_stand_for_the_pods_they_want() {
    let with = |version: &str, kind: &str, spec: &str| {
        format!(
            "{}apiVersion: {version}\nkind: {kind}\nmetadata: {{name: w}}\nspec:\n  {spec}\n  template:\n    \
             metadata: {{labels: {{app: w}}}}\n    spec:\n      containers: [{{name: c, image: 'a:1'}}]\n",
            to_place(&[])
        )
    };
    let job = |spec: &str| {
        with("batch/v1", "Job", spec).replace(
            "    spec:\n      containers",
            "    spec:\n      restartPolicy: Never\n      containers",
        )
    };
    let selector = "selector: {matchLabels: {app: w}}";
    for (text, pods) in [
        (with("apps/v1", "Deployment", &format!("replicas: 3\n  {selector}")), 3),
        (with("apps/v1", "ReplicaSet", &format!("replicas: 4\n  {selector}")), 4),
        (with("v1", "ReplicationController", "replicas: 4\n  selector: {app: w}"), 4),
        (with("apps/v1", "StatefulSet", &format!("replicas: 2\n  {selector}")), 2),
        (with("apps/v1", "DaemonSet", selector), 2),
        (job("parallelism: 3"), 3),
        (job("parallelism: 3\n  completions: 2\n  completionMode: Indexed"), 2),
    ] {
        let folder = folder(&[("it.yaml", &text)]);
        let said = wavetank(folder.path(), &["schedule", "it.yaml"]);
        assert!(said.out.contains(&format!("{pods} of {pods} pods placed")), "{text}{}", said.out);
        assert_eq!(said.code, 0, "{text}{}", said.err);
    }
    for (text, words) in [
        (job("suspend: true"), "0 of 0 pods placed"),
        (
            to_place(&[])
                + "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: w}\nspec:\n  schedule: '@daily'\n  \
                   jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, \
                   image: 'a:1'}]}}}}\n",
            "makes its Jobs by the clock",
        ),
    ] {
        let folder = folder(&[("it.yaml", &text)]);
        let said = wavetank(folder.path(), &["schedule", "it.yaml"]);
        let all = said.out + &said.err;
        assert!(all.contains(words), "{text}{all}");
    }
}

#[test]
fn schedule_refuses_what_it_cannot_place_by() {
    let good = to_place(&[("p", "priority: 0")]);
    let lost = to_place(&[("p", "schedulerName: nobody")]);
    let classless = to_place(&[("p", "priorityClassName: nope")]);
    let folder = folder(&[
        ("good.yaml", &good),
        ("lost.yaml", &lost),
        ("classless.yaml", &classless),
        ("no-node.yaml", good.split("---\n").nth(2).expect("a pod")),
        ("no-pod.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"),
    ]);
    for (args, code, words) in [
        (&["good.yaml", "--explain=q"][..], 2, "no such pod"),
        (&["good.yaml", "--capacity", "no-pod.yaml"], 2, "counts copies of a Pod"),
        (&["good.yaml", "--capacity", "none.yaml"], 2, "cannot be read"),
        (&["good.yaml", "--feature-gates", "Nope=true"], 2, "Nope"),
        (&["classless.yaml"], 2, "no PriorityClass with name nope was found"),
        (&["good.yaml", "--tie-break", "dice"], 2, "dice"),
        (&["no-node.yaml"], 1, "1 pending"),
        (&["lost.yaml"], 1, "no profile is called \"nobody\""),
    ] {
        let said = wavetank(folder.path(), &[&["schedule"], args].concat());
        let all = said.out + &said.err;
        assert_eq!(said.code, code, "{args:?}: {all}");
        assert!(all.contains(words), "{args:?}: {all}");
        assert!(!all.contains("panicked"), "{args:?}: {all}");
    }
}

#[test]
fn schedule_tells_scores_totals_and_what_plays_no_part() {
    let claims = "resourceClaims: [{name: g, resourceClaimName: g}]";
    let folder = folder(&[("in.yaml", &to_place(&[("p", "priority: 0"), ("q", claims)]))]);
    let said = wavetank(folder.path(), &["schedule", "in.yaml"]);
    assert!(said.out.starts_with("POD        NODE  SCORE\n"), "{}", said.out);
    let named = "warning: Pod resourceClaims: accepted, not modelled (1 object)";
    assert!(said.err.contains(named), "{}", said.err);
    let quiet = wavetank(folder.path(), &["schedule", "in.yaml", "-q"]);
    assert_eq!((&*quiet.out, &*quiet.err), ("2 of 2 pods placed\n", ""));
}

#[test]
fn a_volume_that_was_just_applied_can_be_claimed() {
    let text = to_place(&[("p", "volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]")])
        + "apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: pv}\nspec: {capacity: {storage: 10Gi}, \
           accessModes: [ReadWriteOnce], storageClassName: local, hostPath: {path: /x}}\n---\n\
           apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: local}\n\
           provisioner: kubernetes.io/no-provisioner\nvolumeBindingMode: WaitForFirstConsumer\n---\n\
           apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data, namespace: default}\nspec: \
           {accessModes: [ReadWriteOnce], storageClassName: local, resources: {requests: {storage: 5Gi}}}\n";
    let imported = text.replace("metadata: {name: pv}", "metadata: {name: pv, uid: abc}");
    let folder = folder(&[("applied.yaml", &text), ("imported.yaml", &imported)]);
    for (file, words) in [
        ("applied.yaml", "1 of 1 pod placed"),
        ("imported.yaml", "2 node(s) didn't find available persistent volumes to bind"),
    ] {
        let said = wavetank(folder.path(), &["schedule", file]);
        assert!(said.out.contains(words), "{file}: {}{}", said.out, said.err);
    }
}

#[test]
fn pods_of_a_template_with_limits_request_as_much() {
    let text = deployment("3", "web", "resources: {limits: {cpu: '1'}}");
    let folder = folder(&[("in.yaml", &text)]);
    let more = ["in.yaml", "--nodes", "1x2,4Gi"];
    let scheduled = wavetank(folder.path(), &[&["schedule"], &more[..]].concat());
    assert!(scheduled.out.contains("2 of 3 pods placed, 1 pending"), "{}", scheduled.out);
    let ran = wavetank(folder.path(), &[&["run"], &more[..], &["--until", "1m"]].concat());
    assert!(ran.out.contains("2 running, 2 ready, 1 pending"), "{}", ran.out);
}

#[test]
fn capacity_counts_copies_until_something_runs_out() {
    let copy = "apiVersion: v1\nkind: Pod\nmetadata: {name: probe}\nspec:\n  containers:\n  \
                - {name: c, image: 'a:1', resources: {requests: {cpu: 500m}}}\n";
    let folder = folder(&[("in.yaml", &to_place(&[("p", "priority: 0")])), ("copy.yaml", copy)]);
    let said = wavetank(folder.path(), &["schedule", "in.yaml", "--capacity", "copy.yaml"]);
    let words =
        "6 more copies of default/probe fit; then: 0/2 nodes are available: 2 Insufficient cpu.";
    assert!(said.out.contains(words), "{}", said.out);
}

/// A run of the first scenario, in a folder of its own.
fn first_light() -> TempDir {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/first-light.yaml");
    let folder = folder(&[]);
    let said = wavetank(folder.path(), &["run", scenario, "--quiet"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    folder
}

fn get(folder: &TempDir, rest: &str) -> Said {
    let args = ["get", "reports/first-light"].into_iter().chain(rest.split(' '));
    wavetank(folder.path(), &args.collect::<Vec<_>>())
}

#[test]
fn get_shows_objects_of_a_run_at_any_instant() {
    let folder = first_light();
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let block = readme.split("```").find(|it| it.trim().starts_with("$ wavetank get reports/"));
    let (command, shown) = block.and_then(|it| it.trim().split_once('\n')).expect("an example");
    let rest = command.trim().strip_prefix("$ wavetank get reports/first-light ").expect("its run");
    let said = get(&folder, rest);
    assert_eq!((said.out.trim(), said.code), (shown.trim(), 0), "{}", said.err);

    let rows = |rest: &str| get(&folder, rest).out.lines().count();
    assert_eq!(rows("pods -A"), 9, "the heading and eight pods");
    assert_eq!(rows("po -n shop -l app=web -o name"), 6);
    assert_eq!(rows("no --at 3s"), 5);
    assert!(get(&folder, "no --at 1s -o wide").out.contains("CONTAINER-RUNTIME"));

    let names = get(&folder, "deploy/shop/web svc/shop/store -o name").out;
    assert_eq!(names, "deployment.apps/web\nservice/store\n");
    let said = get(&folder, "deploy web -n shop -o json");
    let web: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(web["status"]["availableReplicas"], 6);
    assert_eq!(web["metadata"]["creationTimestamp"], "2026-01-01T00:00:00Z");
    let said = get(&folder, "pods -n shop -o json");
    let pods: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(
        (pods["kind"].as_str(), pods["items"].as_array().map(Vec::len)),
        (Some("List"), Some(8))
    );
    assert_eq!(pods["items"][0]["metadata"]["ownerReferences"][0]["kind"], "ReplicaSet");
    // What is written out can be read in again.
    fs::write(folder.path().join("all.yaml"), get(&folder, "no,ns,all -A -o yaml").out)
        .expect("a file");
    let said = wavetank(folder.path(), &["check", "all.yaml", "--strict"]);
    assert_eq!(said.code, 0, "{}", said.err);
}

#[test]
fn get_shows_addresses_of_both_families() {
    let scenario = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/dual-stack.yaml");
    let folder = folder(&[]);
    let said = wavetank(folder.path(), &["run", scenario, "--quiet", "--out", "out"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let get = |rest: &str| {
        let args = ["get", "out", "-n", "shop"].into_iter().chain(rest.split(' '));
        wavetank(folder.path(), &args.collect::<Vec<_>>()).out
    };
    let read = |rest: &str| serde_json::from_str::<serde_json::Value>(&get(rest)).expect("JSON");
    let families =
        |name: &str, at: &str| read(&format!("svc/{name} -o json --at {at}"))["spec"].take();
    assert_eq!(families("web", "1m")["ipFamilies"], serde_json::json!(["IPv4", "IPv6"]));
    assert_eq!(families("web", "1m")["clusterIPs"].as_array().map(Vec::len), Some(2));
    assert_eq!(families("web-six", "1m")["ipFamilies"], serde_json::json!(["IPv6"]));
    let (before, after) = (families("web-plain", "1m"), families("web-plain", "3m"));
    assert_eq!(before["ipFamilyPolicy"], "SingleStack");
    assert_eq!(after["ipFamilyPolicy"], "RequireDualStack");
    assert_eq!(
        (&before["clusterIP"], &before["clusterIPs"][1]),
        (&after["clusterIP"], &serde_json::Value::Null)
    );
    assert!(after["clusterIPs"][1].as_str().is_some_and(|ip| ip.starts_with("fd00:10:96::")));
    let slices = |at: &str| get(&format!("endpointslices --at {at}")).matches(" IPv6 ").count();
    assert_eq!((slices("1m"), slices("3m")), (2, 3));
    let rules = get("iptables n-0");
    let blocks: Vec<&str> = rules.matches("-restore of the kube-proxy on n-0").collect();
    assert_eq!(blocks.len(), 2, "one of each family");
    for word in ["\"shop/web cluster IP\"", "--probability 0.3333333333", "-j DNAT"] {
        assert!(rules.contains(word), "{word}: {rules}");
    }
    let pods = read("pods -o json");
    let ips = pods["items"][0]["status"]["podIPs"].as_array().expect("addresses");
    assert_eq!(ips.len(), 2);
    assert!(ips[1]["ip"].as_str().is_some_and(|ip| ip.starts_with("fd00:10:")), "{ips:?}");
}

#[test]
fn get_shows_what_components_said() {
    let folder = first_light();
    let said = get(&folder, "events -n shop --at 9s").out;
    let lines: Vec<Vec<&str>> =
        said.lines().map(|line| line.split("  ").filter(|it| !it.is_empty()).collect()).collect();
    assert_eq!(
        lines[0].iter().map(|it| it.trim()).collect::<Vec<_>>(),
        ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    );
    let of = |object: &str| {
        let of = lines.iter().filter(|line| line[3].trim() == object);
        of.map(|line| [line[2].trim(), line[4].trim()]).collect::<Vec<_>>()
    };
    assert_eq!(
        of("deployment/web"),
        [["ScalingReplicaSet", "Scaled up replica set web-746f9f77bc from 0 to 6"]]
    );
    assert_eq!(
        of("pod/web-746f9f77bc-5cqr5"),
        [
            ["Scheduled", "Successfully assigned shop/web-746f9f77bc-5cqr5 to n-0"],
            ["Pulling", "Pulling image \"registry.example/web:1.4\""],
            [
                "Pulled",
                "Successfully pulled image \"registry.example/web:1.4\" in 3.05s (3.05s including \
                 waiting). Image size: 109433880 bytes."
            ],
            ["Created", "Container created"],
            ["Started", "Container started"],
            [
                "Unhealthy",
                "Readiness probe failed: Get \"http://10.128.0.2:8080/healthz\": dial tcp 10.128.0.2:8080: \
                 connect: connection refused"
            ],
        ]
    );
    assert_eq!(of("replicaset/web-746f9f77bc").len(), 6);
    let wide = get(&folder, "ev -n shop --at 9s -o wide").out;
    let head: Vec<&str> = wide.lines().next().expect("a heading").split_whitespace().collect();
    assert_eq!(
        head.join(" "),
        "LAST SEEN TYPE REASON OBJECT SUBOBJECT SOURCE MESSAGE FIRST SEEN COUNT NAME"
    );
    let nodes = get(&folder, "ev -o name").out;
    assert_eq!(nodes.lines().filter(|it| it.starts_with("event/n-0.")).count(), 1, "{nodes}");
    let all: serde_json::Value =
        serde_json::from_str(&get(&folder, "events -A -o json").out).expect("JSON");
    let scheduled = all["items"].as_array().into_iter().flatten();
    let scheduled: Vec<_> = scheduled.filter(|it| it["reason"] == "Scheduled").collect();
    assert_eq!(scheduled.len(), 8);
    assert_eq!(scheduled[0]["reportingComponent"], "default-scheduler");
    assert_eq!(scheduled[0]["metadata"]["namespace"], "shop");
}

#[test]
fn get_says_in_kubectls_words_what_is_not_there() {
    let folder = first_light();
    for (rest, code, words) in [
        (
            "deploymnets",
            2,
            "error: the server doesn't have a resource type \"deploymnets\"; did you mean deployments?",
        ),
        ("po nobody", 2, "Error from server (NotFound): pods \"nobody\" not found"),
        ("deploy/nobody", 2, "Error from server (NotFound): deployments.apps \"nobody\" not found"),
        ("po", 0, "No resources found in default namespace."),
        ("pdb -A", 0, "No resources found"),
        ("po nobody -A", 2, "error: a resource cannot be retrieved by name across all namespaces"),
        ("po -l a=b,=", 2, "error: --selector: "),
        ("po --at 5h", 2, "error: --at: reports/first-light ended at "),
        ("po --at soon", 2, "error: --at: "),
    ] {
        let said = get(&folder, rest);
        assert_eq!((said.code, &*said.out), (code, ""), "{rest}: {}", said.err);
        assert!(said.err.starts_with(words), "{rest}: {}", said.err);
    }
    let said = wavetank(folder.path(), &["get", "reports", "po"]);
    assert!(said.code == 2 && said.err.contains("no run folder"), "{}", said.err);
}

#[test]
#[cfg(not(feature = "linux-runtime"))]
fn what_needs_the_feature_says_how_to_get_it() {
    let folder = folder(&[("web.yaml", &deployment("1", "web", ""))]);
    for args in [&["doctor"][..], &["run", "web.yaml", "--runtime", "linux", "--out", "x"]] {
        let said = wavetank(folder.path(), args);
        assert_eq!(said.code, 5, "{}", said.err);
        assert!(said.err.contains("--features linux-runtime"), "{}", said.err);
        assert!(said.err.contains("protoc"), "{}", said.err);
    }
    assert_eq!(names_in(folder.path()), ["web.yaml"]);
}
