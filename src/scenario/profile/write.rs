//! A profile as text: a phase a line, and what the numbers mean.

use std::fmt::Write;

use super::{EngineProfile, Fitted, KIND, Phase};
use crate::luck::Measured;
use crate::scenario::API_VERSION;

impl EngineProfile {
    /// The document, as it is read.
    pub fn yaml(&self) -> String {
        let mut out = String::new();
        let Self { name, measured: at, behind, pull, oom, .. } = self;
        let _ = writeln!(
            out,
            "# What a container engine costs, as measured: a scenario takes this file as cluster.profile.\n\
             # Times are those on a machine that is idle else; work is the part of a time that is work for a core,\n\
             # behind how much more of it is done when the answer is out. All samples are in {}.\n\
             apiVersion: {API_VERSION}\nkind: {KIND}\nmetadata: {{name: {}}}\nspec:\n  measured:",
            at.samples,
            quoted(name)
        );
        for (key, value) in [
            ("at", &at.at),
            ("cpu", &at.cpu),
            ("kernel", &at.kernel),
            ("cgroups", &at.cgroups),
            ("network", &at.network),
            ("runtime", &at.runtime),
            ("oci", &at.oci),
            ("samples", &at.samples),
        ] {
            let _ = writeln!(out, "    {key}: {}", quoted(value));
        }
        let percent = |thousandths: u32| f64::from(thousandths) / 10.0;
        let (before, after) = (percent(at.pressure.0), percent(at.pressure.1));
        let (idle, during) = (percent(at.steal.0), percent(at.steal.1));
        let _ = writeln!(
            out,
            "    cores: {}\n    took: {}\n    # In percent: how long something waited for a processor, and what others had of them.\n    \
             pressure: {{before: {before}, after: {after}}}\n    steal: {{before: {idle}, during: {during}}}\n    busy: {}\n  \
             contention: {{behind: {}}}\n  phases:",
            at.cores,
            at.took,
            at.busy,
            share(*behind)
        );
        for phase in Phase::ALL {
            if let Some(fitted) = self.phases.get(&phase) {
                let _ = writeln!(out, "    {}: {}", phase.name(), line(fitted));
            }
        }
        let _ = writeln!(
            out,
            "  pull: {{samples: {}, base: {}, bytesPerSecond: {}, perFile: {}, filesPerMebibyte: {}, spread: {}, work: {}}}\n  \
             oom: {{runs: {}, seen: {}}}",
            pull.samples,
            pull.base,
            pull.bytes_a_second,
            pull.per_file,
            pull.files_a_mebibyte,
            share(pull.spread),
            share(pull.work),
            oom.runs,
            oom.seen
        );
        if !self.quota.is_empty() {
            let _ = writeln!(out, "  quota:");
        }
        for one in &self.quota {
            let (quota, used) = (share(one.quota), share(one.used));
            let _ = writeln!(out, "  - {{quota: {quota}, threads: {}, used: {used}}}", one.threads);
        }
        out
    }
}

fn line(fitted: &Fitted) -> String {
    let mut out = format!("{{samples: {}, ", fitted.samples);
    let _ = match &fitted.time {
        Measured::Constant(span) => write!(out, "quantiles: [{span}]"),
        Measured::LogNormal { floor, p50, p99 } => {
            write!(out, "floor: {floor}, p50: {p50}, p99: {p99}")
        }
        Measured::Quantiles(values) => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            write!(out, "quantiles: [{}]", values.join(", "))
        }
    };
    if let Some(work) = fitted.work {
        let _ = write!(out, ", work: {}", share(work));
    }
    let _ = write!(out, ", distance: {}}}", share(fitted.distance));
    out
}

fn share(thousandths: u32) -> f64 {
    f64::from(thousandths) / 1000.0
}

/// A text that YAML takes for nothing else.
fn quoted(text: &str) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""))
}
