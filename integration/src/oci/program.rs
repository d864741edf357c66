//! The program of the image: static, linked for musl by zig, which comes with a Python package, as cargo-zigbuild does.
//! Python with pip and `rustup target add x86_64-unknown-linux-musl` are all it takes. For a test glibc will do where
//! these are missing: it is as static, and needs as little of the root that it is started in.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

/// Locked, since another linker makes another program.
const TOOLS: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
const MUSL: &str = "x86_64-unknown-linux-musl";
const GLIBC: &str = "x86_64-unknown-linux-gnu";

/// How the program is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As it is shipped: minutes.
    Release,
    /// For a test of what only a static program in an image shows: not optimised, and at the lowest priority.
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
        // The C of aws-lc and mimalloc names its files in its assertions.
        .env(
            "CFLAGS_x86_64_unknown_linux_musl",
            remap("-ffile-prefix-map=").join(" "),
        )
        .env("SOURCE_DATE_EPOCH", "0");
    let directory = match profile {
        Profile::Release => {
            cargo.arg("--release");
            "release"
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
        "where it lacks the standard library: rustup target add x86_64-unknown-linux-musl",
        &mut cargo,
    )?;
    fs::read(target.join(triple).join(directory).join("responder")).map_err(io("read the program"))
}

/// It asks for what others leave of the cores.
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

/// Whether a program for musl can be built here.
fn has_musl() -> bool {
    let answer = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
        output.ok().filter(|output| output.status.success())
    };
    let rustc = answer("rustc", &["--print", "target-libdir", "--target", MUSL]);
    let has_library = rustc.is_some_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    has_library && answer("python3", &["-m", "pip", "--version"]).is_some()
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
    // Of these versions: another linker makes another program.
    let directory = target_directory().join(format!("image-tools-{}", TOOLS.join("-").replace("==", "-")));
    if !directory.is_dir() {
        let building = directory.with_extension(format!("building-{}", process::id()));
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&building)
            .args(TOOLS);
        succeed(
            "python3 -m pip install cargo-zigbuild ziglang",
            "building the image takes Python with pip",
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
