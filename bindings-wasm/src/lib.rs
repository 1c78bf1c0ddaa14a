//! The core for JavaScript. Types are converted here; nothing is decided here.
