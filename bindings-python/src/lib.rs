//! The core for Python. Types are converted here; nothing is decided here.
//!
//! Three crates, since each is compiled in one way: `routing` is what a key runs through, for speed;
//! `cold` is the rest, for size; and this one, which only puts both into a module, is for speed
//! because the linker takes from it how readily functions of `routing` go into each other.

/// The private half of the package `ringshift`.
#[pyo3::pymodule(gil_used = false)]
mod _ringshift {
    use pyo3::prelude::*;

    #[pymodule_export]
    use ringshift_python_routing::Keyspace;

    #[pymodule_export]
    const VERSION: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        ringshift_python_cold::fill(module)
    }
}
