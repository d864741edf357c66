//! Packs the image and the chart as OCI archives without Docker, then unpacks the image and starts it in an empty root:
//! `cargo run -p integration --bin image -- --output DIR`.

use std::{fs, io, io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use integration::oci::{
    self, Layout,
    program::{self, Profile, ProgramError},
    start::{self, ImageStartError},
};
use responder_core::error::chain;
use tempfile::TempDir;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Packs the image and the chart as OCI archives.
#[derive(Debug, Parser)]
struct Args {
    /// Directory for the archives
    #[arg(long, value_name = "DIR")]
    output: PathBuf,
    /// Pack only the chart, which needs no build
    #[arg(long)]
    chart_only: bool,
    /// Build the program twice from scratch, in two directories, and compare the digests of the images
    #[arg(long, conflicts_with = "chart_only")]
    verify_reproducible: bool,
}

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot {0}")]
    Io(&'static str, #[source] io::Error),
    #[error("the image has no program")]
    Program(#[from] ProgramError),
    #[error("the image does not start")]
    Start(#[from] ImageStartError),
    #[error("two builds differ: {0} and {1}")]
    Differs(String, String),
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
    let image = if args.verify_reproducible {
        let apart = TempDir::new().map_err(io("make a directory"))?;
        let one = image(&apart.path().join("one"))?;
        say(&format!("the first build from scratch: {}", one.digest));
        let another = image(&apart.path().join("another"))?;
        if one.digest != another.digest {
            return Err(Error::Differs(one.digest, another.digest));
        }
        say(&format!("a second build in another directory: {}", another.digest));
        another
    } else {
        image(&program::target_directory().join("image"))?
    };
    let archive = write(args, "image", &image)?;
    let started = start::start(&archive)?;
    say(&format!(
        "started from the archive in an empty root as 65532: /healthz answered after {} ms",
        started.after.as_millis()
    ));
    Ok(())
}

fn image(target: &std::path::Path) -> Result<Layout, Error> {
    let program = program::build(Profile::Release, target)?;
    oci::image::layout(program, VERSION).map_err(io("pack the image"))
}

fn write(args: &Args, what: &str, layout: &Layout) -> Result<Vec<u8>, Error> {
    let archive = layout.archive().map_err(io("pack the archive"))?;
    let path = args.output.join(format!("responder-{VERSION}-{what}.oci.tar"));
    fs::write(&path, &archive).map_err(io("write the archive"))?;
    say(&format!(
        "{}: {} bytes, {}",
        path.display(),
        archive.len(),
        layout.digest
    ));
    Ok(archive)
}

fn say(text: &str) {
    // Messages are optional: ignore a closed standard error.
    let _ = writeln!(io::stderr(), "{text}");
}
