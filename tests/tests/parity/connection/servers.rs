//! What managers have from connections: the key and the place.

use multiproc::{
    AuthKey, Connection, Context, Failure,
    connection::{Address, Client},
    managers::{BaseManager, Type, types::Dict},
};
use multiproc_tests::{TestResult, each_start_method};
use rustix::process::{Pid, Signal, kill_process};

each_start_method! {
    manager_without_a_key_is_the_programs_own, folder_of_a_killed_server_goes_with_its_manager,
}

// parity: auth.default-key-scope
fn manager_without_a_key_is_the_programs_own(ctx: &Context) -> TestResult {
    let manager = BaseManager::builder().context(ctx.clone()).add(Type::once("get", Dict::new));
    let manager = manager.start()?;
    let address = manager.address().to_string();
    ctx.start(store, (address.clone(),))?.result()??;
    assert_eq!(manager.create("get", ())?.to_string(), "{1: 2}");
    // Who has another key is a stranger, and so is who has none.
    let other = BaseManager::builder().address(address.as_str()).authkey(AuthKey::random());
    assert!(other.connect().is_err());
    let bare: Connection<(), ()> = Client::builder().connect(manager.address())?;
    assert!(bare.recv_bytes()?.starts_with(b"#CHALLENGE#"));
    Ok(())
}

fn store(address: String) -> Result<(), Failure> {
    let manager = BaseManager::builder().address(address).connect()?;
    Ok(manager.create("get", ())?.call_method("__setitem__", (1, 2)).map(drop)?)
}

fn folder_of_a_killed_server_goes_with_its_manager(ctx: &Context) -> TestResult {
    let manager = BaseManager::builder().context(ctx.clone()).start()?;
    let Address::Path(path) = manager.address().clone() else { return Err("no path".into()) };
    let folder = path.parent().ok_or("no folder")?;
    let server = manager.pid().and_then(|pid| Pid::from_raw(pid.cast_signed()));
    kill_process(server.ok_or("no server")?, Signal::KILL)?;
    // It has no chance to do it itself.
    manager.join()?;
    assert!(path.exists());
    manager.shutdown()?;
    assert!(!folder.exists());
    Ok(())
}
