//! What a runtime tells, in our own words.

use k8s_cri::v1;

/// A sandbox as it is listed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SandboxTold {
    /// Its id.
    pub id: String,
    /// Its pod's name.
    pub name: String,
    /// Its labels, sorted.
    pub labels: Vec<(String, String)>,
    /// Whether it stands.
    pub is_ready: bool,
}

/// What a container does (`CONTAINER_CREATED` ..).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainerState {
    /// Created, not started.
    Created,
    /// It runs.
    Running,
    /// It ended.
    Exited,
    /// The runtime does not know.
    Unknown,
}

/// A container's status. Instants are nanoseconds since 1970, 0 where they have not come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerTold {
    /// What it does.
    pub state: ContainerState,
    /// When it was created.
    pub created: i64,
    /// When its program began.
    pub started: i64,
    /// When its program ended: the sample of a program's end, whenever it was seen.
    pub finished: i64,
    /// Its exit code.
    pub exit_code: i32,
    /// Why it ended: `Completed`, `Error`, `OOMKilled` (with any exit code), `StartError` (with 128).
    pub reason: String,
    /// The runtime's words.
    pub message: String,
    /// Its labels, sorted.
    pub labels: Vec<(String, String)>,
    /// The file of its log; empty: none.
    pub log: String,
}

/// What a command said that ran inside a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Executed {
    /// Its exit code.
    pub code: i32,
    /// Its output.
    pub out: Vec<u8>,
    /// Its errors.
    pub err: Vec<u8>,
}

/// An image.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImageTold {
    /// Its id.
    pub id: String,
    /// Its names.
    pub names: Vec<String>,
    /// Its size in bytes, as the runtime counts it (containerd: as fetched).
    pub bytes: u64,
}

/// What a container has taken.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Used {
    /// The container.
    pub id: String,
    /// When that was read, in nanoseconds since 1970.
    pub at: i64,
    /// Processor time since its start, in nanoseconds.
    pub cpu_nanos: u64,
    /// Memory it works with, in bytes.
    pub memory: u64,
}

impl From<i32> for ContainerState {
    fn from(state: i32) -> ContainerState {
        match v1::ContainerState::try_from(state) {
            Ok(v1::ContainerState::ContainerCreated) => ContainerState::Created,
            Ok(v1::ContainerState::ContainerRunning) => ContainerState::Running,
            Ok(v1::ContainerState::ContainerExited) => ContainerState::Exited,
            _ => ContainerState::Unknown,
        }
    }
}

fn sorted(labels: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut labels: Vec<_> = labels.into_iter().collect();
    labels.sort();
    labels
}

impl From<v1::PodSandbox> for SandboxTold {
    fn from(told: v1::PodSandbox) -> SandboxTold {
        SandboxTold {
            id: told.id,
            name: told.metadata.map(|it| it.name).unwrap_or_default(),
            labels: sorted(told.labels),
            is_ready: told.state == i32::from(v1::PodSandboxState::SandboxReady),
        }
    }
}

impl From<v1::ContainerStatus> for ContainerTold {
    fn from(told: v1::ContainerStatus) -> ContainerTold {
        ContainerTold {
            state: told.state.into(),
            created: told.created_at,
            started: told.started_at,
            finished: told.finished_at,
            exit_code: told.exit_code,
            reason: told.reason,
            message: told.message,
            labels: sorted(told.labels),
            log: told.log_path,
        }
    }
}

impl From<v1::ExecSyncResponse> for Executed {
    fn from(told: v1::ExecSyncResponse) -> Executed {
        Executed { code: told.exit_code, out: told.stdout, err: told.stderr }
    }
}

impl From<v1::Image> for ImageTold {
    fn from(told: v1::Image) -> ImageTold {
        let names = [told.repo_tags, told.repo_digests].concat();
        ImageTold { id: told.id, names, bytes: told.size }
    }
}

impl From<v1::ContainerStats> for Used {
    fn from(told: v1::ContainerStats) -> Used {
        let cpu = told.cpu.unwrap_or_default();
        let memory = told.memory.unwrap_or_default();
        Used {
            id: told.attributes.map(|it| it.id).unwrap_or_default(),
            at: cpu.timestamp,
            cpu_nanos: cpu.usage_core_nano_seconds.map_or(0, |it| it.value),
            memory: memory.working_set_bytes.map_or(0, |it| it.value),
        }
    }
}
