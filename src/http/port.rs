//! What one worker does with the streams of the port: plain requests go to the application, upgrades to a
//! [`Doorkeeper`], which takes the stream for good.

use std::rc::Rc;
use std::time::Duration;

use actix_codec::Framed;
use actix_http::error::DispatchError;
use actix_http::{HttpMessage, HttpService, Request, h1, header};
use actix_service::{ServiceFactory, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, ServiceRequest, ServiceResponse};
use actix_web::{App, Error};
use tokio::net::TcpStream;

/// How long a client may take to send a request's head, in milliseconds.
const REQUEST_MS_MAX: u64 = 5_000;

/// How long an idle HTTP connection is kept, in milliseconds.
const KEEP_ALIVE_MS: u64 = 15_000;

/// Takes the upgrade requests of one worker, which do not pass the application.
pub trait Doorkeeper: 'static {
    /// Takes a request with its stream and what came behind its head; returns when the connection lives on its
    /// own, or was refused.
    fn enter(&self, request: Request, io: TcpStream, leftover: Vec<u8>) -> impl Future<Output = ()>;
}

/// The service of one worker.
pub fn service<T, B>(
    app: App<T>,
    doorkeeper: Rc<impl Doorkeeper>,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()>
where
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    B: MessageBody + 'static,
{
    HttpService::build()
        // Who goes away while a poll waits gives its place back at once.
        .h1_allow_half_closed(false)
        .keep_alive(Duration::from_millis(KEEP_ALIVE_MS))
        .client_request_timeout(Duration::from_millis(REQUEST_MS_MAX))
        .upgrade(fn_service(move |(request, framed): (Request, Framed<TcpStream, h1::Codec>)| {
            let doorkeeper = doorkeeper.clone();
            async move {
                let parts = framed.into_parts();
                doorkeeper.enter(request, parts.io, parts.read_buf.to_vec()).await;
                Ok::<(), Error>(())
            }
        }))
        .finish(map_config(app, |_| AppConfig::default()))
        .tcp()
}

/// The values of a header, written in small letters, that are text.
pub fn headers<'a>(request: &'a Request, name: &'static str) -> impl Iterator<Item = &'a str> {
    let name = header::HeaderName::from_static(name);
    request.headers().get_all(name).filter_map(|value| value.to_str().ok())
}
