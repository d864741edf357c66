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

/// A setting and the mode that it allows at most.
pub type ModeCeiling = (ModeSource, Mode);

/// The mode that a response has: the safest of all settings, with the setting that decided it.
///
/// [`EffectiveMode::safest`] is its only constructor and takes at least one ceiling beside the process', so a permit for a
/// new action can't exist before one has been consulted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveMode {
    mode: Mode,
    set_by: ModeSource,
}

impl EffectiveMode {
    /// The safest of the process' ceiling and the other settings. On a tie `first` is named, then the earliest of
    /// `others`, then the process.
    pub fn safest(process: Mode, first: ModeCeiling, others: &[ModeCeiling]) -> Self {
        let mut safest = Self {
            mode: process,
            set_by: ModeSource::Process,
        };
        // On a tie the playbook is named first: that the playbook says Observe tells an operator more than that the
        // process would have stopped it too.
        for (source, mode) in others.iter().rev().copied().chain([first]) {
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
        Permit::of(self.mode)
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

impl Permit {
    const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Observe => Self::Nothing,
            Mode::Rehearse => Self::DryRun,
            Mode::Enforce => Self::Act(EnforcePermit(())),
        }
    }

    /// The permit to give back what a response has taken. That is no new action, so no ceiling but that of the process
    /// stands against it.
    pub const fn to_give_back(process: Mode) -> Self {
        Self::of(process)
    }
}

/// The capability to change the cluster. Its field is private; [`EffectiveMode::permit`] and [`Permit::to_give_back`] are
/// its only sources.
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
                    let (playbook, guard) = ((ModeSource::Playbook, playbook), (ModeSource::Guard, guard));
                    let effective = EffectiveMode::safest(process, playbook, &[guard]);
                    assert_eq!(effective.mode(), process.min(playbook.1).min(guard.1));
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
            (ModeSource::Playbook, Mode::Enforce),
            &[(ModeSource::Guard, Mode::Rehearse)],
        );
        assert_eq!(
            (effective.mode(), effective.set_by()),
            (Mode::Rehearse, ModeSource::Guard)
        );
    }
}
