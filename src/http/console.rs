//! The console: its built files, embedded in the binary, and the pages that are there without them.

use std::borrow::Cow;

use actix_web::http::{Method, header};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::RustEmbed;

use super::problem::Problem;
use super::trace::cause_of;
use crate::auth::permission::find_route;
use crate::protocol::codes::Code;

/// What `npm run build` made of `static/`; empty when it was not run before the binary was built.
#[derive(RustEmbed)]
#[folder = "static/dist"]
#[allow_missing = true]
struct Built;

/// Built files under this path have a hash of their content in the name.
const HASHED: &str = "assets/";

const CACHE_HASHED: &str = "public, max-age=31536000, immutable";
const CACHE_CHECKED: &str = "no-cache";

/// Media types by the end of the name.
const MEDIA_TYPES: &[(&str, &str)] = &[
    (".html", "text/html; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".css", "text/css; charset=utf-8"),
    (".svg", "image/svg+xml"),
    (".png", "image/png"),
    (".ico", "image/x-icon"),
    (".json", "application/json"),
    (".webmanifest", "application/manifest+json"),
    (".woff2", "font/woff2"),
    (".txt", "text/plain; charset=utf-8"),
];

/// The page in place of a console that was not built.
const NOT_BUILT: &str = include_str!("pages/not_built.html");

/// Files of the page that shows the API.
const DOCS: &[(&str, &str)] = &[
    ("docs", include_str!("pages/docs.html")),
    ("docs.js", include_str!("pages/docs.js")),
    ("docs.css", include_str!("pages/docs.css")),
];

/// Paths that never are pages of the console.
const NO_PAGES: &[&str] = &["/api/", "/ws/", "/assets/"];

/// Methods that some route has.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// The page that shows the API.
#[utoipa::path(get, path = "/docs", tag = "documentation", security(()),
    responses((status = 200, body = String, description = "A page", content_type = "text/html")))]
pub async fn docs(request: HttpRequest) -> HttpResponse {
    docs_file(&request, "docs").unwrap_or_else(|| not_found(&request).render(&cause_of(&request)))
}

/// Everything that is no route: files of the console, its pages, or a problem.
pub async fn fallback(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let path = decoded(&request);
    if !matches!(*request.method(), Method::GET | Method::HEAD) || has_route(&path) {
        return Err(misdirected(&request, &path));
    }
    let name = path.trim_start_matches('/');
    if let Some(answer) = docs_file(&request, name).or_else(|| built_file(&request, name)) {
        return Ok(answer);
    }
    if !accepts_html(&request) || NO_PAGES.iter().any(|prefix| path.starts_with(prefix)) {
        return Err(not_found(&request));
    }
    // The console finds its own way from the path.
    let page = built_file(&request, "index.html");
    Ok(page.unwrap_or_else(|| file(&request, "index.html", Cow::Borrowed(NOT_BUILT.as_bytes()), None)))
}

/// The path as the router saw it.
fn decoded(request: &HttpRequest) -> String {
    request.match_info().as_str().to_owned()
}

fn has_route(path: &str) -> bool {
    METHODS.iter().any(|method| find_route(method, path).is_some())
}

fn misdirected(request: &HttpRequest, path: &str) -> Problem {
    let allowed: Vec<&str> =
        METHODS.into_iter().filter(|method| find_route(method, path).is_some()).collect();
    if allowed.is_empty() && matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found(request);
    }
    let allowed = if allowed.is_empty() { "GET, HEAD".to_owned() } else { allowed.join(", ") };
    let detail = format!("{} is not possible here, only {allowed}", request.method());
    Problem::new(Code::MethodNotAllowed, detail).with_header("Allow", allowed)
}

fn not_found(request: &HttpRequest) -> Problem {
    Problem::new(Code::NotFound, format!("there is nothing at {}", request.path()))
}

fn accepts_html(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn docs_file(request: &HttpRequest, name: &str) -> Option<HttpResponse> {
    let (_, text) = DOCS.iter().find(|(known, _)| *known == name)?;
    let name = if name == "docs" { "docs.html" } else { name };
    Some(file(request, name, Cow::Borrowed(text.as_bytes()), None))
}

fn built_file(request: &HttpRequest, name: &str) -> Option<HttpResponse> {
    let built = Built::get(name)?;
    Some(file(request, name, built.data, Some(built.metadata.sha256_hash())))
}

fn file(request: &HttpRequest, name: &str, data: Cow<'static, [u8]>, hash: Option<[u8; 32]>) -> HttpResponse {
    let etag = hash.map(|hash| {
        let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("\"{digits}\"")
    });
    let cache = if name.starts_with(HASHED) { CACHE_HASHED } else { CACHE_CHECKED };
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let is_known = matches!((&etag, known), (Some(etag), Some(known)) if names(known, etag));
    let mut answer = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    answer.insert_header((header::CACHE_CONTROL, cache));
    if let Some(etag) = etag {
        answer.insert_header((header::ETAG, etag));
    }
    if is_known {
        return answer.finish();
    }
    let media_type = MEDIA_TYPES.iter().find(|(end, _)| name.ends_with(end));
    answer.insert_header((header::CONTENT_TYPE, media_type.map_or("application/octet-stream", |(_, m)| m)));
    answer.body(match data {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    })
}

/// Whether an `If-None-Match` names this version.
fn names(known: &str, etag: &str) -> bool {
    known.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}
