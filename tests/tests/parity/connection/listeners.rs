//! Listeners whose clients are children.

use multiproc::{
    Connection, Context, Failure,
    connection::{Address, Client, Family, Listener},
};
use multiproc_tests::{
    Scratch, TestResult, context_named, each_start_method, in_child, name_of, procfs,
};

each_start_method! {
    child_connects_to_the_address_that_is_reported, folder_for_files_with_a_long_name_is_no_hindrance,
}

// parity: listener.client-per-family, listener.abstract-socket
fn child_connects_to_the_address_that_is_reported(ctx: &Context) -> TestResult {
    let name = format!("multiproc-tests-{}-{}", std::process::id(), ctx.get_start_method());
    let builders = [
        Listener::builder().family(Family::Inet),
        Listener::builder().family(Family::Unix),
        Listener::builder().address(Address::Abstract(name.clone().into())),
    ];
    for builder in builders {
        let listener = builder.bind()?;
        let child = ctx.start(say_hello, (listener.address().to_string(),))?;
        let connection: Connection<(), String> = listener.accept()?;
        assert_eq!(connection.recv()?, "hello");
        child.result()??;
    }
    for place in [std::env::current_dir()?, std::env::temp_dir()] {
        for file in std::fs::read_dir(place)? {
            let file = file?.file_name();
            assert!(!file.to_string_lossy().contains(&name), "abstract names leave no file");
        }
    }
    Ok(())
}

fn say_hello(address: String) -> Result<(), Failure> {
    let address: Address = address.parse()?;
    let connection: Connection<String, ()> = Client::builder().connect(address)?;
    Ok(connection.send(&"hello".to_string())?)
}

// complaint: 23
fn folder_for_files_with_a_long_name_is_no_hindrance(ctx: &Context) -> TestResult {
    let name = format!("{}-{}", "long".repeat(40), name_of(ctx));
    let folder = Scratch::new(env!("CARGO_TARGET_TMPDIR"), &name)?;
    let folder = folder.to_str().ok_or("the folder's name is text")?.to_string();
    in_child(&Context::spawn(), work_in, (folder, name_of(ctx)))
}

/// Where Python's sockets get names longer than a socket's may be.
fn work_in(folder: String, method: String) -> Result<(), Failure> {
    assert_eq!(procfs::threads(), 1);
    // SAFETY: No other thread reads the environment meanwhile.
    unsafe { std::env::set_var("TMPDIR", &folder) };
    multiproc::stop_forkserver();
    let listener = Listener::builder().bind()?;
    let child = context_named(&method).start(say_hello, (listener.address().to_string(),))?;
    let connection: Connection<(), String> = listener.accept()?;
    assert_eq!(connection.recv()?, "hello");
    child.result()?
}
