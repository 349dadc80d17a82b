//! The examples of pools.

use std::fs;

use multiproc_tests::{Scratch, TestResult, once};

use crate::programs::example;

once! { crashes_cost_four_results, mandelbrot_is_a_picture, pool_says_what_the_program_of_python_says, progress_counts_primes }

fn lines_of(name: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let output = example(name).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.lines().map(Into::into).collect())
}

fn crashes_cost_four_results() -> TestResult {
    let expected = [
        "task 3: worker was lost (signal 11)",
        "task 7: worker was lost (signal 6)",
        "task 11: worker was lost (signal 6), out of memory",
        "task 15: task took longer than 3s",
        "all other 16 results are right",
    ];
    assert_eq!(lines_of("crash_isolation")?, expected);
    Ok(())
}

fn mandelbrot_is_a_picture() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "mandelbrot")?;
    let path = scratch.join("picture.png");
    let output = example("mandelbrot").arg(&path).args(["60", "40"]).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8(output.stdout)?.contains("60x40"));
    let picture = fs::read(path)?;
    assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
    // The header says how large it is.
    assert_eq!(picture[16..24], [0, 0, 0, 60, 0, 0, 0, 40]);
    assert!(picture.windows(4).any(|bytes| bytes == b"IEND"));
    Ok(())
}

fn pool_says_what_the_program_of_python_says() -> TestResult {
    let lines = lines_of("pool")?;
    let expected = [
        "Creating pool with 4 processes",
        "",
        "<Pool state=RUN pool_size=4>",
        "",
        "Ordered results using pool.apply_async():",
        "\tPoolWorker says that multiply(0, 7) = 0",
        "\tPoolWorker says that multiply(1, 7) = 7",
        "\tPoolWorker says that multiply(2, 7) = 14",
        "\tPoolWorker says that plus(0, 8) = 8",
        "\tPoolWorker says that plus(1, 8) = 9",
        "\tPoolWorker says that plus(2, 8) = 10",
        "Ordered results using pool.imap():",
        "\t0",
        "\t1",
        "\t8",
        "\t27",
        "Unordered results using pool.imap_unordered(), sorted:",
        "\t[0, 1, 8, 27]",
        "Ordered results using pool.starmap() --- will block till complete:",
        "\tPoolWorker says that multiply(2, 3) = 6",
        "\tPoolWorker says that multiply(4, 5) = 20",
        "Testing error handling:",
        "\tGot an error as expected from pool.apply(): task panicked: division by zero",
        "\tGot an error as expected from pool.map(): task panicked: division by zero",
        "\tGot an error as expected from list(pool.imap()): task panicked: division by zero",
        "\tGot the error of item 5 only: task panicked: division by zero",
        "Testing ApplyResult.get() with timeout:",
        "\tnot yet, several times: true; then 300",
        "Testing IMapIterator.next() with timeout:",
        "\ttrue; then Some(Ok(100))",
        "<Pool state=CLOSE pool_size=4>",
        "\tGot an error as expected from pool.apply() after close: pool is not running",
    ];
    assert_eq!(lines, expected);
    Ok(())
}

fn progress_counts_primes() -> TestResult {
    let expected = ["635 primes below 5000, 100 numbers were too unlucky"];
    assert_eq!(lines_of("progress")?, expected);
    Ok(())
}
