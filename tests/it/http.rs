//! The application without a socket: a hub of real parts in a directory of its own, asked in process.

mod browsers;
mod console;
mod documents;
mod fallbacks;
mod health;
mod lists;
mod permissions;
mod problems;
mod sign_in;
mod testing;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{TestRequest, call_service, init_service};
use actix_web::web;
use infrawatch::auth::{NewToken, Role};
use infrawatch::clock::Clock;
use infrawatch::config::Settings;
use infrawatch::http::{State, app};
use infrawatch::hub::{Hub, HubOptions, bind};
use infrawatch::supervision::Places;
use serde_json::Value;

/// A hub that nobody is connected to.
pub(crate) struct Scene {
    pub(crate) state: Arc<State>,
    _hub: Hub,
    _directory: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem, checked to be one that has all its members.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!((self.status, problem["code"].as_str()), (status, Some(code)), "{problem}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["correlation_id"], self.header("x-correlation-id"));
        for member in ["type", "title", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {problem}");
        }
        problem
    }
}

impl Scene {
    pub(crate) async fn open() -> Self {
        Self::with(|_options| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut HubOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = Settings::default();
        settings.sampler.enabled = false;
        settings.alert.seeds = false;
        settings.sampler.node = "own".to_owned();
        let mut options = HubOptions {
            settings,
            data_dir: directory.path().to_owned(),
            store: None,
            signing_key: None,
            workers: 1,
            dev: false,
            rate_limits: true,
            places: Places::Here,
            clock: Clock::system(),
            // Nobody listens here, so there is nothing to put load on.
            program: "no-engine".into(),
            lab: false,
            rules: None,
            redis_url: None,
            advertise: None,
        };
        change(&mut options);
        let hub = Hub::start(options, bind("127.0.0.1:0".parse().unwrap()).unwrap()).await.unwrap();
        Self { state: hub.state(), _hub: hub, _directory: directory }
    }

    pub(crate) fn token(&self, role: Role) -> String {
        let new = NewToken { subject: format!("a-{role}"), role, node: None, topics: None, ttl_ms: 60_000 };
        self.state.services.auth.issue(new, self.state.services.clock.unix_ms()).unwrap().0
    }

    pub(crate) async fn send(&self, request: TestRequest) -> Answer {
        let service = init_service(app(web::Data::from(self.state.clone()))).await;
        let peer: SocketAddr = "127.0.0.1:40000".parse().unwrap();
        let mut request = request.peer_addr(peer).to_request();
        let own = HeaderValue::from_static("127.0.0.1:5050");
        let host = request.headers_mut().remove("host").next().unwrap_or(own);
        request.headers_mut().insert(header::HOST, host);
        let answer = call_service(&service, request).await;
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = to_bytes(answer.into_body()).await.unwrap_or_default();
        Answer { status: status.as_u16(), headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    /// A request with the token of a role.
    pub(crate) fn ask(&self, role: Role, method: Method, path: &str) -> TestRequest {
        let token = format!("Bearer {}", self.token(role));
        TestRequest::with_uri(path).method(method).insert_header(("authorization", token))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.ask(Role::Admin, Method::GET, path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.ask(Role::Admin, Method::POST, path).set_payload(body.to_string())).await
    }

    /// Without a token.
    async fn post_openly(&self, path: &str, body: &Value) -> Answer {
        self.send(TestRequest::with_uri(path).method(Method::POST).set_payload(body.to_string())).await
    }

    #[track_caller]
    pub(crate) fn items(answer: &Answer) -> (Vec<Value>, Option<String>) {
        assert_eq!(answer.status, StatusCode::OK.as_u16(), "{}", answer.text);
        let page = answer.json();
        let next = page["next_cursor"].as_str().map(str::to_owned);
        (page["items"].as_array().unwrap().clone(), next)
    }

    /// All pages of a list, so many items each.
    pub(crate) async fn pages(&self, path: &str, limit: usize) -> Vec<Vec<Value>> {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let answer = self.get(&format!("{path}{separator}limit={limit}&cursor={cursor}")).await;
            let (items, next) = Self::items(&answer);
            assert!(items.len() <= limit, "{}", answer.text);
            pages.push(items);
            match next {
                Some(next) => cursor = next,
                None => return pages,
            }
        }
    }
}
