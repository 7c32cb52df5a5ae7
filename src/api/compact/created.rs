//! What the API server fills into a pod at its creation, and leaves open in a template
//! (`SetDefaults_Pod`, pkg/apis/core/v1/defaults.go 1.36): requests out of limits, of containers and of
//! the pod as a whole, and ports of the host for a pod that uses the node's network.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::Compactor;
use crate::api::decode::Typed;
use crate::api::object::Object;
use crate::api::pod::PodSpec;
use crate::api::validation::field::Errors;
use crate::api::validation::object::prepare_create_undecided;

/// What a written spec must hold for anything to be filled in.
const MARKS: [&str; 2] = ["\"limits\":", "\"hostNetwork\":true"];

/// The name a pod is checked under when only its spec is asked about.
const STAND_IN_NAME: &str = "pod";

impl Compactor {
    /// The spec of a pod that is made of a template with this one: itself, where nothing is to be
    /// filled in.
    pub fn created(&mut self, spec: &Arc<PodSpec>) -> Arc<PodSpec> {
        if !MARKS.iter().any(|mark| spec.written.contains(mark)) {
            return spec.clone();
        }
        let Ok(written) = serde_json::from_str(&spec.written) else { return spec.clone() };
        self.refilled(spec, written).0
    }

    /// The spec with what is written of its containers now, and what is wrong with that.
    pub fn refilled(
        &mut self,
        spec: &Arc<PodSpec>,
        written: core::PodSpec,
    ) -> (Arc<PodSpec>, Errors) {
        let mut pod = core::Pod { spec: Some(written), ..core::Pod::default() };
        pod.metadata.name = Some(STAND_IN_NAME.to_owned());
        let mut typed = Typed::Pod(Box::new(pod));
        // What hangs on a feature gate was checked when the spec came.
        let errors = prepare_create_undecided(&mut typed).decided(|_, _| false);
        let Typed::Pod(pod) = typed else { return (spec.clone(), errors) };
        let Object::Pod(pod) = self.pod(*pod).object else { return (spec.clone(), errors) };
        let filled = PodSpec {
            init_containers: pod.spec.init_containers.clone(),
            containers: pod.spec.containers.clone(),
            requests: pod.spec.requests.clone(),
            nonzero_requests: pod.spec.nonzero_requests.clone(),
            qos: pod.spec.qos,
            host_ports: pod.spec.host_ports.clone(),
            ..(**spec).clone()
        };
        if filled == **spec {
            return (spec.clone(), errors);
        }
        (Arc::new(PodSpec { written: pod.spec.written.clone(), ..filled }), errors)
    }
}
