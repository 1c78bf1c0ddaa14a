//! The stable slugs of every error, the same in all languages.
//!
//! An error enum lives with the operation that can fail; each has a `code()` that answers one of
//! these. The slug is the contract, the message is not. A test in `core/tests/errors.rs` lists
//! [`ErrorCode::ALL`] and fails for a slug that no test provokes.

use core::fmt;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident => $slug:literal,)*) => {
        /// The kind of an error, as a stable slug. See [`ErrorCode::as_str`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $variant,)*
        }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The slug: lower case, words joined by `_`. It changes rarely or never.
            ///
            /// ```
            /// assert_eq!(ringshift::ErrorCode::KeyTooLong.as_str(), "key_too_long");
            /// ```
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $slug,)*
                }
            }
        }
    };
}

codes! {
    /// A key is longer than 64 KiB.
    KeyTooLong => "key_too_long",
    /// A composite key has no parts, or fewer than the keyspace groups by.
    KeyParts => "key_parts",
    /// A weight is not a number of 0 to 1,000,000.
    Weight => "weight",
    /// A topology breaks a rule: a duplicate name, an unknown shard, a limit passed.
    Topology => "topology",
    /// A shard of positive weight would be left without a slot.
    NoSlots => "no_slots",
    /// Bytes that aren't a snapshot: cut short, damaged, too large, or of a later format.
    SnapshotFormat => "snapshot_format",
    /// A snapshot of another cluster.
    ForeignCluster => "foreign_cluster",
    /// A snapshot older than the one in force.
    OlderSnapshot => "older_snapshot",
    /// A snapshot of the same epoch with other content: somebody forked the history.
    ForkedSnapshot => "forked_snapshot",
    /// A delta from another snapshot than the one at hand: fetch the whole one.
    DeltaBase => "delta_base",
    /// No keyspace of that name.
    UnknownKeyspace => "unknown_keyspace",
    /// A reply to an attempt that the operation doesn't wait for.
    UnknownAttempt => "unknown_attempt",
    /// The deadline passed and nothing was done.
    Deadline => "deadline",
    /// The outcome of a write is not known.
    Indeterminate => "indeterminate",
    /// The store refused the request itself.
    Rejected => "rejected",
    /// A put-if found another version.
    VersionConflict => "version_conflict",
    /// A transaction has no keys, too many, or one of them twice.
    TransactionKeys => "transaction_keys",
    /// A transaction's keys are ordered by several shards.
    CrossShard => "cross_shard",
    /// A shard that checks no fence, where one is needed.
    Unfenced => "unfenced",
    /// A transaction's keys were rerouted before its commit: nothing was changed, begin again.
    Retryable => "retryable",
    /// A shard and the snapshot disagree in a way that only a fork or a bug explains.
    WrongRole => "wrong_role",
    /// A request was routed by an older snapshot than its shard's.
    StaleEpoch => "stale_epoch",
    /// A shard is behind the request, or a barrier is closed.
    NotReady => "not_ready",
    /// A shard doesn't know the domain.
    NotOwner => "not_owner",
    /// A mirror's lease to answer reads is over.
    LeaseOver => "lease_over",
    /// A coordinator learned that a higher term is in office.
    StaleTerm => "stale_term",
    /// A plan or a wish that can't be carried out.
    Plan => "plan",
    /// A shard's own tables have a number out of its range.
    StoreDamaged => "store_damaged",
    /// Bytes that aren't a topology record: cut short, damaged, too large, or of a later format.
    TopologyFormat => "topology_format",
    /// A binding or a driver: a key that is neither text, nor bytes, nor an integer, nor several
    /// of these: two languages would spell it differently.
    KeyType => "key_type",
    /// A binding: text that has no UTF-8 form, since it holds half a surrogate pair.
    KeyEncoding => "key_encoding",
    /// A binding: an argument of another type or range than the call takes.
    Argument => "argument",
    /// A binding: a value that was freed, or a client that was closed.
    Disposed => "disposed",
    /// A driver: a file or a server that holds no shard, or one of a later format.
    StoreFormat => "store_format",
    /// A driver: another process held the shard for too long.
    StoreBusy => "store_busy",
    /// A driver: the shard's file or server said no.
    StoreIo => "store_io",
    /// A driver: there is no topology at that place yet.
    TopologyMissing => "topology_missing",
    /// A driver: the topology's file or server said no.
    TopologyIo => "topology_io",
}

impl ErrorCode {
    /// Whether only bindings and drivers say it: this crate does no I/O and has types.
    pub const fn is_a_driver_s(self) -> bool {
        matches!(
            self,
            Self::KeyType
                | Self::KeyEncoding
                | Self::Argument
                | Self::Disposed
                | Self::StoreFormat
                | Self::StoreBusy
                | Self::StoreIo
                | Self::TopologyMissing
                | Self::TopologyIo
        )
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
