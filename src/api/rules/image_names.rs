//! Names of images: what a kubelet makes of them before it asks for one.

use crate::api::name::Text;

/// The name with the tag `latest` if it has neither tag nor digest (kubelet 1.36 `pkg/util/parsers`,
/// `applyDefaultImageTag`).
pub fn with_tag(name: &Text) -> Text {
    let last = name.rsplit('/').next().unwrap_or(name);
    if name.contains('@') || last.contains(':') {
        name.clone()
    } else {
        format!("{name}:latest").into()
    }
}

/// The whole reference an engine asks a registry for: with its registry and its tag.
pub fn whole_reference(name: &Text) -> String {
    let tagged = with_tag(name);
    match tagged.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => {
            tagged.to_string()
        }
        Some(_) => format!("docker.io/{tagged}"),
        None => format!("docker.io/library/{tagged}"),
    }
}

/// Whether the name can be read as a reference: `[registry[:port]/]path[:tag][@digest]`, paths in lower case
/// (`github.com/distribution/reference`, as kubelet 1.36 uses it).
pub fn is_readable(name: &str) -> bool {
    let (name, digest) = match name.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (name, None),
    };
    let (path, tag) = match name.rsplit_once(':') {
        Some((path, tag)) if !tag.contains('/') => (path, Some(tag)),
        _ => (name, None),
    };
    let is_registry =
        |part: &str| part.contains(['.', ':']) || part == "localhost" || part.contains(is_upper);
    let path = match path.split_once('/') {
        Some((first, rest)) if is_registry(first) => {
            let (host, port) = first.split_once(':').unwrap_or((first, "0"));
            let is_host = |label: &str| {
                let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
                !label.is_empty()
                    && label.chars().all(plain)
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            };
            let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            if !host.split('.').all(is_host) || !is_port {
                return false;
            }
            rest
        }
        _ => path,
    };
    path.split('/').all(is_part) && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

fn is_upper(letter: char) -> bool {
    letter.is_ascii_uppercase()
}

/// Letters and digits, parted by one dot, one or two underscores or any number of dashes.
fn is_part(part: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let parted = part.split(|letter: char| is_plain(letter as u8) && letter.is_ascii());
    let ends_plain =
        part.bytes().next().is_some_and(is_plain) && part.bytes().last().is_some_and(is_plain);
    ends_plain
        && parted
            .filter(|gap| !gap.is_empty())
            .all(|gap| matches!(gap, "." | "_" | "__") || gap.bytes().all(|byte| byte == b'-'))
}

/// Up to 128 letters, digits, dots, dashes and underscores, not beginning with a dot or dash.
fn is_tag(tag: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=128).contains(&tag.len()) && tag.bytes().all(plain) && !tag.starts_with(['.', '-'])
}

/// `sha256:` and at least 32 hexadecimal digits.
fn is_digest(digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-' | b'_');
    algorithm.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && algorithm.bytes().all(plain)
        && hex.len() >= 32
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_the_kubelet_reads_them() {
        let digest = format!("app@sha256:{}", "0".repeat(64));
        for name in [
            "nginx",
            "a/b/c:1.2_x",
            "localhost:5000/app",
            "registry.Example/app:1",
            "a__b-c.d",
            &digest,
        ] {
            assert!(is_readable(name), "{name}");
        }
        for name in [
            "",
            "Nginx",
            "a//b",
            "app:",
            "a b",
            "-a",
            "a..b",
            "a___b",
            "app@sha256:12",
            "app:-1",
            "r.x:y/a",
        ] {
            assert!(!is_readable(name), "{name}");
        }
        assert_eq!(whole_reference(&"nginx".into()), "docker.io/library/nginx:latest");
        assert_eq!(whole_reference(&"team/app:2".into()), "docker.io/team/app:2");
        assert_eq!(whole_reference(&"localhost/app:2".into()), "localhost/app:2");
    }
}
