//! Whose pod goes first (kubelet 1.36 `pkg/kubelet/eviction/helpers.go`, `rankMemoryPressure` and its like).

use super::Starved;

/// A pod as a candidate: what it takes, and what it asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Candidate {
    /// Its priority.
    pub priority: i32,
    /// Bytes of memory it takes.
    pub memory: i64,
    /// Bytes of memory it asked for.
    pub memory_asked: i64,
    /// Bytes of disk it takes: layers, logs and volumes on the node's disk.
    pub disk: i64,
    /// Bytes of disk it asked for.
    pub disk_asked: i64,
    /// Inodes it takes.
    pub inodes: i64,
    /// Processes it has.
    pub processes: i64,
}

/// One rule of an order: the lesser key goes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rule {
    /// Whoever takes more memory than it asked for.
    ExceedsMemory,
    /// Whoever takes more disk than it asked for.
    ExceedsDisk,
    /// The lower priority.
    Priority,
    /// Whoever takes the most memory beyond what it asked for.
    Memory,
    /// Whoever takes the most disk beyond what it asked for.
    Disk,
    /// Whoever takes the most inodes.
    Inodes,
    /// Whoever has the most processes.
    Processes,
}

impl Rule {
    fn key(self, pod: &Candidate) -> i64 {
        let last_unless = |is_over: bool| i64::from(!is_over);
        match self {
            Rule::ExceedsMemory => last_unless(pod.memory > pod.memory_asked),
            Rule::ExceedsDisk => last_unless(pod.disk > pod.disk_asked),
            Rule::Priority => pod.priority.into(),
            Rule::Memory => pod.memory_asked.saturating_sub(pod.memory),
            Rule::Disk => pod.disk_asked.saturating_sub(pod.disk),
            Rule::Inodes => pod.inodes.saturating_neg(),
            Rule::Processes => pod.processes.saturating_neg(),
        }
    }
}

/// The rules by which pods go that starve a node of something.
pub const fn rules(starved: Starved) -> &'static [Rule] {
    match starved {
        Starved::Memory => &[Rule::ExceedsMemory, Rule::Priority, Rule::Memory],
        Starved::Storage => &[Rule::ExceedsDisk, Rule::Priority, Rule::Disk],
        Starved::Inodes => &[Rule::Priority, Rule::Inodes],
        Starved::Pids => &[Rule::Priority, Rule::Processes],
    }
}

/// The order in which candidates go, as their places; equals stay as they are.
pub fn order(candidates: &[Candidate], rules: &[Rule]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..candidates.len()).collect();
    places.sort_by_key(|&at| -> Vec<i64> {
        rules.iter().map(|rule| rule.key(&candidates[at])).collect()
    });
    places
}
