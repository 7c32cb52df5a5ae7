//! What limits others: PodDisruptionBudgets, ResourceQuotas, PriorityClasses, autoscalers, roles.

use super::read::{Clock, NONE, Read, UNKNOWN, some_of};
use super::{Column, Printer, Width, always, wide};

const NOT_WRITTEN: &str = "N/A";

pub(super) static BUDGETS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("MIN AVAILABLE"),
        always("MAX UNAVAILABLE"),
        always("ALLOWED DISRUPTIONS"),
        always("AGE"),
    ],
    row: |it, clock, _| {
        let limit = |path| it.shown(path).unwrap_or_else(|| NOT_WRITTEN.to_owned());
        vec![
            it.name(),
            limit("spec.minAvailable"),
            limit("spec.maxUnavailable"),
            it.number("status.disruptionsAllowed").to_string(),
            it.age(clock),
        ]
    },
};

pub(super) static QUOTAS: Printer = Printer {
    columns: &[always("NAME"), always("REQUEST"), always("LIMIT"), always("AGE")],
    row: |it, clock, _| {
        let used = it.at("status.used").0;
        let mut hard: Vec<(&str, &str)> = it.map("status.hard").collect();
        hard.sort_unstable();
        let (mut requests, mut limits) = (Vec::new(), Vec::new());
        for (resource, hard) in hard {
            // What nothing is known of counts as nothing used.
            let used = used.get(resource).and_then(|it| it.as_str()).unwrap_or("0");
            let column = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
            column.push(format!("{resource}: {used}/{hard}"));
        }
        vec![it.name(), requests.join(", "), limits.join(", "), it.age(clock)]
    },
};

pub(super) static PRIORITY_CLASSES: Printer = Printer {
    columns: &[
        always("NAME"),
        always("VALUE"),
        always("GLOBAL-DEFAULT"),
        always("AGE"),
        always("PREEMPTIONPOLICY"),
    ],
    row: |it, clock, _| {
        vec![
            it.name(),
            it.number("value").to_string(),
            it.is_true("globalDefault").to_string(),
            it.age(clock),
            it.text("preemptionPolicy").to_owned(),
        ]
    },
};

pub(super) static AUTOSCALERS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("REFERENCE"),
        always("TARGETS"),
        always("MINPODS"),
        always("MAXPODS"),
        always("REPLICAS"),
        always("AGE"),
    ],
    row: autoscaler,
};

/// The columns their CustomResourceDefinition adds (`additionalPrinterColumns`, vertical-pod-autoscaler
/// pkg/apis/autoscaling.k8s.io/v1): of the first container, and nothing of what is not there.
pub(super) static VERTICALS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("MODE"),
        always("CPU"),
        always("MEM"),
        always("PROVIDED"),
        always("AGE"),
    ],
    row: |it, clock, _| {
        let target = it.items("status.recommendation.containerRecommendations").next();
        let of = |name: &str| target.and_then(|it| it.at("target").shown(name)).unwrap_or_default();
        let mut conditions = it.items("status.conditions");
        let provided = conditions.find(|it| it.text("type") == "RecommendationProvided");
        vec![
            it.name(),
            it.text("spec.updatePolicy.updateMode").to_owned(),
            of("cpu"),
            of("memory"),
            provided.map(|it| it.text("status").to_owned()).unwrap_or_default(),
            it.age(clock),
        ]
    },
};

/// Targets shown; more are counted.
const TARGETS_MAX: usize = 2;

fn autoscaler(it: Read<'_>, clock: Clock, _: Width) -> Vec<String> {
    let of = it.at("spec.scaleTargetRef");
    let current: Vec<Read<'_>> = it.items("status.currentMetrics").collect();
    let targets: Vec<String> = it
        .items("spec.metrics")
        .enumerate()
        .map(|(at, metric)| target(metric, current.get(at).copied()))
        .collect();
    vec![
        it.name(),
        format!("{}/{}", of.text("kind"), of.text("name")),
        some_of(&targets, TARGETS_MAX, NONE),
        it.shown("spec.minReplicas").unwrap_or_else(|| "<unset>".to_owned()),
        it.number("spec.maxReplicas").to_string(),
        it.number("status.currentReplicas").to_string(),
        it.age(clock),
    ]
}

/// What an autoscaler sees of a metric, and what it wants (`formatHPAMetrics`).
fn target(metric: Read<'_>, current: Option<Read<'_>>) -> String {
    let kind = metric.text("type");
    let field = match kind {
        "ContainerResource" => "containerResource",
        "Resource" => "resource",
        "Pods" => "pods",
        "Object" => "object",
        _ => "external",
    };
    let wanted = metric.at(field);
    let seen = current.filter(|it| it.text("type") == kind).map(|it| it.at(field));
    let now = |path: &str| seen.and_then(|it| it.at("current").shown(path));
    let unknown = || UNKNOWN.to_owned();
    let name = match kind {
        "ContainerResource" | "Resource" => format!("{}: ", wanted.text("name")),
        _ => String::new(),
    };
    if let Some(percent) = wanted.shown("target.averageUtilization") {
        let now = now("averageUtilization").map_or_else(unknown, |now| format!("{now}%"));
        return format!("{name}{now}/{percent}%");
    }
    if let Some(average) = wanted.shown("target.averageValue") {
        let mark = if matches!(kind, "Object" | "External") { " (avg)" } else { "" };
        return format!("{name}{}/{average}{mark}", now("averageValue").unwrap_or_else(unknown));
    }
    let value = wanted.shown("target.value").unwrap_or_default();
    format!("{name}{}/{value}", now("value").unwrap_or_else(unknown))
}

const BINDING: &[Column] = &[
    always("NAME"),
    always("ROLE"),
    always("AGE"),
    wide("USERS"),
    wide("GROUPS"),
    wide("SERVICEACCOUNTS"),
];

pub(super) static ROLE_BINDINGS: Printer = Printer {
    columns: BINDING,
    row: |it, clock, _| {
        let of = |kind: &str| {
            let named = it.items("subjects").filter(|subject| subject.text("kind") == kind);
            let text = |subject: Read<'_>| match subject.text("namespace") {
                "" => subject.name_of(),
                namespace => format!("{namespace}/{}", subject.name_of()),
            };
            named.map(text).collect::<Vec<_>>().join(", ")
        };
        vec![
            it.name(),
            format!("{}/{}", it.text("roleRef.kind"), it.text("roleRef.name")),
            it.age(clock),
            of("User"),
            of("Group"),
            of("ServiceAccount"),
        ]
    },
};

impl Read<'_> {
    /// Its name, where that is a field of its own.
    fn name_of(self) -> String {
        self.text("name").to_owned()
    }
}
