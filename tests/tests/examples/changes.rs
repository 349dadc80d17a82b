//! `checksum` and files that change while it runs.

use std::{
    error::Error,
    fs,
    io::Write,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use multiproc_tests::{Scratch, TestResult, once};

use crate::{
    programs::{example, last_line},
    tree,
};

once! { file_that_grows_is_hashed_to_an_end_that_it_had, file_that_becomes_a_fifo_holds_nobody_up, file_that_comes_and_goes }

/// Calls `change` again and again while `run` runs.
fn meanwhile<T>(
    mut change: impl FnMut() -> Result<(), Box<dyn Error>> + Send,
    run: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let changing = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                change().map_err(|err| err.to_string())?;
            }
            Ok::<(), String>(())
        });
        let result = run();
        over.store(true, Ordering::Relaxed);
        changing.join().map_err(|_| "panic")??;
        result
    })
}

fn file_that_grows_is_hashed_to_an_end_that_it_had() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "grows")?;
    let path = scratch.join("file");
    let mut file = fs::File::create(&path)?;
    file.write_all(&tree::noise(100_000))?;
    let block = tree::noise(4096);
    for _ in 0..10 {
        // As fast as can be, but not until the disk is full.
        let mut room: u64 = 100 << 20;
        let grow = || {
            if let Some(left) = room.checked_sub(block.len() as u64) {
                file.write_all(&block)?;
                room = left;
            }
            Ok(())
        };
        let output = meanwhile(grow, || Ok(example("checksum").arg(&*scratch).output()?))?;

        let (last, errors) = last_line(&output)?;
        assert_eq!((output.status.code(), last.files, errors), (Some(0), 1, Vec::new()));
        assert_eq!(
            &output.stdout[..64],
            digest_of_head(&path, last.bytes)?,
            "its first {} bytes",
            last.bytes
        );
        file.set_len(100_000)?;
        std::io::Seek::rewind(&mut file)?;
        file.write_all(&tree::noise(100_000))?;
    }
    Ok(())
}

fn digest_of_head(path: &Path, len: u64) -> Result<Vec<u8>, Box<dyn Error>> {
    let script = "head -c \"$1\" \"$2\" | sha256sum";
    let output =
        Command::new("sh").args(["-c", script, "sh", &len.to_string()]).arg(path).output()?;
    Ok(output.stdout.get(..64).ok_or("there is no sha256sum")?.to_vec())
}

fn file_that_becomes_a_fifo_holds_nobody_up() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "becomes")?;
    let top = scratch.join("top");
    fs::create_dir(&top)?;
    let (file, fifo, link) = (scratch.join("file"), scratch.join("fifo"), scratch.join("link"));
    tree::make_fifo(&fifo)?;
    std::os::unix::fs::symlink(&file, &link)?;
    fs::write(top.join("z"), "z")?;
    let mut kind = 0;
    let change = || {
        kind += 1;
        // Another thing of the same name, at one stroke.
        let new = scratch.join("new");
        match kind % 3 {
            0 => fs::write(&new, "a file")?,
            1 => tree::make_fifo(&new)?,
            _ => std::os::unix::fs::symlink(&file, &new)?,
        }
        Ok(fs::rename(&new, top.join("changing"))?)
    };
    let run = || {
        for _ in 0..100 {
            let output = example("checksum").arg(&top).args(["--processes", "1"]).output()?;
            let (last, errors) = last_line(&output)?;
            assert_eq!((output.status.code(), errors), (Some(0), Vec::new()));
            assert!(output.stdout.ends_with(b"/top/z\n"));
            assert!(matches!((last.files, last.bytes), (1, 1) | (2, 7)), "{last:?}");
        }
        Ok(())
    };
    meanwhile(change, run)
}

fn file_that_comes_and_goes() -> TestResult {
    let scratch = Scratch::new(env!("CARGO_TARGET_TMPDIR"), "comes")?;
    let path = scratch.join("a");
    fs::write(scratch.join("z"), "z")?;
    let change = || {
        fs::write(&path, "here")?;
        Ok(fs::remove_file(&path)?)
    };
    let run = || {
        for _ in 0..50 {
            let output = example("checksum").arg(&*scratch).args(["--processes", "1"]).output()?;
            let (last, errors) = last_line(&output)?;
            assert!(output.stdout.ends_with(b"/z\n"));
            let vanished =
                format!("checksum: {}: No such file or directory (os error 2)", path.display());
            match output.status.code() {
                Some(0) => assert_eq!(errors, [""; 0]),
                Some(1) => assert_eq!((errors, last.files), (vec![vanished], 1)),
                other => return Err(format!("exit code {other:?}").into()),
            }
        }
        Ok(())
    };
    meanwhile(change, run)
}
