//! The shard indexes of many keys, on their way out.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyList, PyTuple};
use ringshift::ShardIndex;

use crate::convert::python;
use crate::error::{Error, argument};

/// Bytes for so many shard indexes, filled by `fill`.
pub(crate) fn filled(
    py: Python<'_>,
    count: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), Error>,
) -> Result<Bound<'_, PyByteArray>, Error> {
    Ok(PyByteArray::new_with(py, 2 * count, |out| Ok(fill(out)?))?)
}

#[cold]
pub(crate) fn changed() -> Error {
    argument("the list of keys changed while it was read; give a copy of it")
}

#[inline]
pub(crate) fn put(
    out: &mut std::slice::ChunksExactMut<'_, u8>,
    shard: ShardIndex,
) -> Result<(), Error> {
    let place = out.next().ok_or_else(changed)?;
    place.copy_from_slice(&shard.0.to_ne_bytes());
    Ok(())
}

/// Calls `ask` with each of a list or tuple.
pub(crate) fn each<'py>(
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
pub(crate) fn array<'py>(
    py: Python<'py>,
    bytes: Bound<'py, PyByteArray>,
) -> Result<Bound<'py, PyAny>, Error> {
    Ok(python(py, "array")?.call1((bytes,))?)
}

/// All of `indexes` as such an array.
pub fn indexes(
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
