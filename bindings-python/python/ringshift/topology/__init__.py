"""Where snapshots come from: a file, a server, or one that never changes."""

from ringshift.topology.file import FileTopology, file
from ringshift.topology.fixed import FixedTopology, fixed
from ringshift.topology.http import HttpTopology, http

__all__ = ["FileTopology", "FixedTopology", "HttpTopology", "file", "fixed", "http"]
