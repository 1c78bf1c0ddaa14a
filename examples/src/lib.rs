//! Runnable examples; see the folders beside this file.
