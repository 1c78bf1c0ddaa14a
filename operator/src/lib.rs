//! Real input and output around the core.
