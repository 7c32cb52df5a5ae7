//! How each call is carried out.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use serde_json::Value;

use super::super::cri::{ContainerSpec, ContainerState, ContainerTold};
use super::super::error::{CriError, CriKind};
use super::super::files;
use super::probing::{Target, probe};
use super::script::{arguments, container_of};
use super::table::{Boxed, Made, SandboxState};
use super::{LOOK_MILLIS, Shared};
use crate::api::name::Text;
use crate::api::pod::{Pod, PodSpec, TerminationReason};
use crate::api::rules::commands::expanded;
use crate::base::Id;
use crate::messages::engine::{
    ContainerRef, EngineAnswer, EngineAsk, EngineCall, EngineError, EngineEvent, Exit, ListedState,
    ProbeKind, SandboxConfig,
};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

type Answer = Result<EngineAnswer, EngineError>;

/// Carries a call out and tells what came of it; `turn` counts the stops of a container.
pub(super) fn carry_out(shared: &Shared, node: NodeIndex, call: EngineCall, turn: u32) {
    let answer = match call.ask {
        EngineAsk::RunPodSandbox(config) => shared.run_sandbox(node, config),
        EngineAsk::StopPodSandbox(pod) => shared.stop_sandbox(pod),
        EngineAsk::RemovePodSandbox(pod) => shared.remove_sandbox(pod),
        EngineAsk::ImageStatus(image) => shared.image_status(&image),
        EngineAsk::PullImage(image) => shared.pull(&image),
        EngineAsk::CreateContainer(container) => shared.create(container),
        EngineAsk::StartContainer(container) => match shared.start(container, node, &call) {
            // Told already, before the container's end can be.
            Ok(()) => return,
            Err(error) => Err(error),
        },
        EngineAsk::UpdateContainerResources(container, spec) => shared.update(container, spec),
        EngineAsk::StopContainer(container, grace) => match shared.stop(container, grace, turn) {
            Some(answer) => answer,
            None => return,
        },
        EngineAsk::Probe(container, kind) => {
            if let Some(good) = shared.probe(container, kind) {
                shared.tell(node, EngineEvent::Probed(container, kind, good));
            }
            return;
        }
    };
    shared.tell(node, EngineEvent::Done(call.op, answer));
}

/// Looks at all containers again and again, and tells which ended.
pub(super) fn look(shared: &Shared) {
    while !shared.is_over.load(Ordering::Relaxed) {
        files::wait(LOOK_MILLIS);
        let running = shared.table().running();
        if running.is_empty() {
            continue;
        }
        // A runtime that is gone tells of no ends: calls fail, and say so.
        let Ok(all) = shared.runtime.client().list_containers(shared.label()) else { continue };
        let exited = |id: &String| {
            let has_ended =
                |(one, state): &(String, _)| one == id && *state == ContainerState::Exited;
            all.value.iter().any(has_ended)
        };
        for (container, id) in running.iter().filter(|(_, id)| exited(id)) {
            shared.note_end(*container, id);
        }
    }
}

fn not_there(what: &str) -> EngineError {
    EngineError::NotFound(what.into())
}

fn refused(error: &CriError) -> EngineError {
    let words: Text = error.message.as_str().into();
    match error.kind {
        CriKind::NotFound => EngineError::NotFound(words),
        CriKind::AlreadyExists => EngineError::AlreadyExists,
        _ => EngineError::Unknown(words),
    }
}

/// The reason as the API has it, by the runtime's own word: it does not follow from the exit code.
fn reason(told: &ContainerTold) -> TerminationReason {
    match told.reason.as_str() {
        "OOMKilled" => TerminationReason::OomKilled,
        "StartError" => TerminationReason::StartError,
        "Completed" => TerminationReason::Completed,
        "Error" => TerminationReason::Error,
        _ if told.exit_code == 0 => TerminationReason::Completed,
        _ => TerminationReason::Error,
    }
}

impl Shared {
    fn exit(&self, told: &ContainerTold) -> Exit {
        Exit { code: told.exit_code, reason: reason(told), finished: self.clock.of(told.finished) }
    }

    /// Tells of a container's end, if it has ended and nobody told yet.
    fn note_end(&self, container: ContainerRef, id: &str) {
        let Ok(told) = self.runtime.client().container_status(id) else { return };
        if told.value.state != ContainerState::Exited {
            return;
        }
        let exit = self.exit(&told.value);
        let mut table = self.table();
        if let Some((node, exit)) = table.ended(container, exit) {
            // Under the lock: nothing that follows from it is told before.
            self.tell(node, EngineEvent::Exited(container, exit));
        }
    }

    fn run_sandbox(&self, node: NodeIndex, config: SandboxConfig) -> Answer {
        let pod = config.pod;
        for container in config.spec.init_containers.iter().chain(&config.spec.containers) {
            let offered = self.offer(&container.image);
            offered.map_err(|trouble| EngineError::Unknown(trouble.to_string().into()))?;
        }
        let number = self.sandboxes.fetch_add(1, Ordering::Relaxed);
        let spec = self.runtime.sandbox(&format!("pod-{number}"));
        let address = self.next_address();
        let made = Made {
            node,
            config,
            spec: spec.clone(),
            address,
            state: SandboxState::Coming,
            containers: Vec::new(),
        };
        if !self.table().begin(pod, made) {
            return Err(EngineError::AlreadyExists);
        }
        let ran = self.runtime.client().run_pod_sandbox(&spec);
        let mut table = self.table();
        match ran {
            Ok(ran) => match table.pod_mut(pod) {
                Some(made) => {
                    made.state = SandboxState::Ready(ran.value);
                    Ok(EngineAnswer::Sandbox(address))
                }
                None => Err(not_there("sandbox")),
            },
            Err(error) => {
                table.remove(pod);
                Err(refused(&error))
            }
        }
    }

    fn stop_sandbox(&self, pod: Id<Pod>) -> Answer {
        let Some((id, containers)) = self.of_pod(pod) else { return Ok(EngineAnswer::Ok) };
        let stopped = self.runtime.client().stop_pod_sandbox(&id);
        stopped.map_err(|error| refused(&error))?;
        containers.iter().for_each(|(container, id)| self.note_end(*container, id));
        if let Some(made) = self.table().pod_mut(pod) {
            made.state = SandboxState::Stopped(id);
        }
        Ok(EngineAnswer::Ok)
    }

    /// The runtime's ids of a pod's sandbox and its containers.
    fn of_pod(&self, pod: Id<Pod>) -> Option<(String, Vec<(ContainerRef, String)>)> {
        let table = self.table();
        let made = table.pod(pod)?;
        let containers = made.containers.iter().map(|one| (one.container, one.id.clone()));
        Some((made.state.id()?.to_owned(), containers.collect()))
    }

    fn remove_sandbox(&self, pod: Id<Pod>) -> Answer {
        // From here on nothing is told of it.
        let Some(made) = self.table().remove(pod) else { return Ok(EngineAnswer::Ok) };
        let Some(id) = made.state.id() else { return Ok(EngineAnswer::Ok) };
        let client = self.runtime.client();
        let removed = client.stop_pod_sandbox(id).and_then(|_| client.remove_pod_sandbox(id));
        removed.map(|_| EngineAnswer::Ok).map_err(|error| refused(&error))
    }

    fn image_status(&self, image: &str) -> Answer {
        let status = self.runtime.client().image_status(&self.runtime.reference(image));
        match status.map_err(|error| refused(&error))?.value {
            Some(told) => Ok(EngineAnswer::Image {
                bytes: i64::try_from(told.bytes).unwrap_or(i64::MAX),
                fetched: 0,
                took: (SimDuration::ZERO, SimDuration::ZERO),
            }),
            None => Err(not_there(image)),
        }
    }

    fn pull(&self, image: &str) -> Answer {
        let asked = self.clock.now();
        let _turn = self.pulling.lock().unwrap_or_else(PoisonError::into_inner);
        let was_there = self.image_status(image).is_ok();
        let pulled = self.runtime.client().pull_image(&self.runtime.reference(image));
        let took = pulled.map_err(|error| refused(&error))?.took;
        let EngineAnswer::Image { bytes, .. } = self.image_status(image)? else {
            return Err(not_there(image));
        };
        let fetched = if was_there { 0 } else { bytes };
        Ok(EngineAnswer::Image { bytes, fetched, took: (took, self.clock.now() - asked) })
    }

    fn create(&self, container: ContainerRef) -> Answer {
        let (sandbox_id, sandbox, spec, image, is_staged) = {
            let table = self.table();
            let made = table.pod(container.pod).ok_or_else(|| not_there("sandbox"))?;
            let SandboxState::Ready(id) = &made.state else {
                return Err(EngineError::Unknown("sandbox is not running".into()));
            };
            let lives = |one: &&Boxed| {
                one.container.index == container.index
                    && !matches!(one.state, ListedState::Exited(..))
            };
            if made.containers.iter().any(|one| lives(&one)) {
                return Err(EngineError::AlreadyExists);
            }
            let (spec, image) = self.container_spec(made, container)?;
            let app = made.config.apps.get(usize::from(container.index));
            let is_staged = app.is_some_and(|app| app.start.is_some());
            (id.clone(), made.spec.clone(), spec, image, is_staged)
        };
        let client = self.runtime.client();
        if is_staged && self.image_status(&image).is_err() {
            // Kubelets fetch no image of a container whose scenario says when it starts.
            self.pull(&image)?;
        }
        let created = client.create_container(&sandbox_id, &sandbox, &spec);
        let id = created.map_err(|error| refused(&error))?.value;
        let mut old = Vec::new();
        let mut table = self.table();
        let made = table.pod_mut(container.pod).ok_or_else(|| not_there("sandbox"))?;
        made.containers.retain(|one| {
            let stays = one.container.index != container.index;
            if !stays {
                old.push(one.id.clone());
            }
            stays
        });
        made.containers.push(Boxed { container, id, state: ListedState::Created, stops: 0 });
        drop(table);
        // Dead attempts take room only.
        old.iter().for_each(|id| drop(client.remove_container(id)));
        Ok(EngineAnswer::Ok)
    }

    /// A container as the runtime is to make it, and its image's name.
    fn container_spec(
        &self,
        made: &Made,
        container: ContainerRef,
    ) -> Result<(ContainerSpec, String), EngineError> {
        let config = &made.config;
        let wanted = container_of(&config.spec, container.index);
        let wanted = wanted.ok_or_else(|| not_there("container"))?;
        let written = written(config, container.index);
        let own = self.is_own_image(&wanted.image);
        let mut env = variables(&written);
        env.push(("WAVETANK_ADDRESS".to_owned(), made.address.to_string()));
        // `$(NAME)` in a command is the kubelet's to replace.
        let variable = |name: &str| {
            let found = env.iter().rev().find(|(one, _)| one == name);
            found.map(|(_, value)| value.as_str())
        };
        let words = |field: &str| -> Vec<String> {
            let words = written[field].as_array().into_iter().flatten().filter_map(Value::as_str);
            expanded(&words.collect::<Vec<_>>(), variable)
        };
        let (command, args) = match own {
            true => (words("command"), words("args")),
            false => (Vec::new(), arguments(config, container, made.address, self.luck)),
        };
        let spec = ContainerSpec {
            name: wanted.name.to_string(),
            attempt: container.attempt,
            image: self.runtime.reference(&wanted.image),
            command,
            args,
            env,
            labels: vec![(self.label().0.to_owned(), self.label().1.to_owned())],
            cpu_limit_milli: wanted.limits.cpu_milli,
            cpu_request_milli: wanted.requests.cpu_milli,
            memory_limit: wanted.limits.memory,
        };
        Ok((spec, wanted.image.to_string()))
    }

    /// What it may take is as this spec says: at once if it lives, else when it is created.
    fn update(&self, container: ContainerRef, spec: Arc<PodSpec>) -> Answer {
        let (id, wanted) = {
            let mut table = self.table();
            let made = table.pod_mut(container.pod).ok_or_else(|| not_there("sandbox"))?;
            made.config.spec = spec;
            let lives = |one: &&Boxed| {
                one.container.index == container.index
                    && !matches!(one.state, ListedState::Exited(..))
            };
            let Some(one) = made.containers.iter().find(lives) else { return Ok(EngineAnswer::Ok) };
            let id = one.id.clone();
            (id, self.container_spec(made, container)?.0)
        };
        let updated = self.runtime.client().update_container(&id, &wanted);
        updated.map(|_| EngineAnswer::Ok).map_err(|error| refused(&error))
    }

    fn id_of(&self, container: ContainerRef) -> Result<String, EngineError> {
        let mut table = self.table();
        let one = table.container(container).ok_or_else(|| not_there("container"))?;
        Ok(one.id.clone())
    }

    fn start(
        &self,
        container: ContainerRef,
        node: NodeIndex,
        call: &EngineCall,
    ) -> Result<(), EngineError> {
        let id = self.id_of(container)?;
        let client = self.runtime.client();
        let started = client.start_container(&id);
        let told = client.container_status(&id).map_err(|error| refused(&error))?.value;
        let mut table = self.table();
        let one = table.container(container).ok_or_else(|| not_there("container"))?;
        if let Err(error) = started {
            if told.state == ContainerState::Exited {
                let exit = self.exit(&told);
                one.state = ListedState::Exited(exit.finished, exit);
            }
            return Err(refused(&error));
        }
        let since: SimTime = self.clock.of(told.started);
        one.state = ListedState::Running(since);
        // Under the lock: its end is told later.
        self.tell(node, EngineEvent::Done(call.op, Ok(EngineAnswer::Started(since))));
        Ok(())
    }

    /// `None`: a later stop answers.
    fn stop(&self, container: ContainerRef, grace: u32, turn: u32) -> Option<Answer> {
        // What is not there is stopped.
        let Ok(id) = self.id_of(container) else { return Some(Ok(EngineAnswer::Ok)) };
        let stopped = self.runtime.client().stop_container(&id, grace);
        self.note_end(container, &id);
        let is_last = self.table().container(container).is_none_or(|one| one.stops == turn);
        is_last.then(|| stopped.map(|_| EngineAnswer::Ok).map_err(|error| refused(&error)))
    }

    /// Whether the container's probe is good; `None` if it does not run.
    fn probe(&self, container: ContainerRef, kind: ProbeKind) -> Option<bool> {
        let (config, address, id) = {
            let mut table = self.table();
            let id = match table.container(container)? {
                Boxed { id, state: ListedState::Running(_), .. } => id.clone(),
                _ => return None,
            };
            let made = table.pod(container.pod)?;
            (made.config.clone(), made.address, id)
        };
        let wanted = container_of(&config.spec, container.index)?;
        let asked = kind.of(wanted)?;
        let written = written(&config, container.index);
        let target = Target {
            client: self.runtime.client(),
            id: &id,
            address,
            probe: asked,
            written: &written[kind.field()],
            env: &variables(&written),
            is_own_program: !self.is_own_image(&wanted.image),
        };
        Some(probe(&target))
    }
}

/// The variables a container is given by value.
fn variables(written: &Value) -> Vec<(String, String)> {
    let all = written["env"].as_array().into_iter().flatten();
    let by_value = all.filter_map(|one| Some((one["name"].as_str()?, one["value"].as_str()?)));
    by_value.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A container as its pod's spec writes it; null where nothing is written.
fn written(config: &SandboxConfig, index: u16) -> Value {
    let spec: Value = serde_json::from_str(&config.spec.written).unwrap_or_default();
    let inits = config.spec.init_containers.len();
    match usize::from(index).checked_sub(inits) {
        None => spec["initContainers"][usize::from(index)].clone(),
        Some(at) => spec["containers"][at].clone(),
    }
}
