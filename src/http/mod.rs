//! Routes, the WebSocket upgrade, the embedded console.
//!
//! - [`state`]: what handlers work with
//! - [`upgrade`]: from an HTTP request to a connection; judged by the same functions as the routes

pub mod origin;
pub mod state;
pub mod upgrade;

pub use state::State;

/// Interim.
pub fn app(
    state: actix_web::web::Data<State>,
) -> actix_web::App<
    impl actix_web::dev::ServiceFactory<
        actix_web::dev::ServiceRequest,
        Config = (),
        Response = actix_web::dev::ServiceResponse,
        Error = actix_web::Error,
        InitError = (),
    >,
> {
    actix_web::App::new().app_data(state)
}
