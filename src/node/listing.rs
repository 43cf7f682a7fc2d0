//! Machines as they are shown: each by the hub node that hears it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::elsewhere::Newest;
use super::fleet::{Fleet, FleetError};
use super::view::{NodeSnapshot, NodeView, Snapshot};
use crate::ids::NodeName;
use crate::protocol::codes::Code;
use crate::store::{NodeRecord, StoreError};
use crate::telemetry::Cause;

/// How long a question to a node may take, in milliseconds.
const ASK_TIMEOUT_MS: u64 = 2_000;

/// Nodes that are read at once to be remembered.
const REMEMBER_PAGE: usize = 500;

impl Fleet {
    /// A node as its actor here knows it; `None` when there is none, or another hub hears it.
    async fn held(&self, node: &NodeName, cause: &Cause) -> Result<Option<NodeView>, FleetError> {
        let Some(inbox) = self.0.nodes.read().get(node).cloned() else { return Ok(None) };
        let asked = inbox.ask(NodeSnapshot, cause, Duration::from_millis(ASK_TIMEOUT_MS)).await;
        let Snapshot { view, is_held } =
            asked.map_err(|_silent| FleetError::Silent { node: node.clone() })?;
        Ok(is_held.then_some(view))
    }

    /// One node; `None` when it is not known. While the store is gone one of another hub node is shown as it was last read.
    pub async fn view(&self, node: &NodeName, cause: &Cause) -> Result<Option<NodeView>, FleetError> {
        let held = self.held(node, cause).await?;
        if held.is_some() || self.0.args.hub.is_none() {
            return Ok(held);
        }
        let record = match self.0.args.store.node(node.as_str()).await {
            Ok(record) => record,
            Err(error) => match self.0.remembered.one(node.as_str()).filter(|_| is_outage(&error)) {
                Some(record) => Some(record),
                None => return Err(error.into()),
            },
        };
        let Some(record) = record else { return Ok(None) };
        let mut newest = Newest::read(&self.0.args.broker, |known| known == node.as_str(), cause).await;
        Ok(Some(newest.view(record, self.0.args.clock.unix_ms())))
    }

    /// At most `limit` nodes by name, after `after`. One that does not answer is left out.
    pub async fn page(
        &self,
        after: Option<&str>,
        limit: usize,
        cause: &Cause,
    ) -> Result<Vec<NodeView>, FleetError> {
        if self.0.args.hub.is_some() {
            return self.page_of_all(after, limit, cause).await;
        }
        let mut views = Vec::new();
        for name in self.names_here(after, limit) {
            views.extend(self.held(&name, cause).await.ok().flatten());
        }
        Ok(views)
    }

    fn names_here(&self, after: Option<&str>, limit: usize) -> Vec<NodeName> {
        let nodes = self.0.nodes.read();
        let names = nodes.keys().filter(|name| after.is_none_or(|after| name.as_str() > after));
        names.take(limit).cloned().collect()
    }

    /// The same of the nodes of all hub nodes.
    async fn page_of_all(
        &self,
        after: Option<&str>,
        limit: usize,
        cause: &Cause,
    ) -> Result<Vec<NodeView>, FleetError> {
        let listed = self.listed(after, limit).await?;
        let mut newest = Newest::read(&self.0.args.broker, |node| listed.contains_key(node), cause).await;
        let mut views = Vec::with_capacity(listed.len());
        for (name, record) in listed {
            let held = match NodeName::parse(&name) {
                Ok(name) => self.held(&name, cause).await.ok().flatten(),
                Err(_) => None,
            };
            let elsewhere = || Some(newest.view(record?, self.0.args.clock.unix_ms()));
            views.extend(held.or_else(elsewhere));
        }
        Ok(views)
    }

    /// Reads which nodes there are, unless that was done a while ago only: they are shown while the store is gone.
    pub(super) async fn remember(&self) -> Result<(), StoreError> {
        let now_ms = self.0.args.clock.monotonic_ms();
        if !self.0.remembered.is_due(now_ms) {
            return Ok(());
        }
        let mut after: Option<String> = None;
        loop {
            let records = self.0.args.store.nodes(after.as_deref(), REMEMBER_PAGE).await?;
            self.0.remembered.learn(after.as_deref(), REMEMBER_PAGE, &records);
            match records.into_iter().nth(REMEMBER_PAGE - 1) {
                Some(last) => after = Some(last.name),
                None => break,
            }
        }
        self.0.remembered.note_read(now_ms);
        Ok(())
    }

    /// Nodes by name, as the store has them. While it is gone, as they were last read, and those that are heard here.
    async fn listed(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> Result<BTreeMap<String, Option<NodeRecord>>, FleetError> {
        let known = |record: NodeRecord| (record.name.clone(), Some(record));
        match self.0.args.store.nodes(after, limit).await {
            Ok(records) => {
                self.0.remembered.learn(after, limit, &records);
                Ok(records.into_iter().map(known).collect())
            }
            Err(error) if is_outage(&error) && self.0.remembered.is_known() => {
                let here = self.names_here(after, limit).into_iter().map(|name| (name.to_string(), None));
                let remembered = self.0.remembered.page(after, limit).into_iter().map(known);
                let all: BTreeMap<_, _> = here.chain(remembered).collect();
                Ok(all.into_iter().take(limit).collect())
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn is_outage(error: &StoreError) -> bool {
    error.code() == Code::StoreUnavailable
}
