//! Globs and regular expressions over text that may be cut. Step of the flow: match.

use globset::{Glob, GlobBuilder, GlobMatcher};
use regex::{Regex, RegexBuilder};

use crate::document::Problem;

/// In bytes: more than a hand-written pattern needs. Compiling a longer one takes memory.
const MAX_LENGTH: usize = 1000;
/// The bound of one compiled regular expression; `\w{1,100}` takes 1.6 MiB.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// Whether a rule's name contains a special character, and is therefore a glob.
pub(super) fn is_glob(text: &str) -> bool {
    text.contains(['*', '?', '[', '{', '\\'])
}

/// Parses a glob. `*` also matches `/`, as in Falco's operator `glob` (fnmatch without `FNM_PATHNAME`), because rule
/// names contain slashes.
pub(super) fn parse_glob(text: &str) -> Result<Glob, Problem> {
    if text.is_empty() {
        return Err(Problem::new("an empty glob fits nothing").help("write `*` for anything"));
    }
    if text.len() > MAX_LENGTH {
        return Err(Problem::new(format!("a glob has at most {MAX_LENGTH} bytes")));
    }
    GlobBuilder::new(text)
        .literal_separator(false)
        .backslash_escape(true)
        .build()
        .map_err(|error| {
            Problem::new(format!("this is no glob: {}", error.kind()))
                .help("write `\\` before a character that is meant as itself")
        })
}

/// A glob that must match a whole text.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    matcher: GlobMatcher,
    /// The literal text before the first special character.
    prefix: Box<str>,
    /// Whether the glob ends with `*`.
    open: bool,
}

impl Pattern {
    pub(super) fn compile(text: &str) -> Result<Self, Problem> {
        let prefix = text.split(['*', '?', '[', '{', '\\']).next().unwrap_or_default();
        let open = text.ends_with('*') && !text.ends_with("\\*");
        Ok(Self {
            matcher: parse_glob(text)?.compile_matcher(),
            prefix: prefix.into(),
            open,
        })
    }

    pub(super) fn as_str(&self) -> &str {
        self.matcher.glob().glob()
    }

    pub(super) fn is_match(&self, text: &str) -> bool {
        self.matcher.is_match(text)
    }

    /// Whether the glob matches a text of which only the beginning is known; `None` if undecidable.
    pub(super) fn is_match_of_cut(&self, known: &str) -> Option<bool> {
        if self.open && self.is_match(known) {
            Some(true)
        } else if !known.starts_with(&*self.prefix) {
            Some(false)
        } else {
            None
        }
    }
}

/// Compiles a regular expression with linear run time and bounded size.
pub(super) fn compile_regex(text: &str) -> Result<Regex, Problem> {
    if text.is_empty() {
        return Err(Problem::new("an empty expression is found in every text").help("write `exists: true` instead"));
    }
    if text.len() > MAX_LENGTH {
        return Err(Problem::new(format!("an expression has at most {MAX_LENGTH} bytes")));
    }
    let built = RegexBuilder::new(text)
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .nest_limit(50)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Problem::new("this expression is too large when compiled")
            .help("make its repetitions smaller, or write `(?-u)` before `\\w`"),
        // The last line names the problem; the lines before it repeat the pattern.
        error => {
            let message = error.to_string();
            let last = message.lines().next_back().unwrap_or_default();
            Problem::new(format!(
                "this is no regular expression: {}",
                last.trim_start_matches("error: ")
            ))
        }
    })
}

/// Whether the expression is found in a text of which only the beginning is known; `None` if undecidable.
///
/// A match that ends before the end of the beginning is also found in the whole text: only `$`, `\b` and the like look
/// ahead, and they look at one character.
pub(super) fn is_regex_match_of_cut(regex: &Regex, known: &str) -> Option<bool> {
    regex
        .shortest_match(known)
        .filter(|end| *end < known.len())
        .map(|_| true)
}
