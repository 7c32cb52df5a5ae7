//! From a kind, as requests name it, to the type that holds its objects.

/// Which type holds objects of a kind: evaluates `$body` with `$T` standing for it.
macro_rules! of_kind {
    ($kind:expr, $T:ident => $body:expr) => {{
        macro_rules! with {
            ($held:ty) => {{
                type $T = $held;
                $body
            }};
        }
        match $kind {
            $crate::api::kind::Kind::Pod => with!($crate::api::pod::Pod),
            $crate::api::kind::Kind::Node => with!($crate::api::node::Node),
            $crate::api::kind::Kind::Namespace => with!($crate::api::misc::Namespace),
            $crate::api::kind::Kind::ReplicaSet
            | $crate::api::kind::Kind::ReplicationController => {
                with!($crate::api::workload::ReplicaSet)
            }
            $crate::api::kind::Kind::Deployment => with!($crate::api::workload::Deployment),
            $crate::api::kind::Kind::Service => with!($crate::api::service::Service),
            $crate::api::kind::Kind::EndpointSlice => with!($crate::api::service::EndpointSlice),
            $crate::api::kind::Kind::Endpoints => with!($crate::api::service::Endpoints),
            $crate::api::kind::Kind::Lease => with!($crate::api::misc::Lease),
            $crate::api::kind::Kind::PriorityClass => with!($crate::api::misc::PriorityClass),
            $crate::api::kind::Kind::PodDisruptionBudget => {
                with!($crate::api::disruption::PodDisruptionBudget)
            }
            $crate::api::kind::Kind::StatefulSet => with!($crate::api::stateful_set::StatefulSet),
            $crate::api::kind::Kind::DaemonSet => with!($crate::api::daemon_set::DaemonSet),
            $crate::api::kind::Kind::ControllerRevision => {
                with!($crate::api::controller_revision::ControllerRevision)
            }
            $crate::api::kind::Kind::Job => with!($crate::api::job::Job),
            $crate::api::kind::Kind::CronJob => with!($crate::api::cron_job::CronJob),
            $crate::api::kind::Kind::PersistentVolume => {
                with!($crate::api::storage::PersistentVolume)
            }
            $crate::api::kind::Kind::PersistentVolumeClaim => {
                with!($crate::api::storage::PersistentVolumeClaim)
            }
            $crate::api::kind::Kind::StorageClass => with!($crate::api::storage::StorageClass),
            $crate::api::kind::Kind::CsiNode => with!($crate::api::storage::CsiNode),
            $crate::api::kind::Kind::LimitRange => with!($crate::api::limit_range::LimitRange),
            $crate::api::kind::Kind::HorizontalPodAutoscaler => {
                with!($crate::api::autoscaling::HorizontalPodAutoscaler)
            }
            $crate::api::kind::Kind::ResourceQuota => {
                with!($crate::api::resource_quota::ResourceQuota)
            }
            $crate::api::kind::Kind::Client
            | $crate::api::kind::Kind::NodeGroup
            | $crate::api::kind::Kind::VerticalPodAutoscaler
            | $crate::api::kind::Kind::Other => {
                with!($crate::api::misc::Other)
            }
        }
    }};
}

pub(super) use of_kind;
