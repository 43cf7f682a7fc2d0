//! The opening handshake as far as a load test needs it.

/// The key of the RFC's example and what belongs to it: a load test needs no nonce.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The line that offers permessage-deflate.
pub(crate) const EXTENSION: &str = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

/// The request that opens a WebSocket.
pub(crate) fn request(path: &str, host: &str, token: Option<&str>, deflate: bool) -> String {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let extension = if deflate { EXTENSION } else { "" };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{extension}{authorization}\r\n"
    )
}

/// Checks the head of the answer.
///
/// # Errors
/// The status line when the upgrade was refused.
pub(crate) fn check(head: &[u8]) -> anyhow::Result<()> {
    let head = String::from_utf8_lossy(head);
    let status = head.lines().next().unwrap_or_default();
    anyhow::ensure!(
        status.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT),
        "upgrade refused: {status}"
    );
    Ok(())
}
