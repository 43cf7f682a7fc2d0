//! Prepared statements by the text that they were asked for with.

use std::collections::HashMap;

use tokio_postgres::Statement;

/// Statements that are kept prepared. A search is another statement for each set of conditions.
const STATEMENTS_MAX: usize = 256;

/// The statements of one connection.
#[derive(Default)]
pub(super) struct Statements(HashMap<Box<str>, Statement>);

impl Statements {
    pub(super) fn find(&self, sql: &str) -> Option<Statement> {
        self.0.get(sql).cloned()
    }

    pub(super) fn keep(&mut self, sql: &str, statement: Statement) {
        if self.0.len() >= STATEMENTS_MAX {
            self.0.clear();
        }
        self.0.insert(sql.into(), statement);
    }
}

/// `?1` as `$1`. A question mark that no digit follows stays.
pub(super) fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        let is_place = character == '?' && characters.peek().is_some_and(char::is_ascii_digit);
        text.push(if is_place { '$' } else { character });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_as_the_server_wants_them() {
        assert_eq!(numbered("a = ?1 AND b <> '?' OR c IN (?12, ?)"), "a = $1 AND b <> '?' OR c IN ($12, ?)");
    }
}
