//! A CRI v1 client: every call waits for its answer and says how long that took.
//!
//! The connection lives on a thread of its own; a [`Client`] may be cloned and used from many threads at once,
//! and their calls are under way side by side.
mod told;
mod wanted;

use std::future::Future;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use k8s_cri::v1;
use k8s_cri::v1::image_service_client::ImageServiceClient;
use k8s_cri::v1::runtime_service_client::RuntimeServiceClient;
use tokio::runtime::{Builder, Handle};
use tokio::sync::Notify;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Response, Status};

pub use told::{ContainerState, ContainerTold, Executed, ImageTold, SandboxTold, Used};
pub use wanted::{ContainerSpec, SandboxSpec};

use super::error::{CriError, CriKind, Trouble};
use super::files::{Watch, unix_nanos};
use crate::time::SimDuration;

/// What a call gave, and how long it took.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Timed<T> {
    /// What came back.
    pub value: T,
    /// From the call to its answer.
    pub took: SimDuration,
    /// When it was called, in nanoseconds since 1970: the clock that containers' states are stamped by.
    pub begun: i64,
}

/// An answered call, or why it failed.
pub type Called<T> = Result<Timed<T>, CriError>;

/// Most calls are answered in a second; one that is not in two minutes never will be.
const LIMIT: Duration = Duration::from_secs(120);
/// Big images of many files take their time.
const PULL_LIMIT: Duration = Duration::from_secs(900);

struct Connection {
    handle: Handle,
    end: Arc<Notify>,
    thread: Option<JoinHandle<()>>,
    channel: Channel,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A connection to a CRI v1 runtime.
#[derive(Clone)]
pub struct Client {
    connection: Arc<Connection>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Connects to the runtime that listens on this Unix socket. Nothing is sent yet: the first call finds out
    /// whether anybody answers.
    ///
    /// # Errors
    /// The thread of the connection cannot be started.
    pub fn connect(socket: &Path) -> Result<Client, Trouble> {
        let address = format!("unix://{}", socket.display());
        let failed = |why: String| Trouble::machine("the CRI client cannot be started", why);
        let endpoint = Endpoint::from_shared(address).map_err(|why| failed(why.to_string()))?;
        let end = Arc::new(Notify::new());
        let (out, ready) = mpsc::sync_channel(1);
        let ended = end.clone();
        let thread = std::thread::Builder::new()
            .name("cri".to_owned())
            .spawn(move || {
                let runtime = Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => {
                        let channel = {
                            let _inside = runtime.enter();
                            endpoint.connect_lazy()
                        };
                        let _ = out.send(Ok((runtime.handle().clone(), channel)));
                        runtime.block_on(ended.notified());
                    }
                    Err(error) => {
                        let _ = out.send(Err(error.to_string()));
                    }
                }
            })
            .map_err(|error| failed(error.to_string()))?;
        let (handle, channel) = ready
            .recv()
            .map_err(|error| failed(error.to_string()))
            .and_then(|started| started.map_err(failed))?;
        let connection = Connection { handle, end, thread: Some(thread), channel };
        Ok(Client { connection: Arc::new(connection) })
    }

    fn runtime(&self) -> RuntimeServiceClient<Channel> {
        RuntimeServiceClient::new(self.connection.channel.clone())
    }

    fn images(&self) -> ImageServiceClient<Channel> {
        ImageServiceClient::new(self.connection.channel.clone())
    }

    /// Waits for an answer, at most so long.
    fn wait<T, U>(
        &self,
        call: &'static str,
        limit: Duration,
        future: impl Future<Output = Result<Response<T>, Status>>,
        read: impl FnOnce(T) -> U,
    ) -> Called<U> {
        let (begun, watch) = (unix_nanos(), Watch::start());
        let limited = async { tokio::time::timeout(limit, future).await };
        let answered = self.connection.handle.block_on(limited);
        let took = watch.took();
        match answered {
            Ok(Ok(response)) => Ok(Timed { value: read(response.into_inner()), took, begun }),
            Ok(Err(status)) => Err(failed(call, &status, took)),
            Err(_) => {
                let message = format!("no answer within {} s", limit.as_secs());
                Err(CriError { call, kind: CriKind::DeadlineExceeded, message, took })
            }
        }
    }

    /// `Version`: the runtime's name and version.
    pub fn version(&self) -> Called<(String, String)> {
        let (mut to, request) = (self.runtime(), v1::VersionRequest::default());
        self.wait("Version", LIMIT, async move { to.version(request).await }, |told| {
            (told.runtime_name, told.runtime_version)
        })
    }

    /// `Status`: the conditions that do not hold, in the runtime's words. Without a network plugin
    /// `NetworkReady` is among them; sandboxes in the host's network run all the same.
    pub fn status(&self) -> Called<Vec<String>> {
        let (mut to, request) = (self.runtime(), v1::StatusRequest::default());
        self.wait("Status", LIMIT, async move { to.status(request).await }, |told| {
            let conditions = told.status.map(|status| status.conditions).unwrap_or_default();
            let bad = conditions.into_iter().filter(|condition| !condition.status);
            bad.map(|it| format!("{}: {} {}", it.r#type, it.reason, it.message)).collect()
        })
    }

    /// `RunPodSandbox`: the sandbox's id. It is in the host's network.
    pub fn run_pod_sandbox(&self, sandbox: &SandboxSpec) -> Called<String> {
        let request = v1::RunPodSandboxRequest {
            config: Some(sandbox.config()),
            runtime_handler: String::new(),
        };
        let mut to = self.runtime();
        let answer = async move { to.run_pod_sandbox(request).await };
        self.wait("RunPodSandbox", LIMIT, answer, |told| told.pod_sandbox_id)
    }

    /// `StopPodSandbox`: containers in it are killed.
    pub fn stop_pod_sandbox(&self, id: &str) -> Called<()> {
        let request = v1::StopPodSandboxRequest { pod_sandbox_id: id.to_owned() };
        let mut to = self.runtime();
        let answer = async move { to.stop_pod_sandbox(request).await };
        self.wait("StopPodSandbox", LIMIT, answer, |_| ())
    }

    /// `RemovePodSandbox`: it must be stopped; fine if it is not there.
    pub fn remove_pod_sandbox(&self, id: &str) -> Called<()> {
        let request = v1::RemovePodSandboxRequest { pod_sandbox_id: id.to_owned() };
        let mut to = self.runtime();
        let answer = async move { to.remove_pod_sandbox(request).await };
        self.wait("RemovePodSandbox", LIMIT, answer, |_| ())
    }

    /// `ListPodSandbox`: those with this label.
    pub fn list_pod_sandboxes(&self, label: (&str, &str)) -> Called<Vec<SandboxTold>> {
        let filter = v1::PodSandboxFilter { label_selector: one(label), ..Default::default() };
        let request = v1::ListPodSandboxRequest { filter: Some(filter) };
        let mut to = self.runtime();
        let answer = async move { to.list_pod_sandbox(request).await };
        self.wait("ListPodSandbox", LIMIT, answer, |told| {
            told.items.into_iter().map(SandboxTold::from).collect()
        })
    }

    /// `CreateContainer`: the container's id.
    pub fn create_container(
        &self,
        sandbox_id: &str,
        sandbox: &SandboxSpec,
        container: &ContainerSpec,
    ) -> Called<String> {
        let request = v1::CreateContainerRequest {
            pod_sandbox_id: sandbox_id.to_owned(),
            config: Some(container.config(sandbox)),
            sandbox_config: Some(sandbox.config()),
        };
        let mut to = self.runtime();
        let answer = async move { to.create_container(request).await };
        self.wait("CreateContainer", LIMIT, answer, |told| told.container_id)
    }

    /// `StartContainer`.
    pub fn start_container(&self, id: &str) -> Called<()> {
        let request = v1::StartContainerRequest { container_id: id.to_owned() };
        let mut to = self.runtime();
        let answer = async move { to.start_container(request).await };
        self.wait("StartContainer", LIMIT, answer, |_| ())
    }

    /// `StopContainer`: SIGTERM, and SIGKILL after so many seconds; fine if it is not there.
    pub fn stop_container(&self, id: &str, grace_seconds: u32) -> Called<()> {
        let timeout = i64::from(grace_seconds);
        let request = v1::StopContainerRequest { container_id: id.to_owned(), timeout };
        let mut to = self.runtime();
        let limit = LIMIT + Duration::from_secs(grace_seconds.into());
        self.wait("StopContainer", limit, async move { to.stop_container(request).await }, |_| ())
    }

    /// `UpdateContainerResources`: limits and weights as `container` has them now.
    pub fn update_container(&self, id: &str, container: &ContainerSpec) -> Called<()> {
        let request = v1::UpdateContainerResourcesRequest {
            container_id: id.to_owned(),
            linux: Some(container.resources()),
            ..Default::default()
        };
        let mut to = self.runtime();
        let answer = async move { to.update_container_resources(request).await };
        self.wait("UpdateContainerResources", LIMIT, answer, |_| ())
    }

    /// `RemoveContainer`; fine if it is not there.
    pub fn remove_container(&self, id: &str) -> Called<()> {
        let request = v1::RemoveContainerRequest { container_id: id.to_owned() };
        let mut to = self.runtime();
        let answer = async move { to.remove_container(request).await };
        self.wait("RemoveContainer", LIMIT, answer, |_| ())
    }

    /// `ContainerStatus`.
    pub fn container_status(&self, id: &str) -> Called<ContainerTold> {
        let request =
            v1::ContainerStatusRequest { container_id: id.to_owned(), ..Default::default() };
        let mut to = self.runtime();
        let answer = async move { to.container_status(request).await };
        self.wait("ContainerStatus", LIMIT, answer, |told| {
            ContainerTold::from(told.status.unwrap_or_default())
        })
    }

    /// `ListContainers`: ids and states of those with this label.
    pub fn list_containers(&self, label: (&str, &str)) -> Called<Vec<(String, ContainerState)>> {
        let filter = v1::ContainerFilter { label_selector: one(label), ..Default::default() };
        let request = v1::ListContainersRequest { filter: Some(filter) };
        let mut to = self.runtime();
        let answer = async move { to.list_containers(request).await };
        self.wait("ListContainers", LIMIT, answer, |told| {
            let state = |it: v1::Container| (it.id, ContainerState::from(it.state));
            told.containers.into_iter().map(state).collect()
        })
    }

    /// `ContainerStats` of one container.
    pub fn container_stats(&self, id: &str) -> Called<Used> {
        let request = v1::ContainerStatsRequest { container_id: id.to_owned() };
        let mut to = self.runtime();
        let answer = async move { to.container_stats(request).await };
        self.wait("ContainerStats", LIMIT, answer, |told| {
            Used::from(told.stats.unwrap_or_default())
        })
    }

    /// `ListContainerStats` of those with this label.
    pub fn list_container_stats(&self, label: (&str, &str)) -> Called<Vec<Used>> {
        let filter = v1::ContainerStatsFilter { label_selector: one(label), ..Default::default() };
        let request = v1::ListContainerStatsRequest { filter: Some(filter) };
        let mut to = self.runtime();
        let answer = async move { to.list_container_stats(request).await };
        self.wait("ListContainerStats", LIMIT, answer, |told| {
            told.stats.into_iter().map(Used::from).collect()
        })
    }

    /// `ExecSync`: runs a command inside a container, at most so many seconds (0: no limit).
    pub fn exec_sync(
        &self,
        id: &str,
        command: &[String],
        timeout_seconds: u32,
    ) -> Called<Executed> {
        let request = v1::ExecSyncRequest {
            container_id: id.to_owned(),
            cmd: command.to_vec(),
            timeout: timeout_seconds.into(),
        };
        let mut to = self.runtime();
        let limit = LIMIT + Duration::from_secs(timeout_seconds.into());
        let answer = async move { to.exec_sync(request).await };
        self.wait("ExecSync", limit, answer, Executed::from)
    }

    /// `PullImage`: the image's reference.
    pub fn pull_image(&self, name: &str) -> Called<String> {
        let request =
            v1::PullImageRequest { image: Some(wanted::image(name)), ..Default::default() };
        let mut to = self.images();
        let answer = async move { to.pull_image(request).await };
        self.wait("PullImage", PULL_LIMIT, answer, |told| told.image_ref)
    }

    /// `ImageStatus`: `None` if it is not there.
    pub fn image_status(&self, name: &str) -> Called<Option<ImageTold>> {
        let request =
            v1::ImageStatusRequest { image: Some(wanted::image(name)), ..Default::default() };
        let mut to = self.images();
        let answer = async move { to.image_status(request).await };
        self.wait("ImageStatus", LIMIT, answer, |told| told.image.map(ImageTold::from))
    }

    /// `ListImages`.
    pub fn list_images(&self) -> Called<Vec<ImageTold>> {
        let (mut to, request) = (self.images(), v1::ListImagesRequest::default());
        let answer = async move { to.list_images(request).await };
        self.wait("ListImages", LIMIT, answer, |told| {
            told.images.into_iter().map(ImageTold::from).collect()
        })
    }

    /// `RemoveImage`: the image goes with every name it has; fine if it is not there.
    pub fn remove_image(&self, name: &str) -> Called<()> {
        let request = v1::RemoveImageRequest { image: Some(wanted::image(name)) };
        let mut to = self.images();
        let answer = async move { to.remove_image(request).await };
        self.wait("RemoveImage", LIMIT, answer, |_| ())
    }
}

/// A selector of one label.
fn one<M: FromIterator<(String, String)>>((key, value): (&str, &str)) -> M {
    std::iter::once((key.to_owned(), value.to_owned())).collect()
}

fn failed(call: &'static str, status: &Status, took: SimDuration) -> CriError {
    let message = status.message().to_owned();
    let is_about = |text: &str| message.contains(text);
    let kind = match status.code() {
        _ if is_about("no space left on device") => CriKind::NoSpace,
        Code::NotFound => CriKind::NotFound,
        Code::AlreadyExists => CriKind::AlreadyExists,
        Code::DeadlineExceeded => CriKind::DeadlineExceeded,
        Code::Unimplemented => CriKind::Unimplemented,
        Code::Unavailable => CriKind::Unavailable,
        _ if is_about("is reserved for") => CriKind::AlreadyExists,
        _ if is_about("transport error") || is_about("tcp connect error") => CriKind::Unavailable,
        _ => CriKind::Unknown,
    };
    CriError { call, kind, message, took }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_with_what_to_do() {
        let told = |status: &Status| failed("RunPodSandbox", status, SimDuration::ZERO);
        let old = told(&Status::unimplemented("unknown service runtime.v1.RuntimeService"));
        assert_eq!(old.kind, CriKind::Unimplemented);
        assert!(old.to_string().contains("does not speak CRI v1"), "{old}");
        let full = told(&Status::unknown("failed to extract layer: no space left on device"));
        assert_eq!(full.kind, CriKind::NoSpace);
        assert!(full.to_string().contains("--work"), "{full}");
        let taken = told(&Status::unknown("name \"x\" is reserved for \"y\""));
        assert_eq!(taken.kind, CriKind::AlreadyExists);
        let plain = told(&Status::unknown("no runtime for \"kata\" is configured"));
        assert_eq!(plain.to_string(), "RunPodSandbox: no runtime for \"kata\" is configured");
    }

    #[test]
    fn a_socket_where_nobody_listens_is_told_as_such() {
        let client = Client::connect(Path::new("/nowhere/runtime.sock")).unwrap();
        let error = client.version().unwrap_err();
        assert_eq!(error.kind, CriKind::Unavailable, "{error}");
    }
}
