use super::*;

/// The headers of a good request; each test changes what it is about.
const GOOD: &[(&str, &str)] = &[
    ("host", "127.0.0.1:5050"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

const SPOKEN: &[&str] = &["infrawatch.v1.json", "infrawatch.v1.msgpack"];

fn check<'a>(headers: &'a [(&'a str, &'a str)]) -> Result<Handshake<'a>, HandshakeError> {
    let header = |name| headers.iter().filter(move |(n, _)| *n == name).map(|(_, value)| *value);
    Handshake::check("GET", SPOKEN, header)
}

/// The good request with the lines of one header replaced.
fn with(name: &'static str, values: &[&'static str]) -> Vec<(&'static str, &'static str)> {
    let mut headers: Vec<_> = GOOD.iter().copied().filter(|(n, _)| *n != name).collect();
    headers.extend(values.iter().map(|value| (name, *value)));
    headers
}

#[test]
fn the_example_of_the_rfc_is_accepted() {
    let handshake = check(GOOD).unwrap();
    assert_eq!(handshake.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!((handshake.sub_protocol, handshake.bearer), (None, None));
    let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Correlation-Id: a??b\r\n\r\n";
    assert_eq!(String::from_utf8(handshake.response(&[("X-Correlation-Id", "a\r\nb")])).unwrap(), expected);
}

#[test]
fn each_defect_has_its_own_error_and_status() {
    use HandshakeError as E;
    let table: &[(&'static str, &[&'static str], Result<(), E>)] = &[
        ("host", &[], Err(E::Host)),
        ("upgrade", &[], Err(E::Upgrade)),
        ("upgrade", &["h2c"], Err(E::Upgrade)),
        ("upgrade", &["websockets"], Err(E::Upgrade)),
        ("upgrade", &["h2c, WebSocket"], Ok(())),
        ("connection", &[], Err(E::Connection)),
        ("connection", &["keep-alive"], Err(E::Connection)),
        ("connection", &["keep-alive, UPGRADE"], Ok(())),
        ("connection", &["keep-alive", "upgrade"], Ok(())),
        ("sec-websocket-version", &[], Err(E::Version)),
        ("sec-websocket-version", &["8"], Err(E::Version)),
        ("sec-websocket-version", &["13", "13"], Err(E::Version)),
        ("sec-websocket-key", &[], Err(E::Key)),
        ("sec-websocket-key", &["not base64 at all!!!"], Err(E::Key)),
        ("sec-websocket-key", &["c2hvcnQ="], Err(E::Key)),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ"], Err(E::Key)),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="], Err(E::Key)),
        ("sec-websocket-protocol", &["infrawatch.v2.json"], Err(E::SubProtocol { spoken: SPOKEN })),
    ];
    for (name, values, expected) in table {
        let headers = with(name, values);
        assert_eq!(check(&headers).map(|_| ()), *expected, "{name}: {values:?}");
    }
    let post = Handshake::check("POST", SPOKEN, |_| None::<&str>);
    assert_eq!(post, Err(E::Method));
    let last = E::SubProtocol { spoken: SPOKEN };
    let statuses = [E::Method, E::Host, E::Upgrade, E::Connection, E::Version, E::Key, last].map(E::status);
    assert_eq!(statuses, [405, 400, 426, 400, 426, 400, 400]);
    assert!(last.to_string().ends_with("there is infrawatch.v1.json and infrawatch.v1.msgpack"), "{last}");
}

#[test]
fn the_token_is_extracted_and_never_confirmed() {
    let (json, msgpack) = (Some(SPOKEN[0]), Some(SPOKEN[1]));
    let table: &[(&[&'static str], Option<&str>, Option<&str>)] = &[
        (&["infrawatch.v1.json"], json, None),
        (&["bearer.a.b.c, infrawatch.v1.json"], json, Some("a.b.c")),
        (&["infrawatch.v1.json", "bearer.a.b.c"], json, Some("a.b.c")),
        (&["infrawatch.v1.msgpack, infrawatch.v1.json"], msgpack, None),
        (&["infrawatch.v1.json", "infrawatch.v1.msgpack"], json, None),
        (&["infrawatch.v2.json, bearer.a.b.c, infrawatch.v1.msgpack"], msgpack, Some("a.b.c")),
        (&["bearer.a.b.c"], None, Some("a.b.c")),
        (&["bearer.first, bearer.second"], None, Some("first")),
        (&[" , "], None, None),
    ];
    for (values, sub_protocol, bearer) in table {
        let headers = with("sec-websocket-protocol", values);
        let handshake = check(&headers).unwrap();
        assert_eq!((handshake.sub_protocol, handshake.bearer), (*sub_protocol, *bearer), "{values:?}");
        let response = String::from_utf8(handshake.response(&[])).unwrap();
        assert_eq!(response.contains("Sec-WebSocket-Protocol"), sub_protocol.is_some());
        assert!(!response.contains("bearer"));
    }
}

#[test]
fn compression_is_confirmed_when_it_was_offered_and_not_declined() {
    let headers = with("sec-websocket-extensions", &["permessage-deflate; client_max_window_bits"]);
    let handshake = check(&headers).unwrap();
    let confirmed = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n";
    assert!(String::from_utf8(handshake.response(&[])).unwrap().contains(confirmed));
    let declined = Handshake { deflate: None, ..handshake };
    assert!(!String::from_utf8(declined.response(&[])).unwrap().contains("Extensions"));
    assert_eq!(check(&with("sec-websocket-extensions", &["permessage-deflate; x"])).unwrap().deflate, None);
}

#[test]
fn the_token_does_not_show_in_debug() {
    let headers = with("sec-websocket-protocol", &["bearer.secret"]);
    let shown = format!("{:?}", check(&headers).unwrap());
    assert!(shown.contains("redacted") && !shown.contains("secret"), "{shown}");
}
