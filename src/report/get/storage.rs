//! Volumes, claims and classes.

use super::read::{Read, UNSET};
use super::{Printer, always, wide};

pub(super) static VOLUMES: Printer = Printer {
    columns: &[
        always("NAME"),
        always("CAPACITY"),
        always("ACCESS MODES"),
        always("RECLAIM POLICY"),
        always("STATUS"),
        always("CLAIM"),
        always("STORAGECLASS"),
        always("VOLUMEATTRIBUTESCLASS"),
        always("REASON"),
        always("AGE"),
        wide("VOLUMEMODE"),
    ],
    row: |it, clock, _| {
        let claim = it.at("spec.claimRef");
        let claim = match claim.text("name") {
            "" => String::new(),
            name => format!("{}/{name}", claim.text("namespace")),
        };
        vec![
            it.name(),
            it.text("spec.capacity.storage").to_owned(),
            modes(it, "spec.accessModes"),
            it.text("spec.persistentVolumeReclaimPolicy").to_owned(),
            phase(it),
            claim,
            it.text("spec.storageClassName").to_owned(),
            it.text_or("spec.volumeAttributesClassName", UNSET),
            it.text("status.reason").to_owned(),
            it.age(clock),
            it.text_or("spec.volumeMode", UNSET),
        ]
    },
};

pub(super) static CLAIMS: Printer = Printer {
    columns: &[
        always("NAME"),
        always("STATUS"),
        always("VOLUME"),
        always("CAPACITY"),
        always("ACCESS MODES"),
        always("STORAGECLASS"),
        always("VOLUMEATTRIBUTESCLASS"),
        always("AGE"),
        wide("VOLUMEMODE"),
    ],
    row: |it, clock, _| {
        let volume = it.text("spec.volumeName");
        let [capacity, modes] = if volume.is_empty() {
            [String::new(), String::new()]
        } else {
            [it.text_or("status.capacity.storage", "0"), modes(it, "status.accessModes")]
        };
        vec![
            it.name(),
            phase(it),
            volume.to_owned(),
            capacity,
            modes,
            it.text("spec.storageClassName").to_owned(),
            it.text_or("spec.volumeAttributesClassName", UNSET),
            it.age(clock),
            it.text_or("spec.volumeMode", UNSET),
        ]
    },
};

fn phase(it: Read<'_>) -> String {
    if it.has("metadata.deletionTimestamp") {
        return "Terminating".to_owned();
    }
    it.text("status.phase").to_owned()
}

/// Access modes by their short names, each once, in this order.
fn modes(it: Read<'_>, path: &str) -> String {
    let names = [
        ("ReadWriteOnce", "RWO"),
        ("ReadOnlyMany", "ROX"),
        ("ReadWriteMany", "RWX"),
        ("ReadWriteOncePod", "RWOP"),
    ];
    let shown = names.into_iter().filter(|(name, _)| it.texts(path).any(|mode| mode == *name));
    shown.map(|(_, short)| short).collect::<Vec<_>>().join(",")
}

pub(super) static CLASSES: Printer = Printer {
    columns: &[
        always("NAME"),
        always("PROVISIONER"),
        always("RECLAIMPOLICY"),
        always("VOLUMEBINDINGMODE"),
        always("ALLOWVOLUMEEXPANSION"),
        always("AGE"),
    ],
    row: |it, clock, _| {
        let is_default = |(key, value): (&str, &str)| {
            value == "true"
                && matches!(
                    key,
                    "storageclass.kubernetes.io/is-default-class"
                        | "storageclass.beta.kubernetes.io/is-default-class"
                )
        };
        let mark = if it.map("metadata.annotations").any(is_default) { " (default)" } else { "" };
        vec![
            it.name() + mark,
            it.text("provisioner").to_owned(),
            it.text_or("reclaimPolicy", "Delete"),
            it.text_or("volumeBindingMode", "Immediate"),
            it.is_true("allowVolumeExpansion").to_string(),
            it.age(clock),
        ]
    },
};

pub(super) static CSI_NODES: Printer = Printer {
    columns: &[always("NAME"), always("DRIVERS"), always("AGE")],
    row: |it, clock, _| vec![it.name(), it.len("spec.drivers").to_string(), it.age(clock)],
};
