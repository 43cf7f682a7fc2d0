//! Who is in a room. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct RoomMember {
    /// The session's name.
    #[schema(value_type = String)]
    pub client_id: Arc<str>,
    /// Who it is.
    #[schema(value_type = String)]
    pub subject: Arc<str>,
    /// Since when, RFC 3339.
    pub joined_at: String,
}

/// The members of one room.
#[derive(Debug, Default)]
pub struct Membership {
    members: BTreeMap<Arc<str>, RoomMember>,
    occupied_since: Option<String>,
}

impl Membership {
    /// Lets somebody in; false when they were in already.
    pub fn join(&mut self, member: RoomMember) -> bool {
        if self.members.contains_key(&member.client_id) {
            return false;
        }
        self.occupied_since.get_or_insert_with(|| member.joined_at.clone());
        self.members.insert(member.client_id.clone(), member);
        true
    }

    /// Lets somebody out; `None` when they were not in.
    pub fn leave(&mut self, client_id: &str) -> Option<RoomMember> {
        let member = self.members.remove(client_id)?;
        if self.members.is_empty() {
            self.occupied_since = None;
        }
        Some(member)
    }

    /// The members by client id.
    pub fn members(&self) -> impl Iterator<Item = &RoomMember> {
        self.members.values()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether nobody is in.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Since when somebody has been in, RFC 3339.
    pub fn occupied_since(&self) -> Option<&str> {
        self.occupied_since.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn member(id: u8) -> RoomMember {
        RoomMember { client_id: id.to_string().into(), subject: "s".into(), joined_at: format!("t{id}") }
    }

    proptest! {
        #[test]
        fn it_is_a_set_that_knows_whether_it_is_occupied(steps in prop::collection::vec((0u8..5, any::<bool>()), 0..60)) {
            let (mut room, mut model) = (Membership::default(), BTreeSet::new());
            for (id, joins) in steps {
                if joins {
                    prop_assert_eq!(room.join(member(id)), model.insert(id.to_string()));
                } else {
                    prop_assert_eq!(room.leave(&id.to_string()).is_some(), model.remove(&id.to_string()));
                }
                let names: BTreeSet<_> = room.members().map(|m| m.client_id.to_string()).collect();
                prop_assert_eq!(&names, &model);
                prop_assert_eq!(room.occupied_since().is_some(), !model.is_empty());
            }
        }
    }
}
