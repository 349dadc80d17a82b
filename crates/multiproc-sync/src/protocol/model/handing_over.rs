//! A condition's waiters, and the lock that is handed over to them.

use loom::sync::{Arc, atomic::Ordering};

use super::{
    super::{
        condition::{Ended, Notifier},
        patience::Patience,
        world::{Attention, World},
    },
    Words, check, check_some,
};

/// Waits under a lock, unless somebody has been there before.
fn wait_first(words: &(Words, Words), me: u32) {
    let (lock, condition) = (&words.0, words.1.condition());
    lock.take(me.into());
    if lock.change() == 1 {
        let slot = condition.enter(me).expect("there is room");
        lock.lock().release();
        let ended = condition.wait(&slot, &mut Patience::endless());
        assert_eq!(ended, Ended::Notified);
        lock.take(me.into());
        condition.leave(&slot);
        lock.change();
    }
    lock.lock().release();
}

fn notify_one(words: &(Words, Words), me: u32) {
    let (lock, condition) = (&words.0, words.1.condition());
    lock.take(me.into());
    lock.change();
    condition.notify(1, &Notifier { name: me, lock: lock.lock(), holder: me.into() });
    lock.lock().release();
}

/// The words of a lock, and those of a condition where this process was the last to notify somebody.
fn condition_of(notifier: u32) -> Arc<(Words, Words)> {
    let lock = Words::new(0);
    let condition = Words::within(Arc::clone(&lock.world), 0);
    let words = (lock, condition);
    words.1.words[4].store(notifier, Ordering::SeqCst);
    Arc::new(words)
}

#[test]
fn notified_waiter_goes_on_with_the_lock() {
    // Woken by who notifies it, and by the release.
    for notifier in [0, 2] {
        check(move || {
            let words = condition_of(notifier);
            let waiter = {
                let words = Arc::clone(&words);
                loom::thread::spawn(move || wait_first(&words, 1))
            };
            notify_one(&words, 2);
            waiter.join().unwrap();
            assert_eq!(words.1.condition().waiting(), 0);
            assert!(!words.0.lock().is_held());
        });
    }
}

#[test]
fn waiter_that_was_moved_to_the_lock_keeps_nobody_asleep() {
    check(|| {
        let words = condition_of(2);
        let user = |body: fn(&(Words, Words))| {
            let words = Arc::clone(&words);
            loom::thread::spawn(move || body(&words))
        };
        let others = [
            user(|words| wait_first(words, 1)),
            user(|words| {
                words.0.take(3);
                assert!(words.0.lock().release());
            }),
        ];
        notify_one(&words, 2);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(words.1.condition().waiting(), 0);
    });
}

#[test]
fn who_gives_back_the_lock_of_another_wakes_the_waiter_that_was_moved() {
    check(|| {
        let words = condition_of(2);
        let waiter = {
            let words = Arc::clone(&words);
            loom::thread::spawn(move || wait_first(&words, 1))
        };
        words.0.take(2);
        if words.0.change() == 2 {
            // Somebody waits, and the holder never gives the lock back itself.
            let stranger = {
                let words = Arc::clone(&words);
                loom::thread::spawn(move || assert!(words.0.lock().release()))
            };
            let me = Notifier { name: 2, lock: words.0.lock(), holder: 2 };
            words.1.condition().notify(1, &me);
            stranger.join().unwrap();
        } else {
            words.0.lock().release();
        }
        waiter.join().unwrap();
    });
}

#[test]
fn who_gives_back_the_lock_of_another_keeps_nobody_asleep_beside_the_waiter_that_was_moved() {
    check_some(|| {
        let words = Arc::new(Words::new(7));
        words.take(2);
        let user = |me: u64, first: fn(&Words)| {
            let words = Arc::clone(&words);
            loom::thread::spawn(move || {
                first(&words);
                words.take(me);
                loom::thread::yield_now();
                assert!(words.lock().release());
            })
        };
        let users = [
            // Waits to be notified.
            user(1, |words| {
                let (word, patience) = (&words.words[0], &mut Patience::endless());
                while word.load(Ordering::SeqCst) == 7 {
                    words.world.sleep(&[(word, 7)], None, &Attention::Bell, patience);
                }
            }),
            user(3, |_| ()),
            // Gives back what this one holds.
            user(4, |words| {
                assert!(words.lock().release());
                loom::thread::yield_now();
            }),
        ];
        words.words[0].store(8, Ordering::SeqCst);
        if !words.lock().adopt(2, &words.words[0], 8) {
            words.world.wake_one(&words.words[0]);
        }
        for user in users {
            user.join().unwrap();
        }
    });
}
