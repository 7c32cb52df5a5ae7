//! The table of the same subject; see the file under `tests/data/vectors`.

use serde_json::{Value, json};
use wavetank::report::get::{Clock, Width, cells};

use super::suite::{run, same};

const NOW: i128 = 1_767_225_600_000_000_000;

/// `now-10s` and `now+1900ms` as instants, and the fields of internal types by their names in the API.
fn published(value: &Value) -> Value {
    match value {
        Value::String(text) => instant(text).map_or_else(|| value.clone(), Value::String),
        Value::Array(items) => items.iter().map(published).collect(),
        Value::Object(map) => {
            let name = |key: &str| match key {
                "lastTerminationState" => "lastState".to_owned(),
                key => key.to_owned(),
            };
            Value::Object(map.iter().map(|(key, value)| (name(key), published(value))).collect())
        }
        plain => plain.clone(),
    }
}

fn instant(text: &str) -> Option<String> {
    let away = match text.strip_prefix("now")? {
        "" => 0,
        rest => {
            let (number, unit) = match rest.strip_suffix("ms") {
                Some(number) => (number, 1_000_000),
                None => (rest.strip_suffix('s')?, 1_000_000_000),
            };
            number.parse::<i128>().ok()? * unit
        }
    };
    jiff::Timestamp::from_nanosecond(NOW + away).ok().map(|it| it.to_string())
}

fn group(kind: &str) -> &'static str {
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" => "apps",
        "Job" | "CronJob" => "batch",
        "PodDisruptionBudget" => "policy",
        "EndpointSlice" => "discovery.k8s.io",
        _ => "",
    }
}

/// What a row says of finished pods besides its cells is for programs that ask for a `Table`.
#[test]
pub fn kubectl_get_columns() {
    let table = include_str!("../data/vectors/kubectl_get_columns.json");
    let tally = run("kubectl get columns", table, |function, case| {
        let input = case["input"].as_object().expect("an object");
        let (name, object) = input.iter().find(|(key, _)| *key != "options").expect("an object");
        let kind = match &**name {
            "rc" => "ReplicationController".to_owned(),
            "pdb" => "PodDisruptionBudget".to_owned(),
            "cronjob" => "CronJob".to_owned(),
            name => name[..1].to_uppercase() + &name[1..],
        };
        let is_wide = case["input"]["options"]["wide"] == true || function == "TestPrintPodwide";
        let width = if is_wide { Width::Wide } else { Width::Narrow };
        let ours = cells(group(&kind), &kind, &published(object), Clock(NOW), width);
        let expected = &case["expected"];
        let rows = expected.get("expect").unwrap_or(&expected["expected"]);
        let text = |cell: &Value| cell.as_str().map_or_else(|| cell.to_string(), str::to_owned);
        let theirs = rows[0]["cells"].as_array().expect("cells").iter().map(text).collect();
        same(ours, theirs)
    });
    assert_eq!((tally.equal, tally.excluded), (106, [].into()));
}

/// What the table does not have, by the same rules.
#[test]
pub fn other_kinds_have_columns_too() {
    let row = |group: &str, kind: &str, object: Value| {
        cells(group, kind, &published(&object), Clock(NOW), Width::Narrow).join(" | ")
    };
    let created = json!({"name": "x", "creationTimestamp": "now-90s"});
    let claim = json!({"metadata": created, "spec": {"volumeName": "v", "storageClassName": "fast"},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteMany", "ReadWriteOnce"]}});
    assert_eq!(
        row("", "PersistentVolumeClaim", claim),
        "x | Bound | v | 1Gi | RWO,RWX | fast | <unset> | 90s"
    );
    let quota = json!({"metadata": created, "status": {"hard": {"pods": "4", "limits.cpu": "2", "cpu": "1"},
        "used": {"pods": "1"}}});
    assert_eq!(row("", "ResourceQuota", quota), "x | cpu: 0/1, pods: 1/4 | limits.cpu: 0/2 | 90s");
    let scaler = json!({"metadata": created, "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"},
        "maxReplicas": 9, "minReplicas": 2, "metrics": [{"type": "Resource", "resource":
        {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}]}});
    assert_eq!(
        row("autoscaling", "HorizontalPodAutoscaler", scaler),
        "x | Deployment/web | cpu: <unknown>/80% | 2 | 9 | 0 | 90s"
    );
    assert_eq!(row("example.com", "Thing", json!({"metadata": created})), "x | 90s");
}
