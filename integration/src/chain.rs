//! Formats errors with their causes.

/// An error and its causes, each once, separated by colons.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        // Some libraries repeat the cause in their own message.
        if text.contains(&cause) {
            text
        } else {
            format!("{text}: {cause}")
        }
    })
}
