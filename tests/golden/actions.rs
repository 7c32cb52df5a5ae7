//! What the harness did, in its own words, as steps of a timeline.
//!
//! Reads words, not recordings: `scale 10 -> 15`, `kill -9 etcd`, `fake kubelets of n0,n1 stop` and what
//! else such a harness says. An action nobody understands is told, never passed over.

/// What an action asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Deed {
    /// What was not there before is applied.
    Create,
    /// A template gets its next version; words that tell which.
    Patch(String),
    Scale(i64),
    Pause,
    Resume,
    /// `kubectl rollout undo`.
    Undo,
    /// An object goes: kind, name, cascade.
    Delete(String, String, Option<&'static str>),
    Kubelets(Vec<String>, Way),
    /// A part of the control plane; the one that leads, if more than one.
    Part(&'static str, Way),
    /// A part that stands still until it goes on.
    Frozen(&'static str),
    /// kubectl's drain, and uncordon of the node it was.
    Drain(String),
    Uncordon,
    Taint(String, String),
    Untaint,
    Label(String, String),
    /// So many pods are evicted at once.
    Evict(usize),
    /// So many pods lie on these nodes when it begins, the oldest first.
    Placed(Vec<(String, i64)>),
    /// Told of the harness alone: nothing happens.
    Nothing,
}

/// Whether something stops or goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    Stop,
    Start,
}

/// Parts of the control plane, as the harness and as a Scenario calls them.
const PARTS: [(&str, &str); 4] = [
    ("kube-apiserver", "api-server"),
    ("kube-controller-manager", "controller-manager"),
    ("kube-scheduler", "scheduler"),
    ("etcd", "etcd"),
];

/// Words that change nothing: what the harness saw, and when a command of it was done.
const IDLE: [&str; 6] =
    ["/readyz", "alive after", "had exited", " returned", "settled", "observed"];

/// What the words of an action ask for; none if nobody knows. One action may ask for two things.
pub fn deeds(words: &str) -> Option<Vec<Deed>> {
    words.split("; same moment: ").map(deed).collect()
}

fn deed(words: &str) -> Option<Deed> {
    let all: Vec<&str> = words.split([' ', ',']).filter(|it| !it.is_empty()).collect();
    let first = *all.first()?;
    let second = all.get(1).copied().unwrap_or_default();
    let node = || all.iter().find(|it| is_node(it)).map(|it| (*it).to_owned());
    let part = PARTS.iter().find(|(name, _)| words.contains(name)).map(|it| it.1);
    let command = first == "kubectl";
    let found = match (if command { second } else { first }, part) {
        _ if IDLE.iter().any(|it| words.contains(it)) => Deed::Nothing,
        ("fake", _) => {
            let way = if words.contains("return") { Way::Start } else { Way::Stop };
            let nodes = all.iter().filter(|it| is_node(it));
            Deed::Kubelets(nodes.map(|it| (*it).to_owned()).collect(), way)
        }
        (_, Some(part)) if words.contains("SIGCONT") => Deed::Part(part, Way::Start),
        (_, Some(part)) if words.contains("SIGSTOP") => Deed::Frozen(part),
        ("kill" | "stop", Some(part)) => Deed::Part(part, Way::Stop),
        ("start" | "restart" | "cont" | "continue", Some(part)) => Deed::Part(part, Way::Start),
        ("the", _) if words.contains("is started again") => Deed::Nothing,
        ("patch", _) => Deed::Patch(words.to_owned()),
        ("scale", _) => {
            let words = words.trim_end_matches(" accepted");
            Deed::Scale(words.rsplit(' ').next()?.parse().ok()?)
        }
        ("pause", _) => Deed::Pause,
        ("resume", _) => Deed::Resume,
        ("rollout", _) if words.contains("undo") => Deed::Undo,
        ("rollback" | "undo", _) => Deed::Undo,
        ("delete" | "DELETE", _) => delete(words, &all)?,
        ("drain", _) => Deed::Drain(node()?),
        ("uncordon", _) => Deed::Uncordon,
        ("taint", _) if words.contains("removed") => Deed::Untaint,
        ("taint", _) => Deed::Taint(node()?, all.iter().find(|it| it.contains(":No"))?.to_string()),
        ("label", _) => Deed::Label(node()?, all.iter().find(|it| it.contains('='))?.to_string()),
        ("create" | "apply", _) => Deed::Create,
        _ if placed(words).is_some() => Deed::Placed(placed(words)?),
        (count, _) if words.contains("eviction") => Deed::Evict(count.parse().ok()?),
        _ => return None,
    };
    Some(found)
}

/// `3 pods on n0 (oldest), 2 on n1, 1 on n2 (youngest)`.
fn placed(words: &str) -> Option<Vec<(String, i64)>> {
    let one = |part: &str| {
        let words: Vec<&str> = part.split_whitespace().filter(|it| *it != "pods").collect();
        let [count, "on", node, ..] = words[..] else { return None };
        Some((Some(node).filter(|it| is_node(it))?.to_owned(), count.parse().ok()?))
    };
    words.split(", ").map(one).collect()
}

fn is_node(word: &str) -> bool {
    word.strip_prefix('n')
        .is_some_and(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()))
}

fn delete(words: &str, all: &[&str]) -> Option<Deed> {
    let kinds =
        ["deployment", "replicaset", "statefulset", "daemonset", "job", "pod", "node", "namespace"];
    let at = all.iter().position(|it| kinds.contains(&it.to_lowercase().as_str()))?;
    let kind = all[at].to_lowercase();
    let name = all.get(at + 1).map_or(String::new(), |it| (*it).to_owned());
    let cascades =
        [("Background", "background"), ("Foreground", "foreground"), ("Orphan", "orphan")];
    let cascade = cascades.iter().find(|(word, _)| words.contains(word)).map(|it| it.1);
    Some(Deed::Delete(kind, name, cascade))
}

#[test]
fn words_of_the_harness_are_understood() {
    let one = |words| deeds(words).map(|mut all| all.swap_remove(0));
    assert_eq!(one("scale 10 -> 15 accepted"), Some(Deed::Scale(15)));
    assert_eq!(one("SIGSTOP etcd"), Some(Deed::Frozen("etcd")));
    assert_eq!(one("etcd: SIGCONT"), Some(Deed::Part("etcd", Way::Start)));
    assert_eq!(one("scale to 9"), Some(Deed::Scale(9)));
    assert_eq!(
        one("fake kubelets of n0,n12 stop (no leases, no status, no pod work)"),
        Some(Deed::Kubelets(vec!["n0".to_owned(), "n12".to_owned()], Way::Stop))
    );
    assert_eq!(
        deeds("kill -9 the leading kube-scheduler; same moment: create the Deployment"),
        Some(vec![Deed::Part("scheduler", Way::Stop), Deed::Create])
    );
    assert_eq!(
        one("delete the stuck pod db-2 by hand"),
        Some(Deed::Delete("pod".to_owned(), "db-2".to_owned(), None))
    );
    let placed = [("n0", 3), ("n1", 2), ("n2", 1)].map(|(node, count)| (node.to_owned(), count));
    assert_eq!(
        one("3 pods on n0 (oldest), 2 on n1, 1 on n2 (youngest)"),
        Some(Deed::Placed(placed.to_vec()))
    );
    assert_eq!(one("juggle three pods"), None);
}
