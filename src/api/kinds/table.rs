//! The table itself: every kind of 1.36 that is on by default, and groups by who owns them.

/// Whether objects of a kind live in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// In a namespace.
    Namespaced,
    /// In none.
    Cluster,
}

/// A built-in kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// The group; empty for the core.
    pub group: &'static str,
    /// The version.
    pub version: &'static str,
    /// The kind.
    pub kind: &'static str,
    /// The name in URLs: `pods`.
    pub plural: &'static str,
    /// Where its objects live.
    pub scope: Scope,
}

impl Kind {
    const fn new(
        group: &'static str,
        version: &'static str,
        kind: &'static str,
        plural: &'static str,
        scope: Scope,
    ) -> Kind {
        Kind { group, version, kind, plural, scope }
    }

    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// What API server 1.36 serves by default, sub-resources left out (nobody can apply them).
#[rustfmt::skip]
pub static SERVED: &[Kind] = &[
    Kind::new("", "v1", "Binding", "bindings", Scope::Namespaced),
    Kind::new("", "v1", "ComponentStatus", "componentstatuses", Scope::Cluster),
    Kind::new("", "v1", "ConfigMap", "configmaps", Scope::Namespaced),
    Kind::new("", "v1", "Endpoints", "endpoints", Scope::Namespaced),
    Kind::new("", "v1", "Event", "events", Scope::Namespaced),
    Kind::new("", "v1", "LimitRange", "limitranges", Scope::Namespaced),
    Kind::new("", "v1", "Namespace", "namespaces", Scope::Cluster),
    Kind::new("", "v1", "Node", "nodes", Scope::Cluster),
    Kind::new("", "v1", "PersistentVolume", "persistentvolumes", Scope::Cluster),
    Kind::new("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", Scope::Namespaced),
    Kind::new("", "v1", "Pod", "pods", Scope::Namespaced),
    Kind::new("", "v1", "PodTemplate", "podtemplates", Scope::Namespaced),
    Kind::new("", "v1", "ReplicationController", "replicationcontrollers", Scope::Namespaced),
    Kind::new("", "v1", "ResourceQuota", "resourcequotas", Scope::Namespaced),
    Kind::new("", "v1", "Secret", "secrets", Scope::Namespaced),
    Kind::new("", "v1", "Service", "services", Scope::Namespaced),
    Kind::new("", "v1", "ServiceAccount", "serviceaccounts", Scope::Namespaced),
    Kind::new("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies", Scope::Cluster),
    Kind::new("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", Scope::Cluster),
    Kind::new("admissionregistration.k8s.io", "v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", Scope::Cluster),
    Kind::new("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", Scope::Cluster),
    Kind::new("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", Scope::Cluster),
    Kind::new("admissionregistration.k8s.io", "v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", Scope::Cluster),
    Kind::new("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", Scope::Cluster),
    Kind::new("apiregistration.k8s.io", "v1", "APIService", "apiservices", Scope::Cluster),
    Kind::new("apps", "v1", "ControllerRevision", "controllerrevisions", Scope::Namespaced),
    Kind::new("apps", "v1", "DaemonSet", "daemonsets", Scope::Namespaced),
    Kind::new("apps", "v1", "Deployment", "deployments", Scope::Namespaced),
    Kind::new("apps", "v1", "ReplicaSet", "replicasets", Scope::Namespaced),
    Kind::new("apps", "v1", "StatefulSet", "statefulsets", Scope::Namespaced),
    Kind::new("authentication.k8s.io", "v1", "SelfSubjectReview", "selfsubjectreviews", Scope::Cluster),
    Kind::new("authentication.k8s.io", "v1", "TokenReview", "tokenreviews", Scope::Cluster),
    Kind::new("authorization.k8s.io", "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", Scope::Namespaced),
    Kind::new("authorization.k8s.io", "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews", Scope::Cluster),
    Kind::new("authorization.k8s.io", "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews", Scope::Cluster),
    Kind::new("authorization.k8s.io", "v1", "SubjectAccessReview", "subjectaccessreviews", Scope::Cluster),
    Kind::new("autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Scope::Namespaced),
    Kind::new("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", Scope::Namespaced),
    Kind::new("batch", "v1", "CronJob", "cronjobs", Scope::Namespaced),
    Kind::new("batch", "v1", "Job", "jobs", Scope::Namespaced),
    Kind::new("certificates.k8s.io", "v1", "CertificateSigningRequest", "certificatesigningrequests", Scope::Cluster),
    Kind::new("coordination.k8s.io", "v1", "Lease", "leases", Scope::Namespaced),
    Kind::new("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", Scope::Namespaced),
    Kind::new("events.k8s.io", "v1", "Event", "events", Scope::Namespaced),
    Kind::new("flowcontrol.apiserver.k8s.io", "v1", "FlowSchema", "flowschemas", Scope::Cluster),
    Kind::new("flowcontrol.apiserver.k8s.io", "v1", "PriorityLevelConfiguration", "prioritylevelconfigurations", Scope::Cluster),
    Kind::new("networking.k8s.io", "v1", "IPAddress", "ipaddresses", Scope::Cluster),
    Kind::new("networking.k8s.io", "v1", "Ingress", "ingresses", Scope::Namespaced),
    Kind::new("networking.k8s.io", "v1", "IngressClass", "ingressclasses", Scope::Cluster),
    Kind::new("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", Scope::Namespaced),
    Kind::new("networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", Scope::Cluster),
    Kind::new("node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", Scope::Cluster),
    Kind::new("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", Scope::Namespaced),
    Kind::new("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", Scope::Cluster),
    Kind::new("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", Scope::Cluster),
    Kind::new("rbac.authorization.k8s.io", "v1", "Role", "roles", Scope::Namespaced),
    Kind::new("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", Scope::Namespaced),
    Kind::new("resource.k8s.io", "v1", "DeviceClass", "deviceclasses", Scope::Cluster),
    Kind::new("resource.k8s.io", "v1", "ResourceClaim", "resourceclaims", Scope::Namespaced),
    Kind::new("resource.k8s.io", "v1", "ResourceClaimTemplate", "resourceclaimtemplates", Scope::Namespaced),
    Kind::new("resource.k8s.io", "v1", "ResourceSlice", "resourceslices", Scope::Cluster),
    Kind::new("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", Scope::Cluster),
    Kind::new("storage.k8s.io", "v1", "CSIDriver", "csidrivers", Scope::Cluster),
    Kind::new("storage.k8s.io", "v1", "CSINode", "csinodes", Scope::Cluster),
    Kind::new("storage.k8s.io", "v1", "CSIStorageCapacity", "csistoragecapacities", Scope::Namespaced),
    Kind::new("storage.k8s.io", "v1", "StorageClass", "storageclasses", Scope::Cluster),
    Kind::new("storage.k8s.io", "v1", "VolumeAttachment", "volumeattachments", Scope::Cluster),
    Kind::new("storage.k8s.io", "v1", "VolumeAttributesClass", "volumeattributesclasses", Scope::Cluster),
];

/// Groups that are or were Kubernetes' own without ending in `.k8s.io`.
pub(super) const OWN_GROUPS: &[&str] =
    &["", "apps", "autoscaling", "batch", "extensions", "policy"];

/// Groups below `k8s.io` whose types ship as CRDs or by an aggregated API server; with all below them.
pub(super) const CUSTOM_GROUPS: &[&str] = &[
    "autoscaling.k8s.io",
    "cluster.k8s.io",
    "csi.storage.k8s.io",
    "custom.metrics.k8s.io",
    "external.metrics.k8s.io",
    "gateway.networking.k8s.io",
    "groupsnapshot.storage.k8s.io",
    "metrics.k8s.io",
    "migration.k8s.io",
    "multicluster.k8s.io",
    "nfd.k8s.io",
    "policy.networking.k8s.io",
    "servicecatalog.k8s.io",
    "snapshot.storage.k8s.io",
    "wardle.example.k8s.io",
    "x-k8s.io",
];

/// Groups of files that programs read; no API server serves them.
pub(super) const CONFIGURATION_GROUPS: &[&str] = &[
    "apiserver.config.k8s.io",
    "apiserver.k8s.io",
    "audit.k8s.io",
    "client.authentication.k8s.io",
    "componentconfig.k8s.io",
    "controllermanager.config.k8s.io",
    "credentialprovider.kubelet.k8s.io",
    "imagepolicy.k8s.io",
    "kubeadm.k8s.io",
    "kubecontrollermanager.config.k8s.io",
    "kubelet.config.k8s.io",
    "kubeproxy.config.k8s.io",
    "kubescheduler.config.k8s.io",
    "kustomize.config.k8s.io",
    "pod-security.admission.config.k8s.io",
];

/// Kinds that went away under another name or for good: group, kind (empty: any), advice.
pub(super) const REPLACED: &[(&str, &str, &str)] = &[
    ("policy", "PodSecurityPolicy", "removed in 1.25: use Pod Security Admission"),
    ("extensions", "PodSecurityPolicy", "removed in 1.25: use Pod Security Admission"),
    ("kustomize.config.k8s.io", "", "run `kubectl kustomize` and give its output"),
    ("settings.k8s.io", "PodPreset", "removed in 1.20"),
    ("extensions", "ThirdPartyResource", "removed in 1.8: use a CustomResourceDefinition"),
];
