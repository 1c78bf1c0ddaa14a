//! What routes at present, and a keyspace of it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyDict, PyList, PyString, PyTuple};
use ringshift::{KeyspaceId, ShardIndex};

use crate::convert::{Arg, Packed, bytes_of, data, key, python};
use crate::error::Error;
use crate::indexes::{array, changed, each, filled, put};

/// What a router and its keyspaces share: what routes at present, to be replaced whole.
pub type Shared = Arc<ArcSwap<Routing>>;

/// What routes at present.
pub struct Routing {
    /// The core's router.
    pub router: ringshift::Router,
    /// The shards' names, in the order of their indexes.
    names: Vec<Py<PyString>>,
}

impl Routing {
    /// A router, with the names of its shards as Python's.
    pub fn new(py: Python<'_>, router: ringshift::Router) -> Self {
        let shards = router.snapshot().content().shards.iter();
        let names = shards.map(|shard| PyString::new(py, &shard.name).unbind()).collect();
        Self { router, names }
    }

    fn name(&self, py: Python<'_>, shard: ShardIndex) -> Py<PyString> {
        let name = self.names.get(usize::from(shard.0));
        name.map_or_else(|| PyString::new(py, "").unbind(), |name| name.clone_ref(py))
    }
}

/// One keyspace of a router: what routes keys.
#[pyclass(frozen, module = "ringshift")]
pub struct Keyspace {
    shared: Shared,
    #[pyo3(get)]
    name: String,
    id: KeyspaceId,
}

impl Keyspace {
    /// The keyspace of that name: it stays valid when `shared` gets something newer.
    pub fn new(shared: &Shared, name: String) -> Result<Self, Error> {
        let id = shared.load().router.keyspace(&name)?.id();
        Ok(Self { shared: Arc::clone(shared), name, id })
    }

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

    /// The plan that operations on `key` begin with.
    pub fn plan(&self, given: &Bound<'_, PyAny>) -> Result<ringshift::Plan, Error> {
        let key = key(given)?;
        self.with(|keyspace, _| Ok(keyspace.plan(&key)?))
    }

    /// What `ask` answers, by the snapshot in force.
    pub fn ask<T>(
        &self,
        ask: impl FnOnce(ringshift::Keyspace<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.with(|keyspace, _| ask(keyspace))
    }

    /// What a transaction on `keys` begins with, or why there can't be one.
    pub fn pin(
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
