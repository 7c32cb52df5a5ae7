//! Kubernetes' own Events as an API server gives them in `v1`.

use serde_json::{Value, json};

use super::Moment;
use crate::api::kind::Kind;
use crate::control_plane::core_events::Stored;
use crate::messages::core_event::{About, Source};

/// Where Events about objects lie that are in no namespace.
const DEFAULT: &str = "default";

/// The namespace of an Event.
pub(in super::super) fn namespace(event: &Stored) -> String {
    let namespace = &*event.about.namespace;
    if namespace.is_empty() { DEFAULT.to_owned() } else { namespace.to_owned() }
}

/// Its name: its object's, and the instant it was said first.
pub(in super::super) fn name(moment: Moment<'_>, event: &Stored) -> String {
    let start = i128::from(moment.epoch_seconds) * 1_000_000_000;
    format!("{}.{:x}", event.about.name, start + i128::from(event.stamp))
}

/// The whole of it.
pub(in super::super) fn event(moment: Moment<'_>, event: &Stored) -> Value {
    let mut whole = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": name(moment, event),
            "namespace": namespace(event),
            "creationTimestamp": moment.instant(event.first),
        },
        "involvedObject": involved(&event.about, &event.source),
        "type": event.remark.tone.name(),
        "reason": &*event.remark.reason,
        "message": event.remark.message,
    });
    match &event.source {
        Source::Core { component, host } => {
            let host = host.as_ref().map(ToString::to_string);
            whole["source"] = json!({ "component": component });
            if let Some(host) = &host {
                whole["source"]["host"] = json!(host);
            }
            whole["firstTimestamp"] = moment.instant(event.first);
            whole["lastTimestamp"] = moment.instant(event.last);
            whole["count"] = json!(event.count);
            whole["eventTime"] = Value::Null;
            whole["reportingComponent"] = json!(component);
            whole["reportingInstance"] = json!(host.unwrap_or_default());
        }
        Source::Series { component, instance, action, .. } => {
            whole["source"] = json!({});
            whole["firstTimestamp"] = Value::Null;
            whole["lastTimestamp"] = Value::Null;
            whole["eventTime"] = moment.micro_instant(event.first);
            whole["action"] = json!(action);
            whole["reportingComponent"] = json!(&**component);
            // The speaker and its host (`NewRecorder`, client-go tools/events), named as in its Lease.
            whole["reportingInstance"] = json!(format!("{component}-kube-scheduler-{instance}"));
            if event.count > 1 {
                let last = moment.micro_instant(event.last);
                whole["series"] = json!({ "count": event.count, "lastObservedTime": last });
            }
        }
    }
    whole
}

fn involved(about: &About, source: &Source) -> Value {
    let mut fields = json!({
        "kind": about.kind.name(),
        "name": about.name.to_string(),
        "apiVersion": about.kind.api_version(),
    });
    if !about.namespace.is_empty() {
        fields["namespace"] = json!(&*about.namespace);
    }
    match (about.uid, about.kind) {
        (Some(uid), _) => fields["uid"] = json!(uid.to_string()),
        // A kubelet takes its node's name for the uid.
        (None, Kind::Node) => fields["uid"] = json!(about.name.to_string()),
        (None, _) => {}
    }
    if let Some(field) = &about.field {
        fields["fieldPath"] = json!(&**field);
    }
    if let Source::Series { of, .. } = source {
        fields["resourceVersion"] = json!(of.0.to_string());
    }
    fields
}
