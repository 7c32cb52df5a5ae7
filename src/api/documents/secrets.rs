//! Values of Secrets are dropped at the door: the keys stay, the values become empty.

use crate::api::tree::{Node, Value};

/// The API server's limit on all values of one Secret (`MaxSecretSize`).
const SECRET_BYTES_MAX: usize = 1 << 20;

/// kubectl's copy of the whole object, values included.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Blanks the values if `node` is a Secret. What the API server would say of them, it must be told
/// now: (path, message) of each value that is no base64, and of the whole if it is too large.
pub(super) fn blank(node: &mut Node<'_>) -> Vec<(String, String)> {
    let is_secret = node.get("kind").and_then(Node::text) == Some("Secret")
        && node.get("apiVersion").and_then(Node::text) == Some("v1");
    let mut problems = Vec::new();
    if !is_secret {
        return problems;
    }
    let mut size = 0;
    for field in ["data", "stringData"] {
        let Some(Value::Map(entries)) = node.get_mut(field).map(|values| &mut values.value) else {
            continue;
        };
        for entry in entries {
            // Anything but text is left to be refused by its type; it holds no value yet.
            let Value::Text(text) = &mut entry.node.value else { continue };
            if field == "data" {
                match base64_bytes(text) {
                    Ok(bytes) => size += bytes,
                    Err(at) => {
                        let message = format!("illegal base64 data at input byte {at}");
                        problems.push((format!("data[{}]", entry.key), message));
                    }
                }
            } else {
                size += text.len();
            }
            *text = "".into();
        }
    }
    if size > SECRET_BYTES_MAX {
        let message = format!("Too long: may not be more than {SECRET_BYTES_MAX} bytes");
        problems.push(("data".to_owned(), message));
    }
    if let Some(Value::Map(notes)) = node
        .get_mut("metadata")
        .and_then(|metadata| metadata.get_mut("annotations"))
        .map(|notes| &mut notes.value)
    {
        notes.retain(|note| note.key != LAST_APPLIED);
    }
    problems
}

/// The number of bytes a base64 text stands for, by the rules of Go's `base64.StdEncoding` (line breaks
/// are skipped, padding is needed); or the byte where it goes wrong.
fn base64_bytes(text: &str) -> Result<usize, usize> {
    let (mut digits, mut padding) = (0usize, 0usize);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\n' | b'\r' => {}
            b'=' if digits % 4 >= 2 && digits % 4 + padding < 4 => padding += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' if padding == 0 => digits += 1,
            _ => return Err(at),
        }
    }
    if (digits + padding).is_multiple_of(4) { Ok(digits * 3 / 4) } else { Err(text.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{tree::canonical_json, yaml};

    #[test]
    fn keys_stay_and_values_go() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata:\n  annotations:\n    \
                    kubectl.kubernetes.io/last-applied-configuration: '{\"data\":{\"a\":\"aHVudGVyMg==\"}}'\n\
                    data: {a: aHVudGVyMg==, b: no-base64}\nstringData: {c: hunter2}\n";
        let mut node = yaml::parse(text).expect("good YAML");
        let problems = blank(&mut node);
        assert_eq!(
            canonical_json(&node),
            r#"{"apiVersion":"v1","data":{"a":"","b":""},"kind":"Secret","metadata":{"annotations":{}},"stringData":{"c":""}}"#
        );
        let expected = ("data[b]".to_owned(), "illegal base64 data at input byte 2".to_owned());
        assert_eq!(problems, [expected]);
    }

    #[test]
    fn base64_is_counted_as_go_decodes_it() {
        for (text, bytes) in [("", Ok(0)), ("YQ==", Ok(1)), ("YWI=", Ok(2)), ("YWJj\n", Ok(3))] {
            assert_eq!(base64_bytes(text), bytes, "{text:?}");
        }
        for text in ["YQ", "YQ=", "Y===", "YQ==YQ==", "Y Q=", "====", "YWJj="] {
            assert!(base64_bytes(text).is_err(), "{text:?}");
        }
    }
}
