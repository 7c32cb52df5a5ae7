//! Episodes put into words.

use super::episode::{Dip, Episode, Failing, Mark, Milestone};
use super::{Chronicle, Line, Tone};
use crate::api::kind::Kind;
use crate::report::words::{after, bytes, clock, count, list, number, span};
use crate::time::SimTime;

/// Lines told of one episode.
const LINES_MAX: usize = 16;

impl Chronicle {
    /// The story so far, in order.
    pub fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut surges = self.surges.lines(self.now).into_iter().peekable();
        for (at, episode) in self.episodes.iter().enumerate() {
            // A surge is told before what began after it.
            while surges.peek().is_some_and(|(begins, _)| at > 0 && *begins < episode.begins) {
                lines.extend(surges.next().into_iter().flat_map(|(_, told)| told));
            }
            let times = if at == 0 { Times::Clock } else { Times::After(episode.begins) };
            if at > 0 {
                let (time, text) = (clock(episode.begins), episode.title.clone());
                lines.push(Line { time, tone: Tone::Headline, text });
            }
            lines.extend(tell(episode, times));
        }
        lines.extend(surges.flat_map(|(_, told)| told));
        lines
    }
}

/// What stands in the column of times.
#[derive(Clone, Copy)]
enum Times {
    /// The instant.
    Clock,
    /// How long after this one.
    After(SimTime),
}

impl Times {
    fn column(self, at: SimTime) -> String {
        match self {
            Times::Clock => clock(at),
            Times::After(begin) => after(begin, at),
        }
    }

    /// In the middle of a sentence.
    fn inline(self, at: SimTime) -> String {
        match self {
            Times::Clock => format!("at {}", clock(at)),
            Times::After(begin) => format!("after {}", span(at.saturating_since(begin))),
        }
    }
}

fn tell(episode: &Episode, times: Times) -> Vec<Line> {
    let teller = Teller { episode, times };
    let mut rows: Vec<(SimTime, Tone, String)> = Vec::new();
    let applied = teller.applied();
    rows.extend(applied.map(|(at, text)| (at, Tone::Plain, text)));
    for (mark, row) in &episode.marks {
        let is_birth = matches!(times, Times::Clock);
        if let Some((tone, text)) = teller.sentence(*mark, row, is_birth) {
            rows.push((row.first, tone, text));
        }
    }
    rows.extend(episode.dips.iter().map(|dip| teller.dip(dip)));
    rows.extend(episode.failing.iter().map(|failing| teller.failing(failing)));
    rows.sort_by_key(|(at, ..)| *at);
    let more = rows.len().saturating_sub(LINES_MAX);
    rows.truncate(LINES_MAX);
    let mut lines: Vec<Line> = rows
        .into_iter()
        .map(|(at, tone, text)| Line { time: times.column(at), tone, text })
        .collect();
    if more > 0 {
        let text = format!("and {} more", count(more as u64, "kind of event"));
        lines.push(Line { time: String::new(), tone: Tone::Plain, text });
    }
    lines
}

/// The plain name of `Pod/shop/web-x`: the last part.
fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// `Deployment` of the first of these.
fn kind_of(row: &Milestone) -> &str {
    row.names.first().and_then(|name| name.split('/').next()).unwrap_or("Deployment")
}

/// `shop/web` of `Deployment/shop/web`.
fn without_kind(name: &str) -> &str {
    name.split_once('/').map_or(name, |(_, rest)| rest)
}

fn plain(row: &Milestone) -> Vec<String> {
    row.names.iter().map(|name| last(name).to_owned()).collect()
}

fn sets(row: &Milestone) -> String {
    let names = plain(row);
    match row.count {
        1 => format!("the Deployment controller makes the ReplicaSet {}", names[0]),
        _ => format!(
            "the Deployment controller makes {}: {}",
            count(row.count, "ReplicaSet"),
            list(&names, row.count)
        ),
    }
}

/// A slice is called after its Service, with a generated end.
fn endpoints(row: &Milestone) -> String {
    let slice = last(&row.names[0]);
    let service = slice.rsplit_once('-').map_or(slice, |(service, _)| service);
    format!("Service {service} has its first endpoint")
}

struct Teller<'a> {
    episode: &'a Episode,
    times: Times,
}

impl Teller<'_> {
    fn mark(&self, mark: Mark) -> Option<&Milestone> {
        self.episode.marks.get(&mark)
    }

    /// `2 Deployments and 3 Services`, of what somebody applied.
    fn applied(&self) -> Option<(SimTime, String)> {
        let mut first = SimTime::MAX;
        let mut parts = Vec::new();
        for (mark, row) in &self.episode.marks {
            let Mark::Applied(kind) = mark else { continue };
            let what = if *kind == Kind::Other { "other object" } else { kind.name() };
            parts.push(count(row.count, what));
            first = first.min(row.first);
        }
        let total = parts.len() as u64;
        (total > 0).then(|| (first, format!("kubectl apply: {}", list(&parts, total))))
    }

    /// `; all 8 at 0:05.3`, where there is more than the first.
    fn through(&self, row: &Milestone) -> String {
        if row.count < 2 || row.first == row.last {
            return String::new();
        }
        let last = self.times.inline(row.last);
        match self.times {
            Times::Clock => format!(", the last of {} {last}", number(row.count)),
            Times::After(_) => format!(", the last {last}"),
        }
    }

    /// Who made the pods: the controller of what was applied, where there is but one.
    fn maker(&self) -> &'static str {
        let is_here = |marks: &[Mark]| marks.iter().any(|mark| self.mark(*mark).is_some());
        let by_sets = [
            Mark::SetsMade,
            Mark::Applied(Kind::ReplicaSet),
            Mark::Applied(Kind::ReplicationController),
        ];
        let makers = [
            (is_here(&by_sets), "the ReplicaSet controller"),
            (is_here(&[Mark::Applied(Kind::StatefulSet)]), "the StatefulSet controller"),
            (is_here(&[Mark::Applied(Kind::DaemonSet)]), "the DaemonSet controller"),
            (is_here(&[Mark::Applied(Kind::Job), Mark::JobsMade]), "the Job controller"),
        ];
        let mut here = makers.into_iter().filter(|(is_here, _)| *is_here).map(|(_, name)| name);
        match (here.next(), here.next()) {
            (Some(one), None) => one,
            (Some(_), Some(_)) => "a controller",
            (None, _) => "the ReplicaSet controller",
        }
    }

    fn sentence(&self, mark: Mark, row: &Milestone, is_birth: bool) -> Option<(Tone, String)> {
        let (names, through) = (plain(row), self.through(row));
        let first = names.first().cloned().unwrap_or_default();
        let on = row.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
        let said = row.message.as_deref().unwrap_or_default();
        let plain = |text: String| Some((Tone::Plain, text));
        match mark {
            Mark::NodesJoined if row.count == 1 => plain(format!("node {first} joins")),
            Mark::NodesJoined => plain(format!(
                "{} are there: {}",
                count(row.count, "node"),
                list(&names, row.count)
            )),
            Mark::SetsMade => plain(sets(row)),
            Mark::JobsMade => plain(format!("the CronJob controller makes Job {first}{through}")),
            Mark::PodsMade => plain(format!(
                "{}: {first}{through}",
                match (is_birth, row.count) {
                    (true, 1) => format!("{} creates a pod", self.maker()),
                    (true, _) => format!("{} creates the first pod", self.maker()),
                    (false, 1) => "a new pod is created".to_owned(),
                    (false, created) => format!("{} are created, first", count(created, "new pod")),
                }
            )),
            Mark::Bound if is_birth => plain(format!("the scheduler places {first}{on}{through}")),
            Mark::Bound => None,
            Mark::Unschedulable => {
                let more = if row.count > 1 {
                    format!(" (told {} times)", number(row.count))
                } else {
                    String::new()
                };
                Some((Tone::Bad, format!("{first} fits nowhere{more}: {said}")))
            }
            Mark::Pulling => self.pulls(row),
            Mark::Pulled => None,
            Mark::PullFailed => Some((Tone::Bad, format!("{first}: {said}{through}"))),
            Mark::Started if is_birth => {
                plain(format!("the first container starts: {first}{on}{through}"))
            }
            Mark::Started => None,
            Mark::Ready if is_birth => {
                Some((Tone::Good, format!("the first pod is ready: {first}{through}")))
            }
            Mark::Ready => Some((
                Tone::Good,
                match row.count {
                    1 => format!("{first} is ready"),
                    _ => format!("{first} is ready, first of {}{through}", count(row.count, "pod")),
                },
            )),
            Mark::Endpoints if is_birth => Some((Tone::Good, endpoints(row))),
            Mark::Served if is_birth => Some((
                Tone::Good,
                format!("the first requests are answered ({})", list(&names, names.len() as u64)),
            )),
            // Ups and downs are told one by one.
            Mark::Available if !is_birth && !self.episode.dips.is_empty() => None,
            Mark::Available => {
                Some((Tone::Good, format!("{} {first} is as desired{through}", kind_of(row))))
            }
            _ => self.trouble(mark, row),
        }
    }

    fn pulls(&self, row: &Milestone) -> Option<(Tone, String)> {
        let pulled = self.mark(Mark::Pulled)?;
        let took = span(pulled.first.saturating_since(row.first));
        let image = row.message.as_deref().and_then(|said| said.split('"').nth(1));
        let what = image.map_or("an image".to_owned(), ToOwned::to_owned);
        let through = match pulled.count {
            1 => String::new(),
            pulls => format!(
                "; {} of {} in all, the last {}",
                count(pulls, "pull"),
                bytes(pulled.sum),
                self.times.inline(pulled.last)
            ),
        };
        Some((Tone::Plain, format!("kubelets fetch images: {what} is there after {took}{through}")))
    }

    /// What tells of trouble and its end.
    fn trouble(&self, mark: Mark, row: &Milestone) -> Option<(Tone, String)> {
        let (names, through) = (plain(row), self.through(row));
        let first = names.first().cloned().unwrap_or_default();
        let said = row.message.as_deref().unwrap_or_default();
        let on = row.node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
        let nodes = list(&names, names.len() as u64);
        let bad = |text: String| Some((Tone::Bad, text));
        let plain = |text: String| Some((Tone::Plain, text));
        match mark {
            Mark::Refused => bad(format!("refused: {first}: {said}")),
            Mark::Changed => plain(format!("the template of {} {first} is changed", kind_of(row))),
            Mark::JobSuspended => plain(format!("Job {first} is suspended{through}")),
            Mark::JobResumed => plain(format!("Job {first} goes on{through}")),
            Mark::JobCompleted => Some((Tone::Good, format!("Job {first} is complete{through}"))),
            Mark::JobFailed => bad(format!("Job {first} has failed: {said}{through}")),
            Mark::AutoscaledUp | Mark::AutoscaledDown => plain(self.autoscaled(&first, row)),
            // What autoscalers do is told with their reasons.
            Mark::Scaled if self.autoscalings() >= row.count => None,
            Mark::Scaled => plain(format!("{} {first} is scaled{through}", kind_of(row))),
            Mark::Restarted => plain(format!("a container starts again: {first}{on}{through}")),
            Mark::Exited if said.starts_with("OOMKilled") => bad(format!(
                "a container is killed because memory ran out (OOMKilled): {first}{on}{through}"
            )),
            Mark::Exited if self.mark(Mark::Deleting).is_none() => {
                plain(format!("a container ends: {first}{on}{through}"))
            }
            Mark::ProbeFailed => bad(format!("a probe fails: {first}{on}{through}")),
            Mark::HookFailed => bad(format!("a hook fails: {first}{on}{through}")),
            Mark::BackOff => {
                bad(format!("{first} crashed again and waits before the next start{through}"))
            }
            Mark::Unready => bad(match row.count {
                1 => format!("{first} is no longer ready{on}"),
                _ => format!("{} are no longer ready{through}", count(row.count, "pod")),
            }),
            Mark::Succeeded if self.mark(Mark::Deleting).is_none() => {
                plain(format!("a pod has done its work: {first}{through}"))
            }
            Mark::Failed => bad(format!("a pod fails: {first}{on}{through}")),
            Mark::NodeUnknown => bad(format!(
                "{nodes} {} NotReady: nothing was heard for the grace period",
                if row.names.len() == 1 { "is" } else { "are" }
            )),
            Mark::NodeNotReady => bad(format!("{nodes}: not ready, by its own word")),
            Mark::NodeReady => Some((Tone::Good, format!("{nodes} ready again{through}"))),
            Mark::Crowded => bad(format!(
                "{nodes} {} short of CPU: {said}{through}",
                if row.names.len() == 1 { "is" } else { "are" }
            )),
            Mark::Evicted => {
                bad(format!("{}{on} told to leave (evicted){through}", count(row.count, "pod")))
            }
            Mark::Preempted => {
                let pods = count(row.count, "pod");
                bad(format!("{pods}{on} must go {said}{through}"))
            }
            Mark::Deleting
                if [Mark::Evicted, Mark::Preempted].iter().all(|&it| self.mark(it).is_none()) =>
            {
                plain(format!("{} to be deleted{through}", count(row.count, "pod")))
            }
            Mark::Leader if row.first > SimTime::ZERO => plain(format!("{first} leads")),
            Mark::LeaderLost => bad(format!("{first} leads no more")),
            Mark::Healed => {
                let name = said.split(':').next().unwrap_or_default();
                Some((Tone::Good, format!("{name} is over")))
            }
            Mark::Missed => bad(format!("nothing found: {said}")),
            _ => self.machines(mark, row),
        }
    }

    /// What the cluster autoscaler does.
    fn machines(&self, mark: Mark, row: &Milestone) -> Option<(Tone, String)> {
        let (names, through) = (list(&plain(row), row.count), self.through(row));
        let said = row.message.as_deref().unwrap_or_default();
        let value = |key: &str| row.values.iter().find(|it| it.0 == key).map_or(0, |it| it.1);
        match mark {
            Mark::Booting => {
                let machines = count(row.count, "machine");
                let text = format!("the cluster autoscaler asks for {machines}: {names}{through}");
                Some((Tone::Plain, text))
            }
            Mark::MachineReady => {
                let nodes = if row.count == 1 { "node" } else { "nodes" };
                Some((Tone::Good, format!("machines have booted: {nodes} {names} ready{through}")))
            }
            Mark::Advised => {
                let first = row.names.first().map_or("", |name| last(name));
                let text = format!("VerticalPodAutoscaler {first} recommends {said}{through}");
                Some((Tone::Plain, text))
            }
            Mark::Outgrown => {
                let pods = count(row.count, "pod");
                let text = format!("{pods} to be given other requests: {names}{through}");
                Some((Tone::Plain, text))
            }
            Mark::NotHelped => {
                Some((Tone::Bad, format!("no node group helps {names}: {said}{through}")))
            }
            Mark::ScaleUpFailed => {
                let missing = value("missing");
                let text =
                    format!("machines of group {names} do not come: {missing} missing{through}");
                Some((Tone::Bad, text))
            }
            Mark::Removing => {
                let text =
                    format!("the cluster autoscaler empties nodes nobody needs: {names}{through}");
                Some((Tone::Plain, text))
            }
            Mark::Returned => Some((Tone::Plain, format!("given back: {names}{through}"))),
            _ => None,
        }
    }

    /// How often autoscalers asked for another size.
    fn autoscalings(&self) -> u64 {
        let marks = [Mark::AutoscaledUp, Mark::AutoscaledDown];
        marks.iter().filter_map(|&mark| self.mark(mark)).map(|row| row.count).sum()
    }

    fn autoscaled(&self, name: &str, row: &Milestone) -> String {
        let value =
            |key: &str| row.values.iter().find(|(held, _)| *held == key).map_or(0, |it| it.1);
        let (from, to) = (value("current"), value("desired"));
        let why = match row.message.as_deref() {
            Some(said) if !said.is_empty() => format!(": {said}"),
            _ => String::new(),
        };
        format!("autoscaler {name} asks for {to} pods in place of {from}{why}{}", self.through(row))
    }

    fn dip(&self, dip: &Dip) -> (SimTime, Tone, String) {
        let end = match dip.back {
            Some(back) => format!("all {} again {}", dip.before, self.times.inline(back)),
            None => "not made good".to_owned(),
        };
        let name = without_kind(&dip.name);
        let text = format!("{name}: {} of {} available; {end}", dip.lowest, dip.before);
        (dip.at, Tone::Bad, text)
    }

    fn failing(&self, failing: &Failing) -> (SimTime, Tone, String) {
        let total: u64 = failing.kinds.iter().sum();
        let names = ["refused", "reset", "timed out", "answered with an error"];
        let kinds = failing.kinds.iter().zip(names).filter(|(count, _)| **count > 0);
        let kinds: Vec<String> =
            kinds.map(|(count, name)| format!("{} {name}", number(*count))).collect();
        let why = failing.why.as_ref().map_or(String::new(), |why| format!("; the first: {why}"));
        let text = format!(
            "{} fail until {} ({}){why}",
            count(total, "request"),
            self.times.inline(failing.last).trim_start_matches("at "),
            kinds.join(", ")
        );
        (failing.first.max(self.episode.begins), Tone::Bad, text)
    }
}
