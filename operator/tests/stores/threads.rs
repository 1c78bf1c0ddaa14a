//! Many threads at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringshift::migration::command::Answer;
use ringshift::{Reply, Revision, Role};

use crate::on_every_store;
use crate::shard::{HOME, e, row, v};

on_every_store! {
    /// The check and the change are one step: what was written was written before the close.
    fn nothing_is_written_after_a_close_was_answered(shard) {
        shard.home();
        let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let (shard, stop, written) = (&shard, &stop, &written);
                scope.spawn(move || {
                    for n in 0.. {
                        if stop.load(Ordering::Relaxed) { return; }
                        let key = format!("k{}", n % 7);
                        match shard.put(&key, "x", thread << 32 | n) {
                            Reply::Written { .. } => { written.fetch_add(1, Ordering::Relaxed); }
                            Reply::Refused(_) => {}
                            other => panic!("{other:?}"),
                        }
                    }
                });
            }
            while written.load(Ordering::Relaxed) < 200 { std::thread::yield_now(); }
            assert!(matches!(shard.close(), Answer::Closed(Some(_))));
            let revision = shard.revision();
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert_eq!(shard.revision(), revision);
            stop.store(true, Ordering::Relaxed);
            assert!(revision.0 >= 200);
        });
        assert_eq!(shard.revision(), Revision(written.into_inner()));
    }

    fn every_write_has_a_version_of_its_own(shard) {
        shard.home();
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let shard = &shard;
                scope.spawn(move || {
                    for n in 0..100 {
                        let reply = shard.put("a", "x", thread << 32 | n);
                        assert!(matches!(reply, Reply::Written { .. }), "{reply:?}");
                        assert!(matches!(shard.read("a").reply, Reply::Found { .. }));
                    }
                });
            }
        });
        assert_eq!(shard.read("a").reply, Reply::Found { version: v(1, 399) });
        assert_eq!(shard.revision(), Revision(400));
        shard.install(row(HOME, 2, Role::Authority), vec![]);
        assert_eq!(shard.at(HOME, 2).fence().epoch, e(2));
    }
}
