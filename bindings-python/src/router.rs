//! Snapshot, Router and Keyspace: where keys are.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyString, PyTuple};
use ringshift::record::{advance, snapshot_in};
use ringshift::{Draft, ErrorCode, KeyspaceId, ShardIndex, Topology};

use crate::convert::{Arg, Packed, bytes_of, data, key, python, text_or_data_from};
use crate::error::{Error, argument};

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
        numbers_array(py, router.keyspace(keyspace.0)?.owners().into_iter())
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

/// What routes at present; replaced whole.
struct Routing {
    router: ringshift::Router,
    /// The shards' names, in the order of their indexes.
    names: Vec<Py<PyString>>,
}

impl Routing {
    fn new(py: Python<'_>, router: ringshift::Router) -> Self {
        let shards = router.snapshot().content().shards.iter();
        let names = shards.map(|shard| PyString::new(py, &shard.name).unbind()).collect();
        Self { router, names }
    }

    fn name(&self, py: Python<'_>, shard: ShardIndex) -> Py<PyString> {
        let name = self.names.get(usize::from(shard.0));
        name.map_or_else(|| PyString::new(py, "").unbind(), |name| name.clone_ref(py))
    }
}

/// Routes keys by a snapshot, and moves to the next. One for a process; any thread may call it.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct Router(Arc<ArcSwap<Routing>>);

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
        let id = self.0.load().router.keyspace(&name.0)?.id();
        Ok(Keyspace { shared: Arc::clone(&self.0), name: name.0, id })
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

/// One keyspace of a router: what routes keys.
#[pyclass(frozen, module = "ringshift")]
pub(crate) struct Keyspace {
    shared: Arc<ArcSwap<Routing>>,
    #[pyo3(get)]
    name: String,
    id: KeyspaceId,
}

impl Keyspace {
    /// What `ask` answers, by the snapshot in force.
    #[inline]
    fn with<T>(
        &self,
        ask: impl FnOnce(ringshift::Keyspace<'_>, &Routing) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let now = self.shared.load();
        match now.router.keyspace_at(self.id) {
            Some(keyspace) => ask(keyspace, &now),
            // A later snapshot may be without it.
            None => ask(now.router.keyspace(&self.name)?, &now),
        }
    }

    /// What `ask` answers, by the snapshot in force.
    pub(crate) fn ask<T>(
        &self,
        ask: impl FnOnce(ringshift::Keyspace<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with(|keyspace, _| ask(keyspace))
    }

    /// The plan that operations on `key` begin with.
    pub(crate) fn plan(&self, given: &Bound<'_, PyAny>) -> Result<ringshift::Plan, Error> {
        let key = key(given)?;
        self.with(|keyspace, _| Ok(keyspace.plan(&key)?))
    }

    /// What a transaction on `keys` begins with, or why there can't be one.
    pub(crate) fn pin(
        &self,
        keys: &[Bound<'_, PyAny>],
    ) -> Result<Result<ringshift::Pinned, ringshift::PinError>, Error> {
        let keys = keys.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        self.with(|keyspace, _| Ok(keyspace.transaction(&keys)))
    }

    /// The shard indexes of many keys, two bytes each.
    fn indexes<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        ends: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyByteArray>, Error> {
        let py = keys.py();
        let columns;
        let (bytes, ends) = if let Some(ends) = ends {
            (keys, ends)
        } else if keys.is_instance_of::<PyList>() || keys.is_instance_of::<PyTuple>() {
            return self.listed(keys);
        } else {
            columns = python(py, "columns")?
                .call1((keys,))?
                .extract::<(Bound<'py, PyAny>, Bound<'py, PyAny>)>()?;
            if columns.1.is_none() {
                return self.listed(&columns.0);
            }
            (&columns.0, &columns.1)
        };
        let bytes = bytes_of(bytes)?;
        let packed = Packed::of(bytes.as_bytes(), ends)?;
        self.with(|keyspace, _| {
            filled(py, packed.len(), |out| {
                // The caller's bytes can't change: other threads may run meanwhile.
                py.detach(|| {
                    let mut out = out.chunks_exact_mut(2);
                    packed.each(|key| put(&mut out, keyspace.route(key)?.shard))
                })
            })
        })
    }

    fn listed<'py>(&self, keys: &Bound<'py, PyAny>) -> Result<Bound<'py, PyByteArray>, Error> {
        self.with(|keyspace, _| {
            filled(keys.py(), keys.len()?, |out| {
                let mut out = out.chunks_exact_mut(2);
                each(keys, |given| put(&mut out, keyspace.route(&key(given)?)?.shard))?;
                // Another thread may have made the list longer, or shorter.
                if out.next().is_none() { Ok(()) } else { Err(changed()) }
            })
        })
    }
}

/// Bytes for so many shard indexes, filled by `fill`.
fn filled(
    py: Python<'_>,
    count: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), Error>,
) -> Result<Bound<'_, PyByteArray>, Error> {
    Ok(PyByteArray::new_with(py, 2 * count, |out| Ok(fill(out)?))?)
}

#[cold]
fn changed() -> Error {
    argument("the list of keys changed while it was read; give a copy of it")
}

#[inline]
fn put(out: &mut std::slice::ChunksExactMut<'_, u8>, shard: ShardIndex) -> Result<(), Error> {
    let place = out.next().ok_or_else(changed)?;
    place.copy_from_slice(&shard.0.to_ne_bytes());
    Ok(())
}

/// Calls `ask` with each of a list or tuple.
fn each<'py>(
    keys: &Bound<'py, PyAny>,
    mut ask: impl FnMut(&Bound<'py, PyAny>) -> Result<(), Error>,
) -> Result<(), Error> {
    match keys.cast::<PyList>() {
        Ok(list) => list.iter().try_for_each(|given| ask(&given)),
        Err(_) => {
            keys.cast::<PyTuple>().map_err(PyErr::from)?.iter().try_for_each(|given| ask(&given))
        }
    }
}

/// Shard indexes as an array: numpy's when it is there.
fn array<'py>(py: Python<'py>, bytes: Bound<'py, PyByteArray>) -> Result<Bound<'py, PyAny>, Error> {
    Ok(python(py, "array")?.call1((bytes,))?)
}

fn numbers_array(
    py: Python<'_>,
    indexes: impl ExactSizeIterator<Item = ShardIndex>,
) -> Result<Bound<'_, PyAny>, Error> {
    let bytes = filled(py, indexes.len(), |out| {
        let mut out = out.chunks_exact_mut(2);
        let mut indexes = indexes;
        indexes.try_for_each(|index| put(&mut out, index))
    })?;
    array(py, bytes)
}

#[pymethods]
impl Keyspace {
    /// The keyspace's number.
    #[getter]
    fn id(&self) -> u16 {
        self.id.0
    }

    /// The index of the shard that orders the key's writes: its place in `snapshot.shards`.
    #[pyo3(signature = (key, /))]
    fn route(&self, key: &Bound<'_, PyAny>) -> Result<u16, Error> {
        let key = crate::convert::key(key)?;
        self.with(|keyspace, _| Ok(keyspace.route(&key)?.shard.0))
    }

    /// That shard's name.
    fn shard_of(&self, key: &Bound<'_, PyAny>) -> Result<Py<PyString>, Error> {
        let (py, key) = (key.py(), crate::convert::key(key)?);
        self.with(|keyspace, now| Ok(now.name(py, keyspace.route(&key)?.shard)))
    }

    /// Shard, slot, domain, epoch and phase of a key.
    fn describe<'py>(&self, key: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Error> {
        self.explained("description", key)
    }

    /// Each step from the key to its shards.
    fn explain<'py>(&self, key: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Error> {
        self.explained("explanation", key)
    }

    /// The shard index of each key: numpy's uint16 array when numpy is there, else `array('H')`.
    #[pyo3(signature = (keys, ends=None))]
    fn route_many<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        ends: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        array(keys.py(), self.indexes(keys, ends)?)
    }

    /// The same into `out`, a buffer of uint16; answers how many.
    #[pyo3(signature = (keys, out, ends=None))]
    fn route_many_into<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        out: &Bound<'py, PyAny>,
        ends: Option<&Bound<'py, PyAny>>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let bytes = self.indexes(keys, ends)?;
        Ok(python(keys.py(), "copy_into")?.call1((bytes, out))?)
    }

    /// The places of the keys, by the name of the shard that orders their writes.
    fn group_by_shard<'py>(&self, keys: &Bound<'py, PyAny>) -> Result<Bound<'py, PyDict>, Error> {
        let (py, groups) = (keys.py(), PyDict::new(keys.py()));
        let listed = keys.try_iter()?.collect::<PyResult<Vec<_>>>()?;
        // The first key that is refused says why, whether it is no key or can't be routed.
        let (mut keys, mut refused) = (Vec::new(), None);
        for given in &listed {
            match key(given) {
                Ok(key) => keys.push(key),
                Err(error) => {
                    refused = Some(error);
                    break;
                }
            }
        }
        self.with(|keyspace, now| {
            let found = keyspace.group_by_shard(keys.iter().map(AsRef::as_ref))?.by_shard;
            refused.map_or(Ok(()), Err)?;
            for (shard, places) in found {
                groups.set_item(now.name(py, shard), places)?;
            }
            Ok(())
        })?;
        Ok(groups)
    }

    /// The names of up to `n` shards for copies of the key, its own first.
    fn replicas(&self, key: &Bound<'_, PyAny>, n: Arg<usize>) -> Result<Vec<Py<PyString>>, Error> {
        let (py, key) = (key.py(), crate::convert::key(key)?);
        self.with(|keyspace, now| {
            let shards = keyspace.replicas(&key, n.0)?.into_iter();
            Ok(shards.map(|shard| now.name(py, shard)).collect())
        })
    }

    /// All shards with their share of the slots, for a fan-out.
    fn shards<'py>(&self, py: Python<'py>) -> Result<Vec<Bound<'py, PyAny>>, Error> {
        let class = python(py, "ShardShare")?;
        self.with(|keyspace, _| {
            let shares = keyspace.shards().map(|(shard, share)| {
                let phase = share.phase.map(ringshift::Phase::name);
                Ok(class.call1((&shard.name, share.slots, share.mirrored, phase))?)
            });
            shares.collect()
        })
    }

    fn __repr__(&self) -> String {
        format!("<ringshift.Keyspace {:?} id={}>", self.name, self.id)
    }
}

impl Keyspace {
    fn explained<'py>(
        &self,
        class: &str,
        given: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>, Error> {
        let key = key(given)?;
        let facts = self.with(|keyspace, _| Ok(keyspace.explain(&key)?))?;
        let facts = data(given.py(), &facts)?;
        Ok(python(given.py(), class)?.call1((facts,))?)
    }
}
