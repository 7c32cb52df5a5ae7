//! What an API server gives of objects beside what people wrote: who set which field, and until when it stays.

mod common {
    pub mod listened;
    pub mod seen;
}

use common::seen::Seen;
use serde_json::{Value, json};
use wavetank::api::ip_family::Families;
use wavetank::kernel::Engine;
use wavetank::report::get::{Asked, Form, Moment, Namespaces, Query, answer};

const TWO: &str = "  cluster: {nodes: [{name: n, count: 2, zone: a, capacity: {cpu: '4', memory: 4Gi, pods: 20}}]}\n";

/// A Deployment of so many pods that take a while to end, and a Service of theirs.
fn web(replicas: u32, port: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    \
         spec:\n      containers:\n      - name: web\n        image: 'a:1'\n        \
         ports: [{{name: http, containerPort: 8080}}]\n        \
         lifecycle: {{preStop: {{sleep: {{seconds: 20}}}}}}\n---\n\
         apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {{selector: {{app: web}}, ports: [{{{port}}}]}}\n"
    )
}

fn seen(end: &str, timeline: &str, objects: &str) -> Seen {
    let seen =
        Seen::of(&format!("  seed: 1\n  duration: {end}\n{TWO}  timeline: [{timeline}]"), objects);
    assert!(seen.idle.is_empty(), "{:?}", seen.idle);
    seen
}

/// All objects of a kind in the default namespace.
fn all(seen: &Seen, kind: &str) -> Vec<Value> {
    seen.read(kind, Vec::new())["items"].as_array().cloned().unwrap_or_default()
}

/// The only object of a kind.
fn only(seen: &Seen, kind: &str) -> Value {
    let all = all(seen, kind);
    assert_eq!(all.len(), 1, "{kind}: {all:#?}");
    all[0].clone()
}

#[test]
fn a_pod_keeps_the_name_of_its_node_when_that_is_gone() {
    let seen = seen("40s", "{at: 20s, delete: node/n-0}", &web(4, "port: 80, targetPort: http"));
    let nodes: Vec<Value> = all(&seen, "nodes");
    assert!(nodes.iter().all(|it| it["metadata"]["name"] != "n-0"), "{nodes:#?}");
    let pods = all(&seen, "pods");
    let on = |name: &str| {
        let there = pods.iter().filter(|pod| pod["spec"]["nodeName"] == *name);
        there.filter(|pod| pod["status"]["hostIP"].is_string()).count()
    };
    assert_eq!((on("n-0"), on("n-1")), (2, 2), "{pods:#?}");
    let slice = only(&seen, "endpointslices");
    let endpoints = slice["endpoints"].as_array().expect("endpoints");
    let there = |it: &&Value| it["nodeName"] == "n-0" && it["zone"] == "a";
    assert_eq!(endpoints.iter().filter(there).count(), 2, "{slice:#}");
}

#[test]
fn only_the_node_controller_says_when_it_tainted() {
    let timeline = "{at: 10s, fault: node-crash, target: node/n-0}, \
                    {at: 10s, taint: node/n-1, with: 'own=1:NoExecute'}, {at: 10s, cordon: node/n-1}, \
                    {at: 90s, label: node/n-0, with: {a: b}}";
    let seen = seen("2m", timeline, &web(1, "port: 80"));
    let taints = |node: &str| seen.get("node", node)["spec"]["taints"].take();
    let lost = taints("n-0");
    let at = |key: &str, effect: &str| {
        let mut all = lost.as_array().into_iter().flatten();
        let one = all.find(|it| it["key"] == *key && it["effect"] == *effect);
        one.and_then(|it| it["timeAdded"].as_str()).map(str::to_owned)
    };
    for effect in ["NoSchedule", "NoExecute"] {
        let added = at("node.kubernetes.io/unreachable", effect).unwrap_or_default();
        // Silent from 10 s on, at most 10 s after it was heard; looked at each 5 s.
        let within = "1970-01-01T00:00:50Z".."1970-01-01T00:01:06Z";
        assert!(within.contains(&&*added), "{effect}: {lost:#}");
    }
    let cordoned = json!({
        "key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule",
        "timeAdded": "1970-01-01T00:00:10Z",
    });
    let own = json!({"key": "own", "value": "1", "effect": "NoExecute"});
    assert_eq!(taints("n-1"), json!([own, cordoned]));
}

#[test]
fn pods_on_their_way_out_are_counted_as_soon_as_anything_is() {
    let counts = |end: &str, more: &str| {
        let spec = format!(
            "  seed: 1\n  duration: {end}\n{TWO}  timeline: [{{at: 20s, scale: deployment/web, replicas: 1}}]\n{more}"
        );
        let seen = Seen::of(&spec, &web(3, "port: 80"));
        let of = |object: &Value| object["status"]["terminatingReplicas"].clone();
        [of(&seen.get("deployment", "web")), of(&only(&seen, "replicasets"))]
    };
    assert_eq!(counts("19s", ""), [json!(0), json!(0)]);
    assert_eq!(counts("30s", ""), [json!(2), json!(2)]);
    assert_eq!(counts("60s", ""), [json!(0), json!(0)]);
    let off = "  cluster: {featureGates: {DeploymentReplicaSetTerminatingReplicas: false}}";
    let spec = format!("  seed: 1\n  duration: 30s\n{off}");
    let seen = Seen::of(&spec, &web(3, "port: 80"));
    let status = seen.get("deployment", "web")["status"].take();
    assert_eq!((&status["replicas"], &status["terminatingReplicas"]), (&json!(3), &Value::Null));
}

#[test]
fn what_is_spoken_at_a_port_is_passed_on_to_its_endpoints() {
    let port = "name: web, port: 80, targetPort: http, appProtocol: kubernetes.io/h2c";
    let seen = seen("30s", "", &web(1, port));
    let wanted = json!([{
        "name": "web", "port": 8080, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}]);
    assert_eq!(only(&seen, "endpointslices")["ports"], wanted);
    assert_eq!(seen.get("endpoints", "web")["subsets"][0]["ports"], wanted);
    let patch =
        "{at: 15s, patch: service/web, with: {spec: {ports: [{port: 80, appProtocol: null}]}}}";
    let seen = self::seen("30s", patch, &web(1, port));
    assert_eq!(only(&seen, "endpointslices")["ports"][0]["appProtocol"], Value::Null);
}

fn claim(name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec:\n  \
         accessModes: [ReadWriteOnce]\n  resources: {{requests: {{storage: 1Gi}}}}\n  {more}\n"
    )
}

fn volume(name: &str, more: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: {name}}}\nspec:\n  \
         accessModes: [ReadWriteOnce]\n  capacity: {{storage: 1Gi}}\n  \
         hostPath: {{path: /v}}\n  storageClassName: by-hand\n  {more}\n"
    )
}

#[test]
fn claims_and_volumes_say_who_bound_and_made_them() {
    let objects = [
        "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: old}\n\
         provisioner: kubernetes.io/aws-ebs\n"
            .to_owned(),
        claim("made", "storageClassName: old"),
        claim("late", "storageClassName: standard"),
        claim("found", "storageClassName: by-hand"),
        claim("wanted", "storageClassName: by-hand\n  volumeName: b"),
        claim("meant", "storageClassName: by-hand"),
        claim("nobodys", "storageClassName: standard"),
        volume("a", ""),
        volume("b", ""),
        volume("c", "claimRef: {namespace: default, name: meant}"),
        "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  nodeSelector: \
         {kubernetes.io/hostname: n-1}\n  containers: [{name: p, image: 'a:1'}]\n  volumes: [{name: d, persistentVolumeClaim: {claimName: late}}]\n"
            .to_owned(),
    ];
    let seen = seen("30s", "", &objects.concat());
    let of = |kind: &str, name: &str| seen.get(kind, name)["metadata"]["annotations"].take();
    let by = |provisioner: &str| {
        json!({
            "pv.kubernetes.io/bind-completed": "yes",
            "pv.kubernetes.io/bound-by-controller": "yes",
            "volume.beta.kubernetes.io/storage-provisioner": provisioner,
            "volume.kubernetes.io/storage-provisioner": provisioner,
        })
    };
    assert_eq!(of("pvc", "made"), by("ebs.csi.aws.com"));
    let provisioner = seen.get("storageclass", "standard")["provisioner"].take();
    let mut late = by(provisioner.as_str().expect("a provisioner"));
    late["volume.kubernetes.io/selected-node"] = json!("n-1");
    assert_eq!(of("pvc", "late"), late);
    let (done, bound) = ("pv.kubernetes.io/bind-completed", "pv.kubernetes.io/bound-by-controller");
    assert_eq!(of("pvc", "found"), json!({done: "yes", bound: "yes"}));
    assert_eq!(of("pvc", "wanted"), json!({done: "yes"}), "its user chose the volume");
    assert_eq!(of("pvc", "meant"), json!({done: "yes", bound: "yes"}));
    assert_eq!(of("pvc", "nobodys"), Value::Null);
    let bound = json!({bound: "yes"});
    assert_eq!([of("pv", "a"), of("pv", "b")], [bound.clone(), bound]);
    assert_eq!(of("pv", "c"), Value::Null, "its user chose the claim");
    let made = seen.get("pvc", "made")["spec"]["volumeName"].take();
    let made = of("pv", made.as_str().expect("a volume"));
    assert_eq!(made, json!({"pv.kubernetes.io/provisioned-by": "kubernetes.io/aws-ebs"}));
}

#[test]
fn conditions_of_a_node_say_when_its_kubelet_posted_last() {
    let seconds = |end: u64, timeline: &str| {
        let seen = seen(&format!("{end}s"), timeline, &web(1, "port: 80"));
        let node = seen.get("node", "n-0");
        let conditions = node["status"]["conditions"].as_array().expect("conditions").iter();
        let beats: Vec<&str> =
            conditions.map(|it| it["lastHeartbeatTime"].as_str().expect("a time")).collect();
        assert!(beats.len() == 4 && beats.iter().all(|beat| *beat == beats[0]), "{beats:?}");
        let time: jiff::Timestamp = beats[0].parse().expect("an instant");
        (time.as_second() as u64, node["status"]["conditions"][3]["status"].clone())
    };
    let (late, _) = seconds(2000, "");
    assert!((1690..=2000).contains(&late), "{late}");
    assert_eq!(seconds(late + 309, ""), (late, json!("True")));
    assert_eq!(seconds(late + 311, ""), (late + 310, json!("True")));
    // What is lost with the machine is what was posted before, whatever the node controller writes.
    let crash = "{at: 2000s, fault: node-crash, target: node/n-0, for: 1000s}";
    assert_eq!(seconds(2900, crash), (late, json!("Unknown")));
    let (back, status) = seconds(3030, crash);
    assert!((3000..3030).contains(&back) && status == "True", "{back} {status}");
}

#[test]
fn a_set_says_since_when_it_fails_and_its_deployment_with_it() {
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: q}\nspec: {hard: {pods: '1'}}\n---\n";
    let seen = seen(
        "2m",
        "{at: 30s, scale: deployment/web, replicas: 2}",
        &(quota.to_owned() + &web(1, "port: 80")),
    );
    let failing = |object: &Value| {
        let all = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let one = all.into_iter().find(|it| it["type"] == "ReplicaFailure").unwrap_or_default();
        let since = one["lastTransitionTime"].as_str().unwrap_or_default().to_owned();
        (one["reason"].clone(), since, one["message"].clone())
    };
    let set = failing(&only(&seen, "replicasets"));
    assert_eq!((&set.0, &*set.1), (&json!("FailedCreate"), "1970-01-01T00:00:30Z"));
    assert_eq!(failing(&seen.get("deployment", "web")), set);
}

#[test]
fn jobs_tell_what_is_not_counted_and_cron_jobs_which_version_they_started() {
    let spec = "template: {spec: {restartPolicy: Never, containers: [{name: c, image: 'a:1'}]}}";
    let job = |name: &str, more: &str| {
        format!(
            "---\napiVersion: batch/v1\nkind: Job\nmetadata: {{name: {name}}}\nspec: {{{more}{spec}}}\n"
        )
    };
    let objects = format!(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c}}\nspec: {{schedule: '* * * * *', \
         concurrencyPolicy: Forbid, jobTemplate: {{spec: {{{spec}}}}}}}\n{}{}{}",
        job("runs", ""),
        job("held", "suspend: true, "),
        job("foreign", "managedBy: example.com/it, "),
    );
    let runs = "  seed: 1\n  duration: 3m\n  apps: [{match: {image: 'a:1'}, run: {for: 10m}}]";
    let seen = Seen::of(runs, &objects);
    let uncounted = |name: &str| seen.get("job", name)["status"]["uncountedTerminatedPods"].take();
    assert_eq!((uncounted("runs"), uncounted("held")), (json!({}), json!({})));
    assert_eq!(uncounted("foreign"), Value::Null);
    let cron = seen.get("cronjob", "c");
    let active = &cron["status"]["active"][0];
    let started = seen.get("job", active["name"].as_str().unwrap_or_default());
    let number = |it: &Value| it["resourceVersion"].as_str().and_then(|it| it.parse::<u64>().ok());
    let (then, now) = (number(active).expect("a version"), number(&started["metadata"]));
    assert!(0 < then && Some(then) < now, "{cron:#}");
}

#[test]
fn pods_say_what_an_api_server_says_of_them_unasked() {
    let seen = seen("20s", "", &web(1, "port: 80"));
    let pod = only(&seen, "pods");
    assert_eq!(pod["spec"]["enableServiceLinks"], json!(true));
    assert_eq!(pod["spec"]["containers"][0]["resources"], json!({}));
    let deployment = only(&seen, "deployments");
    let template = &deployment["spec"]["template"]["spec"];
    assert_eq!(template["containers"][0]["resources"], json!({}));
    assert_eq!(template["enableServiceLinks"], Value::Null, "a template says nothing of it");
}

#[test]
fn a_scheduler_tells_its_host_in_its_events() {
    let mut seen = seen("20s", "", &web(1, "port: 80"));
    let events = seen.world.core_events().cloned();
    let moment = Moment {
        store: seen.world.store(),
        now: seen.world.now(),
        epoch_seconds: 0,
        families: Families::V4,
        renewals: None,
        events: events.as_ref(),
    };
    let namespaces = Namespaces::One("default".to_owned());
    let query = Query { namespaces, names: Vec::new(), labels: None };
    let asked = Asked { kinds: "events".to_owned(), query };
    let text = answer(moment, &[asked], Form::Json).expect("a kind").text;
    let list: Value = serde_json::from_str(&text).expect("JSON");
    let all = list["items"].as_array().expect("a list");
    let placed = all.iter().find(|it| it["reason"] == "Scheduled").expect("it was placed");
    assert_eq!(placed["reportingComponent"], "default-scheduler");
    assert_eq!(placed["reportingInstance"], "default-scheduler-kube-scheduler-0");
}
