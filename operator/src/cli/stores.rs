//! Where the shards' files are.

use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringshift::{Shard, ShardId};
use ringshift_operator::client::Stores;
use ringshift_operator::store::SqliteStore;

use crate::cli::CliError;

/// What `--stores` says: a folder, or a path with `{name}` or `{id}` in it.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    pattern: PathBuf,
}

impl Shelf {
    /// Without a pattern, the folder that the topology file is in.
    pub(super) fn new(pattern: Option<&Path>, topology: &Path) -> Self {
        let beside = topology.parent().unwrap_or(Path::new(""));
        Self {
            pattern: pattern.unwrap_or(beside).to_owned(),
        }
    }

    /// The shard's file. In a folder it is the shard's endpoint, or `NAME.db` where it has none.
    pub(super) fn path(&self, shard: &Shard) -> PathBuf {
        let text = self.pattern.to_string_lossy();
        if text.contains("{name}") || text.contains("{id}") {
            let id = shard.id.to_string();
            return text
                .replace("{name}", &shard.name)
                .replace("{id}", &id)
                .into();
        }
        if shard.endpoint.is_empty() {
            self.pattern.join(format!("{}.db", shard.name))
        } else {
            self.pattern.join(&shard.endpoint)
        }
    }

    /// Opens the shard's file, which must be there already.
    pub(super) fn open(&self, shard: &Shard) -> Result<Arc<SqliteStore>, CliError> {
        let path = self.path(shard);
        if path.exists() {
            return self.make(shard);
        }
        Err(CliError::Refused(format!(
            "shard `{}` has no file `{}`; say where the files are with --stores 'folder/{{name}}.db'",
            shard.name,
            path.display()
        )))
    }

    /// The same, and makes it when there is none: for a shard that is new.
    pub(super) fn make(&self, shard: &Shard) -> Result<Arc<SqliteStore>, CliError> {
        match SqliteStore::open(self.path(shard)) {
            Ok(store) => Ok(Arc::new(store)),
            Err(error) => Err(CliError::Refused(format!(
                "can't open shard `{}`: {error} ({})",
                shard.name,
                error.code()
            ))),
        }
    }

    /// Those of all `shards`; `makes` says of which a file may be made.
    pub(super) fn all<'s>(
        &self,
        shards: impl IntoIterator<Item = &'s Shard>,
        makes: impl Fn(ShardId) -> bool,
    ) -> Result<Stores, CliError> {
        let mut stores = Stores::new();
        for shard in shards {
            if let Entry::Vacant(place) = stores.entry(shard.id) {
                place.insert(if makes(shard.id) {
                    self.make(shard)?
                } else {
                    self.open(shard)?
                });
            }
        }
        Ok(stores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ringshift::ShardTopology;

    #[test]
    fn a_pattern_names_each_shard_s_file() {
        let of = |pattern: Option<&str>, text: &str| {
            let shard = serde_json::from_str::<ShardTopology>(text).ok();
            let shard = shard.and_then(|shard| shard.shard().ok());
            let shelf = Shelf::new(pattern.map(Path::new), Path::new("here/c.topology"));
            shard.map(|shard| shelf.path(&shard).to_string_lossy().into_owned())
        };
        let plain = r#"{"id":7,"name":"a"}"#;
        let placed = r#"{"id":7,"name":"a","endpoint":"x/y.db"}"#;
        assert_eq!(of(None, plain).as_deref(), Some("here/a.db"));
        assert_eq!(of(Some("f"), plain).as_deref(), Some("f/a.db"));
        assert_eq!(of(Some("f"), placed).as_deref(), Some("f/x/y.db"));
        let both = of(Some("f/{id}-{name}.sqlite"), placed);
        assert_eq!(both.as_deref(), Some("f/7-a.sqlite"));
    }
}
