//! Which settings of Redis and PostgreSQL break what the hub promises, and what to change. Pure.

use std::collections::BTreeMap;

/// Settings of a server by name, as it tells them.
pub type ServerSettings = BTreeMap<String, String>;

/// What is wrong with a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Something is lost or fails with it; otherwise it works and could be better.
    pub is_problem: bool,
    /// What follows from it, and what to change.
    pub text: String,
}

fn problem(text: String) -> Advice {
    Advice { is_problem: true, text }
}

fn hint(text: String) -> Advice {
    Advice { is_problem: false, text }
}

/// Oldest versions that the hub is tested with.
const REDIS_MAJOR_MIN: u32 = 7;
const POSTGRES_MAJOR_MIN: u32 = 13;

/// Bytes that a subscription may fall behind: a second of the heaviest fan-out.
const PUBSUB_BYTES_MIN: u64 = 32 << 20;

/// Connections of PostgreSQL for one hub node and its operators.
const POSTGRES_CONNECTIONS_MIN: u32 = 30;

/// What to change in a Redis. `settings` are those of `CONFIG GET *`, and `redis_version`.
pub fn of_redis(settings: &ServerSettings) -> Vec<Advice> {
    let get = |name: &str| settings.get(name).map(String::as_str);
    let mut found = Vec::new();
    if let Some(version) = get("redis_version")
        && major(version).is_none_or(|major| major < REDIS_MAJOR_MIN)
    {
        found.push(problem(format!("version {version} is too old: {REDIS_MAJOR_MIN}.0 or newer is needed")));
    }
    if get("cluster-enabled") == Some("yes") {
        found.push(problem(
            "cluster-enabled is yes, and the URL names one server: it refuses what belongs to the others. \
             Write redis+cluster://HOST:PORT,HOST:PORT"
                .to_owned(),
        ));
    }
    match get("maxmemory-policy") {
        Some("noeviction") | None => {}
        Some(policy) => found.push(problem(format!(
            "maxmemory-policy is {policy}: what waits in mailboxes would be thrown away in silence. \
             Set maxmemory-policy noeviction: a full Redis then refuses, and agents keep their samples"
        ))),
    }
    if get("maxmemory") == Some("0") {
        found.push(hint("maxmemory is not set: set a bound below the memory of its machine".to_owned()));
    }
    match (get("appendonly"), get("appendfsync")) {
        (Some("no"), _) => found.push(problem(
            "appendonly is no: what was accepted into mailboxes is lost when Redis ends. \
             Set appendonly yes and appendfsync always (or everysec, and lose a second)"
                .to_owned(),
        )),
        (Some("yes"), Some(sync)) if sync != "always" => found.push(hint(format!(
            "appendfsync is {sync}: what was accepted in the last moment before Redis ends may be lost. \
             Set appendfsync always where that matters"
        ))),
        _ => {}
    }
    if let Some(limits) = get("client-output-buffer-limit")
        && let Some(hard) = pubsub_hard_limit(limits)
        && hard != 0
        && hard < PUBSUB_BYTES_MIN
    {
        found.push(hint(format!(
            "client-output-buffer-limit closes a subscription that is {hard} bytes behind, and hub nodes have to read \
             what they missed. Set client-output-buffer-limit pubsub {} {PUBSUB_BYTES_MIN} 60",
            2 * PUBSUB_BYTES_MIN
        )));
    }
    if let Some(seconds) = get("timeout").filter(|seconds| *seconds != "0") {
        found.push(hint(format!(
            "timeout is {seconds}: Redis closes connections that are quiet for so many seconds. Set timeout 0"
        )));
    }
    found
}

/// What to change in a PostgreSQL. `settings` are rows of `pg_settings`.
pub fn of_postgres(settings: &ServerSettings) -> Vec<Advice> {
    let get = |name: &str| settings.get(name).map(String::as_str);
    let mut found = Vec::new();
    if let Some(version) = get("server_version")
        && major(version).is_none_or(|major| major < POSTGRES_MAJOR_MIN)
    {
        found.push(problem(format!("version {version} is too old: {POSTGRES_MAJOR_MIN} or newer is needed")));
    }
    for name in ["fsync", "full_page_writes"] {
        if get(name) == Some("off") {
            found.push(problem(format!(
                "{name} is off: a power failure destroys the database. Set {name} on"
            )));
        }
    }
    if let Some(commit) = get("synchronous_commit").filter(|commit| matches!(*commit, "off" | "local")) {
        found.push(problem(format!(
            "synchronous_commit is {commit}: the hub acknowledges what may still be lost. Set synchronous_commit on"
        )));
    }
    if let Some(encoding) = get("server_encoding").filter(|encoding| *encoding != "UTF8") {
        found.push(problem(format!("the database's encoding is {encoding}: create it with ENCODING 'UTF8'")));
    }
    let connections = get("max_connections").and_then(|number| number.parse::<u32>().ok());
    if let Some(connections) = connections.filter(|connections| *connections < POSTGRES_CONNECTIONS_MIN) {
        found.push(hint(format!(
            "max_connections is {connections}: {POSTGRES_CONNECTIONS_MIN} and more for each hub node leave room for people"
        )));
    }
    found
}

fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The hard limit of subscribers in the text of `client-output-buffer-limit`, in bytes; 0 is none.
fn pubsub_hard_limit(limits: &str) -> Option<u64> {
    let mut words = limits.split_whitespace().skip_while(|word| *word != "pubsub");
    words.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> ServerSettings {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    const GOOD_REDIS: [(&str, &str); 8] = [
        ("redis_version", "7.0.15"),
        ("cluster-enabled", "no"),
        ("maxmemory-policy", "noeviction"),
        ("maxmemory", "1073741824"),
        ("appendonly", "yes"),
        ("appendfsync", "always"),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 67108864 33554432 60",
        ),
        ("timeout", "0"),
    ];

    const GOOD_POSTGRES: [(&str, &str); 6] = [
        ("server_version", "15.18 (Debian 15.18-0+deb12u1)"),
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("server_encoding", "UTF8"),
        ("max_connections", "100"),
    ];

    /// Each bad value alone is found, told by its name, and weighed.
    fn check<const N: usize>(
        of: fn(&ServerSettings) -> Vec<Advice>,
        good: [(&str, &str); N],
        bad: &[(&str, &str, bool)],
    ) {
        assert_eq!(of(&settings(&good)), []);
        assert_eq!(of(&ServerSettings::new()), [], "what is not told is not judged");
        for (name, value, is_problem) in bad {
            let mut changed = settings(&good);
            changed.insert((*name).to_owned(), (*value).to_owned());
            let found = of(&changed);
            assert_eq!(found.len(), 1, "{name} {value}: {found:?}");
            assert_eq!(found[0].is_problem, *is_problem, "{name} {value}: {found:?}");
        }
    }

    #[test]
    fn redis() {
        let bad = [
            ("redis_version", "6.2.14", true),
            ("cluster-enabled", "yes", true),
            ("maxmemory-policy", "allkeys-lru", true),
            ("maxmemory", "0", false),
            ("appendonly", "no", true),
            ("appendfsync", "everysec", false),
            ("client-output-buffer-limit", "normal 0 0 0 slave 0 0 0 pubsub 8388608 1048576 60", false),
            ("timeout", "300", false),
        ];
        check(of_redis, GOOD_REDIS, &bad);
        let mut unbounded = settings(&GOOD_REDIS);
        unbounded.insert("client-output-buffer-limit".to_owned(), "pubsub 0 0 0".to_owned());
        assert_eq!(of_redis(&unbounded), [], "0 is no limit");
    }

    #[test]
    fn postgres() {
        let bad = [
            ("server_version", "12.4", true),
            ("fsync", "off", true),
            ("full_page_writes", "off", true),
            ("synchronous_commit", "off", true),
            ("synchronous_commit", "local", true),
            ("server_encoding", "SQL_ASCII", true),
            ("max_connections", "10", false),
        ];
        check(of_postgres, GOOD_POSTGRES, &bad);
    }
}
