//! Types on their way in and out: arguments, keys, many keys at once, and data.

use std::borrow::Cow;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyByteArray, PyBytes, PyInt, PyList, PyMemoryView, PyString, PyTuple};
use ringshift::{Composite, ErrorCode, Instant, Version};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, argument};

/// An argument, of which the wrong type or range has the slug `argument`.
pub struct Arg<T>(pub T);

impl<'a, 'py, T: FromPyObject<'a, 'py>> FromPyObject<'a, 'py> for Arg<T> {
    type Error = PyErr;

    fn extract(given: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        given.extract::<T>().map(Self).map_err(|error| {
            let error: PyErr = error.into();
            argument(error.value(given.py())).into()
        })
    }
}

/// A version: Python's int of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PyVersion(pub Version);

impl std::fmt::Debug for PyVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.to_i64().fmt(f)
    }
}

impl<'py> FromPyObject<'_, 'py> for PyVersion {
    type Error = PyErr;

    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        let Arg(number) = given.extract()?;
        let version = Version::from_i64(number)
            .ok_or_else(|| argument(format_args!("{number} is no version: it is negative")))?;
        Ok(Self(version))
    }
}

impl<'py> IntoPyObject<'py> for PyVersion {
    type Target = PyInt;
    type Output = Bound<'py, PyInt>;
    type Error = std::convert::Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Self::Error> {
        self.0.to_i64().into_pyobject(py)
    }
}

/// A moment as Python has it: `None` for one that never comes.
pub fn moment(at: Instant) -> Option<u64> {
    (at != Instant::NEVER).then(|| at.as_millis())
}

/// Holds a machine for one call. A machine can't be left half changed: none of its calls panics.
// INVARIANT (no lock over Python): nothing of Python's is made or asked while a machine is held. It
// may let other threads run, and one that waits for the machine has what we would wait for.
pub fn locked<T>(machine: &Mutex<T>) -> MutexGuard<'_, T> {
    machine.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something of the package's own Python.
pub fn python<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    static MODULE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("ringshift._data")?.into_any().unbind())
    })?;
    module.bind(py).getattr(name)
}

/// Plain data for Python.
pub fn data<'py>(
    py: Python<'py>,
    value: &(impl Serialize + ?Sized),
) -> Result<Bound<'py, PyAny>, Error> {
    pythonize::pythonize(py, value).map_err(|error| Error::Python(error.into()))
}

/// Data from Python: dicts, lists and so on. `code` says what is wrong with others.
pub fn data_from<T: DeserializeOwned>(
    given: &Bound<'_, PyAny>,
    code: ErrorCode,
) -> Result<T, Error> {
    pythonize::depythonize(given).map_err(|error| Error::Ours(code, error.to_string()))
}

/// The same, or a JSON text: what people write.
pub fn text_or_data_from<T: DeserializeOwned>(
    given: &Bound<'_, PyAny>,
    code: ErrorCode,
) -> Result<T, Error> {
    let Ok(text) = given.cast::<PyString>() else { return data_from(given, code) };
    serde_json::from_str(text.to_str()?).map_err(|error| Error::Ours(code, error.to_string()))
}

/// A key's bytes, without a copy where it is text or bytes already.
#[inline]
pub fn key<'a>(given: &'a Bound<'_, PyAny>) -> Result<Cow<'a, [u8]>, Error> {
    if let Ok(text) = given.cast::<PyString>() {
        return match text.to_str() {
            Ok(text) => Ok(Cow::Borrowed(text.as_bytes())),
            Err(error) => Err(no_utf8(given.py(), error)),
        };
    }
    other_key(given)
}

#[cold]
fn no_utf8(py: Python<'_>, error: PyErr) -> Error {
    if error.is_instance_of::<PyUnicodeEncodeError>(py) {
        let message = format!("the key has no UTF-8 form: {}", error.value(py));
        return Error::Ours(ErrorCode::KeyEncoding, message);
    }
    error.into()
}

#[inline(never)]
fn other_key<'a>(given: &'a Bound<'_, PyAny>) -> Result<Cow<'a, [u8]>, Error> {
    if let Some(part) = part(given)? {
        return Ok(part);
    }
    let Ok(parts) = given.cast::<PyTuple>().map(|parts| parts.iter().collect::<Vec<_>>()) else {
        return match given.cast::<PyList>() {
            Ok(parts) => composite(parts.iter()),
            Err(_) => Err(no_key(given)),
        };
    };
    composite(parts.into_iter())
}

fn composite<'py>(
    parts: impl Iterator<Item = Bound<'py, PyAny>>,
) -> Result<Cow<'static, [u8]>, Error> {
    let mut key = Composite::new();
    for given in parts {
        key = match given.cast::<PyString>() {
            Ok(text) => key.str(text.to_str().map_err(|error| no_utf8(given.py(), error))?),
            Err(_) => key.bytes(&part(&given)?.ok_or_else(|| no_key(&given))?),
        };
    }
    Ok(Cow::Owned(key.finish()?))
}

/// Bytes, or an integer's digits.
fn part<'a>(given: &'a Bound<'_, PyAny>) -> Result<Option<Cow<'a, [u8]>>, Error> {
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(Some(Cow::Borrowed(bytes.as_bytes())));
    }
    if given.is_instance_of::<PyInt>() && !given.is_instance_of::<PyBool>() {
        if let Ok(number) = given.extract::<i128>() {
            return Ok(Some(Cow::Owned(number.to_string().into_bytes())));
        }
        // A subclass may print itself otherwise.
        let int = given.py().get_type::<PyInt>();
        let digits = int.call_method1("__repr__", (given,)).map_err(|_| no_key(given))?;
        return Ok(Some(Cow::Owned(digits.extract::<String>()?.into_bytes())));
    }
    if given.is_instance_of::<PyByteArray>() || given.is_instance_of::<PyMemoryView>() {
        return Ok(Some(Cow::Owned(bytes_of(given)?.as_bytes().to_vec())));
    }
    Ok(None)
}

#[cold]
fn no_key(given: &Bound<'_, PyAny>) -> Error {
    let kind = given.get_type();
    let kind = kind.name().map(|name| name.to_string()).unwrap_or_default();
    let message = format!(
        "a key can't be of type `{kind}`: give text, bytes, an integer, or a tuple of these"
    );
    Error::Ours(ErrorCode::KeyType, message)
}

/// Bytes as they are, or a copy of any other buffer's: what may change under us is never lent to
/// the core.
pub fn bytes_of<'py>(given: &Bound<'py, PyAny>) -> Result<Bound<'py, PyBytes>, Error> {
    if let Ok(bytes) = given.cast::<PyBytes>() {
        return Ok(bytes.clone());
    }
    let copied = PyMemoryView::from(given).and_then(|view| view.call_method0("tobytes"));
    let copied = copied.map_err(|error| argument(error.value(given.py())))?;
    Ok(copied.cast_into().map_err(PyErr::from)?)
}

/// Many keys in one byte string.
pub(crate) struct Packed<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

enum Layout {
    /// Where each key ends.
    Ends(Vec<u64>),
    /// Keys of so many bytes, filled up with zeros.
    Width(usize),
}

impl<'a> Packed<'a> {
    /// Bytes and where each key ends; or, with an int for `ends`, how long each is.
    pub(crate) fn of(bytes: &'a [u8], ends: &Bound<'_, PyAny>) -> Result<Self, Error> {
        let layout = match ends.extract() {
            Ok(width) => Layout::Width(width),
            Err(_) => Layout::Ends(numbers(ends)?),
        };
        Ok(Self { bytes, layout })
    }

    pub(crate) fn len(&self) -> usize {
        match &self.layout {
            Layout::Ends(ends) => ends.len(),
            Layout::Width(width) => self.bytes.len() / width.max(&1),
        }
    }

    /// Calls `each` for the keys in turn.
    pub(crate) fn each(
        &self,
        mut each: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &self.layout {
            Layout::Width(width) => {
                let mut filled = self.bytes.chunks_exact((*width).max(1));
                filled.try_for_each(|key| {
                    let zeros = key.iter().rev().take_while(|&&byte| byte == 0).count();
                    each(key.get(..key.len() - zeros).unwrap_or_default())
                })
            }
            Layout::Ends(ends) => {
                let mut start = 0;
                for &end in ends {
                    let end = usize::try_from(end).unwrap_or(usize::MAX);
                    let key = self.bytes.get(start..end).ok_or_else(|| {
                        let bytes = self.bytes.len();
                        argument(format_args!(
                            "a packed key can't go from {start} to {end}: there are {bytes} bytes, and ends never fall"
                        ))
                    })?;
                    each(key)?;
                    start = end;
                }
                Ok(())
            }
        }
    }
}

/// Numbers that aren't negative, of any buffer or sequence.
fn numbers(given: &Bound<'_, PyAny>) -> Result<Vec<u64>, Error> {
    macro_rules! buffer_of {
        ($($number:ty),*) => {$(
            if let Ok(ends) = PyBuffer::<$number>::get(given) {
                let ends = ends.to_vec(given.py())?.into_iter();
                return ends.map(|end| u64::try_from(end).map_err(argument)).collect();
            }
        )*};
    }
    buffer_of!(u32, u64, i32, i64);
    let Arg(ends) = given.extract()?;
    Ok(ends)
}
