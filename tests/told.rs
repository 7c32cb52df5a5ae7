//! What `get` shows of nodes and pods in trouble: Kubernetes' own words, conditions and Events.

mod common {
    pub mod listened;
    pub mod seen;
}

use common::seen::Seen;
use serde_json::Value;

/// What is said of an object.
trait Said {
    /// A condition of it.
    fn condition(&self, kind: &str, name: &str, which: &str) -> Value;
    /// The Events about it, as `reason: message`.
    fn events(&mut self, kind: &str, name: &str) -> Vec<String>;
}

impl Said for Seen {
    fn condition(&self, kind: &str, name: &str, which: &str) -> Value {
        let object = self.get(kind, name);
        let mut all = object["status"]["conditions"].as_array().into_iter().flatten();
        all.find(|it| it["type"] == *which).cloned().unwrap_or_default()
    }

    fn events(&mut self, kind: &str, name: &str) -> Vec<String> {
        let all = self.world.core_events().expect("somebody listens").iter();
        let about =
            all.filter(|it| it.about.kind.name() == kind && it.about.name.to_string() == name);
        about.map(|it| format!("{}: {}", it.remark.reason, it.remark.message)).collect()
    }
}

/// A pod with this `spec` on node `n-0`.
fn pod(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: default}}\nspec: {{nodeName: n-0, {spec}}}\n---\n"
    )
}

fn plain(name: &str, more: &str) -> String {
    pod(name, &format!("containers: [{{name: {name}, image: 'a:1'{more}}}]"))
}

fn assert_said(said: &[String], what: &str) {
    assert!(said.iter().any(|line| line.starts_with(what)), "{what}: {said:#?}");
}

const SMALL: &str = "  cluster: {nodes: [{name: n, count: 1, capacity: {cpu: '4', memory: 1Gi, \
                     ephemeral-storage: 10Gi, pods: 110}}]}\n";

#[test]
fn pressure_is_told_as_it_comes_and_as_it_goes() {
    let spec = |end: &str| {
        format!(
            "  seed: 1\n  duration: {end}\n{SMALL}  apps:\n\
            \x20 - {{match: {{container: hog}}, start: 1s, usage: {{memory: {{base: 100Mi, growth: {{by: 20Mi, each: 1s, upTo: 950Mi}}}}}}}}"
        )
    };
    let mut during = Seen::of(&spec("2m"), &plain("hog", ""));
    let node = during.events("Node", "n-0");
    assert_said(&node, "EvictionThresholdMet: Attempting to reclaim memory");
    assert_said(
        &node,
        "NodeHasInsufficientMemory: Node n-0 status is now: NodeHasInsufficientMemory",
    );
    let said = during.events("Pod", "hog");
    assert_said(&said, "Evicted: The node was low on resource: memory. Threshold quantity: 100Mi");
    let pressed = during.condition("node", "n-0", "MemoryPressure");
    assert_eq!(pressed["status"], "True");
    let since = |it: &Value| it["lastTransitionTime"].as_str().map(str::to_owned);
    // 924 MiB are taken after 41 s; the kubelet looks each 10 s and posts each 10 s.
    let early = Some("1970-01-01T00:00:41Z".to_owned());
    assert!(since(&pressed) > early, "{pressed}");
    assert!(since(&pressed) < Some("1970-01-01T00:01:05Z".to_owned()), "{pressed}");
    let disk = during.condition("node", "n-0", "DiskPressure");
    assert_eq!(since(&disk).as_deref(), Some("1970-01-01T00:00:00Z"));
    let target = during.condition("pod", "hog", "DisruptionTarget");
    assert_eq!(target["reason"], "TerminationByKubelet");

    let mut after = Seen::of(&spec("8m"), &plain("hog", ""));
    assert_said(&after.events("Node", "n-0"), "NodeHasSufficientMemory: Node n-0");
    let relieved = after.condition("node", "n-0", "MemoryPressure");
    assert_eq!(relieved["status"], "False");
    assert!(since(&relieved) > Some("1970-01-01T00:05:41Z".to_owned()), "{relieved}");
}

#[test]
fn a_sidecars_limit_of_disk_counts_with_its_pods() {
    let grows = "{disk: {base: 0, growth: {by: 10Mi, each: 1s}}}";
    let spec = format!(
        "  seed: 2\n  duration: 90s\n{SMALL}  apps:\n\
         \x20 - {{match: {{container: main}}, start: 1s, usage: {grows}}}\n\
         \x20 - {{match: {{container: side}}, start: 1s, usage: {{disk: 1Mi}}}}"
    );
    let limit = |limit: &str| format!("resources: {{limits: {{ephemeral-storage: {limit}}}}}");
    let with = |name: &str, main: &str| {
        pod(
            name,
            &format!(
                "initContainers: [{{name: side, image: 'a:1', restartPolicy: Always, {}}}], \
                 containers: [{{name: main, image: 'a:1'{main}}}]",
                limit("200M")
            ),
        )
    };
    let objects = with("both", &format!(", {}", limit("200M"))) + &with("one", "");
    let mut seen = Seen::of(&spec, &objects);
    let both = seen.events("Pod", "both");
    assert_said(
        &both,
        "Evicted: Container main exceeded its local ephemeral storage limit \"200M\". ",
    );
    let one = seen.events("Pod", "one");
    assert_said(
        &one,
        "Evicted: Pod ephemeral local storage usage exceeds the total limit of containers 200M. ",
    );
    // It went by its own doing: nothing disrupted it.
    assert_eq!(seen.condition("pod", "one", "DisruptionTarget"), Value::Null);
    assert_eq!(seen.get("pod", "one")["status"]["reason"], "Evicted");
}

#[test]
fn what_lies_in_memory_counts_with_its_container() {
    let spec = format!(
        "  seed: 3\n  duration: 1m\n{SMALL}  apps:\n\
         \x20 - {{match: {{container: c}}, start: 1s, usage: {{memory: 50Mi, volumes: {{v: {{base: 0, growth: {{by: 10Mi, each: 1s}}}}}}}}}}"
    );
    let with = |name: &str, dir: &str| {
        let limit = "resources: {limits: {memory: 150Mi}}";
        pod(
            name,
            &format!(
                "containers: [{{name: c, image: 'a:1', {limit}}}], volumes: [{{name: v, emptyDir: {{{dir}}}}}]"
            ),
        )
    };
    let objects = with("full", "medium: Memory")
        + &with("small", "medium: Memory, sizeLimit: 20Mi")
        + &with("disk", "");
    let seen = Seen::of(&spec, &objects);
    let restarts = |name: &str| seen.get("pod", name)["status"]["containerStatuses"][0].clone();
    let full = restarts("full");
    assert_eq!(full["lastState"]["terminated"]["reason"], "OOMKilled", "{full}");
    assert_eq!([restarts("small"), restarts("disk")].map(|it| it["restartCount"].clone()), [0, 0]);
    let warned = seen.idle.iter().filter(|it| it.contains("emptyDir")).count();
    assert_eq!(warned, 0, "{:?}", seen.idle);
}

#[test]
fn a_pod_as_a_whole_holds_no_more_than_it_may() {
    let spec = format!(
        "  seed: 4\n  duration: 1m\n{SMALL}  apps:\n\
         \x20 - {{match: {{container: big}}, start: 1s, usage: {{memory: {{base: 60Mi, growth: {{by: 5Mi, each: 1s}}}}}}}}\n\
         \x20 - {{match: {{container: calm}}, start: 1s, usage: {{memory: 60Mi}}}}"
    );
    let both = "containers: [{name: big, image: 'a:1'}, {name: calm, image: 'a:1'}]";
    let whole = "resources: {limits: {memory: 200Mi, cpu: '1'}, requests: {memory: 100Mi}}, ";
    let objects = pod("whole", &format!("{whole}{both}")) + &pod("free", both);
    let seen = Seen::of(&spec, &objects);
    let statuses = |name: &str| seen.get("pod", name)["status"]["containerStatuses"].clone();
    let whole = statuses("whole");
    assert_eq!(whole[0]["lastState"]["terminated"]["reason"], "OOMKilled", "{whole}");
    assert_eq!(whole[1]["restartCount"], 0);
    assert_eq!(statuses("free")[0]["restartCount"], 0);
    assert!(seen.idle.iter().any(|it| it.contains("resources.limits.cpu")), "its CPU is not held");
}

#[test]
fn a_machine_that_was_off_is_told_from_one_that_was_not() {
    let spec = "  seed: 5\n  duration: 4m\n\
        \x20 cluster: {nodes: [{name: n, count: 1, capacity: {cpu: '4', memory: 8Gi, pods: 110}}]}\n  timeline:\n\
        \x20 - {at: 1m, name: cut, fault: node-crash, target: node/n-0, for: 30s}";
    let mut seen = Seen::of(spec, &plain("app", ""));
    let said = seen.events("Node", "n-0");
    assert_said(&said, "Rebooted: Node n-0 has been rebooted, boot id: ");
    assert_said(
        &seen.events("Pod", "app"),
        "SandboxChanged: Pod sandbox changed, it will be killed and re-created.",
    );
    let app = seen.get("pod", "app")["status"]["containerStatuses"][0].clone();
    let last = &app["lastState"]["terminated"];
    assert_eq!((&last["exitCode"], &last["reason"]), (&255.into(), &"Unknown".into()), "{app}");
    assert_eq!(app["restartCount"], 1);
}

#[test]
fn a_node_that_goes_down_in_order_says_so() {
    let spec = "  seed: 6\n  duration: 80s\n\
        \x20 cluster:\n    nodes: [{name: n, count: 1, capacity: {cpu: '4', memory: 8Gi, pods: 110}}]\n\
        \x20   kubelet: {shutdownGracePeriod: 60s, shutdownGracePeriodCriticalPods: 10s}\n\
        \x20 apps: [{match: {}, stop: never}]\n\
        \x20 timeline: [{at: 1m, name: down, fault: node-shutdown, target: node/n-0}]";
    let mut seen = Seen::of(spec, &plain("app", ""));
    let ready = seen.condition("node", "n-0", "Ready");
    assert_eq!(ready["message"], "node is shutting down", "{ready}");
    assert_eq!(ready["reason"], "KubeletNotReady");
    let said = seen.events("Node", "n-0");
    assert_said(&said, "NodeNotReady: Node n-0 status is now: NodeNotReady");
    assert_eq!(said.iter().filter(|it| it.starts_with("NodeNotReady")).count(), 1, "{said:?}");
}

#[test]
fn a_pod_has_what_admission_and_its_kubelet_gave_it() {
    let spec = "  seed: 7\n  duration: 8m\n\
        \x20 cluster: {nodes: [{name: n, count: 1, capacity: {cpu: '4', memory: 8Gi, pods: 110}}]}\n\
        \x20 apps: [{match: {container: crash}, run: {for: 1s, exit: 1}}]";
    let class = "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: high}\nvalue: 1000\n---\n";
    let classed = pod("classed", "priorityClassName: high, containers: [{name: c, image: 'a:1'}]");
    let objects = class.to_owned() + &plain("crash", "") + &classed;
    let seen = Seen::of(spec, &objects);
    let pod = seen.get("pod", "crash");
    let tolerations = &pod["spec"]["tolerations"];
    for (at, key) in ["not-ready", "unreachable"].into_iter().enumerate() {
        let key = format!("node.kubernetes.io/{key}");
        let expected = serde_json::json!({"key": key, "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": 300});
        assert_eq!(tolerations[at], expected);
    }
    assert_eq!(pod["spec"]["priority"], 0);
    assert_eq!(pod["spec"]["preemptionPolicy"], "PreemptLowerPriority");
    assert_eq!(seen.get("pod", "classed")["spec"]["priority"], 1000);
    assert_eq!(pod["status"]["observedGeneration"], 1);
    let scheduled = seen.condition("pod", "crash", "PodScheduled");
    assert_eq!(
        (&scheduled["status"], &scheduled["observedGeneration"]),
        (&"True".into(), &1.into())
    );
    let waiting = &pod["status"]["containerStatuses"][0]["state"]["waiting"];
    let uid = pod["metadata"]["uid"].as_str().expect("a uid");
    let message =
        format!("back-off 5m0s restarting failed container=crash pod=crash_default({uid})");
    assert_eq!(waiting["message"], *message, "{pod}");
}

#[test]
fn a_pod_that_a_taint_drives_away_says_so() {
    let spec = "  seed: 8\n  duration: 70s\n\
        \x20 cluster: {nodes: [{name: n, count: 1, capacity: {cpu: '4', memory: 8Gi, pods: 110}}]}\n\
        \x20 apps: [{match: {}, stop: never}]\n\
        \x20 timeline: [{at: 1m, taint: node/n-0, with: 'gone=now:NoExecute'}]";
    let seen = Seen::of(spec, &plain("app", ""));
    let target = seen.condition("pod", "app", "DisruptionTarget");
    assert_eq!(target["reason"], "DeletionByTaintManager", "{target}");
    assert_eq!(target["message"], "Taint manager: deleting due to NoExecute taint");
}

#[test]
fn a_machine_that_joins_says_that_it_starts_and_one_given_back_that_it_goes() {
    let spec = "  seed: 9\n  duration: 25m\n\
        \x20 cluster:\n    nodes: [{name: n, count: 1, zone: a, capacity: {cpu: '1', memory: 8Gi, pods: 110}}]\n\
        \x20   nodeGroups: [{name: g, min: 0, max: 2, zone: a, capacity: {cpu: '4', memory: 8Gi}, bootTime: 60s}]\n\
        \x20   autoscaler: {}\n\
        \x20 timeline: [{at: 5m, scale: deployment/web, replicas: 0}]";
    let web = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n\
        spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, \
        spec: {containers: [{name: web, image: 'a:1', resources: {requests: {cpu: 3}}}]}}}\n";
    let said = Seen::of(spec, web).events("Node", "g-0");
    let reasons: Vec<_> = said.iter().filter_map(|it| it.split(':').next()).collect();
    let starts = ["Starting", "NodeHasSufficientMemory", "NodeHasNoDiskPressure"];
    for reason in starts.into_iter().chain(["NodeAllocatableEnforced", "NodeReady"]) {
        assert_eq!(reasons.iter().filter(|it| **it == reason).count(), 1, "{reason}: {said:#?}");
    }
    assert_said(&said, "ScaleDown: nodes removed by cluster autoscaler");
}

/// Three nodes, and pods that run for ever.
const THREE: &str = "  seed: 5\n  apps: [{match: {}, start: 1s, stop: 5s}]\n  cluster: {nodes: [{name: n, count: 3, \
                     capacity: {cpu: '4', memory: 8Gi, pods: 110}}]}\n";

#[test]
fn a_pod_that_its_collector_fails_has_no_reason_of_its_own() {
    let spec =
        format!("{THREE}  duration: 70s\n  timeline: [{{at: 30s, delete: pod/default/held}}]");
    let held = "apiVersion: v1\nkind: Pod\nmetadata: {name: held, finalizers: [a.b/c]}\n\
        spec: {nodeSelector: {x: z}, containers: [{name: c, image: 'a:1'}]}\n";
    let seen = Seen::of(&spec, held);
    let status = seen.get("pod", "held")["status"].clone();
    assert_eq!((&status["phase"], &status["reason"]), (&"Failed".into(), &Value::Null), "{status}");
    assert_eq!(seen.condition("pod", "held", "PodScheduled")["reason"], "Unschedulable");
}

#[test]
fn a_pod_that_tolerates_a_taint_for_a_time_goes_then_be_its_node_there_or_not() {
    let spec = |end: &str| {
        format!(
            "{THREE}  duration: {end}\n  timeline:\n  - {{at: 1m, taint: node/n-1, with: 'k=a:NoExecute'}}\n  - {{at: \
             70s, delete: node/n-1}}\n"
        )
    };
    let tolerant = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {nodeName: n-1, tolerations: [{key: k, \
                    operator: Exists, tolerationSeconds: 30, effect: NoExecute}], containers: [{name: c, image: 'a:1'}]}\n";
    let before = Seen::of(&spec("89s"), tolerant).get("pod", "p");
    assert_eq!(before["metadata"]["deletionTimestamp"], Value::Null);
    let mut after = Seen::of(&spec("91s"), tolerant);
    assert_ne!(after.get("pod", "p")["metadata"]["deletionTimestamp"], Value::Null);
    let said = after.events("Pod", "p");
    assert_said(&said, "TaintManagerEviction: Marking for deletion Pod default/p");
    assert!(!said.iter().any(|line| line.contains("Cancelling")), "{said:#?}");
}

#[test]
fn a_pod_whose_node_is_gone_is_collected_after_one_quarantine_whatever_happens_to_it() {
    let spec = format!(
        "{THREE}  duration: 185s\n  timeline:\n  - {{at: 1m, fault: node-crash, target: node/n-0}}\n  - {{at: 2m, delete: \
         node/n-0}}\n"
    );
    let set = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {selector: {matchLabels: {app: d}}, \
               template: {metadata: {labels: {app: d}}, spec: {containers: [{name: c, image: 'a:1'}]}}}\n";
    let seen = Seen::of(&spec, set);
    let pods = seen.read("pods", Vec::new())["items"].as_array().map_or(0, Vec::len);
    assert_eq!(pods, 2, "looked for each 20 s, left alone for 40 s");
}

#[test]
fn the_generation_of_a_slice_counts_what_is_in_it() {
    let spec = format!(
        "{THREE}  duration: 3m\n  timeline: [{{at: 1m, scale: deployment/default/w, replicas: 2}}]"
    );
    let objects = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: w}, ports: [{port: 80}]}\n---\n\
        apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec: {replicas: 1, selector: {matchLabels: {app: w}}, \
        template: {metadata: {labels: {app: w}}, spec: {containers: [{name: c, image: 'a:1'}]}}}\n";
    let slices = Seen::of(&spec, objects).read("endpointslices", Vec::new());
    let generation = slices["items"][0]["metadata"]["generation"].as_u64();
    assert!(generation.is_some_and(|it| it >= 3), "{slices}");
}

#[test]
fn a_machine_that_starts_and_finds_its_node_deleted_registers_it_anew() {
    let spec = |steps: &str| {
        format!(
            "{THREE}  duration: 8m\n  timeline:\n  - {{at: 1m, fault: node-crash, target: node/n-0, for: 2m}}\n{steps}"
        )
    };
    let deleted = "  - {at: 150s, delete: node/n-0}\n  - {at: 5m, delete: node/n-1}\n";
    let set = "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: d}\nspec: {selector: {matchLabels: {app: d}}, \
               template: {metadata: {labels: {app: d}}, spec: {containers: [{name: c, image: 'a:1'}]}}}\n";
    let mut again = Seen::of(&spec(deleted), set);
    let names = |seen: &Seen| -> Vec<String> {
        let all = seen.read("nodes", Vec::new());
        let names = all["items"].as_array().into_iter().flatten();
        names.filter_map(|it| Some(it["metadata"]["name"].as_str()?.to_owned())).collect()
    };
    assert_eq!(
        names(&again),
        ["master-0", "n-0", "n-2"],
        "a kubelet that runs on does not register again"
    );
    let ready = again.condition("node", "n-0", "Ready");
    assert_eq!(ready["status"], "True", "{ready}");
    assert_eq!(again.get("node", "n-0")["spec"].get("taints"), None);
    let uid = |seen: &Seen| seen.get("node", "n-0")["metadata"]["uid"].clone();
    assert_ne!(uid(&again), uid(&Seen::of(&spec(""), set)), "it is another node");
    assert_said(&again.events("Node", "n-0"), "RegisteredNode: ");
    let pods = again.read("pods", Vec::new());
    let on: Vec<_> = pods["items"].as_array().into_iter().flatten().collect();
    assert!(on.iter().any(|it| it["spec"]["nodeName"] == "n-0"), "{pods}");
}
