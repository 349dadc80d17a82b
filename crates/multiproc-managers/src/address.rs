//! Addresses, as Python writes them.

use std::{ffi::OsStr, net::IpAddr, os::unix::ffi::OsStrExt};

use multiproc_connection::Address;
use multiproc_wire::pickle::Object;

/// Returns the address as Python has it: a tuple for TCP, else text, or bytes.
pub(crate) fn to_object(address: &Address) -> Object {
    match address {
        Address::Tcp(address) => (address.ip().to_string(), address.port()).into(),
        Address::Host(host, port) => (&**host, *port).into(),
        Address::Path(path) => text(path.as_os_str().as_bytes()),
        Address::Abstract(name) => {
            let mut bytes = vec![0];
            bytes.extend(name);
            text(&bytes)
        }
        other => other.to_string().into(),
    }
}

/// Python has undecodable file names as texts with surrogates, and a Rust end understands bytes.
fn text(bytes: &[u8]) -> Object {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.into(),
    }
}

/// Returns the address that Python has written, if it is one.
pub(crate) fn of_object(object: &Object) -> Option<Address> {
    match object {
        Object::Tuple(parts) | Object::List(parts) => match &parts[..] {
            [host, port, ..] => {
                let (host, port) = (host.as_str()?, u16::try_from(port.as_int()?).ok()?);
                Some(match host.parse::<IpAddr>() {
                    Ok(ip) => Address::Tcp((ip, port).into()),
                    Err(_) => Address::Host(host.to_owned(), port),
                })
            }
            _ => None,
        },
        Object::Str(text) => of_bytes(text.as_bytes()),
        Object::Bytes(bytes) => of_bytes(bytes),
        _ => None,
    }
}

fn of_bytes(bytes: &[u8]) -> Option<Address> {
    Some(match bytes {
        [] => return None,
        [0, name @ ..] => Address::Abstract(name.to_vec()),
        path => Address::Path(OsStr::from_bytes(path).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back_as_they_were() {
        let addresses = [
            Address::Tcp(([127, 0, 0, 1], 80).into()),
            Address::Host("localhost".to_owned(), 80),
            Address::Path("/tmp/a".into()),
            Address::Abstract(b"name".to_vec()),
            Address::Abstract(vec![0xff]),
        ];
        for address in addresses {
            assert_eq!(of_object(&to_object(&address)), Some(address));
        }
        assert_eq!(of_object(&Object::None), None);
        assert_eq!(of_object(&(1, 2).into()), None);
    }
}
