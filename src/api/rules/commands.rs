//! Commands of containers and probes, with what their environment puts into them
//! (`k8s.io/kubernetes/third_party/forked/golang/expansion`, kubelet 1.36 `ExpandContainerCommandOnlyStatic`).

/// A command with `$(NAME)` replaced by the value of that variable; `$$` is a plain `$`, and a name that is not
/// known stays as it is written.
pub fn expanded<'a>(command: &[&str], value: impl Fn(&str) -> Option<&'a str>) -> Vec<String> {
    command.iter().map(|word| expand(word, &value)).collect()
}

fn expand<'a>(word: &str, value: &impl Fn(&str) -> Option<&'a str>) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let named = rest.strip_prefix('(').and_then(|inner| inner.split_once(')'));
        match (named, rest.strip_prefix('$')) {
            (_, Some(after)) => {
                out.push('$');
                rest = after;
            }
            (Some((name, after)), None) => {
                match value(name) {
                    Some(value) => out.push_str(value),
                    None => out.extend(["$(", name, ")"]),
                }
                rest = after;
            }
            (None, None) => out.push('$'),
        }
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_replaced_and_dollars_kept() {
        let value = |name: &str| (name == "A").then_some("1");
        let of = |word| expanded(&[word], value).remove(0);
        assert_eq!(of("$(A)-$$(A)-$(B)-$A-$"), "1-$(A)-$(B)-$A-$");
        assert_eq!(of("$(A"), "$(A");
    }
}
