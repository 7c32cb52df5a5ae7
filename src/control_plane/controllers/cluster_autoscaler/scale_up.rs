//! More nodes for pods that fit nowhere (cluster-autoscaler 1.36 core/scaleup/orchestrator).

use super::cluster_state::ScaleUp;
use super::estimator::{Alike, estimate};
use super::expander::{Choice, best};
use super::limits::{Limiter, Room, of_cluster, of_similar_groups};
use super::options::{Balance, Setup};
use super::picture::{Fleet, Picture};
use super::similar::are_alike;
use super::simulation::Wanderer;
use super::words::{self, Growth};
use super::{ClusterAutoscaler, Known, Timer};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::resources::Resources;
use crate::messages::cloud::{CloudCall, Sizing};
use crate::messages::{Component, Effects, Fact, Verb};

/// What one group could do for the pods that wait.
enum Answer {
    /// It could run some of them; why it could not run the others.
    Helps(Choice, Vec<Vec<String>>),
    /// It runs none of them: for each group of equal pods, why.
    Not(Vec<Vec<String>>),
}

impl ClusterAutoscaler {
    /// Adds nodes where that helps pods that wait. Says whether it did.
    pub(super) fn scale_up(
        &mut self,
        picture: &Picture,
        fleet: &Fleet,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> bool {
        let setup = std::sync::Arc::clone(&self.setup);
        fx.because(self.cause);
        let mut choices = Vec::new();
        // By group of equal pods, why each group of nodes does not help.
        let mut refused: Vec<Vec<Vec<String>>> = vec![Vec::new(); picture.waiting.len()];
        let mut helped = vec![false; picture.waiting.len()];
        for group in 0..setup.groups.len() as u16 {
            let reasons = match self.answer(group, picture, fleet, &setup, fx) {
                Answer::Helps(choice, reasons) => {
                    for (at, alike) in picture.waiting.iter().enumerate() {
                        helped[at] |=
                            alike.pods.iter().any(|pod| choice.estimate.pods.contains(pod));
                    }
                    choices.push(choice);
                    reasons
                }
                Answer::Not(reasons) => reasons,
            };
            for (of, why) in refused.iter_mut().zip(reasons) {
                of.push(why);
            }
        }
        for ((alike, why), _) in
            picture.waiting.iter().zip(&refused).zip(&helped).filter(|it| !it.1)
        {
            self.tell_refused(alike, &words::reasons(why), known, fx);
        }
        if choices.is_empty() {
            return false;
        }
        let at = best(
            &setup.options.expanders,
            &choices,
            picture.simulation.len(),
            setup.luck,
            self.choices,
        );
        self.choices += 1;
        self.grow(&choices[at], fleet, &setup, known, fx);
        true
    }

    fn room(&self, group: u16, fleet: &Fleet, setup: &Setup) -> Room {
        let most = i64::from(setup.groups[usize::from(group)].max);
        Room { most, now: i64::from(fleet.groups[usize::from(group)].target) }
    }

    /// Groups that share a scale-up with this one, itself first.
    fn partners(&self, group: u16, fleet: &Fleet, setup: &Setup, fx: &Effects<Timer>) -> Vec<u16> {
        let mut found = vec![group];
        if setup.options.balance == Balance::Off {
            return found;
        }
        let node = |at: u16| &setup.groups[usize::from(at)].node;
        let keys = &setup.options.balancing_labels;
        found.extend((0..setup.groups.len() as u16).filter(|&other| {
            let room = self.room(other, fleet, setup);
            let is_open = room.now < room.most && !self.is_backed_off(other, fx);
            other != group && is_open && are_alike(keys, node(group), node(other))
        }));
        found
    }

    fn is_backed_off(&self, group: u16, fx: &Effects<Timer>) -> bool {
        self.backoffs.get(&group).is_some_and(|held| held.until > fx.now())
    }

    /// What a group could do (`computeExpansionOption`), or why it could not.
    fn answer(
        &self,
        group: u16,
        picture: &Picture,
        fleet: &Fleet,
        setup: &Setup,
        fx: &Effects<Timer>,
    ) -> Answer {
        let all = |why: &str| Answer::Not(vec![vec![why.to_owned()]; picture.waiting.len()]);
        let planned = &setup.groups[usize::from(group)];
        if self.is_backed_off(group, fx) {
            return all("in backoff after failed scale-up");
        }
        let room = self.room(group, fleet, setup);
        if room.now >= room.most {
            return all("max node group size reached");
        }
        let nodes = picture.simulation.len() as i64;
        let of_all = of_cluster(i64::from(setup.options.nodes_most), nodes);
        if of_all < 0 {
            return all("max total nodes in cluster reached");
        }
        let template = &picture.templates[usize::from(group)];
        let mut fitting: Vec<Alike> = Vec::new();
        let mut reasons = Vec::new();
        for alike in &picture.waiting {
            let mut thought = picture.simulation.clone();
            let node = thought.add_node(template, &format!("{}-new", planned.name));
            let one = Wanderer { pod: alike.pods[0], shape: alike.shape.clone() };
            match thought.place_on(&one, node) {
                Ok(()) => {
                    fitting.push(alike.clone());
                    reasons.push(Vec::new());
                }
                Err(misfit) => reasons.push(misfit.reasons),
            }
        }
        if fitting.is_empty() {
            return Answer::Not(reasons);
        }
        let partners = self.partners(group, fleet, setup, fx);
        let rooms = partners.into_iter().map(|at| self.room(at, fleet, setup));
        let per_scale_up = i64::from(setup.options.nodes_per_scale_up);
        let limiter = Limiter::new([per_scale_up, of_similar_groups(rooms), of_all]);
        let mut found = estimate(&picture.simulation, template, &fitting, limiter);
        if found.nodes == 0 {
            return Answer::Not(reasons);
        }
        if planned.sizing == Sizing::ZeroOrMax {
            found.nodes = (room.most - room.now) as usize;
        }
        let mut asked = Resources::default();
        for alike in &fitting {
            let placed = alike.pods.iter().filter(|pod| found.pods.contains(pod)).count();
            (0..placed).for_each(|_| asked.add(&alike.shape.spec().requests));
        }
        let choice = Choice {
            group,
            estimate: found,
            asked,
            node: (*planned.node.allocatable).clone(),
            price: planned.price,
            priority: planned.priority,
        };
        Answer::Helps(choice, reasons)
    }

    /// Asks the cloud for machines, spread over groups that are alike
    /// (`BalanceScaleUpBetweenGroups`: the smallest grows first).
    fn grow(
        &mut self,
        choice: &Choice,
        fleet: &Fleet,
        setup: &Setup,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let partners = self.partners(choice.group, fleet, setup, fx);
        let mut sizes: Vec<(u16, Room, i64)> = partners
            .into_iter()
            .map(|at| (at, self.room(at, fleet, setup)))
            .map(|(at, room)| (at, room, room.now))
            .collect();
        for _ in 0..choice.estimate.nodes {
            let open = sizes.iter_mut().filter(|(_, room, size)| *size < room.most);
            let Some((_, _, size)) = open.min_by_key(|(_, _, size)| *size) else { break };
            *size += 1;
        }
        let now = fx.now();
        let mut growth = Vec::new();
        for (group, room, size) in sizes.into_iter().filter(|(_, room, size)| *size > room.now) {
            let machines = (size - room.now) as u32;
            let cause = fx.cause();
            fx.fact(self.fact(group, Verb::Scaled).with("replicas", size).with("from", room.now));
            fx.cloud(CloudCall::Add { group, machines });
            fx.because(cause);
            let before = self.scale_ups.get(&group).map_or(0, |held| held.increase);
            let expected = now + setup.options.provision;
            let request = ScaleUp { increase: before + machines, at: now, expected };
            self.scale_ups.insert(group, request);
            growth.push(Growth {
                group: setup.groups[usize::from(group)].name.to_string(),
                from: room.now as u32,
                to: size as u32,
                max: room.most as u32,
            });
        }
        self.last_up = Some(now);
        self.look = super::Look::Needed;
        words::triggered(&choice.estimate.pods, &growth, known, fx);
        choice.estimate.pods.iter().for_each(|pod| {
            self.told.remove(pod);
        });
    }

    /// Tells pods that no group helps them: as a fact, once a message.
    fn tell_refused(
        &mut self,
        alike: &Alike,
        message: &str,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        for &pod in &alike.pods {
            if self.told.get(&pod).is_some_and(|held| **held == *message) {
                continue;
            }
            self.told.insert(pod, message.into());
            words::not_triggered(pod, message, known, fx);
            let Some(written) = known.view.get(pod) else { continue };
            let object = ObjectName::of(Kind::Pod, &written.meta);
            let cause = fx.cause();
            let fact = Fact::new(Component::ClusterAutoscaler, Verb::NotHelped, object);
            fx.fact(fact.saying(message));
            fx.because(cause);
        }
    }
}
