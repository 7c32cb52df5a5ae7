//! JSON values as YAML, in kubectl's style: lists at the level of their key, text in quotes only where
//! YAML 1.1 would read it as something else, text of several lines as a block.

use serde_json::Value;

use crate::api::yaml::is_text;

/// A whole document.
pub(super) fn written(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

/// One item of a list at the outermost level.
pub(super) fn item(value: &Value) -> String {
    let mut text = String::new();
    entry(value, 0, &mut text);
    text
}

fn pad(by: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', by));
}

/// A value that begins on a line of its own.
fn block(value: &Value, at: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (number, (key, value)) in map.iter().enumerate() {
                if number > 0 {
                    pad(at, text);
                }
                *text += &plain(key);
                text.push(':');
                after_key(value, at, text);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (number, value) in items.iter().enumerate() {
                if number > 0 {
                    pad(at, text);
                }
                dash(value, at, text);
            }
        }
        scalar => {
            *text += &inline(scalar);
            text.push('\n');
        }
    }
}

fn entry(value: &Value, at: usize, text: &mut String) {
    pad(at, text);
    dash(value, at, text);
}

fn dash(value: &Value, at: usize, text: &mut String) {
    *text += "- ";
    match value {
        Value::String(lines) if is_block(lines) => lines_of(lines, at + 2, text),
        value => block(value, at + 2, text),
    }
}

fn after_key(value: &Value, at: usize, text: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            pad(at + 2, text);
            block(value, at + 2, text);
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            pad(at, text);
            block(value, at, text);
        }
        Value::String(lines) if is_block(lines) => {
            text.push(' ');
            lines_of(lines, at + 2, text);
        }
        scalar => {
            text.push(' ');
            *text += &inline(scalar);
            text.push('\n');
        }
    }
}

/// Whether a text is shown line by line: it has several, and none that a block would not give back.
fn is_block(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && text.chars().all(|c| c == '\n' || c == '\t' || !c.is_control())
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}', '\u{feff}'])
}

fn lines_of(lines: &str, at: usize, text: &mut String) {
    let body = lines.trim_end_matches('\n');
    *text += match lines.len() - body.len() {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    };
    let ends = lines.strip_suffix('\n').unwrap_or(lines);
    for line in ends.split('\n') {
        if !line.is_empty() {
            pad(at, text);
            *text += line;
        }
        text.push('\n');
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        other => other.to_string(),
    }
}

/// A text as it stands, or in quotes where a reader would take it for something else.
fn plain(text: &str) -> String {
    let is_plain_start = |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '.' | '$' | '(');
    let is_safe = text.starts_with(is_plain_start)
        && text.chars().all(|c| !c.is_control() && c != '\u{feff}')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([':', ' '])
        && is_text(text)
        && !is_special(text);
    if is_safe { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

/// What other readers of YAML 1.1 take for an instant or a number of base 60.
fn is_special(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_instant =
        bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-';
    let is_of_base_60 =
        text.contains(':') && bytes.iter().all(|c| c.is_ascii_digit() || matches!(c, b':' | b'.'));
    is_instant || is_of_base_60
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tree::canonical_json;
    use crate::api::yaml;
    use serde_json::json;

    #[test]
    fn it_looks_as_kubectls_does() {
        let value = json!({"a": {"b": [{"c": 1, "d": [["x"], {}]}, "yes"], "e": []},
            "f": "two\nlines\n", "g": "1.5", "h": null, "i": "", "j": "2026-01-01T00:00:00Z"});
        let text = "a:\n  b:\n  - c: 1\n    d:\n    - - x\n    - {}\n  - \"yes\"\n  e: []\nf: |\n  two\n  lines\n\
                    g: \"1.5\"\nh: null\ni: \"\"\nj: \"2026-01-01T00:00:00Z\"\n";
        assert_eq!(written(&value), text);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let texts = [
            "",
            " ",
            "a",
            "~",
            "null",
            "Null",
            "on",
            "y",
            "1",
            "0x1f",
            "1e3",
            "1_000",
            "12:30:00",
            ".5",
            ".inf",
            "-1",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "'a'",
            "\"a\"",
            "[a",
            "{a",
            "a:",
            "a ",
            "|",
            ">",
            "?",
            "? a",
            "a\nb",
            "a\n",
            "a\n\n",
            "\na",
            " a\nb",
            "a\n  b\n c",
            "\ta",
            "a\tb",
            "é",
            "\u{1}",
            "a\r\nb",
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "10.0.0.1",
            "100m",
            "16Gi",
            "25%",
            "1.2.3.4/24",
            "=",
            "<<",
            "a,b",
            "100",
            "0o7",
            "007",
            "+1",
            "a\n\nb",
            "true",
            "e5",
            "0b1",
            "a\u{85}b\nc",
        ];
        for text in texts {
            for value in
                [json!({ "k": text }), json!([text, [text]]), json!({ text: { "x": text } })]
            {
                let yaml_text = written(&value);
                let again = yaml::parse(&yaml_text)
                    .unwrap_or_else(|why| panic!("{text:?}: {why:?}\n{yaml_text}"));
                let again: Value = serde_json::from_str(&canonical_json(&again)).expect("JSON");
                assert_eq!(again, value, "{yaml_text}");
            }
        }
    }
}
