//! Sets of completion indexes as text: `1,3-5,7`.

/// Counts the indexes of a set, which must be below `completions`.
///
/// # Errors
/// In the API server's words: a part that is no number, indexes not rising, or too large ones.
pub fn count(text: &str, completions: i32) -> Result<i32, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let mut total: i32 = 0;
    let mut previous: Option<i32> = None;
    let mut next = |part: &str| {
        let index: i32 = part
            .parse()
            .map_err(|_| format!("cannot convert string to integer for index: {part:?}"))?;
        if previous.is_some_and(|previous| previous >= index) {
            let previous = previous.unwrap_or_default();
            return Err(format!("non-increasing order, previous: {previous}, current: {index}"));
        }
        if index >= completions {
            return Err(format!("too large index: {part:?}"));
        }
        previous = Some(index);
        Ok(index)
    };
    for interval in text.split(',') {
        let parts: Vec<&str> = interval.split('-').collect();
        let (first, last) = match parts[..] {
            [only] => {
                let index = next(only)?;
                (index, index)
            }
            [first, last] => (next(first)?, next(last)?),
            _ => {
                return Err(format!(
                    "the fragment {interval:?} violates the requirement that an index interval \
                     can have at most two parts separated by '-'"
                ));
            }
        };
        total = total.saturating_add(last - first + 1);
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn sets_are_counted_or_refused() {
        assert_eq!(count("", 5), Ok(0));
        assert_eq!(count("0,2-4", 5), Ok(4));
        assert_eq!(count("5", 5), Err("too large index: \"5\"".to_owned()));
        assert_eq!(
            count("2,1", 5),
            Err("non-increasing order, previous: 2, current: 1".to_owned())
        );
    }
}
