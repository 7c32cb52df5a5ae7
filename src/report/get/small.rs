//! Kinds with little to say: a name, one or two fields, an age. What has no columns of its own has these.

use super::read::{Clock, Read};
use super::{Printer, Width, always, wide};

/// Any kind without columns of its own, custom resources among them.
pub(super) static ANY: Printer = Printer {
    columns: &[always("NAME"), always("AGE")],
    row: |it, clock, _| vec![it.name(), it.age(clock)],
};

/// Kinds of which the instant they came about is shown as it is written.
pub(super) static CREATED_AT: Printer = Printer {
    columns: &[always("NAME"), always("CREATED AT")],
    row: |it, _, _| vec![it.name(), it.text("metadata.creationTimestamp").to_owned()],
};

pub(super) static CONFIG_MAPS: Printer = Printer {
    columns: &[always("NAME"), always("DATA"), always("AGE")],
    row: |it, clock, _| {
        vec![it.name(), (it.len("data") + it.len("binaryData")).to_string(), it.age(clock)]
    },
};

pub(super) static SECRETS: Printer = Printer {
    columns: &[always("NAME"), always("TYPE"), always("DATA"), always("AGE")],
    row: |it, clock, _| {
        vec![it.name(), it.text("type").to_owned(), it.len("data").to_string(), it.age(clock)]
    },
};

pub(super) static SERVICE_ACCOUNTS: Printer = Printer {
    columns: &[always("NAME"), always("SECRETS"), always("AGE")],
    row: |it, clock, _| vec![it.name(), it.len("secrets").to_string(), it.age(clock)],
};

pub(super) static LEASES: Printer = Printer {
    columns: &[always("NAME"), always("HOLDER"), always("AGE")],
    row: |it, clock, _| vec![it.name(), it.text("spec.holderIdentity").to_owned(), it.age(clock)],
};

pub(super) static RUNTIME_CLASSES: Printer = Printer {
    columns: &[always("NAME"), always("HANDLER"), always("AGE")],
    row: |it, clock, _| vec![it.name(), it.text("handler").to_owned(), it.age(clock)],
};

pub(super) static WEBHOOKS: Printer = Printer {
    columns: &[always("NAME"), always("WEBHOOKS"), always("AGE")],
    row: |it, clock, _| vec![it.name(), it.len("webhooks").to_string(), it.age(clock)],
};

pub(super) static POD_TEMPLATES: Printer = Printer {
    columns: &[always("NAME"), always("CONTAINERS"), always("IMAGES"), always("POD LABELS")],
    row: |it, _, _| {
        let [names, images] = it.containers("template.spec.containers");
        vec![it.name(), names, images, it.labels("template.metadata.labels")]
    },
};

pub(super) static EVENTS: Printer = Printer {
    columns: &[
        always("LAST SEEN"),
        always("TYPE"),
        always("REASON"),
        always("OBJECT"),
        wide("SUBOBJECT"),
        wide("SOURCE"),
        always("MESSAGE"),
        wide("FIRST SEEN"),
        wide("COUNT"),
        wide("NAME"),
    ],
    row: event,
};

fn event(it: Read<'_>, clock: Clock, _: Width) -> Vec<String> {
    let first = it.instant("firstTimestamp").or(it.instant("eventTime"));
    let series = it.at("series");
    let (last, count) = if it.has("series") {
        (series.instant("lastObservedTime"), series.number("count"))
    } else {
        (it.instant("lastTimestamp").or(first), it.number("count").max(1))
    };
    let about = it.at("involvedObject");
    let kind = about.text("kind").to_lowercase();
    let object = match about.text("name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    // `reportingController` by its name in `v1`, or in `events.k8s.io/v1`.
    let reporting = [it.text("reportingComponent"), it.text("reportingController")].concat();
    let component = match it.at("source").text("component") {
        "" => reporting,
        component => component.to_owned(),
    };
    let host = it.at("source").text_or("host", it.text("reportingInstance"));
    let source = if host.is_empty() { component } else { format!("{component}, {host}") };
    vec![
        clock.since(last),
        it.text("type").to_owned(),
        it.text("reason").to_owned(),
        object,
        about.text("fieldPath").to_owned(),
        source,
        it.text("message").trim().to_owned(),
        clock.since(first),
        count.to_string(),
        it.name(),
    ]
}
