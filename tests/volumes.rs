//! Which claims get which volumes, what becomes of volumes whose claims are gone, and what is said of both.

mod common {
    pub mod listened;
    pub mod seen;
}

use common::seen::Seen;

/// A PersistentVolume of 2Gi with this in its spec.
fn volume(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: {name}}}\nspec: {{capacity: \
         {{storage: 2Gi}}, {spec}}}\n---\n"
    )
}

/// A claim on so much with this in its spec.
fn claim(name: &str, size: &str, spec: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: {name}}}\nspec: {{resources: \
         {{requests: {{storage: {size}}}}}, {spec}}}\n---\n"
    )
}

/// The Events about an object, each once, as `type reason: message`.
fn events(seen: &mut Seen, name: &str) -> Vec<String> {
    let all = seen.world.core_events().expect("somebody listens").iter();
    let about = all.filter(|it| it.about.name.to_string() == name);
    let mut lines: Vec<String> = about
        .map(|it| &it.remark)
        .map(|remark| format!("{:?} {}: {}", remark.tone, remark.reason, remark.message))
        .collect();
    lines.dedup();
    lines
}

fn phase(seen: &Seen, kind: &str, name: &str) -> String {
    seen.get(kind, name)["status"]["phase"].as_str().unwrap_or_default().to_owned()
}

const ONCE: &str = "accessModes: [ReadWriteOnce], storageClassName: s";

#[test]
fn a_claim_gets_the_volume_it_names_only_where_that_will_do() {
    let source = "hostPath: {path: /x}";
    let named = |volume: &str, spec: &str| format!("volumeName: {volume}, {spec}");
    let objects = [
        volume("v", &format!("{ONCE}, {source}")),
        volume("held", &format!("{ONCE}, {source}, claimRef: {{namespace: default, name: other}}")),
        volume(
            "small",
            &format!("{ONCE}, {source}, claimRef: {{namespace: default, name: meant}}"),
        ),
        claim("large", "3Gi", &named("v", ONCE)),
        claim("class", "1Gi", &named("v", "accessModes: [ReadWriteOnce], storageClassName: t")),
        claim("block", "1Gi", &named("v", &format!("{ONCE}, volumeMode: Block"))),
        claim("many", "1Gi", &named("v", "accessModes: [ReadWriteMany], storageClassName: s")),
        claim("taken", "1Gi", &named("held", ONCE)),
        claim("meant", "3Gi", ONCE),
        claim("anyway", "3Gi", &named("held", ONCE)).replace("anyway", "other"),
    ];
    let mut seen = Seen::of("  seed: 1\n  duration: 1m", &objects.concat());
    let mismatch =
        |why: &str| format!("Warning VolumeMismatch: Cannot bind to requested volume \"v\": {why}");
    for (name, why) in [
        ("large", mismatch("requested PV is too small")),
        ("class", mismatch("storageClassName does not match")),
        ("block", mismatch("incompatible volumeMode")),
        ("many", mismatch("incompatible accessMode")),
        (
            "taken",
            "Warning FailedBinding: volume \"held\" already bound to a different claim.".to_owned(),
        ),
    ] {
        assert_eq!(events(&mut seen, name), [why], "{name}");
        assert_eq!(phase(&seen, "pvc", name), "Pending", "{name}");
    }
    assert_eq!(seen.idle, [""; 0], "every field plays its part");
    assert_eq!(phase(&seen, "pvc", "meant"), "Pending", "what is meant for it is too small");
    assert_eq!(phase(&seen, "pvc", "other"), "Bound", "claim and volume name each other");
    assert_eq!([phase(&seen, "pv", "v"), phase(&seen, "pv", "small")], ["Available", "Available"]);
}

#[test]
fn the_volume_with_the_fewest_access_modes_is_taken_and_its_modes_are_the_claims() {
    let both = "accessModes: [ReadWriteOnce, ReadOnlyMany], storageClassName: s, nfs: {server: a, path: /x}";
    let all = "accessModes: [ReadWriteOnce, ReadOnlyMany, ReadWriteMany], storageClassName: s, \
               nfs: {server: a, path: /x}";
    let more = volume("all", all).replace("2Gi", "1Gi");
    let objects = volume("both", both) + &more + &claim("c", "1Gi", ONCE);
    let seen = Seen::of("  seed: 1\n  duration: 1m", &objects);
    let claim = seen.get("pvc", "c");
    assert_eq!(claim["spec"]["volumeName"], "both");
    assert_eq!(
        claim["status"]["accessModes"],
        serde_json::json!(["ReadWriteOnce", "ReadOnlyMany"])
    );
    assert!(seen.get("pv", "both")["status"]["lastPhaseTransitionTime"].is_string());
}

#[test]
fn a_volume_nobody_can_delete_has_failed() {
    let affinity = "nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: \
                    Exists}]}]}}";
    let volumes = [
        ("nfs", "Delete", "nfs: {server: a, path: /x}".to_owned()),
        ("local", "Delete", format!("local: {{path: /x}}, {affinity}")),
        ("host", "Delete", "hostPath: {path: /data}".to_owned()),
        ("temp", "Delete", "hostPath: {path: /tmp/x}".to_owned()),
        ("csi", "Delete", "csi: {driver: d, volumeHandle: h}".to_owned()),
        ("fc", "Recycle", "fc: {lun: 1, targetWWNs: [a]}".to_owned()),
        ("kept", "Retain", "hostPath: {path: /data}".to_owned()),
    ];
    let (mut objects, mut steps) = (String::new(), String::new());
    for (name, policy, source) in &volumes {
        let spec = format!("accessModes: [ReadWriteOnce], storageClassName: {name}");
        objects +=
            &volume(name, &format!("{spec}, persistentVolumeReclaimPolicy: {policy}, {source}"));
        objects += &claim(&format!("c-{name}"), "1Gi", &spec);
        steps += &format!("  - {{at: 1m, delete: persistentvolumeclaim/default/c-{name}}}\n");
    }
    // A volume of a provisioner is deleted whoever wrote it down.
    let made = volume(
        "made",
        "accessModes: [ReadWriteOnce], storageClassName: made, \
                               persistentVolumeReclaimPolicy: Delete, csi: {driver: d, volumeHandle: h}",
    );
    objects += &made
        .replace("name: made}", "name: made, annotations: {pv.kubernetes.io/provisioned-by: d}}");
    objects += &claim("c-made", "1Gi", "accessModes: [ReadWriteOnce], storageClassName: made");
    steps += "  - {at: 1m, delete: persistentvolumeclaim/default/c-made}";
    let mut seen = Seen::of(&format!("  seed: 1\n  duration: 2m\n  timeline:\n{steps}"), &objects);
    let why = |name: &str, why: &str| {
        format!("error getting deleter volume plugin for volume \"{name}\": {why}")
    };
    for (name, reason, why) in [
        ("nfs", "VolumeFailedDelete", why("nfs", "no deletable volume plugin matched")),
        ("local", "VolumeFailedDelete", why("local", "no volume plugin matched")),
        (
            "host",
            "VolumeFailedDelete",
            "host_path deleter only supports /tmp/.+ but received provided /data".to_owned(),
        ),
        ("fc", "VolumeFailedRecycle", "No recycler plugin found for the volume!".to_owned()),
    ] {
        assert_eq!(seen.get("pv", name)["status"]["message"], *why, "{name}");
        assert_eq!(phase(&seen, "pv", name), "Failed", "{name}");
        assert_eq!(events(&mut seen, name), [format!("Warning {reason}: {why}")], "{name}");
    }
    assert_eq!([phase(&seen, "pv", "csi"), phase(&seen, "pv", "kept")], ["Released", "Released"]);
    let left = seen.read("pv", Vec::new());
    assert_eq!(left["items"].as_array().map(Vec::len), Some(6), "temp and made are gone");
}

#[test]
fn a_claim_that_has_lost_its_volume_has_nothing_of_it() {
    let objects =
        volume("v", &format!("{ONCE}, hostPath: {{path: /x}}")) + &claim("c", "1Gi", ONCE);
    let steps = "  - {at: 1m, delete: persistentvolume/v}\n  - {at: 1m1s, patch: persistentvolume/v, with: \
                 {metadata: {finalizers: null}}}";
    let mut seen = Seen::of(&format!("  seed: 1\n  duration: 2m\n  timeline:\n{steps}"), &objects);
    assert_eq!(seen.get("pvc", "c")["status"], serde_json::json!({"phase": "Lost"}));
    assert_eq!(
        events(&mut seen, "c"),
        [
            "Warning ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!"
        ]
    );
}

#[test]
fn a_clone_waits_for_the_claim_it_is_of() {
    let class = "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: s}\nprovisioner: d\n---\n";
    let of =
        |name: &str| format!("{ONCE}, dataSource: {{kind: PersistentVolumeClaim, name: {name}}}");
    let objects = class.to_owned()
        + &claim("clone", "1Gi", &of("source"))
        + &claim("of-none", "1Gi", &of("nowhere"))
        + &claim("source", "1Gi", ONCE);
    let mut seen = Seen::of("  seed: 1\n  duration: 1m", &objects);
    let phases = ["source", "clone", "of-none"].map(|name| phase(&seen, "pvc", name));
    assert_eq!(phases, ["Bound", "Bound", "Pending"]);
    let waits = events(&mut seen, "of-none");
    assert!(waits.len() == 1 && waits[0].starts_with("Normal ExternalProvisioning"), "{waits:?}");
}
