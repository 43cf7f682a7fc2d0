//! What the hub keeps for a client id across reconnects. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::topic::Taken;

/// Where the hub was with a client in one topic when its connection ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// The topic's name, or a wildcard without epoch and offset.
    pub topic: Arc<str>,
    /// Its epoch.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<Arc<str>>,
    /// Offset of the last message that was handed to the socket.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub offset: Option<u64>,
}

/// What a session remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// When it began, unix milliseconds.
    pub began_ms: u64,
    /// What the last connection was subscribed to.
    #[serde(default)]
    pub subscriptions: Vec<Subscription>,
    /// What was taken out of `client:{client_id}`; `None` before any of it was.
    #[serde(default)]
    pub client: Option<Box<Taken>>,
    /// What was taken out of `user:{subject}`.
    #[serde(default)]
    pub user: Option<Box<Taken>>,
}

/// Which of its personal topics a session is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    /// `client:{client_id}`
    Client,
    /// `user:{subject}`
    User,
}

impl Session {
    /// A session that begins now.
    pub fn begin(now_ms: u64) -> Self {
        Self { began_ms: now_ms, subscriptions: Vec::new(), client: None, user: None }
    }

    /// What was taken out of a personal topic.
    pub fn taken(&self, personal: Personal) -> Taken {
        let taken = match personal {
            Personal::Client => &self.client,
            Personal::User => &self.user,
        };
        taken.as_deref().cloned().unwrap_or_else(|| Taken::nothing(self.began_ms))
    }

    /// Takes something out of a personal topic.
    pub fn take(&mut self, personal: Personal, take: impl FnOnce(&mut Taken)) {
        let began_ms = self.began_ms;
        let taken = match personal {
            Personal::Client => &mut self.client,
            Personal::User => &mut self.user,
        };
        take(taken.get_or_insert_with(|| Box::new(Taken::nothing(began_ms))));
    }
}

impl Personal {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Client, Self::User];

    /// Whose queue a topic is, and whose: `client:web-1` is that of the client `web-1`.
    pub fn of(topic: &str) -> Option<(Self, &str)> {
        let (namespace, owner) = topic.split_once(':')?;
        match namespace {
            "client" => Some((Self::Client, owner)),
            "user" => Some((Self::User, owner)),
            _ => None,
        }
    }

    /// The topic of this kind of a client and its subject.
    pub fn topic(self, client_id: &str, subject: &str) -> String {
        match self {
            Self::Client => format!("client:{client_id}"),
            Self::User => format!("user:{subject}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_survives_its_text_and_reads_an_older_one() {
        let mut session = Session::begin(7);
        session.take(Personal::Client, |taken| taken.acknowledge_to(&"e".into(), 3));
        session.subscriptions.push(Subscription {
            topic: "a".into(),
            epoch: Some("e".into()),
            offset: Some(1),
        });
        let text = serde_json::to_string(&session).unwrap();
        assert_eq!(serde_json::from_str::<Session>(&text).unwrap(), session);
        assert_eq!(serde_json::from_str::<Session>(r#"{"began_ms":7}"#).unwrap(), Session::begin(7));
        assert_eq!((session.taken(Personal::Client).offset, session.taken(Personal::User).offset), (3, 0));
    }

    #[test]
    fn personal_topics_name_their_owner() {
        assert_eq!(Personal::of("client:a:b"), Some((Personal::Client, "a:b")));
        assert_eq!(Personal::of("user:ann"), Some((Personal::User, "ann")));
        assert_eq!(Personal::of("room:ann"), None);
        assert_eq!(Personal::User.topic("c", "ann"), "user:ann");
    }
}
