//! The API of Alertmanager against the real programs, a Prometheus and an amtool of the `PATH`: `scripts/try-prometheus.sh`.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::hub::{Hub, until};

/// Ended when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// What amtool needs to reach a hub, and what it says.
struct Amtool<'a> {
    hub: &'a Hub,
    directory: tempfile::TempDir,
}

impl<'a> Amtool<'a> {
    fn new(hub: &'a Hub) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = format!("authorization:\n  credentials: {}\n", hub.token("operator"));
        std::fs::write(directory.path().join("http.yml"), config).unwrap();
        Self { hub, directory }
    }

    #[track_caller]
    fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("amtool")
            .env("HOME", self.directory.path())
            .arg(format!("--alertmanager.url=http://{}", self.hub.address))
            .arg(format!("--http.config.file={}", self.directory.path().join("http.yml").display()))
            .args(arguments)
            .output()
            .expect("amtool is on the PATH: scripts/try-prometheus.sh");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "amtool {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.run(&[arguments, &["--output=json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

#[tokio::test]
#[ignore = "needs amtool: scripts/try-prometheus.sh"]
async fn amtool_posts_queries_and_silences() {
    let hub = Hub::start();
    let amtool = Amtool::new(&hub);
    amtool.run(&[
        "alert",
        "add",
        "Busy",
        "severity=critical",
        "node=web-1",
        "--annotation=summary=web-1 is busy",
    ]);
    amtool.run(&["alert", "add", "Full", "severity=warning", "node=db-1"]);
    let alerts = amtool.json(&["alert", "query"]);
    assert_eq!(alerts.as_array().unwrap().len(), 2, "{alerts}");
    let busy = amtool.json(&["alert", "query", "node=~web-.*"]);
    assert_eq!(
        (busy.as_array().unwrap().len(), &busy[0]["labels"]["alertname"]),
        (1, &"Busy".into()),
        "{busy}"
    );

    let id = amtool.run(&[
        "silence",
        "add",
        "--author=ann",
        "--comment=deploy",
        "--duration=1h",
        "alertname=Busy",
    ]);
    let silences = amtool.json(&["silence", "query"]);
    assert_eq!(
        (&silences[0]["id"], &silences[0]["createdBy"]),
        (&id.as_str().into(), &"ann".into()),
        "{silences}"
    );
    until("the silenced alert is left out", async || {
        let active = amtool.json(&["alert", "query"]);
        (active.as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    assert_eq!(amtool.json(&["alert", "query", "--silenced"])[0]["status"]["silencedBy"][0], id.as_str());
    amtool.run(&["silence", "update", "--duration=2h", &id]);
    amtool.run(&["silence", "expire", &id]);
    assert_eq!(amtool.json(&["silence", "query"]).as_array().map(Vec::len), Some(0));
    assert_eq!(amtool.json(&["silence", "query", "--expired"])[0]["id"], id.as_str());
    until("both are active", async || {
        let active = amtool.json(&["alert", "query"]);
        (active.as_array().unwrap().len() == 2).then_some(())
    })
    .await;
    assert!(amtool.run(&["config", "show"]).contains("infrawatch"));
}

fn start_prometheus(directory: &Path, hub: &Hub) -> Running {
    // It holds as long as it is not known to hold: it fires, ends, and fires again.
    let rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: Soon\n    expr: \
         absent_over_time(ALERTS{alertname=\"Soon\",alertstate=\"firing\"}[3s])\n    \
         labels: {severity: critical, team: web}\n    annotations: {description: it holds for now}\n";
    std::fs::write(directory.join("rules.yml"), rules).unwrap();
    let config = format!(
        "global: {{evaluation_interval: 1s}}\nrule_files: [{}]\nalerting:\n  alertmanagers:\n  - authorization: \
         {{credentials: {}}}\n    static_configs: [{{targets: ['{}']}}]\n",
        directory.join("rules.yml").display(),
        hub.token("operator"),
        hub.address
    );
    std::fs::write(directory.join("prometheus.yml"), config).unwrap();
    let started = Command::new("prometheus")
        .arg(format!("--config.file={}", directory.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
        .args(["--web.listen-address=127.0.0.1:0", "--rules.alert.resend-delay=1s"])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(directory.join("log")).unwrap())
        .spawn();
    Running(started.expect("prometheus is on the PATH: scripts/try-prometheus.sh"))
}

#[tokio::test]
#[ignore = "needs prometheus: scripts/try-prometheus.sh"]
async fn a_real_prometheus_posts_and_ends_alerts() {
    let hub = Hub::start();
    let directory = tempfile::tempdir().unwrap();
    let _prometheus = start_prometheus(directory.path(), &hub);
    let token = hub.token("viewer");
    let get = async |path: &str| -> Value {
        let url = format!("http://{}{path}", hub.address);
        reqwest::Client::new().get(url).bearer_auth(&token).send().await.unwrap().json().await.unwrap()
    };
    let alert = until("an alert came and ended", async || {
        get("/api/v1/alerts?state=resolved").await["items"].get(0).cloned()
    })
    .await;
    assert_eq!((&alert["title"], &alert["message"]), (&"Soon".into(), &"it holds for now".into()), "{alert}");
    assert_eq!((&alert["severity"], &alert["labels"]["team"]), (&"critical".into(), &"web".into()));
    assert!(
        alert["annotations"]["generatorURL"].as_str().is_some_and(|url| url.contains("/graph")),
        "{alert}"
    );
    let history = get(&format!("/api/v1/alerts/{}/history", alert["id"].as_str().unwrap())).await;
    let steps = history["items"].as_array().unwrap().iter();
    let steps: Vec<_> =
        steps.map(|step| (step["to"].as_str().unwrap(), step["actor"].as_str().unwrap())).collect();
    assert_eq!(steps, [("firing", "operator"), ("resolved", "infrawatch")]);
}
