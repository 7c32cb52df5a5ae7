//! What a pod may take as a whole, and its volumes that are empty at first.

use super::{Lifetime, PodSpec};
use crate::api::name::Text;
use crate::api::quantity::Quantity;
use crate::api::resources::Resources;

impl PodSpec {
    /// What its containers may take together of something, overhead aside: init containers run alone, but for
    /// the sidecars before them (resourcehelper `PodLimits`). 0: none of them has a limit.
    pub fn limit(&self, of: impl Fn(&Resources) -> i64) -> i64 {
        let (mut sidecars, mut initial) = (0_i64, 0_i64);
        for one in &self.init_containers {
            let limit = of(&one.limits);
            let beside = match one.lifetime {
                Lifetime::Sidecar => {
                    sidecars = sidecars.saturating_add(limit);
                    sidecars
                }
                Lifetime::Normal => sidecars.saturating_add(limit),
            };
            initial = initial.max(beside);
        }
        let all = self.containers.iter().map(|one| of(&one.limits));
        all.fold(sidecars, i64::saturating_add).max(initial)
    }

    /// What it may hold of memory as a whole, where that is limited: by itself, or because each of its
    /// containers is (kubelet 1.36 `ResourceConfigForPod`).
    pub fn memory_limit(&self) -> Option<i64> {
        let mut all = self.init_containers.iter().chain(&self.containers);
        let is_each = all.all(|one| one.limits.memory > 0);
        self.memory.limit.or_else(|| is_each.then(|| self.limit(|it| it.memory)))
    }

    /// The `emptyDir` of this name, if it has a medium or a limit.
    pub fn empty_dir(&self, name: &str) -> Option<&EmptyDir> {
        self.empty_dirs.iter().find(|one| *one.name == *name)
    }

    /// How much an `emptyDir` in memory holds at most (`calculateEmptyDirMemorySize`); none: it is on disk.
    pub fn held_in_memory(&self, name: &str) -> Option<u64> {
        let dir = self.empty_dir(name).filter(|dir| dir.medium == Medium::Memory)?;
        let own = dir.size_limit.map(Quantity::value);
        let limits = own.into_iter().chain(self.memory_limit());
        Some(
            limits
                .filter_map(|limit| u64::try_from(limit).ok())
                .filter(|limit| *limit > 0)
                .min()
                .unwrap_or(u64::MAX),
        )
    }
}

/// An `emptyDir` volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EmptyDir {
    /// Its name.
    pub name: Text,
    /// Where it lies.
    pub medium: Medium,
    /// `sizeLimit`.
    pub size_limit: Option<Quantity>,
}

/// Where an `emptyDir` lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Medium {
    /// On the node's disk.
    #[default]
    Disk,
    /// In memory: `Memory`.
    Memory,
}

/// What a pod as a whole asks for of memory, and may hold, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WholeMemory {
    /// It asks for so much.
    pub asked: Option<i64>,
    /// It may hold so much.
    pub limit: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod::{Container, PullPolicy};
    use crate::api::quantity::Format;

    fn container(storage: i64, lifetime: Lifetime) -> Container {
        Container {
            name: "c".into(),
            image: "c:1".into(),
            pull: PullPolicy::IfNotPresent,
            requests: Resources::default(),
            limits: Resources { ephemeral_storage: storage, ..Resources::default() },
            ports: Vec::new(),
            startup: None,
            liveness: None,
            readiness: None,
            lifetime,
            restart_policy: None,
            restart_rules: Vec::new(),
            on_resize: Default::default(),
            post_start: None,
            pre_stop: None,
        }
    }

    #[test]
    fn sidecars_count_beside_containers_and_init_containers_alone() {
        let (init, sidecar) = (Lifetime::Normal, Lifetime::Sidecar);
        let spec = |inits: &[(i64, Lifetime)], mains: &[i64]| PodSpec {
            init_containers: inits.iter().map(|&(limit, it)| container(limit, it)).collect(),
            containers: mains.iter().map(|&limit| container(limit, init)).collect(),
            ..PodSpec::default()
        };
        let limit = |spec: PodSpec| spec.limit(|it| it.ephemeral_storage);
        assert_eq!(limit(spec(&[(30, sidecar)], &[10, 0])), 40);
        assert_eq!(limit(spec(&[(30, sidecar), (25, init)], &[10])), 55);
        assert_eq!(limit(spec(&[(25, init), (30, sidecar)], &[10])), 40);
        assert_eq!(limit(spec(&[], &[0])), 0);
    }

    #[test]
    fn a_volume_in_memory_is_as_large_as_the_smallest_limit() {
        let size = |it: i64| Some(Quantity::new(it, Format::BinarySi));
        let dir = |medium, size_limit| EmptyDir { name: "v".into(), medium, size_limit };
        let with = |dir, limit| PodSpec {
            empty_dirs: vec![dir],
            memory: WholeMemory { asked: None, limit },
            containers: vec![container(0, Lifetime::Normal)],
            ..PodSpec::default()
        };
        let held = |spec: PodSpec| spec.held_in_memory("v");
        assert_eq!(held(with(dir(Medium::Disk, size(7)), None)), None);
        assert_eq!(held(with(dir(Medium::Memory, size(7)), Some(9))), Some(7));
        assert_eq!(held(with(dir(Medium::Memory, size(7)), Some(5))), Some(5));
        assert_eq!(held(with(dir(Medium::Memory, None), None)), Some(u64::MAX));
    }
}
