//! Patterns of texts: `*` for any letters, `?` for one.

/// Whether `text` is like `pattern`, where `*` stands for any letters and `?` for one.
pub fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern) = (text.as_bytes(), pattern.as_bytes());
    let (mut t, mut p, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                // The last star takes one letter more.
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                (p, t) = (at + 1, taken + 1);
            }
        }
    }
    pattern[p..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_letters() {
        for (text, pattern) in [
            ("app:1", "app:*"),
            ("app:1", "*"),
            ("a/b/app:v2", "*/app:v?"),
            ("", "*"),
            ("aab", "a*b"),
        ] {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in [("app:1", "app"), ("", "?"), ("abc", "a*d"), ("xapp:1", "app:*")] {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }
}
