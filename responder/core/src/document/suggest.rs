//! "Did you mean": the accepted word closest to the written one.

/// The closest candidate, if it is close: another case or separator, or a few letters.
pub(crate) fn closest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let bare = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    // The distance is quadratic, and a file can hold anything.
    if word.len() > 200 {
        return None;
    }
    let wanted = bare(word);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= 6)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &bare(candidate)), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, candidate)| *distance <= allowed(word.len().min(candidate.len())))
        .map(|(_, candidate)| candidate)
}

const fn allowed(length: usize) -> usize {
    match length {
        0..=2 => 0,
        3..=4 => 1,
        5..=9 => 2,
        _ => 3,
    }
}

/// "did you mean `x`?"
pub(crate) fn did_you_mean<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<String> {
    closest(word, candidates).map(|candidate| format!("did you mean `{candidate}`?"))
}

/// `a, b and c`, each in backticks.
pub(crate) fn listed<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    joined(words, "and")
}

/// `a, b or c`, each in backticks.
pub(crate) fn either<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    joined(words, "or")
}

fn joined<'w>(words: impl IntoIterator<Item = &'w str>, conjunction: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {conjunction} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{closest, either, listed};

    #[rstest]
    #[case("rulez", Some("rules"))]
    #[case("min_priority", Some("minPriority"))]
    #[case("MINPRIORITY", Some("minPriority"))]
    #[case("field", Some("fields"))]
    #[case("approval", None)]
    #[case("x", None)]
    fn a_small_slip_is_understood_and_another_word_is_not(#[case] word: &str, #[case] meant: Option<&str>) {
        assert_eq!(closest(word, ["rules", "sources", "minPriority", "fields"]), meant);
    }

    #[test]
    fn words_are_listed_as_one_says_them() {
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(either(["a", "b"]), "`a` or `b`");
        assert_eq!(listed(["a"]), "`a`");
    }
}
