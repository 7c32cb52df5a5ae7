//! Clients of a Scenario: who calls which Service, how often. What they name is judged once all
//! inputs are read.

use std::collections::{BTreeMap, BTreeSet};

use super::judge::Judge;
use super::raw;
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::kinds::nearest;
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::service::{Exposure, Service, SessionAffinity};
use crate::api::tree::Entry;
use crate::api::validation::names::is_dns1123_subdomain;
use crate::cluster::plan::{Act, AppRules, PlannedNode, PlannedObject, Step, TrafficPlan};
use crate::luck::Ratio;
use crate::messages::app::{Apps, Serving};
use crate::time::{SimDuration, SimTime};
use crate::traffic::{Arrivals, Origin, PortName, Rate};

/// Most clients of a plan, connections of one, requests a second of one, and workers of a program.
const CLIENTS_MAX: usize = 10_000;
const CONNECTIONS_MAX: u32 = 1_000_000;
const RATE_MAX: u64 = 10_000_000;
const WORKERS_MAX: u32 = 65_536;
/// What a client waits for an answer where nothing is written.
const TIMEOUT: SimDuration = SimDuration::from_secs(1);
/// Digits of a rate or a probability that count.
const PARTS: u64 = 1_000_000_000;

/// A client, and where it says what it calls and from where.
#[derive(Debug)]
pub(super) struct WrittenClient {
    pub plan: TrafficPlan,
    to: Diagnostic,
    from: Diagnostic,
}

pub(super) fn clients(list: Vec<raw::Traffic>, judge: &mut Judge<'_, '_>) -> Vec<WrittenClient> {
    if list.len() > CLIENTS_MAX {
        let message = format!("{} clients: there may be up to {CLIENTS_MAX}", list.len());
        judge.error("spec.traffic", message);
        return Vec::new();
    }
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, written) in list.into_iter().enumerate() {
        let path = format!("spec.traffic[{at}]");
        let name = written.name.clone().unwrap_or_else(|| format!("client-{at}"));
        if let Some(first) = names.get(&name) {
            let message = format!("Duplicate value: {name:?}: spec.traffic[{first}] has it");
            judge.error(&format!("{path}.name"), message);
        } else {
            names.insert(name.clone(), at);
        }
        found.extend(client(written, name, &path, judge));
    }
    found
}

fn client(
    written: raw::Traffic,
    name: String,
    path: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<WrittenClient> {
    let place = |field: &str| format!("{path}.{field}");
    for problem in is_dns1123_subdomain(&name) {
        judge.error(&place("name"), format!("Invalid value: {name:?}: {problem}"));
    }
    let to = called(written.to.as_deref(), &place("to"), judge);
    let namespace = to.as_ref().map_or_else(|| "default".into(), |(service, _)| service.0.clone());
    let from = origin(&place("from"), &namespace, judge);
    let rate = rate(written.rate.as_deref(), &place("rate"), judge);
    let arrivals = match written.arrivals.as_deref() {
        None | Some("poisson") => Arrivals::Poisson,
        Some("constant") => Arrivals::Constant,
        Some(other) => {
            judge.not_one_of(&place("arrivals"), other, &["poisson", "constant"]);
            return None;
        }
    };
    let timeout = written.timeout.map_or(TIMEOUT, |span| span.0);
    if timeout.is_zero() {
        judge.error(&place("timeout"), "Invalid value: \"0s\": must be greater than 0");
    }
    let start = SimTime::ZERO + written.start.map_or(SimDuration::ZERO, |span| span.0);
    let until = written.until.map_or(SimTime::MAX, |span| SimTime::ZERO + span.0);
    if until <= start {
        judge.error(&place("until"), "ends before it starts: until must be later than start");
    }
    if let Some(count) = written.connections.filter(|count| !(1..=CONNECTIONS_MAX).contains(count))
    {
        let message = format!("Invalid value: {count}: must be between 1 and {CONNECTIONS_MAX}");
        judge.error(&place("connections"), message);
    }
    let (service, port) = to?;
    Some(WrittenClient {
        plan: TrafficPlan {
            name: name.into(),
            from: from?,
            service,
            port,
            rate: rate?,
            arrivals,
            timeout,
            start,
            until,
            connections: written.connections,
        },
        to: judge.document.finding(Severity::Error, &place("to"), ""),
        from: judge.document.finding(Severity::Error, &place("from"), ""),
    })
}

/// `shop/web:80`, `web:http` in namespace `default`.
fn called(
    text: Option<&str>,
    path: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<((Text, Text), PortName)> {
    let Some(text) = text else {
        judge.missing(path, "Required value: the Service and its port, as in shop/web:80");
        return None;
    };
    let parts = text.rsplit_once(':').and_then(|(service, port)| {
        let (namespace, name) = service.split_once('/').unwrap_or(("default", service));
        let is_whole = !namespace.is_empty() && !name.is_empty() && !name.contains('/');
        (is_whole && !port.is_empty()).then_some((namespace, name, port))
    });
    let Some((namespace, name, port)) = parts else {
        let message =
            format!("Invalid value: {text:?}: expected a Service and its port, as in shop/web:80");
        judge.error(path, message);
        return None;
    };
    let port = if port.bytes().all(|byte| byte.is_ascii_digit()) {
        match port.parse() {
            Ok(number) if number > 0 => PortName::Number(number),
            _ => {
                judge.error(path, format!("Invalid value: {port}: must be between 1 and 65535"));
                return None;
            }
        }
    } else {
        PortName::Name(port.into())
    };
    Some(((namespace.into(), name.into()), port))
}

/// `outside`, `node/n-0`, `{pods: {app: x}}` with an optional `namespace`.
fn origin(path: &str, namespace: &Text, judge: &mut Judge<'_, '_>) -> Option<Origin> {
    const EXPECTED: &str = "expected outside, node/NAME or {pods: {LABEL: VALUE}}";
    let Some(node) = judge.document.node.at_path(path) else { return Some(Origin::Outside) };
    if let Some(text) = node.text() {
        return match text.split_once('/') {
            None if text == "outside" => Some(Origin::Outside),
            Some(("node", name)) if !name.is_empty() => Some(Origin::Node(name.into())),
            _ => {
                judge.error(path, format!("Invalid value: {text:?}: {EXPECTED}"));
                None
            }
        };
    }
    let mut labels = Labels::default();
    let mut of_namespace = namespace.clone();
    let mut is_right = true;
    for Entry { key, node: value, .. } in node.entries() {
        let place = format!("{path}.{key}");
        match (&**key, value.text()) {
            ("namespace", Some(text)) => of_namespace = text.into(),
            ("pods", _) => {
                for Entry { key: label, node: value, .. } in value.entries() {
                    match value.text() {
                        Some(text) => {
                            labels.insert((&**label).into(), text.into());
                        }
                        None => {
                            judge.error(&format!("{place}.{label}"), "expected a text");
                            is_right = false;
                        }
                    }
                }
            }
            (other, _) => {
                let hint = nearest(other, &["pods", "namespace"]);
                let hint =
                    hint.map_or_else(String::new, |name| format!(" (did you mean {name:?}?)"));
                judge.error(&place, format!("unknown field {other:?}{hint}"));
                is_right = false;
            }
        }
    }
    if labels.is_empty() && is_right {
        judge.error(path, EXPECTED);
        is_right = false;
    }
    is_right.then_some(Origin::Pods { namespace: of_namespace, labels })
}

/// `200/s`, `0.5/s`, `10/m`, `90/1h30m`.
fn rate(text: Option<&str>, path: &str, judge: &mut Judge<'_, '_>) -> Option<Rate> {
    let Some(text) = text else {
        judge.missing(path, "Required value: requests in a time, as in 200/s or 10/m");
        return None;
    };
    let parsed = text.split_once('/').and_then(|(number, per)| {
        let (number, per) = (number.trim(), per.trim());
        let per = if per.starts_with(|c: char| c.is_ascii_digit()) {
            SimDuration::parse(per).ok()?
        } else {
            SimDuration::parse(&format!("1{per}")).ok()?
        };
        let (negative, digits) = match number.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        Some((negative, parts(digits)?, per)).filter(|(.., per)| !per.is_zero())
    });
    let Some((negative, billionths, per)) = parsed else {
        let message =
            format!("Invalid value: {text:?}: expected requests in a time, as in 200/s or 10/m");
        judge.error(path, message);
        return None;
    };
    if negative && billionths > 0 {
        judge.error(path, format!("Invalid value: {text:?}: must be greater than or equal to 0"));
        return None;
    }
    // Requests in a billion times `per`, without common factors, so that whole rates stay whole.
    let (requests, times) = reduced(billionths, PARTS);
    let per = per.as_nanos().checked_mul(times).map(SimDuration::from_nanos);
    let rate = per.map(|per| Rate { requests, per });
    let a_second =
        |rate: &Rate| u128::from(rate.requests) * 1_000_000_000 / u128::from(rate.per.as_nanos());
    if rate.is_none_or(|rate| a_second(&rate) > u128::from(RATE_MAX)) {
        judge.error(path, format!("Invalid value: {text:?}: must be at most {RATE_MAX}/s"));
        return None;
    }
    rate
}

/// A decimal number in billionths.
fn parts(digits: &str) -> Option<u64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > 9 {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let fraction: u64 = format!("{fraction:0<9}").parse().ok()?;
    whole.checked_mul(PARTS)?.checked_add(fraction)
}

fn reduced(a: u64, b: u64) -> (u64, u64) {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    (a / x.max(1), b / x.max(1))
}

/// How a program answers requests.
pub(super) fn serving(
    written: raw::AppService,
    path: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<Serving> {
    let workers = written.workers.unwrap_or(1);
    if !(1..=WORKERS_MAX).contains(&workers) {
        let message = format!("Invalid value: {workers}: must be between 1 and {WORKERS_MAX}");
        judge.error(&format!("{path}.workers"), message);
    }
    let errors = written.errors.unwrap_or(0.0);
    let chance = if (0.0..=1.0).contains(&errors) {
        Ratio::new(libm::round(errors * PARTS as f64) as u64, PARTS)
    } else {
        judge.error(
            &format!("{path}.errors"),
            format!("Invalid value: {errors}: must be between 0 and 1"),
        );
        None
    };
    let chance = chance.map(|it| if it.numerator() == 0 { Ratio::ZERO } else { it });
    let Some(time) = written.time else {
        let message = "Required value: how long a request takes, as in 10ms or {exponential: 10ms}";
        judge.missing(&format!("{path}.time"), message);
        return None;
    };
    Some(Serving { workers: workers.max(1), time: time.0, errors: chance? })
}

/// What clients name must be there: nodes now, Services at the start or by a step of the timeline.
pub(super) fn judge_clients(
    clients: &[WrittenClient],
    objects: &[PlannedObject],
    steps: &[Step],
    nodes: &[PlannedNode],
    apps: &AppRules,
    findings: &mut Vec<Diagnostic>,
) {
    if clients.is_empty() {
        return;
    }
    let applied = steps.iter().filter_map(|step| match &step.act {
        Act::Apply(list) => Some(list),
        _ => None,
    });
    let all: Vec<&Object> = objects.iter().chain(applied.flatten()).map(|it| &it.object).collect();
    let services: Vec<&Service> = all
        .iter()
        .filter_map(|object| match object {
            Object::Service(service) => Some(&**service),
            _ => None,
        })
        .collect();
    let mut unsaid: BTreeSet<String> = BTreeSet::new();
    for client in clients {
        if let Origin::Node(name) = &client.plan.from
            && !nodes.iter().any(|it| it.node.meta.name == **name)
        {
            let known: Vec<String> = nodes.iter().map(|it| it.node.meta.name.to_string()).collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = nearest(name, &known).map(|name| format!("did you mean node/{name}?"));
            let message = format!("there is no node {name:?}");
            findings.push(Diagnostic { message, hint, ..client.from.clone() });
        }
        if let Some(service) = judge_service(client, &services, findings) {
            for object in all.iter().filter(|object| is_silent(object, service, apps)) {
                let name = object.name().to_string();
                if unsaid.insert(name.clone()) {
                    findings.push(Diagnostic {
                        severity: Severity::Warning,
                        message: format!(
                            "{name} answers requests and spec.apps does not say how (service): taken to have \
                             16 workers that take an exponential time of 10ms"
                        ),
                        ..client.to.clone()
                    });
                }
            }
        }
    }
}

fn judge_service<'s>(
    client: &WrittenClient,
    services: &[&'s Service],
    findings: &mut Vec<Diagnostic>,
) -> Option<&'s Service> {
    let (namespace, name) = &client.plan.service;
    let found =
        services.iter().find(|it| it.meta.namespace == *namespace && it.meta.name == **name);
    let mut say = |severity, message: String, hint| {
        findings.push(Diagnostic { severity, message, hint, ..client.to.clone() });
    };
    let Some(service) = found else {
        let known: Vec<String> =
            services.iter().map(|it| format!("{}/{}", it.meta.namespace, it.meta.name)).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let wanted = format!("{namespace}/{name}");
        let hint = nearest(&wanted, &known).map(|name| format!("did you mean {name}?"));
        let message =
            format!("Not found: Service {wanted:?}: neither the input nor a step creates it");
        say(Severity::Error, message, hint);
        return None;
    };
    let has = |port: &&crate::api::service::ServicePort| match &client.plan.port {
        PortName::Number(number) => port.port == *number,
        PortName::Name(name) => port.name == *name,
    };
    if !service.spec.ports.iter().any(|port| has(&port)) {
        let ports: Vec<String> =
            service.spec.ports.iter().map(|port| port.port.to_string()).collect();
        let wanted = match &client.plan.port {
            PortName::Number(number) => number.to_string(),
            PortName::Name(name) => format!("{:?}", &**name),
        };
        let ports = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
        let message = format!("Not found: port {wanted}: Service {namespace}/{name} has {ports}");
        let names: Vec<&str> = service.spec.ports.iter().map(|port| &*port.name).collect();
        let hint = match &client.plan.port {
            PortName::Name(name) => nearest(name, &names),
            PortName::Number(_) => None,
        };
        say(Severity::Error, message, hint.map(|name| format!("did you mean {name:?}?")));
    }
    if service.spec.exposure == Exposure::ExternalName {
        let message = format!(
            "Service {namespace}/{name} is another name for something outside: its requests are refused"
        );
        say(Severity::Warning, message, None);
    }
    if service.spec.affinity != SessionAffinity::None {
        let message = format!(
            "sessionAffinity of Service {namespace}/{name} is not modelled: each connection goes its own way"
        );
        say(Severity::Warning, message, None);
    }
    Some(service)
}

/// Whether pods of this object answer for the Service, and nothing is said of how.
fn is_silent(object: &Object, service: &Service, rules: &AppRules) -> bool {
    let Some(selector) = service.spec.selector.as_ref().filter(|labels| !labels.is_empty()) else {
        return false;
    };
    let (meta, labels, apps): (_, &Labels, Apps) = match object {
        Object::Pod(pod) => (&pod.meta, &pod.meta.labels, rules.of(&pod.spec, &pod.meta.labels)),
        Object::Deployment(it) => (&it.meta, &it.template.labels, rules.of_template(&it.template)),
        Object::ReplicaSet(it) => (&it.meta, &it.template.labels, rules.of_template(&it.template)),
        Object::StatefulSet(it) => (&it.meta, &it.template.labels, rules.of_template(&it.template)),
        Object::DaemonSet(it) => (&it.meta, &it.template.labels, rules.of_template(&it.template)),
        _ => return false,
    };
    meta.namespace == service.meta.namespace
        && meta.owner.is_none()
        && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
        && apps.iter().all(|app| app.service.is_none())
}
