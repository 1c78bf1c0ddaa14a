//! The content of a snapshot as bytes, and back: postcard's form, written out.
//!
//! serde's derived code for the same is several times as long, and goes with every page that has a
//! client. A number is LEB128, a list its length and its elements, a variant its place and its
//! fields.

use alloc::string::String;
use alloc::vec::Vec;

use crate::ids::{DomainId, Epoch, KeyspaceId, ShardId, ShardIndex, SlotRange};
use crate::key::KeyRule;
use crate::phase::{Phase, Side};
use crate::scope::Match;
use crate::slotting::{ForeignHash, Ketama, KetamaServer, Modulo, Slotting};
use crate::snapshot::{
    ClientLease, Draft, Entry, Home, KeyspaceDraft, Placement, Run, Shard, ShardState, Target,
};
use crate::wave::Wave;
use crate::weight::Weight;

/// The bytes of `draft`.
pub(super) fn encode(draft: &Draft) -> Vec<u8> {
    let mut bytes = Vec::new();
    draft.put(&mut bytes);
    bytes
}

/// The draft whose bytes these are, with nothing behind them.
pub(super) fn decode(mut bytes: &[u8]) -> Option<Draft> {
    let draft = Draft::get(&mut bytes)?;
    bytes.is_empty().then_some(draft)
}

/// What has such bytes. `get` takes them from the front, and believes no length.
trait Wire: Sized {
    fn put(&self, to: &mut Vec<u8>);
    fn get(from: &mut &[u8]) -> Option<Self>;
}

#[inline(never)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "seven bits, and then what is left of them"
)]
fn put(to: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        to.push(0x80 | number as u8);
        number >>= 7;
    }
    to.push(number as u8);
}

#[inline(never)]
fn number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for place in 0..10 {
        let byte = byte(from)?;
        let bits = u64::from(byte & 0x7f);
        number |= bits << (7 * place);
        if byte & 0x80 == 0 {
            // What a shift has lost, or a longer form, is no number of ours.
            let shortest = byte > 0 || place == 0;
            return (shortest && number >> (7 * place) == bits).then_some(number);
        }
    }
    None
}

fn byte(from: &mut &[u8]) -> Option<u8> {
    let (first, rest) = from.split_first()?;
    *from = rest;
    Some(*first)
}

macro_rules! numbers {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            fn put(&self, to: &mut Vec<u8>) {
                put(to, u64::from(*self));
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                Self::try_from(number(from)?).ok()
            }
        }
    )*};
}

/// What is a number, and is made of it by `of`.
macro_rules! counted {
    ($($type:ty: $number:ty, $of:expr, $get:expr;)*) => {$(
        impl Wire for $type {
            fn put(&self, to: &mut Vec<u8>) {
                let number: $number = $get(*self);
                number.put(to);
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                $of(<$number>::get(from)?)
            }
        }
    )*};
}

macro_rules! fields {
    ($($type:ty { $($field:ident),* })*) => {$(
        impl Wire for $type {
            #[inline(never)]
            fn put(&self, to: &mut Vec<u8>) {
                $(self.$field.put(to);)*
            }
            #[inline(never)]
            fn get(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: Wire::get(from)?),* })
            }
        }
    )*};
}

macro_rules! variants {
    ($($type:ty {
        $($place:literal $variant:ident $(($of:ident))? $({ $($field:ident),* })?,)*
    })*) => {$(
        impl Wire for $type {
            fn put(&self, to: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($of))? $({ $($field),* })? => {
                        to.push($place);
                        $($of.put(to);)?
                        $($($field.put(to);)*)?
                    })*
                }
            }
            fn get(from: &mut &[u8]) -> Option<Self> {
                Some(match byte(from)? {
                    $($place => Self::$variant
                        $(({ let $of = Wire::get(from)?; $of }))?
                        $({ $($field: Wire::get(from)?),* })?,)*
                    _ => return None,
                })
            }
        }
    )*};
}

numbers!(u16, u32, u64);

counted! {
    ShardId: u32, |n| Some(Self(n)), |it: Self| it.0;
    DomainId: u32, |n| Some(Self(n)), |it: Self| it.0;
    KeyspaceId: u16, |n| Some(Self(n)), |it: Self| it.0;
    ShardIndex: u16, |n| Some(Self(n)), |it: Self| it.0;
    Epoch: u32, Epoch::new, Epoch::get;
    Weight: u32, |n| Self::from_thousandths(n).ok(), Weight::thousandths;
}

fields! {
    Draft { cluster, epoch, next_domain, shards, keyspaces, client_lease }
    ClientLease { lease_ms, attempt_ms, margin_ms }
    Shard { id, name, endpoint, weight, zone, tags, state, unfenced }
    KeyspaceDraft {
        id, name, bits, seed, rule, slotting, placement, assignment, homes, directory, waves
    }
    Run { len, shard }
    Home { domain, epoch }
    Entry { matches, slots, target, domain, epoch }
    Wave {
        domain, epoch, drained, authority_epoch, first, from, to, phase, ramp_ppm, shadow_ppm, strict,
        lease_ms, slots, matches, origin, pins, switching
    }
    Modulo { hash, seed, buckets, bits }
    Ketama { servers, bits }
    KetamaServer { name, digests }
}

variants! {
    ShardState { 0 Active, 1 Draining, }
    KeyRule { 0 Whole, 1 HashTag, 2 Parts(parts), }
    Placement { 0 Balanced { vnodes }, 1 Ring { vnodes }, }
    Target { 0 Shard(shard), 1 Keyspace(keyspace), }
    Side { 0 From, 1 To, }
    Phase { 0 Prepare, 1 DoubleWrite, 2 ShadowRead, 3 ReadNew, 4 Reversed, 5 Ended(side), }
    Match { 0 Exact(key), 1 Prefix(prefix), 2 Range { start, end }, }
    Slotting { 0 Xxh3, 1 Modulo(modulo), 2 RedisCluster, 3 Ketama(ketama), }
    ForeignHash { 0 Crc32, 1 Md5, 2 Md5Whole, 3 Fnv1a64, 4 Murmur3, 5 Xxh64, 6 Xxh3, }
}

impl Wire for u8 {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(*self);
    }
    fn get(from: &mut &[u8]) -> Option<Self> {
        byte(from)
    }
}

impl Wire for bool {
    fn put(&self, to: &mut Vec<u8>) {
        to.push(u8::from(*self));
    }
    fn get(from: &mut &[u8]) -> Option<Self> {
        match byte(from)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, to: &mut Vec<u8>) {
        self.is_some().put(to);
        if let Some(it) = self {
            it.put(to);
        }
    }
    fn get(from: &mut &[u8]) -> Option<Self> {
        if !bool::get(from)? {
            return Some(None);
        }
        T::get(from).map(Some)
    }
}

impl<T: Wire> Wire for Vec<T> {
    #[inline(never)]
    fn put(&self, to: &mut Vec<u8>) {
        put(to, self.len() as u64);
        for one in self {
            one.put(to);
        }
    }
    #[inline(never)]
    fn get(from: &mut &[u8]) -> Option<Self> {
        let mut all = Self::new();
        // Each has a byte at least, so a length that isn't true ends where the bytes do.
        for _ in 0..number(from)? {
            all.push(T::get(from)?);
        }
        Some(all)
    }
}

impl Wire for String {
    fn put(&self, to: &mut Vec<u8>) {
        put(to, self.len() as u64);
        to.extend_from_slice(self.as_bytes());
    }
    #[inline(never)]
    fn get(from: &mut &[u8]) -> Option<Self> {
        Self::from_utf8(Vec::get(from)?).ok()
    }
}

/// A run of slots: how far it begins after the end of the last, and how long it is. The numbers
/// wrap, so that each list has one form: what is right is validation's to say.
impl Wire for Vec<SlotRange> {
    #[inline(never)]
    fn put(&self, to: &mut Vec<u8>) {
        put(to, self.len() as u64);
        let mut end = 0_u32;
        for run in self {
            run.start.wrapping_sub(end).put(to);
            run.end.wrapping_sub(run.start).put(to);
            end = run.end;
        }
    }
    #[inline(never)]
    fn get(from: &mut &[u8]) -> Option<Self> {
        let (mut all, mut last) = (Self::new(), 0_u32);
        for _ in 0..number(from)? {
            let start = u32::get(from)?.wrapping_add(last);
            last = u32::get(from)?.wrapping_add(start);
            all.push(SlotRange { start, end: last });
        }
        Some(all)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that fails should say where")]
mod tests {
    use core::fmt::Debug;

    use alloc::vec;

    use super::*;

    /// As postcard writes it, and read back; cut short it is nothing.
    fn same<T: Wire + serde::Serialize + Debug + PartialEq>(all: impl IntoIterator<Item = T>) {
        for one in all {
            let mut bytes = Vec::new();
            one.put(&mut bytes);
            assert_eq!(bytes, postcard::to_allocvec(&one).unwrap(), "{one:?}");
            for len in 0..bytes.len() {
                assert_eq!(T::get(&mut bytes.get(..len).unwrap()), None, "{one:?}");
            }
            assert_eq!(T::get(&mut bytes.as_slice()), Some(one));
        }
    }

    #[test]
    fn every_kind_is_written_as_postcard_writes_it() {
        use ForeignHash as H;
        same([0, 1, 127, 128, 16_383, 16_384, u64::MAX >> 1, u64::MAX]);
        same([0, 300, u16::MAX]);
        same([Some(String::from("a\u{1f511}")), None]);
        same([Epoch::ZERO, Epoch::MAX]);
        same([Weight::ZERO, Weight::ONE, Weight::MAX]);
        same([ShardState::Active, ShardState::Draining]);
        same([KeyRule::Whole, KeyRule::HashTag, KeyRule::Parts(200)]);
        same([
            Placement::Balanced { vnodes: 160 },
            Placement::Ring { vnodes: 1 },
        ]);
        same([Target::Shard(ShardId(7)), Target::Keyspace(KeyspaceId(300))]);
        same(Phase::ALL.iter().copied());
        let (start, end) = (b"a".to_vec(), vec![0xff; 200]);
        same([
            Match::Exact(start.clone()),
            Match::Prefix(end.clone()),
            Match::Range { start, end },
        ]);
        let hashes = [
            H::Crc32,
            H::Md5,
            H::Md5Whole,
            H::Fnv1a64,
            H::Murmur3,
            H::Xxh64,
            H::Xxh3,
        ];
        same(hashes.map(|hash| {
            let (seed, buckets, bits) = (u32::MAX, 12, 20);
            Slotting::Modulo(Modulo {
                hash,
                seed,
                buckets,
                bits,
            })
        }));
        let (name, digests) = (String::from("10.0.0.1:11211"), 40);
        let servers = vec![KetamaServer { name, digests }];
        same([
            Slotting::Xxh3,
            Slotting::RedisCluster,
            Slotting::Ketama(Ketama { servers, bits: 16 }),
        ]);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        let ten = |last: u8| [[0xff; 9].as_slice(), &[last]].concat();
        assert_eq!(number(&mut ten(1).as_slice()), Some(u64::MAX));
        for bytes in [ten(2), ten(0x81), ten(0), vec![0x80, 0], vec![]] {
            assert_eq!(number(&mut bytes.as_slice()), None, "{bytes:?}");
        }
        assert_eq!(u16::get(&mut [0x80, 0x80, 4].as_slice()), None);
        let epoch = <Epoch as Wire>::get(&mut [0x80, 0x80, 0x80, 0x80, 8].as_slice());
        assert_eq!(epoch, None);
        assert_eq!(bool::get(&mut [2].as_slice()), None);
        assert_eq!(Side::get(&mut [2].as_slice()), None);
        // A length that nothing stands behind allocates nothing.
        assert_eq!(Vec::<u64>::get(&mut ten(1).as_slice()), None);
        assert_eq!(String::get(&mut [1, 0xff].as_slice()), None);
    }
}
