//! Keys come through a scratch buffer in this module's memory, that JavaScript writes to before a
//! call.

use std::cell::RefCell;

use ringshift::{Composite, KeyError, ShardIndex};
use wasm_bindgen::prelude::*;

use crate::error::{Answer, Fault};

struct Scratch {
    bytes: Vec<u8>,
    ends: Vec<u32>,
    shards: Vec<ShardIndex>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = const {
        RefCell::new(Scratch { bytes: Vec::new(), ends: Vec::new(), shards: Vec::new() })
    };
}

/// Makes room in the scratch buffer for so many bytes and keys; answers where the bytes, the ends
/// of the keys and the answers are.
#[wasm_bindgen]
pub fn room(bytes: usize, keys: usize) -> Vec<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.bytes.resize(bytes, 0);
        scratch.ends.resize(keys, 0);
        scratch.shards.resize(keys, ShardIndex(0));
        let (bytes, ends) = (scratch.bytes.as_ptr(), scratch.ends.as_ptr());
        vec![bytes.addr(), ends.addr(), scratch.shards.as_ptr().addr()]
    })
}

/// Hands the first `bytes` of the scratch buffer to `answer`; `None` where it isn't that long.
#[inline]
pub(crate) fn with_key<T>(bytes: usize, answer: impl FnOnce(&[u8]) -> T) -> Option<T> {
    SCRATCH.with_borrow(|scratch| scratch.bytes.get(..bytes).map(answer))
}

/// What is said where there is no room for a key that the caller says is there.
pub(crate) fn no_room(bytes: usize) -> Fault {
    Fault::argument(format!("there is no room for a key of {bytes} bytes"))
}

/// Hands the keys in the scratch buffer, and room for as many answers, to `answer`.
pub(crate) fn with_batch(
    bytes: usize,
    count: usize,
    utf16: bool,
    answer: impl FnOnce(&mut dyn Iterator<Item = &[u8]>, &mut [ShardIndex]) -> Result<usize, KeyError>,
) -> Answer<()> {
    SCRATCH.with_borrow_mut(
        |Scratch {
             bytes: all,
             ends,
             shards,
         }| {
            let all = all.get(..bytes).unwrap_or_default();
            let ends = ends.get_mut(..count).unwrap_or_default();
            if utf16 && ends_in_bytes(all, ends).is_none() {
                let message =
                    "a key ends with half a surrogate pair, and the next begins with the other";
                return Err(Fault::new(ringshift::ErrorCode::KeyEncoding, message));
            }
            if !ends.is_sorted() || ends.last().is_some_and(|&end| end as usize > all.len()) {
                return Err(Fault::argument("`ends` must rise, and stay within `bytes`"));
            }
            let mut from = 0;
            let mut keys = ends.iter().map(|&end| {
                let key = all.get(from..end as usize).unwrap_or_default();
                from = end as usize;
                key
            });
            answer(&mut keys, shards)?;
            Ok(())
        },
    )
}

/// Turns ends counted in UTF-16 units into ends in bytes; `None` where one falls between the
/// halves of a surrogate pair, or past the text.
fn ends_in_bytes(text: &[u8], ends: &mut [u32]) -> Option<()> {
    let (mut units, mut at) = (0_u32, 0_u32);
    for end in ends {
        while units < *end {
            let (wide, long) = match text.get(at as usize)? {
                0..=0x7f => (1, 1),
                ..=0xdf => (1, 2),
                ..=0xef => (1, 3),
                _ => (2, 4),
            };
            (units, at) = (units + wide, at + long);
        }
        (units == *end).then_some(())?;
        *end = at;
    }
    Some(())
}

/// Makes one composite key of the parts in the scratch buffer, in their place.
pub(crate) fn join(bytes: usize, parts: usize) -> Answer<usize> {
    SCRATCH.with_borrow_mut(|scratch| {
        let (mut key, mut from) = (Composite::new(), 0);
        for &end in scratch.ends.get(..parts).unwrap_or_default() {
            key = key.bytes(scratch.bytes.get(from..end as usize).unwrap_or_default());
            from = end as usize;
        }
        let key = key.finish()?;
        let place = scratch
            .bytes
            .get_mut(..key.len())
            .ok_or_else(|| no_room(bytes))?;
        place.copy_from_slice(&key);
        Ok(key.len())
    })
}
