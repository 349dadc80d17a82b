//! Proxies on their way: as CPython's managers write them, and with what they refer to.

use multiproc_image::family;
use multiproc_wire::{
    is_reading, is_writing,
    pickle::{Global, Instance, Made, Object},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::{Proxy, proxy::names};
use crate::{
    CallError,
    address::{of_object, to_object},
    client::{Endpoint, Line, Reference, Session, here},
    error::chain,
    tls::TlsClient,
};

/// The class that Python has for proxies of a type.
pub(super) fn class(typeid: &str) -> String {
    match typeid {
        "Lock" | "RLock" | "Semaphore" | "BoundedSemaphore" => "AcquirerProxy".to_owned(),
        "dict" => "DictProxy".to_owned(),
        "list" => "ListProxy".to_owned(),
        "set" => "SetProxy".to_owned(),
        "Array" | "Barrier" | "Condition" | "Event" | "Iterator" | "Namespace" | "Pool"
        | "Value" => format!("{typeid}Proxy"),
        typeid => format!("AutoProxy[{typeid}]"),
    }
}

impl Proxy {
    /// Makes the object that stands for this proxy where Python's objects are.
    #[must_use]
    pub fn into_object(self) -> Object {
        let class = class(self.typeid());
        let (class, kwargs) = if class.starts_with("AutoProxy") {
            let exposed = self.exposed_names().iter().map(|name| (&**name).into()).collect();
            ("AutoProxy".to_owned(), vec![("exposed".into(), Object::Tuple(exposed))])
        } else {
            (class, vec![])
        };
        const MODULE: &str = "multiprocessing.managers";
        let token = Object::token(self.typeid(), to_object(self.address()), self.id());
        let class = Global::new(MODULE, class).into();
        let args = [class, token, "pickle".into(), Object::Dict(kwargs)];
        let mut made = Instance::new(Global::new(MODULE, "RebuildProxy"), args);
        made.made = Made::Call;
        made.into()
    }

    /// Makes a proxy of the object that stands for one, with a reference of its own.
    ///
    /// The key is that of the server whose reply the object is part of, of one with this address that
    /// this process knows, or else of this process.
    ///
    /// # Errors
    ///
    /// [`CallError`] when it is none, or its server cannot be reached or no longer has the object.
    pub fn from_object(object: &Object) -> Result<Self, CallError> {
        Self::received(object, None)
    }

    /// As [`from_object`](Self::from_object), of a server that is to be reached like this.
    fn received(object: &Object, tls: Option<TlsClient>) -> Result<Self, CallError> {
        let Object::Instance(made) = object else { return Err(CallError::Malformed) };
        let [_, token, _, kwargs] = &made.args[..] else { return Err(CallError::Malformed) };
        let Some([typeid, address, ident]) = token.as_token() else {
            return Err(CallError::Malformed);
        };
        let (Some(typeid), Some(ident), Some(address)) =
            (typeid.as_str(), ident.as_str(), of_object(address))
        else {
            return Err(CallError::Malformed);
        };
        let exposed = kwargs.get("exposed").map(names).unwrap_or_default();
        let known = Session::known(&address);
        let endpoint = match (here(), known) {
            (Some(here), Some(known)) if here == known => here,
            (Some(here), _) if here.address == address => here,
            (_, Some(known)) => known,
            (here, None) => {
                let md5 = here.is_some_and(|here| here.md5);
                let key = family::record().authkey.clone();
                Endpoint { address, key, md5, tls }
            }
        };
        let reference = Reference::take(&endpoint, ident)?;
        Ok(Self::adopt(endpoint, typeid, ident, exposed, reference))
    }

    /// Makes a connection that refers to the object as long as it is open, wherever that is.
    fn claim(&self) -> Result<Option<Line>, CallError> {
        // First, so that a forked child does not rely on what its parent refers to.
        self.session()?;
        let Some(connection) = Session::separate(self.endpoint())? else { return Ok(None) };
        Session::refer(&connection, self.id())?;
        Ok(Some(connection))
    }
}

impl From<Proxy> for Object {
    fn from(proxy: Proxy) -> Self {
        proxy.into_object()
    }
}

/// In a message of ours, which handles can join, the object goes with a connection that refers to it
/// on the way; elsewhere as it is.
impl Serialize for Proxy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = self.clone().into_object();
        if !is_writing() {
            return object.serialize(serializer);
        }
        let claim = self.claim().map_err(|err| ser::Error::custom(chain(&err)))?;
        (object, claim, &self.endpoint().tls).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        type Form = (Object, Option<Line>, Option<TlsClient>);
        let (object, _claim, tls) = if is_reading() {
            Form::deserialize(deserializer)?
        } else {
            (Object::deserialize(deserializer)?, None, None)
        };
        Self::received(&object, tls).map_err(|err| de::Error::custom(chain(&err)))
    }
}
