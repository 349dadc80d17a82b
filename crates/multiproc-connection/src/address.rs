//! Where a listener listens.

use std::{
    convert::Infallible,
    ffi::OsStr,
    fmt::{self, Display},
    net::{Ipv6Addr, SocketAddr},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::AddressError;

/// Where a listener listens and a client connects.
///
/// As text: a leading `@` makes an abstract name, a `/` a path, and all else is `host:port` or
/// `[v6]:port`. What is printed reads back as the same place, except [`Unnamed`](Self::Unnamed) and
/// names that are no UTF-8; a path without a folder is printed as one in `./`.
///
/// # Python
///
/// A tuple is TCP, a string a path, and a string or bytes that begin with a zero byte an abstract
/// name.
///
/// # Examples
///
/// ```
/// use multiproc_connection::Address;
///
/// assert_eq!("/tmp/socket".parse::<Address>()?, Address::Path("/tmp/socket".into()));
/// assert_eq!("@name".parse::<Address>()?, Address::Abstract(b"name".to_vec()));
/// assert_eq!("127.0.0.1:80".parse::<Address>()?, Address::Tcp(([127, 0, 0, 1], 80).into()));
/// assert_eq!("localhost:80".parse::<Address>()?, Address::Host("localhost".to_owned(), 80));
/// assert_eq!("[::1]:80".parse::<Address>()?.to_string(), "[::1]:80");
/// # Ok::<(), multiproc_connection::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A host's name and a TCP port, looked up when it is used.
    Host(String, u16),
    /// A Unix socket at a path.
    Path(PathBuf),
    /// A Unix socket with a name outside the file system. Its first, zero byte is left out.
    Abstract(Vec<u8>),
    /// A Unix socket without a name, as a client's is.
    Unnamed,
}

impl Address {
    /// The family that the address belongs to.
    ///
    /// # Examples
    ///
    /// ```
    /// use multiproc_connection::{Address, Family};
    ///
    /// assert_eq!("./socket".parse::<Address>()?.family(), Family::Unix);
    /// assert_eq!("localhost:0".parse::<Address>()?.family(), Family::Inet);
    /// # Ok::<(), multiproc_connection::AddressError>(())
    /// ```
    #[must_use]
    pub fn family(&self) -> Family {
        match self {
            Self::Tcp(_) | Self::Host(..) => Family::Inet,
            Self::Path(_) | Self::Abstract(_) | Self::Unnamed => Family::Unix,
        }
    }
}

/// A kind of address.
///
/// # Python
///
/// `AF_INET` and `AF_UNIX`; `AF_PIPE` belongs to Windows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// TCP, over IPv4 or IPv6.
    Inet,
    /// Unix sockets, by path or abstract name.
    #[default]
    Unix,
}

impl Family {
    /// All families, in Python's order.
    pub const ALL: [Self; 2] = [Self::Inet, Self::Unix];
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let invalid = || AddressError::Invalid(text.to_owned());
        if text.starts_with(r"\\") {
            return Err(AddressError::NamedPipe(text.to_owned()));
        }
        if let Some(name) = text.strip_prefix('@') {
            return Ok(Self::Abstract(name.as_bytes().to_vec()));
        }
        if text.contains('/') {
            return Ok(Self::Path(text.into()));
        }
        if let Ok(address) = text.parse() {
            return Ok(Self::Tcp(address));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        if host.is_empty() || host.contains(['[', ']', ':']) || host.contains(char::is_whitespace) {
            return Err(invalid());
        }
        Ok(Self::Host(host.to_owned(), port))
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Path(path) => {
                // Else it would read as something else.
                let bytes = path.as_os_str().as_bytes();
                if !bytes.contains(&b'/') || bytes.starts_with(b"@") {
                    f.write_str("./")?;
                }
                path.display().fmt(f)
            }
            Self::Abstract(name) => write!(f, "@{}", OsStr::from_bytes(name).display()),
            Self::Unnamed => f.write_str("(unnamed)"),
        }
    }
}

impl TryFrom<&str> for Address {
    type Error = AddressError;

    fn try_from(text: &str) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl TryFrom<&String> for Address {
    type Error = AddressError;

    fn try_from(text: &String) -> Result<Self, AddressError> {
        text.parse()
    }
}

impl From<Infallible> for AddressError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<&Address> for Address {
    fn from(address: &Address) -> Self {
        address.clone()
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl From<(Ipv6Addr, u16)> for Address {
    fn from(address: (Ipv6Addr, u16)) -> Self {
        Self::Tcp(address.into())
    }
}

impl From<(&str, u16)> for Address {
    fn from((host, port): (&str, u16)) -> Self {
        match host.parse() {
            Ok(ip) => Self::Tcp(SocketAddr::new(ip, port)),
            Err(_) => Self::Host(host.to_owned(), port),
        }
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl From<&Path> for Address {
    fn from(path: &Path) -> Self {
        Self::Path(path.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // parity: listener.family-inferred
    #[test]
    fn printed_addresses_read_back() {
        for text in ["/a/b", "./a", "a/b", "@x", "@/tmp/x", "1.2.3.4:5", "[::1]:0", "host:65535"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for (text, family) in [
            ("/a/b", Family::Unix),
            ("a/b", Family::Unix),
            ("@x", Family::Unix),
            ("1.2.3.4:5", Family::Inet),
            ("[::1]:0", Family::Inet),
            ("host:65535", Family::Inet),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().family(), family, "{text}");
        }
        for path in ["a", "@a", "a:1", "@a/b"] {
            let address = Address::Path(path.into());
            let read: Address = address.to_string().parse().unwrap();
            assert_eq!(read, Address::Path(Path::new(".").join(path)));
        }
    }

    // parity: listener.pipe-family-unix
    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "x", ":80", "host:", "host:65536", "::1:80", "[::1]", "a b:1"] {
            assert!(matches!(text.parse::<Address>(), Err(AddressError::Invalid(_))), "{text}");
        }
        let pipe = r"\\.\pipe\name".parse::<Address>();
        assert!(matches!(pipe, Err(AddressError::NamedPipe(_))), "{pipe:?}");
    }

    // parity: listener.families-list
    #[test]
    fn families_are_two_and_unix_is_the_default() {
        assert_eq!(Family::ALL, [Family::Inet, Family::Unix]);
        assert_eq!(Family::default(), Family::Unix);
    }
}
