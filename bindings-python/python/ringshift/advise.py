"""Counting what a router sees, and what to do about it.

A `Meter` counts one keyspace's operations, sampled. Loads are what meters have counted and stores
have measured, as data: `{"shards": [...], "keyspaces": [meter.loads, ...]}`. `advise` holds them
against triggers and answers what is wrong, what to do, and the `wish` that `migrate.plan` takes.
"""

from __future__ import annotations

from ringshift._ringshift import Meter, add_loads, advise

__all__ = ["Meter", "add_loads", "advise"]
