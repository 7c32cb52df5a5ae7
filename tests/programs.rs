//! What programs do to themselves and to their node, and what kubelets answer about it.

use std::sync::atomic::AtomicBool;

use wavetank::api::ip_family::Families;
use wavetank::kernel::{Engine, FactSink};
use wavetank::messages::{Fact, Verb};
use wavetank::report::get::Moment;
use wavetank::report::kubelet_api::{NoAnswer, ask};
use wavetank::runs::{Finished, run};
use wavetank::scenario::{Loader, Overrides};
use wavetank::time::SimTime;

#[derive(Default)]
struct Facts(Vec<(SimTime, u64, Fact)>);

impl FactSink<Fact> for Facts {
    fn record(&mut self, at: SimTime, _number: u64, cause: u64, fact: &Fact) {
        self.0.push((at, cause, fact.clone()));
    }
}

impl Facts {
    /// Facts of this kind about what is so called.
    fn of(&self, verb: Verb, name: &str) -> Vec<&(SimTime, u64, Fact)> {
        let is_it =
            |fact: &Fact| fact.verb == verb && fact.object.name.to_string().starts_with(name);
        self.0.iter().filter(|(_, _, fact)| is_it(fact)).collect()
    }

    fn value(fact: &Fact, key: &str) -> i64 {
        fact.values.iter().find(|(name, _)| *name == key).map_or(0, |(_, value)| *value)
    }

    fn said(fact: &Fact) -> &str {
        fact.message.as_deref().unwrap_or_default()
    }
}

/// Runs a scenario whose `spec` and further documents are given.
fn played(spec: &str, objects: &str) -> (Finished, Facts) {
    let head =
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: programs}\nspec:\n";
    let text = format!("{head}{spec}\n---\n{objects}");
    let mut loader = Loader::new(Overrides::default());
    loader.read("programs.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let mut facts = Facts::default();
    let finished = run(loaded.plan.into(), &mut facts, &AtomicBool::new(false), &mut |_| {});
    (finished, facts)
}

/// A pod with one container of its name.
fn pod(name: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: default, labels: {{app: {name}}}}}\n\
         spec: {{containers: [{{name: {name}, image: 'a:1'{more}}}]}}\n---\n"
    )
}

fn deployment(name: &str, replicas: u32) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}, namespace: default}}\n\
         spec: {{replicas: {replicas}, selector: {{matchLabels: {{app: {name}}}}}, template: {{metadata: \
         {{labels: {{app: {name}}}}}, spec: {{containers: [{{name: {name}, image: 'a:1'}}]}}}}}}\n---\n"
    )
}

const SERVICE: &str = "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: default}\n\
                       spec: {selector: {app: web}, ports: [{port: 80}]}\n";

#[test]
fn a_crash_comes_with_its_probability() {
    let spec = "  seed: 2\n  duration: 19s\n  apps:\n\
        \x20 - {match: {container: always}, start: 1s, crash: {after: 10s, exit: 7}}\n\
        \x20 - {match: {container: half}, start: 1s, crash: {after: 10s, probability: 0.5}}\n\
        \x20 - {match: {container: never}, start: 1s, crash: {after: 10s, probability: 0}}";
    let objects = ["always", "half", "never"].map(|name| deployment(name, 40)).concat();
    let (_, facts) = played(spec, &objects);
    let ended = |name| facts.of(Verb::Exited, name);
    assert_eq!((ended("always").len(), ended("never").len()), (40, 0));
    assert!(ended("always").iter().all(|(_, _, it)| Facts::value(it, "exit_code") == 7));
    // Fewer than 8 or more than 32 of 40 come once in ten thousand seeds.
    assert!((8..=32).contains(&ended("half").len()), "{}", ended("half").len());
}

#[test]
fn a_request_crashes_a_program() {
    let spec = "  seed: 3\n  duration: 2m\n  apps:\n\
        \x20 - {match: {container: web}, crash: {perRequest: 0.01, exit: 9}, service: {workers: 4, time: 5ms}}\n\
        \x20 traffic:\n\
        \x20 - {name: users, from: outside, to: 'default/web:80', rate: 20/s, timeout: 1s, start: 20s}";
    let (_, facts) = played(spec, &(deployment("web", 3) + SERVICE));
    let harmed = facts.of(Verb::Harmed, "").len();
    let ended = facts.of(Verb::Exited, "web");
    assert!(harmed > 3, "{harmed} requests did harm");
    assert_eq!(ended.len(), harmed);
    for (_, cause, fact) in ended {
        assert_eq!(Facts::value(fact, "exit_code"), 9);
        let why = &facts.0[*cause as usize - 1].2;
        assert_eq!(why.verb, Verb::Harmed, "{why:?}");
    }
}

#[test]
fn a_program_is_slower_while_it_warms_up() {
    let spec = "  seed: 4\n  duration: 80s\n  apps:\n\
        \x20 - {match: {container: web}, start: 1s, warmUp: {for: 40s, slower: 4}, \
        service: {workers: 16, time: 100ms}}\n\
        \x20 traffic:\n\
        \x20 - {name: users, from: outside, to: 'default/web:80', rate: 10/s, timeout: 5s, start: 10s}";
    let (_, facts) = played(spec, &(pod("web", "") + SERVICE));
    let mean = |from: u64, to: u64| {
        let all = facts.of(Verb::Requests, "users");
        let within = all.iter().filter(|(at, ..)| (from..to).contains(&at.as_secs()));
        let sums = within.fold((0, 0), |(ok, us), (_, _, it)| {
            (ok + Facts::value(it, "ok"), us + Facts::value(it, "latency_us_sum"))
        });
        assert!(sums.0 > 100, "{} answers", sums.0);
        sums.1 / sums.0
    };
    let (cold, warm) = (mean(12, 38), mean(45, 80));
    // Beside its work a request takes its way there and back, warm or not.
    assert!((290_000..=310_000).contains(&(cold - warm)), "{cold} and {warm} us");
    assert!((100_000..=110_000).contains(&warm), "{warm} us");
}

const NODE: &str = "  cluster: {nodes: [{name: n, count: 1, capacity: {cpu: '4', memory: 1Gi, \
                    ephemeral-storage: 10Gi, pods: 110}}]}\n";

#[test]
fn a_node_without_memory_kills_what_is_worth_least() {
    let spec = format!(
        "  seed: 5\n  duration: 40s\n{NODE}  apps:\n\
         \x20 - {{match: {{container: db}}, start: 1s, usage: {{cpu: 10m, memory: 500Mi}}}}\n\
         \x20 - {{match: {{container: hog}}, start: 1s, usage: {{cpu: 10m, memory: {{base: 64Mi, growth: {{by: 250Mi, each: 1s}}}}}}}}"
    );
    let sure =
        ", resources: {requests: {cpu: 100m, memory: 600Mi}, limits: {cpu: 100m, memory: 600Mi}}";
    let (finished, facts) = played(&spec, &(pod("db", sure) + &pod("hog", "")));
    let ended = facts.of(Verb::Exited, "hog");
    assert!(!ended.is_empty(), "the node is full two seconds after its start");
    let said = Facts::said(&ended[0].2);
    assert!(said.contains("OOMKilled") && said.contains("it has no limit"), "{said}");
    assert_eq!(Facts::value(&ended[0].2, "exit_code"), 137);
    assert_eq!(facts.of(Verb::Exited, "db").len(), 0);
    assert!(finished.world.now() >= SimTime::from_secs(30));
}

#[test]
fn a_full_disk_evicts_who_filled_it() {
    let spec = format!(
        "  seed: 6\n  duration: 4m\n{NODE}  apps:\n\
         \x20 - {{match: {{container: log}}, start: 1s, usage: {{disk: {{base: 0, growth: {{by: 100Mi, each: 1s}}}}}}}}\n\
         \x20 - {{match: {{container: own}}, start: 1s, usage: {{disk: {{base: 0, growth: {{by: 10Mi, each: 1s}}}}}}}}"
    );
    let limited = ", resources: {limits: {ephemeral-storage: 200Mi}}";
    let objects = [pod("log", ""), pod("own", limited), pod("idle", "")].concat();
    let (_, facts) = played(&spec, &objects);
    let evicted = |name| facts.of(Verb::Evicted, name);
    let (log, own) = (evicted("log"), evicted("own"));
    assert_eq!((log.len(), own.len(), evicted("idle").len()), (1, 1, 0));
    let said = Facts::said(&log[0].2);
    assert!(said.contains("The node was low on resource: ephemeral-storage"), "{said}");
    let said = Facts::said(&own[0].2);
    assert!(said.contains("200Mi"), "{said}");
    // It passes 200 MiB after 20 s, and the kubelet looks each 10 s.
    assert!((20..=35).contains(&own[0].0.as_secs()), "{}", own[0].0);
    let tainted = facts.of(Verb::Tainted, "n-0");
    let taints: Vec<_> = tainted.iter().map(|(_, _, it)| Facts::said(it)).collect();
    assert!(taints.iter().any(|it| it.contains("disk-pressure")), "{taints:?}");
}

#[test]
fn a_kubelet_answers_what_it_is_asked() {
    let spec = "  seed: 7\n  duration: 61s\n\
        \x20 cluster: {nodes: [{name: n, count: 2, capacity: {cpu: '4', memory: 8Gi, pods: 110}}]}\n  apps:\n\
        \x20 - {match: {}, start: 1s, usage: {cpu: 500m, memory: 100Mi}}\n\
        \x20 timeline:\n  - {at: 30s, name: silent, fault: kubelet-stop, target: node/n-1}";
    let on_it = |name| pod(name, "").replace("spec: {", "spec: {nodeName: n-0, ");
    let objects = ["a", "b"].map(on_it).concat();
    let (finished, _) = played(spec, &objects);
    let world = &finished.world;
    let moment = Moment {
        store: world.store(),
        now: world.now(),
        epoch_seconds: 0,
        families: Families::V4,
        renewals: None,
        events: None,
    };
    let of = |node, path| ask(world, moment, node, path);
    assert_eq!(of("n-0", "/healthz").as_deref(), Ok("ok"));
    assert_eq!(of("n-1", "/healthz"), Err(NoAnswer::Refused));
    assert_eq!(of("n-7", "/healthz"), Err(NoAnswer::NoNode));
    assert_eq!(of("n-0", "/nothing"), Err(NoAnswer::NoPage));
    let json = |path| -> serde_json::Value {
        serde_json::from_str(&of("n-0", path).expect("an answer")).expect("JSON")
    };
    let pods = json("/pods");
    let names: Vec<_> = pods["items"].as_array().expect("items").iter().collect();
    let names: Vec<_> = names.iter().map(|it| it["metadata"]["name"].as_str()).collect();
    assert_eq!((pods["kind"].as_str(), names), (Some("PodList"), vec![Some("a"), Some("b")]));
    let spec = json("/spec");
    assert_eq!((&spec["num_cores"], &spec["memory_capacity"]), (&4.into(), &(8_u64 << 30).into()));
    let text = of("n-0", "/metrics/resource").expect("an answer");
    let value = |series: &str| -> f64 {
        let line = text.lines().find(|line| line.starts_with(series));
        let line = line.unwrap_or_else(|| panic!("no {series} in\n{text}"));
        line[series.len()..].split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a number")
    };
    let labels = "{container=\"a\",namespace=\"default\",pod=\"a\"}";
    let cpu = value(&format!("container_cpu_usage_seconds_total{labels}"));
    // Half a core since about a second after the start.
    assert!((29.0..=30.1).contains(&cpu), "{cpu}");
    let held = f64::from(100 << 20);
    assert_eq!(value(&format!("container_memory_working_set_bytes{labels}")), held);
    assert_eq!(value("pod_memory_working_set_bytes{namespace=\"default\",pod=\"b\"}"), held);
    assert_eq!(value("node_memory_working_set_bytes"), 2.0 * held);
    let of_pods = ["a", "b"].map(|name| {
        value(&format!("pod_cpu_usage_seconds_total{{namespace=\"default\",pod=\"{name}\"}}"))
    });
    assert!((value("node_cpu_usage_seconds_total") - of_pods.iter().sum::<f64>()).abs() < 1e-6);
    assert_eq!(value("resource_scrape_error"), 0.0);
}

/// A node of two cores, a burner on it that would have four, and Services beside it.
fn crowded(services: &[(&str, &str)], burner: &str, more: &str) -> (Finished, Facts) {
    let mut spec = "  seed: 8\n  duration: 90s\n\
        \x20 cluster: {nodes: [{name: n, count: 1, capacity: {cpu: '2', memory: 8Gi, pods: 110}}]}\n\
        \x20 apps:\n\
        \x20 - {match: {container: burner}, start: 1s, usage: {cpu: 4, memory: 64Mi}}\n\
        \x20 - {match: {}, start: 1s, service: {workers: 4, time: 10ms}, \
        usage: {cpu: {base: 0, perRequest: 10ms}, memory: 64Mi}}\n\x20 traffic:\n"
        .to_owned();
    let mut objects = pod("burner", &resources(burner)) + more;
    for (name, requests) in services {
        spec += &format!(
            "  - {{name: to-{name}, from: node/n-0, to: 'default/{name}:80', rate: 40/s, timeout: 1s, start: 10s}}\n"
        );
        objects += &pod(name, &resources(requests));
        objects += &SERVICE.replace("web", name);
        objects += "---\n";
    }
    played(&spec, &objects)
}

fn resources(written: &str) -> String {
    format!(", resources: {{{written}}}")
}

/// Answered, and the mean time of it in microseconds, from 30 s on.
fn answered(facts: &Facts, client: &str) -> (i64, i64) {
    let all = facts.of(Verb::Requests, client);
    let late = all.iter().filter(|(at, ..)| at.as_secs() >= 30);
    let (ok, us) = late.fold((0, 0), |(ok, us), (_, _, it)| {
        (ok + Facts::value(it, "ok"), us + Facts::value(it, "latency_us_sum"))
    });
    (ok, us / ok.max(1))
}

/// Nano-cores that the program of a pod ran on average over the last 30 s.
fn ran(finished: &Finished, name: &str) -> f64 {
    let world = &finished.world;
    let pod = world.store().find("default", name).expect("a pod");
    let from = SimTime::from_secs(world.now().as_secs() - 30);
    let used = world.usage(pod, 0, from, SimTime::from_secs(world.now().as_secs()));
    used.expect("it runs").nano_cores() as f64 / 1e9
}

#[test]
fn who_requests_more_waits_less_where_a_node_is_short_of_cpu() {
    let services = [
        ("much", "requests: {cpu: 900m}"),
        ("some", "requests: {cpu: 500m}"),
        ("little", "requests: {cpu: 50m}"),
    ];
    let (finished, facts) = crowded(&services, "requests: {cpu: 500m}", "");
    let [much, some, little] =
        ["to-much", "to-some", "to-little"].map(|client| answered(&facts, client));
    // 40 a second for a minute, each 10 ms of a core: those who request enough get it all, later or sooner.
    // The first has about one core of its own, on which requests meet (10 ms / (1 - 0.4)); the second has less.
    assert!(
        (2_200..2_700).contains(&much.0) && (2_200..2_700).contains(&some.0),
        "{much:?} {some:?}"
    );
    assert!(much.1 < 20_000 && much.1 < some.1 && some.1 < 40_000, "{much:?} {some:?}");
    // 50 of 550 shares of what the others leave, 2 - 0.8 cores: a quarter of what it needs.
    assert!(little.0 < 300, "too late for most: {little:?}");
    let ran = ["much", "some", "little", "burner"].map(|name| ran(&finished, name));
    let told = facts.of(Verb::Crowded, "n-0");
    assert_eq!(told.len(), 1, "once, as long as it lasts");
    assert!(Facts::said(&told[0].2).contains("pod default/burner (4000m)"), "{:?}", told[0]);
    assert_eq!(facts.0[told[0].1 as usize - 1].2.object.name.to_string(), "burner", "by its start");
    assert!((0.33..0.47).contains(&ran[0]) && (0.33..0.47).contains(&ran[1]), "{ran:?}");
    assert!((0.09..0.13).contains(&ran[2]), "{ran:?}");
    let all: f64 = ran.iter().sum();
    assert!((1.98..=2.0001).contains(&all), "all there is is given out: {ran:?}");
    let late = facts.of(Verb::RequestFailed, "to-little");
    let late = late.first().expect("it is told");
    assert!(Facts::said(&late.2).contains("short of CPU"), "{late:?}");
    assert_eq!(facts.0[late.1 as usize - 1].2.verb, Verb::Crowded, "and why");
}

#[test]
fn what_requests_nothing_gets_what_is_left() {
    let (finished, facts) = crowded(&[("web", "requests: {cpu: 100m}")], "requests: {}", "");
    let (ok, mean) = answered(&facts, "to-web");
    assert!((2_200..2_700).contains(&ok) && mean < 13_000, "{ok} answers after {mean} us");
    let ran = ["web", "burner"].map(|name| ran(&finished, name));
    assert!((0.33..0.47).contains(&ran[0]) && ran[1] > 1.5 && ran[0] + ran[1] < 2.0001, "{ran:?}");
}

#[test]
fn a_limit_holds_on_a_node_that_is_short_of_cpu_and_leaves_the_rest_to_others() {
    let limited = "requests: {cpu: 200m}, limits: {cpu: 200m}";
    let services = [("web", limited), ("free", "requests: {cpu: 100m}")];
    let (finished, _) = crowded(&services, "requests: {cpu: 100m}, limits: {cpu: 1500m}", "");
    let [web, free, burner] = ["web", "free", "burner"].map(|name| ran(&finished, name));
    assert!((0.18..=0.2001).contains(&web), "{web}");
    assert!((0.33..0.47).contains(&free), "{free}");
    assert!((1.3..1.5001).contains(&burner) && web + free + burner < 2.0001, "{burner}");
}

#[test]
fn autoscalers_are_told_what_ran_and_not_what_was_asked_for() {
    let spec = "  seed: 9\n  duration: 3m\n\
        \x20 cluster: {nodes: [{name: n, count: 1, capacity: {cpu: '2', memory: 8Gi, pods: 110}}]}\n  apps:\n\
        \x20 - {match: {container: one}, start: 1s, usage: {cpu: 2, memory: 64Mi}}\n\
        \x20 - {match: {container: two}, start: 1s, usage: {cpu: {steps: {0s: 500m, 60s: 2}}, memory: 64Mi}}\n\
        \x20 expect:\n\
        \x20 - {name: alone, eventually: \"hpa('one').cpu_utilization == 300\", within: 70s}\n\
        \x20 - {name: shared, atEnd: \"hpa('one').cpu_utilization == 200 && hpa('two').cpu_utilization == 200\"}";
    let hpa = |name: &str| {
        format!(
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}}}\n\
             spec: {{minReplicas: 1, maxReplicas: 1, scaleTargetRef: {{apiVersion: apps/v1, kind: Deployment, \
             name: {name}}}, metrics: [{{type: Resource, resource: {{name: cpu, target: \
             {{type: Utilization, averageUtilization: 80}}}}}}]}}\n---\n"
        )
    };
    let one = |name: &str| {
        let image = "image: 'a:1'";
        let asks = format!("{image}, resources: {{requests: {{cpu: 500m}}}}");
        deployment(name, 1).replace(image, &asks) + &hpa(name)
    };
    let (finished, _) = played(spec, &(one("one") + &one("two")));
    for row in &finished.expectations {
        assert!(row.passed, "{row:?}");
    }
}
