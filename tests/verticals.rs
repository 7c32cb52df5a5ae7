//! The VerticalPodAutoscaler in whole runs: what it recommends, applies, says and remembers.

mod common {
    pub mod listened;
    pub mod play;
}

use common::listened::listened;
use common::play::{Told, run};
use wavetank::api::ip_family::Families;
use wavetank::api::misc::Other;
use wavetank::api::pod::Pod;
use wavetank::api::vertical::Vertical;
use wavetank::api::vertical::checkpoint::{Checkpoint, is_checkpoint};
use wavetank::cluster::World;
use wavetank::kernel::Engine;
use wavetank::messages::{Fact, Verb};
use wavetank::report::get::{Asked, Form, Moment, Namespaces, Query, Width, answer};
use wavetank::runs::Finished;

const AUTOSCALING: &str = include_str!("../scenarios/vertical-autoscaling.yaml");
const HISTORY: &str = include_str!("../scenarios/vertical-history.yaml");
/// The step that kills its recommender, and one that does nothing.
const KILL: &str = "fault: kill, target: controller-manager/0, for: 30s";
const CALM: &str = "uncordon: node/n-0";
/// 2026-01-01, the start of every run.
const EPOCH: i64 = 1_767_225_600;

fn times(told: &Told, is_it: impl Fn(&Fact) -> bool) -> Vec<f64> {
    let all = told.0.iter().filter(|(_, fact)| is_it(fact));
    all.map(|(at, _)| at.as_nanos() as f64 / 1e9).collect()
}

/// What the pods of an app request in their first container, and its limit of memory.
fn asked(world: &World, app: &str) -> Vec<(i64, i64, i64)> {
    let pods = world.store().table::<Pod>();
    let mine = |pod: &&Pod| pod.meta.labels.get("app").map(|it| &**it) == Some(app);
    let of = |pod: &Pod| {
        let main = &pod.spec.containers[0];
        (main.requests.cpu_milli, main.requests.memory, main.limits.memory)
    };
    pods.iter().map(|(_, pod)| pod).filter(mine).map(of).collect()
}

/// What `wavetank get` prints.
fn get(world: &World, kinds: &str, form: Form) -> String {
    let (store, now) = (world.store(), world.now());
    let (families, renewals) = (Families::V4, None);
    let moment = Moment { store, now, epoch_seconds: EPOCH, families, renewals, events: None };
    let query = Query { namespaces: Namespaces::All, names: Vec::new(), labels: None };
    let asked = Asked { kinds: kinds.to_owned(), query };
    answer(moment, &[asked], form).expect("a kind").text
}

fn vertical(finished: &World, name: &str) -> Vertical {
    let all = finished.store().table::<Other>().iter().map(|(_, it)| it);
    let mut all = all.filter(|it| !is_checkpoint(it) && it.meta.name == *name);
    Vertical::of(all.next().expect("it is there")).expect("it is right")
}

fn checkpoints(world: &World) -> Vec<Checkpoint> {
    let all = world.store().table::<Other>().iter().map(|(_, it)| it);
    all.filter(|it| is_checkpoint(it)).map(|it| Checkpoint::of(it).expect("one of ours")).collect()
}

/// The lesson's pods get what is recommended for them within their policies, limits in proportion; those of which
/// it is only shown are left alone.
#[test]
fn requests_follow_what_programs_use() {
    let (finished, told): (Finished, Told) = run(AUTOSCALING);
    let asked = |app: &str| {
        let all = asked(&finished.world, app);
        assert_eq!(all.len(), 2, "{app}");
        all
    };
    // 400Mi and 100Mi more, the end of that bucket, and 15 %; the limit as much.
    let hungry = asked("hungry");
    assert!(
        hungry.iter().all(|it| (575..604).contains(&(it.1 >> 20)) && it.1 == it.2),
        "{hungry:?}"
    );
    assert!(asked("idle").iter().all(|it| *it == (1000, 64 << 20, 0)));
    assert!(asked("capped").iter().all(|it| *it == (600, 350 << 20, 0)));
    // 300m in use, the end of its bucket, and 15 %.
    assert!(asked("nimble").iter().all(|it| (345..365).contains(&it.0) && it.1 > 345 << 20));
    let moved = |app: &str, verb| {
        let is_one = |fact: &Fact| fact.verb == verb && fact.object.to_string().contains(app);
        times(&told, is_one).len()
    };
    // The Deployment, its autoscaler and that one's checkpoint, its ReplicaSet; and the same two pods all along.
    assert_eq!((moved("nimble", Verb::Created), moved("nimble", Verb::Evicted)), (6, 0));
    let evicted = times(&told, |fact| fact.verb == Verb::Evicted);
    assert!(evicted.len() >= 4, "{evicted:?}");
    // A pass a minute.
    assert!(evicted.iter().all(|at| at % 60.0 < 1.0), "{evicted:?}");
}

#[test]
fn elided_and_explicit_passes_recommend_the_same() {
    let explicit = AUTOSCALING.replace("  cluster:\n", "  cluster:\n    fidelity: explicit\n");
    assert_ne!(explicit, AUTOSCALING);
    let advised = |scenario: &str| {
        let (_, told) = run(scenario);
        let of = |fact: &Fact| {
            let is_it = fact.verb == Verb::Advised || fact.verb == Verb::Evicted;
            is_it.then(|| (fact.object.to_string(), fact.message.clone()))
        };
        told.0.iter().filter_map(|(at, fact)| Some((*at, of(fact)?))).collect::<Vec<_>>()
    };
    let elided = advised(AUTOSCALING);
    assert!(elided.len() > 6, "{elided:?}");
    assert_eq!(elided, advised(&explicit));
}

/// The updater says what it did, of the pods and of the autoscaler (pkg/updater/restriction).
#[test]
fn evictions_and_resizes_are_told_as_events() {
    let (mut world, _) = listened(AUTOSCALING);
    let events = world.core_events().expect("somebody listens");
    let of = |reason: &str| {
        let all = events.iter().filter(|it| it.remark.reason == reason);
        all.map(|it| (it.about.kind.name(), it.about.name.to_string(), it.remark.message.clone()))
            .collect::<Vec<_>>()
    };
    let evicted = of("EvictedByVPA");
    assert!(evicted.len() >= 4, "{evicted:?}");
    let words = "Pod was evicted by VPA Updater to apply resource recommendation.";
    assert!(evicted.iter().all(|it| it.0 == "Pod" && it.2 == words), "{evicted:?}");
    for (_, pod, _) in &evicted {
        let words = format!("VPA Updater evicted Pod {pod} to apply resource recommendation.");
        let is_told = |it: &(&str, String, String)| {
            it.0 == "VerticalPodAutoscaler" && pod.starts_with(&it.1) && it.2 == words
        };
        assert!(of("EvictedPod").iter().any(is_told), "{pod}: {:?}", of("EvictedPod"));
    }
    let resized = of("InPlaceResizedByVPA");
    assert!(resized.iter().all(|it| it.1.starts_with("nimble-")), "{resized:?}");
    assert!(resized.iter().all(|it| it.2 == "Pod was resized in place by VPA Updater."));
    assert!(resized.len() >= 2, "{resized:?}");
}

/// The second lesson: targets of other kinds, and what a restart leaves.
#[test]
fn a_restarted_recommender_goes_on_from_its_checkpoints() {
    let (finished, _) = run(HISTORY);
    let world = &finished.world;
    let bounds = |world: &World| {
        let one = vertical(world, "web").recommended[0].clone();
        (one.lower.cpu.expect("it is known"), one.upper.cpu.expect("it is known"))
    };
    let (calm, _) = run(&HISTORY.replace(KILL, CALM));
    // Half a minute without a recommender costs a sample or two of each pod, and no more.
    let ((lower, upper), (calm_lower, calm_upper)) = (bounds(world), bounds(&calm.world));
    assert!((lower - calm_lower).abs() <= 2, "{lower} {calm_lower}");
    assert!((upper as f64 / calm_upper as f64 - 1.0).abs() < 0.06, "{upper} {calm_upper}");
    // Twin: without what was kept, 20 minutes would be all it knows.
    let kept = checkpoints(world);
    let web = kept.iter().find(|it| &*it.vertical == "web").expect("its checkpoint");
    let (first, last) = web.span.expect("there are samples");
    assert!(last.as_second() - first.as_second() > 37 * 60, "{:?}", web.span);
    assert!((70..=80).contains(&web.samples), "{}", web.samples);
    assert_eq!(kept.len(), 3, "{kept:?}");
    // The pods of the last Jobs have what those before them used: 700m, the end of its bucket, and 15 %.
    let reports = asked(world, "report");
    assert!(reports.iter().all(|it| (805..850).contains(&it.0)), "{reports:?}");
    assert!(asked(world, "agent").iter().all(|it| (230..245).contains(&it.0)));
}

#[test]
fn get_shows_them_as_kubectl_does() {
    let (finished, _) = run(HISTORY);
    let table = get(&finished.world, "vpa", Form::Table(Width::Narrow));
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["NAMESPACE", "NAME", "MODE", "CPU", "MEM", "PROVIDED", "AGE"]);
    assert_eq!(lines[1][1..3], ["agent", "Recreate"]);
    assert_eq!(lines[1][4..], ["262144k", "True", "40m"]);
    // No mode, and nothing recommended.
    assert_eq!(lines[2][1..], ["nobody", "False", "40m"]);
    let yaml = get(&finished.world, "verticalpodautoscalers.autoscaling.k8s.io", Form::Yaml);
    let words = "Cannot read targetRef. Reason: Deployment default/gone does not exist";
    assert!(yaml.contains(words), "{yaml}");
    assert!(yaml.contains("type: ConfigUnsupported") && yaml.contains("uncappedTarget:"));
    let kept = get(&finished.world, "vpacheckpoint", Form::Name);
    assert_eq!(
        kept.lines().collect::<Vec<_>>(),
        ["agent", "report", "web"].map(|name| {
            format!("verticalpodautoscalercheckpoint.autoscaling.k8s.io/{name}-main")
        })
    );
}

/// One out of a dump is gone on from, as if it had been written by the recommender before; one without an
/// autoscaler is deleted after ten minutes.
#[test]
fn checkpoints_that_are_there_count_and_orphans_go() {
    let checkpoint = |name: &str| {
        format!(
            "---\napiVersion: autoscaling.k8s.io/v1\nkind: VerticalPodAutoscalerCheckpoint\nmetadata: {{name: \
             {name}-main}}\nspec: {{vpaObjectName: {name}, containerName: main}}\nstatus:\n  version: v3\n  \
             firstSampleStart: \"2025-12-25T00:00:00Z\"\n  lastSampleStart: \"2025-12-31T23:59:00Z\"\n  \
             totalSamplesCount: 10080\n  cpuHistogram: {{referenceTimestamp: \"2025-12-31T00:00:00Z\", \
             totalWeight: 400, bucketWeights: {{\"60\": 10000}}}}\n  memoryHistogram: {{referenceTimestamp: \
             \"2025-12-31T00:00:00Z\", totalWeight: 4, bucketWeights: {{\"30\": 10000}}}}\n"
        )
    };
    let text = HISTORY.replace("duration: 40m", "duration: 15m").replace(KILL, CALM);
    let text = text.replace("at: 20m", "at: 10m");
    let expectations = text.find("  expect:\n").expect("they are there");
    let objects = text.find("---\n").expect("it is there");
    let text = format!("{}{}", &text[..expectations], &text[objects..]);
    let (finished, _) = run(&format!("{text}{}{}", checkpoint("web"), checkpoint("gone")));
    let web = &vertical(&finished.world, "web").recommended[0];
    // A week is known: bounds are close.
    let (target, upper) = (web.target.cpu.expect("it is"), web.upper.cpu.expect("it is"));
    assert!((upper as f64) < target as f64 * 1.2, "{web:?}");
    let all: Vec<String> =
        checkpoints(&finished.world).iter().map(|it| it.vertical.to_string()).collect();
    assert!(all.contains(&"web".to_owned()) && !all.contains(&"gone".to_owned()), "{all:?}");
}
