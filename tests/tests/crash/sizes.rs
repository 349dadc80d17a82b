//! Arguments and results that are large.

use std::{
    fs::File,
    io::{Read, Seek, Write},
};

use multiproc::{Context, Failure, wire::Fd};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, name_of};
use rustix::{
    fs::{MemfdFlags, memfd_create},
    process::{Resource, Rlimit, getrlimit, setrlimit},
};

each_start_method! { large_arguments_and_results, many_descriptors }

const LARGE: usize = 3 << 20;
const MANY: usize = 300;

fn large_arguments_and_results(ctx: &Context) -> TestResult {
    let text: String = ('a'..='z').cycle().take(LARGE).collect();
    let numbers: Vec<u64> = (0..LARGE as u64 / 8).collect();

    let process = ctx.start(
        |text: String, numbers: Vec<u64>| (text, numbers),
        (text.clone(), numbers.clone()),
    )?;

    // Not joined before: a result that nobody reads does not keep the child from exiting.
    process.join()?;
    let back = process.result()?;
    assert!(back == (text, numbers));
    Ok(())
}

fn many_descriptors(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), pass_many_descriptors, (name_of(ctx),))
}

fn pass_many_descriptors(method: String) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;

    let process = context_named(&method).start(read_and_make_files, (make_files("sent")?,))?;

    let (read, made) = process.result()??;
    assert_eq!(read, texts("sent"));
    assert_eq!(read_files(made)?, texts("made"));
    Ok(())
}

type Files = Vec<Fd<File>>;

fn read_and_make_files(files: Files) -> Result<(Vec<String>, Files), Failure> {
    Ok((read_files(files)?, make_files("made")?))
}

fn texts(what: &str) -> Vec<String> {
    (0..MANY).map(|number| format!("{what} {number}")).collect()
}

fn make_files(what: &str) -> Result<Files, Failure> {
    let make = |text: String| {
        let mut file = File::from(memfd_create("file", MemfdFlags::CLOEXEC)?);
        file.write_all(text.as_bytes())?;
        Ok(Fd(file))
    };
    texts(what).into_iter().map(make).collect()
}

fn read_files(files: Files) -> Result<Vec<String>, Failure> {
    let read = |mut file: Fd<File>| {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        Ok(text)
    };
    files.into_iter().map(read).collect()
}
