//! Finds the program under test: the `responder` that cargo has built, or builds it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// The environment variable that names another program to test, such as a release build or the one from an image.
pub const BINARY_VARIABLE: &str = "RESPONDER_BINARY";

/// The profile of the image and of published figures: thin LTO, one codegen unit.
pub const SHIPPED_PROFILE: &str = "dist";

/// The cargo profile that [`binary`] is built by, such as `dist`; `None` where [`BINARY_VARIABLE`] names a program, whose
/// profile nothing tells.
pub fn profile() -> Option<String> {
    if env::var_os(BINARY_VARIABLE).is_some_and(|value| !value.is_empty()) {
        return None;
    }
    let directory = profile_directory().ok()?;
    let name = directory.file_name()?.to_str()?;
    Some(if name == "debug" { "dev" } else { name }.to_owned())
}

/// The program could not be found or built.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    /// Cargo's target directory is unknown, because the path of the current program is.
    #[error("cannot find the target directory of this program: name the program under test in {BINARY_VARIABLE}")]
    Target(#[source] io::Error),
    /// cargo could not be started.
    #[error("cannot run cargo to build responder: name a built program in {BINARY_VARIABLE}")]
    Cargo(#[source] io::Error),
    /// The program does not compile.
    #[error("responder does not build:\n{0}")]
    Build(String),
}

/// The program under test: the one named in [`BINARY_VARIABLE`], or the one beside this program in cargo's target
/// directory, which is rebuilt when a source is newer.
///
/// Usually `cargo test --workspace` has built it. cargo runs again only after a change: for the single package it would
/// build every dependency a second time, with fewer features.
///
/// The result is kept for the process, so that all tests of a run use the same program.
pub fn binary() -> Result<PathBuf, BinaryError> {
    static FOUND: Mutex<Option<PathBuf>> = Mutex::new(None);
    if let Some(named) = env::var_os(BINARY_VARIABLE).filter(|value| !value.is_empty()) {
        return Ok(named.into());
    }
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(binary) = &*found {
        return Ok(binary.clone());
    }
    let profile = profile_directory().map_err(BinaryError::Target)?;
    let binary = profile.join("responder");
    if !is_fresh(&binary) {
        build(&profile)?;
    }
    Ok(found.insert(binary).clone())
}

/// `target/debug`, `target/release` or `target/dist`. Tests and benchmarks are in its subdirectory `deps`.
fn profile_directory() -> io::Result<PathBuf> {
    let this = env::current_exe()?;
    let directory = this.parent().unwrap_or(Path::new("."));
    let is_below = directory
        .file_name()
        .is_some_and(|name| name == "deps" || name == "examples");
    let profile = if is_below {
        directory.parent().unwrap_or(directory)
    } else {
        directory
    };
    Ok(profile.to_owned())
}

/// Whether the program is newer than all sources that cargo recorded for it.
fn is_fresh(binary: &Path) -> bool {
    let modified = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let Ok(built) = modified(binary) else { return false };
    let Ok(made_of) = fs::read_to_string(binary.with_extension("d")) else {
        return false;
    };
    sources(&made_of).all(|source| modified(Path::new(&source)).is_ok_and(|time: SystemTime| time <= built))
}

/// The sources in a dep-info file: `target: source source…`, with escaped blanks.
fn sources(made_of: &str) -> impl Iterator<Item = String> + '_ {
    const BLANK: &str = "\u{0}";
    let right = made_of.split_once(": ").map_or("", |(_, sources)| sources);
    let escaped = right.replace("\\ ", BLANK);
    let paths: Vec<String> = escaped
        .split_whitespace()
        .map(|path| path.replace(BLANK, " "))
        .collect();
    paths.into_iter()
}

fn build(profile: &Path) -> Result<(), BinaryError> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", "responder", "--bin", "responder"])
        .arg("--manifest-path")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"))
        .stdin(Stdio::null());
    if let Some(name) = profile.file_name().filter(|name| *name != "debug") {
        command.arg("--profile").arg(name);
    }
    if let Some(target) = profile.parent() {
        command.arg("--target-dir").arg(target);
    }
    let Output { status, stderr, .. } = command.output().map_err(BinaryError::Cargo)?;
    if status.success() {
        return Ok(());
    }
    Err(BinaryError::Build(String::from_utf8_lossy(&stderr).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_stale_when_one_of_its_sources_is_younger_or_gone() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let touch = |name: &str, seconds: u64| {
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            fs::File::create(at(name)).unwrap().set_modified(time).unwrap();
        };
        let made_of = format!("{0}/it: {0}/a.rs {0}/with\\ blank.rs\n", directory.path().display());
        fs::write(at("it.d"), made_of).unwrap();
        touch("a.rs", 1);
        touch("with blank.rs", 2);
        assert!(!is_fresh(&at("it")), "the program is missing");
        touch("it", 2);
        assert!(is_fresh(&at("it")));
        touch("with blank.rs", 3);
        assert!(!is_fresh(&at("it")));
        fs::remove_file(at("with blank.rs")).unwrap();
        assert!(!is_fresh(&at("it")));
    }
}
