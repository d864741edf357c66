//! The program of the image: static, linked for musl by zig, which comes with a Python package, as cargo-zigbuild does.
//! Python with pip and `rustup target add x86_64-unknown-linux-musl` are all it takes.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Locked, since another linker makes another program.
const TOOLS: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
const TARGET: &str = "x86_64-unknown-linux-musl";

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As it is shipped: minutes.
    Release,
    /// For a test of what only a static program in an image shows. It asks for no more of the cores than others leave.
    Test,
}

/// Why there is no program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// Files and processes.
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    /// A command that failed; it has said why on its standard error.
    #[error("{0} failed, see above; {1}")]
    Failed(&'static str, &'static str),
}

fn io(doing: &'static str) -> impl FnOnce(io::Error) -> ProgramError {
    move |source| ProgramError::Io(doing, source)
}

/// Builds the program into `target`, without a path of this machine in it.
pub fn build(profile: Profile, target: &Path) -> Result<Vec<u8>, ProgramError> {
    let tools = tools()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().map_err(io("find the sources"))?;
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
        .unwrap_or_default();
    let places = [(target, "/target"), (&root, "/responder"), (&home, "/cargo")];
    let remap = |option: &str| places.map(|(from, to)| format!("{option}{}={to}", from.display()));
    let zigbuild = tools.join("bin/cargo-zigbuild");
    let (mut cargo, directory) = match profile {
        Profile::Release => (Command::new(zigbuild), "release"),
        Profile::Test => {
            let mut nice = Command::new("nice");
            nice.args(["-n", "19"]).arg(zigbuild);
            (nice, "debug")
        }
    };
    cargo
        .args(["zigbuild", "--locked", "--package", "responder", "--target", TARGET])
        .arg("--target-dir")
        .arg(target)
        .current_dir(&root)
        .env("CARGO_ZIGBUILD_ZIG_PATH", tools.join("ziglang/zig"))
        .env("CARGO_ENCODED_RUSTFLAGS", remap("--remap-path-prefix=").join("\u{1f}"))
        // The C of aws-lc and mimalloc names its files in its assertions.
        .env(
            "CFLAGS_x86_64_unknown_linux_musl",
            remap("-ffile-prefix-map=").join(" "),
        )
        .env("SOURCE_DATE_EPOCH", "0");
    match profile {
        Profile::Release => cargo.arg("--release"),
        Profile::Test => cargo
            .env("CARGO_PROFILE_DEV_DEBUG", "false")
            .env("CARGO_INCREMENTAL", "0"),
    };
    succeed(
        "cargo zigbuild",
        "where it lacks the standard library: rustup target add x86_64-unknown-linux-musl",
        &mut cargo,
    )?;
    fs::read(target.join(TARGET).join(directory).join("responder")).map_err(io("read the program"))
}

/// `target`, or wherever cargo has put the program that asks: it marks the directory as a cache.
pub fn target_directory() -> PathBuf {
    let this = env::current_exe().unwrap_or_default();
    this.ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file())
        .unwrap_or(Path::new("target"))
        .to_owned()
}

/// cargo-zigbuild and zig, installed once beside cargo's own output.
fn tools() -> Result<PathBuf, ProgramError> {
    let directory = target_directory().join("image-tools");
    if !directory.join("bin/cargo-zigbuild").is_file() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&directory)
            .args(TOOLS);
        succeed(
            "python3 -m pip install cargo-zigbuild ziglang",
            "building the image takes Python with pip",
            &mut pip,
        )?;
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
