//! The core for Python. Types are converted here; nothing is decided here.
