//! What is asked of a runtime: sandboxes and containers as this project makes them.

use k8s_cri::v1;

/// A sandbox: a pod's shell. It is in the host's network, so that no network plugin is needed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SandboxSpec {
    /// The pod's name.
    pub name: String,
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's uid: names and uids of living sandboxes differ.
    pub uid: String,
    /// How often the pod had a sandbox before.
    pub attempt: u32,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// The cgroup its containers go below, from each hierarchy's root.
    pub cgroup_parent: String,
    /// The folder of its containers' logs; empty: none are kept.
    pub logs: String,
}

/// A container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContainerSpec {
    /// Its name.
    pub name: String,
    /// How often it was created before.
    pub attempt: u32,
    /// Its image, as it was pulled.
    pub image: String,
    /// In place of the image's entrypoint; empty: that.
    pub command: Vec<String>,
    /// In place of the image's arguments; empty: those.
    pub args: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// Thousandths of a processor it may take, by quota over 100 ms; 0: no limit.
    pub cpu_limit_milli: i64,
    /// Thousandths of a processor it asks for, as weight; 0: the least.
    pub cpu_request_milli: i64,
    /// Bytes of memory it may take, swap included; 0: no limit.
    pub memory_limit: i64,
}

/// The quota's period, as a kubelet sets it.
const PERIOD: i64 = 100_000;

impl SandboxSpec {
    pub(super) fn config(&self) -> v1::PodSandboxConfig {
        let host = v1::NamespaceOption {
            network: v1::NamespaceMode::Node.into(),
            pid: v1::NamespaceMode::Container.into(),
            ..Default::default()
        };
        let security =
            v1::LinuxSandboxSecurityContext { namespace_options: Some(host), ..Default::default() };
        v1::PodSandboxConfig {
            metadata: Some(v1::PodSandboxMetadata {
                name: self.name.clone(),
                uid: self.uid.clone(),
                namespace: self.namespace.clone(),
                attempt: self.attempt,
            }),
            log_directory: self.logs.clone(),
            labels: self.labels.iter().cloned().collect(),
            linux: Some(v1::LinuxPodSandboxConfig {
                cgroup_parent: self.cgroup_parent.clone(),
                security_context: Some(security),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

impl ContainerSpec {
    pub(super) fn resources(&self) -> v1::LinuxContainerResources {
        let quota = self.cpu_limit_milli.saturating_mul(PERIOD / 1000);
        v1::LinuxContainerResources {
            cpu_period: if quota > 0 { PERIOD } else { 0 },
            cpu_quota: quota,
            // MilliCPUToShares of kubelet 1.36.
            cpu_shares: (self.cpu_request_milli.saturating_mul(1024) / 1000).clamp(2, 262_144),
            memory_limit_in_bytes: self.memory_limit,
            memory_swap_limit_in_bytes: self.memory_limit,
            ..Default::default()
        }
    }

    pub(super) fn config(&self, sandbox: &SandboxSpec) -> v1::ContainerConfig {
        let host = v1::NamespaceOption {
            network: v1::NamespaceMode::Node.into(),
            pid: v1::NamespaceMode::Container.into(),
            ..Default::default()
        };
        let security = v1::LinuxContainerSecurityContext {
            namespace_options: Some(host),
            ..Default::default()
        };
        let env = self.env.iter();
        let log = format!("{}_{}.log", self.name, self.attempt);
        v1::ContainerConfig {
            metadata: Some(v1::ContainerMetadata {
                name: self.name.clone(),
                attempt: self.attempt,
            }),
            image: Some(image(&self.image)),
            command: self.command.clone(),
            args: self.args.clone(),
            envs: env
                .map(|(key, value)| v1::KeyValue { key: key.clone(), value: value.clone() })
                .collect(),
            labels: self.labels.iter().cloned().collect(),
            log_path: if sandbox.logs.is_empty() { String::new() } else { log },
            linux: Some(v1::LinuxContainerConfig {
                resources: Some(self.resources()),
                security_context: Some(security),
            }),
            ..Default::default()
        }
    }
}

pub(super) fn image(name: &str) -> v1::ImageSpec {
    v1::ImageSpec { image: name.to_owned(), ..Default::default() }
}
