"""Errors: one tree, and a slug in ``.code`` that is the same in every language.

Catch a class, or look at ``.code``; never at the message.
"""

from __future__ import annotations

from typing import Any, ClassVar


class RingshiftError(Exception):
    """Anything that goes wrong in Ringshift.

    ``code`` is the slug. ``key``, ``shard``, ``found`` and whatever else is known of the failure
    are attributes too; what isn't known is ``None``.
    """

    code: str
    key: Any = None
    shard: Any = None
    found: Any = None
    value: bytes | None = None
    version: int | None = None
    last: Any = None
    current: int | None = None
    _code: ClassVar[str] = "argument"

    def __init__(self, message: str = "", *, code: str | None = None, **facts: Any) -> None:
        """Make one of ``code``, by itself the class's first, with what is known."""
        super().__init__(message)
        self.code = code if code is not None else self._code
        for name, fact in facts.items():
            setattr(self, name, fact)


class InvalidKeyError(RingshiftError, ValueError):
    """A key that can't be one: too long, without the parts it needs, or not UTF-8."""

    _code = "key_parts"


class KeyTypeError(InvalidKeyError, TypeError):
    """A key that is neither text, nor bytes, nor an integer, nor several of these."""

    _code = "key_type"


class ArgumentError(RingshiftError, TypeError, ValueError):
    """An argument of another type or range than the call takes."""

    _code = "argument"


class TopologyError(RingshiftError, ValueError):
    """A topology that breaks a rule."""

    _code = "topology"


class SnapshotError(RingshiftError, ValueError):
    """Bytes that are no snapshot, or a snapshot that may not take the present one's place."""

    _code = "snapshot_format"


class UnknownKeyspaceError(RingshiftError, LookupError):
    """No keyspace of that name."""

    _code = "unknown_keyspace"


class UnknownAttemptError(RingshiftError, LookupError):
    """A reply to an attempt that the operation doesn't wait for."""

    _code = "unknown_attempt"


class OperationFailedError(RingshiftError):
    """A read or write that failed; ``code`` says how, and what is known of its effect."""

    _code = "deadline"


class VersionConflictError(RingshiftError):
    """A put-if found another version: ``found``, ``None`` when nothing was there."""

    _code = "version_conflict"


class CrossShardError(RingshiftError, ValueError):
    """A transaction's keys are on several shards: ``shards`` has the keys of each, by its name."""

    _code = "cross_shard"
    shards: dict[str, list[Any]] | None = None


class RetryableError(RingshiftError):
    """A transaction's keys were rerouted before its commit. Nothing was changed: begin again."""

    _code = "retryable"


class StoreError(RingshiftError):
    """A shard's file or server said no."""

    _code = "store_io"


class TopologySourceError(RingshiftError):
    """The place that keeps the topology said no, or has none."""

    _code = "topology_io"


class DisposedError(RingshiftError):
    """A client that was closed."""

    _code = "disposed"


class PlanError(RingshiftError, ValueError):
    """A plan or a wish that can't be carried out."""

    _code = "plan"


# The one table: which slug is raised as what.
CLASSES: dict[str, type[RingshiftError]] = {
    "key_too_long": InvalidKeyError,
    "key_parts": InvalidKeyError,
    "key_encoding": InvalidKeyError,
    "key_type": KeyTypeError,
    "argument": ArgumentError,
    "weight": TopologyError,
    "topology": TopologyError,
    "no_slots": TopologyError,
    "snapshot_format": SnapshotError,
    "topology_format": SnapshotError,
    "foreign_cluster": SnapshotError,
    "older_snapshot": SnapshotError,
    "forked_snapshot": SnapshotError,
    "delta_base": SnapshotError,
    "unknown_keyspace": UnknownKeyspaceError,
    "unknown_attempt": UnknownAttemptError,
    "deadline": OperationFailedError,
    "indeterminate": OperationFailedError,
    "rejected": OperationFailedError,
    "wrong_role": OperationFailedError,
    "unfenced": OperationFailedError,
    "stale_epoch": OperationFailedError,
    "not_ready": OperationFailedError,
    "not_owner": OperationFailedError,
    "lease_over": OperationFailedError,
    "stale_term": OperationFailedError,
    "version_conflict": VersionConflictError,
    "transaction_keys": ArgumentError,
    "cross_shard": CrossShardError,
    "retryable": RetryableError,
    "plan": PlanError,
    "store_damaged": StoreError,
    "store_format": StoreError,
    "store_busy": StoreError,
    "store_io": StoreError,
    "topology_missing": TopologySourceError,
    "topology_io": TopologySourceError,
    "disposed": DisposedError,
}


def error_of(code: str, message: str, **facts: Any) -> RingshiftError:
    """Make the error of that slug, of the class that the table has for it."""
    return CLASSES.get(code, RingshiftError)(message, code=code, **facts)
