//! Snapshot and Router: where keys are.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use ringshift::record::{advance, snapshot_in};
use ringshift::{Draft, ErrorCode, Topology};
use ringshift_python_routing::{Keyspace, Routing, Shared, indexes};

use crate::convert::{Arg, data, python, text_or_data_from};
use crate::error::Error;

/// The whole routing state at one epoch. Immutable.
#[pyclass(frozen, eq, hash, module = "ringshift")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct Snapshot(pub(crate) Arc<ringshift::Snapshot>);

#[pymethods]
impl Snapshot {
    /// The first snapshot of a topology as people write it: a dict, or its JSON text.
    #[staticmethod]
    fn from_topology(topology: &Bound<'_, PyAny>) -> Result<Self, Error> {
        let topology: Topology = text_or_data_from(topology, ErrorCode::Topology)?;
        Ok(Self(topology.snapshot()?.into()))
    }

    /// The snapshot with exactly this content, as `draft` gave it, or JSON.
    #[staticmethod]
    fn from_draft(draft: &Bound<'_, PyAny>) -> Result<Self, Error> {
        let draft: Draft = text_or_data_from(draft, ErrorCode::Topology)?;
        Ok(Self(ringshift::Snapshot::build(draft)?.into()))
    }

    /// The snapshot in `bytes`: those of a snapshot, or of a topology record.
    #[staticmethod]
    fn decode(bytes: Arg<&[u8]>) -> Result<Self, Error> {
        Ok(Self(snapshot_in(bytes.0)?))
    }

    /// The canonical bytes.
    fn encode<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.encode())
    }

    /// The snapshot that `bytes` lead to from this one: those of a delta, or of a whole snapshot or
    /// record.
    fn advance(&self, bytes: Arg<&[u8]>) -> Result<Self, Error> {
        Ok(Self(advance(&self.0, bytes.0)?))
    }

    /// The bytes of the delta from this snapshot to a newer one.
    fn delta<'py>(
        &self,
        py: Python<'py>,
        newer: &Bound<'py, Self>,
    ) -> Result<Bound<'py, PyBytes>, Error> {
        Ok(PyBytes::new(py, &self.0.delta(&newer.get().0)?.encode()))
    }

    /// The whole content, as plain data.
    fn draft<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Error> {
        data(py, self.0.content())
    }

    #[getter]
    fn epoch(&self) -> u32 {
        self.0.epoch().get()
    }

    #[getter]
    fn cluster(&self) -> &str {
        self.0.cluster()
    }

    /// What tells this snapshot from all others: SHA-256, in hex.
    #[getter]
    fn digest(&self) -> String {
        self.0.digest().to_string()
    }

    /// The shards, in the order of their indexes.
    #[getter]
    fn shards<'py>(&self, py: Python<'py>) -> Result<Vec<Bound<'py, PyAny>>, Error> {
        let class = python(py, "shard_info")?;
        let shards = self.0.content().shards.iter();
        shards.map(|shard| Ok(class.call1((data(py, shard)?,))?)).collect()
    }

    #[getter]
    fn keyspaces(&self) -> Vec<&str> {
        let keyspaces = self.0.content().keyspaces.iter();
        keyspaces.map(|keyspace| keyspace.name.as_str()).collect()
    }

    /// The shard index of each slot of a keyspace.
    fn owners<'py>(
        &self,
        py: Python<'py>,
        keyspace: Arg<&str>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let router = ringshift::Router::new(Arc::new(self.0.as_ref().clone()));
        indexes(py, router.keyspace(keyspace.0)?.owners().into_iter())
    }

    fn __reduce__<'py>(
        slf: &Bound<'py, Self>,
    ) -> PyResult<(Bound<'py, PyAny>, (Bound<'py, PyBytes>,))> {
        let decode = slf.get_type().getattr("decode")?;
        Ok((decode, (slf.get().encode(slf.py()),)))
    }

    fn __repr__(&self) -> String {
        let shards = self.0.content().shards.len();
        let (cluster, epoch, digest) = (self.cluster(), self.epoch(), self.digest());
        let digest = digest.get(..12).unwrap_or_default();
        format!("<ringshift.Snapshot {cluster:?} epoch={epoch} shards={shards} digest={digest}>")
    }

    fn _repr_svg_<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        python(slf.py(), "ring_svg")?.call1((slf,))
    }
}

/// Routes keys by a snapshot, and moves to the next. One for a process; any thread may call it.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct Router(Shared);

/// A snapshot, or its bytes.
fn snapshot_of(given: &Bound<'_, PyAny>) -> Result<Arc<ringshift::Snapshot>, Error> {
    match given.cast::<Snapshot>() {
        Ok(snapshot) => Ok(Arc::clone(&snapshot.get().0)),
        Err(_) => Ok(snapshot_in(given.extract::<Arg<&[u8]>>()?.0)?),
    }
}

#[pymethods]
impl Router {
    #[new]
    fn new(py: Python<'_>, snapshot: &Bound<'_, PyAny>) -> Result<Self, Error> {
        let snapshot = snapshot_of(snapshot)?;
        let router = py.detach(|| ringshift::Router::new(snapshot));
        Ok(Self(Arc::new(ArcSwap::from_pointee(Routing::new(py, router)))))
    }

    /// Puts a newer snapshot in force, for every keyspace of this router: `"replaced"`, or
    /// `"same"` for the one in force. An older or a foreign one is refused.
    fn install(&self, py: Python<'_>, snapshot: &Bound<'_, PyAny>) -> Result<&'static str, Error> {
        let snapshot = snapshot_of(snapshot)?;
        loop {
            let now = self.0.load_full();
            // Compiling takes a while: other threads may run, and install, meanwhile.
            let Some(newer) = py.detach(|| now.router.successor(Arc::clone(&snapshot)))? else {
                return Ok("same");
            };
            let newer = Arc::new(Routing::new(py, newer));
            if Arc::ptr_eq(&self.0.compare_and_swap(&now, newer), &now) {
                return Ok("replaced");
            }
        }
    }

    /// The snapshot in force.
    #[getter]
    fn snapshot(&self) -> Snapshot {
        Snapshot(Arc::clone(self.0.load().router.snapshot()))
    }

    #[getter]
    fn epoch(&self) -> u32 {
        self.0.load().router.snapshot().epoch().get()
    }

    /// The keyspace of that name: it stays valid over `install`.
    fn keyspace(&self, name: Arg<String>) -> Result<Keyspace, Error> {
        Keyspace::new(&self.0, name.0)
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (Bound<'py, PyBytes>,)) {
        let bytes = slf.get().snapshot().encode(slf.py());
        (slf.get_type().into_any(), (bytes,))
    }

    fn __repr__(&self) -> String {
        let snapshot = self.snapshot();
        format!("<ringshift.Router {:?} epoch={}>", snapshot.cluster(), snapshot.epoch())
    }
}
