//! Apps: what programs take, and how they fail.

use super::*;
use crate::messages::usage::Usage;

fn with_usage(usage: &str) -> (Vec<String>, Option<Usage>) {
    let text = format!("{HEAD}spec:\n  apps: [{{usage: {usage}}}]\n");
    let loaded = load(&text, Overrides::default());
    let said = loaded.findings.iter().map(ToString::to_string).collect();
    (said, loaded.plan.apps.rules.first().and_then(|rule| rule.app.usage.as_deref().cloned()))
}

#[test]
fn usage_is_an_amount_or_says_how_it_comes_about() {
    let secs = SimDuration::from_secs;
    let (said, usage) = with_usage("{cpu: 100m, memory: 64Mi}");
    assert!(said.is_empty(), "{said:?}");
    let usage = usage.expect("it is read");
    assert_eq!(usage.cpu.course.at(secs(0)), 100_000_000);
    assert_eq!(usage.memory.course.at(secs(9)), 64 << 20);

    let forms = "{cpu: {steps: {0s: 100m, 1m: 2}, repeat: 2m, perRequest: 5ms}, \
                  memory: {base: 64Mi, growth: {by: 1Mi, each: 1s, upTo: 80Mi}, perRequest: 1Mi}, \
                  disk: {linear: {0s: 0, 100s: 1Gi}}, \
                  processes: {csv: \"seconds,cpu,threads\\n0,1,4\\n10.5,2,8\\n\", column: threads}, \
                  volumes: {cache: 1Gi}}";
    let (said, usage) = with_usage(forms);
    assert!(said.is_empty(), "{said:?}");
    let usage = usage.expect("it is read");
    assert_eq!([59, 60, 120].map(|at| usage.cpu.course.at(secs(at)) / 1_000_000), [100, 2000, 100]);
    assert_eq!((usage.cpu.per_request, usage.memory.per_request), (5_000_000, 1 << 20));
    assert_eq!([1, 99].map(|at| usage.memory.course.at(secs(at)) >> 20), [65, 80]);
    assert_eq!(usage.disk.course.at(secs(50)), 512 << 20);
    assert_eq!(usage.processes.course.at(SimDuration::from_millis(10_500)), 8);
    assert_eq!(&*usage.volumes[0].0, "cache");
}

#[test]
fn wrong_usage_is_named_with_place_and_nearest_name() {
    for (usage, part) in [
        ("{cpus: 1}", "did you mean \"cpu\"?"),
        ("{cpu: {step: {0s: 1}}}", "did you mean \"steps\"?"),
        ("{cpu: fast}", "spec.apps[0].usage.cpu"),
        ("{memory: -1}", "greater than or equal to 0"),
        ("{cpu: {base: 1, steps: {0s: 1}}}", "may not be said beside base"),
        ("{memory: {linear: {0s: 1}, growth: {by: 1}}}", "may not be said beside linear"),
        ("{memory: {base: 1, repeat: 1m}}", "begin anew"),
        ("{memory: {steps: {soon: 1}}}", "soon"),
        ("{memory: {steps: {0s: 1, 2m: 2}, repeat: 1m}}", "last point"),
        ("{memory: {growth: {each: 1s}}}", "by how much"),
        ("{memory: {base: 2Mi, growth: {by: 1, upTo: 1Mi}}}", "less than base"),
        ("{cpu: {perRequest: 5}}", "as in 5ms"),
        ("{cpu: {csv: \"time,cpu\\n0,1\"}}", "\"seconds\""),
        ("{cpu: {csv: \"seconds,cpu\\n0,one\"}}", "row 1"),
        ("fast", "expected an object"),
    ] {
        let (said, _) = with_usage(usage);
        assert_eq!(said.len(), 1, "{usage}: {said:?}");
        assert!(said[0].starts_with("in.yaml:5:") && said[0].contains(part), "{usage}: {said:?}");
    }
}

#[test]
fn crashes_and_warm_ups_are_read_and_judged() {
    let said = |app: &str| findings(&format!("{HEAD}spec:\n  apps: [{{{app}}}]\n"));
    for fine in [
        "crash: {after: {exponential: 5m}, probability: 0.5, exit: 3}",
        "crash: {perRequest: 0.001}",
        "warmUp: {for: 30s, slower: 2.5}",
        "preStop: {for: {uniform: [1s, 5s]}}, postStart: {exit: 1}",
    ] {
        assert_eq!(said(fine), Vec::<String>::new(), "{fine}");
    }
    for (wrong, part) in [
        ("crash: {}", "Required value"),
        ("crash: {after: 1s, exit: 0}", "does not crash"),
        ("crash: {after: 1s, probability: 2}", "between 0 and 1"),
        ("crash: {perRequest: 0.1, probability: 0.5}", "Forbidden"),
        ("crash: {perrequest: 1}", "perRequest"),
        ("warmUp: {for: 30s}", "how many times longer"),
        ("warmUp: {for: 30s, slower: 0.5}", "between 1 and"),
        ("preStop: {after: 1s}", "unknown field"),
        ("poststart: {exit: 1}", "did you mean \"postStart\"?"),
        ("warmup: {for: 30s, slower: 2}", "did you mean \"warmUp\"?"),
    ] {
        let said = said(wrong);
        assert!(said.len() == 1 && said[0].contains(part), "{wrong}: {said:?}");
    }
}
