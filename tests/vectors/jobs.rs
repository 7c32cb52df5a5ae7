//! Jobs and their pods out of the tables, and one sync of them with all answers at hand.

use k8s_openapi::api::batch::v1 as batch;
use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::job::{
    COMPLETION_INDEX, Job, JobCondition, JobConditionKind, JobStatus, TRACKING,
};
use wavetank::api::meta::{Deletion, Uid};
use wavetank::api::name::Name;
use wavetank::api::node::Tristate;
use wavetank::api::object::Object;
use wavetank::api::pod::{
    Condition, ContainerState, Phase, Pod, PodCondition, SaidCondition, Termination,
    TerminationReason,
};
use wavetank::base::{FastSet, Id};
use wavetank::control_plane::controllers::job::account::{Account, Acted, Flush, settle};
use wavetank::control_plane::controllers::job::assess::{Action, CaughtUp, Given, assess};
use wavetank::control_plane::controllers::job::backoff::Backoff;
use wavetank::control_plane::controllers::job::pods::JobPod;
use wavetank::time::{SimDuration, SimTime};

use super::objects::{self, NOW, instant, int, list, text};

/// A Job by way of the official types; its defaults are its own business.
pub fn job(value: &Value) -> Job {
    let mut spec = value["spec"].clone();
    if spec.is_null() {
        spec = json!({});
    }
    if let Some(map) = spec.as_object_mut() {
        map.retain(|_, field| !field.is_null());
        map.entry("template").or_insert_with(|| json!({"spec": {}}));
        map.remove("selector");
        if let Some(pod) = map["template"]["spec"].as_object_mut() {
            pod.entry("containers").or_insert_with(|| json!([]));
        }
        for container in map["template"]["spec"]["containers"].as_array_mut().into_iter().flatten()
        {
            container["name"] = json!("main");
        }
    }
    let written: batch::JobSpec = serde_json::from_value(spec).expect("a Job's spec");
    let written = batch::Job { spec: Some(written), ..batch::Job::default() };
    let Object::Job(mut job) = Compactor::new().job(written).object else { panic!("a Job") };
    job.meta = objects::meta(&value["metadata"]);
    job.status = status(&value["status"]);
    *job
}

/// A Job's status.
pub fn status(value: &Value) -> JobStatus {
    let number = |field: &str| int(&value[field]) as i32;
    JobStatus {
        start: instant(&value["startTime"]),
        active: number("active"),
        succeeded: number("succeeded") + number("succeed"),
        failed: number("failed"),
        completed_indexes: text(&value["completedIndexes"]).into(),
        failed_indexes: value["failedIndexes"].as_str().map(Into::into),
        conditions: list(&value["conditions"]).iter().map(condition).collect(),
        ..JobStatus::default()
    }
}

fn condition(value: &Value) -> JobCondition {
    let known = JobConditionKind::ALL.into_iter();
    JobCondition {
        kind: known.into_iter().find(|it| it.name() == text(&value["type"])).expect("a kind"),
        value: match text(&value["status"]) {
            "True" => Some(true),
            "False" => Some(false),
            _ => None,
        },
        reason: text(&value["reason"]).into(),
        message: text(&value["message"]).into(),
        since: NOW,
    }
}

/// A pod with its containers' ends, and the finalizer of a Job's pod.
pub fn pod(value: &Value) -> Pod {
    let mut value = value.clone();
    let held = value["status"].clone();
    let named = |list: &Value| -> Vec<Value> {
        let all = objects::list(list).iter();
        all.map(|one| json!({"name": one["name"].as_str().unwrap_or("main")})).collect()
    };
    let spec = json!({
        "initContainers": match list(&value["spec"]["initContainers"]) {
            [] => named(&held["initContainerStatuses"]),
            written => written.to_vec(),
        },
        "containers": named(&held["containerStatuses"]),
    });
    value["spec"] = spec;
    let mut pod = objects::pod(&value);
    let all = list(&held["initContainerStatuses"]).iter().chain(list(&held["containerStatuses"]));
    let mut containers: Vec<_> = pod.status.containers.as_deref().unwrap_or_default().to_vec();
    for (ours, theirs) in containers.iter_mut().zip(all) {
        let ended = &theirs["state"]["terminated"];
        if let Some(code) = ended["exitCode"].as_i64().or(ended["finishedAt"].as_str().map(|_| 0)) {
            ours.state = ContainerState::Terminated(Termination {
                exit_code: i32::try_from(code).expect("an exit code"),
                reason: TerminationReason::Error,
                started: SimTime::ZERO,
                finished: instant(&ended["finishedAt"]).unwrap_or(SimTime::ZERO),
            });
        }
    }
    pod.status.containers = (!containers.is_empty()).then(|| containers.into());
    for one in list(&held["conditions"]) {
        let which = match text(&one["type"]) {
            "DisruptionTarget" => PodCondition::DisruptionTarget,
            "Ready" => PodCondition::Ready,
            other => {
                let said = SaidCondition {
                    kind: other.into(),
                    value: Tristate::parse(text(&one["status"])),
                    reason: "".into(),
                    message: "".into(),
                    since_seconds: Condition::UNSAID,
                };
                pod.status.others = Some([said].into());
                continue;
            }
        };
        let since = instant(&one["lastTransitionTime"]).unwrap_or(SimTime::ZERO);
        pod.status.conditions[which as usize] = Condition {
            value: Some(Tristate::parse(text(&one["status"]))),
            since_seconds: since.as_secs() as u32,
        };
    }
    let grace_seconds = int(&value["metadata"]["deletionGracePeriodSeconds"]) as u32;
    let at = instant(&value["metadata"]["deletionTimestamp"]);
    pod.meta.deletion = at.map(|at| Deletion { at, grace_seconds });
    pod.meta.add_finalizer(TRACKING);
    pod
}

/// A pod in this phase, told by its number.
pub fn plain(number: u64, phase: Phase, index: Option<&str>) -> Pod {
    let mut pod = pod(&json!({"metadata": {"namespace": "default"}}));
    pod.meta.uid = Uid(number + 1);
    pod.meta.name = Name::new(format!("mypod-{number}"));
    pod.status.phase = phase;
    if let Some(index) = index.filter(|index| *index != "-") {
        pod.meta.annotate(COMPLETION_INDEX, index);
    }
    pod
}

/// Pods as a sync is given them, by their place in the list.
pub fn numbered(pods: &[Pod]) -> Vec<JobPod<'_>> {
    (0..).zip(pods).map(|(at, pod)| (Id::from_parts(at, 0), pod)).collect()
}

/// What a sync is to be met with.
pub struct Sync {
    /// The Job.
    pub job: Job,
    /// Its pods.
    pub pods: Vec<Pod>,
    /// Whether earlier syncs were seen.
    pub caught_up: CaughtUp,
    /// Failures so far.
    pub backoff: Backoff,
    /// Whether every call about a pod fails.
    pub refused: bool,
    /// Creations that succeed before others fail.
    pub limit: usize,
}

impl Sync {
    /// One without anything special.
    pub fn of(job: Job, pods: Vec<Pod>) -> Sync {
        let (caught_up, backoff) = (CaughtUp::Yes, Backoff::default());
        Sync { job, pods, caught_up, backoff, refused: false, limit: usize::MAX }
    }
}

/// What came of a sync.
pub struct Synced {
    /// Pods that were asked for.
    pub creations: usize,
    /// Their indexes.
    pub indexes: Vec<i32>,
    /// Pods deleted.
    pub deletions: usize,
    /// Finalizers that were to go.
    pub patches: usize,
    /// The status it leaves.
    pub status: JobStatus,
}

/// Goes through one sync.
pub fn sync(given: &Sync) -> Synced {
    let pods = numbered(&given.pods);
    let untracked = FastSet::default();
    let Sync { job, caught_up, backoff, refused, limit, .. } = given;
    let (caught_up, backoff) = (*caught_up, *backoff);
    let given = Given { job, pods: &pods, untracked: &untracked, caught_up, backoff, now: NOW };
    let mut found = assess(given);
    let (mut creations, mut indexes, mut patches) = (0, Vec::new(), 0);
    let mut acted = Acted::default();
    let ready = |gone: &[Id<Pod>]| {
        let of = |id: &&Id<Pod>| pods.iter().any(|(it, pod)| it == *id && pod.is_ready());
        gone.iter().filter(of).count() as i32
    };
    match std::mem::replace(&mut found.action, Action::Rest) {
        Action::Rest => {}
        Action::Create(wanted) => {
            indexes.extend(wanted.iter().filter_map(|it| it.index));
            // Batches of 1, 2, 4, .. until one fails.
            creations = if *refused { 1 } else { wanted.len().min(*limit) };
            acted.created = if *refused { 0 } else { creations as i32 };
        }
        Action::Remove(gone) => {
            patches += gone.len();
            if !refused {
                acted.deleted = gone.len() as i32;
                acted.deleted_ready = ready(&gone);
            }
        }
        Action::End(gone) if !refused => {
            acted.deleted = gone.len() as i32;
            acted.deleted_ready = ready(&gone);
        }
        Action::End(_) => {}
    }
    let mut account: Account = settle(given, found, acted);
    patches += account.untrack.len();
    if !refused {
        for (_, uid) in account.untrack.clone() {
            account.untracked(uid);
        }
    }
    let _: Flush = account.close(NOW + SimDuration::ZERO);
    indexes.sort_unstable_by_key(ToString::to_string);
    Synced {
        creations,
        indexes,
        deletions: acted.deleted as usize,
        patches,
        status: account.status,
    }
}

/// Type, reason and message of each condition that is there.
pub type Told = Vec<(String, String, String)>;

fn told(conditions: &[JobCondition]) -> Told {
    let all = conditions
        .iter()
        .map(|it| (it.kind.name().to_owned(), it.reason.to_string(), it.message.to_string()));
    all.collect()
}

/// Our conditions as a version without interim ones writes them: what is to come is told as if it had
/// come, where nothing but pods that end is waited for.
fn without_interim(status: &JobStatus) -> Told {
    let waits = status.terminating.is_some_and(|it| it > 0);
    let mut all = told(&status.conditions);
    for (interim, end) in [("FailureTarget", "Failed"), ("SuccessCriteriaMet", "Complete")] {
        let has_end = all.iter().any(|it| it.0 == end);
        if has_end {
            all.retain(|it| it.0 != interim);
        } else if waits {
            all.iter_mut().filter(|it| it.0 == interim).for_each(|it| it.0 = end.to_owned());
        }
    }
    all
}

/// Whether interim conditions come first, as a table's gates say.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interim {
    /// As in 1.36.
    Told,
    /// The gates of the case are off.
    Left,
}

/// Our conditions and the table's, made comparable: a reason the table leaves out is not asked for,
/// and with the gates off what 1.36 tells first is left out unless the table has it.
pub fn conditions(status: &JobStatus, expected: &Value, interim: Interim) -> (Told, Told) {
    let theirs: Told = list(expected)
        .iter()
        .map(|it| {
            let of = |field: &str| text(&it[field]).to_owned();
            (of("type"), of("reason"), of("message"))
        })
        .collect();
    let has = |kind: &str| theirs.iter().any(|it| it.0 == kind);
    let mut ours = match interim {
        Interim::Told => told(&status.conditions),
        Interim::Left if has("FailureTarget") || has("SuccessCriteriaMet") => {
            let mut all = told(&status.conditions);
            let waits = status.terminating.is_some_and(|it| it > 0);
            let last = all.last().cloned();
            // With the gates off the end is not waited for.
            if let Some((kind, reason, message)) = last.filter(|_| waits) {
                let end = match &*kind {
                    "FailureTarget" if has("Failed") => Some("Failed"),
                    "SuccessCriteriaMet" if has("Complete") => Some("Complete"),
                    _ => None,
                };
                all.extend(end.map(|end| (end.to_owned(), reason, message)));
            }
            all
        }
        Interim::Left => without_interim(status),
    };
    for (ours, theirs) in ours.iter_mut().zip(&theirs) {
        if theirs.1.is_empty() {
            (ours.1, ours.2) = (String::new(), String::new());
        }
    }
    (ours, theirs)
}
