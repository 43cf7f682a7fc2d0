//! The command line: what each command answers, and how it complains.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use infrawatch::auth::{Role, Tokens};
use infrawatch::clock::system_unix_ms;
use infrawatch_servers::{Persistence, Redis, RedisCluster};

use crate::hub::{Client, Finished, Hub, infrawatch};

const DAY_MS: u64 = 86_400_000;

/// Runs a command on a data directory.
fn on(data_dir: &Path, arguments: &[&str], input: &str) -> Finished {
    let data_dir = data_dir.display().to_string();
    let mut all = arguments.to_vec();
    all.extend(["--data-dir", &data_dir]);
    infrawatch(&all, input)
}

#[test]
fn token_prints_the_token_alone_and_it_says_what_was_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let rows = [
        (vec!["--role", "viewer"], Role::Viewer, "viewer", None, DAY_MS / 24),
        (vec!["--role", "admin", "--sub", "ann", "--ttl", "15m"], Role::Admin, "ann", None, 900_000),
        (vec!["--role", "agent", "--node", "web-1"], Role::Agent, "agent:web-1", Some("web-1"), 90 * DAY_MS),
        (
            vec!["--role", "agent", "--node", "n", "--ttl", "2d"],
            Role::Agent,
            "agent:n",
            Some("n"),
            2 * DAY_MS,
        ),
    ];
    for (arguments, role, subject, node, ttl_ms) in rows {
        let mut command = vec!["token"];
        command.extend(&arguments);
        let answer = on(directory.path(), &command, "").answer();
        let token = answer.strip_suffix('\n').unwrap();
        assert!(token.split('.').count() == 3 && !token.contains(char::is_whitespace), "{answer:?}");
        let claims = Tokens::open(directory.path()).unwrap().verify(token, system_unix_ms()).unwrap();
        assert_eq!(
            (claims.role, &*claims.sub, claims.node.as_deref()),
            (role, subject, node),
            "{arguments:?}"
        );
        assert_eq!((claims.exp - claims.iat) * 1_000, ttl_ms, "{arguments:?}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let wrong_key = directory.path().join("wrong-key.toml");
    fs::write(&wrong_key, "[connection]\npng_interval_ms = 3\n").unwrap();
    let wrong_value = directory.path().join("wrong-value.toml");
    fs::write(&wrong_value, "[connection]\nping_interval_ms = 3\n").unwrap();
    let (wrong_key, wrong_value) = (wrong_key.to_str().unwrap(), wrong_value.to_str().unwrap());
    let rows: [(&[&str], &[&str]); 18] = [
        (&["serve", "--dev", "--listen", "0.0.0.0:0"], &["--dev", "loopback", "0.0.0.0:0"]),
        (&["serve", "--redis-url", "http://127.0.0.1"], &["--redis-url: "]),
        (
            &["serve", "--postgres-url", "mysql://:secret@127.0.0.1"],
            &["--postgres-url", "postgres://user@host"],
        ),
        (
            &["migrate", "--postgres-url", "postgres://a:secret@127.0.0.1:1/b"],
            &["//a@127.0.0.1:1/b", "server runs"],
        ),
        (&["serve", "--config", wrong_key], &[wrong_key, "png_interval_ms", "ping_interval_ms"]),
        (&["check", "--config", wrong_key], &[wrong_key, "png_interval_ms"]),
        (&["serve", "--config", wrong_value], &["connection.ping_interval_ms", "100 to", "not 3"]),
        (&["check", "--config", wrong_value], &["connection.ping_interval_ms"]),
        (&["serve", "--config", "/nonexistent.toml"], &["/nonexistent.toml", "No such file"]),
        (&["serve", "--listen", "nowhere"], &["--listen", "nowhere"]),
        (&["serve", "--workers", "0"], &["--workers", "1 to 512"]),
        (&["serve", "--limits", "some"], &["--limits", "on", "off"]),
        (&["token", "--role", "king"], &["king", "viewer, operator, admin, agent"]),
        (&["token", "--role", "agent"], &["--node"]),
        (&["token", "--role", "viewer", "--node", "a"], &["--node", "agent"]),
        (&["token", "--role", "agent", "--node", "a b"], &["node name", "' '"]),
        (&["token", "--role", "viewer", "--ttl", "soon"], &["--ttl", "90d"]),
        (&["user", "disable", "nobody"], &["nobody", "user list"]),
    ];
    for (arguments, expected) in rows {
        let complaint = on(directory.path(), arguments, "").complaint();
        for part in expected {
            assert!(complaint.contains(part), "{arguments:?} should say {part:?}: {complaint}");
        }
        assert!(!complaint.contains("panicked"), "{arguments:?}: {complaint}");
    }
}

#[test]
fn users_are_added_from_stdin_listed_disabled_and_enabled() {
    let directory = tempfile::tempdir().unwrap();
    let user = |arguments: &[&str], input: &str| {
        let mut command = vec!["user"];
        command.extend(arguments);
        on(directory.path(), &command, input)
    };
    let added = user(&["add", "ann", "--role", "operator"], "correct horse battery\n").answer();
    assert_eq!(added, "added operator ann\n");
    user(&["add", "bob"], "staple correct horse\n").answer();
    let listed = user(&["list"], "").answer();
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().take(3).collect()).collect();
    assert_eq!(rows, [["ann", "operator", "enabled"], ["bob", "viewer", "enabled"]]);
    user(&["disable", "ann"], "").answer();
    assert!(user(&["list"], "").answer().lines().next().unwrap().contains("disabled"));
    user(&["enable", "ann"], "").answer();
    assert!(!user(&["list"], "").answer().contains("disabled"));
    let rows = [
        (vec!["add", "ann"], "another password\n", "ann"),
        (vec!["add", "carl"], "\n", "password"),
        (vec!["add", "carl"], "short\n", "password"),
        (vec!["add", "carl/eve"], "correct horse battery\n", "user name"),
        (vec!["add", "robot", "--role", "agent"], "correct horse battery\n", "agent"),
    ];
    for (arguments, input, expected) in rows {
        let complaint = user(&arguments, input).complaint();
        assert!(complaint.contains(expected), "{arguments:?}: {complaint}");
    }
    assert_eq!(user(&["list"], "").answer().lines().count(), 2);
    let stored = fs::read(directory.path().join("infrawatch.db")).unwrap();
    assert!(!stored.windows(13).any(|part| part == b"correct horse"), "the password is in the file");
}

#[test]
fn migrate_and_check_say_how_the_store_is() {
    let directory = tempfile::tempdir().unwrap();
    assert!(on(directory.path(), &["check"], "").answer().contains("store: not there yet"));
    assert!(on(directory.path(), &["migrate"], "").answer().starts_with("applied "));
    assert_eq!(on(directory.path(), &["migrate"], "").answer(), "the schema is up to date\n");
    let checked = on(directory.path(), &["check"], "").answer();
    assert!(checked.contains("settings: good") && checked.contains("file sound"), "{checked}");
    fs::write(directory.path().join("infrawatch.db"), vec![b'x'; 8192]).unwrap();
    for command in ["check", "migrate"] {
        let refused = on(directory.path(), &[command], "");
        assert!(refused.status != 0 && refused.stderr.contains("infrawatch.db"), "{refused:?}");
    }
}

#[test]
fn hub_nodes_with_one_signing_key_take_each_others_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    fs::write(&key, [42; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o440)).unwrap();
    let key = key.display().to_string();
    let nodes = ["a", "b"].map(|node| directory.path().join(node));
    let token = on(&nodes[0], &["token", "--role", "viewer", "--signing-key", &key], "").answer();
    let other = on(&nodes[1], &["token", "--role", "viewer", "--signing-key", &key], "").answer();
    let tokens = Tokens::open_given(Path::new(&key)).unwrap();
    for token in [token, other] {
        tokens.verify(token.trim(), system_unix_ms()).unwrap();
    }
    assert!(!nodes[0].join("jwt.key").exists(), "no second key lies beside the one that was given");
}

#[test]
fn health_is_the_status_of_the_command() {
    let hub = Hub::start();
    let ask = |address: &str| infrawatch(&["health", "--url", &format!("http://{address}/")], "");
    assert_eq!(ask(&hub.address.to_string()).answer(), "ready\n");
    let nobody = format!("127.0.0.1:{}", infrawatch_servers::free_port());
    assert!(ask(&nobody).complaint().contains(&nobody));
}

#[test]
fn check_says_what_to_change_in_redis() {
    let directory = tempfile::tempdir().unwrap();
    let check = |url: &str| on(directory.path(), &["check", "--redis-url", url], "");
    let forgetful = Redis::start();
    let refused = check(&forgetful.url());
    assert!(refused.status != 0 && refused.stderr.contains("1 of its settings"), "{refused:?}");
    assert!(refused.stdout.contains("problem: appendonly is no"), "{refused:?}");
    let lasting = Redis::start_with(Persistence::Always);
    let checked = check(&lasting.url()).answer();
    assert!(checked.contains("Redis 7") && checked.contains("hint: maxmemory is not set"), "{checked}");
    let nobody = check(&format!("redis://127.0.0.1:{}", infrawatch_servers::free_port()));
    assert!(
        nobody.status != 0 && nobody.stderr.contains("Redis cannot be reached: Connection refused"),
        "{nobody:?}"
    );
}

#[test]
fn check_asks_each_server_of_a_redis_cluster() {
    let directory = tempfile::tempdir().unwrap();
    let mut cluster = RedisCluster::start();
    let check = |url: &str| on(directory.path(), &["check", "--redis-url", url], "");
    let refused = check(&cluster.url());
    assert!(refused.status != 0 && !refused.stdout.contains("cluster-enabled"), "{refused:?}");
    for n in 0..3 {
        let at = format!("at 127.0.0.1:{}: problem: appendonly is no", cluster.server(n).port());
        assert!(refused.stdout.contains(&at), "{refused:?}");
    }
    let one_of_it = check(&cluster.server(0).url());
    assert!(one_of_it.stdout.contains("problem: cluster-enabled is yes"), "{one_of_it:?}");
}

#[test]
fn a_second_hub_does_not_serve_from_the_same_directory_or_port() {
    let hub = Hub::start();
    let complaint = on(&hub.data_dir(), &["serve", "--listen", "127.0.0.1:0"], "").complaint();
    assert!(complaint.contains("another hub serves from this directory"), "{complaint}");
    let elsewhere = tempfile::tempdir().unwrap();
    let address = hub.address.to_string();
    let complaint = on(elsewhere.path(), &["serve", "--listen", &address], "").complaint();
    assert!(complaint.contains(&format!("cannot listen on {address}")), "{complaint}");
    // A port that answers to others is none of a hub's either.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let complaint = on(elsewhere.path(), &["serve", "--listen", &address], "").complaint();
    assert!(complaint.contains("in use"), "{complaint}");
}

#[test]
fn help_is_worth_reading() {
    let all = infrawatch(&["--help"], "").answer();
    for command in ["serve", "agent", "token", "user", "migrate", "backup", "check", "health"] {
        assert!(all.contains(&format!("\n  {command} ")), "{all}");
        let help = infrawatch(&[command, "--help"], "").answer();
        assert!(help.contains("INFRAWATCH_CONFIG") && help.contains("Usage: infrawatch"), "{help}");
    }
    let serve = infrawatch(&["serve", "--help"], "").answer();
    for flag in ["LISTEN", "DATA_DIR", "WORKERS", "DEV", "LIMITS", "LOG_FORMAT"] {
        assert!(serve.contains(&format!("[env: INFRAWATCH_{flag}=]")), "{flag}: {serve}");
    }
    assert_eq!(
        infrawatch(&["--version"], "").answer(),
        format!("infrawatch {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[tokio::test]
async fn the_first_line_on_stdout_says_where_the_hub_is_and_how_to_get_in() {
    let hub = Hub::start();
    assert_eq!(hub.listening["event"], "listening");
    let url = hub.listening["login_url"].as_str().unwrap();
    assert!(url.starts_with(&format!("http://{}/#login=", hub.address)), "{url}");
    let dev = Hub::with_arguments(&["--dev"], |_settings| {});
    assert_eq!(dev.listening["login_url"], format!("http://{}/", dev.address));
    let client = Client::open_at(&dev, "/ws/anybody", &[]).await;
    assert_eq!(
        (&client.connected["payload"]["role"], &client.connected["payload"]["subject"]),
        (&"admin".into(), &"dev".into())
    );
}
