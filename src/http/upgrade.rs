//! From an HTTP request to a connection.
