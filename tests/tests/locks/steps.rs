//! Kills after every so many instructions: src/bin/steps.rs says what is looked at.
//!
//! `MULTIPROC_TEST_POINTS` says after how many numbers of instructions each operation is killed; 0 is after every one: 12 to
//! 200 seconds a scene if the tests are built with `--release`, else hours.

use std::process::{Command, Stdio};

use multiproc_tests::TestResult;

/// How many points a scene has that nobody asked for more of.
const POINTS: usize = 12;

macro_rules! scenes {
    ($($test:ident: $scene:literal / $cost:literal),* $(,)?) => {
        multiproc_tests::once! { $($test),* }
        $(
            fn $test() -> TestResult {
                play($scene, $cost)
            }
        )*
    };
}

scenes! {
    killed_with_a_lock: "lock" / 1,
    killed_while_giving_a_lock_back: "lock-release" / 1,
    killed_while_waiting_for_a_lock: "lock-wait" / 1,
    killed_with_a_reentrant_lock: "rlock" / 1,
    killed_while_changing_a_value: "mutex" / 1,
    killed_while_giving_a_permit: "semaphore-release" / 1,
    killed_while_waiting_for_a_permit: "semaphore-wait" / 1,
    killed_while_giving_a_permit_that_was_taken: "bounded-semaphore-release" / 1,
    killed_while_waiting_for_a_permit_to_come_back: "bounded-semaphore-wait" / 1,
    killed_while_setting_an_event: "event-set" / 1,
    killed_while_waiting_for_an_event: "event-wait" / 1,
    killed_while_notifying: "condition-notify" / 1,
    killed_while_handing_the_lock_over: "condition-hand-over" / 1,
    killed_while_waiting_to_be_notified: "condition-wait" / 1,
    killed_while_waiting_for_the_lock_to_be_handed_over: "condition-wait-moved" / 1,
    killed_while_waiting_at_a_barrier: "barrier-wait" / 1,
    killed_as_the_last_to_come_to_a_barrier: "barrier-last" / 1,
    killed_while_taking_an_entry_of_the_table: "entry" / 4,
}

fn play(scene: &str, cost: usize) -> TestResult {
    let asked = std::env::var("MULTIPROC_TEST_POINTS").ok().and_then(|points| points.parse().ok());
    let points = asked.unwrap_or(POINTS / cost);
    let mut command = Command::new(env!("CARGO_BIN_EXE_steps"));
    command.args([scene, &points.to_string()]).env("MULTIPROC_WITHOUT", "slices");
    let output = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{scene} ended with {}: {said}", output.status);
    assert!(said.contains(&format!("{scene}: ")), "{said}");
    print!("{said}");
    Ok(())
}
