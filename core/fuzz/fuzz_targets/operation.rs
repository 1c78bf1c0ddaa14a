#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ringshift_fuzz::seed("operation"),
    |bytes: &[u8]| ringshift_fuzz::run("operation", bytes)
);
