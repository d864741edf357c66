//! Builds the static program of the image for musl. cargo-zigbuild uses zig as the linker, and both come as Python
//! packages, so the build needs Python with pip and `rustup target add x86_64-unknown-linux-musl`. Where these are
//! missing, a test builds with glibc instead: that program is also static and needs as little of its root.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use crate::responder::SHIPPED_PROFILE;

/// Pinned: another linker makes another program.
const TOOLS: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
const MUSL: &str = "x86_64-unknown-linux-musl";
const GLIBC: &str = "x86_64-unknown-linux-gnu";

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As shipped, by the profile `dist`. Takes minutes.
    Release,
    /// For tests that need a static program: not optimised, and built at the lowest priority.
    Test,
}

/// The program could not be built.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// A file or process operation failed.
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    /// A command failed; its standard error says why. The second part is the remedy.
    #[error("{0} failed, see above; {1}")]
    Failed(&'static str, &'static str),
}

fn io(doing: &'static str) -> impl FnOnce(io::Error) -> ProgramError {
    move |source| ProgramError::Io(doing, source)
}

/// Builds the program into `target`, without paths of this machine in it, and returns its bytes.
pub fn build(profile: Profile, target: &Path) -> Result<Vec<u8>, ProgramError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().map_err(io("find the sources"))?;
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
        .unwrap_or_default();
    let places = [(target, "/target"), (&root, "/responder"), (&home, "/cargo")];
    let remap = |option: &str| places.map(|(from, to)| format!("{option}{}={to}", from.display()));
    let mut flags = remap("--remap-path-prefix=").to_vec();

    let (mut cargo, triple) = match (profile, has_musl()) {
        (Profile::Test, false) => {
            flags.push("-Ctarget-feature=+crt-static".to_owned());
            let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            let mut cargo = niced(&cargo);
            cargo.arg("build");
            (cargo, GLIBC)
        }
        (Profile::Test, true) => (zigbuild(niced)?, MUSL),
        (Profile::Release, _) => (zigbuild(|program| Command::new(program))?, MUSL),
    };
    cargo
        .args(["--locked", "--package", "responder", "--target", triple])
        .arg("--target-dir")
        .arg(target)
        .current_dir(&root)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        // Assertions in the C code of ring and mimalloc contain file names.
        .env(
            "CFLAGS_x86_64_unknown_linux_musl",
            remap("-ffile-prefix-map=").join(" "),
        )
        .env("SOURCE_DATE_EPOCH", "0");
    let directory = match profile {
        Profile::Release => {
            cargo.args(["--profile", SHIPPED_PROFILE]);
            SHIPPED_PROFILE
        }
        Profile::Test => {
            cargo
                .arg("--quiet")
                .env("CARGO_PROFILE_DEV_DEBUG", "false")
                .env("CARGO_INCREMENTAL", "0");
            "debug"
        }
    };
    succeed(
        "building the program of the image",
        "if the standard library is missing: rustup target add x86_64-unknown-linux-musl",
        &mut cargo,
    )?;
    fs::read(target.join(triple).join(directory).join("responder")).map_err(io("read the program"))
}

/// Runs a program at the lowest priority.
fn niced(program: &OsStr) -> Command {
    let mut nice = Command::new("nice");
    nice.args(["-n", "19"]).arg(program);
    nice
}

fn zigbuild(command: impl Fn(&OsStr) -> Command) -> Result<Command, ProgramError> {
    let tools = tools()?;
    let mut cargo = command(tools.join("bin/cargo-zigbuild").as_os_str());
    cargo
        .arg("zigbuild")
        .env("CARGO_ZIGBUILD_ZIG_PATH", tools.join("ziglang/zig"));
    Ok(cargo)
}

/// Whether the target for musl and pip are installed.
fn has_musl() -> bool {
    let answer = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        output.ok().filter(|output| output.status.success())
    };
    let rustc = answer("rustc", &["--print", "target-libdir", "--target", MUSL]);
    let has_library = rustc.is_some_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    has_library && answer("python3", &["-m", "pip", "--version"]).is_some()
}

/// Cargo's target directory, found by its `CACHEDIR.TAG` above the current program; `target` if there is none.
pub fn target_directory() -> PathBuf {
    let this = env::current_exe().unwrap_or_default();
    this.ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file())
        .unwrap_or(Path::new("target"))
        .to_owned()
}

/// Installs cargo-zigbuild and zig once in the target directory and returns their directory.
fn tools() -> Result<PathBuf, ProgramError> {
    // The name contains the versions: another linker makes another program.
    let directory = target_directory().join(format!("image-tools-{}", TOOLS.join("-").replace("==", "-")));
    if !directory.is_dir() {
        let building = directory.with_extension(format!("building-{}", process::id()));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&building)
            .args(TOOLS);
        succeed(
            "python3 -m pip install cargo-zigbuild ziglang",
            "building the image needs Python with pip",
            &mut pip,
        )?;
        fs::rename(&building, &directory).map_err(io("keep cargo-zigbuild and zig"))?;
    }
    Ok(directory)
}

fn succeed(what: &'static str, cure: &'static str, command: &mut Command) -> Result<(), ProgramError> {
    let status = command.stdin(Stdio::null()).status().map_err(io(what))?;
    if status.success() {
        Ok(())
    } else {
        Err(ProgramError::Failed(what, cure))
    }
}
