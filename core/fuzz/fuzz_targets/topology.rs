#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ringshift_fuzz::seed("topology"),
    |bytes: &[u8]| ringshift_fuzz::run("topology", bytes)
);
