//! The key that all processes of one program have.

use multiproc::{
    AuthKey, Connection, Context, Failure,
    connection::{AcceptError, Address, Client, Listener},
    current_process,
};
use multiproc_tests::{TestResult, context_named, each_start_method, name_of};

each_start_method! { processes_of_one_program_share_a_key }

fn processes_of_one_program_share_a_key(ctx: &Context) -> TestResult {
    let listener = Listener::builder().authkey(own_key()).bind()?;
    let address = listener.address().to_string();
    // A child, and a child of a child, each with what it has inherited.
    for depth in [0, 1] {
        let child = ctx.start(connect, (name_of(ctx), address.clone(), depth, depth))?;
        let connection: Connection<(), u32> = listener.accept()?;
        assert_eq!(connection.recv()?, depth);
        child.result()??;
    }
    // Other programs draw another.
    let stranger = std::thread::spawn(move || {
        let address: Address = address.parse().unwrap();
        Client::builder().authkey(AuthKey::random()).connect::<(), (), _>(address).is_err()
    });
    let refused = listener.accept::<(), ()>();
    assert!(matches!(refused, Err(AcceptError::Authentication(_))), "{refused:?}");
    assert!(stranger.join().unwrap());
    Ok(())
}

fn own_key() -> AuthKey {
    current_process().authkey()
}

fn connect(method: String, address: String, depth: u32, left: u32) -> Result<(), Failure> {
    if 0 < left {
        let args = (method.clone(), address, depth, left - 1);
        return context_named(&method).start(connect, args)?.result()?;
    }
    let address: Address = address.parse()?;
    let connection: Connection<u32, ()> = Client::builder().authkey(own_key()).connect(address)?;
    Ok(connection.send(&depth)?)
}
