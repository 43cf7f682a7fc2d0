//! Lists of alerts: what is looked for, in the query or in the body, and a page of what is found.

use actix_web::web;

use crate::alert::{Alert, Severity, State as Life};
use crate::auth::permission;
use crate::http::body::{Body, Fields};
use crate::http::guard::Caller;
use crate::http::page::{LIMIT_DEFAULT, LIMIT_MAX, Page, decode, encode};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::state::State;
use crate::protocol::codes::Code;
use crate::store::{AlertCursor, AlertFilter, AlertRecord, AlertSort, StoreError};

/// Texts of one field, labels, and bytes of a text: the most.
const TEXTS_MAX: usize = 50;
const LABELS_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 256;

const SORTS: [(&str, AlertSort); 4] = [
    ("newest", AlertSort::Newest),
    ("oldest", AlertSort::Oldest),
    ("urgent", AlertSort::MostUrgent),
    ("worst", AlertSort::Worst),
];

/// Which alerts. Several values of a field: any of them; several fields: all of them.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the body in the document; it is read field by field")]
pub struct AlertSearch {
    /// A part of title, message, service, rule or its name.
    text: Option<String>,
    /// `pending`, `firing`, `acknowledged`, `suppressed`, `resolved`.
    states: Option<Vec<String>>,
    /// `critical`, `error`, `warning`, `info`.
    severities: Option<Vec<String>>,
    /// Services.
    services: Option<Vec<String>>,
    /// Rules.
    rule_ids: Option<Vec<String>>,
    /// Labels with their values.
    #[schema(value_type = Option<Object>)]
    labels: Option<()>,
    /// Started then or later, RFC 3339 or Unix milliseconds.
    since: Option<String>,
    /// Started before.
    until: Option<String>,
    /// `newest` (when left out), `oldest`, `urgent` or `worst` first.
    sort: Option<String>,
    /// At most so many items; 50 when left out.
    limit: Option<usize>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
    /// Of an export, which has no limit and no cursor: `csv` (when left out) or `json`.
    format: Option<String>,
}

/// What a request looks for.
pub(super) struct Wanted {
    pub(super) filter: AlertFilter,
    pub(super) sort: AlertSort,
    pub(super) limit: usize,
    pub(super) after: Option<AlertCursor>,
}

/// Where fields are read from: under one name in a query, under its plural in a body.
trait Source {
    fn texts(&mut self, one: &'static str, many: &'static str) -> (&'static str, Vec<String>);
    fn text(&mut self, name: &'static str) -> Option<String>;
    fn labels(&mut self) -> Vec<(String, String)>;
    fn moment(&mut self, name: &'static str) -> Option<u64>;
    fn limit(&mut self) -> usize;
    fn refused(&mut self, name: &'static str, detail: String);
}

impl Source for Query {
    fn texts(&mut self, one: &'static str, _many: &'static str) -> (&'static str, Vec<String>) {
        (one, Self::texts(self, one))
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        Self::text(self, name).map(str::to_owned)
    }

    fn labels(&mut self) -> Vec<(String, String)> {
        let mut labels = Vec::new();
        for text in Self::texts(self, "label") {
            match text.split_once('=').filter(|(name, _)| !name.is_empty()) {
                Some((name, value)) => labels.push((name.to_owned(), value.to_owned())),
                None => self.refuse("label", "must be name=value"),
            }
        }
        labels
    }

    fn moment(&mut self, name: &'static str) -> Option<u64> {
        Self::moment(self, name)
    }

    fn limit(&mut self) -> usize {
        self.number("limit", 1..=LIMIT_MAX, LIMIT_DEFAULT)
    }

    fn refused(&mut self, name: &'static str, detail: String) {
        self.refuse(name, detail);
    }
}

impl Source for Fields<'_> {
    fn texts(&mut self, one: &'static str, many: &'static str) -> (&'static str, Vec<String>) {
        let name = if self.raw(many).is_some() { many } else { one };
        (name, self.optional_list(name, TEXTS_MAX, TEXT_BYTES_MAX))
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        self.optional_text(name, 0..=TEXT_BYTES_MAX).filter(|text| !text.is_empty())
    }

    fn labels(&mut self) -> Vec<(String, String)> {
        self.optional_texts("labels", LABELS_MAX, TEXT_BYTES_MAX).into_iter().collect()
    }

    fn moment(&mut self, name: &'static str) -> Option<u64> {
        self.optional_moment(name)
    }

    fn limit(&mut self) -> usize {
        self.number("limit", 1..=LIMIT_MAX as u64, LIMIT_DEFAULT as u64) as usize
    }

    fn refused(&mut self, name: &'static str, detail: String) {
        self.refuse(name, detail);
    }
}

fn read(source: &mut impl Source) -> Wanted {
    let (name, states) = source.texts("state", "states");
    if states.iter().any(|state| Life::parse(state).is_none()) {
        let names = Life::ALL.map(Life::as_str).join(", ");
        source.refused(name, format!("must be of {names}"));
    }
    let (name, severities) = source.texts("severity", "severities");
    let ranks: Vec<u8> = severities.iter().filter_map(|text| Some(Severity::parse(text)?.rank())).collect();
    if ranks.len() < severities.len() {
        source.refused(name, format!("must be of {}", crate::alert::SEVERITIES.join(", ")));
    }
    let sort = source.text("sort");
    let known = SORTS.iter().find(|(name, _)| sort.as_ref().is_none_or(|sort| sort == name));
    if known.is_none() {
        source.refused("sort", format!("must be of {}", SORTS.map(|(name, _)| name).join(", ")));
    }
    let (sort_name, sort) = known.copied().unwrap_or(SORTS[0]);
    let after = source.text("cursor").map(|text| read_cursor(&text, sort_name));
    if after.as_ref().is_some_and(Option::is_none) {
        source.refused("cursor", "must be a next_cursor of this list, or left out".to_owned());
    }
    let filter = AlertFilter {
        text: source.text("text"),
        states,
        severities: ranks,
        services: source.texts("service", "services").1,
        rule_ids: source.texts("rule_id", "rule_ids").1,
        fingerprint: None,
        labels: source.labels(),
        since_ms: source.moment("since"),
        until_ms: source.moment("until"),
        with_dropped: false,
    };
    for (name, texts) in [
        ("state", &filter.states),
        ("service", &filter.services),
        ("rule_id", &filter.rule_ids),
        ("severity", &severities),
    ] {
        if texts.len() > TEXTS_MAX {
            source.refused(name, format!("may be at most {TEXTS_MAX} texts"));
        }
    }
    if filter.labels.len() > LABELS_MAX {
        source.refused("label", format!("may be at most {LABELS_MAX} labels"));
    }
    Wanted { filter, sort, limit: source.limit(), after: after.flatten() }
}

fn read_cursor(text: &str, sort: &str) -> Option<AlertCursor> {
    let text = decode(text)?;
    let mut parts = text.splitn(3, ' ');
    let (of, key, id) = (parts.next()?, parts.next()?, parts.next()?);
    (of == sort).then_some(AlertCursor { key: key.parse().ok()?, id: id.to_owned() })
}

/// The severities whose alerts a caller may read: those to whose topic it may subscribe.
pub(in crate::http) fn readable(caller: &Caller) -> Vec<Severity> {
    let may = |severity: &Severity| permission::may_subscribe(&caller.0, None, severity.topic().as_str());
    Severity::ALL.into_iter().filter(may).collect()
}

impl Wanted {
    pub(super) fn of_query(mut query: Query, caller: &Caller) -> Result<Self, Problem> {
        let wanted = read(&mut query);
        query.check()?;
        wanted.narrowed(caller)
    }

    pub(super) fn of_body(mut fields: Fields<'_>, caller: &Caller) -> Result<Self, Problem> {
        let wanted = read(&mut fields);
        fields.check()?;
        wanted.narrowed(caller)
    }

    /// What the caller may not read is not looked for.
    fn narrowed(mut self, caller: &Caller) -> Result<Self, Problem> {
        let readable = readable(caller);
        let severities = &mut self.filter.severities;
        if readable.len() == Severity::ALL.len() {
            return Ok(self);
        }
        let allowed: Vec<u8> = readable.into_iter().map(Severity::rank).collect();
        match severities.is_empty() {
            true => severities.clone_from(&allowed),
            false => severities.retain(|rank| allowed.contains(rank)),
        }
        match severities.is_empty() {
            true => Err(Problem::new(Code::Forbidden, "the token does not allow these alerts")),
            false => Ok(self),
        }
    }

    pub(super) async fn page(self, state: &State) -> Result<Page<Alert>, Problem> {
        let Self { filter, sort, limit, after } = self;
        let mut found = state.store.search_alerts(filter, sort, after, limit + 1).await?;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| has_more).map(|last| cursor(sort, last));
        Ok(Page { items: alerts(found)?, next_cursor })
    }
}

fn cursor(sort: AlertSort, last: &AlertRecord) -> String {
    let name = SORTS.iter().find(|(_, known)| *known == sort).map_or("newest", |(name, _)| name);
    let AlertCursor { key, id } = sort.cursor(last);
    encode(&format!("{name} {key} {id}"))
}

pub(super) fn alerts(found: Vec<AlertRecord>) -> Result<Vec<Alert>, StoreError> {
    found.into_iter().map(Alert::from_record).collect()
}

/// Alerts, the newest first. Those that never came to more than pending are left out.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts",
    params(crate::http::openapi::PageParams,
        ("state" = Option<String>, Query, description = "Of these states; several with commas between them"),
        ("severity" = Option<String>, Query, description = "Of these severities"),
        ("service" = Option<String>, Query, description = "About these services"),
        ("rule_id" = Option<String>, Query, description = "Of these rules"),
        ("text" = Option<String>, Query, description = "A part of title, message, service, rule or its name"),
        ("label" = Option<String>, Query, description = "With these labels, each as name=value"),
        ("since" = Option<String>, Query, description = "Started then or later, RFC 3339 or Unix milliseconds"),
        ("until" = Option<String>, Query, description = "Started before"),
        ("sort" = Option<String>, Query, description = "newest (when left out), oldest, urgent or worst first")),
    responses((status = 200, body = Page<Alert>, description = "Alerts"), crate::http::openapi::Refused))]
pub async fn list(
    state: web::Data<State>,
    caller: Caller,
    query: Query,
) -> Result<web::Json<Page<Alert>>, Problem> {
    Ok(web::Json(Wanted::of_query(query, &caller)?.page(&state).await?))
}

/// Alerts that are not resolved; those that are pending too. Takes what the list of all alerts takes.
#[utoipa::path(get, path = "/api/v1/alerts/active", tag = "alerts", params(crate::http::openapi::PageParams),
    responses((status = 200, body = Page<Alert>, description = "Alerts"), crate::http::openapi::Refused))]
pub async fn active(
    state: web::Data<State>,
    caller: Caller,
    query: Query,
) -> Result<web::Json<Page<Alert>>, Problem> {
    let mut wanted = Wanted::of_query(query, &caller)?;
    let states = &mut wanted.filter.states;
    match states.is_empty() {
        true => *states = open_states(),
        false => states.retain(|state| state != Life::Resolved.as_str()),
    }
    if states.is_empty() {
        return Ok(web::Json(Page { items: Vec::new(), next_cursor: None }));
    }
    Ok(web::Json(wanted.page(&state).await?))
}

fn open_states() -> Vec<String> {
    let open = Life::ALL.into_iter().filter(|state| state.is_open());
    open.map(|state| state.as_str().to_owned()).collect()
}

/// Alerts that a search finds.
#[utoipa::path(post, path = "/api/v1/alerts/search", tag = "alerts", request_body = AlertSearch,
    responses((status = 200, body = Page<Alert>, description = "Alerts"), crate::http::openapi::Refused))]
pub async fn search(
    state: web::Data<State>,
    caller: Caller,
    body: Body,
) -> Result<web::Json<Page<Alert>>, Problem> {
    Ok(web::Json(Wanted::of_body(body.fields(true)?, &caller)?.page(&state).await?))
}
