//! The image and the chart as OCI archives, without Docker: `cargo run -p integration --bin image -- --output DIR`.
//!
//! The program is linked statically for musl by zig, which comes with a Python package, as cargo-zigbuild does: Python and
//! `rustup target add x86_64-unknown-linux-musl` are all it takes. What was made is then started in an empty root.

use std::{
    env, fs,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;
use integration::{
    control_plane::chain,
    oci::{self, Layout},
};
use tempfile::TempDir;

/// Locked, since another linker makes another program.
const TOOLS: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];
const TARGET: &str = "x86_64-unknown-linux-musl";
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The program is up within a tenth of a second; a busy machine makes that many.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// Makes the image and the chart as OCI archives.
#[derive(Debug, Parser)]
struct Args {
    /// Where the archives are written
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Only the chart, which takes no build
    #[arg(long)]
    chart_only: bool,
    /// Builds the program twice, in two directories from nothing, and compares the digests of the images
    #[arg(long, conflicts_with = "chart_only")]
    verify_reproducible: bool,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    #[error("{0} failed: see above")]
    Failed(&'static str),
    #[error("two builds differ: {0} and {1}")]
    Differs(String, String),
    #[error("the image's program did not answer /healthz within {} s: {how}", START_DEADLINE.as_secs())]
    Silent { how: String },
}

fn io(doing: &'static str) -> impl FnOnce(io::Error) -> Error {
    move |source| Error::Io(doing, source)
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {}", chain(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Error> {
    fs::create_dir_all(&args.output).map_err(io("make the directory"))?;
    write(args, "chart", &oci::chart::layout().map_err(io("pack the chart"))?)?;
    if args.chart_only {
        return Ok(());
    }
    let tools = tools()?;
    let target = target_directory().join("image");
    let program = build(&tools, &target)?;
    let image = oci::image::layout(program.clone(), VERSION).map_err(io("pack the image"))?;
    if args.verify_reproducible {
        let apart = TempDir::new().map_err(io("make a directory"))?;
        let digests = [&apart.path().join("one"), &apart.path().join("another")].map(|target| {
            let program = build(&tools, target)?;
            Ok(oci::image::layout(program, VERSION)
                .map_err(io("pack the image"))?
                .digest)
        });
        let [one, another] = digests;
        let (one, another) = (one?, another?);
        if one != another {
            return Err(Error::Differs(one, another));
        }
        say(&format!("two builds from nothing: {one}"));
    }
    write(args, "image", &image)?;
    let started = start(program)?;
    say(&format!(
        "started from the image in an empty root as 65532: /healthz answered after {} ms",
        started.as_millis()
    ));
    Ok(())
}

fn write(args: &Args, what: &str, layout: &Layout) -> Result<(), Error> {
    let archive = layout.archive().map_err(io("pack the archive"))?;
    let path = args.output.join(format!("responder-{VERSION}-{what}.oci.tar"));
    fs::write(&path, &archive).map_err(io("write the archive"))?;
    say(&format!(
        "{}: {} bytes, {}",
        path.display(),
        archive.len(),
        layout.digest
    ));
    Ok(())
}

/// cargo-zigbuild and zig, installed once beside cargo's own output.
fn tools() -> Result<PathBuf, Error> {
    let directory = target_directory().join("image-tools");
    if !directory.join("bin/cargo-zigbuild").is_file() {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
            .arg(&directory)
            .args(TOOLS);
        succeed("installing cargo-zigbuild and zig (python3 -m pip)", &mut pip)?;
    }
    Ok(directory)
}

/// The program, for musl, without a path of this machine in it.
fn build(tools: &Path, target: &Path) -> Result<Vec<u8>, Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().map_err(io("find the sources"))?;
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))
        .unwrap_or_default();
    let places = [(target, "/target"), (&root, "/responder"), (&home, "/cargo")];
    let remap = |option: &str| places.map(|(from, to)| format!("{option}{}={to}", from.display()));
    let mut cargo = Command::new(tools.join("bin/cargo-zigbuild"));
    cargo
        .args([
            "zigbuild",
            "--locked",
            "--release",
            "--package",
            "responder",
            "--target",
            TARGET,
        ])
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
    succeed("cargo zigbuild", &mut cargo)?;
    fs::read(target.join(TARGET).join("release/responder")).map_err(io("read the program"))
}

fn succeed(what: &'static str, command: &mut Command) -> Result<(), Error> {
    let status = command.stdin(Stdio::null()).status().map_err(io(what))?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Failed(what))
    }
}

/// Kills the program when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the program in a root that holds the image and what a pod mounts, as the image's user, and measures until it
/// answers.
fn start(program: Vec<u8>) -> Result<Duration, Error> {
    let root = TempDir::new().map_err(io("make a root"))?;
    let mut files = oci::image::files(program);
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/demo");
    for (from, to) in [("playbooks", "playbooks"), ("cluster", "cluster")] {
        for entry in fs::read_dir(demo.join(from)).map_err(io("read the demo"))? {
            let path = entry.map_err(io("read the demo"))?.path();
            let name = format!("{to}/{}", path.file_name().unwrap_or_default().to_string_lossy());
            files.insert(name, oci::File::new(fs::read(&path).map_err(io("read the demo"))?));
        }
    }
    let archive = oci::tar(&files).map_err(io("pack the root"))?;
    tar::Archive::new(archive.as_slice())
        .unpack(root.path())
        .map_err(io("unpack the root"))?;
    // Anybody may enter it, as 65532 must.
    fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .map_err(io("open the root"))?;

    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(io("find a port"))?;
    let started = Instant::now();
    let child = Command::new("chroot")
        .args(["--userspec=65532:65532", "--groups="])
        .arg(root.path())
        .args([
            "/responder",
            "run",
            "--playbooks",
            "/playbooks",
            "--simulate",
            "/cluster",
        ])
        .arg(format!("--listen={port}"))
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(io("start chroot (it takes root)"))?;
    let mut child = Killed(child);
    while started.elapsed() < START_DEADLINE {
        if let Some(status) = child.0.try_wait().map_err(io("wait for the program"))? {
            let how = format!("it ended, {status}");
            return Err(Error::Silent { how });
        }
        if healthy(&port.to_string()).is_ok_and(|healthy| healthy) {
            return Ok(started.elapsed());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Err(Error::Silent {
        how: "it runs".to_owned(),
    })
}

fn healthy(address: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}

/// `target`, or wherever cargo has put this program.
fn target_directory() -> PathBuf {
    let this = env::current_exe().unwrap_or_default();
    this.ancestors().nth(2).unwrap_or(Path::new("target")).to_owned()
}

fn say(text: &str) {
    // Nothing is lost when nobody listens.
    let _ = writeln!(io::stderr(), "{text}");
}
