//! The scenarios that are run both ways. Each ends at an instant that nothing is near to, so that what was cut off is
//! the same both ways.

use std::sync::Arc;

use crate::cluster::plan::Plan;
use crate::node::container_engine::simulated::{EngineSettings, Unpacking};
use crate::scenario::{Loader, Overrides};

/// A scenario, and which images its node has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it is called.
    pub name: &'static str,
    /// How long it takes, in seconds.
    pub seconds: u32,
    /// What stands in `spec.apps`, a line each.
    apps: &'static str,
    /// What stands in `spec.timeline` behind the making of its objects.
    timeline: &'static str,
    /// Its objects.
    objects: &'static str,
    /// Images that are there.
    pub warm: &'static [&'static str],
    /// Images that are fetched.
    pub cold: &'static [&'static str],
}

/// A Deployment of so many pods; `more` goes into its container.
macro_rules! deployment {
    ($name:literal, $replicas:literal, $image:literal, $more:literal) => {
        concat!(
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ", $name, "}\nspec:\n  replicas: ",
            $replicas, "\n  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}\n  selector: {matchLabels: {app: ",
            $name, "}}\n  template:\n    metadata: {labels: {app: ", $name, "}}\n    spec:\n      containers:\n      - name: c\n        image: \"",
            $image, "\"\n        resources: {requests: {cpu: 50m}}\n", $more
        )
    };
}

/// A bare pod.
macro_rules! pod {
    ($name:literal, $image:literal, $pod:literal, $container:literal) => {
        concat!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {name: ",
            $name,
            "}\nspec:\n",
            $pod,
            "  containers:\n  - name: c\n    image: \"",
            $image,
            "\"\n",
            $container
        )
    };
}

/// All of them.
pub static CASES: [Case; 8] = [
    Case {
        name: "start-one-cold",
        seconds: 9,
        apps: "",
        timeline: "",
        objects: deployment!("one", "1", "cold:1", ""),
        warm: &[],
        cold: &["cold:1"],
    },
    Case {
        name: "start-four",
        seconds: 9,
        apps: "",
        timeline: "",
        objects: deployment!("four", "4", "app:1", ""),
        warm: &["app:1"],
        cold: &[],
    },
    Case {
        name: "start-eight",
        seconds: 11,
        apps: "",
        timeline: "",
        objects: deployment!("eight", "8", "app:1", ""),
        warm: &["app:1"],
        cold: &[],
    },
    Case {
        name: "rolling-update",
        seconds: 24,
        apps: "  - {match: {image: \"web:*\"}, ready: 200ms, stop: 100ms}\n",
        timeline: "  - {at: 6s, name: rollout, setImage: deployment/default/web, image: \"web:2\"}\n",
        objects: deployment!(
            "web",
            "2",
            "web:1",
            "        ports: [{containerPort: 8080}]\n        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}\n"
        ),
        warm: &["web:1", "web:2"],
        cold: &[],
    },
    Case {
        name: "crash-loop",
        seconds: 20,
        apps: "  - {match: {image: \"crash:*\"}, run: {for: 1s, exit: 3}}\n",
        timeline: "",
        objects: pod!("crash", "crash:1", "", ""),
        warm: &["crash:1"],
        cold: &[],
    },
    Case {
        name: "out-of-memory",
        seconds: 10,
        apps: "  - {match: {image: \"hoard:*\"}, usage: {memory: {base: 4Mi, growth: {by: 32Mi, each: 1s}}}}\n",
        timeline: "",
        objects: pod!(
            "hoard",
            "hoard:1",
            "  restartPolicy: Never\n",
            "    resources: {limits: {memory: 64Mi}}\n"
        ),
        warm: &["hoard:1"],
        cold: &[],
    },
    Case {
        name: "failing-probe",
        seconds: 16,
        apps: "  - {match: {image: \"hang:*\"}, hang: 4s, stop: 100ms}\n",
        timeline: "",
        objects: pod!(
            "hang",
            "hang:1",
            "  terminationGracePeriodSeconds: 2\n",
            "    ports: [{containerPort: 8081}]\n    livenessProbe: {httpGet: {path: /, port: 8081}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 2}\n"
        ),
        warm: &["hang:1"],
        cold: &[],
    },
    Case {
        name: "slow-stop",
        seconds: 16,
        apps: "  - {match: {image: \"slow:*\"}, stop: 2s}\n  - {match: {image: \"deaf:*\"}, stop: never}\n",
        timeline: "  - {at: 5s, name: slow, delete: pod/default/slow}\n  - {at: 5s, name: deaf, delete: pod/default/deaf}\n",
        objects: concat!(
            pod!("slow", "slow:1", "", ""),
            pod!("deaf", "deaf:1", "  terminationGracePeriodSeconds: 3\n", "")
        ),
        warm: &["slow:1", "deaf:1"],
        cold: &[],
    },
];

impl Case {
    /// The input: a Scenario, its node and its objects.
    pub fn text(&self, cores: u32) -> String {
        let apps = match self.apps {
            "" => String::new(),
            apps => format!("  apps:\n{apps}"),
        };
        // A second in: by then a run by the wall clock has caught up with what it had to do at first.
        let objects = self.objects.split("---\n").filter(|object| !object.is_empty());
        let item = |object: &str| {
            let lines: Vec<&str> = object.lines().collect();
            format!("    - {}\n", lines.join("\n      "))
        };
        let objects: String = objects.map(item).collect();
        let images =
            self.warm.iter().map(|image| format!("{{names: [\"{image}\"], sizeBytes: 1000000}}"));
        let images = images.collect::<Vec<_>>().join(", ");
        let room = format!("{{cpu: \"{cores}\", memory: 4Gi, pods: \"110\"}}");
        format!(
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: {}}}\nspec:\n  duration: {}s\n{apps}  timeline:\n  - at: 1s\n    apply:\n{objects}{}---\n\
             apiVersion: v1\nkind: Node\nmetadata: {{name: n0}}\nstatus: {{capacity: {room}, allocatable: {room}, images: [{images}]}}\n",
            self.name, self.seconds, self.timeline,
        )
    }

    /// The plan under an engine that costs so much, on a node of so many cores; `bytes` is how large an image is
    /// that is fetched.
    ///
    /// # Errors
    /// What is wrong with its text, which is a fault of ours.
    pub fn plan(
        &self,
        engine: &EngineSettings,
        (cores, bytes): (u32, i64),
        seed: u64,
    ) -> Result<Arc<Plan>, String> {
        let mut loader = Loader::new(Overrides { seed: Some(seed), ..Overrides::default() });
        loader.read(self.name, self.text(cores).as_bytes(), &mut |_| {});
        let loaded = loader.finish();
        if let Some(wrong) = loaded.findings.iter().find(|it| it.is_error()) {
            return Err(wrong.to_string());
        }
        let mut plan = loaded.plan;
        plan.engine = engine.clone();
        // What is fetched comes from this machine, and is one file.
        plan.engine.bandwidth = u64::MAX;
        if let Unpacking::Measured { files_a_mebibyte, .. } = &mut plan.engine.unpacking {
            *files_a_mebibyte = 1;
        }
        plan.images.extend(self.cold.iter().map(|image| ((*image).into(), bytes)));
        Ok(Arc::new(plan))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::watched::{Watched, modelled};
    use crate::messages::Verb;

    fn run(name: &str) -> Watched {
        let case = CASES.iter().find(|case| case.name == name).expect("a case");
        let plan = case.plan(&EngineSettings::default(), (2, 1 << 20), 3).expect("a plan");
        modelled(plan)
    }

    #[test]
    fn every_case_shows_what_it_is_for() {
        for (name, verb, count) in [
            ("start-one-cold", Verb::Pulled, 1),
            ("start-four", Verb::Ready, 4),
            ("start-eight", Verb::Ready, 8),
            ("rolling-update", Verb::Deleted, 2),
            ("rolling-update", Verb::Ready, 4),
            ("crash-loop", Verb::Exited, 2),
            ("out-of-memory", Verb::Exited, 1),
            ("failing-probe", Verb::Killing, 1),
            ("slow-stop", Verb::Deleted, 2),
        ] {
            assert!(run(name).count(verb) >= count, "{name}: {verb} {}", run(name).count(verb));
        }
        assert_eq!(run("start-four").count(Verb::Pulling), 0, "its image is there");
    }
}
