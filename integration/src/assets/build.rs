//! Builds a program once: under a lock, in a temporary directory, followed by a rename.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Write as _},
    path::Path,
    process::{self, Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{
    error::AssetsError,
    module::{Module, linker_flags},
};
use crate::process::tail;

/// A build took 8 min 40 s on two cores; after seven times that, it hangs.
const BUILD_DEADLINE: Duration = Duration::from_hours(1);
/// How long to wait for another process' build.
const LOCK_DEADLINE: Duration = Duration::from_mins(90);
/// The interval of progress messages.
const REMINDER: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);

/// Builds a module into `directory`, a subdirectory of `cache`, unless another process has built it meanwhile.
pub(super) fn into(cache: &Path, directory: &Path, module: &'static Module) -> Result<(), AssetsError> {
    create_directory(cache)?;
    let _lock = lock(&cache.join("lock"))?;
    if directory.is_dir() {
        return Ok(());
    }
    let no_go = |source| AssetsError::NoGo {
        program: module.name,
        source,
    };
    Command::new("go").arg("version").output().map_err(no_go)?;
    say(&format!(
        "building {} on two cores, once, into {}",
        module.summary,
        directory.display()
    ));

    remove_unfinished(cache)?;
    // The name includes the process id: the `go build` of a killed process may continue, and must not write into this
    // build.
    let building = directory.with_extension(format!("building-{}", process::id()));
    create_directory(&building)?;
    let started = Instant::now();
    go_build(module, &building, started)?;
    for name in module.links {
        let link = building.join(name);
        std::os::unix::fs::symlink(module.name, &link).map_err(at("link", &link))?;
    }
    fs::rename(&building, directory).map_err(at("rename", &building))?;
    say(&format!("built {} in {}", module.name, minutes(started.elapsed())));
    Ok(())
}

/// Removes the directories of killed builds. This process holds the lock, so no other process uses them.
fn remove_unfinished(cache: &Path) -> Result<(), AssetsError> {
    for entry in fs::read_dir(cache).map_err(at("read", cache))? {
        let path = entry.map_err(at("read", cache))?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| extension.starts_with("building-")) {
            fs::remove_dir_all(&path).map_err(at("remove", &path))?;
        }
    }
    Ok(())
}

/// The lock is released with the file handle, even when the process is killed. The file remains.
fn lock(path: &Path) -> Result<File, AssetsError> {
    let file = File::create(path).map_err(at("create", path))?;
    let started = Instant::now();
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(at("lock", path)(source)),
            Err(TryLockError::WouldBlock) if started.elapsed() > LOCK_DEADLINE => {
                return Err(AssetsError::Locked {
                    waited: LOCK_DEADLINE,
                    lock: path.to_owned(),
                });
            }
            Err(TryLockError::WouldBlock) => {
                if !said {
                    say("another process is building: waiting for it");
                    said = true;
                }
                thread::sleep(POLL);
            }
        }
    }
}

fn go_build(module: &'static Module, building: &Path, started: Instant) -> Result<(), AssetsError> {
    let sources = building.join(format!("{}.src", module.name));
    create_directory(&sources)?;
    for (name, contents) in &module.files {
        let path = sources.join(name);
        fs::write(&path, contents).map_err(at("write", &path))?;
    }
    let log = building.join(format!("{}.log", module.name));
    let output = File::create(&log).map_err(at("create", &log))?;
    let errors = output.try_clone().map_err(at("open", &log))?;
    let mut go = Command::new("go")
        .current_dir(&sources)
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false"])
        .args(["-ldflags", &linker_flags(module)])
        .arg("-o")
        .arg(building.join(module.name))
        .arg(".")
        // The developer's own settings (a race detector, a workspace, a vendor directory) must not change the build.
        .env("GOFLAGS", "")
        .env("GOWORK", "off")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(|source| AssetsError::NoGo {
            program: module.name,
            source,
        })?;

    let failed = |how| AssetsError::Build {
        program: module.name,
        how,
        tail: tail(&log),
    };
    match wait(&mut go, module.name, started) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(failed(format!("failed ({status})"))),
        Ok(None) => Err(failed(format!(
            "took longer than {} and was killed",
            minutes(BUILD_DEADLINE)
        ))),
        Err(source) => Err(at("wait for the build in", &sources)(source)),
    }?;
    fs::remove_dir_all(&sources).map_err(at("remove", &sources))
}

/// Waits for the build and reports progress. `None` if the build exceeded its deadline and was killed.
fn wait(go: &mut Child, program: &str, started: Instant) -> io::Result<Option<ExitStatus>> {
    let mut remind = Instant::now() + REMINDER;
    loop {
        if let Some(status) = go.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() > BUILD_DEADLINE {
            go.kill()?;
            go.wait()?;
            return Ok(None);
        }
        if Instant::now() > remind {
            say(&format!(
                "still building {program}, {} so far",
                minutes(started.elapsed())
            ));
            remind += REMINDER;
        }
        thread::sleep(POLL);
    }
}

fn create_directory(path: &Path) -> Result<(), AssetsError> {
    fs::create_dir_all(path).map_err(at("create", path))
}

fn at(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> AssetsError {
    let path = path.to_owned();
    move |source| AssetsError::File { doing, path, source }
}

fn minutes(duration: Duration) -> String {
    format!("{} min {} s", duration.as_secs() / 60, duration.as_secs() % 60)
}

/// Writes to standard error directly: the test harness captures the print macros until a test fails.
fn say(text: &str) {
    // Progress is optional: ignore a closed standard error.
    let _ = writeln!(io::stderr(), "integration: {text}");
}
