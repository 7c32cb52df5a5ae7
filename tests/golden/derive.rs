//! From a recording to a Scenario: nodes, delays, what was applied before and what was done when.
//!
//! What a recording leaves to chance and tells (how old the Leases were) is chosen alike: a seed whose
//! kubelets renew as those of the recording did, and an instant to begin at. Everything else is ours.

use serde_json::{Value, json};
use wavetank::api::name::Name;
use wavetank::control_plane::controllers::node_lifecycle::Settings;
use wavetank::luck::Luck;
use wavetank::node::kubelet::duties::Duty;

use super::actions::{Deed, Way, deeds};
use super::behaviour::{Behaviours, said, template};
use super::recording::{Recording, Run};

/// The namespace of everything.
pub const NAMESPACE: &str = "ns";
/// How long a cluster settles before the first action, in seconds.
const SETTLING: f64 = 30.0;
/// Where within a second the harness begins: it waited for a full one.
const PHASE: f64 = 0.05;
/// The cores of the recorded machine.
const CORES: u16 = 2;
/// How many times as long everything took there as on a machine with nothing else to do is told by two
/// things: how long the first write of the harness took to be seen, which takes 8 ms there, and how many
/// processes more than there are cores wanted one. `(first write / 8 ms) ^ 0.8 * (1 + 0.05 * more)`; where
/// the harness wrote nothing at first, `1 + 0.15 * more`. So one write of each run is given, not found.
///
/// One formula for all, never one a recording. Its figures and those of `Profile::uncrowded` were stepped to by
/// least squares of the logarithms of ours by theirs, over some 330 recorded times within 0.6 s of an action,
/// then chosen by hand near there among a dozen sets: round ones, with fewer rows that differ and as many late
/// writes of slices as recorded. So that number of rows is one of a fit, and not of a trial. Ours are off by a
/// factor of about 1.4, by 1.7 with the load alone and no cores.
///
/// Left out of the fit: `s1_deploy1000_100nodes_highqps`, which no client limit paces. Replayed it makes 53 pods
/// a second, recorded are 87 to 100: what is fitted to bursts is too slow for a machine that is busy throughout.
const FIRST_WRITE: f64 = 0.008;
const LIKENESS: f64 = 0.8;
const BURDEN: f64 = 0.05;
const BURDEN_ALONE: f64 = 0.15;
/// What can be scaled.
const GROWING: [&str; 4] = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"];
/// From one renewal of a leader to the next, and a share that spreads seeds over it.
const RENEWAL: f64 = 2.0;
const GOLDEN: f64 = 0.618_033_988_749_894_8;
/// From opening a node to pods on it that are Ready, in seconds.
const OPENING: f64 = 2.1;
/// How long a run goes on after the last thing that was recorded.
const REST: f64 = 5.0;
/// From a look at a silent node to the news of it.
const WRITE: f64 = 0.01;
/// Seeds among which one is sought whose kubelets renew as recorded.
const SEEDS: u64 = 4_000;

/// A scenario that plays a recorded run.
pub struct Derived {
    /// The documents.
    pub text: String,
    /// When its first action happens, in seconds.
    pub begin: f64,
    /// When it ends.
    pub end: f64,
    /// How many times as long as on a quiet machine everything took that a control plane does: the recorded one
    /// was shared.
    pub slowness: f64,
    /// Where all is scaled to nothing at the end: when, in seconds from the first action.
    pub scaled_down: f64,
    /// Whether names of pods are wanted that no recording tells.
    pub asks: bool,
    /// When the Lease that its first action is about was renewed last, counted from there.
    pub lease: f64,
}

/// Objects of a manifest.
fn documents(text: &str) -> Result<Vec<Value>, String> {
    let parts = format!("\n{text}");
    let parts = parts.split("\n---").map(str::trim).filter(|it| !it.is_empty());
    parts.map(|it| serde_yaml::from_str(it).map_err(|error| format!("{error}"))).collect()
}

fn is_global(kind: &str) -> bool {
    matches!(kind, "Node" | "Namespace" | "PriorityClass" | "StorageClass" | "PersistentVolume")
}

fn name_of(object: &Value) -> (String, String) {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    (text(&object["kind"]), text(&object["metadata"]["name"]))
}

/// An object, and when it is applied.
struct Placed {
    object: Value,
    /// Before the first action, or by an action that creates things.
    is_there: bool,
}

/// A scenario in the making.
struct Draft<'r> {
    run: Run<'r>,
    behaviours: Behaviours,
    objects: Vec<Placed>,
    /// Patches by their key, as text.
    patches: Vec<(String, String)>,
    steps: Vec<Value>,
    begin: f64,
    pods: &'r [String],
    asks: bool,
    drained: Option<String>,
    tainted: Option<(String, String)>,
    /// How many nodes there are.
    nodes: u64,
}

impl Draft<'_> {
    fn at(&self, at: f64) -> String {
        format!("{:.3}s", self.begin + at)
    }

    fn step(&mut self, at: f64, mut step: Value) {
        step["at"] = self.at(at).into();
        self.steps.push(step);
    }

    /// The one object that rollouts and scaling are about: the last of its sort that was applied.
    fn workload(&mut self, kinds: &[&str]) -> Result<(String, &mut Value), String> {
        let all = self.objects.iter_mut().map(|it| &mut it.object);
        let fits = |it: &&mut Value| kinds.contains(&name_of(it).0.as_str());
        let found = all.filter(fits).last().ok_or("no workload to act on")?;
        let (kind, name) = name_of(found);
        Ok((format!("{}/{NAMESPACE}/{name}", kind.to_lowercase()), found))
    }

    /// The patch that words are about: of the version they name, or that of another version with the
    /// names of this one.
    fn patch(&mut self, at: f64, words: &str) -> Result<(), String> {
        let is_version =
            |it: &&str| it.starts_with('v') && it[1..].starts_with(|it: char| it.is_ascii_digit());
        let version = words.split([' ', ',']).find(is_version).ok_or("which version?")?;
        let own = self.patches.iter().find(|(key, _)| key.contains(version));
        let (key, text) = own.or_else(|| self.patches.last()).ok_or("no patch to send")?;
        let other = key.split('_').find(is_version).unwrap_or(version);
        let text = text.replace(&format!("{other}\""), &format!("{version}\""));
        let mut patch: Value = serde_json::from_str(&text).map_err(|error| format!("{error}"))?;
        let (target, object) = self.workload(&["Deployment", "StatefulSet", "DaemonSet"])?;
        // What is said of the template from now on.
        let mut now = said(&object["spec"]["template"]);
        let of_patch = said(&patch["spec"]["template"]);
        for (key, value) in &of_patch {
            object["spec"]["template"]["metadata"]["annotations"][format!("golden/{key}")] =
                value.clone().into();
        }
        now.extend(of_patch);
        self.behaviours.mark(&mut patch["spec"]["template"], &now);
        self.step(at, json!({"patch": target, "with": patch}));
        Ok(())
    }

    /// A command of kubectl takes some tenths of a second to start: it acts when its first effect
    /// is seen.
    fn takes_effect(&self, kind: &str, field: &str, at: f64) -> f64 {
        self.run.first_change(kind, field, at).map_or(at, |seen| (seen - 0.01).max(at))
    }

    fn kubelets(&mut self, at: f64, nodes: &[String]) {
        let actions = self.run.actions();
        let back = actions.iter().find(|(when, words)| *when > at && words.contains("return"));
        for node in nodes {
            // The harness takes some time from the first of them to the last.
            let returned = back.map(|(when, _)| {
                let mut seen = self.run.seen("Node").filter(|it| it.0 > when - 2.0 && it.1 == node);
                let ready =
                    seen.find(|it| it.2.get("Ready").is_some_and(|it| it == "True:KubeletReady"));
                ready.map_or(*when, |it| it.0 - 0.01)
            });
            let mut step = json!({"fault": "kubelet-stop", "target": format!("node/{node}")});
            if let Some(returned) = returned {
                step["for"] = format!("{:.3}s", returned - at).into();
            }
            self.step(at, step);
        }
    }

    /// One node after the other takes pods, and the workload, which has none at the start, grows each time.
    fn place(&mut self, nodes: u64, placed: &[(String, i64)]) -> Result<(), String> {
        let target = self.workload(&GROWING)?.0;
        let (mut there, mut open) = (0, None);
        for ((node, more), age) in placed.iter().zip(ages(placed.len())) {
            let at = -age - OPENING;
            there += more;
            match open.replace(node) {
                Some(before) => {
                    self.step(at, json!({"cordon": format!("node/{before}")}));
                    self.step(at, json!({"uncordon": format!("node/{node}")}));
                }
                None => {
                    let others = (0..nodes).map(|it| format!("n{it}")).filter(|it| it != node);
                    for other in others.collect::<Vec<_>>() {
                        self.step(at, json!({"cordon": format!("node/{other}")}));
                    }
                }
            }
            self.step(at + 1.0, json!({"scale": target, "replicas": there}));
        }
        Ok(())
    }

    fn part(&mut self, at: f64, part: &str, fault: &str) {
        // The first instance leads from the start.
        let mut step = json!({"fault": fault, "target": format!("{part}/0")});
        let starts = |words: &str| {
            deeds(words).is_some_and(|all| {
                all.iter().any(|it| matches!(it, Deed::Part(of, Way::Start) if *of == part))
            }) || words.contains("is started again")
        };
        let actions = self.run.actions();
        if let Some((back, _)) = actions.iter().find(|(when, words)| *when > at && starts(words)) {
            step["for"] = format!("{:.3}s", back - at).into();
        }
        self.step(at, step);
    }

    fn delete(
        &mut self,
        at: f64,
        kind: &str,
        name: &str,
        cascade: Option<&str>,
    ) -> Result<(), String> {
        let target = match kind {
            "namespace" => format!("namespace/{NAMESPACE}"),
            "node" => format!("node/{}", name),
            _ if name.is_empty() => return Err("delete what?".to_owned()),
            _ => format!("{kind}/{NAMESPACE}/{name}"),
        };
        let mut step = json!({"delete": target});
        if let Some(cascade) = cascade {
            step["cascade"] = cascade.into();
        }
        self.step(at, step);
        Ok(())
    }

    fn act(&mut self, at: f64, deed: Deed) -> Result<(), String> {
        match deed {
            Deed::Nothing | Deed::Kubelets(_, Way::Start) | Deed::Part(_, Way::Start) => {}
            Deed::Create => {
                let created = self.objects.iter_mut().filter(|it| !it.is_there);
                let created: Vec<Value> = created
                    .map(|it| {
                        it.is_there = true;
                        it.object.clone()
                    })
                    .collect();
                let mut at = at;
                for object in created {
                    let (kind, name) = name_of(&object);
                    self.step(at, json!({"apply": object}));
                    // The next one is sent when this one is answered.
                    at = self.run.added(&kind, &name).unwrap_or(at);
                }
            }
            Deed::Patch(words) => self.patch(at, &words)?,
            Deed::Scale(replicas) => {
                let target = self.workload(&GROWING)?.0;
                self.step(at, json!({"scale": target, "replicas": replicas}));
            }
            Deed::Pause | Deed::Resume | Deed::Undo => {
                let target = self.workload(&["Deployment", "StatefulSet", "DaemonSet"])?.0;
                let (verb, at) = match deed {
                    Deed::Pause => ("pause", at),
                    Deed::Resume => ("resume", at),
                    _ => ("undo", self.takes_effect("Deployment", "generation", at)),
                };
                self.step(at, json!({verb: target}));
            }
            Deed::Delete(kind, name, cascade) => self.delete(at, &kind, &name, cascade)?,
            Deed::Kubelets(nodes, Way::Stop) => self.kubelets(at, &nodes),
            Deed::Part(part, Way::Stop) => self.part(at, part, "kill"),
            Deed::Frozen(part @ "etcd") => self.part(at, part, "freeze"),
            Deed::Frozen(part) => return Err(format!("{part} cannot be frozen")),
            Deed::Drain(node) => {
                let at = self.takes_effect("Node", "unschedulable", at);
                self.step(at, json!({"drain": node}));
                self.drained = Some(node);
            }
            Deed::Uncordon => {
                let node = self.drained.clone().ok_or("uncordon what?")?;
                self.step(at, json!({"uncordon": node}));
            }
            Deed::Taint(node, taint) => {
                let key = taint.split([':', '=']).next().unwrap_or_default();
                let with =
                    if taint.contains('=') { taint.clone() } else { taint.replace(':', "=:") };
                self.step(at, json!({"taint": node, "with": with}));
                self.tainted = Some((node, key.to_owned()));
            }
            Deed::Untaint => {
                let (node, key) = self.tainted.clone().ok_or("untaint what?")?;
                self.step(at, json!({"taint": node, "with": format!("{key}-")}));
            }
            Deed::Label(node, label) => {
                self.step(at, json!({"label": format!("node/{node}"), "with": label}));
            }
            Deed::Placed(placed) => self.place(self.nodes, &placed)?,
            Deed::Evict(count) => {
                self.asks = true;
                for pod in self.pods.iter().take(count).cloned().collect::<Vec<_>>() {
                    self.step(at, json!({"evict": format!("pod/{NAMESPACE}/{pod}")}));
                }
            }
        }
        Ok(())
    }
}

/// How long the pods of so many groups have been Ready when it begins, the oldest first: each twice as long
/// as the next, so that they are of different ages to whoever ranks them by powers of two.
fn ages(groups: usize) -> impl Iterator<Item = f64> {
    (0..groups).rev().map(|it| 10.0 * (1_u64 << it.min(10)) as f64)
}

/// The instant to begin at, the seed, and when the first Lease of interest was renewed last: Leases are as old as
/// the recorded ones, and the node controller looks at its nodes when the recorded one did.
fn luck(run: Run<'_>, seed: u64) -> (f64, u64, f64) {
    // Leaders renew each 2 s from the start on.
    if let Some(age) = run.field("lease_age_at_t0").as_f64() {
        return (SETTLING + age, seed, -age);
    }
    let parts = run.actions().into_iter().filter_map(|it| deeds(&it.1)).flatten();
    if parts.into_iter().any(|it| matches!(it, Deed::Part(..) | Deed::Frozen(_))) {
        // No age is told: any may be.
        let age = (seed as f64 * GOLDEN).fract() * RENEWAL;
        return (SETTLING + age, seed, -age);
    }
    let ages = run.field("lease_age_s_at_t0").as_object().into_iter().flatten();
    let ages: Vec<(Name, f64)> =
        ages.filter_map(|(node, age)| Some((node.as_str().into(), age.as_f64()?))).collect();
    let Some((_, first)) = ages.first() else {
        return (SETTLING + PHASE, seed, 0.0);
    };
    let monitor = Settings::default().period_with(0).as_nanos() as f64 / 1e9;
    let look = run.timings().get("first_node_unknown").map_or(0.0, |at| at - WRITE);
    let begin = monitor * ((SETTLING + look) / monitor).ceil() - look;
    let lease = Duty::Lease.period().as_nanos() as f64 / 1e9;
    // A renewal counts from the look that notes it: that one decides.
    let noted = |age: f64| ((begin - age) / monitor).ceil() as i64;
    let misfit = |seed: u64| {
        let mut off = 0.0_f64;
        let mut elsewhere = 0;
        for (node, age) in &ages {
            let renewed = Duty::Lease.cadence(Luck::new(seed), node).at(0).as_nanos() as f64 / 1e9;
            let own = (begin - renewed).rem_euclid(lease);
            elsewhere += i32::from(noted(own) != noted(*age));
            off = off.max((own - age).abs());
        }
        (elsewhere, off)
    };
    let seeds = (0..SEEDS).map(|it| it * 8 + seed).map(|seed| (misfit(seed), seed));
    let best = seeds.min_by(|a, b| a.0.0.cmp(&b.0.0).then(a.0.1.total_cmp(&b.0.1)));
    let best = best.expect("there are some").1;
    (begin, best, -first)
}

/// The scenario of a run of `recording`.
///
/// # Errors
/// What of it nobody understands.
pub fn derive(
    recording: &Recording,
    run: Run<'_>,
    seed: u64,
    pods: &[String],
) -> Result<Derived, String> {
    let whole = recording.runs().into_iter().find(|it| it.seen("Pod").next().is_some());
    let seen = whole.filter(|_| run.seen("Pod").next().is_none()).unwrap_or(run);
    let (mut begin, seed, lease) = luck(run, seed);
    let actions = run.actions();
    let ahead = actions.iter().find_map(|(_, words)| {
        let before =
            words.split(" s before a full minute").next().filter(|it| it.len() < words.len())?;
        before.rsplit(' ').next()?.parse::<f64>().ok()
    });
    if let Some(ahead) = ahead {
        begin = 60.0 - ahead;
    }
    let mut draft = Draft {
        run,
        behaviours: Behaviours::default(),
        objects: Vec::new(),
        patches: Vec::new(),
        steps: Vec::new(),
        begin,
        pods,
        asks: false,
        drained: None,
        tainted: None,
        nodes: recording.cluster()["nodes"].as_u64().unwrap_or(1),
    };
    for (key, text) in recording.manifests() {
        if text.trim_start().starts_with('{') {
            draft.patches.push((key.to_owned(), text.to_owned()));
            continue;
        }
        for mut object in documents(text)? {
            if let Some(template) = template(&mut object) {
                let said = said(template);
                draft.behaviours.mark(template, &said);
            }
            let (kind, name) = name_of(&object);
            if !is_global(&kind) {
                object["metadata"]["namespace"] = NAMESPACE.into();
            }
            let is_there = seen.existed(&kind, &name) || is_global(&kind);
            draft.objects.push(Placed { object, is_there });
        }
    }
    // What lies there and nobody in the cluster looks at (the bundle of its certificates).
    for (_, name, what) in seen.seen("ConfigMap") {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": NAMESPACE}});
        let is_known = draft.objects.iter().any(|it| name_of(&it.object) == name_of(&object));
        if !is_known && what.get("event").is_some_and(|it| it == "EXISTS") {
            draft.objects.push(Placed { object, is_there: true });
        }
    }
    let groups = run.placed();
    if groups > 0 {
        draft.workload(&GROWING)?.1["spec"]["replicas"] = 0.into();
        begin = OPENING + ages(groups).next().unwrap_or_default();
        draft.begin = begin;
    }
    let before: Vec<Value> =
        draft.objects.iter().filter(|it| it.is_there).map(|it| it.object.clone()).collect();
    for (at, words) in &actions {
        for deed in deeds(words).ok_or_else(|| format!("action {words:?}"))? {
            draft.act(*at, deed).map_err(|error| format!("action {words:?}: {error}"))?;
        }
    }
    let (mut end, mut last) = (run.end(), f64::MAX);
    if run.timings().keys().any(|it| it.starts_with("scale_to_0")) {
        (last, end) = scaled_down(&mut draft, run)?;
    }
    let slowness = slowness(run);
    let text = scenario(recording, &draft, before, seed, begin + end + REST);
    Ok(Derived {
        text,
        begin,
        end: begin + end + REST,
        scaled_down: last,
        asks: draft.asks,
        lease,
        slowness,
    })
}

/// How many times as long as on a machine of its own everything took that a control plane does.
fn slowness(run: Run<'_>) -> f64 {
    let load = run.field("loadavg").as_f64();
    let more = load.map_or(0.0, |load| (load - f64::from(CORES)).max(0.0));
    match run.first_write() {
        Some(took) => (took / FIRST_WRITE).powf(LIKENESS) * (1.0 + more * BURDEN),
        None => 1.0 + more * BURDEN_ALONE,
    }
}

/// Some recordings scale to nothing after all else, which no action tells: their timings count from then.
fn scaled_down(draft: &mut Draft<'_>, run: Run<'_>) -> Result<(f64, f64), String> {
    let timings = run.timings();
    let complete = timings.get("deployment_complete").ok_or("scaled to 0 when?")?;
    let at = complete.ceil() + REST;
    draft.act(at, Deed::Scale(0))?;
    Ok((at, at + timings.get("scale_to_0_last_gone").copied().unwrap_or(REST)))
}

fn scenario(
    recording: &Recording,
    draft: &Draft<'_>,
    before: Vec<Value>,
    seed: u64,
    end: f64,
) -> String {
    let cluster = recording.cluster();
    let count = cluster["nodes"].as_u64().unwrap_or(1);
    let zones = cluster["zones"].as_u64().unwrap_or(1).max(1);
    let mut capacity = cluster["node_capacity"].clone();
    for (_, amount) in capacity.as_object_mut().into_iter().flatten() {
        if let Some(number) = amount.as_i64() {
            *amount = number.to_string().into();
        }
    }
    // Nodes that are brought: no control plane among them.
    let node = |number: u64| {
        let labels = json!({"topology.kubernetes.io/zone": format!("z{}", number % zones)});
        json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": format!("n{number}"), "labels": labels}, "status": {"capacity": capacity}})
    };
    let delay = |key: &str| cluster["fake_kubelet"][key].as_f64().unwrap_or(1.0);
    let limit = |flags: &str| {
        let of = |flag: &str| {
            let all = cluster[flags].as_array().into_iter().flatten();
            let mut values =
                all.filter_map(|it| it.as_str()?.strip_prefix(flag)?.parse::<u32>().ok());
            values.next()
        };
        let (qps, burst) = (of("--kube-api-qps="), of("--kube-api-burst="));
        qps.zip(burst).map(|(qps, burst)| json!({"qps": qps, "burst": burst}))
    };
    let mut clients = serde_json::Map::new();
    clients.extend(limit("kcm_flags").map(|it| ("controllers".to_owned(), it)));
    clients.extend(limit("scheduler_flags").map(|it| ("scheduler".to_owned(), it)));
    let spec = json!({
        "seed": seed,
        "duration": format!("{end:.3}s"),
        "cluster": {
            "controlPlane": {
                "controllerManagers": cluster["kcm_replicas"].as_u64().unwrap_or(1),
                "apiServerCores": CORES,
                "schedulers": cluster["scheduler_replicas"].as_u64().unwrap_or(1),
            },
            "clients": clients,
        },
        "apps": draft.behaviours.apps(delay("start_delay_s"), delay("stop_delay_s")),
        "timeline": draft.steps,
    });
    let name = recording.name.to_lowercase().replace(['_', '.'], "-");
    let head = json!({"apiVersion": "wavetank.dev/v1alpha1", "kind": "Scenario",
        "metadata": {"name": name}, "spec": spec});
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
    let all = [head, namespace].into_iter().chain((0..count).map(node)).chain(before);
    all.map(|it| it.to_string()).collect::<Vec<_>>().join("\n---\n")
}
