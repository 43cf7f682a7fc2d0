//! The table of topics: what a name means.

pub use crate::config::{Class, Kept};
use crate::config::{NamespaceSection, TopicSection};
use crate::ids::TopicName;
use crate::protocol::priority::Priority;

/// What a topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Latest or log.
    pub class: Class,
    /// Urgency of messages that name none.
    pub priority: Priority,
    /// Memory or store.
    pub kept: Kept,
    /// Published by the hub alone.
    pub hub_owned: bool,
    /// The queue of one client or person.
    pub personal: bool,
    /// Type of the frames of its messages.
    pub frame_type: &'static str,
}

const fn kind(class: Class, priority: Priority, kept: Kept, hub_owned: bool) -> Kind {
    Kind { class, priority, kept, hub_owned, personal: false, frame_type: "message" }
}

impl Kind {
    /// The same as somebody's own queue.
    const fn personal(self) -> Self {
        Self { personal: true, ..self }
    }

    /// The same with frames of another type.
    const fn framed(self, frame_type: &'static str) -> Self {
        Self { frame_type, ..self }
    }
}

/// Names (or namespaces, ending in `:`) with their kind. What is not here is [`APPLICATION`].
pub const TABLE: &[(&str, Kind)] = &[
    ("metrics_update", kind(Class::Latest, Priority::Normal, Kept::Memory, true)),
    ("metrics:", kind(Class::Latest, Priority::Normal, Kept::Memory, true)),
    ("alerts_critical", kind(Class::Log, Priority::Critical, Kept::Store, true)),
    ("alerts_error", kind(Class::Log, Priority::Normal, Kept::Store, true)),
    ("alerts_warning", kind(Class::Log, Priority::Normal, Kept::Store, true)),
    ("alerts_info", kind(Class::Log, Priority::Low, Kept::Store, true)),
    ("notifications", kind(Class::Log, Priority::Normal, Kept::Store, true)),
    ("deployments", kind(Class::Log, Priority::Normal, Kept::Store, false)),
    ("nodes", kind(Class::Log, Priority::Normal, Kept::Store, true)),
    ("system", kind(Class::Log, Priority::Critical, Kept::Memory, true)),
    ("events", kind(Class::Log, Priority::Normal, Kept::Memory, false)),
    ("testing", kind(Class::Log, Priority::Normal, Kept::Memory, true)),
    ("room:", kind(Class::Log, Priority::Normal, Kept::Store, false).framed("room_message")),
    ("sync:", kind(Class::Log, Priority::Normal, Kept::Store, true).framed("sync_update")),
    ("client:", kind(Class::Log, Priority::Normal, Kept::Store, false).personal()),
    ("user:", kind(Class::Log, Priority::Normal, Kept::Store, false).personal()),
];

/// A topic of an application.
pub const APPLICATION: Kind = kind(Class::Log, Priority::Normal, Kept::Memory, false);

impl Kind {
    /// The row that a name falls under.
    pub fn of(name: &TopicName) -> Self {
        let text = name.as_str();
        let row = TABLE.iter().find(|(pattern, _)| match pattern.strip_suffix(':') {
            Some(namespace) => name.namespace() == Some(namespace),
            None => *pattern == text,
        });
        row.map_or(APPLICATION, |(_, kind)| *kind)
    }

    /// The same for a topic of an application, as the settings of its namespace say.
    pub fn under(name: &TopicName, settings: &TopicSection) -> Self {
        let kind = Self::of(name);
        let Some(namespace) = namespace(name, settings) else { return kind };
        Self {
            class: namespace.class.unwrap_or(kind.class),
            priority: namespace.priority.unwrap_or(kind.priority),
            kept: namespace.kept.unwrap_or(kind.kept),
            ..kind
        }
    }
}

fn namespace<'a>(name: &TopicName, settings: &'a TopicSection) -> Option<&'a NamespaceSection> {
    name.namespace().and_then(|namespace| settings.namespaces.get(namespace))
}

/// How much a topic remembers.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Messages in history (log), or keys (latest).
    pub messages_max: usize,
    /// Bytes in history.
    pub bytes_max: usize,
    /// Age in history; `None` keeps whatever the age.
    pub age_ms_max: Option<u64>,
}

impl Bounds {
    /// The bounds of a topic under these settings.
    pub fn of(name: &TopicName, settings: &TopicSection) -> Self {
        let room = name.namespace() == Some("room");
        if Kind::of(name).personal {
            return Self {
                messages_max: settings.personal_messages_max,
                bytes_max: settings.history_bytes_max,
                age_ms_max: Some(settings.personal_age_ms_max),
            };
        }
        let own = namespace(name, settings);
        let messages_max = own.and_then(|n| n.history_messages_max);
        let bytes_max = own.and_then(|n| n.history_bytes_max).unwrap_or(settings.history_bytes_max);
        match Kind::under(name, settings).class {
            Class::Latest => Self {
                messages_max: messages_max.unwrap_or(settings.latest_keys_max),
                bytes_max,
                age_ms_max: None,
            },
            Class::Log if room => Self {
                messages_max: settings.room_history_messages,
                bytes_max: settings.history_bytes_max,
                age_ms_max: None,
            },
            Class::Log => Self {
                messages_max: messages_max.unwrap_or(settings.history_messages_max),
                bytes_max,
                age_ms_max: Some(
                    own.and_then(|n| n.history_age_ms_max).unwrap_or(settings.history_age_ms_max),
                ),
            },
        }
    }
}

/// How long a topic holds messages back to send them together.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long a normal message may wait, in milliseconds.
    pub normal_ms: u64,
    /// How long a low one may.
    pub low_ms: u64,
    /// Messages that go out at once when so many wait.
    pub messages_max: usize,
    /// The same in bytes of frames.
    pub bytes_max: usize,
}

impl Pace {
    /// The pace under these settings.
    pub fn of(name: &TopicName, settings: &TopicSection) -> Self {
        let own = namespace(name, settings).and_then(|namespace| namespace.flush_interval_ms);
        Self {
            normal_ms: own.unwrap_or(settings.flush_interval_ms),
            low_ms: settings.flush_interval_low_ms,
            messages_max: settings.batch_messages_max,
            bytes_max: settings.batch_bytes_max,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> Kind {
        Kind::of(&TopicName::parse(name).unwrap())
    }

    #[test]
    fn settings_of_a_namespace_hold_for_its_topics_alone() {
        let own = NamespaceSection {
            class: Some(Class::Latest),
            kept: Some(Kept::Store),
            history_messages_max: Some(7),
            flush_interval_ms: Some(0),
            ..NamespaceSection::default()
        };
        let namespaces = [("orders".to_owned(), own)].into();
        let settings = TopicSection { namespaces, ..TopicSection::default() };
        let (orders, other) = (TopicName::parse("orders:eu").unwrap(), TopicName::parse("order:eu").unwrap());
        let kind = Kind::under(&orders, &settings);
        assert_eq!((kind.class, kind.kept, kind.priority), (Class::Latest, Kept::Store, Priority::Normal));
        assert_eq!(
            (Bounds::of(&orders, &settings).messages_max, Pace::of(&orders, &settings).normal_ms),
            (7, 0)
        );
        assert_eq!(Kind::under(&other, &settings), APPLICATION);
    }

    #[test]
    fn a_namespace_covers_its_names_and_nothing_else() {
        assert_eq!(of("metrics:web-1").class, Class::Latest);
        assert_eq!(of("metrics"), APPLICATION);
        assert_eq!(of("nodes").kept, Kept::Store);
        assert_eq!(of("nodes:x"), APPLICATION);
        assert_eq!(of("alerts_critical").priority, Priority::Critical);
        assert_eq!(of("bench:t"), APPLICATION);
    }
}
