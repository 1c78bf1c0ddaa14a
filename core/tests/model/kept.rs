//! Parts of a state that seldom change: shared by the states that have them alike, and hashed once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// A value, and its hash. A step of the model changes one part of the state or two; the others cost
/// it a pointer to copy and eight bytes to hash.
#[derive(Clone, Debug)]
pub(crate) struct Kept<T> {
    value: Arc<T>,
    hash: u64,
}

impl<T: Clone + Hash> Kept<T> {
    pub(crate) fn new(value: T) -> Self {
        let hash = hash_of(&value);
        let value = Arc::new(value);
        Self { value, hash }
    }

    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        let value = Arc::make_mut(&mut self.value);
        let result = change(value);
        self.hash = hash_of(value);
        result
    }
}

impl<T> Kept<T> {
    /// What two that are alike are sorted by.
    pub(crate) fn order(&self) -> u64 {
        self.hash
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        let same = Arc::ptr_eq(&self.value, &other.value);
        same || (self.hash == other.hash && self.value == other.value)
    }
}

impl<T> Hash for Kept<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
