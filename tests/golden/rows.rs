//! Rows of a recording by their names: the same figure from a run of ours.
//!
//! A name says what is meant (`last_pod_ready`, `tol10_first_evicted`, `db-1#2_created`); nothing here
//! depends on which recording it stands in.

use std::collections::BTreeMap;

use wavetank::api::kind::Kind;
use wavetank::api::meta::ObjectName;
use wavetank::api::name::Name;
use wavetank::messages::Verb;

use super::actions::{Deed, Way, deeds};
use super::ours::{Moment, Ours};
use super::recording::Run;
use super::verdict::NOISE;

/// What of ours stands beside a recorded row.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer {
    /// The figure.
    Is(f64),
    /// Nothing of the kind happened.
    Never,
    /// It is not compared: why.
    Apart(&'static str),
    /// Nobody knows what the row means.
    Unknown,
}

/// How rows name what happens to pods.
const PODS: [(&str, Verb); 7] = [
    ("created", Verb::Created),
    ("scheduled", Verb::Bound),
    ("running", Verb::Running),
    ("ready", Verb::Ready),
    ("finished", Verb::Finished),
    ("deleting", Verb::Deleting),
    ("deleted", Verb::Deleted),
];
/// How rows name conditions of Jobs.
const JOBS: [(&str, Verb); 5] = [
    ("SuccessCriteriaMet", Verb::Completing),
    ("FailureTarget", Verb::Failing),
    ("Complete", Verb::Completed),
    ("Failed", Verb::Failed),
    ("deleted", Verb::Deleted),
];
/// Rows that are nobody's to simulate, by their beginning.
const APART: [(&str, &str); 8] = [
    ("cpu_s_", "CPU"),
    ("control_plane_cpu", "CPU"),
    ("idle_cpu", "CPU"),
    ("peak_rss", "RSS"),
    ("control_plane_peak_rss", "RSS"),
    ("n_endpointslice_writes", "count of slice writes"),
    ("lease_age_at_kill", "given, not found"),
    ("scale_accepted", "given, not found"),
];

/// Whether a row is not compared.
pub fn is_apart(row: &str) -> bool {
    APART.iter().any(|(start, _)| row.starts_with(start))
}

fn answer(found: Option<f64>) -> Answer {
    found.map_or(Answer::Never, Answer::Is)
}

/// A share of sorted values, as the recordings count it.
fn quantile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let at = (share * values.len() as f64) as usize;
    values.get(at.min(values.len().checked_sub(1)?)).copied()
}

/// Things a second between a fifth and four fifths of them.
fn rate(times: &[f64]) -> Option<f64> {
    let (from, to) = (times.len() / 5, (times.len() * 4 / 5).checked_sub(1)?);
    (to > from).then(|| (to - from) as f64 / (times[to] - times[from]))
}

/// `web-<rs1>-p3_created` and its like: whose, and which verb. Which of a set's pods is struck is chance:
/// the how many-th it is to meet with that is compared.
pub fn ranked(row: &str) -> Option<(&str, &str)> {
    let (pod, word) = row.rsplit_once('_')?;
    let (stem, number) = pod.rsplit_once("-p")?;
    let is_pod = number.bytes().all(|it| it.is_ascii_digit()) && !number.is_empty();
    (is_pod && PODS.iter().any(|it| it.0 == word)).then_some((stem, word))
}

/// The rows of a run, those of numbered pods by rank.
pub fn by_rank(rows: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let mut ranks: BTreeMap<(&str, &str), Vec<f64>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (row, value) in rows {
        match ranked(row) {
            Some(it) => ranks.entry(it).or_default().push(*value),
            None => drop(found.insert(row.clone(), *value)),
        }
    }
    for ((stem, word), mut values) in ranks {
        values.sort_by(f64::total_cmp);
        for (at, value) in values.into_iter().enumerate() {
            found.insert(format!("{stem} {word} {}", at + 1), value);
        }
    }
    found
}

/// A run of ours beside the recorded one it follows.
pub struct Beside<'a> {
    pub ours: &'a Ours,
    pub run: Run<'a>,
    /// When the first action was, in seconds of the run.
    pub begin: f64,
    /// When the last Lease was renewed that was not renewed again, in seconds from the first action.
    pub lease: f64,
    /// Where all is scaled to nothing at the end: when.
    pub until: f64,
}

impl Beside<'_> {
    fn moments(&self) -> impl DoubleEndedIterator<Item = &Moment> {
        self.ours.moments.iter().filter(|it| (0.0..self.until).contains(&it.at))
    }

    fn of(&self, kind: Kind, verb: Verb) -> impl DoubleEndedIterator<Item = &Moment> {
        self.moments().filter(move |it| it.fact.object.kind == kind && it.fact.verb == verb)
    }

    fn pods(&self, word: &str) -> Option<Vec<f64>> {
        let verb = PODS.iter().find(|it| it.0 == word)?.1;
        Some(self.of(Kind::Pod, verb).map(|it| it.at).collect())
    }

    /// When a named thing was done by the harness.
    fn done(&self, is_it: impl Fn(&Deed) -> bool) -> Option<f64> {
        let actions = self.run.actions();
        let mut all =
            actions.iter().filter(|it| deeds(&it.1).is_some_and(|all| all.iter().any(&is_it)));
        all.next().map(|it| it.0)
    }

    fn returned(&self) -> f64 {
        self.done(|it| matches!(it, Deed::Kubelets(_, Way::Start))).unwrap_or(f64::MAX)
    }

    /// The figure of a row.
    pub fn row(&self, row: &str) -> Answer {
        if let Some((_, why)) = APART.iter().find(|(start, _)| row.starts_with(start)) {
            return Answer::Apart(why);
        }
        let found = [
            self.of_all_pods(row),
            self.of_ranks(row),
            self.of_lags(row),
            self.of_nodes(row),
            self.of_apps(row),
            self.of_preemption(row),
            self.of_jobs(row),
            self.of_cron_jobs(row),
            self.of_objects(row),
            self.of_leaders(row),
        ];
        found.into_iter().flatten().next().unwrap_or(Answer::Unknown)
    }

    fn of_all_pods(&self, row: &str) -> Option<Answer> {
        let (which, rest) = row.split_once('_')?;
        let word = rest.strip_prefix("pod_").or_else(|| rest.strip_prefix("pods_"));
        if let Some(times) = word.and_then(|word| self.pods(word)) {
            return Some(match which {
                "first" => answer(times.first().copied()),
                "last" => answer(times.last().copied()),
                "n" => Answer::Is(times.len() as f64),
                _ => return None,
            });
        }
        if let Some(word) = row.strip_suffix("_per_s_mid60pct")
            && let Some(times) = self.pods(word)
        {
            return Some(answer(rate(&times)));
        }
        match row {
            "deployment_complete" => {
                // One that goes while it is complete is told so at its end.
                let gone = self.of(Kind::Deployment, Verb::Deleted).next();
                let complete = self.of(Kind::Deployment, Verb::Available).next_back();
                Some(answer(complete.or(gone).map(|it| it.at)))
            }
            "progress_deadline_exceeded" => {
                Some(answer(self.ours.stalled.iter().find(|at| **at >= 0.0).copied()))
            }
            "last_endpointslice_write" => {
                let mut all = self.moments().rev();
                let of_slice = |it: &&Moment| it.fact.object.kind == Kind::EndpointSlice;
                Some(answer(all.find(of_slice).map(|it| it.at)))
            }
            _ => None,
        }
    }

    /// Pods by name or by rank.
    fn of_ranks(&self, row: &str) -> Option<Answer> {
        let (stem, word, rank) = match row.split(' ').collect::<Vec<_>>()[..] {
            [stem, word, rank] => (stem, word, rank.parse::<usize>().ok()?),
            _ => {
                let (stem, word) = row.rsplit_once('_')?;
                (stem, word, 1)
            }
        };
        let verb = PODS.iter().find(|it| it.0 == word)?.1;
        let is_known =
            self.ours.moments.iter().any(|it| it.pod.as_ref().is_some_and(|pod| pod.stem == stem));
        if !is_known {
            return row.contains(' ').then_some(Answer::Never);
        }
        let its = |it: &&Moment| {
            it.pod.as_ref().is_some_and(|pod| pod.stem == stem) && it.fact.object.kind == Kind::Pod
        };
        let mut times: Vec<f64> =
            self.moments().filter(its).filter(|it| it.fact.verb == verb).map(|it| it.at).collect();
        if verb == Verb::Deleting {
            times.extend(self.unmarked(stem));
            times.sort_by(f64::total_cmp);
        }
        Some(answer(times.get(rank - 1).copied()))
    }

    /// Who was deleted after whom: names, of numbered pods their nodes.
    pub fn deletions(&self) -> Vec<String> {
        let mut found: Vec<(&ObjectName, String)> = Vec::new();
        for it in self.moments().filter(|it| it.fact.object.kind == Kind::Pod) {
            let is_new = found.iter().all(|known| *known.0 != it.fact.object);
            if let (Verb::Deleting | Verb::Deleted, true, Some(pod)) =
                (it.fact.verb, is_new, &it.pod)
            {
                let node = self.node_of(&it.fact.object).map(ToString::to_string);
                let numbered = node.filter(|_| pod.is_numbered);
                found.push((&it.fact.object, numbered.unwrap_or_else(|| pod.stem.clone())));
            }
        }
        found.into_iter().map(|it| it.1).collect()
    }

    /// Where a pod was bound to, most before the first action.
    fn node_of(&self, pod: &ObjectName) -> Option<&Name> {
        let mut bound = self.ours.moments.iter().filter(|it| it.fact.verb == Verb::Bound);
        bound.find(|it| it.fact.object == *pod)?.fact.node.as_ref()
    }

    /// A pod without grace is marked and gone in one.
    fn unmarked(&self, stem: &str) -> Vec<f64> {
        let its = |it: &&Moment| it.pod.as_ref().is_some_and(|pod| pod.stem == stem);
        let marked: Vec<&Moment> = self.of(Kind::Pod, Verb::Deleting).filter(its).collect();
        let gone = self.of(Kind::Pod, Verb::Deleted).filter(its);
        let alone =
            gone.filter(|it| !marked.iter().any(|other| other.fact.object == it.fact.object));
        alone.map(|it| it.at).collect()
    }

    /// From one thing that happens to a pod to another.
    fn of_lags(&self, row: &str) -> Option<Answer> {
        let (words, share) = row.rsplit_once("_p").filter(|it| it.1.parse::<u8>().is_ok())?;
        let share = share.parse::<f64>().ok()? / 100.0;
        let (from, to) = words.split_once("_to_")?;
        let verb = |word: &str| PODS.iter().find(|it| it.0 == word).map(|it| it.1);
        let (from, to) = (verb(from)?, verb(to)?);
        let mut begun = BTreeMap::new();
        let mut lags = Vec::new();
        for it in self.moments().filter(|it| it.fact.object.kind == Kind::Pod) {
            let name = it.fact.object.name.to_string();
            if it.fact.verb == from {
                begun.insert(name, it.at);
            } else if it.fact.verb == to
                && let Some(at) = begun.get(&name)
            {
                lags.push(it.at - at);
            }
        }
        Some(answer(quantile(lags, share)))
    }

    fn of_nodes(&self, row: &str) -> Option<Answer> {
        let back = self.returned();
        let unknown: Vec<f64> = self.of(Kind::Node, Verb::NodeUnknown).map(|it| it.at).collect();
        let found = match row {
            "first_node_unknown" => unknown.first().copied(),
            "last_node_unknown" => unknown.last().copied(),
            "unknown_since_last_lease" => unknown.first().map(|at| at - self.lease),
            "return_to_ready" => {
                self.of(Kind::Node, Verb::NodeReady).next_back().map(|it| it.at - back)
            }
            "taints_gone_after_return" => {
                self.of(Kind::Node, Verb::Untainted).next_back().map(|it| it.at - back)
            }
            _ => {
                let (which, effect) = row.split_once("_taint_")?;
                let times = self.tainted(effect, back);
                match which {
                    "first" => times.first().copied(),
                    _ => times.last().copied(),
                }
            }
        };
        Some(answer(found))
    }

    /// When the taints of a node changed and one with this effect was among them afterwards, up to when the
    /// call that brings nodes back came back; what happens as it does is seen if it was so in the recording.
    fn tainted(&self, effect: &str, back: f64) -> Vec<f64> {
        let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut times = Vec::new();
        let recorded = self.run.timings().get(&format!("last_taint_{effect}")).copied();
        let until = match recorded.is_some_and(|at| at > back - NOISE) {
            true => back + NOISE,
            false => back - NOISE,
        };
        for it in self.moments().filter(|it| it.fact.object.kind == Kind::Node && it.at < until) {
            let taint = it.fact.message.as_ref().map(ToString::to_string).unwrap_or_default();
            let taints = held.entry(it.fact.object.name.to_string()).or_default();
            match it.fact.verb {
                Verb::Tainted => taints.push(taint),
                Verb::Untainted => taints.retain(|held| *held != taint),
                _ => continue,
            }
            if taints.iter().any(|taint| taint.ends_with(effect)) {
                times.push(it.at);
            }
        }
        times
    }

    /// Rows of one workload in a node's failure.
    fn of_apps(&self, row: &str) -> Option<Answer> {
        let (app, what) = row.split_once('_')?;
        let back = self.returned();
        let its = |verb: Verb| -> Vec<f64> {
            let of_app = |it: &&Moment| it.pod.as_ref().is_some_and(|pod| pod.app == app);
            self.of(Kind::Pod, verb).filter(of_app).map(|it| it.at).collect()
        };
        let before = |verb: Verb| its(verb).into_iter().filter(|at| *at < back).collect::<Vec<_>>();
        let found = match what {
            "first_pod_notready" => its(Verb::Unready).first().copied(),
            "first_evicted" => before(Verb::Deleting).first().copied(),
            "last_evicted" => before(Verb::Deleting).last().copied(),
            "n_evicted" => Some(before(Verb::Deleting).len() as f64),
            "first_replacement_created" => before(Verb::Created).first().copied(),
            "last_replacement_ready" => self.replaced(app, back),
            "terminating_pods_gone_after_return" => self.gone(app),
            _ => return None,
        };
        Some(answer(found))
    }

    /// How long the pods of a workload took to go, from when the kubelet of each took up its work: recorded
    /// ones do when the call for all of them came back, ours each with its node.
    fn gone(&self, app: &str) -> Option<f64> {
        let its = |it: &&Moment| it.pod.as_ref().is_some_and(|pod| pod.app == app);
        let took = self.of(Kind::Pod, Verb::Deleted).filter(its).filter_map(|it| {
            let node = self.node_of(&it.fact.object)?;
            let mut up = self.of(Kind::Node, Verb::Up).filter(|up| up.fact.object.name == *node);
            Some(it.at - up.rfind(|up| up.at < it.at)?.at)
        });
        took.fold(None, |most: Option<f64>, it| Some(most.map_or(it, |most| most.max(it))))
    }

    /// `nominated_min`, `victim_gone_max`, `high_ready_min`: the first and last of pods that something happens to.
    fn of_preemption(&self, row: &str) -> Option<Answer> {
        if row == "n_victims" {
            return Some(Answer::Is(self.of(Kind::Pod, Verb::Deleting).count() as f64));
        }
        let (what, which) = row.rsplit_once('_').filter(|it| ["min", "max"].contains(&it.1))?;
        let (whose, verb) = match what {
            "nominated" => (None, Verb::Nominated),
            "victim_deleting" => (None, Verb::Deleting),
            "victim_gone" => (None, Verb::Deleted),
            _ => {
                let (app, word) = what.trim_start_matches("first_").rsplit_once('_')?;
                (Some(app), PODS.iter().find(|it| it.0 == word)?.1)
            }
        };
        let its = |it: &&Moment| {
            whose.is_none_or(|app| it.pod.as_ref().is_some_and(|pod| pod.app == app))
        };
        let mut times = self.of(Kind::Pod, verb).filter(its).map(|it| it.at);
        let is_first = which == "min" || what.starts_with("first_");
        Some(answer(if is_first { times.next() } else { times.next_back() }))
    }

    /// When the last of the pods became ready that were created meanwhile.
    fn replaced(&self, app: &str, back: f64) -> Option<f64> {
        let of_app =
            |it: &&Moment| it.at < back && it.pod.as_ref().is_some_and(|pod| pod.app == app);
        let created: Vec<&Moment> = self.of(Kind::Pod, Verb::Created).filter(of_app).collect();
        let mut ready = self.of(Kind::Pod, Verb::Ready).filter(of_app);
        let is_new = |it: &&Moment| created.iter().any(|other| other.fact.object == it.fact.object);
        ready.rfind(is_new).map(|it| it.at)
    }

    fn of_jobs(&self, row: &str) -> Option<Answer> {
        let (job, what) = row.rsplit_once('_')?;
        let verb = JOBS.iter().find(|it| it.0 == what)?.1;
        let its = |it: &&Moment| it.fact.object.name.to_string() == job;
        let is_job =
            self.ours.moments.iter().filter(its).any(|it| it.fact.object.kind == Kind::Job);
        is_job.then(|| answer(self.of(Kind::Job, verb).find(its).map(|it| it.at)))
    }

    /// `cron-<job2>_added_after_minute`.
    fn of_cron_jobs(&self, row: &str) -> Option<Answer> {
        let (job, what) = row.strip_suffix("_after_minute")?.rsplit_once('_')?;
        let verb = match what {
            "added" => Verb::Created,
            "deleted" => Verb::Deleted,
            _ => return None,
        };
        let own = self.ours.jobs.get(job)?;
        let found = self.of(Kind::Job, verb).find(|it| it.fact.object.name.to_string() == *own);
        Some(answer(found.map(|it| (self.begin + it.at).rem_euclid(60.0))))
    }

    /// `first_Job_deleted`, `ReplicaSet_deleted`, `Deployment_marked_deleting`.
    fn of_objects(&self, row: &str) -> Option<Answer> {
        if row == "rs_orphaned" {
            return Some(answer(self.ours.orphaned.first().copied()));
        }
        let (which, rest) = match row.split_once('_')? {
            it @ ("first" | "last", _) => it,
            _ => ("first", row),
        };
        let (kind, what) = rest.split_once('_')?;
        let verb = match what {
            "marked" | "marked_deleting" => Verb::Deleting,
            "deleted" => Verb::Deleted,
            _ => return None,
        };
        // What nothing here looks at is merely stored, whatever its kind.
        let is_it = |of: Kind| of.name() == kind || (of == Kind::Other && kind == "ConfigMap");
        let mut times =
            self.moments().filter(|it| is_it(it.fact.object.kind) && it.fact.verb == verb);
        let found = if which == "first" { times.next() } else { times.next_back() };
        Some(answer(found.map(|it| it.at)))
    }

    fn of_leaders(&self, row: &str) -> Option<Answer> {
        let leaders: Vec<f64> =
            self.moments().filter(|it| it.fact.verb == Verb::Leader).map(|it| it.at).collect();
        let accepted = self.run.timings().get("scale_accepted").copied();
        let after_scale = |found: Option<f64>| Some(found? - accepted?);
        let found = match row {
            "new_leader" => leaders.first().copied(),
            "new_leader_after_last_renew" => leaders.first().map(|at| at - self.lease),
            "leader_changes" => Some(leaders.len() as f64),
            "last_leader_change" => leaders.last().copied(),
            "first_new_pod_after_scale" => {
                after_scale(self.of(Kind::Pod, Verb::Created).next().map(|it| it.at))
            }
            "complete_after_scale" => {
                after_scale(self.of(Kind::Deployment, Verb::Available).next_back().map(|it| it.at))
            }
            "readyz" => self.answers(),
            "first_FailedScheduling" => {
                self.of(Kind::Pod, Verb::Unschedulable).next().map(|it| it.at)
            }
            "n_FailedScheduling" => Some(self.of(Kind::Pod, Verb::Unschedulable).count() as f64),
            _ => {
                let word = row.strip_prefix("scale_to_0_")?;
                return Some(self.of_scaling_down(word));
            }
        };
        Some(answer(found))
    }

    /// When the part of the control plane that was down answers: an API server says so.
    fn answers(&self) -> Option<f64> {
        let mut parts = self.of(Kind::Other, Verb::Ready);
        let mut up = self.moments().filter(|it| it.fact.verb == Verb::Up);
        parts.next().or_else(|| up.next()).map(|it| it.at)
    }

    /// Rows from the moment all is scaled to nothing.
    fn of_scaling_down(&self, what: &str) -> Answer {
        let since = |verb: Verb| -> Vec<f64> {
            let of_verb = |it: &&Moment| it.fact.object.kind == Kind::Pod && it.fact.verb == verb;
            let times = self.ours.moments.iter().filter(of_verb).map(|it| it.at - self.until);
            times.filter(|at| *at >= 0.0).collect()
        };
        match what {
            "first_deleting" => answer(since(Verb::Deleting).first().copied()),
            "last_deleting" => answer(since(Verb::Deleting).last().copied()),
            "last_gone" => answer(since(Verb::Deleted).last().copied()),
            "per_s_mid60pct" => answer(rate(&since(Verb::Deleting))),
            _ => Answer::Unknown,
        }
    }
}
