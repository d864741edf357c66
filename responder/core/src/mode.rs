//! Modes: how far a response may go, and the capability that only Enforce hands out.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far a response may go. Ordered from the safest: `Observe < Rehearse < Enforce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Decides and reports; sends no mutating request at all.
    #[default]
    Observe,
    /// Sends every request with `dryRun`: admission, RBAC, preconditions and PDBs are proven, nothing changes.
    Rehearse,
    /// Acts.
    Enforce,
}

impl Mode {
    /// Every mode, the safest first.
    pub const ALL: [Self; 3] = [Self::Observe, Self::Rehearse, Self::Enforce];

    /// The name as it is written in a playbook.
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

/// A mode that does not exist was named.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no mode `{0}`: write Observe, Rehearse or Enforce")]
pub struct UnknownMode(String);

/// Who has a say in the mode of a response.
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
    /// The `--mode` of this process, or its default.
    Process,
}

impl ModeSource {
    /// How a person reads it.
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

/// The mode a response really has: the safest of all that have a say, with the name of whoever lowered it.
///
/// It can only be made by [`EffectiveMode::safest`], so a permit to act can't exist without every ceiling having been
/// asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EffectiveMode {
    mode: Mode,
    set_by: ModeSource,
}

impl EffectiveMode {
    /// The safest of the process' ceiling and what the others say; on a tie the one named first.
    pub fn safest(process: Mode, others: &[(ModeSource, Mode)]) -> Self {
        let mut safest = Self {
            mode: process,
            set_by: ModeSource::Process,
        };
        // The playbook is named first on a tie: that Observe came from the playbook says more than that
        // the process would have stopped it too.
        for &(source, mode) in others.iter().rev() {
            if mode <= safest.mode {
                safest = Self { mode, set_by: source };
            }
        }
        safest
    }

    /// The mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Who set it so low.
    pub const fn set_by(&self) -> ModeSource {
        self.set_by
    }

    /// What this mode permits to send.
    pub const fn permit(&self) -> Permit {
        match self.mode {
            Mode::Observe => Permit::Nothing,
            Mode::Rehearse => Permit::DryRun,
            Mode::Enforce => Permit::Act(EnforcePermit(())),
        }
    }
}

/// What a mode permits to send.
#[derive(Debug, Clone)]
pub enum Permit {
    /// No mutating request.
    Nothing,
    /// Requests with `dryRun` only.
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
    fn whoever_lowered_the_mode_is_named() {
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
