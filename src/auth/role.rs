//! Who somebody is to the hub.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A role. Viewer, operator and admin build on each other; agent stands apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything that is not somebody's own.
    Viewer,
    /// Also publishes and disconnects.
    Operator,
    /// May everything.
    Admin,
    /// A program on a node: sends that node's samples.
    Agent,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::Agent];

    /// The name in tokens, on the command line and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no role. Says which there are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no role; allowed are viewer, operator, admin, agent")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

/// Several roles, in the tables of [`super::permission`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles(u8);

impl Roles {
    /// These roles.
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = 0;
        let mut position = 0;
        while position < roles.len() {
            bits |= 1 << roles[position] as u8;
            position += 1;
        }
        Self(bits)
    }

    /// Whether the role is one of them.
    pub const fn contain(self, role: Role) -> bool {
        self.0 & (1 << role as u8) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read_back_from_its_name_and_only_from_that() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>(), Ok(role));
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        let error = "Admin".parse::<Role>().unwrap_err();
        assert_eq!(error.to_string(), "\"Admin\" is no role; allowed are viewer, operator, admin, agent");
    }

    #[test]
    fn a_set_contains_its_members_and_nobody_else() {
        let set = Roles::of(&[Role::Viewer, Role::Agent]);
        assert!(set.contain(Role::Viewer) && set.contain(Role::Agent));
        assert!(!set.contain(Role::Operator) && !set.contain(Role::Admin));
        assert!(Role::ALL.iter().all(|role| !Roles::of(&[]).contain(*role)));
    }
}
