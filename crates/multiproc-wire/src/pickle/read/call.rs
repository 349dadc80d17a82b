//! What the calls in a pickle stand for; none is ever made.

use super::{
    Result,
    builder::Builder,
    node::{Call, Name, Value},
};
use crate::pickle::{
    Exception, Globals, Instance, Object, PickleError, PickleErrorKind,
    globals::{Known, known},
};

/// What a call stands for.
enum Meaning<'n> {
    Exception,
    Instance,
    Set(&'n [u32]),
    FrozenSet(&'n [u32]),
    List(&'n [u32]),
    Bytes,
    ByteArray,
    Refused,
}

impl<'n, 'a> Builder<'n, 'a> {
    pub(super) fn call(&mut self, index: u32, call: &Call, depth: usize) -> Result<Object> {
        match self.meaning(call) {
            Meaning::Exception => self.exception(index, call, depth),
            Meaning::Instance => self.instance(index, call, depth),
            Meaning::Set(items) => self.set(index, items, depth).map(Object::Set),
            Meaning::FrozenSet(items) => self.set(index, items, depth).map(Object::FrozenSet),
            Meaning::List(items) => self.sequence(index, items, depth).map(Object::List),
            Meaning::Bytes => self.bytes_of_call(index, call).map(Object::Bytes),
            Meaning::ByteArray => self.bytes_of_array(index, call).map(Object::ByteArray),
            Meaning::Refused => Err(self.refused(index, call)),
        }
    }

    fn meaning(&self, call: &Call) -> Meaning<'n> {
        let Name { module, name } = self.class(call);
        let args = self.args(call);
        let (empty, bare) = (is_empty(call), is_bare(call));
        match known(module, name) {
            Some(Known::Exception) if empty => return Meaning::Exception,
            Some(Known::Class) => return Meaning::Instance,
            Some(Known::Type) if bare && args.len() == 1 => return Meaning::Instance,
            Some(Known::Set) if bare => {
                if let Some(items) = self.elements(args) {
                    return Meaning::Set(items);
                }
            }
            Some(Known::FrozenSet) if bare => {
                if let Some(items) = self.elements(args) {
                    return Meaning::FrozenSet(items);
                }
            }
            Some(Known::List) if bare => {
                if let Some(items) = self.elements(args) {
                    return Meaning::List(items);
                }
            }
            Some(Known::Bytes | Known::Encode) if self.is_bytes(call) => return Meaning::Bytes,
            Some(Known::ByteArray) if bare => match args {
                [] => return Meaning::ByteArray,
                [bytes] => match &self.nodes[*bytes as usize].value {
                    Value::Bytes(_) => return Meaning::ByteArray,
                    Value::Call(call) if self.is_bytes(call) => return Meaning::ByteArray,
                    _ => {}
                },
                [text, codec] if self.is_latin_1(*text, *codec) => return Meaning::ByteArray,
                _ => {}
            },
            _ => {}
        }
        match self.globals {
            Globals::Any => Meaning::Instance,
            Globals::Known => Meaning::Refused,
        }
    }

    #[cold]
    fn refused(&self, index: u32, call: &Call) -> PickleError {
        self.global_fault(index, self.class(call), "called like this")
    }

    /// Returns the name of what is called.
    fn class(&self, call: &Call) -> Name<'a> {
        match &self.nodes[call.class as usize].value {
            Value::Global(name) => **name,
            _ => unreachable!("the machine calls globals only"),
        }
    }

    fn args(&self, call: &Call) -> &'n [u32] {
        match &self.nodes[call.args as usize].value {
            Value::Tuple(items) => items,
            _ => unreachable!("the machine takes tuples of arguments only"),
        }
    }

    /// Returns the elements of the one argument, if it is a list or tuple, or of none.
    fn elements(&self, args: &[u32]) -> Option<&'n [u32]> {
        match args {
            [] => Some(&[]),
            [arg] => match &self.nodes[*arg as usize].value {
                Value::List(items) => Some(items),
                Value::Tuple(items) => Some(items),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns whether this is `bytes()` or `_codecs.encode(text, 'latin1')`.
    fn is_bytes(&self, call: &Call) -> bool {
        let Name { module, name } = self.class(call);
        match (known(module, name), self.args(call)) {
            (Some(Known::Bytes), []) => is_bare(call),
            (Some(Known::Encode), [text, codec]) => is_bare(call) && self.is_latin_1(*text, *codec),
            _ => false,
        }
    }

    fn is_latin_1(&self, text: u32, codec: u32) -> bool {
        let codec = self.str(codec);
        self.str(text).is_some() && (codec == Some("latin1") || codec == Some("latin-1"))
    }

    fn str(&self, index: u32) -> Option<&'n str> {
        match &self.nodes[index as usize].value {
            Value::Str(text) => Some(text),
            Value::ParsedStr(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the bytes that a call makes of its arguments.
    fn bytes_of_call(&mut self, index: u32, call: &Call) -> Result<Vec<u8>> {
        match self.args(call) {
            [text, ..] => self.latin_1(index, *text),
            [] => Ok(vec![]),
        }
    }

    /// Returns the bytes that `bytearray` makes of its arguments.
    fn bytes_of_array(&mut self, index: u32, call: &Call) -> Result<Vec<u8>> {
        let args = self.args(call);
        match args.first().map(|first| &self.nodes[*first as usize].value) {
            None => Ok(vec![]),
            Some(Value::Bytes(bytes)) => {
                self.text(index, bytes.len())?;
                Ok(bytes.to_vec())
            }
            // No way down: the arguments of this one are texts.
            Some(Value::Call(call)) => self.bytes_of_call(index, call),
            Some(_) => self.latin_1(index, args[0]),
        }
    }

    /// Returns the bytes that a text's characters stand for.
    fn latin_1(&mut self, index: u32, text: u32) -> Result<Vec<u8>> {
        let text = self.str(text).unwrap_or_default();
        self.text(index, text.len())?;
        let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
        bytes.ok_or_else(|| self.fault(index, PickleErrorKind::Invalid { what: "latin-1" }))
    }

    #[inline(never)]
    fn exception(&mut self, index: u32, call: &Call, depth: usize) -> Result<Object> {
        let depth = self.enter(index, depth)?;
        let class = self.global(index, self.class(call))?;
        let args = self.objects(index, self.args(call), depth)?;
        let state = call.state.map(|state| &self.nodes[state as usize].value);
        let attributes = match state {
            None | Some(Value::None) => vec![],
            Some(Value::Dict(items)) => self.pairs(index, items, depth)?,
            Some(_) => {
                let what = "state of an exception is no dict";
                return Err(self.fault(index, PickleErrorKind::WrongType { what }));
            }
        };
        self.leave(index);
        Ok(Exception { class, args, attributes }.into())
    }

    #[inline(never)]
    fn instance(&mut self, index: u32, call: &Call, depth: usize) -> Result<Object> {
        let depth = self.enter(index, depth)?;
        // Filled in place, for less of the stack.
        let class = self.global(index, self.class(call))?;
        let mut instance = Box::new(Instance::new(class, []));
        instance.made = call.made;
        instance.args = self.objects(index, self.args(call), depth)?;
        if let Some(Value::Dict(kwargs)) =
            call.kwargs.map(|kwargs| &self.nodes[kwargs as usize].value)
        {
            instance.kwargs = self.pairs(index, kwargs, depth)?;
        }
        instance.items = self.objects(index, &call.items, depth)?;
        instance.pairs = self.pairs(index, &call.pairs, depth)?;
        if let Some(state) = call.state {
            instance.state = self.objects(index, &[state], depth)?.pop();
        }
        self.leave(index);
        Ok(Object::Instance(instance))
    }
}

/// Returns whether nothing is put into the new value, its state aside.
fn is_empty(call: &Call) -> bool {
    call.items.is_empty() && call.pairs.is_empty() && call.kwargs.is_none()
}

/// Returns whether the call has arguments only.
fn is_bare(call: &Call) -> bool {
    is_empty(call) && call.state.is_none()
}
