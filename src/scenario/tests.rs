use super::*;
use crate::api::compact::Arrival;
use crate::api::object::Object;
use crate::cluster::plan::{Act, End, Fault, Instance};
use crate::time::{SimDuration, SimTime};

mod apps;
mod luck;
mod patches;
mod scheduler;

fn load(text: &str, overrides: Overrides) -> Loaded {
    let mut loader = Loader::new(overrides);
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    loader.finish()
}

fn findings(text: &str) -> Vec<String> {
    let loaded = load(text, Overrides::default());
    loaded.findings.iter().map(ToString::to_string).collect()
}

const HEAD: &str = "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\n";

#[test]
fn the_scenario_of_the_design_is_read_whole() {
    let text = include_str!("tests/full.yaml");
    let loaded = load(text, Overrides::default());
    let errors: Vec<_> = loaded.findings.iter().filter(|it| it.is_error()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let plan = &loaded.plan;
    assert_eq!((plan.seed, &*plan.name, plan.nodes.len()), (42, "node-loss", 4));
    assert_eq!(plan.end, End::At(SimTime::from_secs(1200)));
    assert_eq!(plan.clients.controllers.qps, 20);
    assert_eq!(plan.apps.rules[0].app.run.as_ref().map(|run| run.exit_by_index.len()), Some(1));
    let verbs: Vec<_> = plan.steps.iter().map(|step| step.act.verb()).collect();
    assert_eq!(verbs, ["fault", "scale", "apply", "setImage", "delete", "fault"]);
    let Act::Fault { fault, lasts } = &plan.steps[0].act else { panic!("a fault is first") };
    assert_eq!(*fault, Fault::NodeCrash("n-0".into()));
    assert_eq!(*lasts, Some(SimDuration::from_secs(300)));
    let Act::Apply(objects) = &plan.steps[2].act else { panic!("an apply is third") };
    assert!(matches!(&objects[0].object, Object::Deployment(_)));
    let Act::Fault { fault, .. } = &plan.steps[5].act else { panic!("a fault is last") };
    assert_eq!(*fault, Fault::Kill(Instance::Scheduler(0)));
    assert_eq!(loaded.expectations.list().len(), 1);
    assert_eq!(loaded.expectations.list()[0].of.as_deref(), Some("kill-a"));
    assert_eq!(plan.traffic.len(), 1);
}

#[test]
fn only_members_of_etcd_are_frozen() {
    let findings = |target: &str| {
        let mut loader = Loader::new(Overrides::default());
        let text = format!(
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: a}}\nspec:\n  \
             timeline: [{{at: 1m, fault: freeze, target: {target}, for: 10s}}]\n"
        );
        loader.read("in.yaml", text.as_bytes(), &mut |_| {});
        loader.finish().findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(findings("etcd/0"), Vec::<String>::new());
    assert!(findings("scheduler/0").concat().contains("only a member of etcd can be frozen"));
}

#[test]
fn a_plan_is_the_same_wherever_its_file_lies() {
    let hash = |name| {
        let mut loader = Loader::new(Overrides::default());
        loader.read(name, include_str!("tests/full.yaml").as_bytes(), &mut |_| {});
        loader.finish().plan.hash()
    };
    assert_eq!(hash("here.yaml"), hash("elsewhere/there.yaml"));
}

#[test]
fn slips_are_named_with_place_and_nearest_name() {
    let text =
        format!("{HEAD}spec:\n  sead: 1\n  duration: 5 minutes\n  cluster: {{fidelity: elidet}}\n");
    let said = findings(&text);
    assert_eq!(said.len(), 3, "{said:?}");
    let line = |part: &str| {
        said.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {said:?}"))
    };
    assert!(line("sead").starts_with("in.yaml:5:3 ") && line("sead").contains("\"seed\""));
    assert!(line("5 minutes").starts_with("in.yaml:6:") && line("5 minutes").contains("1h30m"));
    assert!(line("elidet").contains("did you mean \"elided\"?"));
}

#[test]
fn delays_have_five_forms_and_others_are_refused() {
    for (delay, fine) in [
        ("1s", true),
        ("never", true),
        ("{uniform: [1s, 2s]}", true),
        ("{exponential: 10ms}", true),
        ("{lognormal: {p50: 1s, p99: 3s}}", true),
        ("{uniform: [2s, 1s]}", false),
        ("{uniform: [1s]}", false),
        ("{normal: 1s}", false),
        ("{lognormal: {p50: 1s}}", false),
        ("5", false),
        ("sometimes", false),
    ] {
        let text = format!("{HEAD}spec:\n  apps: [{{ready: {delay}}}]\n");
        assert_eq!(findings(&text).is_empty(), fine, "{delay}: {:?}", findings(&text));
    }
}

#[test]
fn a_step_has_exactly_one_verb_and_breaks_only_what_is_there() {
    for (step, part) in [
        ("{at: 1s}", "expected exactly one verb, found none"),
        ("{at: 1s, scale: deployment/web, delete: pod/x, replicas: 1}", "found delete, scale"),
        ("{scale: deployment/web, replicas: 1}", "spec.timeline[0].at: Required value"),
        ("{at: 1s, scale: deployment/web}", "spec.timeline[0].replicas: Required value"),
        ("{at: 1s, scale: deployment/web, replicas: -1}", "must be greater than or equal to 0"),
        ("{at: 1s, scale: service/web, replicas: 1}", "a Service: it has no replicas"),
        ("{at: 1s, scale: deploymant/web, replicas: 1}", "did you mean \"deployment\"?"),
        ("{at: 1s, fault: node-crsh, target: node/n-0}", "did you mean \"node-crash\"?"),
        ("{at: 1s, fault: node-crash, target: node/n-9}", "there is no node \"n-9\""),
        ("{at: 1s, fault: kill, target: scheduler/1}", "there is no scheduler 1"),
        ("{at: 1s, fault: node-crash, target: zone/b}", "there is no zone \"b\""),
        ("{at: 1s, fault: node-crash, target: node/n0}", "did you mean \"n-0\"?"),
        ("{at: -1s, cordon: node/n-0}", "spec.timeline[0].at: "),
        ("{at: 1s, fault: pod-kill, target: {pods: {label: {a: b}}}}", "did you mean \"labels\"?"),
        ("{at: 1s, fault: pod-kill, target: {pods: {labels: {a: b}}}, for: 1s}", "is over at once"),
        ("{at: 1s, fault: loss, target: zone/a, probability: 1.5}", "must be between 0 and 1"),
        ("{at: 1s, fault: latency, target: node/n-0}", "spec.timeline[0].delay: Required value"),
        ("{at: 1s, fault: kill, target: etcd/1}", "there is no etcd member 1"),
        ("{at: 1s, undo: service/web}", "a Service: it has no rollouts"),
        ("{at: 1s, pause: statefulset/web}", "a StatefulSet: pausing is not supported"),
        ("{at: 1s, undo: deployment/web, replicas: 1}", "belongs to scale, not to undo"),
        ("{at: 1s, label: node/n-0, with: 'a b'}", "expected KEY=VALUE"),
        ("{at: 1s, taint: node/n-0, with: 'a=b:NoExecut'}", "did you mean \"NoExecute\"?"),
        ("{at: 1s, patch: deployment/web}", "spec.timeline[0].with: Required value"),
        ("{at: 1s, delete: deployment/web, cascade: orfan}", "did you mean \"orphan\"?"),
        ("{at: 1s, apply: later.yaml}", "\"later.yaml\" was not read"),
        ("{at: 1s, apply: 7}", "expected objects, written out here"),
    ] {
        let said = findings(&format!("{HEAD}spec:\n  timeline:\n  - {step}\n"));
        assert!(said.iter().any(|line| line.contains(part)), "{step}: {said:?}");
    }
}

#[test]
fn what_is_wrong_once_is_told_once() {
    for (spec, part) in [
        ("traffic: [{name: a, to: 'web:80', rate: 10}]", "spec.traffic[0].rate: expected a string"),
        ("timeline: [{at: -1s, cordon: node/n-0}]", "spec.timeline[0].at: invalid duration"),
        ("timeline: [{at: 1s, cordn: node/n-0}]", "did you mean \"cordon\"?"),
        ("timeline: [1]", "expected an object, found the number 1"),
        ("expect: [{name: e, always: 5}]", "spec.expect[0].always: expected a string"),
        ("apps: [{ready: {uniform: [5s, 1s]}}]", "the longest time is shorter than the shortest"),
        ("apps: [{ready: {exponential: 5y}}]", "unknown unit \"y\""),
        ("metrics: {server: nane}", "did you mean \"none\"?"),
        ("metrics: {server: {period: 1s}}", "must be at least 10s"),
        ("metrics: {server: {perod: 20s}}", "did you mean \"period\"?"),
        ("metrics: {series: [{value: 1}]}", "spec.metrics.series[0].name: Required value"),
        ("metrics: {series: [{name: a}]}", "spec.metrics.series[0].value: Required value"),
        ("metrics: {series: [{name: a, value: -1}]}", "must be greater than or equal to 0"),
        ("metrics: {series: [{name: a, value: 1, shared: true}]}", "only pods share a figure"),
        ("metrics: {series: [{name: a, value: 1, object: x}]}", "expected an object as in"),
        (
            "metrics: {series: [{usage: disk, pods: {}, value: 1}]}",
            "supported values: \"cpu\", \"memory\"",
        ),
        ("metrics: {series: [{usage: cpu, value: 1}]}", "pods: Required value"),
    ] {
        let said = findings(&format!("{HEAD}spec:\n  {spec}\n"));
        let said: Vec<&String> = said.iter().filter(|it| !it.contains("Not found")).collect();
        assert!(matches!(&said[..], [one] if one.contains(part)), "{spec}: {said:?}");
    }
    let said = findings(&format!("{HEAD}spec:\n  timeline: [{{at: 1s}}]\n"));
    assert!(said[0].contains("expected exactly one verb, found none"), "{said:?}");
}

#[test]
fn a_step_after_the_end_is_warned_of() {
    let said = |at| {
        findings(&format!(
            "{HEAD}spec:\n  duration: 1m\n  timeline: [{{at: {at}, cordon: node/n-0}}]\n"
        ))
    };
    assert!(said("60s").is_empty(), "{:?}", said("60s"));
    assert!(said("61s")[0].contains("warning: spec.timeline[0].at: "), "{:?}", said("61s"));
}

/// The input and earlier steps create what a step may name, whatever the order they are written in.
#[test]
fn a_step_names_what_is_there_by_then_and_no_name_is_given_twice() {
    let late =
        "{apiVersion: v1, kind: Service, metadata: {name: late}, spec: {ports: [{port: 1}]}}";
    let said = findings(&format!(
        "{HEAD}spec:\n  timeline:\n  - {{at: 2s, name: a, delete: svc/late}}\n  - {{at: 1s, apply: {late}}}\n  \
         - {{at: 0s, name: a, delete: service/late}}\n  - {{at: 9s, evict: pod/web-1}}\n  \
         - {{at: 9s, cordon: n-1}}\n"
    ));
    let expected = [
        "in.yaml:8:14 (document 1, Scenario/s): spec.timeline[2].name: Duplicate value: \"a\": \
         spec.timeline[0] is called so",
        "in.yaml:8:23 (document 1, Scenario/s): spec.timeline[2].delete: there is no \
         Service/default/late: neither the input nor an earlier step creates it",
        "in.yaml:9:14 (document 1, Scenario/s): spec.timeline[3].evict: there is no \
         Pod/default/web-1: neither the input nor an earlier step creates it",
    ];
    assert_eq!(said, expected);
}

#[test]
fn ports_of_the_nodes_are_in_their_range_before_anything_runs() {
    let service = |spec: &str| {
        findings(&format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: x}}\nspec: {{type: NodePort, ports: [{spec}]}}\n"
        ))
    };
    let said = service("{port: 80, nodePort: 80}");
    assert_eq!(
        said,
        [
            "in.yaml:4:43 (document 1, Service/default/x): spec.ports[0].nodePort: Invalid value: 80: provided port is not \
          in the valid range. The range of valid ports is 30000-32767"
        ]
    );
    assert!(service("{port: 80, nodePort: 32767}").is_empty());
}

/// Claims that controllers make out of templates are named by rule.
#[test]
fn a_step_names_claims_that_are_made_for_pods() {
    let volume = "{name: tmp, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce], \
                  resources: {requests: {storage: 1Gi}}}}}}";
    let spec = format!("{{containers: [{{name: c, image: i}}], volumes: [{volume}]}}");
    let claim = "{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], \
                 resources: {requests: {storage: 1Gi}}}}";
    let steps =
        ["data-pg-1", "data-pg-01", "logs-pg-0", "pg-0-tmp", "pg-tmp", "solo-tmp", "solo-data"];
    let steps = steps.map(|name| format!("  - {{at: 1s, delete: pvc/{name}}}\n")).concat();
    let said = findings(&format!(
        "{HEAD}spec:\n  timeline:\n{steps}---\n\
         {{apiVersion: v1, kind: Pod, metadata: {{name: solo}}, spec: {spec}}}\n---\n\
         {{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: pg}}, spec: {{serviceName: pg, \
         selector: {{matchLabels: {{a: b}}}}, volumeClaimTemplates: [{claim}], \
         template: {{metadata: {{labels: {{a: b}}}}, spec: {spec}}}}}}}\n"
    ));
    let missing =
        |name: &str| said.iter().any(|it| it.contains(&format!("default/{name}: neither")));
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(["data-pg-01", "logs-pg-0", "solo-data"].into_iter().all(missing), "{said:?}");
}

#[test]
fn objects_and_patches_of_steps_are_checked_where_they_stand() {
    let said = findings(&format!(
        "{HEAD}spec:\n  timeline:\n  - at: 1s\n    apply:\n      apiVersion: v1\n      kind: Service\n      \
         metadata: {{name: web}}\n      spec: {{ports: [{{port: 0}}]}}\n  - at: 2s\n    \
         patch: service/web\n    with:\n      spec:\n        ports: [{{prot: 1}}]\n"
    ));
    assert!(said.iter().any(|it| it.starts_with("in.yaml:11:") && it.contains("port")), "{said:?}");
    let unknown = said.iter().find(|it| it.contains("prot\"")).expect("the field is named");
    assert!(unknown.starts_with("in.yaml:16:18 "), "{unknown}");
    assert!(unknown.contains("spec.timeline[1].with.spec.ports[0].prot"), "{unknown}");
    assert!(unknown.contains("did you mean \"port\"?"), "{unknown}");
}

#[test]
fn a_file_that_a_step_applies_is_read_like_the_input() {
    let mut loader = Loader::new(Overrides::default());
    let text = format!("{HEAD}spec:\n  timeline: [{{at: 1s, apply: more/web.yaml}}]\n");
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    let wanted = loader.next_wanted().expect("a file");
    assert_eq!((&*wanted.beside, &*wanted.path), ("in.yaml", "more/web.yaml"));
    let objects = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n---\napiVersion: v1\n\
                   kind: Namespace\nmetadata: {name: B}\n";
    loader.read_wanted(&wanted, "more/web.yaml", objects.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("more/web.yaml:7:") && said[0].contains("metadata.name"),
        "{said:?}"
    );
    let Act::Apply(list) = &loaded.plan.steps[0].act else { panic!("an apply") };
    assert_eq!(list.len(), 1);
}

/// What is not modelled of an experiment is said by name; what is wrong is an error.
#[test]
fn experiments_are_steps_or_it_is_said_why_not() {
    let experiment = |kind: &str, spec: &str| {
        let text = format!(
            "apiVersion: chaos-mesh.org/v1alpha1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{mode: one, \
             selector: {{labelSelectors: {{a: b}}}}, {spec}}}\n"
        );
        let loaded = load(&text, Overrides::default());
        let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
        (loaded.plan.steps.len(), said)
    };
    for (kind, spec, steps, part) in [
        (
            "StressChaos",
            "stressors: {}",
            0,
            "warning: kind: StressChaos of Chaos Mesh is not modelled",
        ),
        ("PodChaos", "action: pod-kil", 0, "did you mean \"pod-kill\"?"),
        ("PodChaos", "action: container-kill", 0, "spec.containerNames: Required value"),
        (
            "PodChaos",
            "action: pod-failure, gracePeriod: 3",
            1,
            "\"gracePeriod\" of a PodChaos is not",
        ),
        ("NetworkChaos", "action: netem", 0, "spec.action: \"netem\" is not modelled"),
        (
            "NetworkChaos",
            "action: delay, delay: {latency: 1}",
            0,
            "spec.delay.latency: Invalid value",
        ),
        ("NetworkChaos", "action: loss, loss: {loss: '101'}", 0, "no percentage"),
    ] {
        let (found, said) = experiment(kind, spec);
        assert!(found == steps && said.iter().any(|it| it.contains(part)), "{spec}: {said:?}");
    }
    let delay = "action: delay, delay: {latency: 10ms, jitter: 2ms}, duration: 5s, direction: both";
    assert_eq!(experiment("NetworkChaos", delay), (1, Vec::new()));
}

#[test]
fn flags_win_over_the_scenario() {
    let overrides = Overrides {
        seed: Some(7),
        nodes: Some(Group::parse("5").expect("a number")),
        assignments: vec![
            Assignment::parse("spec.duration=3m").expect("one"),
            Assignment::parse("spec.cluster.fidelity=explicit").expect("one"),
        ],
        ..Overrides::default()
    };
    let text =
        format!("{HEAD}spec: {{seed: 1, duration: 1m, cluster: {{nodes: [{{name: x}}]}}}}\n");
    let plan = load(&text, overrides).plan;
    assert_eq!((plan.seed, plan.nodes.len()), (7, 6));
    assert_eq!(plan.end, End::At(SimTime::from_secs(180)));
    assert_eq!(plan.fidelity, crate::kernel::Fidelity::Explicit);
}

#[test]
fn a_wrong_value_of_a_flag_is_blamed_on_the_flag() {
    let overrides = Overrides {
        assignments: vec![Assignment::parse("spec.duration=soon").expect("one")],
        ..Overrides::default()
    };
    for text in
        ["apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", &format!("{HEAD}spec: {{}}")]
    {
        let loaded = load(text, overrides.clone());
        let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.starts_with("--set spec.duration=soon: ")), "{said:?}");
    }
}

#[test]
fn namespaces_come_first_and_missing_ones_are_named() {
    let text = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\n\
                spec: {ports: [{port: 80}]}\n---\n\
                apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: other}\n---\n\
                apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n";
    let loaded = load(text, Overrides::default());
    let names: Vec<String> =
        loaded.plan.objects.iter().map(|it| it.object.meta().name.to_string()).collect();
    let default = ["default", "kube-node-lease", "kube-public", "kube-system"];
    assert_eq!(names, [&default[..], &["shop", "other", "web", "c"]].concat());
    let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("namespace \"other\" is used by Other/other/c"), "{said:?}");
}

#[test]
fn bound_pods_of_a_dump_keep_their_node_if_it_is_there() {
    let pod = |name: &str, node: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, uid: u-{name}}}\n\
             spec: {{nodeName: {node}, containers: [{{name: c, image: a}}]}}\n\
             status: {{phase: Running}}\n---\n"
        )
    };
    let text = format!(
        "apiVersion: v1\nkind: Node\nmetadata: {{name: n1}}\n---\n{}{}",
        pod("a", "n1"),
        pod("b", "gone")
    );
    let loaded = load(&text, Overrides::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let bound: Vec<_> =
        loaded.plan.objects[4..].iter().map(|it| (it.arrival, it.node.as_deref())).collect();
    assert_eq!(bound, [(Arrival::Imported, Some("n1")), (Arrival::Imported, None)]);
    let said: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
    assert!(said.iter().any(|it| it.contains("Node n1 has no status.capacity")), "{said:?}");
    assert!(
        said.iter().any(|it| it.contains(
            "pods bound to nodes that are not in the cluster are placed anew: 1 (b on gone"
        )),
        "{said:?}"
    );
}

#[test]
fn the_same_input_gives_the_same_hash_and_another_seed_another() {
    let text =
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: a}]}";
    let hash =
        |seed| load(text, Overrides { seed: Some(seed), ..Overrides::default() }).plan.hash();
    assert_eq!(hash(1), hash(1));
    assert_ne!(hash(1), hash(2));
}

#[test]
fn entries_of_a_map_have_no_order() {
    let hash = |verb: &str, entries: &str| {
        let step = format!("{{at: 10s, {verb}: node/n-0, with: {{{entries}}}}}");
        let text = format!(
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\nspec:\n  duration: 1m\n  \
             timeline: [{step}]\n"
        );
        load(&text, Overrides::default()).plan.hash()
    };
    for verb in ["label", "annotate"] {
        assert_eq!(hash(verb, "team: a, app: x"), hash(verb, "app: x, team: a"), "{verb}");
        assert_ne!(hash(verb, "team: a, app: x"), hash(verb, "team: a, app: y"), "{verb}");
    }
}

#[test]
fn contradictory_jobs_and_schedules_that_are_none_are_refused_in_the_api_servers_words() {
    let job = |spec: &str| {
        let text = format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: j}}\nspec:\n  {spec}\n  template: \
             {{spec: {{restartPolicy: OnFailure, containers: [{{name: c, image: i}}]}}}}\n"
        );
        findings(&text).join("\n")
    };
    let policy =
        "podFailurePolicy: {rules: [{action: FailJob, onExitCodes: {operator: In, values: [1]}}]}";
    assert!(job(policy).contains("only \"Never\" is supported when podFailurePolicy is specified"));
    let success = "successPolicy: {rules: [{succeededCount: 1}]}";
    assert!(job(success).contains("spec.successPolicy"), "{}", job(success));
    assert!(job("backoffLimitPerIndex: 1").contains("spec.backoffLimitPerIndex"));
    let named = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  template: {metadata: {labels: \
                 {job-name: i}}, spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}\n";
    let named = findings(named).join("\n");
    assert!(named.contains("labels[job-name]: Invalid value"), "{named}");
    assert!(named.contains("must be 'j'"), "{named}");
    let cron = |line: &str| {
        let text = format!(
            "apiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: c}}\nspec:\n  {line}\n  jobTemplate: \
             {{spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: i}}]}}}}}}}}\n"
        );
        findings(&text).join("\n")
    };
    let bad = cron("schedule: '61 * * * *'");
    assert!(bad.contains("end of range (61) above maximum (59): 61"), "{bad}");
    let nowhere = cron("schedule: '@daily'\n  timeZone: Mars/Olympus");
    assert!(nowhere.contains("unknown time zone Mars/Olympus"), "{nowhere}");
    let both = cron("schedule: 'TZ=UTC 0 0 * * *'");
    assert!(both.contains("cannot use TZ or CRON_TZ in schedule"), "{both}");
    // No day is the 31st of February: it is a schedule all the same, and never fires.
    assert_eq!(cron("schedule: '0 0 31 2 *'"), "");
}

#[test]
fn the_schema_names_the_fields_that_are_read() {
    // Every field of a full scenario is in the schema.
    fn walk(schema: &serde_json::Value, value: &serde_json::Value, path: &str) {
        if let Some(properties) = schema.get("properties").and_then(|it| it.as_object()) {
            for (key, inner) in value.as_object().into_iter().flatten() {
                let known = properties.get(key);
                walk(
                    known.unwrap_or_else(|| panic!("{path}.{key}")),
                    inner,
                    &format!("{path}.{key}"),
                );
            }
        }
        for item in value.as_array().into_iter().flatten() {
            walk(schema.get("items").unwrap_or(&serde_json::Value::Null), item, path);
        }
    }
    let node = crate::api::yaml::parse(include_str!("tests/full.yaml")).expect("it parses");
    let value = serde_json::from_str(&crate::api::tree::canonical_json(&node)).expect("JSON");
    walk(&schema::scenario(), &value, "");
}

#[test]
fn clients_are_read_and_their_slips_are_named_all_at_once() {
    let service = "---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n\
                   spec: {selector: {app: web}, ports: [{name: http, port: 80}]}\n";
    let with = |spec: &str| format!("{HEAD}spec:\n{spec}\n{service}");
    let good = with(
        "  traffic:\n  - {name: a, to: 'web:80', rate: 10/m, arrivals: constant, start: 5s}\n  \
         - {name: b, from: {pods: {app: x}}, to: 'default/web:http', rate: 0.5/s, connections: 3}",
    );
    let plan = load(&good, Overrides::default()).plan;
    let rates: Vec<_> = plan.traffic.iter().map(|it| (it.rate.requests, it.rate.per)).collect();
    let seconds = SimDuration::from_secs;
    assert_eq!(rates, [(10, seconds(60)), (1, seconds(2))]);
    let said = findings(&with(
        "  apps:\n  - {service: {workers: 0, errors: 1.5, time: 1ms}}\n  - {service: {errors: 0.1}}\n  \
         traffic:\n  - {name: a, to: 'wbe:80', rate: 1/s}\n  - {name: a, to: 'web:81', rate: -1/s}\n  \
         - {to: 'web:htp', rate: 1/s, from: node/n-9}\n  - {to: web, rate: fast, arrivals: poison}\n  \
         - {to: 'web:80', rate: 1/s, start: 2s, until: 1s, timeout: 0s, from: {pod: {a: b}}, conections: 1}",
    ));
    for part in [
        "in.yaml:6:16",
        "workers: Invalid value: 0",
        "errors: Invalid value: 1.5",
        "spec.apps[1].service.time: Required value",
        "\"default/wbe\"",
        "did you mean default/web?",
        "spec.traffic[1].name: Duplicate value",
        "\"-1/s\": must be greater than or equal to 0",
        "port \"htp\"",
        "did you mean \"http\"?",
        "there is no node \"n-9\"",
        "expected a Service and its port",
        "\"fast\"",
        "did you mean \"poisson\"?",
        "must be later than start",
        "must be greater than 0",
        "did you mean \"pods\"?",
        "did you mean \"connections\"?",
    ] {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
}

/// A gate counts wherever the Scenario stands among the documents.
#[test]
fn gates_decide_what_is_right_in_manifests() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, image: c}]\n  \
               tolerations: [{key: sla, operator: Gt, value: '950', effect: NoSchedule}]\n";
    let scenario = |gate: &str| {
        format!(
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: s}}\n\
             spec: {{cluster: {{featureGates: {{{gate}}}}}}}\n"
        )
    };
    let on = scenario("TaintTolerationComparisonOperators: true");
    assert_eq!(findings(&format!("{pod}---\n{on}")), [""; 0]);
    assert_eq!(findings(&format!("{on}---\n{pod}")), [""; 0]);
    let off = findings(pod);
    assert!(off.len() == 1 && off[0].contains("spec.tolerations[0].operator"), "{off:?}");
    let bad = findings(&format!("{}---\n{on}", pod.replace("950", "0950")));
    assert!(bad.len() == 1 && bad[0].contains("canonical"), "{bad:?}");
    let own = pod.replace("image: c}", "image: c, restartPolicy: Never}");
    let own = findings(&format!("{own}---\n{}", scenario("ContainerRestartRules: false")));
    assert!(own.iter().any(|it| it.contains("may not be set for non-init")), "{own:?}");
}
