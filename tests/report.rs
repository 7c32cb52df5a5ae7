//! What a person gets of a run: the story, the pictures, the page, and the answers of `explain`.

#![expect(clippy::disallowed_methods, reason = "the tests make files of their own")]

mod common {
    pub mod command;
}

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use common::command::{Said, wavetank};
use tempfile::TempDir;

/// Two nodes, of which one falls silent and comes back; its pods tolerate that for ten seconds.
const SILENCE: &str = "\
apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: silence}
spec:
  seed: 7
  duration: 3m
  cluster:
    nodes: [{name: n, count: 2, capacity: {cpu: \"4\", memory: 16Gi, pods: 110}}]
  apps:
  - {match: {}, start: 1s, ready: 1s, stop: 1s}
  timeline:
  - {at: 20s, name: silence, fault: kubelet-stop, target: node/n-0, for: 90s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {}
      tolerations:
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 10}
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 10}
      containers:
      - name: c
        image: a:1
        resources: {requests: {cpu: 500m, memory: 512Mi}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec:
  selector: {app: web}
  ports: [{port: 80}]
";

/// A folder with the run `r` in it, and what the run said.
fn silence() -> (TempDir, Said) {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("in.yaml"), SILENCE).expect("a file");
    let said = wavetank(folder.path(), &["run", "in.yaml", "--out", "r"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    (folder, said)
}

fn text(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join("r").join(name)).expect(name)
}

/// The words of each line; times and numbers of facts shift with every delay of the model, and are
/// left out.
fn words(text: &str) -> Vec<String> {
    let is_number = |word: &str| {
        let digits = word.trim_start_matches(['+', '#']);
        let is_whole = word.starts_with('#') || digits.contains(['.', ':']);
        is_whole && digits.chars().all(|it| it.is_ascii_digit() || it == '.' || it == ':')
    };
    let line = |line: &str| {
        let words = line.split_whitespace().map(|word| if is_number(word) { "_" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    text.trim().lines().map(line).collect()
}

fn assert_lines(found: &str, expected: &str) {
    assert_eq!(words(found), words(expected), "\n{found}");
}

#[test]
fn the_story_tells_what_happened_and_explain_says_why() {
    let (folder, said) = silence();
    assert_lines(said.out.split("\nsilence: converged").next().expect("a story"), STORY);
    let explain = |object: &str| wavetank(folder.path(), &["explain", "r", object]);
    let timeline = text(&folder, "timeline.jsonl");
    let evicted = timeline.lines().find(|line| line.contains("\"evicted\"")).expect("an eviction");
    let object: serde_json::Value = serde_json::from_str(evicted).expect("JSON");
    let pod = object["object"].as_str().expect("a name").replace("Pod/", "pod/");
    assert_lines(&explain(&pod).out, EVICTED);
    assert_lines(&explain("node/n-0").out, NODE);
    assert_lines(&explain("deployment/web").out, DEPLOYMENT);
    assert_lines(&wavetank(folder.path(), &["explain", "r"]).out, OVERVIEW);
    let one = explain(&format!("#{}", object["id"]));
    assert!(one.out.contains("the kubelet of node n-0 stops"), "{}", one.out);
}

/// A Deployment whose pods use more for a while than its autoscaler aims at.
const LOAD: &str = "\
apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: load}
spec:
  duration: 12m
  cluster:
    nodes: [{name: n, count: 2, capacity: {cpu: \"4\", memory: 16Gi, pods: 110}}]
  apps:
  - {match: {}, start: 1s, stop: 1s}
  metrics:
    series:
    - {usage: cpu, pods: {labels: {app: web}}, shared: true, value: {steps: {0s: 100m, 60s: 400m, 120s: 50m}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, image: a:1, resources: {requests: {cpu: 100m}}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: grower}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 10
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}
";

#[test]
fn what_an_autoscaler_does_is_told_with_its_reason() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("in.yaml"), LOAD).expect("a file");
    let said = wavetank(folder.path(), &["run", "in.yaml", "--out", "r"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let why = "cpu resource utilization (percentage of request) above target";
    let up = format!("autoscaler grower asks for 4 pods in place of 2: {why}");
    assert!(said.out.contains(&up), "{}", said.out);
    assert!(said.out.contains(": All metrics below target"), "{}", said.out);
    assert!(!said.out.contains("Deployment web is scaled"), "{}", said.out);

    let explain = |object: &str| wavetank(folder.path(), &["explain", "r", object]).out;
    let asked = format!("HorizontalPodAutoscaler default/grower asks for 4 in place of 2: {why}");
    let of_target = explain("deployment/web");
    assert!(of_target.contains(&asked), "{of_target}");
    let timeline = text(&folder, "timeline.jsonl");
    let rows = || timeline.lines().filter_map(|it| serde_json::from_str(it).ok());
    let asks = |row: &serde_json::Value| row["verb"] == "recommended";
    let first = rows().find(asks).expect("a new size")["t"].as_f64().expect("a time");
    let later = |row: &serde_json::Value| {
        row["verb"] == "created"
            && row["object"].as_str().is_some_and(|name| name.starts_with("Pod/"))
            && row["t"].as_f64() > Some(first)
    };
    let pod = rows().find(later).expect("a new pod");
    let pod = pod["object"].as_str().expect("a name").replace("Pod/", "pod/");
    let of_pod = explain(&pod);
    assert!(of_pod.contains(&asked), "{of_pod}");
    assert!(
        explain("hpa/grower")
            .contains(&asked.replace("HorizontalPodAutoscaler default/grower", "it"))
    );
}

#[test]
fn what_cannot_be_explained_is_said_with_what_could() {
    let (folder, _) = silence();
    let explain = |args: &[&str]| {
        let said = wavetank(folder.path(), &[&["explain"], args].concat());
        assert_eq!(said.code, 2, "{args:?}: {}{}", said.out, said.err);
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        said.err
    };
    assert!(explain(&["r", "deployment/wbe"]).contains("nearest: deployment/default/web"));
    assert!(explain(&["r", "node/n-7"]).contains("node/n-0"));
    assert!(explain(&["r", "web"]).contains("expected pod/NAMESPACE/NAME"));
    assert!(explain(&["r", "#100000"]).contains("there is no fact #100000"));
    assert!(explain(&["."]).contains("no run folder"));
    assert!(explain(&["nowhere"]).contains("no run folder"));

    let timeline = text(&folder, "timeline.jsonl");
    let path = folder.path().join("r/timeline.jsonl");
    let mut lines: Vec<&str> = timeline.lines().collect();
    lines[6] = "{\"t\": 1, oh";
    fs::write(&path, lines.join("\n")).expect("a file");
    assert!(explain(&["r"]).contains("timeline.jsonl, line 7: no fact"));
    lines.remove(6);
    fs::write(&path, lines.join("\n")).expect("a file");
    assert!(explain(&["r", "node/n-0"]).contains("line 7: fact 8 is out of order"));
    fs::write(folder.path().join("r/summary.json"), "{").expect("a file");
    assert!(explain(&["r"]).contains("summary.json is no summary"));
}

#[test]
fn metrics_are_tidy_and_agree_with_the_summary() {
    let (folder, _) = silence();
    let csv = text(&folder, "metrics.csv");
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("t_seconds,metric,object,value"));
    let mut last: BTreeMap<(String, String), (f64, String)> = BTreeMap::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        assert_eq!(cells.len(), 4, "{line}");
        let at: f64 = cells[0].parse().expect(line);
        let key = (cells[1].to_owned(), cells[2].to_owned());
        if let Some((before, _)) = last.insert(key, (at, cells[3].to_owned())) {
            assert!(before < at, "{line}");
        }
    }
    let value = |metric: &str, object: &str| {
        let (at, value) = last.get(&(metric.to_owned(), object.to_owned())).expect(metric);
        assert_eq!(*at, 180.0, "{metric}");
        value.as_str()
    };
    assert_eq!(value("pods_ready", "cluster"), "3");
    assert_eq!(value("pods_pending", "cluster"), "0");
    assert_eq!(value("workload_available", "Deployment/default/web"), "3");
    assert_eq!(value("nodes_ready", "cluster"), "3");
    // Three pods of half a processor each, over two nodes of four.
    assert_eq!(value("node_cpu_requested_ratio", "cluster"), "0.187500");
    // The node that fell silent was seen to be not ready.
    assert!(csv.lines().any(|line| line.contains(",nodes_ready,cluster,2")), "{csv}");
}

/// Whether every tag that is opened is closed, in order.
fn assert_well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for part in xml.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        assert!(!tag.contains('<'), "{tag}");
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        match tag.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') || tag.starts_with(['?', '!']) => {}
            None => open.push(tag.split_whitespace().next().expect("a name")),
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn pictures_say_what_they_show_and_the_page_stands_alone() {
    let (folder, _) = silence();
    for (name, titles) in [
        ("pods", &["Pods by phase", "pods", "ready"][..]),
        ("workloads", &["Pods wanted and ready", "web ready", "wanted"]),
        ("nodes", &["What pods request of the nodes", "CPU (% of allocatable)", "n-0", "n-1"]),
    ] {
        let svg = text(&folder, &format!("{name}.svg"));
        assert_well_formed(&svg);
        for title in titles.iter().chain(&["silence", "virtual time (min:s)"]) {
            assert!(svg.contains(title), "{name}: {title}");
        }
    }
    // Nobody called anything.
    assert!(!folder.path().join("r/requests.svg").exists());
    let page = text(&folder, "report.html");
    for outside in ["http://", "https://", "src=", "href=", "@import", "url(", "<script"] {
        let found = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(outside), "{outside}");
    }
    for part in ["silence: converged at", "What happened", "<svg", "Workloads", "Services"] {
        assert!(page.contains(part), "{part}");
    }
}

/// The size of a PNG of ours and its rows, each with its filter byte.
fn decode(file: &[u8]) -> (usize, usize, Vec<u8>) {
    assert_eq!(&file[..8], b"\x89PNG\r\n\x1a\n");
    let number =
        |at: usize| u32::from_be_bytes(file[at..at + 4].try_into().expect("four")) as usize;
    let (wide, high) = (number(16), number(20));
    assert_eq!(&file[37..41], b"IDAT");
    let mut rows = Vec::new();
    let data = &file[41..41 + number(33)];
    flate2::read::ZlibDecoder::new(data).read_to_end(&mut rows).expect("zlib data");
    (wide, high, rows)
}

#[test]
fn a_png_has_its_size_and_is_not_blank_and_is_the_same_each_time() {
    let (folder, _) = silence();
    let (other, _) = silence();
    for name in ["pods.png", "workloads.png", "nodes.png"] {
        let read = |folder: &TempDir| fs::read(folder.path().join("r").join(name)).expect(name);
        let file = read(&folder);
        assert_eq!(file, read(&other), "{name}");
        let (wide, high, rows) = decode(&file);
        assert_eq!((wide, high, rows.len()), (1000, 420, 420 * 3001), "{name}");
        // Rows are differences to the row above: a picture of one colour would be all zeros.
        let busy = rows.chunks(3001).filter(|row| row[1..].iter().any(|byte| *byte != 0)).count();
        assert!(busy > 50, "{name}: {busy}");
    }
}

/// What somebody applied no controller made, and what a controller makes after a step nobody applied.
#[test]
fn bare_pods_and_sets_are_made_by_kubectl() {
    let folder = TempDir::new().expect("a folder");
    let text = "\
apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: bare}
spec:
  duration: 3m
  timeline:
  - at: 1m
    apply:
      apiVersion: apps/v1
      kind: ReplicaSet
      metadata: {name: shelf}
      spec:
        replicas: 2
        selector: {matchLabels: {app: it}}
        template: {metadata: {labels: {app: it}}, spec: {containers: [{name: c, image: i}]}}
  - {at: 2m, label: pod/default/solo, with: app=other}
---
apiVersion: v1
kind: Pod
metadata: {name: solo, labels: {app: it}}
spec: {containers: [{name: c, image: i}]}
";
    fs::write(folder.path().join("bare.yaml"), text).expect("a file");
    let said = wavetank(folder.path(), &["run", "bare.yaml", "--out", "r"]);
    let told: Vec<&str> = said.out.lines().filter(|line| line.contains("kubectl apply")).collect();
    assert!(told.len() == 2 && told[0].ends_with("kubectl apply: 1 Pod"), "{}", said.out);
    assert!(told[1].ends_with("kubectl apply: 1 ReplicaSet"), "{}", said.out);
    assert!(!said.out.contains("controller"), "{}", said.out);
    assert_eq!(said.out.matches("a new pod is created").count(), 2, "{}", said.out);
}

const STORY: &str = "\
\x20  0:00.000  3 nodes are there: n-0, n-1 and master-0
   0:00.007  kubectl apply: 1 Deployment and 1 Service
   0:00.022  the Deployment controller makes the ReplicaSet web-65b8874d6b
   0:00.035  the ReplicaSet controller creates the first pod: web-65b8874d6b-lqdh2, the last of 3 at 0:00.057
   0:00.046  the scheduler places web-65b8874d6b-lqdh2 on n-0, the last of 3 at 0:00.070
   0:01.052  the first container starts: web-65b8874d6b-lqdh2 on n-0, the last of 3 at 0:01.074
   0:02.059  the first pod is ready: web-65b8874d6b-lqdh2, the last of 3 at 0:02.079
   0:02.069  Service web has its first endpoint
   0:02.126  Deployment web is as desired

   0:20.000  silence: the kubelet of node n-0 stops, for 90 s
  +50.149 s  n-0 is NotReady: nothing was heard for the grace period
  +50.165 s  2 pods are no longer ready, the last after 50.2 s
  +50.196 s  default/web: 1 of 3 available; all 3 again after 62.3 s
  +60.212 s  2 pods on n-0 told to leave (evicted)
  +60.237 s  2 new pods are created, first: web-65b8874d6b-b4nbz, the last after 60.2 s
  +62.262 s  web-65b8874d6b-b4nbz is ready, first of 2 pods, the last after 62.3 s
  +90.000 s  silence is over
  +90.015 s  n-0 ready again
";
const EVICTED: &str = "\
pod default/web-65b8874d6b-lqdh2

            because   0:00.007  Deployment default/web is created  #10
                      0:00.022  └─ ReplicaSet default/web-65b8874d6b is created  #12
  0:00.035  it is created  #14
  0:00.046  the scheduler puts it on node n-0  #17
  0:00.052  the kubelet of n-0 takes it on  #18
  0:01.052  a container starts on n-0  #27
  0:01.060  it is running  #29
  0:02.059  it is ready  #38
            because   0:20.000  silence: the kubelet of node n-0 stops (timeline)  #52
                      1:10.149  └─ nothing was heard of node n-0 for the grace period: it is NotReady  #54
  1:10.165  it is no longer ready  #56
            because   1:10.208  node n-0 gets the taint node.kubernetes.io/unreachable:NoExecute  #65
  1:20.212  it is told to leave on n-0 (evicted): Taint manager: deleting due to NoExecute taint; the taint was tolerated for 10 s  #67
  1:20.227  it is marked for deletion  #70
  1:50.000  the kubelet of n-0 takes it on  #100
            because   1:50.000  silence: the kubelet of node n-0 stops no more (timeline)  #98
                      1:50.000  └─ node n-0 is back  #99
  1:50.000  stopping container c  #101
  1:51.000  a container ends well  #107
  1:51.005  it has ended  #109
  1:51.011  it is gone  #110

Events:
  Type     Reason                Age    From                       Message
  ----     ------                ----   ----                       -------
  Normal   Scheduled             2m59s  default-scheduler          Successfully assigned default/web-65b8874d6b-lqdh2 to n-0
  Normal   Created               2m59s  kubelet                    spec.containers{c}: Container created
  Normal   Started               2m58s  kubelet                    spec.containers{c}: Container started
  Warning  NodeNotReady          109s   node-controller            Node is not ready
  Normal   TaintManagerEviction  99s    taint-eviction-controller  Marking for deletion Pod default/web-65b8874d6b-lqdh2
  Normal   Killing               70s    kubelet                    spec.containers{c}: Stopping container c

how the scheduler came to #17, from what it knew at 0:00.065

default/web-65b8874d6b-lqdh2 -> n-0
NODE  TOTAL  TaintToleration x3  NodeResourcesFit x1  PodTopologySpread x2  DynamicResources x2  \
NodeResourcesBalancedAllocation x1  ImageLocality x1
n-0     663         100 (raw 0)                   91           100 (raw 6)                    0  \
72                 0
n-1     663         100 (raw 0)                   91           100 (raw 6)                    0  \
72                 0
best total 663: n-0, n-1; n-0 is on top of the scheduler's heap of nodes
1 node rejected:
master-0  TaintToleration  node(s) had untolerated taint(s)  (UnschedulableAndUnresolvable)
";
const NODE: &str = "\
node n-0

  0:00.000  it is created  #1
  0:20.000  silence: the kubelet of node n-0 stops (timeline)  #52
  0:20.000  it is down (the kubelet is stopped)  #53
  1:10.149  nothing was heard of it for the grace period: it is NotReady  #54
  1:10.163  it gets the taint node.kubernetes.io/unreachable:NoSchedule  #55
  1:10.208  it gets the taint node.kubernetes.io/unreachable:NoExecute  #65
  1:50.000  silence: the kubelet of node n-0 stops no more (timeline)  #98
  1:50.000  it is back  #99
  1:50.015  it is ready  #104
  1:50.033  it loses the taint node.kubernetes.io/unreachable:NoSchedule  #105
  1:50.229  it loses the taint node.kubernetes.io/unreachable:NoExecute  #106

2 pods were told to leave it

Events:
  Type    Reason                   Age                From             Message
  ----    ------                   ----               ----             -------
  Normal  RegisteredNode           3m                 node-controller  Node n-0 event: Registered Node n-0 in Controller
  Normal  NodeNotReady             109s               node-controller  Node n-0 status is now: NodeNotReady
  Normal  Starting                 70s                kubelet          Starting kubelet.
  Normal  NodeHasSufficientMemory  70s (x2 over 70s)  kubelet          Node n-0 status is now: NodeHasSufficientMemory
  Normal  NodeHasNoDiskPressure    70s (x2 over 70s)  kubelet          Node n-0 status is now: NodeHasNoDiskPressure
  Normal  NodeHasSufficientPID     70s (x2 over 70s)  kubelet          Node n-0 status is now: NodeHasSufficientPID
  Normal  NodeAllocatableEnforced  70s                kubelet          Updated Node Allocatable limit across pods
  Normal  NodeReady                70s                kubelet          Node n-0 status is now: NodeReady
";
const DEPLOYMENT: &str = "\
Deployment default/web: as desired at the end: 3 of 3 available

  0:00.007  it is created  #10
  0:02.126  it is as desired  #51
            because   0:20.000  silence: the kubelet of node n-0 stops (timeline)  #52
                      1:10.149  └─ nothing was heard of node n-0 for the grace period: it is NotReady  #54
                      1:10.165     └─ pod default/web-65b8874d6b-lqdh2 is no longer ready  #56
  1:10.196  3 replicas, 3 updated, 2 ready, 2 available  #61
            because   1:10.184  pod default/web-65b8874d6b-vrf28 is no longer ready  #60
  1:10.220  3 replicas, 3 updated, 1 ready, 1 available  #66
  1:22.290  3 replicas, 3 updated, 3 ready, 3 available  #96
  1:22.290  it is as desired  #97

Events:
  Type    Reason             Age    From                   Message
  ----    ------             ----   ----                   -------
  Normal  ScalingReplicaSet  2m59s  deployment-controller  Scaled up replica set web-65b8874d6b from 0 to 3
";
const OVERVIEW: &str = "\
silence: converged at 111.011 s; 114 facts

  0:02.126  Deployment default/web is as desired  #51
  0:20.000  silence: the kubelet of node n-0 stops (timeline)  #52
  1:10.149  nothing was heard of node n-0 for the grace period: it is NotReady  #54
  1:20.212  pod default/web-65b8874d6b-lqdh2 is told to leave on n-0 (evicted): Taint manager: deleting due to NoExecute taint  #67
  1:20.212  pod default/web-65b8874d6b-vrf28 is told to leave on n-0 (evicted): Taint manager: deleting due to NoExecute taint  #68
  1:22.290  Deployment default/web is as desired  #97
  1:50.000  silence: the kubelet of node n-0 stops no more (timeline)  #98
  1:50.015  node n-0 is ready  #104

ask next, with wavetank explain RUN OBJECT
  node/n-0  what became of it and its pods
  pod/default/web-65b8874d6b-lqdh2  why it was not ready any more
  pod/default/web-65b8874d6b-vrf28  why it was evicted
";

#[test]
fn pods_beyond_those_wanted_are_no_loss() {
    let scenario = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  \
                    duration: 2m\n  timeline:\n  - {at: 30s, setImage: deployment/web, image: 'a:2'}\n  \
                    - {at: 90s, delete: deployment/web}\n---\n";
    let web = SILENCE.split("---\n").nth(1).expect("a Deployment");
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("s.yaml"), format!("{scenario}{web}")).expect("a file");
    let said = wavetank(folder.path(), &["run", "s.yaml"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert!(said.out.contains("set the image of Deployment"), "{}", said.out);
    assert!(
        !said.out.contains(" available; "),
        "a rollout that adds before it takes: {}",
        said.out
    );
}

/// Each decision that became a fact in the run of a scenario that comes along, with the table that tells
/// how it came about. Returns how many there were.
fn decisions(scenario: &str) -> usize {
    let folder = TempDir::new().expect("a folder");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(scenario);
    let path = path.to_string_lossy();
    let said = wavetank(folder.path(), &["run", &path, "--out", "r", "-q"]);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    let mut pods: BTreeMap<String, Vec<serde_json::Value>> = BTreeMap::new();
    for line in text(&folder, "timeline.jsonl").lines() {
        let fact: serde_json::Value = serde_json::from_str(line).expect("a fact");
        if fact["verb"] == "bound" || fact["verb"] == "unschedulable" {
            let name = fact["object"].as_str().and_then(|it| it.strip_prefix("Pod/"));
            pods.entry(name.expect("a pod").to_owned()).or_default().push(fact);
        }
    }
    for (pod, facts) in &pods {
        let said = wavetank(folder.path(), &["explain", "r", &format!("pod/{pod}")]);
        assert_eq!(said.code, 0, "{}", said.err);
        for fact in facts {
            let title = format!("how the scheduler came to #{}, ", fact["id"]);
            let told = said.out.split(&title).nth(1).unwrap_or_else(|| panic!("{}", said.out));
            let told = told.split("how the scheduler came to").next().expect("a table");
            let head = told.lines().nth(2).expect("a title");
            let wanted = match fact["node"].as_str() {
                Some(node) => format!("-> {node}"),
                None => fact["message"].as_str().expect("words").to_owned(),
            };
            let place = if fact["node"].is_null() { told } else { head };
            assert!(place.contains(&wanted), "{pod}: no {wanted:?} in\n{told}");
        }
    }
    pods.values().map(Vec::len).sum()
}

#[test]
fn explain_tells_how_each_pod_was_placed() {
    assert!(decisions("priority.yaml") >= 10);
    assert!(decisions("anti-affinity.yaml") >= 10);
}
