//! What can go wrong in an agent.

/// Why an agent cannot start or had to stop. What passes by itself (a hub that is away) is no error.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A setting that cannot work.
    #[error("{setting} {problem}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What is wrong and what it may be.
        problem: String,
    },
}
