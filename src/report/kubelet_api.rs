//! What a kubelet answers when it is asked over HTTP: `/healthz`, `/pods`, `/spec` (cAdvisor's MachineInfo, as
//! kubelets served it up to 1.20) and `/metrics/resource`, as library calls.

use std::fmt::Write;

use serde_json::{Value, json};

use super::get::{Moment, pods_on};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::Id;
use crate::cluster::World;
use crate::time::SimTime;

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// There is no such node.
    NoNode,
    /// Nobody listens: the kubelet does not run.
    Refused,
    /// It has no such page (404).
    NoPage,
}

/// What the kubelet of a node answers for a path. `moment` is of the same world.
///
/// # Errors
/// Why it does not.
pub fn ask(world: &World, moment: Moment<'_>, node: &str, path: &str) -> Result<String, NoAnswer> {
    let id = world.store().find::<Node>("", node).ok_or(NoAnswer::NoNode)?;
    let node = world.store().get(id).ok_or(NoAnswer::NoNode)?;
    if !world.kubelet_runs(id) {
        return Err(NoAnswer::Refused);
    }
    match path {
        "/healthz" => Ok("ok".to_owned()),
        "/pods" => Ok(json!({
            "kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": pods_on(moment, id),
        })
        .to_string()),
        "/spec" => Ok(machine_info(node).to_string()),
        "/metrics/resource" => Ok(resource_metrics(world, moment, id)),
        _ => Err(NoAnswer::NoPage),
    }
}

/// cAdvisor's `MachineInfo`. Topology, devices and ids of hardware are not made up.
fn machine_info(node: &Node) -> Value {
    let cores = (node.capacity.cpu_milli + 999) / 1000;
    let id = format!("{:032x}", node.meta.uid.0);
    json!({
        "num_cores": cores, "num_physical_cores": cores, "num_sockets": 1,
        "cpu_frequency_khz": 0,
        "memory_capacity": node.capacity.memory, "memory_by_type": {},
        "hugepages": null,
        "machine_id": id, "system_uuid": id, "boot_id": id,
        "filesystems": [{
            "device": "/dev/sda1", "capacity": node.capacity.ephemeral_storage, "type": "vfs",
            "inodes": 0, "has_inodes": false,
        }],
        "disk_map": {}, "network_devices": null, "topology": null,
        "cloud_provider": "Unknown", "instance_type": "Unknown", "instance_id": "None",
    })
}

/// One series of `/metrics/resource`: its samples by labels.
struct Series {
    name: &'static str,
    help: &'static str,
    kind: &'static str,
    samples: Vec<(String, f64)>,
}

impl Series {
    fn new(name: &'static str, kind: &'static str, help: &'static str) -> Series {
        Series { name, help, kind, samples: Vec::new() }
    }
}

/// Prometheus' text of what the node and its containers take (kubelet 1.36
/// `pkg/kubelet/metrics/collectors/resource_metrics.go`), in the order of names. Of the node counts what runs there
/// now: its CPU falls when a container ends, as a counter does whose machine was started anew.
fn resource_metrics(world: &World, moment: Moment<'_>, node: Id<Node>) -> String {
    let mut series = [
        Series::new(
            "container_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the container in core-seconds",
        ),
        Series::new(
            "container_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the container in bytes",
        ),
        Series::new(
            "container_start_time_seconds",
            "gauge",
            "[STABLE] Start time of the container since unix epoch in seconds",
        ),
        Series::new(
            "node_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the node in core-seconds",
        ),
        Series::new(
            "node_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the node in bytes",
        ),
        Series::new(
            "pod_cpu_usage_seconds_total",
            "counter",
            "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
        ),
        Series::new(
            "pod_memory_working_set_bytes",
            "gauge",
            "[STABLE] Current working set of the pod in bytes",
        ),
    ];
    let mut whole = (0.0, 0.0);
    for &pod in world.store().indexes().pods_on(node) {
        let Some(object) = world.store().get::<Pod>(pod) else { continue };
        let (name, namespace) = (&object.meta.name, &object.meta.namespace);
        let of_pod = format!("namespace=\"{namespace}\",pod=\"{name}\"");
        let (mut cpu, mut memory, mut runs) = (0.0, 0.0, false);
        let all = object.spec.init_containers.iter().chain(&object.spec.containers);
        for (index, container) in (0..).zip(all) {
            let Some(usage) = world.usage(pod, index, SimTime::ZERO, moment.now) else { continue };
            let labels = format!("container=\"{}\",{of_pod}", container.name);
            let (used, held) = (usage.cpu.as_nanos() as f64 / 1e9, usage.memory as f64);
            let started = moment.epoch_seconds as f64 + usage.since.as_nanos() as f64 / 1e9;
            for (series, value) in series.iter_mut().zip([used, held, started]) {
                series.samples.push((labels.clone(), value));
            }
            (cpu, memory, runs) = (cpu + used, memory + held, true);
        }
        if runs {
            series[5].samples.push((of_pod.clone(), cpu));
            series[6].samples.push((of_pod, memory));
            whole = (whole.0 + cpu, whole.1 + memory);
        }
    }
    series[3].samples.push((String::new(), whole.0));
    series[4].samples.push((String::new(), whole.1));
    let millis =
        i128::from(moment.epoch_seconds) * 1000 + i128::from(moment.now.as_nanos() / 1_000_000);
    let mut text = String::new();
    for Series { name, help, kind, mut samples } in series {
        samples.sort_by(|a, b| a.0.cmp(&b.0));
        // Writing into a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let stamp = if name == "container_start_time_seconds" {
                String::new()
            } else {
                format!(" {millis}")
            };
            let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
            let _ = writeln!(text, "{name}{labels} {}{stamp}", go_float(value));
        }
    }
    text + "# HELP resource_scrape_error [STABLE] 1 if there was an error while getting container \
            metrics, 0 otherwise\n# TYPE resource_scrape_error gauge\nresource_scrape_error 0\n"
}

/// A float as Go writes it in its shortest form (`strconv.FormatFloat(f, 'g', -1, 64)`): with an exponent below 1e-4
/// and from 1e6 on.
fn go_float(value: f64) -> String {
    let plain = format!("{value:e}");
    let Some((digits, exponent)) = plain.split_once('e') else { return plain };
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..6).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
        _ => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (4.710169, "4.710169"),
            (100_000.0, "100000"),
            (16_777_216.0, "1.6777216e+07"),
            (0.00001, "1e-05"),
            (1_767_225_602.5, "1.7672256025e+09"),
        ] {
            assert_eq!(go_float(value), text);
        }
    }
}
