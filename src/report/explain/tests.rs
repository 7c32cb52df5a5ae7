use super::*;

/// A timeline in memory: one line for each (seconds, cause, verb, object, node, values, message).
struct Lines(String);

type Told<'a> = (u64, u64, &'a str, &'a str, &'a str, &'a str, &'a str);

impl Lines {
    fn of(rows: &[Told<'_>]) -> Lines {
        let mut text = String::new();
        for (at, (t, cause, verb, object, node, values, message)) in rows.iter().enumerate() {
            let or_null = |text: &str| match text {
                "" => "null".to_owned(),
                _ => format!("\"{text}\""),
            };
            let cause = if *cause == 0 { "null".to_owned() } else { cause.to_string() };
            text += &format!(
                "{{\"t\": {t}.000000000, \"id\": {}, \"cause\": {cause}, \"component\": \"c\", \"verb\": \
                 \"{verb}\", \"object\": \"{object}\", \"node\": {}, \"values\": {{{values}}}, \
                 \"message\": {}}}\n",
                at + 1,
                or_null(node),
                or_null(message)
            );
        }
        Lines(text)
    }
}

impl Timeline for Lines {
    fn open(&mut self) -> io::Result<Box<dyn BufRead + '_>> {
        Ok(Box::new(self.0.as_bytes()))
    }
}

fn ask(lines: &mut Lines, summary: &serde_json::Value, object: &str) -> String {
    let question = object.parse().expect("a question");
    explain(lines, summary, Some(&question)).expect("an answer")
}

#[test]
fn a_lost_request_is_followed_back_to_the_fault() {
    let told =
        "\"sent\": 100, \"ok\": 60, \"refused\": 0, \"reset\": 0, \"timeout\": 40, \"failed\": 0";
    let mut lines = Lines::of(&[
        (60, 0, "step", "Node/n-1", "", "", "kill: node n-1 crashes"),
        (60, 1, "down", "Node/n-1", "", "", "it crashed"),
        (
            61,
            2,
            "request-failed",
            "Client/shoppers",
            "n-0",
            "",
            "no answer within 1s: pod shop/web-1",
        ),
        (
            61,
            2,
            "request-failed",
            "Client/shoppers",
            "n-0",
            "",
            "no answer within 1s: pod shop/web-2",
        ),
        (61, 0, "requests", "Client/shoppers", "", told, ""),
        (62, 0, "requests", "Client/shoppers", "", told, ""),
    ]);
    let answer = ask(&mut lines, &serde_json::Value::Null, "client/shoppers");
    let expected = "\
client shoppers: 200 requests, 120 answered well
  80 not answered in time, told from 1:01.000 to 1:02.000

why one of them failed
  1:00.000  kill: node n-1 crashes (timeline)  #1
  1:00.000  └─ node n-1 is down (it crashed)  #2
  1:01.000     └─ a request of client shoppers fails: no answer within 1s: pod shop/web-1  #3
";
    assert_eq!(answer, expected);
}

#[test]
fn a_deployment_names_what_its_pods_wait_for() {
    let summary = serde_json::json!({"workloads": [{
        "kind": "Deployment", "namespace": "shop", "name": "web",
        "desired": 3, "ready": 1, "updated": 3, "available": 1,
    }]});
    let full = "0/4 nodes are available: 4 Insufficient cpu.";
    let mut lines = Lines::of(&[
        (0, 0, "created", "Deployment/shop/web", "", "", ""),
        (0, 1, "created", "Pod/shop/web-7d-a", "", "", ""),
        (0, 2, "created", "Pod/shop/web-7d-b", "", "", ""),
        (0, 2, "created", "Pod/shop/web-7d-c", "", "", ""),
        (0, 2, "created", "Pod/shop/other-1", "", "", ""),
        (1, 3, "unschedulable", "Pod/shop/web-7d-b", "", "", full),
        (1, 3, "unschedulable", "Pod/shop/web-7d-c", "", "", full),
        (3, 2, "ready", "Pod/shop/web-7d-a", "n-0", "", ""),
    ]);
    let answer = ask(&mut lines, &summary, "deployment/shop/web");
    assert!(
        answer.starts_with("Deployment shop/web: not available at the end: 1 of 3\n"),
        "{answer}"
    );
    assert!(answer.contains(&format!("  2 pods: fits on no node: {full}\n")), "{answer}");
    assert!(answer.contains("ask: pod/shop/web-7d-b"), "{answer}");
    assert!(!answer.contains("other"), "{answer}");
    let overview = explain(&mut lines, &summary, None).expect("an answer");
    assert!(overview.contains("deployment/shop/web  why it is not available"), "{overview}");
}

#[test]
fn a_set_of_replicas_is_gone_only_when_it_went() {
    let summary = serde_json::json!({"workloads": []});
    let mut rows = vec![
        (0, 0, "created", "Deployment/d/web", "", "", ""),
        (0, 1, "created", "ReplicaSet/d/web-7d", "", "", ""),
    ];
    let answer = ask(&mut Lines::of(&rows), &summary, "replicaset/d/web-7d");
    assert!(answer.starts_with("ReplicaSet d/web-7d\n"), "{answer}");
    rows.push((9, 1, "deleted", "ReplicaSet/d/web-7d", "", "", ""));
    let answer = ask(&mut Lines::of(&rows), &summary, "replicaset/d/web-7d");
    assert!(answer.starts_with("ReplicaSet d/web-7d: gone at the end of the run\n"), "{answer}");
}

#[test]
fn a_pod_that_was_told_to_leave_did_not_finish_its_work() {
    let mut rows = vec![
        (0, 0, "created", "Pod/d/web", "", "", ""),
        (5, 1, "deleting", "Pod/d/web", "", "", ""),
        (6, 2, "finished", "Pod/d/web", "n-0", "", ""),
    ];
    let answer = ask(&mut Lines::of(&rows), &serde_json::json!({}), "pod/d/web");
    assert!(answer.contains("it has ended") && !answer.contains("its work"), "{answer}");
    rows.remove(1);
    rows[1].1 = 1;
    let answer = ask(&mut Lines::of(&rows), &serde_json::json!({}), "pod/d/web");
    assert!(answer.contains("it has done its work"), "{answer}");
}

#[test]
fn siblings_are_no_causes() {
    let rows = [
        (0, 0, "created", "Deployment/d/web", "", "", ""),
        (0, 1, "created", "ReplicaSet/d/web-7d", "", "", ""),
        (0, 2, "created", "Pod/d/web-7d-a", "", "", ""),
        (0, 3, "created", "Pod/d/web-7d-b", "", "", ""),
        (0, 4, "created", "Pod/d/web-7d-c", "", "", ""),
    ];
    let mut facts = Vec::new();
    read(&mut Lines::of(&rows), &mut |row| facts.push(row)).expect("facts");
    let look = |id: u64| facts.get(id as usize - 1).cloned();
    assert_eq!(
        chain(5, &look),
        "  0:00.000  Deployment d/web is created  #1
  0:00.000  └─ ReplicaSet d/web-7d is created  #2
  0:00.000     └─ pod d/web-7d-c is created  #5
"
    );
}

#[test]
fn what_is_no_timeline_is_told_with_its_line() {
    let read_all = |text: &str| read(&mut Lines(text.to_owned()), &mut |_| {});
    let good = Lines::of(&[(0, 0, "created", "Node/n", "", "", "")]).0;
    assert_eq!(read_all(&good), Ok(1));
    for (text, part) in [
        (format!("{good}{{\n"), "line 2: no fact"),
        (format!("{good}{good}"), "line 2: fact 1 is out of order"),
        (good.replace("\"cause\": null", "\"cause\": 1"), "line 1: fact 1 is out of order"),
        ("x".repeat(LINE_MAX as usize + 5), "line 1: no fact"),
    ] {
        let said = read_all(&text).expect_err(part);
        assert!(said.contains(part), "{said}");
    }
}
