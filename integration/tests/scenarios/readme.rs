//! The README's configuration, used as written: only addresses, secrets and the directories of files are replaced.

use std::{fs, path::Path};

use async_nats::jetstream;
use integration::{
    nats::NatsCluster,
    pki::Authority,
    responder::{Responder, ResponderOptions, alert, playbooks::on_shell},
};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    demo,
    helm::{Helm, chart},
    scenario::{eventually, start},
};

const README: &str = include_str!("../../../README.md");
const SECRET: &str = "3f1b0c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7081";

/// The YAML blocks with this name in their first comment, up to a comma.
fn blocks(name: &str) -> Vec<&'static str> {
    let blocks = README.split("```yaml\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block);
    blocks
        .filter(|block| {
            let title = block.lines().next().and_then(|line| line.strip_prefix("# "));
            title.is_some_and(|title| title.split(',').next() == Some(name))
        })
        .collect()
}

fn block(name: &str, place: usize) -> Value {
    serde_saphyr::from_str(blocks(name)[place]).unwrap()
}

/// An alert of the demo about this container, dated now.
fn shell(container: &str) -> Value {
    let mut shell = demo::shell();
    shell["output_fields"]["container.id"] = json!(container);
    shell
}

fn simulated(arguments: &[&str]) -> ResponderOptions {
    ResponderOptions {
        arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
        ..demo::options(on_shell("Observe", &["label: {labels: {incident: open}}"]))
    }
}

/// A responder with the README's `responder.yaml` and its files.
async fn with_its_files(directory: &TempDir) -> Responder {
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("tls")).unwrap();
    fs::create_dir(at("secrets")).unwrap();
    let authority = Authority::create("ca", directory.path()).unwrap();
    let server = authority.server().unwrap();
    fs::copy(&server.certificate, at("tls/server.crt")).unwrap();
    fs::copy(&server.key, at("tls/server.key")).unwrap();
    for name in ["falco", "falcosidekick"] {
        fs::write(at("secrets").join(name), format!("{SECRET}\n")).unwrap();
    }
    let place = |name: &str| format!("File: {}/{name}/", directory.path().display());
    let written = blocks("responder.yaml")[0]
        .replace("File: tls/", &place("tls"))
        .replace("File: secrets/", &place("secrets"));
    fs::write(at("responder.yaml"), written).unwrap();
    let mut options = simulated(&["--config", &at("responder.yaml").display().to_string()]);
    let playbooks = block("responder.yaml", 0)["playbooks"][0].as_str().unwrap().to_owned();
    let playbooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(playbooks);
    let files = fs::read_dir(playbooks).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let files: Vec<String> = files.map(|path| fs::read_to_string(path).unwrap()).collect();
    options.playbooks = files.join("---\n");
    options.authority = Some(authority.certificate());
    start(&options).await
}

/// The README's URL with the host and port of our process.
fn url(written: &Value, responder: &Responder) -> reqwest::Url {
    let ours = reqwest::Url::parse(responder.url()).unwrap();
    let mut url = reqwest::Url::parse(written.as_str().unwrap()).unwrap();
    assert_eq!((url.scheme(), url.port()), (ours.scheme(), Some(2803)));
    url.set_host(ours.host_str()).unwrap();
    url.set_port(ours.port()).unwrap();
    url
}

#[rstest]
#[case::falco("falco")]
#[case::falcosidekick("falcosidekick")]
#[tokio::test]
async fn an_alert_sent_as_the_readme_says_is_taken_and_its_sender_known(#[case] sender: &str) {
    let directory = tempfile::tempdir().unwrap();
    let mut responder = with_its_files(&directory).await;
    let pem = fs::read(directory.path().join("ca.pem")).unwrap();
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([reqwest::Certificate::from_pem(&pem).unwrap()])
        .build()
        .unwrap();
    let shell = shell("ee97d9c4186f");
    let request = if sender == "falco" {
        let settings = block("falco.yaml", 0);
        assert_eq!(
            (&settings["json_output"], &settings["http_output"]["enabled"]),
            (&json!(true), &json!(true))
        );
        let mut url = url(&settings["http_output"]["url"], &responder);
        assert_eq!(url.password(), Some("PASSWORD"));
        url.set_password(Some(SECRET)).unwrap();
        client.post(url).body(shell.to_string())
    } else {
        let settings = &block("falcosidekick.yaml", 0)["webhook"];
        let headers = settings["customheaders"].as_object().unwrap().iter();
        let request = client
            .post(url(&settings["address"], &responder))
            .body(alert::by_falcosidekick(&shell, "2435103e-c7ec-4118-b737-5f9979c00310"));
        headers.fold(request, |request, (name, value)| {
            request.header(name, value.as_str().unwrap().replace("TOKEN", SECRET))
        })
    };
    let answer = request.header("content-type", "application/json").send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let decided = responder
        .wait_for("the decision", 1, |record| record.event() == "decided")
        .await
        .unwrap();
    assert_eq!(decided[0].value()["sender"]["name"], sender);
}

#[tokio::test]
async fn of_two_replicas_with_the_readmes_stream_one_is_killed_and_a_server_lost_and_no_alert() {
    let values = block("nats.yaml", 0);
    let replicas = values["replicas"].as_u64().unwrap();
    assert_eq!(replicas, 2);
    let cluster = NatsCluster::start().await.unwrap();
    let mut nats = values["config"]["nats"].clone();
    assert_eq!(nats["servers"].as_array().unwrap().len(), cluster.urls().len());
    nats["servers"] = json!(cluster.urls());
    // The servers here ask for neither; `nats::access` has those that do.
    let mount = format!("/secrets/{}/", values["secretMounts"][0]["name"].as_str().unwrap());
    for (section, file) in [("auth", "credentialsFile"), ("tls", "caFile")] {
        let section = nats.as_object_mut().unwrap().remove(section).unwrap();
        assert!(section[file].as_str().unwrap().starts_with(&mount), "{section}");
    }
    // The messages of the killed responder are redelivered after this time instead of the default of 30 s.
    nats["jetStream"]["ackWait"] = json!("5s");
    let options = ResponderOptions {
        nats: Some(nats.to_string()),
        ..simulated(&[])
    };
    let (killed, mut other) = (start(&options).await, start(&options).await);

    // falcosidekick publishes to one address and does not wait for the stream.
    let written = block("falcosidekick.yaml", 1);
    let address = reqwest::Url::parse(written["nats"]["hostport"].as_str().unwrap()).unwrap();
    assert_eq!((address.scheme(), address.port()), ("tls", Some(4222)));
    let client = async_nats::connect(cluster.urls()[0].clone()).await.unwrap();
    let publish = async |from: u32| {
        for number in from..from + 50 {
            let body =
                alert::by_falcosidekick(&shell(&format!("{number:012}")), "2435103e-c7ec-4118-b737-5f9979c00310");
            let subject = "falco.critical.terminal_shell_in_container";
            client.publish(subject, body.into()).await.unwrap();
        }
        client.flush().await.unwrap();
    };
    publish(0).await;
    let log = killed.kill().unwrap();
    let stream = values["config"]["nats"]["jetStream"]["stream"].as_str().unwrap();
    let context = jetstream::new(client.clone());
    eventually("the stream has taken them", async || {
        let stream = context.get_stream(stream).await.ok()?;
        (stream.cached_info().state.messages == 50).then_some(())
    })
    .await;
    cluster.servers[2].stop().await.unwrap();
    // Messages that falcosidekick publishes during the election of a leader are lost.
    eventually("the stream has a leader among the other two", async || {
        let stream = context.get_stream(stream).await.ok()?;
        let leader = stream.cached_info().cluster.as_ref()?.leader.clone()?;
        (leader != "three").then_some(())
    })
    .await;
    publish(50).await;

    let info = eventually("every message is acknowledged", async || {
        let mut stream = context.get_stream(stream).await.ok()?;
        let left = stream.consumer_info("responder").await.ok()?;
        let info = stream.info().await.ok()?.clone();
        (info.state.messages == 100 && (left.num_pending, left.num_ack_pending) == (0, 0)).then_some(info)
    })
    .await;
    assert_eq!(info.config.num_replicas, 3);
    // A server that has just become the leader of the consumer may tell of no pending message before it has caught up.
    let of_the_killed = integration::responder::records(&log);
    eventually("each alert is decided", async || {
        let trails = [of_the_killed.clone(), other.trail()].concat();
        let decided = trails.iter().filter(|record| record.event() == "decided");
        let alerts: std::collections::BTreeSet<String> = decided.map(|record| record.alert().to_string()).collect();
        (alerts.len() == 100).then_some(())
    })
    .await;
    other.wait_until_at_rest(0).await.unwrap();
}

#[tokio::test]
async fn the_chart_takes_the_readmes_values() {
    let helm = Helm::alone().await;
    let values = helm.write("nats.yaml", blocks("nats.yaml")[0]);
    let image = "image.repository=registry.example/responder";
    let rendered = helm
        .run(&["template", "it", &chart(), "--set", image, "--values", &values])
        .await
        .ok();
    for written in ["replicas: 2", "stream: FALCO", "nats-2.nats.nats.svc:4222"] {
        assert!(rendered.contains(written), "{written}: {rendered}");
    }
}
