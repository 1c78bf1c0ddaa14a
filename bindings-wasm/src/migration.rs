//! Planning and coordinating migrations.
