//! The official type of every built-in kind, and the way from a kind's name to its type.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{Metadata, api, apiextensions_apiserver, kube_aggregator};

use super::reader::{Misfit, UnknownField, read};
use crate::api::kinds::{Kind, SERVED};
use crate::api::tree::Node;

macro_rules! typed {
    ($($variant:ident = ($group:literal, $version:literal, $kind:literal) => $type:path,)*) => {
        /// An object of a built-in kind, as its official type.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Typed {
            $(
                #[doc = concat!("`", $kind, "` of `", $group, "/", $version, "`.")]
                $variant(Box<$type>),
            )*
        }

        impl Typed {
            /// What all objects have.
            pub fn metadata(&self) -> &ObjectMeta {
                match self {
                    $(Typed::$variant(it) => Metadata::metadata(it.as_ref()),)*
                }
            }

            /// What all objects have, to be changed.
            pub fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self {
                    $(Typed::$variant(it) => Metadata::metadata_mut(it.as_mut()),)*
                }
            }

            /// The object's kind in the table of kinds served.
            pub fn kind(&self) -> Option<&'static Kind> {
                let (group, version, kind) = match self {
                    $(Typed::$variant(_) => ($group, $version, $kind),)*
                };
                let same = |it: &&Kind| (it.group, it.version, it.kind) == (group, version, kind);
                SERVED.iter().find(same)
            }
        }

        /// Reads `node` as the type of `kind`. Nothing if the kind has no type here, which the tests
        /// rule out for every kind served.
        ///
        /// # Errors
        /// The first value that does not fit its field.
        pub(super) fn read_kind(
            kind: &Kind,
            node: &Node<'_>,
            unknown: &mut Vec<UnknownField>,
        ) -> Option<Result<Typed, Misfit>> {
            match (kind.group, kind.version, kind.kind) {
                $(($group, $version, $kind) => {
                    Some(read::<$type>(node, unknown).map(|it| Typed::$variant(Box::new(it))))
                })*
                _ => None,
            }
        }
    };
}

#[rustfmt::skip]
typed! {
    Binding = ("", "v1", "Binding") => api::core::v1::Binding,
    ComponentStatus = ("", "v1", "ComponentStatus") => api::core::v1::ComponentStatus,
    ConfigMap = ("", "v1", "ConfigMap") => api::core::v1::ConfigMap,
    Endpoints = ("", "v1", "Endpoints") => api::core::v1::Endpoints,
    Event = ("", "v1", "Event") => api::core::v1::Event,
    LimitRange = ("", "v1", "LimitRange") => api::core::v1::LimitRange,
    Namespace = ("", "v1", "Namespace") => api::core::v1::Namespace,
    Node = ("", "v1", "Node") => api::core::v1::Node,
    PersistentVolume = ("", "v1", "PersistentVolume") => api::core::v1::PersistentVolume,
    PersistentVolumeClaim = ("", "v1", "PersistentVolumeClaim") => api::core::v1::PersistentVolumeClaim,
    Pod = ("", "v1", "Pod") => api::core::v1::Pod,
    PodTemplate = ("", "v1", "PodTemplate") => api::core::v1::PodTemplate,
    ReplicationController = ("", "v1", "ReplicationController") => api::core::v1::ReplicationController,
    ResourceQuota = ("", "v1", "ResourceQuota") => api::core::v1::ResourceQuota,
    Secret = ("", "v1", "Secret") => api::core::v1::Secret,
    Service = ("", "v1", "Service") => api::core::v1::Service,
    ServiceAccount = ("", "v1", "ServiceAccount") => api::core::v1::ServiceAccount,
    MutatingAdmissionPolicy = ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy") => api::admissionregistration::v1::MutatingAdmissionPolicy,
    MutatingAdmissionPolicyBinding = ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding") => api::admissionregistration::v1::MutatingAdmissionPolicyBinding,
    MutatingWebhookConfiguration = ("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration") => api::admissionregistration::v1::MutatingWebhookConfiguration,
    ValidatingAdmissionPolicy = ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy") => api::admissionregistration::v1::ValidatingAdmissionPolicy,
    ValidatingAdmissionPolicyBinding = ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding") => api::admissionregistration::v1::ValidatingAdmissionPolicyBinding,
    ValidatingWebhookConfiguration = ("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration") => api::admissionregistration::v1::ValidatingWebhookConfiguration,
    CustomResourceDefinition = ("apiextensions.k8s.io", "v1", "CustomResourceDefinition") => apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
    APIService = ("apiregistration.k8s.io", "v1", "APIService") => kube_aggregator::pkg::apis::apiregistration::v1::APIService,
    ControllerRevision = ("apps", "v1", "ControllerRevision") => api::apps::v1::ControllerRevision,
    DaemonSet = ("apps", "v1", "DaemonSet") => api::apps::v1::DaemonSet,
    Deployment = ("apps", "v1", "Deployment") => api::apps::v1::Deployment,
    ReplicaSet = ("apps", "v1", "ReplicaSet") => api::apps::v1::ReplicaSet,
    StatefulSet = ("apps", "v1", "StatefulSet") => api::apps::v1::StatefulSet,
    SelfSubjectReview = ("authentication.k8s.io", "v1", "SelfSubjectReview") => api::authentication::v1::SelfSubjectReview,
    TokenReview = ("authentication.k8s.io", "v1", "TokenReview") => api::authentication::v1::TokenReview,
    LocalSubjectAccessReview = ("authorization.k8s.io", "v1", "LocalSubjectAccessReview") => api::authorization::v1::LocalSubjectAccessReview,
    SelfSubjectAccessReview = ("authorization.k8s.io", "v1", "SelfSubjectAccessReview") => api::authorization::v1::SelfSubjectAccessReview,
    SelfSubjectRulesReview = ("authorization.k8s.io", "v1", "SelfSubjectRulesReview") => api::authorization::v1::SelfSubjectRulesReview,
    SubjectAccessReview = ("authorization.k8s.io", "v1", "SubjectAccessReview") => api::authorization::v1::SubjectAccessReview,
    HorizontalPodAutoscalerV1 = ("autoscaling", "v1", "HorizontalPodAutoscaler") => api::autoscaling::v1::HorizontalPodAutoscaler,
    HorizontalPodAutoscaler = ("autoscaling", "v2", "HorizontalPodAutoscaler") => api::autoscaling::v2::HorizontalPodAutoscaler,
    CronJob = ("batch", "v1", "CronJob") => api::batch::v1::CronJob,
    Job = ("batch", "v1", "Job") => api::batch::v1::Job,
    CertificateSigningRequest = ("certificates.k8s.io", "v1", "CertificateSigningRequest") => api::certificates::v1::CertificateSigningRequest,
    Lease = ("coordination.k8s.io", "v1", "Lease") => api::coordination::v1::Lease,
    EndpointSlice = ("discovery.k8s.io", "v1", "EndpointSlice") => api::discovery::v1::EndpointSlice,
    EventsEvent = ("events.k8s.io", "v1", "Event") => api::events::v1::Event,
    FlowSchema = ("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema") => api::flowcontrol::v1::FlowSchema,
    PriorityLevelConfiguration = ("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration") => api::flowcontrol::v1::PriorityLevelConfiguration,
    IPAddress = ("networking.k8s.io", "v1", "IPAddress") => api::networking::v1::IPAddress,
    Ingress = ("networking.k8s.io", "v1", "Ingress") => api::networking::v1::Ingress,
    IngressClass = ("networking.k8s.io", "v1", "IngressClass") => api::networking::v1::IngressClass,
    NetworkPolicy = ("networking.k8s.io", "v1", "NetworkPolicy") => api::networking::v1::NetworkPolicy,
    ServiceCIDR = ("networking.k8s.io", "v1", "ServiceCIDR") => api::networking::v1::ServiceCIDR,
    RuntimeClass = ("node.k8s.io", "v1", "RuntimeClass") => api::node::v1::RuntimeClass,
    PodDisruptionBudget = ("policy", "v1", "PodDisruptionBudget") => api::policy::v1::PodDisruptionBudget,
    ClusterRole = ("rbac.authorization.k8s.io", "v1", "ClusterRole") => api::rbac::v1::ClusterRole,
    ClusterRoleBinding = ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding") => api::rbac::v1::ClusterRoleBinding,
    Role = ("rbac.authorization.k8s.io", "v1", "Role") => api::rbac::v1::Role,
    RoleBinding = ("rbac.authorization.k8s.io", "v1", "RoleBinding") => api::rbac::v1::RoleBinding,
    DeviceClass = ("resource.k8s.io", "v1", "DeviceClass") => api::resource::v1::DeviceClass,
    ResourceClaim = ("resource.k8s.io", "v1", "ResourceClaim") => api::resource::v1::ResourceClaim,
    ResourceClaimTemplate = ("resource.k8s.io", "v1", "ResourceClaimTemplate") => api::resource::v1::ResourceClaimTemplate,
    ResourceSlice = ("resource.k8s.io", "v1", "ResourceSlice") => api::resource::v1::ResourceSlice,
    PriorityClass = ("scheduling.k8s.io", "v1", "PriorityClass") => api::scheduling::v1::PriorityClass,
    CSIDriver = ("storage.k8s.io", "v1", "CSIDriver") => api::storage::v1::CSIDriver,
    CSINode = ("storage.k8s.io", "v1", "CSINode") => api::storage::v1::CSINode,
    CSIStorageCapacity = ("storage.k8s.io", "v1", "CSIStorageCapacity") => api::storage::v1::CSIStorageCapacity,
    StorageClass = ("storage.k8s.io", "v1", "StorageClass") => api::storage::v1::StorageClass,
    VolumeAttachment = ("storage.k8s.io", "v1", "VolumeAttachment") => api::storage::v1::VolumeAttachment,
    VolumeAttributesClass = ("storage.k8s.io", "v1", "VolumeAttributesClass") => api::storage::v1::VolumeAttributesClass,
}

impl Typed {
    /// Tells a selector that was written and asks for nothing from one that was not written: the types of
    /// workloads have a selector either way. It gets a map of labels, which is empty.
    pub fn tell_empty_selector(&mut self) {
        let selector = match self {
            Typed::Deployment(it) => it.spec.as_mut().map(|spec| &mut spec.selector),
            Typed::ReplicaSet(it) => it.spec.as_mut().map(|spec| &mut spec.selector),
            Typed::StatefulSet(it) => it.spec.as_mut().map(|spec| &mut spec.selector),
            Typed::DaemonSet(it) => it.spec.as_mut().map(|spec| &mut spec.selector),
            _ => None,
        };
        if let Some(selector) = selector.filter(|it| it.match_expressions.is_none()) {
            selector.match_labels.get_or_insert_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tree::Value;

    #[test]
    fn every_kind_served_has_its_type() {
        let nothing = Node::new(Value::Map(Vec::new()));
        for kind in SERVED {
            let read = read_kind(kind, &nothing, &mut Vec::new());
            assert!(matches!(read, Some(Ok(_))), "{} {}", kind.api_version(), kind.kind);
        }
    }
}
