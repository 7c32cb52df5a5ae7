//! A fact as it stands in a timeline, and as a sentence.

use serde::Deserialize;

use crate::time::SimTime;

/// A fact.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// When.
    pub at: SimTime,
    /// Its number.
    pub id: u64,
    /// The number of the fact it followed from.
    pub cause: Option<u64>,
    /// Who brought it about.
    pub component: String,
    /// What happened.
    pub verb: String,
    /// To what: `Pod/shop/web-x`.
    pub object: String,
    /// On which node.
    pub node: Option<String>,
    /// The integers that belong to it.
    pub values: Vec<(String, i64)>,
    /// A sentence.
    pub message: Option<String>,
}

/// A line as it is written.
#[derive(Deserialize)]
struct Written {
    t: f64,
    id: u64,
    cause: Option<u64>,
    component: String,
    verb: String,
    object: String,
    node: Option<String>,
    values: indexmap::IndexMap<String, i64>,
    message: Option<String>,
}

impl Row {
    /// Reads line number `number` of a timeline.
    ///
    /// # Errors
    /// In words, where it is no such line.
    pub(super) fn parse(number: u64, line: &str) -> Result<Row, String> {
        let written: Written = serde_json::from_str(line)
            .map_err(|error| format!("timeline.jsonl, line {number}: no fact: {error}"))?;
        if written.id != number || written.cause.is_some_and(|cause| cause >= number) {
            let id = written.id;
            return Err(format!(
                "timeline.jsonl, line {number}: fact {id} is out of order: lines are missing, or it \
                 is no timeline"
            ));
        }
        Ok(Row {
            at: SimTime::from_nanos((written.t * 1e9).round().max(0.0) as u64),
            id: written.id,
            cause: written.cause,
            component: written.component,
            verb: written.verb,
            object: written.object,
            node: written.node,
            values: written.values.into_iter().collect(),
            message: written.message,
        })
    }

    /// One of its integers, 0 if it has none of that name.
    pub(super) fn value(&self, key: &str) -> i64 {
        self.values.iter().find(|(name, _)| name == key).map_or(0, |(_, value)| *value)
    }

    /// The kind of its object.
    pub(super) fn kind(&self) -> &str {
        self.object.split('/').next().unwrap_or_default()
    }

    /// Its object as people say it: `pod shop/web-x`, `node n-0`.
    pub(super) fn name(&self) -> String {
        match self.object.split_once('/') {
            Some(("Other", name)) => name.to_owned(),
            Some((kind, name)) => {
                let kind = if ["Pod", "Node", "Client"].contains(&kind) {
                    kind.to_ascii_lowercase()
                } else {
                    kind.to_owned()
                };
                format!("{kind} {name}")
            }
            None => self.object.clone(),
        }
    }

    /// Whether a refusal is about the object itself: the API server names what it refuses, as in
    /// `pods "web-x" is forbidden`.
    fn is_of_its_own(&self) -> bool {
        let own = self.object.rsplit('/').next().unwrap_or_default();
        let said = self.message.as_deref().and_then(|said| said.split_once(" \""));
        let named = said.filter(|(kind, _)| !kind.contains(' '));
        named.is_none_or(|(_, rest)| rest.split('"').next() == Some(own))
    }

    /// What happened, in a sentence; `name` stands for its object.
    pub(super) fn sentence(&self, name: &str) -> String {
        let on = self.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
        let said = self.message.as_deref().unwrap_or_default();
        let colon = if said.is_empty() { "" } else { ": " };
        // What happens within it needs no "it".
        let at = if name == "it" { String::new() } else { format!("{name}: ") };
        match self.verb.as_str() {
            "created" => format!("{name} is created"),
            "refused" if self.is_of_its_own() => format!("{name} is refused{colon}{said}"),
            "refused" => format!("{name} is refused what it makes{colon}{said}"),
            "changed" => format!("the spec of {name} is changed"),
            "bound" => {
                format!("the scheduler puts {name}{}", on.replacen(" on ", " on node ", 1))
            }
            "unschedulable" => format!("{name} fits on no node{colon}{said}"),
            "nominated" => {
                let victims = u64::try_from(self.value("victims")).unwrap_or(0);
                let pods = crate::report::words::count(victims, "pod");
                format!("{name} is promised a place{on}: {pods} of lower priority must go")
            }
            "preempted" => {
                let (own, other) = (self.value("priority"), self.value("by_priority"));
                format!("{name} must go{on} {said} (priority {own} against {other})")
            }
            "accepted" => format!("the kubelet{} takes {name} on", on.replacen(" on ", " of ", 1)),
            "pulling" => format!("{at}{said}"),
            "pulled" => {
                let bytes = u64::try_from(self.value("bytes")).unwrap_or(0);
                format!("{at}the image is there ({})", crate::report::words::bytes(bytes))
            }
            "pull-failed" => format!("{at}an image cannot be fetched{colon}{said}"),
            "started" => match self.value("restarts") {
                0 => format!("{at}a container starts{on}"),
                again => format!("{at}a container starts again (restart {again})"),
            },
            "exited" => match self.value("exit_code") {
                0 => format!("{at}a container ends well"),
                code => format!("{at}a container ends with exit code {code}{colon}{said}"),
            },
            "killing" => format!("{at}{said}"),
            "probe-failed" => format!("{at}a probe fails{colon}{said}"),
            "back-off" => {
                format!("{at}back-off, the next start is {} s away", self.value("seconds"))
            }
            "running" => format!("{name} is running"),
            "ready" => format!("{name} is ready"),
            "unready" => format!("{name} is no longer ready"),
            "finished" if self.value("failed") > 0 => format!("{name} has failed"),
            "finished" => format!("{name} has done its work"),
            "deleting" => format!("{name} is marked for deletion"),
            "deleted" => format!("{name} is gone"),
            "recommended" => {
                let (from, to) = (self.value("current"), self.value("desired"));
                format!("{name} asks for {to} in place of {from}{colon}{said}")
            }
            "scaled" => format!("{name} is scaled to {}", self.value("replicas")),
            "status" => {
                let values = self.values.iter().map(|(key, value)| format!("{value} {key}"));
                format!("{at}{}", values.collect::<Vec<_>>().join(", "))
            }
            "available" => format!("{name} is as desired"),
            "endpoints" => {
                let (ready, total) = (self.value("ready"), self.value("total"));
                format!("{at}{ready} of {total} endpoints ready")
            }
            "evicted" => format!("{name} is told to leave{on} (evicted){colon}{said}"),
            "step" | "healed" | "missed" => format!("{said} (timeline)"),
            "requests" => {
                format!("{at}{} requests, {} answered well", self.value("sent"), self.value("ok"))
            }
            "request-failed" => format!("a request of {name} fails{colon}{said}"),
            _ => self.of_the_cluster(name),
        }
    }

    /// What happens to nodes and masters, in a sentence, and what only Jobs go through.
    fn of_the_cluster(&self, name: &str) -> String {
        let said = self.message.as_deref().unwrap_or_default();
        let colon = if said.is_empty() { "" } else { ": " };
        match self.verb.as_str() {
            "node-unknown" => {
                format!("nothing was heard of {name} for the grace period: it is NotReady")
            }
            "node-ready" => format!("{name} is ready"),
            "node-not-ready" => format!("{name} says it is not ready{colon}{said}"),
            "tainted" => format!("{name} gets the taint {said}"),
            "untainted" => format!("{name} loses the taint {said}"),
            "leader" => format!("{name} leads"),
            "leader-lost" => format!("{name} leads no more"),
            "down" | "up" => {
                let state = if self.verb == "down" { "down" } else { "back" };
                let why = if said.is_empty() { String::new() } else { format!(" ({said})") };
                format!("{name} is {state}{why}")
            }
            other => format!("{name}{}{colon}{said}", of_job(other)),
        }
    }
}

/// What only Jobs go through; any other verb as it is.
fn of_job(verb: &str) -> String {
    let words = match verb {
        "suspended" => "is suspended",
        "resumed" => "goes on",
        "completing" => "has all it wants",
        "completed" => "is complete",
        "failing" => "is to fail",
        "failed" => "has failed",
        other => return format!(": {other}"),
    };
    format!(" {words}")
}
