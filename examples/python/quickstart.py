"""Twenty lines of Ringshift: python examples/python/quickstart.py."""

from ringshift import Client, Snapshot
from ringshift.errors import VersionConflictError
from ringshift.stores import memory
from ringshift.topology import fixed

shards = [{"id": 1, "name": "pg-1"}, {"id": 2, "name": "pg-2", "weight": 0.5}]
topology = {"cluster": "demo", "keyspaces": {"orders": {}}, "shards": shards}

with Client.open(topology=fixed(Snapshot.from_topology(topology)), store=memory()) as client:
    orders = client.keyspace("orders")
    print(orders.shard_of("user:42"))  # one hash and one load
    written = orders.put("user:42", "3 apples")
    print(orders.get("user:42"))
    try:
        orders.put_if("user:42", "4 apples", expected=None)
    except VersionConflictError as conflict:
        orders.put_if("user:42", "4 apples", expected=conflict.found)
    print(orders.explain("user:42"))
