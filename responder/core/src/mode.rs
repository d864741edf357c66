//! Modes: which requests a response may send, and the capability that only Enforce grants.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which requests a response may send. Ordered from the safest: `Observe < Rehearse < Enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Decides and reports; sends no mutating request.
    #[default]
    Observe,
    /// Sends every request with `dryRun`: admission, RBAC, preconditions and PDBs are tested for real, nothing changes.
    Rehearse,
    /// Sends the requests: the cluster changes.
    Enforce,
}

impl Mode {
    /// Every mode, the safest first.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Rehearse, Self::Enforce];

    /// The name as written in a playbook.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "Observe",
            Self::Rehearse => "Rehearse",
            Self::Enforce => "Enforce",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownMode(text.to_owned()))
    }
}

/// The text is not the name of a mode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no mode `{0}`: write Observe, Rehearse or Enforce")]
pub struct UnknownMode(String);

/// A setting that bounds the mode of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum ModeSource {
    /// The playbook's `mode`.
    Playbook,
    /// An entry of the playbook's `rollout` that selects the namespace.
    Rollout,
    /// The Guard's `mode`.
    Guard,
    /// An entry of the Guard's `namespaces` that selects the namespace.
    GuardNamespace,
    /// The `--mode` flag of this process, or its default.
    Process,
}

impl ModeSource {
    /// The name in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Playbook => "the playbook's mode",
            Self::Rollout => "the playbook's rollout",
            Self::Guard => "the guard's mode",
            Self::GuardNamespace => "the guard's namespaces",
            Self::Process => "the --mode of the controller",
        }
    }
}

impl fmt::Display for ModeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The mode that a response has: the safest of all settings, with the setting that decided it.
///
/// [`EffectiveMode::safest`] is its only constructor, so a permit to act can't exist before every ceiling has been
/// consulted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveMode {
    mode: Mode,
    set_by: ModeSource,
}

impl EffectiveMode {
    /// The safest of the process' ceiling and the other settings. On a tie the earliest of `others` is named, then the
    /// process.
    pub fn safest(process: Mode, others: &[(ModeSource, Mode)]) -> Self {
        let mut safest = Self {
            mode: process,
            set_by: ModeSource::Process,
        };
        // On a tie the playbook is named first: that the playbook says Observe tells an operator more than that the
        // process would have stopped it too.
        for &(source, mode) in others.iter().rev() {
            if mode <= safest.mode {
                safest = Self { mode, set_by: source };
            }
        }
        safest
    }

    /// The effective mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The setting that decided the mode.
    pub const fn set_by(&self) -> ModeSource {
        self.set_by
    }

    /// The requests that this mode permits.
    pub const fn permit(&self) -> Permit {
        match self.mode {
            Mode::Observe => Permit::Nothing,
            Mode::Rehearse => Permit::DryRun,
            Mode::Enforce => Permit::Act(EnforcePermit(())),
        }
    }
}

/// The requests that a mode permits.
#[derive(Debug, Clone)]
pub enum Permit {
    /// No mutating request.
    Nothing,
    /// Mutating requests with `dryRun` only.
    DryRun,
    /// Requests that change the cluster.
    Act(EnforcePermit),
}

/// The capability to change the cluster. Its field is private and [`EffectiveMode::permit`] is its only source.
#[derive(Debug, Clone)]
pub struct EnforcePermit(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_mode_is_the_safest_over_the_whole_lattice() {
        for process in Mode::ALL {
            for playbook in Mode::ALL {
                for guard in Mode::ALL {
                    let effective =
                        EffectiveMode::safest(process, &[(ModeSource::Playbook, playbook), (ModeSource::Guard, guard)]);
                    assert_eq!(effective.mode(), process.min(playbook).min(guard));
                    assert_eq!(
                        matches!(effective.permit(), Permit::Act(_)),
                        effective.mode() == Mode::Enforce
                    );
                }
            }
        }
    }

    #[test]
    fn the_setting_that_lowered_the_mode_is_named() {
        let effective = EffectiveMode::safest(
            Mode::Enforce,
            &[
                (ModeSource::Playbook, Mode::Enforce),
                (ModeSource::Guard, Mode::Rehearse),
            ],
        );
        assert_eq!(
            (effective.mode(), effective.set_by()),
            (Mode::Rehearse, ModeSource::Guard)
        );
    }
}
