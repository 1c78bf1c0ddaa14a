#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ringshift_fuzz::seed("snapshot"),
    |bytes: &[u8]| ringshift_fuzz::run("snapshot", bytes)
);
