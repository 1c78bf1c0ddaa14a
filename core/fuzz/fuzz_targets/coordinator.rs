#![no_main]

libfuzzer_sys::fuzz_target!(
    init: ringshift_fuzz::seed("coordinator"),
    |bytes: &[u8]| ringshift_fuzz::run("coordinator", bytes)
);
