//! The actor that samples the hub's own host: the same sampler as the agent's, in process.
//!
//! A crash loses the rates of one interval. Has an arbiter of its own: reading the host's counters blocks.

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;

use super::{Ingest, Parsed};
use crate::agent::{Columns, Sampler, Snapshot};
use crate::clock::Clock;
use crate::ids::NodeName;
use crate::node::{Batch, Report, Source};
use crate::store::Column;
use crate::supervision::{Restart, supervised};
use crate::telemetry::Cause;

/// What the sampler is made of, again after each crash.
#[derive(Clone)]
pub struct SamplerArgs {
    /// Where samples go.
    pub ingest: Ingest,
    /// The hub's own node.
    pub node: NodeName,
    /// Time between samples.
    pub interval_ms: u64,
    /// Time.
    pub clock: Clock,
}

/// Samples the host at its interval.
pub struct SamplerActor {
    sampler: Sampler,
    /// The columns of the last snapshot, and the same as the store wants them.
    columns: Option<(Arc<Columns>, Arc<[Column]>)>,
    described: bool,
    args: SamplerArgs,
}

impl SamplerActor {
    /// A sampler before its first sample.
    pub fn new(args: SamplerArgs) -> Self {
        Self { sampler: Sampler::new(args.clock.clone()), columns: None, described: false, args }
    }

    fn sample(&mut self, ctx: &mut Context<Self>) {
        let snapshot = self.sampler.sample();
        let accepted = snapshot.samples().count() as u64;
        let inventory =
            if self.described { None } else { serde_json::to_value(&*self.sampler.inventory()).ok() };
        self.described = true;
        let report = Report {
            source: Source::Sampler,
            batches: vec![self.batch(&snapshot)],
            labels: None,
            inventory,
            interval_ms: Some(self.args.interval_ms),
            ttl_ms: None,
        };
        let parsed = Parsed { report, accepted, rejected: Default::default() };
        match self.args.ingest.submit(&self.args.node, parsed, &Cause::own()) {
            Ok(mut receipt) => {
                let written = async move { receipt.durable().await };
                ctx.spawn(written.into_actor(self).map(|durable, _actor, _ctx| {
                    if !durable {
                        tracing::warn!("the host's samples were not written to the store");
                    }
                }));
            }
            Err(error) => tracing::warn!(%error, "the host's samples were not taken"),
        }
    }

    fn batch(&mut self, snapshot: &Snapshot) -> Batch {
        let columns = match &self.columns {
            Some((known, columns)) if Arc::ptr_eq(known, &snapshot.columns) => columns.clone(),
            _ => {
                let columns: Arc<[Column]> = snapshot.columns.as_slice().iter().map(stored).collect();
                self.columns = Some((snapshot.columns.clone(), columns.clone()));
                columns
            }
        };
        let values = snapshot.values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
        Batch { unix_ms: snapshot.unix_ms, columns, values }
    }
}

fn stored(column: &crate::agent::Column) -> Column {
    let labels = column.labels.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    Column { name: column.name.to_owned(), labels }
}

impl Restart for SamplerActor {
    const KIND: &'static str = "sampler";

    fn fresh(&self) -> Self {
        Self::new(self.args.clone())
    }
}

supervised!(SamplerActor);

impl Actor for SamplerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.sample(ctx);
        ctx.run_interval(Duration::from_millis(self.args.interval_ms), Self::sample);
    }
}
