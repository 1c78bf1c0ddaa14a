#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ringshift_fuzz::seed("directory"),
    |bytes: &[u8]| ringshift_fuzz::run("directory", bytes)
);
