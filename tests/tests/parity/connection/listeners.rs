//! Listeners whose clients are children.

use multiproc::{
    Connection, Context, Failure,
    connection::{Address, Client, Family, Listener},
};
use multiproc_tests::{TestResult, each_start_method};

each_start_method! { child_connects_to_the_address_that_is_reported }

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
