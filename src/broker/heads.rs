//! Topics that hub nodes keep in one store: what was not pushed to this node is found by a look at where they stand.

use super::directory::Broker;
use crate::store::StoreError;
use crate::topic::TopicHandle;

/// Topics that one look compares; of more, others are compared the next time.
const LOOK_MAX: usize = 1_000;

impl Broker {
    /// Tells topics that are followed where they stand in the store. `skip` of them were compared lately; returns how
    /// many to skip the next time.
    pub async fn compare_with_store(&self, skip: usize) -> Result<usize, StoreError> {
        let (followed, next) = {
            let topics = self.0.topics.read();
            let all = topics.values().filter(|topic| topic.follows_store());
            let followed: Vec<TopicHandle> = all.skip(skip).take(LOOK_MAX).cloned().collect();
            let next = if followed.len() < LOOK_MAX { 0 } else { skip + LOOK_MAX };
            (followed, next)
        };
        if followed.is_empty() {
            return Ok(next);
        }
        let names = followed.iter().map(|topic| topic.name().to_string()).collect();
        let mut heads = self.0.args.store.topic_heads(names).await?;
        heads.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        for topic in followed {
            let place = heads.binary_search_by(|(name, _)| name.as_str().cmp(topic.name().as_str()));
            if let Ok((_, head)) = place.map(|at| &heads[at]) {
                topic.store_head(head.clone());
            }
        }
        Ok(next)
    }

    /// Whether topics are kept in a store that several hub nodes may write to.
    pub fn shares_store(&self) -> bool {
        self.0.args.carrier.is_some() && self.0.args.store.is_apart()
    }
}
