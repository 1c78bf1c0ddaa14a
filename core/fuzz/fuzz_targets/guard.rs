#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ringshift_fuzz::seed("guard"),
    |bytes: &[u8]| ringshift_fuzz::run("guard", bytes)
);
