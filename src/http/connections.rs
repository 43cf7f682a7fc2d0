//! Who is connected: counts, sessions, and closing one.

use std::collections::{BTreeMap, HashMap};

use actix_web::{HttpResponse, web};
use serde::Serialize;

use super::page::{Asked as AskedPage, Page};
use super::problem::Problem;
use super::query::Query;
use super::state::State;
use super::trace::Asked;
use crate::clock::rfc3339;
use crate::connection::shard_actor::ConnectionRow;
use crate::ids::ClientId;
use crate::protocol::codes::Code;
use crate::protocol::encoding::{Encoding, Format};
use crate::telemetry::{Counter, Gauge};

/// Counts over all connections.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Stats {
    /// Open connections.
    pub active_connections: usize,
    /// Open streams of Server-Sent Events.
    pub sse_streams: u64,
    /// Long polls that wait for messages.
    pub polls_waiting: u64,
    /// Rooms with members.
    pub rooms: usize,
    /// Topics that exist.
    pub topics: usize,
    /// Messages taken into topics a second.
    pub messages_per_second: f64,
    /// Messages handed to sockets a second.
    pub deliveries_per_second: f64,
    /// How often a client came back.
    pub reconnects: u64,
    /// Open connections by encoding.
    pub by_encoding: BTreeMap<&'static str, u64>,
    /// Open connections that agreed on permessage-deflate.
    pub deflate_connections: u64,
    /// Messages taken into topics since the start.
    pub published_total: u64,
    /// Messages handed to sockets since the start.
    pub delivered_total: u64,
    /// Bytes received since the start.
    pub bytes_in_total: u64,
    /// Bytes sent since the start.
    pub bytes_out_total: u64,
    /// Bytes that compression spared since the start.
    pub bytes_saved_total: u64,
    /// Closed connections by cause.
    pub closes: BTreeMap<&'static str, u64>,
}

/// One session.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Session {
    /// Its name.
    pub client_id: String,
    /// Whose it is.
    pub subject: String,
    /// The role of its last connection.
    pub role: &'static str,
    /// `connected`, or `disconnected` while it is remembered.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// Since when it is in that state, RFC 3339.
    pub since: String,
    /// Address of its last connection.
    pub remote_address: String,
    /// How its frames are encoded: `json` or `msgpack`; `null` while it is not connected.
    pub encoding: Option<&'static str>,
    /// Whether frames of some length are compressed.
    pub deflate: bool,
    /// Subscribed topics.
    pub topics: Vec<String>,
    /// Rooms it is in.
    pub rooms: Vec<String>,
    /// Bytes that wait for it.
    pub outbox_bytes: usize,
    /// How often it came back.
    pub reconnects: u32,
    /// Bytes received on its connection.
    pub bytes_in: u64,
    /// Bytes sent on its connection.
    pub bytes_out: u64,
}

/// Counts over all connections.
#[utoipa::path(get, path = "/api/v1/connections/stats", tag = "connections",
    responses((status = 200, body = Stats, description = "The counts"), super::openapi::Refused))]
pub async fn stats(state: web::Data<State>) -> web::Json<Stats> {
    let services = &state.services;
    let (active_connections, _peak, reconnects) = services.clients.counts();
    let rates = state.desk.rates(services.clock.monotonic_ms());
    let of = |encoding, deflate_bytes_min| {
        Gauge::ConnectionsByFormat.get_for(Format { encoding, deflate_bytes_min }.name())
    };
    web::Json(Stats {
        active_connections,
        sse_streams: Gauge::SseStreams.get(),
        polls_waiting: Gauge::PollsWaiting.get(),
        rooms: services.rooms.occupied(),
        topics: services.broker.topics(),
        messages_per_second: rates.messages,
        deliveries_per_second: rates.deliveries,
        reconnects,
        by_encoding: Encoding::ALL.iter().map(|e| (e.as_str(), of(*e, None) + of(*e, Some(0)))).collect(),
        deflate_connections: Encoding::ALL.iter().map(|e| of(*e, Some(0))).sum(),
        published_total: Counter::Published.total(),
        delivered_total: Counter::Delivered.total(),
        bytes_in_total: Counter::BytesIn.total(),
        bytes_out_total: Counter::BytesOut.total(),
        bytes_saved_total: Counter::BytesSaved.total(),
        closes: Counter::ConnectionsClosed.by_label(),
    })
}

/// Sessions by client id: those that are connected, and those that are remembered.
#[utoipa::path(get, path = "/api/v1/connections/list", tag = "connections",
    params(super::openapi::PageParams),
    responses((status = 200, body = Page<Session>, description = "Sessions"), super::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    mut query: Query,
    asked: Asked,
) -> Result<web::Json<Page<Session>>, Problem> {
    let page = AskedPage::read(&mut query, |key| ClientId::parse(key).is_ok());
    query.check()?;
    let known = state.services.clients.page(page.after.as_deref(), page.limit + 1);
    let rows = state.shards.rows(known.iter().filter_map(|(_, client)| client.place()), &asked.0).await;
    let mut live: HashMap<String, ConnectionRow> =
        rows.into_iter().map(|row| (row.client_id.clone(), row)).collect();
    let sessions = known.into_iter().map(|(id, client)| {
        let row = live.remove(id.as_str()).filter(|_| client.left_ms.is_none());
        let row =
            row.unwrap_or_else(|| ConnectionRow { client_id: id.to_string(), ..ConnectionRow::default() });
        Session {
            client_id: row.client_id,
            subject: client.subject.to_string(),
            role: client.role.as_str(),
            state: if client.left_ms.is_none() { "connected" } else { "disconnected" },
            since: rfc3339(client.left_ms.unwrap_or(client.since_ms)),
            remote_address: client.address.to_string(),
            encoding: row.encoding,
            deflate: row.deflate,
            topics: row.topics,
            rooms: row.rooms,
            outbox_bytes: row.outbox_bytes,
            reconnects: client.reconnects,
            bytes_in: row.bytes_in,
            bytes_out: row.bytes_out,
        }
    });
    Ok(web::Json(page.page(sessions.collect(), |session| session.client_id.clone())))
}

/// Closes the connection of a client. It may come back.
#[utoipa::path(delete, path = "/api/v1/connections/{client_id}", tag = "connections",
    params(("client_id" = String, Path, description = "The session's name")),
    responses((status = 204, description = "Closed"), super::openapi::Refused))]
pub async fn disconnect(
    state: web::Data<State>,
    client_id: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let client_id = ClientId::parse(&client_id)?;
    if !state.services.clients.disconnect(&client_id)
        && !state.services.disconnect_elsewhere(&client_id).await
    {
        return Err(Problem::new(Code::NotFound, format!("no connection has the client id {client_id}")));
    }
    Ok(HttpResponse::NoContent().finish())
}
