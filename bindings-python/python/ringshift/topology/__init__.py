"""Where snapshots come from: a file, a server, or one that never changes."""

from ringshift.topology._file import FileTopology, file
from ringshift.topology._fixed import FixedTopology, fixed
from ringshift.topology._http import HttpTopology, http

__all__ = ["FileTopology", "FixedTopology", "HttpTopology", "file", "fixed", "http"]
