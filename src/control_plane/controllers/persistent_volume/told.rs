//! What the controller says of claims without a volume (`syncUnboundClaim`, kube-controller-manager 1.36
//! pkg/controller/volume/persistentvolume). Its Events cost nothing here; nor does it look again each 15 s, so
//! each is counted more seldom. What an external provisioner says bears its own name and is not said.

use crate::api::kind::Kind;
use crate::api::pod::Pod;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim};
use crate::control_plane::controllers::{Known, Timer};
use crate::messages::core_event::Source;
use crate::messages::{About, CoreEvent, Effects, Remark};

/// Why a claim has no volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Unbound<'a> {
    /// A pod is to say first where it runs.
    Delayed,
    /// The volume it names cannot be its, and why.
    Mismatch(&'a str, String),
    /// The volume it names is another claim's.
    Taken(&'a str),
    /// No volume will do, and no class says how one is made.
    NoVolume,
    /// Its class is not there.
    NoClass(&'a str),
    /// This plugin of Kubernetes itself is to make one, and makes none.
    NoPlugin(&'a str),
    /// This provisioner makes one.
    External(&'a str),
}

/// Tells why.
pub(super) fn unbound(
    claim: &PersistentVolumeClaim,
    why: Unbound<'_>,
    known: Known<'_>,
    fx: &mut Effects<Timer>,
) {
    fx.say(|| {
        let source = Source::Core { component: "persistentvolume-controller", host: None };
        let about = About::of(Kind::PersistentVolumeClaim, &claim.meta);
        Some(CoreEvent { source, about, remark: remark(claim, why, known) })
    });
}

/// Why a claim has lost its volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Loss {
    /// It is not there.
    Gone,
    /// It is another claim's.
    Misbound,
}

/// Tells why a claim has lost its volume.
pub(super) fn lost(claim: &PersistentVolumeClaim, why: Loss, fx: &mut Effects<Timer>) {
    fx.say(|| {
        let source = Source::Core { component: "persistentvolume-controller", host: None };
        let about = About::of(Kind::PersistentVolumeClaim, &claim.meta);
        let (reason, words) = match why {
            Loss::Gone => (
                "ClaimLost",
                "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
            ),
            Loss::Misbound => (
                "ClaimMisbound",
                "Two claims are bound to the same volume, this one is bound incorrectly",
            ),
        };
        Some(CoreEvent { source, about, remark: Remark::warning(reason, words) })
    });
}

/// Tells something of a volume.
pub(super) fn volume(
    volume: &PersistentVolume,
    fx: &mut Effects<Timer>,
    remark: impl FnOnce() -> Remark,
) {
    fx.say(|| {
        let source = Source::Core { component: "persistentvolume-controller", host: None };
        let about = About::of(Kind::PersistentVolume, &volume.meta);
        Some(CoreEvent { source, about, remark: remark() })
    });
}

/// Tells that a driver's resizer is waited for (`syncHandler`, pkg/controller/volume/expand).
pub(super) fn awaits_resizer(claim: &PersistentVolumeClaim, fx: &mut Effects<Timer>) {
    fx.say(|| {
        let source = Source::Core { component: "volume_expand", host: None };
        let about = About::of(Kind::PersistentVolumeClaim, &claim.meta);
        let words = "waiting for an external controller to expand this PVC";
        Some(CoreEvent { source, about, remark: Remark::normal("ExternalExpanding", words) })
    });
}

fn remark(claim: &PersistentVolumeClaim, why: Unbound<'_>, known: Known<'_>) -> Remark {
    match why {
        Unbound::Delayed => match &waiting(claim, known)[..] {
            [] => Remark::normal(
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding",
            ),
            [pod] => Remark::normal(
                "WaitForPodScheduled",
                format!("waiting for pod {pod} to be scheduled"),
            ),
            pods => {
                let pods = pods.join(",");
                Remark::normal(
                    "WaitForPodScheduled",
                    format!("waiting for pods {pods} to be scheduled"),
                )
            }
        },
        Unbound::Mismatch(volume, why) => Remark::warning(
            "VolumeMismatch",
            format!("Cannot bind to requested volume \"{volume}\": {why}"),
        ),
        Unbound::Taken(volume) => Remark::warning(
            "FailedBinding",
            format!("volume \"{volume}\" already bound to a different claim."),
        ),
        Unbound::NoVolume => Remark::normal(
            "FailedBinding",
            "no persistent volumes available for this claim and no storage class is set",
        ),
        Unbound::NoClass(class) => Remark::warning(
            "ProvisioningFailed",
            format!("storageclass.storage.k8s.io \"{class}\" not found"),
        ),
        Unbound::NoPlugin(plugin) => Remark::warning(
            "ProvisioningFailed",
            match plugin {
                "kubernetes.io/host-path" => format!(
                    "Failed to create provisioner: provisioning in volume plugin \"{plugin}\" is disabled"
                ),
                "kubernetes.io/nfs" => "no provisionable volume plugin matched".to_owned(),
                _ => format!("no volume plugin matched name: {plugin}"),
            },
        ),
        Unbound::External(provisioner) => Remark::normal(
            "ExternalProvisioning",
            format!(
                "Waiting for a volume to be created either by the external provisioner \
                 '{provisioner}' or manually by the system administrator. If volume creation is \
                 delayed, please verify that the provisioner is running and correctly registered."
            ),
        ),
    }
}

/// Pods that use the claim and have no node yet (`findNonScheduledPodsByPVC`).
fn waiting(claim: &PersistentVolumeClaim, known: Known<'_>) -> Vec<String> {
    let pods = known.view.list::<Pod>().map(|(_, pod)| pod);
    let local = pods.filter(|pod| pod.node.is_none() && pod.meta.namespace == claim.meta.namespace);
    let using = local.filter(|pod| {
        let mut claims = pod.spec.volumes.claims.iter();
        claims.any(|it| claim.meta.name == *it.name(&pod.meta.name))
    });
    using.map(|pod| pod.meta.name.to_string()).collect()
}
