//! Images: whether one must be fetched before a container is created, and when a pull that failed is tried again
//! (kubelet 1.36 `pkg/kubelet/images/image_manager.go`).
//!
//! ```text
//! name cannot be read --> InvalidImageName, looked at again after 10 s
//! there, or not; the policy --> create
//!                           `-> not there, Never --> ErrImageNeverPull, looked at again after 10 s
//!                           `-> still backing off --> ImagePullBackOff, until the back-off is over
//!                           `-> pull --> create
//!                                   `--> ErrImagePull; backs off 10 s, doubling to 300 s, by image and pod
//! ```
//! After the first failure the next look at the engine shows the pod in back-off; after later ones the sync that
//! failed is tried again after 10 s.

use super::backoff::BackoffLaw;
use super::worker::{Step, Worker};
use super::{Desk, told};
use crate::api::pod::{PullPolicy, WaitingReason};
use crate::api::rules::image_names::is_readable;
use crate::messages::engine::{EngineAnswer, EngineAsk, EngineError};
use crate::messages::{Remark, Verb};

impl Worker {
    /// A container is due: first its image.
    pub(super) fn ensure_image(&mut self, index: usize, desk: &mut Desk<'_>) {
        let image = self.container(index).image.clone();
        if !is_readable(&image) {
            self.say_of(index, desk, told::unreadable);
            self.image_error(index, WaitingReason::InvalidImageName, desk);
            return self.start_next(desk);
        }
        self.step = Step::Image(index as u16);
        self.step_op = self.ask(EngineAsk::ImageStatus(image), desk);
    }

    /// Whether the image is there is known.
    pub(super) fn image_looked_at(&mut self, index: usize, is_there: bool, desk: &mut Desk<'_>) {
        match (self.container(index).pull, is_there) {
            (PullPolicy::Always, _) | (PullPolicy::IfNotPresent, false) => self.pull(index, desk),
            (PullPolicy::IfNotPresent | PullPolicy::Never, true) => {
                self.say_of(index, desk, told::present);
                self.create(index, desk);
            }
            (PullPolicy::Never, false) => {
                self.say_of(index, desk, told::never_pulled);
                self.image_error(index, WaitingReason::ErrImageNeverPull, desk);
                self.start_next(desk);
            }
        }
    }

    fn pull(&mut self, index: usize, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        let backs_off = self.runs[self.pull_key(index)].pulls;
        if let Some(until) = backs_off.until_since_update(&BackoffLaw::KUBELET, now) {
            self.say_of(index, desk, told::backs_off_pulling);
            self.image_error(index, WaitingReason::ImagePullBackOff, desk);
            self.runs[index].retry_at = until;
            return self.start_next(desk);
        }
        let image = self.container(index).image.clone();
        let fact = self.fact(Verb::Pulling, desk);
        self.tell(fact.saying(format!("pulling image \"{image}\"")), desk);
        self.say_of(index, desk, told::pulling);
        self.step = Step::Pull(index as u16);
        self.step_op = self.ask(EngineAsk::PullImage(image), desk);
    }

    /// A pull came to its end.
    pub(super) fn pull_ended(
        &mut self,
        index: usize,
        result: Result<EngineAnswer, EngineError>,
        desk: &mut Desk<'_>,
    ) {
        match result {
            Ok(EngineAnswer::Image { bytes, fetched, took }) => {
                if fetched > 0 {
                    let fact = self.fact(Verb::Pulled, desk).with("bytes", fetched);
                    self.tell(fact, desk);
                }
                let pulled = |container: &_| told::pulled(container, bytes, took);
                self.say_of(index, desk, pulled);
                self.create(index, desk);
            }
            Ok(_) => self.pull_failed(index, &EngineError::Unknown("no image".into()), desk),
            Err(error) => self.pull_failed(index, &error, desk),
        }
    }

    fn pull_failed(&mut self, index: usize, error: &EngineError, desk: &mut Desk<'_>) {
        let now = desk.fx.now();
        let key = self.pull_key(index);
        let law = &BackoffLaw::KUBELET;
        self.runs[key].pulls.next(law, now, now);
        let wait = self.runs[key].pulls.wait();
        let failed = told::pull_failed(self.container(index), error);
        let fact = self.fact(Verb::PullFailed, desk).with("seconds", wait.as_secs() as i64);
        self.tell(fact.saying(failed.message.clone()), desk);
        self.say_of(index, desk, |_| failed);
        self.image_error(index, WaitingReason::ErrImagePull, desk);
        let looks = match wait == law.initial {
            true => desk.next_relist(),
            false => now + desk.settings.error_retry,
        };
        self.runs[index].retry_at = looks.min(now + wait);
        self.start_next(desk);
    }

    /// A container waits because of its image.
    fn image_error(&mut self, index: usize, why: WaitingReason, desk: &mut Desk<'_>) {
        let error = |_: &_| Remark::warning("Failed", format!("Error: {}", why.name()));
        self.say_of(index, desk, error);
        self.hold(index, why, desk);
    }

    /// The container that keeps the back-off of a container's image: the first that has it.
    fn pull_key(&self, index: usize) -> usize {
        let image = &self.container(index).image;
        (0..index).find(|&at| self.container(at).image == *image).unwrap_or(index)
    }
}
