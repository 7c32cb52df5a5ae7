//! Names, label keys, ports and the like: which text is allowed where, in the API server's words.
//!
//! Owns the single-value syntax rules; refuses to know objects and field paths. Each function
//! returns the complaints about one value, none if it is fine. The rules and the texts follow
//! `k8s.io/apimachinery/pkg/util/validation` and `pkg/api/validate/content` of 1.36.

/// Whether a text is a whole name or the beginning of one (`metadata.generateName`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameUse {
    /// The name itself.
    Whole,
    /// A prefix: a trailing dash will be followed by a suffix, so it is no fault.
    Prefix,
}

/// A rule for the names of one kind of object: the complaints about a name, none if it is fine.
pub type NameRule = fn(&str, NameUse) -> Vec<String>;

/// Most bytes of a DNS label and of a label key's name part.
pub const LABEL_BYTES_MAX: usize = 63;
/// Most bytes of a DNS subdomain and of a ConfigMap key.
pub const SUBDOMAIN_BYTES_MAX: usize = 253;

const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
     characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  \
     or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case \
     alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character \
     (e.g. 'example.com', regex used for validation is \
     '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const SUBDOMAIN_UNDERSCORE_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower \
     case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric \
     character (e.g. 'example.com', regex used for validation is \
     '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const DNS1035_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters \
     or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. \
     'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_KEY_RULE: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must \
     start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', \
     regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric \
     characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
     'MyValue',  or 'my_value',  or '12345', regex used for validation is \
     '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const PERCENT_RULE: &str = "a valid percent string must be a numeric string followed by an \
     ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";
const HTTP_HEADER_RULE: &str = "a valid HTTP header must consist of alphanumeric characters or \
     '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const ENV_NAME_RULE: &str = "a valid environment variable name must consist only of printable \
     ASCII characters other than '='";
const CONFIG_KEY_RULE: &str = "a valid config key must consist of alphanumeric characters, '-', \
     '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is \
     '[-._a-zA-Z0-9]+')";

fn max_len(limit: usize) -> String {
    format!("must be no more than {limit} characters")
}

/// The words for a number outside `[low, high]`.
pub fn inclusive_range(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

fn lower_alnum(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// `first (middle* last)?` over bytes: the shape that all of Kubernetes' names have.
fn shaped(text: &str, first: fn(u8) -> bool, middle: fn(u8) -> bool, last: fn(u8) -> bool) -> bool {
    match text.as_bytes() {
        [] => false,
        [only] => first(*only),
        [head, inner @ .., tail] => {
            first(*head) && last(*tail) && inner.iter().all(|byte| middle(*byte))
        }
    }
}

fn label_shaped(text: &str) -> bool {
    shaped(text, lower_alnum, |b| lower_alnum(b) || b == b'-', lower_alnum)
}

fn subdomain_shaped(text: &str) -> bool {
    text.split('.').all(label_shaped)
}

fn underscore_label_shaped(text: &str) -> bool {
    let text = text.strip_prefix('_').unwrap_or(text);
    shaped(text, lower_alnum, |b| lower_alnum(b) || b == b'-' || b == b'_', lower_alnum)
}

fn label_key_shaped(text: &str) -> bool {
    fn alnum(byte: u8) -> bool {
        byte.is_ascii_alphanumeric()
    }
    shaped(text, alnum, |b| alnum(b) || matches!(b, b'-' | b'_' | b'.'), alnum)
}

fn max_bytes(limit: usize) -> String {
    format!("must be no more than {limit} bytes")
}

fn complaint(wrong: bool, limit: usize, text: &str, rule: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.len() > limit {
        found.push(max_len(limit));
    }
    if wrong {
        found.push(rule.to_owned());
    }
    found
}

/// RFC 1123 label: container names, namespaces.
pub fn is_dns1123_label(text: &str) -> Vec<String> {
    let mut found = complaint(false, LABEL_BYTES_MAX, text, "");
    if !label_shaped(text) {
        let dotted = subdomain_shaped(text);
        found.push(if dotted { "must not contain dots" } else { LABEL_RULE }.to_owned());
    }
    found
}

/// RFC 1123 subdomain: the names of most objects.
pub fn is_dns1123_subdomain(text: &str) -> Vec<String> {
    complaint(!subdomain_shaped(text), SUBDOMAIN_BYTES_MAX, text, SUBDOMAIN_RULE)
}

/// RFC 1123 subdomain that may hold underscores (DNS search paths).
pub fn is_dns1123_subdomain_with_underscore(text: &str) -> Vec<String> {
    let wrong = !text.split('.').all(underscore_label_shaped);
    complaint(wrong, SUBDOMAIN_BYTES_MAX, text, SUBDOMAIN_UNDERSCORE_RULE)
}

/// RFC 1035 label: names of Services.
pub fn is_dns1035_label(text: &str) -> Vec<String> {
    let shape =
        |first: fn(u8) -> bool| shaped(text, first, |b| lower_alnum(b) || b == b'-', lower_alnum);
    complaint(!shape(|b| b.is_ascii_lowercase()), LABEL_BYTES_MAX, text, DNS1035_RULE)
}

/// A label key, also called a qualified name: `[prefix/]name`.
pub fn is_qualified_name(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut parts = text.split('/');
    let (first, second) = (parts.next().unwrap_or(""), parts.next());
    if parts.next().is_some() {
        found.push(format!(
            "a valid label key {LABEL_KEY_RULE} with an optional DNS subdomain prefix and '/' \
             (e.g. 'example.com/MyName')"
        ));
        return found;
    }
    let name = second.unwrap_or(first);
    if second.is_some() {
        if first.is_empty() {
            found.push("prefix part must be non-empty".to_owned());
        } else {
            if first.len() > SUBDOMAIN_BYTES_MAX {
                found.push(format!("prefix part {}", max_bytes(SUBDOMAIN_BYTES_MAX)));
            }
            if !subdomain_shaped(first) {
                found.push(format!("prefix part {SUBDOMAIN_RULE}"));
            }
        }
    }
    if name.is_empty() {
        found.push("name part must be non-empty".to_owned());
    } else if name.len() > LABEL_BYTES_MAX {
        found.push(format!("name part {}", max_bytes(LABEL_BYTES_MAX)));
    }
    if !label_key_shaped(name) {
        found.push(format!("name part {LABEL_KEY_RULE}"));
    }
    found
}

/// The value of a label.
pub fn is_valid_label_value(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.len() > LABEL_BYTES_MAX {
        found.push(max_bytes(LABEL_BYTES_MAX));
    }
    if !text.is_empty() && !label_key_shaped(text) {
        found.push(LABEL_VALUE_RULE.to_owned());
    }
    found
}

/// A port number, 1 to 65535.
pub fn is_valid_port_num(port: i64) -> Vec<String> {
    is_in_range(port, 1, 65535)
}

/// A number in `[low, high]`.
pub fn is_in_range(number: i64, low: i64, high: i64) -> Vec<String> {
    if (low..=high).contains(&number) { Vec::new() } else { vec![inclusive_range(low, high)] }
}

/// A user or group id, 0 to 2^31-1.
pub fn is_valid_id(id: i64) -> Vec<String> {
    is_in_range(id, 0, i64::from(i32::MAX))
}

/// The name of a port (RFC 6335, lower case only).
pub fn is_valid_port_name(text: &str) -> Vec<String> {
    let mut found = complaint(false, 15, text, "");
    let mut say = |wrong: bool, words: &str| {
        if wrong {
            found.push(words.to_owned());
        }
    };
    let charset = !text.is_empty() && text.bytes().all(|b| lower_alnum(b) || b == b'-');
    say(!charset, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
    let letter = text.bytes().any(|b| b.is_ascii_lowercase());
    say(!letter, "must contain at least one letter (a-z)");
    say(text.contains("--"), "must not contain consecutive hyphens");
    let edge = text.starts_with('-') || text.ends_with('-');
    say(edge, "must not begin or end with a hyphen");
    found
}

/// A percentage of digits and `%`.
pub fn is_valid_percent(text: &str) -> Vec<String> {
    let digits = text.strip_suffix('%').unwrap_or("");
    let fine = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if fine { Vec::new() } else { vec![PERCENT_RULE.to_owned()] }
}

/// The name of an HTTP header.
pub fn is_http_header_name(text: &str) -> Vec<String> {
    let fine = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if fine { Vec::new() } else { vec![HTTP_HEADER_RULE.to_owned()] }
}

/// The name of an environment variable (relaxed rule, the default since 1.34).
pub fn is_env_var_name(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    if text.is_empty() {
        found.push("environment variable name must be non-empty".to_owned());
    }
    if text.chars().any(|c| !matches!(c, ' '..='~') || c == '=') {
        found.push(ENV_NAME_RULE.to_owned());
    }
    found
}

/// A key of a ConfigMap or Secret.
pub fn is_config_map_key(text: &str) -> Vec<String> {
    let fine = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'));
    let mut found = complaint(!fine, SUBDOMAIN_BYTES_MAX, text, CONFIG_KEY_RULE);
    match text {
        "." => found.push("must not be '.'".to_owned()),
        ".." => found.push("must not be '..'".to_owned()),
        _ if text.starts_with("..") => found.push("must not start with '..'".to_owned()),
        _ => {}
    }
    found
}

/// A name that may stand as one segment of a URL path (RBAC objects).
pub fn is_valid_path_segment(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in [".", ".."] {
        if text == name {
            found.push(format!("may not be '{name}'"));
        }
    }
    for part in ["/", "%"] {
        if text.contains(part) {
            found.push(format!("may not contain '{part}'"));
        }
    }
    found
}

/// A trailing dash of a prefix becomes a letter, as a suffix will follow it.
fn completed(text: &str, usage: NameUse) -> std::borrow::Cow<'_, str> {
    match text.strip_suffix('-') {
        Some(head) if usage == NameUse::Prefix && !head.is_empty() => format!("{head}a").into(),
        _ => text.into(),
    }
}

/// Rule for names that are RFC 1123 subdomains: Pod, Deployment, Node, ConfigMap and most others.
pub fn subdomain_name(text: &str, usage: NameUse) -> Vec<String> {
    is_dns1123_subdomain(&completed(text, usage))
}

/// Rule for names that are RFC 1123 labels: Namespace.
pub fn label_name(text: &str, usage: NameUse) -> Vec<String> {
    is_dns1123_label(&completed(text, usage))
}

/// Rule for names that only must fit in a URL path: Role, ClusterRole and their bindings.
pub fn path_segment_name(text: &str, usage: NameUse) -> Vec<String> {
    match usage {
        NameUse::Whole => is_valid_path_segment(text),
        NameUse::Prefix => {
            is_valid_path_segment(text).into_iter().filter(|m| m.contains("contain")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_worded_as_the_api_servers() {
        assert_eq!(
            is_dns1123_label("X"),
            ["a lowercase RFC 1123 label must consist of lower case alphanumeric characters or \
              '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
              '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"]
        );
        assert_eq!(is_dns1123_label("a.b"), ["must not contain dots"]);
        assert_eq!(is_valid_port_num(0), ["must be between 1 and 65535, inclusive"]);
        assert_eq!(is_valid_label_value(""), Vec::<String>::new());
        assert_eq!(is_qualified_name("/x"), ["prefix part must be non-empty"]);
    }

    #[test]
    fn a_prefix_may_end_in_a_dash() {
        assert!(subdomain_name("web-", NameUse::Prefix).is_empty());
        assert!(!subdomain_name("web-", NameUse::Whole).is_empty());
        assert!(!subdomain_name("-", NameUse::Prefix).is_empty());
    }
}
