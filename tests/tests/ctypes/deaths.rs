//! Processes that die with a lock, a guard, or half a value.

use multiproc::{Array, Connection, Context, Failure, RawValue, Shareable, Value, pipe};
use multiproc_tests::{TestResult, each_start_method, random::Random};

each_start_method! {
    value_of_a_killed_holder_goes_to_the_next,
    lock_of_a_killed_holder_goes_to_the_next,
    writers_killed_at_any_moment_leave_values,
}

fn value_of_a_killed_holder_goes_to_the_next(ctx: &Context) -> TestResult {
    let array = Array::from_slice(&[1, 2, 3])?;
    let (ours, theirs) = pipe::<(), ()>()?;
    let hold = |array: Array<i32>, line: Connection<(), ()>| -> Result<(), Failure> {
        let mut guard = array.lock()?;
        guard[0] = -1;
        line.send(&())?;
        Ok(line.recv()?)
    };
    let child = ctx.process().daemon(true).start(hold, (array.clone(), theirs))?;
    ours.recv()?;
    assert_eq!(format!("{array:?}"), "Array(<locked>)");
    child.kill()?;
    // Whether it is dead by now or not: this waits for it.
    let guard = array.lock()?;
    assert!(guard.owner_died());
    assert_eq!(*guard, [-1, 2, 3], "as it was left");
    drop(guard);
    assert!(!array.lock()?.owner_died(), "it is said once");
    child.join()?;
    Ok(())
}

fn lock_of_a_killed_holder_goes_to_the_next(ctx: &Context) -> TestResult {
    let value = Value::new(1)?;
    let (ours, theirs) = pipe::<(), ()>()?;
    let hold = |value: Value<i32>, line: Connection<(), ()>| -> Result<(), Failure> {
        value.get_lock().acquire()?;
        line.send(&())?;
        Ok(line.recv()?)
    };
    let child = ctx.process().daemon(true).start(hold, (value.clone(), theirs))?;
    ours.recv()?;
    child.kill()?;
    value.set(2)?;
    assert!(!value.lock()?.owner_died(), "what was set since is whole");
    child.join()?;
    Ok(())
}

/// Larger than what is written at once, and with bytes that are not all a value.
#[derive(Clone, Copy, Debug, Shareable)]
struct Record {
    letters: [char; 200],
    flags: [bool; 200],
    numbers: [u64; 50],
}

impl Record {
    fn of(letter: char, flag: bool, number: u64) -> Self {
        Self { letters: [letter; 200], flags: [flag; 200], numbers: [number; 50] }
    }

    /// True if all is one of two moments, which is what a reader without a lock may see.
    fn is_of(&self, letters: [char; 2]) -> bool {
        self.letters.iter().all(|letter| letters.contains(letter) || *letter == '\0')
    }
}

fn writers_killed_at_any_moment_leave_values(ctx: &Context) -> TestResult {
    let locked = Value::new(Record::of('a', false, 0))?;
    let raw = RawValue::new(Record::of('a', false, 0))?;
    let write = |locked: Value<Record>, raw: RawValue<Record>, line: Connection<(), ()>| {
        let records = [Record::of('\u{10ffff}', true, u64::MAX), Record::of('a', false, 0)];
        let _ = line.send(&());
        for record in records.into_iter().cycle() {
            raw.set(record);
            if locked.set(record).is_err() || locked.update(|all| *all = record).is_err() {
                break;
            }
        }
    };
    let mut random = Random::new();
    for _ in 0..10 {
        let (ours, theirs) = pipe::<(), ()>()?;
        let args = (locked.clone(), raw.clone(), theirs);
        let child = ctx.process().daemon(true).start(write, args)?;
        ours.recv()?;
        for _ in 0..random.below(20) {
            random.dither();
            assert!(raw.get().is_of(['a', '\u{10ffff}']));
        }
        child.kill()?;
        let guard = locked.lock()?;
        assert!(guard.is_of(['a', '\u{10ffff}']), "{:?}", guard.letters);
        drop(guard);
        child.join()?;
        assert!(raw.get().is_of(['a', '\u{10ffff}']));
        locked.set(Record::of('a', false, 0))?;
    }
    Ok(())
}
