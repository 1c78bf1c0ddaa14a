//! The client's allocator, in the module that it is for: `--no-default-features --features client`.
#![cfg(all(target_family = "wasm", not(feature = "local")))]

// For its allocator, which is that of the whole program.
use ringshift_wasm as _;
use wasm_bindgen_test::wasm_bindgen_test;

/// Numbers that look drawn.
struct Draw(u64);

impl Draw {
    fn below(&mut self, max: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % max
    }
}

fn pages() -> usize {
    core::arch::wasm32::memory_size::<0>()
}

/// Keeps up to 300 vectors, that grow, shrink and go, and looks at every byte of each.
fn churn(seed: u64) {
    let mut draw = Draw(seed);
    let mut all: Vec<(u8, Vec<u8>)> = Vec::new();
    for round in 0..20_000_usize {
        let bytes = 1 << draw.below(14);
        let bytes = bytes + draw.below(bytes);
        match draw.below(4) {
            0 if !all.is_empty() => {
                let at = draw.below(all.len());
                all.swap_remove(at);
            }
            1 if !all.is_empty() => {
                let at = draw.below(all.len());
                let (mark, of) = &mut all[at];
                of.resize(bytes, *mark);
                of.shrink_to_fit();
            }
            _ if all.len() < 300 => {
                let mark = round as u8;
                all.push((mark, vec![mark; bytes]));
            }
            _ => {}
        }
        if round % 500 == 0 {
            for (mark, of) in &all {
                assert!(
                    of.iter().all(|byte| byte == mark),
                    "two blocks share memory"
                );
                assert_eq!(of.as_ptr().addr() % 16, 0);
            }
        }
    }
}

#[wasm_bindgen_test]
fn blocks_never_overlap_and_are_used_again() {
    churn(1);
    let first = pages();
    for _ in 0..5 {
        churn(1);
    }
    assert_eq!(
        pages(),
        first,
        "memory grows though all of it was given back"
    );
}

#[wasm_bindgen_test]
fn a_large_block_is_found_and_what_is_too_large_is_said() {
    let large = vec![7_u8; 40 << 20];
    assert!(large.iter().all(|&byte| byte == 7));
    drop(large);
    let before = pages();
    drop(vec![0_u8; 40 << 20]);
    assert_eq!(pages(), before);
    let mut never: Vec<u8> = Vec::new();
    assert!(never.try_reserve_exact(2 << 30).is_err());
    assert!(never.try_reserve_exact(1000).is_ok());
}
