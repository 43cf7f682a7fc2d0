//! Log lines: human on a terminal, JSON for machines. Levels by `INFRAWATCH_LOG` (tracing directives).

use std::io::{self, IsTerminal};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Crates, and the finest level that is logged of them.
const TALKATIVE: [(&str, Level); 3] = [
    // Finer levels print whole requests, tokens included.
    ("tungstenite", Level::INFO),
    ("tokio_tungstenite", Level::INFO),
    // It warns of each try to connect; the hub says once that Redis is gone.
    ("redis", Level::ERROR),
];

/// Starts logging to stderr; stdout belongs to what a command answers. A second call changes nothing.
pub fn start(format: LogFormat, directives: &str) -> Result<(), String> {
    let wanted =
        EnvFilter::builder().parse(directives).map_err(|e| format!("log directives {directives:?}: {e}"))?;
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    let registry = tracing_subscriber::registry().with(wanted).with(filter_fn(may_be_logged));
    let started = match format {
        LogFormat::Human => registry.with(lines.compact()).try_init(),
        LogFormat::Json => {
            registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init()
        }
    };
    // Tests start several hubs in one process: the first one's logger serves all.
    drop(started);
    Ok(())
}

/// Whatever the directives say, secrets and noise stay out.
fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    let root = metadata.target().split("::").next().unwrap_or_default();
    let capped = TALKATIVE.iter().find(|(name, _)| *name == root);
    capped.is_none_or(|(_, finest)| metadata.level() <= finest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_that_make_no_sense_are_named() {
        let error = start(LogFormat::Human, "info,x=loud").unwrap_err();
        assert!(error.contains("x=loud"), "{error}");
    }

    #[test]
    fn requests_with_tokens_are_never_logged() {
        let logged = std::sync::Arc::new(parking_lot::Mutex::new(Vec::<u8>::new()));
        let sink = logged.clone();
        let writer = move || Sink(sink.clone());
        let subscriber = tracing_subscriber::registry()
            .with(EnvFilter::new("trace"))
            .with(filter_fn(may_be_logged))
            .with(fmt::layer().with_writer(writer));
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "tungstenite::handshake::client", "Authorization: Bearer secret");
            tracing::trace!(target: "infrawatch", "seen");
        });
        let text = String::from_utf8(logged.lock().clone()).unwrap();
        assert!(text.contains("seen") && !text.contains("secret"), "{text}");
    }

    struct Sink(std::sync::Arc<parking_lot::Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, part: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(part);
            Ok(part.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
