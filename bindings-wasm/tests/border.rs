//! The border itself, in whatever engine the tests are run: numbers, sentinels, thrown errors and
//! the scratch buffer. What people see of it is tested through the package, in `tests/js`.
#![cfg(all(target_family = "wasm", feature = "migrate"))]
#![expect(clippy::unwrap_used, reason = "a test")]

use js_sys::{Reflect, Uint8Array};
use ringshift_wasm::{
    MemoryShard, Operation, RefreshGate, Router, Snapshot, composite, error_codes, room,
    row_digest, too_long,
};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::wasm_bindgen_test;

const TOPOLOGY: &str = r#"{"cluster":"demo","keyspaces":{"orders":{"bits":8},"rooms":{"key":{"parts":1}}},
    "shards":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}"#;

fn router() -> Router {
    Router::new(&snapshot())
}

fn snapshot() -> Snapshot {
    Snapshot::from_topology(TOPOLOGY).ok().unwrap()
}

/// Writes to the scratch buffer as JavaScript does: through a view on the module's memory.
fn put(key: &[u8]) -> usize {
    let at = room(256, 4)[0];
    let memory = wasm_bindgen::memory().unchecked_into::<js_sys::WebAssembly::Memory>();
    let place = u32::try_from(at).unwrap();
    let view = Uint8Array::new_with_byte_offset_and_length(&memory.buffer(), place, 256);
    view.set(&Uint8Array::from(key), 0);
    key.len()
}

fn field(value: &JsValue, name: &str) -> JsValue {
    Reflect::get(value, &name.into()).unwrap()
}

fn code<T>(answer: Result<T, impl Into<JsValue>>) -> String {
    let error: JsValue = answer.err().unwrap().into();
    assert!(error.is_instance_of::<js_sys::Error>());
    field(&error, "code").as_string().unwrap()
}

#[wasm_bindgen_test]
fn a_key_is_routed_from_the_scratch_buffer() {
    let router = router();
    let orders = router.keyspace_id("orders").ok().unwrap();
    let shard = router.route(orders, put(b"user:42"));
    assert!(shard < 2);
    let found = router.explain(orders, put(b"user:42")).ok().unwrap();
    let name = ["a", "b"][shard as usize];
    assert_eq!(field(&found, "authority").as_string().unwrap(), name);
    // The number that says "ask why", and the answer to that.
    let rooms = router.keyspace_id("rooms").ok().unwrap();
    assert_eq!(router.route(rooms, put(b"plain")), u32::MAX);
    assert_eq!(code(router.explain(rooms, put(b"plain"))), "key_parts");
    assert_eq!(router.route(9, put(b"k")), u32::MAX);
    assert_eq!(code(router.explain(9, put(b"k"))), "argument");
    assert_eq!(router.route(orders, usize::MAX), u32::MAX);
    assert_eq!(code(router.explain(orders, usize::MAX)), "argument");
}

#[wasm_bindgen_test]
fn what_is_thrown_has_its_slug() {
    assert_eq!(code(Snapshot::decode(b"nothing")), "topology_format");
    assert_eq!(code(Snapshot::decode(b"RSHT")), "snapshot_format");
    assert_eq!(code(Snapshot::from_topology("{")), "topology");
    assert_eq!(code(router().keyspace_id("nope")), "unknown_keyspace");
    assert_eq!(code(too_long(70_000)), "key_too_long");
    assert_eq!(code(composite(0, 0)), "key_parts");
    assert_eq!(code(RefreshGate::new(u32::MAX, 1, 1)), "argument");
    assert_eq!(code(row_digest(put(b"k"), -1, None)), "argument");
    assert_eq!(error_codes().len(), ringshift::ErrorCode::ALL.len());
}

#[wasm_bindgen_test]
fn a_step_crosses_as_numbers() {
    let router = router();
    let orders = router.keyspace_id("orders").ok().unwrap();
    let mut write = Operation::new(
        &router,
        orders,
        put(b"user:42"),
        true,
        0.0,
        Some(500),
        None,
        None,
        None,
        Some(7),
    )
    .ok()
    .unwrap();
    let step = write.poll();
    assert_eq!(field(&step, "type"), "send");
    let attempt = field(&step, "attempt");
    let number = |name| field(&attempt, name).as_f64().unwrap();
    assert_eq!((number("id"), number("domain") > 0.0), (1.0, true));
    assert_eq!(
        (field(&attempt, "kind"), field(&attempt, "version")),
        ("write".into(), JsValue::NULL)
    );
    assert_eq!(field(&write.poll(), "until"), 500.0);

    assert_eq!(code(write.reply(0.0, 2, 2, None, 0, 0)), "unknown_attempt");
    assert_eq!(code(write.reply(0.0, 1, 99, None, 0, 0)), "argument");
    let version = 1_i64 << 32 | 5;
    assert!(write.reply(0.0, 1, 3, Some(version), 0, 0).is_ok());
    let outcome = field(&write.poll(), "outcome");
    assert_eq!(field(&outcome, "type"), "written");
    assert_eq!(field(&outcome, "version"), JsValue::from(version));
    assert!(field(&outcome, "lagging").is_null());
}

#[wasm_bindgen_test]
fn a_shard_in_memory_answers() {
    let mut shard = MemoryShard::new();
    assert!(shard.home(&snapshot(), 1, 3).is_ok());
    assert_eq!(code(shard.home(&snapshot(), 1, 2)), "stale_term");
    assert_eq!(shard.rows(), 0);
}

#[wasm_bindgen_test]
fn a_gate_says_numbers() {
    let mut gate = RefreshGate::new(1, 10, 7).ok().unwrap();
    let mut want = |now, newer_than| gate.want(now, newer_than).ok().unwrap();
    assert_eq!(
        [want(0.0, 0), want(0.0, 1), want(0.0, 1)].map(|said| said as i32),
        [-1, -2, -3]
    );
}
