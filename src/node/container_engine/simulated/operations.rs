//! The operations: from a call to its answer.

use smallvec::SmallVec;

use super::images::ImageNumber;
use super::{
    Bench, EngineTimer, Op, OpKind, Program, Sandbox, SandboxState, SimulatedEngines, Spent,
    container_of, report,
};
use crate::api::name::Text;
use crate::api::pod::{Pod, PodNetwork, TerminationReason};
use crate::base::Id;
use crate::base::glob::is_like;
use crate::base::hash::StableHasher;
use crate::luck::{Draw, Label};
use crate::messages::engine::ListedState;
use crate::messages::engine::{
    ContainerRef, EngineAnswer, EngineAsk, EngineCall, EngineError, EngineEvent, Exit,
    SandboxConfig,
};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

const SANDBOX: Label = Label::new("engine-sandbox");
const STOP_SANDBOX: Label = Label::new("engine-stop-sandbox");
const REMOVE_SANDBOX: Label = Label::new("engine-remove-sandbox");
const CREATE: Label = Label::new("engine-create");
const BEGIN: Label = Label::new("engine-start");
const SIGNAL: Label = Label::new("engine-signal");
const PULL: Label = Label::new("engine-pull");

impl SimulatedEngines {
    pub(super) fn take_on(&mut self, node: NodeIndex, call: EngineCall, bench: &mut Bench<'_>) {
        let number = call.op;
        let cause = bench.fx.cause();
        let (now, floor) = (bench.fx.now(), SimDuration::ZERO);
        let op = move |kind| Op { node, number, cause, kind, floor, asked: now, begun: now };
        let costs = self.settings.clone();
        match call.ask {
            EngineAsk::RunPodSandbox(config) => {
                let staged =
                    !config.apps.is_empty() && config.apps.iter().all(|app| app.start.is_some());
                match self.new_sandbox(node, config, bench.fx.now()) {
                    Ok(sandbox) => {
                        let pod = self.sandboxes[sandbox].config.pod;
                        let id = self.ops.insert(op(OpKind::RunSandbox(sandbox)));
                        let spent = costs.run_sandbox.spend(|| self.luck_of_pod(SANDBOX, pod));
                        self.carry_out(id, spent, staged, bench);
                    }
                    Err(error) => {
                        let event = EngineEvent::Done(number, Err(error));
                        report(node, bench.fx.cause(), event, bench);
                    }
                }
            }
            EngineAsk::StopPodSandbox(pod) => {
                let staged = self.stop_sandbox(pod, bench);
                let id = self.ops.insert(op(OpKind::StopSandbox(pod)));
                let spent = costs.stop_sandbox.spend(|| self.luck_of_pod(STOP_SANDBOX, pod));
                self.carry_out(id, spent, staged, bench);
            }
            EngineAsk::RemovePodSandbox(pod) => {
                let staged = self.stop_sandbox(pod, bench);
                let id = self.ops.insert(op(OpKind::RemoveSandbox(pod)));
                let spent = costs.remove_sandbox.spend(|| self.luck_of_pod(REMOVE_SANDBOX, pod));
                self.carry_out(id, spent, staged, bench);
            }
            EngineAsk::ImageStatus(name) => {
                let result = self.image_status(node, name);
                report(node, cause, EngineEvent::Done(number, result), bench);
            }
            EngineAsk::PullImage(image) => {
                let image = self.images.number(&image);
                let id = self.ops.insert(op(OpKind::Fetch(image)));
                self.queue_pull(node, id, bench);
            }
            EngineAsk::CreateContainer(container) => {
                let staged = self.start_delay(container).is_some();
                let id = self.ops.insert(op(OpKind::Create(container)));
                let spent = costs.create.spend(|| self.luck_of_call(CREATE, container));
                self.carry_out(id, spent, staged, bench);
            }
            EngineAsk::StartContainer(container) => {
                let id = self.ops.insert(op(OpKind::Start(container)));
                match self.start_delay(container) {
                    Some(at) if at <= bench.fx.now() => self.op_due(id, bench),
                    Some(SimTime::MAX) => {}
                    Some(at) => bench.fx.arm_at(at, EngineTimer::Op(id)),
                    None => {
                        let spent = costs.start.spend(|| self.luck_of_call(BEGIN, container));
                        self.work(id, spent, bench);
                    }
                }
            }
            EngineAsk::UpdateContainerResources(container, spec) => {
                let result = self.update(container, &spec, bench);
                report(node, cause, EngineEvent::Done(number, result), bench);
            }
            // Kubelets work out what the programs they are told of here would answer.
            EngineAsk::Probe(..) => {}
            EngineAsk::StopContainer(container, grace) => {
                self.told_to_stop(container, SimDuration::from_secs(grace.into()), op, bench);
            }
        }
    }

    /// `StopContainer`: the signal costs what it costs before it is there.
    fn told_to_stop(
        &mut self,
        container: ContainerRef,
        grace: SimDuration,
        op: impl Fn(OpKind) -> Op,
        bench: &mut Bench<'_>,
    ) {
        let is_staged = self.start_delay(container).is_some();
        let costs = self.settings.clone();
        if let Some(signal) = costs.signal.as_ref().filter(|_| !is_staged) {
            let id = self.ops.insert(op(OpKind::Signal(container, grace)));
            let spent = signal.spend(|| self.luck_of_call(SIGNAL, container));
            self.work(id, spent, bench);
        } else {
            let id = self.ops.insert(op(OpKind::Stop(container)));
            self.stop_container(id, container, grace, bench);
        }
    }

    /// Lets an operation cost what it costs, or nothing.
    fn carry_out(&mut self, id: Id<Op>, spent: Spent, staged: bool, bench: &mut Bench<'_>) {
        if staged { self.op_due(id, bench) } else { self.work(id, spent, bench) }
    }

    /// Luck of a pod's sandbox.
    fn luck_of_pod(&self, label: Label, pod: Id<Pod>) -> Draw {
        let uid = self.sandbox_of(pod).map_or(0, |id| self.sandboxes[id].config.uid.0);
        self.luck.draw(label, uid, 0)
    }

    /// Luck of a call that is about a container.
    pub(super) fn luck_of_call(&self, label: Label, container: ContainerRef) -> Draw {
        let uid = self.sandbox_of(container.pod).map_or(0, |id| self.sandboxes[id].config.uid.0);
        let key = StableHasher::new().word(uid).word(container.index.into()).finish();
        self.luck.draw(label, key, container.attempt.into())
    }

    /// Luck of a node's pull of an image: one value for all its pulls of it.
    pub(super) fn luck_of_pull(&self, node: NodeIndex, image: ImageNumber) -> Draw {
        let name = self.images.reported(image).name;
        self.luck.draw(PULL, StableHasher::new().text(&name).finish(), node.0.into())
    }

    fn new_sandbox(
        &mut self,
        at: NodeIndex,
        config: SandboxConfig,
        now: SimTime,
    ) -> Result<Id<Sandbox>, EngineError> {
        if self.sandbox_of(config.pod).is_some() {
            return Err(EngineError::AlreadyExists);
        }
        let node = &mut self.nodes[at.row()];
        let address = match config.spec.network {
            PodNetwork::Host => node.address,
            PodNetwork::Own => node.pool.take().ok_or_else(|| {
                EngineError::Unknown("no IP addresses available in range set".into())
            })?,
        };
        let pod = config.pod;
        let id = self.sandboxes.insert(Sandbox {
            node: at,
            config,
            address: Some(address),
            asked: now,
            state: SandboxState::Ready,
            containers: SmallVec::new(),
            memory_due: SimTime::MAX,
        });
        node.sandboxes.push(id);
        self.by_pod.set(pod, id);
        Ok(id)
    }

    /// Ends all programs of a sandbox at once; says whether it costs nothing.
    fn stop_sandbox(&mut self, pod: Id<Pod>, bench: &mut Bench<'_>) -> bool {
        let Some(id) = self.sandbox_of(pod) else { return false };
        let now = bench.fx.now();
        for index in 0..self.sandboxes[id].containers.len() {
            if matches!(self.sandboxes[id].containers[index].state, ListedState::Running(_)) {
                let end = Exit { code: 137, reason: TerminationReason::Error, finished: now };
                self.end_program(id, index, end, bench);
            }
        }
        let sandbox = &mut self.sandboxes[id];
        sandbox.state = SandboxState::Stopped;
        sandbox.config.apps.iter().all(|app| app.start.is_some())
    }

    /// An operation has had all its time.
    pub(super) fn op_due(&mut self, id: Id<Op>, bench: &mut Bench<'_>) {
        let Some(op) = self.ops.get(id) else { return };
        bench.fx.because(op.cause);
        if let OpKind::Fetch(image) = op.kind {
            if !self.is_fetched(id, bench) {
                return;
            }
            let bytes = self.images.bytes(image);
            self.ops[id].kind = OpKind::Unpack(image, bytes);
            let node = self.ops[id].node;
            let settings = &self.settings;
            let draw = || self.luck_of_pull(node, image);
            let spent = settings.unpacking.spend(bytes, &settings.pull_present, draw);
            return self.work(id, spent, bench);
        }
        if let OpKind::Signal(container, grace) = op.kind {
            self.ops[id].kind = OpKind::Stop(container);
            return self.stop_container(id, container, grace, bench);
        }
        let Some(op) = self.ops.remove(id) else { return };
        if let OpKind::Show(sandbox, at) = op.kind {
            return self.show_end(sandbox, at, bench);
        }
        if let OpKind::Stop(container) = op.kind {
            self.show_stopped(container, bench);
        }
        let result = self.finish(&op, bench);
        report(op.node, op.cause, EngineEvent::Done(op.number, result), bench);
        if let OpKind::Unpack(..) | OpKind::Refuse(_) = op.kind {
            self.nodes[op.node.row()].pulls.active.retain(|one| *one != id);
            self.begin_pulls(op.node, bench);
        }
    }

    /// The fact because of which no registry has the image, if so.
    pub(super) fn why_withheld(&self, image: ImageNumber) -> Option<u64> {
        if self.withheld.is_empty() {
            return None;
        }
        let name = self.images.reported(image).name;
        let plain = name.strip_suffix(":latest").unwrap_or(&name);
        let fits = |pattern: &str| is_like(&name, pattern) || is_like(plain, pattern);
        let mut all = self.withheld.iter().filter(|(pattern, _)| fits(pattern));
        all.next().map(|(_, cause)| *cause)
    }

    fn finish(&mut self, op: &Op, bench: &mut Bench<'_>) -> Result<EngineAnswer, EngineError> {
        match op.kind {
            OpKind::RunSandbox(id) => {
                let sandbox = self.sandboxes.get(id).filter(|one| one.state == SandboxState::Ready);
                let address = sandbox.and_then(|sandbox| sandbox.address);
                address
                    .map(EngineAnswer::Sandbox)
                    .ok_or_else(|| EngineError::Unknown("sandbox is gone".into()))
            }
            OpKind::StopSandbox(pod) => {
                self.release_address(pod);
                Ok(EngineAnswer::Ok)
            }
            OpKind::RemoveSandbox(pod) => {
                self.release_address(pod);
                self.note_use(pod, bench.fx.now());
                self.forget(pod);
                Ok(EngineAnswer::Ok)
            }
            OpKind::Refuse(image) => Err(EngineError::NotFound(self.images.reported(image).name)),
            OpKind::Fetch(_) | OpKind::Signal(..) | OpKind::Show(..) => {
                unreachable!("something else follows it")
            }
            OpKind::Unpack(image, fetched) => {
                let images = &mut self.nodes[op.node.row()].images;
                if let Err(at) = images.binary_search(&image) {
                    images.insert(at, image);
                    let now = bench.fx.now();
                    self.nodes[op.node.row()].times.insert(image, (now, now));
                    self.touched.push(op.node);
                }
                let now = bench.fx.now();
                let took = (now.saturating_since(op.begun), now.saturating_since(op.asked));
                Ok(EngineAnswer::Image { bytes: self.images.bytes(image), fetched, took })
            }
            OpKind::Create(container) => self.create(container),
            OpKind::Start(container) => self.start(container, op.cause, bench),
            OpKind::Stop(_) => Ok(EngineAnswer::Ok),
        }
    }

    fn release_address(&mut self, pod: Id<Pod>) {
        let Some(id) = self.sandbox_of(pod) else { return };
        let sandbox = &mut self.sandboxes[id];
        if let Some(address) = sandbox.address.take()
            && sandbox.config.spec.network == PodNetwork::Own
        {
            self.nodes[sandbox.node.row()].pool.give_back(address);
        }
    }

    fn forget(&mut self, pod: Id<Pod>) {
        let Some(id) = self.sandbox_of(pod) else { return };
        let node = &mut self.nodes[self.sandboxes[id].node.row()];
        node.sandboxes.retain(|&one| one != id);
        self.sandboxes.remove(id);
        self.by_pod.remove(pod);
    }

    fn create(&mut self, container: ContainerRef) -> Result<EngineAnswer, EngineError> {
        let id = self.ready_sandbox(container)?;
        let sandbox = &self.sandboxes[id];
        let spec = container_of(&sandbox.config.spec, container.index)
            .ok_or_else(|| not_found(container))?;
        let staged = self.start_delay(container).is_some();
        if !staged && !self.has_image(sandbox.node, &spec.image) {
            return Err(EngineError::NotFound(spec.image.clone()));
        }
        let new = Program {
            index: container.index,
            attempt: container.attempt,
            state: ListedState::Created,
            end: Exit { code: 0, reason: TerminationReason::Completed, finished: SimTime::MAX },
            shown: SimTime::MAX,
            told: false,
            stop: None,
            cause: 0,
        };
        let programs = &mut self.sandboxes[id].containers;
        match programs.iter_mut().find(|one| one.index == container.index) {
            Some(old) if matches!(old.state, ListedState::Running(_)) => {
                Err(EngineError::AlreadyExists)
            }
            Some(old) => {
                *old = new;
                Ok(EngineAnswer::Ok)
            }
            None => {
                programs.push(new);
                Ok(EngineAnswer::Ok)
            }
        }
    }

    pub(super) fn ready_sandbox(
        &self,
        container: ContainerRef,
    ) -> Result<Id<Sandbox>, EngineError> {
        let id = self.sandbox_of(container.pod).ok_or_else(|| not_found(container))?;
        match self.sandboxes[id].state {
            SandboxState::Ready => Ok(id),
            SandboxState::Stopped => Err(EngineError::Unknown("sandbox is not running".into())),
        }
    }
}

/// CRI's answer for a container that is not there.
pub(super) fn not_found(container: ContainerRef) -> EngineError {
    let text: Text =
        format!("container {} of attempt {}", container.index, container.attempt).into();
    EngineError::NotFound(text)
}
