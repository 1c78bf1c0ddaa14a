//! Which changes of a topology are safe while clients still act by the one before.

use core::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ErrorCode;
use crate::ids::ShardId;
use crate::snapshot::Snapshot;

/// Why a snapshot can't take another's place while clients act by that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditError {
    /// A shard begins, or ceases, to check fences: clients of the older snapshot know nothing of the
    /// lease that they would need now, or nobody waits for the one that they have.
    Fencing {
        /// The shard.
        shard: ShardId,
    },
    /// Clients hold a longer lease than a coordinator would wait for.
    ShorterLease {
        /// How long clients of the snapshot in force have to be waited for, in milliseconds.
        ours_ms: u64,
        /// How long those of the next one would be.
        theirs_ms: u64,
    },
}

impl EditError {
    /// The stable slug.
    pub const fn code(&self) -> ErrorCode {
        ErrorCode::Topology
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fencing { shard } => write!(
                f,
                "whether shard {shard} is `unfenced` can't change while clients act by the older map; add a shard of another number, and move its keys there"
            ),
            Self::ShorterLease { ours_ms, theirs_ms } => write!(
                f,
                "clients may hold a lease of {ours_ms} ms in all, and {theirs_ms} ms would be waited for; keep the sum of `client_lease`, or make it longer"
            ),
        }
    }
}

impl core::error::Error for EditError {}

impl Snapshot {
    /// Whether `next` may take this one's place while clients still act by it: a compare-and-swap is
    /// refused that may not, whoever makes it. It may add shards of any kind, and make the clients'
    /// lease longer.
    ///
    /// # Errors
    /// [`EditError::Fencing`] where a shard of both has another [`unfenced`](crate::Shard::unfenced);
    /// [`EditError::ShorterLease`] where both have unfenced shards, and a smaller
    /// [`wait_ms`](crate::ClientLease::wait_ms).
    ///
    /// ```
    /// # use ringshift::*;
    /// # let text = r#"{"cluster":"demo","keyspaces":{"orders":{}},
    /// #   "client_lease":{"lease_ms":1000,"attempt_ms":200,"margin_ms":100},
    /// #   "shards":[{"id":1,"name":"theirs","unfenced":true}]}"#;
    /// # let first = serde_json::from_str::<Topology>(text)?.snapshot()?;
    /// let mut draft = first.next_draft()?;
    /// draft.client_lease = Some(ClientLease { lease_ms: 5_000, attempt_ms: 200, margin_ms: 100 });
    /// let longer = Snapshot::build(draft)?;
    /// assert!(first.check_edit(&longer).is_ok());
    /// // And back: a client may hold five seconds, of which a successor would know nothing.
    /// let mut draft = longer.next_draft()?;
    /// draft.client_lease = first.content().client_lease;
    /// assert!(longer.check_edit(&Snapshot::build(draft)?).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    // INVARIANT (one map behind): whoever takes over waits for the lease of the map that it finds, so
    // no older one may be longer; and no older one may lack it.
    pub fn check_edit(&self, next: &Self) -> Result<(), EditError> {
        let shards = &next.content.shards;
        let changed = shards.iter().find(|shard| {
            let before = self.shard(shard.id);
            before.is_some_and(|before| before.unfenced != shard.unfenced)
        });
        if let Some(shard) = changed {
            return Err(EditError::Fencing { shard: shard.id });
        }
        let (ours_ms, theirs_ms) = (self.content.client_wait_ms(), next.content.client_wait_ms());
        if theirs_ms > 0 && theirs_ms < ours_ms {
            return Err(EditError::ShorterLease { ours_ms, theirs_ms });
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use super::*;
    use crate::snapshot::{ClientLease, Draft, Topology};

    /// Two shards, the second of which is unfenced, and a lease of 1,201 ms in all.
    fn first(unfenced: bool) -> Snapshot {
        let text = r#"{"cluster":"c","keyspaces":{"k":{"bits":4}},
            "client_lease":{"lease_ms":1000,"attempt_ms":150,"margin_ms":50},
            "shards":[{"id":1,"name":"a"},{"id":2,"name":"b","unfenced":true}]}"#;
        let mut topology: Topology = serde_json::from_str(text).unwrap();
        if !unfenced {
            topology.client_lease = None;
            topology.shards.iter_mut().for_each(|s| s.unfenced = false);
        }
        topology.snapshot().unwrap()
    }

    fn edited(first: &Snapshot, edit: impl FnOnce(&mut Draft)) -> Result<(), EditError> {
        let mut draft = first.next_draft().unwrap();
        edit(&mut draft);
        first.check_edit(&Snapshot::build(draft).unwrap())
    }

    fn lease(lease_ms: u32, attempt_ms: u32, margin_ms: u32) -> ClientLease {
        ClientLease {
            lease_ms,
            attempt_ms,
            margin_ms,
        }
    }

    #[test]
    fn a_lease_may_only_get_longer() {
        let first = first(true);
        for longer in [
            lease(1_000, 150, 50),
            lease(1_001, 150, 50),
            lease(1, 1_149, 50),
        ] {
            assert_eq!(
                edited(&first, |draft| draft.client_lease = Some(longer)),
                Ok(())
            );
        }
        for shorter in [
            lease(999, 150, 50),
            lease(1_000, 149, 50),
            lease(1_000, 150, 49),
            lease(2, 1, 0),
        ] {
            let theirs_ms = shorter.wait_ms();
            let ours_ms = 1_201;
            assert_eq!(
                edited(&first, |draft| draft.client_lease = Some(shorter)),
                Err(EditError::ShorterLease { ours_ms, theirs_ms })
            );
        }
    }

    #[test]
    fn a_shard_keeps_its_mark() {
        let fenced = first(false);
        let begins = edited(&fenced, |draft| {
            draft.client_lease = Some(lease(1, 1, 0));
            draft
                .shards
                .iter_mut()
                .take(1)
                .for_each(|s| s.unfenced = true);
        });
        let shard = ShardId(1);
        assert_eq!(begins, Err(EditError::Fencing { shard }));
        for keeps in [None, Some(lease(1_000, 150, 50))] {
            let ceases = edited(&first(true), |draft| {
                draft.client_lease = keeps;
                draft.shards.iter_mut().for_each(|s| s.unfenced = false);
            });
            let shard = ShardId(2);
            assert_eq!(ceases, Err(EditError::Fencing { shard }));
        }
    }

    /// No client of the older map has anything there.
    #[test]
    fn a_new_shard_may_be_of_either_kind() {
        for before in [false, true] {
            for unfenced in [false, true] {
                let joined = edited(&first(before), |draft| {
                    draft.client_lease = Some(lease(1_000, 150, 50));
                    let mut shard = draft.shards.last().unwrap().clone();
                    (shard.id, shard.unfenced) = (ShardId(3), unfenced);
                    shard.name = "c".into();
                    draft.shards.push(shard);
                    let domain = draft.take_domain();
                    let epoch = draft.epoch;
                    for keyspace in &mut draft.keyspaces {
                        keyspace.homes.push(crate::snapshot::Home { domain, epoch });
                    }
                });
                assert_eq!(joined, Ok(()));
            }
        }
    }

    /// Without an unfenced shard nobody holds a lease.
    #[test]
    fn a_lease_that_nobody_holds_may_be_anything() {
        let fenced = first(false);
        for any in [Some(lease(5, 5, 5)), None] {
            assert_eq!(edited(&fenced, |draft| draft.client_lease = any), Ok(()));
        }
    }
}
