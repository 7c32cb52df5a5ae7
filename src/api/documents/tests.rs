use super::*;

/// (what came out as `kind/name@line`, findings) of a text.
fn read_text(text: impl AsRef<[u8]>, limits: &Limits) -> (Vec<String>, Vec<String>) {
    let mut seen = Vec::new();
    let findings = read("f", text.as_ref(), limits, &mut |document| {
        let at = document.locate("metadata.name");
        seen.push(format!("{}@{}:{}", document.object().unwrap_or_default(), at.line, at.column));
    });
    (seen, findings.iter().map(ToString::to_string).collect())
}

fn plain(text: impl AsRef<[u8]>) -> (Vec<String>, Vec<String>) {
    read_text(text, &Limits::default())
}

const TWO: &str = "# first\n---\napiVersion: v1\nkind: A\nmetadata:\n  name: a\n--- # next\n---\n\
                   apiVersion: v1\nkind: B\nmetadata: {name: b}\n...\n# x\n---\n# nothing\n";

#[test]
fn documents_come_one_by_one() {
    let (seen, findings) = plain(TWO);
    assert_eq!(seen, ["A/a@6:3", "B/b@11:12"]);
    assert_eq!(findings, [""; 0]);
}

#[test]
fn what_kubectl_does_not_read_is_named() {
    let (seen, findings) = plain("kind: A\n...\nkind: B\n---\nkind: C\n");
    assert_eq!(seen, ["A@1:1", "C@5:1"]);
    let words = "kubectl does not read what stands behind `...` up to the next `---`";
    assert_eq!(findings, [format!("f:3:1 (document 1): warning: {words}")]);
}

#[test]
fn json_may_follow_json_and_stand_between_yaml() {
    let text = "{\"kind\":\"A\",\"metadata\":{\"name\":\"a\"}}\n{\"kind\":\"B\",\n \"metadata\":{\"name\":\"b\"}}\n---\n\
                kind: C\nmetadata: {name: c}\n---\n{\"kind\": \"D\"}\n---\n{kind: E, metadata: {name: e}}";
    let (seen, findings) = plain(text);
    assert_eq!(seen, ["A/a@1:25", "B/b@3:14", "C/c@6:12", "D@8:1", "E/e@10:22"]);
    assert_eq!(findings, [""; 0]);
}

#[test]
fn an_error_in_one_document_leaves_the_others() {
    let (seen, findings) = plain("kind: A\n---\nb: [\n---\nkind: C\n---\njust text\n");
    assert_eq!(seen, ["A@1:1", "C@5:1"]);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].starts_with("f:3:4 (document 2): not valid YAML"), "{findings:?}");
    assert!(findings[1].contains("expected an object with apiVersion and kind"), "{findings:?}");
}

/// A dump as kubectl writes it, and the same taken apart as text.
#[test]
fn a_list_is_the_same_whole_and_item_by_item() {
    let yaml = "apiVersion: v1\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata:\n    name: a\n    \
                annotations:\n      x: |\n        - no item\n\n        # text\n  # a comment\n\
                # another\n- kind: Pod\n  metadata:\n    name: b\n-\n  kind: Pod\nkind: List\n---\nkind: Z\n";
    let json = "{\"apiVersion\":\"v1\",\"x\":{\"items\":[]},\"items\":[{\"kind\":\"Pod\",\n\"metadata\":{\"name\":\"a\"}},\
                {\"kind\":\"Pod\",\"metadata\":{\"name\":\"b\\\"}]\"}}, {\"kind\":\"Pod\"}],\"kind\":\"List\"}\n{\"kind\": \"Z\"}";
    for text in [yaml, json] {
        let whole = plain(text);
        assert_eq!(whole.0.len(), 4, "{whole:?}");
        assert!(whole.1.is_empty(), "{whole:?}");
        for stream_from_bytes in [0, 1, 7, 40] {
            let limits = Limits { stream_from_bytes, ..Limits::default() };
            assert_eq!(read_text(text, &limits), whole, "cut from {stream_from_bytes}");
        }
    }
}

#[test]
fn items_of_a_typed_list_are_of_its_kind() {
    let text =
        "{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"items\":[{\"metadata\":{\"name\":\"a\"}}]}";
    let yaml = "kind: PodList\napiVersion: v1\nitems:\n- metadata:\n    name: a\n";
    for stream_from_bytes in [0, 1 << 20] {
        let limits = Limits { stream_from_bytes, ..Limits::default() };
        assert_eq!(read_text(text, &limits).0.len(), 1);
        assert!(read_text(text, &limits).0[0].starts_with("Pod/default/a"));
        assert!(read_text(yaml, &limits).0[0].starts_with("Pod/default/a"));
    }
}

#[test]
fn files_that_hold_no_text_are_named() {
    assert_eq!(plain("").1, ["f: the file is empty"]);
    assert_eq!(plain("\n\n# nothing\n"), (vec![], vec![]));
    assert_eq!(plain(b"\x7fELF\x02\x01\x01\0\0\0").1, ["f: a binary file, neither YAML nor JSON"]);
    let (_, findings) = plain(b"kind: A\nname: \xff\xfe\n");
    assert_eq!(findings, ["f:2:7: not valid UTF-8"]);
}

#[test]
fn encodings_and_gzip_are_read_as_they_lie() {
    let text = "kind: A\nmetadata: {name: \u{e4}\u{1f600}}\n";
    let expected = plain(text);
    assert_eq!(plain(format!("\u{feff}{text}")), expected);
    for unit in [u16::to_le_bytes, u16::to_be_bytes] {
        let bytes: Vec<u8> =
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(unit).collect();
        assert_eq!(plain(bytes), expected);
    }
    let packed = gzip(text.as_bytes());
    assert_eq!(plain(packed), expected);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut packer = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
    packer.read_to_end(&mut packed).expect("memory does not fail");
    packed
}

#[test]
fn size_limits_hold_before_and_after_unpacking() {
    let limits = Limits { input_bytes_max: 1024, ..Limits::default() };
    let words = "f: larger than --max-input allows (1 KiB) (raise --max-input if this is meant)";
    assert_eq!(read_text("a".repeat(1025), &limits).1, [words]);
    assert_eq!(read_text(gzip("a: 1\n".repeat(100_000).as_bytes()), &limits).1, [words]);
    assert_eq!(read_text("kind: A\n".to_owned() + &"#".repeat(1016), &limits).1, [""; 0]);
    let limits = Limits { document_bytes_max: 100, stream_from_bytes: 50, ..Limits::default() };
    for text in ["a: b\n".repeat(100), format!("{{\"a\": [{}1]}}", "1, ".repeat(300_000))] {
        assert!(read_text(text, &limits).1[0].contains("a document larger than 100 bytes"));
    }
}

#[test]
fn an_unrendered_template_is_one_message() {
    for text in [
        "{{- if .Values.on }}\nkind: A\n{{- end }}\n---\nkind: {{ .Values.kind }}\n---\n{{ x }}\n",
        "kind: A\nmetadata:\n  name: {{ include \"x.name\" . }}\n",
        "kind: A\nmetadata:\n  name: \"{{ .Release.Name }}-x\"\n",
    ] {
        let (_, findings) = plain(text);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].contains("unrendered Helm template"), "{findings:?}");
        assert!(findings[0].contains("helm template"), "{findings:?}");
    }
    let alert =
        "kind: A\nmetadata: {name: a}\ndata:\n  text: \"{{ $labels.pod }} is {{ if eq .x }}\"\n";
    assert_eq!(plain(alert).1, [""; 0], "a template inside a value is the value's own business");
    let slip = plain(format!("{alert}b: [\n")).1;
    assert!(
        slip.len() == 1 && slip[0].starts_with("f:5:4"),
        "another error is named itself: {slip:?}"
    );
}

#[test]
fn attacks_end_in_one_message() {
    let deep_json = format!("{{\"a\": {}", "[".repeat(100_000));
    for text in ["[".repeat(100_000), deep_json, "{\"a\":".repeat(100_000), "- ".repeat(100_000)] {
        let (seen, findings) = plain(&text);
        assert_eq!((seen.len(), findings.len()), (0, 1), "{findings:?}");
        assert!(findings[0].contains("nested deeper than"), "{findings:?}");
    }
    assert_eq!(plain("kind: A\n\tmetadata: x\n").1.len(), 1);
    assert_eq!(plain("{\"kind\": \"A\"").1.len(), 1);
    assert_eq!(plain("{\"kind\": \"A\"} trailing").1.len(), 1);
}
