//! The results of a pool, one after the other.

use std::{any::Any, collections::VecDeque, pin::Pin};

use multiproc_wire::pickle::{Exception, Object};
use tokio::task::JoinSet;

use crate::raise;

/// A chunk of results to come, each a value or an exception, or one exception for all.
pub(super) type Chunk = Pin<Box<dyn Future<Output = Results> + Send>>;

type Results = Result<Vec<Result<Object, Exception>>, Exception>;

/// Results that are awaited one after the other. A wait may be given up: nothing is lost.
pub(super) struct Steps {
    coming: Coming,
    /// What has come of a chunk and was not asked for yet.
    here: VecDeque<Result<Object, Exception>>,
    /// What has to be there until all have come.
    _kept: Box<dyn Any + Send>,
}

enum Coming {
    InOrder(VecDeque<Chunk>),
    AsTheyCome(JoinSet<Results>),
}

impl Steps {
    pub(super) fn new(chunks: Vec<Chunk>, ordered: bool, kept: impl Any + Send) -> Self {
        let coming = if ordered {
            Coming::InOrder(chunks.into())
        } else {
            let mut set = JoinSet::new();
            chunks.into_iter().for_each(|chunk| drop(set.spawn(chunk)));
            Coming::AsTheyCome(set)
        };
        Self { coming, here: VecDeque::new(), _kept: Box::new(kept) }
    }

    /// Awaits the next result, if there are any more.
    pub(super) async fn next(&mut self) -> Option<Result<Object, Exception>> {
        loop {
            if let Some(result) = self.here.pop_front() {
                return Some(result);
            }
            let results = match &mut self.coming {
                Coming::InOrder(chunks) => {
                    let results = chunks.front_mut()?.as_mut().await;
                    chunks.pop_front();
                    results
                }
                Coming::AsTheyCome(set) => match set.join_next().await? {
                    Ok(results) => results,
                    Err(err) => Err(raise::runtime_error(err.to_string())),
                },
            };
            match results {
                Ok(results) => self.here.extend(results),
                Err(exception) => self.here.push_back(Err(exception)),
            }
        }
    }
}
