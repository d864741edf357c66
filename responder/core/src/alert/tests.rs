//! The alerts under `testdata/alerts`, for the tests below.

mod hostile;
mod identities;
mod properties;
mod samples;

use std::{fs, path::PathBuf};

use serde::Deserialize;

use super::{Alert, Bounds};

fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "testdata", "alerts"].iter().collect()
}

/// The sample bodies by file name, in the order of their numbers.
fn samples() -> Vec<(String, String)> {
    let mut samples: Vec<_> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read_to_string(entry.path()).unwrap(),
            )
        })
        .collect();
    samples.sort();
    assert_eq!(samples.len(), 12, "the samples are listed in SOURCES.md");
    samples
}

fn sample(number: &str) -> String {
    samples()
        .into_iter()
        .find(|(name, _)| name.starts_with(number))
        .unwrap()
        .1
}

#[derive(Deserialize)]
struct Recorded {
    #[serde(alias = "payload")]
    body: String,
}

/// falcosidekick's delivery of each sample, in the samples' order: twice over HTTP (webhook and talon), once over NATS.
fn recorded(file: &str) -> Vec<String> {
    fs::read_to_string(directory().join(file))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Recorded>(line).unwrap().body)
        .collect()
}

fn recorded_http() -> Vec<String> {
    recorded("falcosidekick-2.9.3-http.jsonl")
}

fn recorded_nats() -> Vec<String> {
    recorded("falcosidekick-2.9.3-nats.jsonl")
}

fn decode(body: &str) -> Alert {
    Alert::decode(body.as_bytes(), &Bounds::default()).unwrap_or_else(|error| panic!("{error}\n{body}"))
}
