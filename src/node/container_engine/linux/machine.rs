//! Facts about this machine that decide what measurements on it are worth.

use super::{cgroups, files};

/// How control groups are mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CgroupMode {
    /// Version 1 hierarchies only.
    V1,
    /// Version 1 controllers, and a version 2 hierarchy beside them.
    Hybrid,
    /// Version 2 only.
    V2,
    /// None.
    None,
}

impl CgroupMode {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            CgroupMode::V1 => "v1",
            CgroupMode::Hybrid => "hybrid",
            CgroupMode::V2 => "v2",
            CgroupMode::None => "none",
        }
    }

    /// As this machine has them.
    pub fn read() -> CgroupMode {
        let mounts = files::text("/proc/self/mounts").unwrap_or_default();
        let has = |kind: &str| mounts.lines().any(|line| line.split(' ').nth(2) == Some(kind));
        match (has("cgroup"), has("cgroup2")) {
            (true, true) => CgroupMode::Hybrid,
            (true, false) => CgroupMode::V1,
            (false, true) if !cgroups::roots().is_empty() => CgroupMode::V2,
            _ => CgroupMode::None,
        }
    }
}

/// How busy a machine is with things that are not ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pressure {
    /// Hundredths of a percent of the last 10 s in which something waited for a processor (`/proc/pressure/cpu`,
    /// some avg10); `None`: the kernel does not tell.
    pub cpu_some_avg10: Option<u32>,
    /// Ticks stolen by the host since the machine's start (`/proc/stat`).
    pub steal_ticks: u64,
    /// Ticks of all kinds since then.
    pub all_ticks: u64,
    /// Hundredths of the load of the last minute.
    pub load_1m: u32,
}

impl Pressure {
    /// As it is now.
    pub fn read() -> Pressure {
        let cpu = files::text("/proc/pressure/cpu").unwrap_or_default();
        let avg10 = cpu.lines().find_map(|line| {
            let rest = line.strip_prefix("some ")?;
            hundredths(rest.split(' ').find_map(|word| word.strip_prefix("avg10="))?)
        });
        let stat = files::text("/proc/stat").unwrap_or_default();
        let all = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
        // user nice system idle iowait irq softirq steal; guest times are in user's already.
        let ticks: Vec<u64> = all.take(8).filter_map(|word| word.parse().ok()).collect();
        let load = files::text("/proc/loadavg").unwrap_or_default();
        Pressure {
            cpu_some_avg10: avg10,
            steal_ticks: ticks.get(7).copied().unwrap_or_default(),
            all_ticks: ticks.iter().sum(),
            load_1m: load.split(' ').next().and_then(hundredths).unwrap_or_default(),
        }
    }
}

/// `12.34` as 1234.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let part: u32 = format!("{part:0<2}").get(..2)?.parse().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

/// What a machine is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MachineFacts {
    /// The processor's name.
    pub cpu: String,
    /// Processors.
    pub cores: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The architecture.
    pub architecture: String,
    /// The distribution.
    pub system: String,
    /// How control groups are mounted.
    pub cgroups: CgroupMode,
}

impl MachineFacts {
    /// Those of this machine; a fact it does not tell is empty or 0.
    pub fn read() -> MachineFacts {
        let value = |path: &str, key: &str, sign: char| {
            let text = files::text(path).unwrap_or_default();
            let found = text.lines().find_map(|line| {
                let (name, value) = line.split_once(sign)?;
                (name.trim() == key).then(|| value.trim().trim_matches('"').to_owned())
            });
            found.unwrap_or_default()
        };
        let memory = value("/proc/meminfo", "MemTotal", ':');
        let kilobytes: u64 = memory.trim_end_matches(" kB").parse().unwrap_or(0);
        let cores = std::thread::available_parallelism().map_or(0, |count| count.get());
        MachineFacts {
            cpu: value("/proc/cpuinfo", "model name", ':'),
            cores: u32::try_from(cores).unwrap_or(u32::MAX),
            memory: kilobytes * 1024,
            kernel: files::text("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            system: value("/etc/os-release", "PRETTY_NAME", '='),
            cgroups: CgroupMode::read(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_as_hundredths() {
        assert_eq!(hundredths("12.34"), Some(1234));
        assert_eq!(hundredths("0.5"), Some(50));
        assert_eq!(hundredths("3"), Some(300));
        assert_eq!(hundredths("x"), None);
    }

    #[test]
    fn this_machine_has_cores_and_memory() {
        let facts = MachineFacts::read();
        assert!(facts.cores > 0 && facts.memory > 1 << 20, "{facts:?}");
        assert!(Pressure::read().all_ticks > 0);
    }
}
