//! One-time tokens for login links, in memory: `serve` prints one, the browser exchanges it.

use parking_lot::Mutex;

use super::role::Role;
use super::secret::{hash, random_text, same};

/// How long a link is good.
pub const LOGIN_LINK_TTL_MS: u64 = 10 * 60 * 1_000;

/// Links that are open at the same time; a further one takes the place of the oldest.
const LINKS_MAX: usize = 32;

/// Whom a link signs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginLink {
    /// The subject.
    pub subject: String,
    /// The role.
    pub role: Role,
}

/// The open links.
#[derive(Debug, Default)]
pub struct LoginLinks(Mutex<Vec<Open>>);

#[derive(Debug)]
struct Open {
    hash: [u8; 32],
    expires_at_ms: u64,
    link: LoginLink,
}

impl LoginLinks {
    /// Makes a token (43 characters, nothing to escape in a URL) that signs in once, within
    /// [`LOGIN_LINK_TTL_MS`].
    pub fn make(&self, subject: &str, role: Role, now_ms: u64) -> String {
        let token = random_text();
        let open = Open {
            hash: hash(&token),
            expires_at_ms: now_ms + LOGIN_LINK_TTL_MS,
            link: LoginLink { subject: subject.to_owned(), role },
        };
        let mut links = self.0.lock();
        links.retain(|other| other.expires_at_ms > now_ms);
        if links.len() >= LINKS_MAX {
            links.remove(0);
        }
        links.push(open);
        token
    }

    /// Uses a token up. `None`: unknown, used before, or too old.
    pub fn take(&self, token: &str, now_ms: u64) -> Option<LoginLink> {
        let asked = hash(token);
        let mut links = self.0.lock();
        // Every link is compared, so that the time tells nothing about which one it was.
        let found = links.iter().enumerate().fold(None, |found, (position, open)| {
            if same(&open.hash, &asked) { Some(position) } else { found }
        })?;
        let open = links.remove(found);
        (open.expires_at_ms > now_ms).then_some(open.link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_good_once() {
        let links = LoginLinks::default();
        let (token, other) = (links.make("admin", Role::Admin, 0), links.make("guest", Role::Viewer, 0));
        assert_eq!(token.len(), 43);
        let link = LoginLink { subject: "admin".into(), role: Role::Admin };
        assert_eq!(links.take(&token, 1), Some(link));
        assert_eq!(links.take(&token, 1), None);
        for wrong in ["", "x", &token[1..], &other.to_lowercase()] {
            assert_eq!(links.take(wrong, 1), None, "{wrong:?}");
        }
        assert_eq!(links.take(&other, 1).unwrap().role, Role::Viewer);
    }

    #[test]
    fn a_link_ages_and_is_used_up_even_when_it_is_too_old() {
        let links = LoginLinks::default();
        let (in_time, late) = (links.make("a", Role::Admin, 0), links.make("a", Role::Admin, 0));
        assert!(links.take(&in_time, LOGIN_LINK_TTL_MS - 1).is_some());
        assert_eq!(links.take(&late, LOGIN_LINK_TTL_MS), None);
        assert_eq!(links.take(&late, 0), None);
    }

    #[test]
    fn their_number_is_bounded_and_the_oldest_goes() {
        let links = LoginLinks::default();
        let tokens: Vec<_> = (0..LINKS_MAX + 1).map(|_| links.make("a", Role::Admin, 0)).collect();
        assert_eq!(links.take(&tokens[0], 1), None);
        assert!(tokens[1..].iter().all(|token| links.take(token, 1).is_some()));
    }
}
