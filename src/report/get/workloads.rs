//! What makes pods: Deployments, ReplicaSets, ReplicationControllers, StatefulSets, DaemonSets, Jobs,
//! CronJobs; and ControllerRevisions.

use super::read::{Clock, NONE, Read, human};
use super::{Column, Printer, Width, always, wide};

const TEMPLATE: &str = "spec.template.spec.containers";

pub(super) static DEPLOYMENTS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("READY"),
        always("UP-TO-DATE"),
        always("AVAILABLE"),
        always("AGE"),
        wide("CONTAINERS"),
        wide("IMAGES"),
        wide("SELECTOR"),
    ],
    row: |it, clock, _| {
        let ready = format!("{}/{}", it.number("status.readyReplicas"), it.number("spec.replicas"));
        let [updated, available] =
            numbers(it, ["status.updatedReplicas", "status.availableReplicas"]);
        let [names, images] = it.containers(TEMPLATE);
        let selector = it.selector("spec.selector");
        vec![it.name(), ready, updated, available, it.age(clock), names, images, selector]
    },
};

const SET_COLUMNS: &[Column] = &[
    always("NAME"),
    always("DESIRED"),
    always("CURRENT"),
    always("READY"),
    always("AGE"),
    wide("CONTAINERS"),
    wide("IMAGES"),
    wide("SELECTOR"),
];

pub(super) static REPLICA_SETS: Printer = Printer {
    columns: SET_COLUMNS,
    row: |it, clock, _| set(it, clock, it.selector("spec.selector")),
};

pub(super) static REPLICATION_CONTROLLERS: Printer = Printer {
    columns: SET_COLUMNS,
    row: |it, clock, _| set(it, clock, it.labels("spec.selector")),
};

fn set(it: Read<'_>, clock: Clock, selector: String) -> Vec<String> {
    let [desired, current, ready] =
        numbers(it, ["spec.replicas", "status.replicas", "status.readyReplicas"]);
    let [names, images] = it.containers(TEMPLATE);
    vec![it.name(), desired, current, ready, it.age(clock), names, images, selector]
}

pub(super) static STATEFUL_SETS: Printer = Printer {
    columns: &[always("NAME"), always("READY"), always("AGE"), wide("CONTAINERS"), wide("IMAGES")],
    row: |it, clock, _| {
        let ready = format!("{}/{}", it.number("status.readyReplicas"), it.number("spec.replicas"));
        let [names, images] = it.containers(TEMPLATE);
        vec![it.name(), ready, it.age(clock), names, images]
    },
};

pub(super) static DAEMON_SETS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("DESIRED"),
        always("CURRENT"),
        always("READY"),
        always("UP-TO-DATE"),
        always("AVAILABLE"),
        always("NODE SELECTOR"),
        always("AGE"),
        wide("CONTAINERS"),
        wide("IMAGES"),
        wide("SELECTOR"),
    ],
    row: |it, clock, _| {
        let counts = numbers(
            it,
            [
                "status.desiredNumberScheduled",
                "status.currentNumberScheduled",
                "status.numberReady",
                "status.updatedNumberScheduled",
                "status.numberAvailable",
            ],
        );
        let nodes = it.labels("spec.template.spec.nodeSelector");
        let [names, images] = it.containers(TEMPLATE);
        let rest = [nodes, it.age(clock), names, images, it.selector("spec.selector")];
        [it.name()].into_iter().chain(counts).chain(rest).collect()
    },
};

pub(super) static JOBS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("STATUS"),
        always("COMPLETIONS"),
        always("DURATION"),
        always("AGE"),
        wide("CONTAINERS"),
        wide("IMAGES"),
        wide("SELECTOR"),
    ],
    row: |it, clock, _| {
        let [names, images] = it.containers(TEMPLATE);
        vec![
            it.name(),
            job_status(it).to_owned(),
            completions(it),
            job_duration(it, clock),
            it.age(clock),
            names,
            images,
            it.selector("spec.selector"),
        ]
    },
};

fn job_status(job: Read<'_>) -> &'static str {
    let is = |of_type: &str| job.condition(of_type).is_some_and(|it| it.text("status") == "True");
    let known = ["Complete", "Failed"].into_iter().find(|it| is(it));
    let later =
        || ["Suspended", "FailureTarget", "SuccessCriteriaMet"].into_iter().find(|it| is(it));
    match known {
        Some(status) => status,
        None if job.has("metadata.deletionTimestamp") => "Terminating",
        None => later().unwrap_or("Running"),
    }
}

/// Without a number of completions any pod that succeeds ends the Job.
fn completions(job: Read<'_>) -> String {
    let succeeded = job.number("status.succeeded");
    let parallelism = job.number("spec.parallelism");
    match job.shown("spec.completions") {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

fn job_duration(job: Read<'_>, clock: Clock) -> String {
    let end = job.instant("status.completionTime").unwrap_or(clock.0);
    job.instant("status.startTime").map_or_else(String::new, |start| human(end - start))
}

pub(super) static CRON_JOBS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("SCHEDULE"),
        always("TIMEZONE"),
        always("SUSPEND"),
        always("ACTIVE"),
        always("LAST SCHEDULE"),
        always("AGE"),
        wide("CONTAINERS"),
        wide("IMAGES"),
        wide("SELECTOR"),
    ],
    row: |it, clock, _| {
        let last = it.instant("status.lastScheduleTime");
        let suspend = match it.at("spec.suspend").0.as_bool() {
            Some(true) => "True",
            Some(false) => "False",
            None => super::read::UNSET,
        };
        let [names, images] = it.containers("spec.jobTemplate.spec.template.spec.containers");
        vec![
            it.name(),
            it.text("spec.schedule").to_owned(),
            it.text_or("spec.timeZone", NONE),
            suspend.to_owned(),
            it.len("status.active").to_string(),
            last.map_or_else(|| NONE.to_owned(), |_| clock.since(last)),
            it.age(clock),
            names,
            images,
            it.selector("spec.jobTemplate.spec.selector"),
        ]
    },
};

pub(super) static CONTROLLER_REVISIONS: Printer = Printer {
    columns: &[always("NAME"), always("CONTROLLER"), always("REVISION"), always("AGE")],
    row: |it, clock, _: Width| {
        let mut owners = it.items("metadata.ownerReferences");
        let owner = owners.find(|owner| owner.is_true("controller")).map(|owner| {
            let group = owner.text("apiVersion").split_once('/').map_or("", |(group, _)| group);
            let kind = owner.text("kind").to_lowercase();
            let dot = if group.is_empty() { "" } else { "." };
            format!("{kind}{dot}{group}/{}", owner.text("name"))
        });
        let owner = owner.unwrap_or_else(|| NONE.to_owned());
        vec![it.name(), owner, it.number("revision").to_string(), it.age(clock)]
    },
};

fn numbers<const N: usize>(it: Read<'_>, paths: [&str; N]) -> [String; N] {
    paths.map(|path| it.number(path).to_string())
}
