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
