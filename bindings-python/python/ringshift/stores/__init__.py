"""Stores that come with the package: shards in memory, and shards in SQLite files."""

from ringshift.stores._memory import MemoryStore, memory
from ringshift.stores._sqlite import SqliteStore, sqlite

__all__ = ["MemoryStore", "SqliteStore", "memory", "sqlite"]
