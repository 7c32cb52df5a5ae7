//! The StorageClass every made-up cluster has, and what is said of claims that nothing serves.

use std::collections::BTreeMap;

use k8s_openapi::api::storage::v1::StorageClass as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::compact::{Arrival, Compactor};
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::object::Object;
use crate::api::rules::volumes::PodClaim;
use crate::api::storage::{ClaimSpec, DEFAULT_CLASS, Filling, Reclaim, StorageClass, VolumeSource};
use crate::cluster::plan::{Act, PlannedObject, Source, Step};

/// Name and provisioner of the class: as kind and minikube call theirs, and as kind makes volumes.
const STANDARD: (&str, &str) = ("standard", "rancher.io/local-path");

/// All objects of an input: those there from the start, and those that steps apply.
fn all<'a>(
    objects: &'a [PlannedObject],
    steps: &'a [Step],
) -> impl Iterator<Item = &'a PlannedObject> {
    let applied = steps.iter().filter_map(|step| match &step.act {
        Act::Apply(list) => Some(list.iter()),
        _ => None,
    });
    objects.iter().chain(applied.flatten())
}

fn classes<'a>(
    objects: &'a [PlannedObject],
    steps: &'a [Step],
) -> impl Iterator<Item = &'a StorageClass> {
    all(objects, steps).filter_map(|planned| match &planned.object {
        Object::StorageClass(class) => Some(&**class),
        _ => None,
    })
}

/// What an object claims: itself, or for pods made of it.
fn claimed(object: &Object) -> Vec<&ClaimSpec> {
    let (template, own) = match object {
        Object::PersistentVolumeClaim(claim) => return vec![&claim.spec],
        Object::Pod(pod) => (&pod.spec, &[][..]),
        Object::ReplicaSet(set) => (&set.template.spec, &[][..]),
        Object::Deployment(it) => (&it.template.spec, &[][..]),
        Object::StatefulSet(set) => (&set.template.spec, &set.claims[..]),
        _ => return Vec::new(),
    };
    let ephemeral = template.volumes.claims.iter().filter_map(|claim| match claim {
        PodClaim::Ephemeral(template) => Some(&*template.spec),
        PodClaim::Named(_) => None,
    });
    own.iter().map(|template| &*template.spec).chain(ephemeral).collect()
}

/// The default class of a cluster that the input says nothing of, where anything of the input claims a
/// volume: WaitForFirstConsumer, volumes of a node's own disk. A class of its name in the input stands
/// in its place.
pub(super) fn standard_class(
    objects: &[PlannedObject],
    steps: &[Step],
    compactor: &mut Compactor,
) -> Option<PlannedObject> {
    let (name, provisioner) = STANDARD;
    let is_asked_for = all(objects, steps).any(|planned| !claimed(&planned.object).is_empty());
    if !is_asked_for || classes(objects, steps).any(|class| class.meta.name == *name) {
        return None;
    }
    let annotation = (DEFAULT_CLASS.to_owned(), "true".to_owned());
    let compacted = compactor.storage_class(Written {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            annotations: Some(BTreeMap::from([annotation])),
            ..ObjectMeta::default()
        },
        provisioner: provisioner.to_owned(),
        reclaim_policy: Some("Delete".to_owned()),
        volume_binding_mode: Some("WaitForFirstConsumer".to_owned()),
        ..Written::default()
    });
    Some(PlannedObject {
        object: compacted.object,
        arrival: Arrival::Imported,
        node: None,
        source: Source::nowhere(),
        manifest: None,
    })
}

/// Tells of claims whose class is not there, and of which no volume is either.
pub(super) fn warn_of_classes(
    objects: &[PlannedObject],
    steps: &[Step],
    findings: &mut Vec<Diagnostic>,
) {
    let has_default = classes(objects, steps).any(StorageClass::is_default);
    let is_served = |name: &str| {
        classes(objects, steps).any(|class| class.meta.name == *name)
            || all(objects, steps).any(|planned| {
                matches!(&planned.object, Object::PersistentVolume(it) if *it.spec.class == *name)
            })
    };
    for planned in all(objects, steps).filter(|it| it.arrival == Arrival::Applied) {
        let unserved = claimed(&planned.object).into_iter().find_map(|claim| match &claim.class {
            Some(name) if !name.is_empty() && !is_served(name) => {
                Some(format!("names StorageClass {name:?}, which is nowhere in the input"))
            }
            None if !has_default && !is_served("") => {
                Some("claims a volume of the default StorageClass, and there is none".to_owned())
            }
            _ => None,
        });
        if let Some(why) = unserved {
            let name = planned.object.name();
            let message = format!(
                "{name} {why}: nothing makes its volume, and pods that use it stay Pending"
            );
            let finding = Diagnostic::of_file(&planned.source.to_string(), message);
            findings.push(Diagnostic { severity: Severity::Warning, ..finding });
        }
    }
}

/// Tells of what is asked of volumes and is not modelled.
pub(super) fn warn_of_wishes(
    objects: &[PlannedObject],
    steps: &[Step],
    findings: &mut Vec<Diagnostic>,
) {
    let has_attributes = |name: &str| {
        all(objects, steps).any(|planned| {
            matches!(&planned.object, Object::Other(it)
                if &*it.kind == "VolumeAttributesClass" && it.meta.name == *name)
        })
    };
    for planned in all(objects, steps) {
        let name = planned.object.name();
        let mut warn = |message: String| {
            let finding = Diagnostic::of_file(&planned.source.to_string(), message);
            findings.push(Diagnostic { severity: Severity::Warning, ..finding });
        };
        if let Object::PersistentVolume(volume) = &planned.object
            && volume.spec.reclaim == Reclaim::Recycle
            && matches!(volume.spec.source, VolumeSource::HostPath { .. } | VolumeSource::Nfs)
        {
            warn(format!(
                "{name}: reclaim policy Recycle is not modelled: it stays Released after its claim"
            ));
        }
        for claim in claimed(&planned.object) {
            if let Some(Filling::Other(kind)) = &claim.filling {
                warn(format!(
                    "{name}: a data source of kind {kind} is not modelled: a volume is made whether or not \
                     there is one"
                ));
            }
            let class = &*claim.attributes_class;
            if !class.is_empty() && !has_attributes(class) {
                warn(format!(
                    "{name} names VolumeAttributesClass {class:?}, which is nowhere in the input: a volume is \
                     made, where a real provisioner waits for it"
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::object::Object;
    use crate::scenario::{Loaded, Loader, Overrides};

    fn load(text: &str) -> Loaded {
        let mut loader = Loader::new(Overrides::default());
        loader.read("in.yaml", text.as_bytes(), &mut |_| {});
        loader.finish()
    }

    fn classes(loaded: &Loaded) -> Vec<(String, bool)> {
        let all = loaded.plan.objects.iter().filter_map(|planned| match &planned.object {
            Object::StorageClass(class) => Some((class.meta.name.to_string(), class.is_default())),
            _ => None,
        });
        all.collect()
    }

    fn claim(class: &str) -> String {
        format!(
            "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data}}\nspec:\n  \
             accessModes: [ReadWriteOnce]\n  {class}\n  resources: {{requests: {{storage: 1Gi}}}}\n"
        )
    }

    #[test]
    fn what_is_asked_of_a_volume_and_not_modelled_is_told() {
        let told = |text: &str| -> Vec<String> {
            let findings = load(text).findings;
            findings.iter().map(|it| it.message.clone()).collect()
        };
        let volume = |policy: &str, source: &str| {
            format!(
                "apiVersion: v1\nkind: PersistentVolume\nmetadata: {{name: v}}\nspec: {{accessModes: \
                 [ReadWriteOnce], capacity: {{storage: 2Gi}}, persistentVolumeReclaimPolicy: {policy}, \
                 {source}}}\n"
            )
        };
        let host = "hostPath: {path: /v}";
        assert!(told(&volume("Recycle", host))[0].contains("Recycle is not modelled"));
        assert!(told(&volume("Retain", host)).is_empty());
        assert!(told(&claim("dataSource: {kind: PersistentVolumeClaim, name: x}")).is_empty());
        let snapshot =
            "dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: x}";
        assert!(told(&claim(snapshot))[0].contains("of kind VolumeSnapshot is not modelled"));
        let class = told(&claim("volumeAttributesClassName: gold"));
        assert!(class[0].contains("VolumeAttributesClass \"gold\", which is nowhere"), "{class:?}");
    }

    const NODE: &str = "---\napiVersion: v1\nkind: Node\nmetadata: {name: n-0}\n";

    #[test]
    fn a_made_up_cluster_has_a_default_class_where_something_is_claimed() {
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: \
                   [{name: c, image: i}]\n";
        assert!(classes(&load(pod)).is_empty());
        assert_eq!(classes(&load(&claim(""))), [("standard".to_owned(), true)]);
        let own = "---\napiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: \
                   {name: standard}\nprovisioner: x\n";
        assert_eq!(classes(&load(&(claim("") + own))), [("standard".to_owned(), false)]);
        assert!(classes(&load(&(claim("") + NODE))).is_empty(), "a real cluster has its own");
    }

    #[test]
    fn a_claim_that_nothing_serves_is_told() {
        let told = |text: &str| -> Vec<String> {
            let findings = load(text).findings;
            let all = findings.iter().map(ToString::to_string);
            all.filter(|line| line.contains("stay Pending")).collect()
        };
        assert!(told(&claim("")).is_empty());
        let fast = told(&claim("storageClassName: fast"));
        assert!(fast.len() == 1 && fast[0].contains("names StorageClass \"fast\""), "{fast:?}");
        let none = told(&(claim("") + NODE));
        assert!(none.len() == 1 && none[0].contains("default StorageClass"), "{none:?}");
        let volume = "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v}\nspec:\n  \
                      accessModes: [ReadWriteOnce]\n  storageClassName: fast\n  capacity: \
                      {storage: 2Gi}\n  hostPath: {path: /v}\n";
        assert!(told(&(claim("storageClassName: fast") + volume)).is_empty());
    }
}
