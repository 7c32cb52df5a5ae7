use super::*;

fn problems(text: &str) -> Vec<String> {
    let told = |it: Problem| {
        let hint = it.hint.map_or(String::new(), |hint| format!(" ({hint})"));
        format!("{}: {}{hint}", it.at + 1, it.message)
    };
    match Builder::default().condition(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.into_iter().map(told).collect(),
    }
}

#[test]
fn conditions_of_every_kind_are_read() {
    for text in [
        "deployment('shop/web').available == 10",
        "deployment('web').converged && !deployment('web').paused",
        "deployment('web').ready * 10 >= deployment('web').desired * 9",
        "service('shop/web').success_ratio('1m') >= 0.99 || service('shop/web').requests() < 10",
        "service('web').p99_ms('5m') < 250",
        "service('web').errors('10s') == 0 ? true : service('web').rate('10s') > 5.0",
        "node('n-0').ready && 'x:NoSchedule' in node('n-0').taints",
        "node('n-0').taints.all(t, !t.startsWith('node.kubernetes.io/'))",
        "size(node('n-0').taints.filter(t, t.contains('a'))) == 0",
        "node('n-0').taints.map(t, size(t)).exists(n, n > 3)",
        "node('n-0').cpu_requested <= node('n-0').cpu_allocatable",
        "pods('app=web').max_restarts < 3",
        "pods('shop', 'app in (web, api),tier!=x').ready >= 2",
        "pod('shop/job').phase in ['Running', 'Succeeded']",
        "cluster.pending + cluster.unschedulable == 0",
        "cluster.converged",
        "[1, 2].all(cluster, cluster > 0)",
        "double(cluster.ready) / 10.0 > 0.5",
        "true",
    ] {
        assert_eq!(problems(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_is_wrong_is_told_at_its_column() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("", "1: there is no condition"),
        ("cluster.pending ==", "19: the condition breaks off here"),
        ("cluster.pending = 0", "17: \"=\" is not expected here (== compares)"),
        ("cluster.converged and true", "19: \"and\" is not expected here (&& is and, || is or)"),
        ("deployment('web'.ready == 1", "28: missing ')' here"),
        ("pod('web).ready", "5: this text has no end"),
        (
            "deploymnt('web').ready == 1",
            "1: unknown function \"deploymnt\" (did you mean \"deployment\"?)",
        ),
        ("1 == clustr.pending", "6: unknown name \"clustr\" (did you mean \"cluster\"?)"),
        (
            "deployment('web').redy == 1",
            "19: deployment has no field \"redy\" (did you mean \"ready\"?)",
        ),
        ("service('web').p99 < 1.0", "16: service has no field \"p99\""),
        ("service('web').rate > 1.0", "16: \"rate\" is a function: rate('1m')"),
        ("cluster.pending() > 1", "9: \"pending\" is no function: write it without parentheses"),
        ("cluster().pending > 1", "1: \"cluster\" is no function: write it without parentheses"),
        ("service('web').rate() > 1.0", "16: rate needs a span, as in rate('10s')"),
        ("service('web').rate('soon') > 1.0", "21: invalid duration \"soon\""),
        (
            "service('web').rate('1500ms') > 1.0",
            "21: a span is a number of whole seconds from 1s to 1h",
        ),
        (
            "service('web').rate(10) > 1.0",
            "21: rate needs a span that is written out, as in rate('1m')",
        ),
        ("deployment('web').ready", "1: a condition is true or false, this is a whole number"),
        ("deployment('web') == 3", "1: deployment('namespace/name') is no value by itself"),
        ("deployment('web').ready == '3'", "25: a whole number cannot be compared with a text"),
        ("cluster.pending && true", "1: && needs true or false, this is a whole number"),
        ("cluster.pending + 0.5 > 1.0", "17: + cannot mix a whole number and a decimal number"),
        ("deployment(3).ready == 1", "12: deployment needs a text that is written out here"),
        ("deployment().ready == 1", "1: deployment needs a name, as in 'namespace/name'"),
        ("deployment('A_b').ready == 1", "12: \"A_b\" is no name: "),
        ("pods('app=').count > 0 && pods('=x').count > 0", "32: \"=x\" is no selector: "),
        ("has(deployment('web').ready)", "1: has() is for maps (ask for .exists)"),
        ("cluster.nodes.all(n, n > 0)", "1: this needs a list, not a whole number"),
        ("node('a').taints.all(t, t > 3)", "27: a text cannot be compared with a whole number"),
        ("foo.bar(1) == 2", "1: unknown name \"foo\""),
        ("'a'.lower() == 'a'", "5: unknown function \"lower\""),
    ] {
        let found = problems(text);
        if !found.first().is_some_and(|it| it.starts_with(expected)) {
            wrong.push(format!("{text}: {found:?}, not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn all_slips_of_a_condition_come_at_once() {
    let found = problems("deployment('web').redy == 1 && nod('a').ready && cluster.pendin == 'x'");
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn columns_count_letters_and_not_bytes() {
    assert_eq!(
        problems("pod('a').phase == 'é' && clustr.ready > 0"),
        ["26: unknown name \"clustr\" (did you mean \"cluster\"?)"]
    );
}

#[test]
fn one_reading_is_shared_and_named_as_written() {
    let mut builder = Builder::default();
    for text in ["cluster.pending == 0 && cluster.pending < 5", "1 > cluster . pending"] {
        builder.condition(text).expect("a condition");
    }
    let set = builder.finish();
    let texts: Vec<&str> = set.readings.iter().map(|it| &*it.text).collect();
    assert_eq!(texts, ["cluster.pending"]);
}
