use responder_core::document::{SourceFile, read_one};
use responder_intake::nats::{Retention, Storage};
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::config::read::LANGUAGE;

/// JSON is YAML.
fn compile(document: &Value) -> Result<NatsConfig, String> {
    let source = SourceFile {
        file: "nats.yaml".into(),
        text: format!("{document:#}"),
    };
    read_one(&source, &LANGUAGE, |doc: NatsDoc, findings| {
        doc.compile(&Path::default(), findings)
    })
    .map(|(config, _)| config.unwrap())
    .map_err(|found| found.render(false))
}

#[test]
fn servers_alone_mean_every_alert_of_falcosidekick_over_core_nats() {
    let config = compile(&json!({ "servers": ["nats://127.0.0.1:4222"] })).unwrap();
    let Subscription::Core(core) = config.subscription else {
        panic!("no core subscription")
    };
    assert_eq!(core.subjects[0].as_str(), "falco.>");
    assert_eq!(core.queue.as_str(), "responder");
    assert!(config.auth.is_none() && config.tls.is_none());
}

#[test]
fn every_setting_has_its_key() {
    let config = compile(&json!({
        "servers": ["tls://a:4222", "tls://b:4222"],
        "name": "responder-eu",
        "auth": { "user": { "name": "falco", "passwordFile": "/secrets/nats" } },
        "tls": { "caFile": "/ca.pem", "certificateFile": "/me.pem", "keyFile": "/me.key", "first": true },
        "subjects": ["falco.critical.>", "falco.emergency.>"],
        "jetStream": {
            "stream": "falco", "consumer": "eu", "maxInFlight": 16, "ackWait": "10s", "maxDeliver": 3,
            "deadLetterSubject": "dead.falco",
            "createStream": {
                "replicas": 3, "storage": "Memory", "retention": "WorkQueue", "maxAge": "1h", "maxBytes": 4096
            },
        },
    }))
    .unwrap();
    let Subscription::JetStream(stream) = &config.subscription else {
        panic!("no stream")
    };
    assert_eq!(
        (stream.consumer.as_str(), stream.max_in_flight, stream.max_deliver),
        ("eu", 16, 3)
    );
    assert_eq!(stream.dead_letters.as_str(), "dead.falco");
    let new = stream.create.as_ref().unwrap();
    assert_eq!(
        (new.replicas, new.storage, new.retention),
        (3, Storage::Memory, Retention::WorkQueue)
    );
    assert!(config.tls.unwrap().first);
}

#[rstest]
#[case(json!({ "user": { "name": "falco", "passwordEnv": "P" } }), "the password of the user \"falco\"")]
#[case(json!({ "tokenFile": "t" }), "a token")]
#[case(json!({ "tokenEnv": "T" }), "a token")]
#[case(json!({ "credentialsFile": "c" }), "the user JWT in c")]
#[case(json!({ "nkeySeedFile": "s" }), "a signature by the seed in s")]
#[case(json!({ "nkeySeedEnv": "S" }), "a signature by the seed in the environment variable S")]
fn each_way_to_authenticate_has_its_keys(#[case] auth: Value, #[case] way: &str) {
    let config = compile(&json!({ "servers": ["a"], "auth": auth })).unwrap();
    assert_eq!(config.auth.unwrap().to_string(), way);
}

#[rstest]
#[case(json!({ "servers": [] }), "at least one")]
#[case(json!({ "servers": ["nats://me:hunter2@nats"] }), "name a file")]
#[case(json!({ "servers": ["a"], "auth": { "user": { "name": "me" } } }), "passwordFile")]
#[case(json!({ "servers": ["a"], "auth": {} }), "exactly one")]
#[case(json!({ "servers": ["a"], "auth": { "tokenFile": "/t", "nkeySeedFile": "/n" } }), "exactly one")]
#[case(json!({ "servers": ["a"], "auth": { "tokenFile": "/t", "tokenEnv": "T" } }), "two places for one token")]
#[case(json!({ "servers": ["a"], "tls": { "keyFile": "/k" } }), "certificateFile")]
#[case(json!({ "servers": ["a"], "queueGroup": "q", "jetStream": { "stream": "s" } }), "queueGroup")]
#[case(json!({ "servers": ["a"], "subjects": [] }), "no subject")]
#[case(json!({ "servers": ["a"], "jetStream": { "stream": "a.b" } }), "name of a stream")]
#[case(json!({ "servers": ["a"], "jetStream": { "stream": "s", "deadLetterSubject": "falco.x" } }), "come back")]
#[case(json!({ "servers": ["a"], "sever": 1 }), "servers")]
#[case(json!({ "servers": ["a"], "auth": { "user": { "name": "me", "password": "hunter2" } } }), "passwordFile")]
#[case(json!({ "servers": ["a"], "auth": { "token": "hunter2" } }), "tokenFile")]
#[case(json!({ "servers": ["a"], "auth": { "nkeySeed": "hunter2" } }), "nkeySeedFile")]
#[case(json!({ "servers": ["a"], "auth": { "tokenVariable": "T" } }), "write `tokenEnv`")]
#[case(json!({ "servers": ["a"], "auth": { "user": { "name": "me", "passwordVariable": "P" } } }), "write `passwordEnv`")]
fn settings_that_cannot_work_are_refused(#[case] document: Value, #[case] said: &str) {
    let error = compile(&document).unwrap_err();
    assert!(error.contains(said), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}
