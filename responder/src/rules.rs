//! Loads the playbooks and the guard of a command, and finds the ceiling of the process. Before the first step.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use responder_core::guard::Guard;
use responder_core::mode::Mode;
use responder_core::playbook::{Playbook, load};

use crate::arguments::PlaybookArgs;
use crate::report::{Paint, counted, print_message};
use crate::sources::Sources;

/// Playbooks and a guard without errors.
#[derive(Debug)]
pub(crate) struct LoadedRules {
    /// In the order in which they are written.
    pub(crate) playbooks: Vec<Arc<Playbook>>,
    /// The guard in the files, else the built-in one.
    pub(crate) guard: Arc<Guard>,
    /// Whether the files have a guard.
    pub(crate) has_guard: bool,
}

/// The rules or the configuration have mistakes, which were printed. The exit code is 2.
#[derive(Debug)]
pub(crate) struct InvalidRules;

impl LoadedRules {
    /// Loads the files and prints every mistake and every warning in one run. `now` decides which exceptions have expired.
    pub(crate) fn load(args: &PlaybookArgs, now: Timestamp) -> io::Result<Result<Self, InvalidRules>> {
        let sources = Sources::read(args.playbooks.iter().chain(&args.guard).map(PathBuf::as_path));
        let paint = Paint::of(&io::stderr());
        let mut message: String = sources
            .unreadable
            .iter()
            .map(|file| format!("{}: {file}\n\n", paint.bad("error")))
            .collect();
        let unreadable = sources.unreadable.len();
        let (rules, diagnostics) = match load(&sources.read, now) {
            Ok(loaded) => {
                let has_guard = loaded.guard.is_some();
                let guard = loaded.guard.unwrap_or_else(|| Arc::new(Guard::built_in()));
                (
                    Some(Self {
                        playbooks: loaded.playbooks,
                        guard,
                        has_guard,
                    }),
                    loaded.warnings,
                )
            }
            Err(diagnostics) => (None, diagnostics),
        };
        if !diagnostics.is_empty() {
            message += &diagnostics.render(paint.color());
            message.push('\n');
        }
        let errors = unreadable + diagnostics.errors();
        if errors > 0 {
            message += &format!("{}; nothing was loaded\n", paint.bad(counted(errors, "error")));
        } else if rules.as_ref().is_some_and(|rules| rules.playbooks.is_empty()) {
            message += &format!(
                "{}: these files have no playbook, so no alert would get a response\n",
                paint.bad("error")
            );
        }
        print_message(&message)?;
        Ok(match rules {
            Some(rules) if errors == 0 && !rules.playbooks.is_empty() => Ok(rules),
            _ => Err(InvalidRules),
        })
    }

    /// The ceiling of the process: `--mode`, else Observe without a guard, else Enforce, which leaves the mode to guard and
    /// playbooks.
    pub(crate) fn ceiling(&self, asked: Option<Mode>) -> Ceiling {
        match asked {
            Some(mode) => Ceiling {
                mode,
                because: "by --mode",
            },
            None if self.has_guard => Ceiling {
                mode: Mode::Enforce,
                because: "the guard and the playbooks set the mode",
            },
            None => Ceiling {
                mode: Mode::Observe,
                because: "there is no guard; --mode Rehearse or --mode Enforce raises it",
            },
        }
    }
}

/// The highest mode of this process; no playbook and no guard raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ceiling {
    /// The mode.
    pub(crate) mode: Mode,
    /// The setting that decided it.
    pub(crate) because: &'static str,
}

#[cfg(test)]
mod tests {
    use responder_core::guard::Guard;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, false, Mode::Observe)]
    #[case(None, true, Mode::Enforce)]
    #[case(Some(Mode::Enforce), false, Mode::Enforce)]
    #[case(Some(Mode::Rehearse), true, Mode::Rehearse)]
    fn without_a_guard_the_ceiling_is_observe_unless_mode_raises_it(
        #[case] asked: Option<Mode>,
        #[case] has_guard: bool,
        #[case] mode: Mode,
    ) {
        let rules = LoadedRules {
            playbooks: Vec::new(),
            guard: Arc::new(Guard::built_in()),
            has_guard,
        };
        assert_eq!(rules.ceiling(asked).mode, mode);
    }
}
