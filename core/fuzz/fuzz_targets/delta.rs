#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ringshift_fuzz::seed("delta"),
    |bytes: &[u8]| ringshift_fuzz::run("delta", bytes)
);
