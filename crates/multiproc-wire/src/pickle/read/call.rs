//! What the calls in a pickle stand for; none is ever made.

use super::{
    Result,
    builder::Builder,
    node::{Call, Name, Value},
};
use crate::pickle::{
    Exception, Globals, Instance, Made, Object, PickleErrorKind,
    globals::{Known, known},
};

impl<'a> Builder<'_, 'a> {
    pub(super) fn call(&mut self, index: u32, call: &Call, depth: usize) -> Result<Object> {
        let name = self.class(call);
        let args = self.args(call);
        let content = call.items.is_empty() && call.pairs.is_empty() && call.kwargs.is_none();
        let bare = content && call.state.is_none();
        let known = known(name.module, name.name);
        match known {
            Some(Known::Exception) if content => return self.exception(index, call, depth),
            Some(Known::Set | Known::FrozenSet) if bare => {
                if let Some(items) = self.elements(args) {
                    let depth = self.enter(index, depth)?;
                    let items = self.members(index, items, depth)?;
                    self.leave(index);
                    let set = known == Some(Known::Set);
                    return Ok(if set { Object::Set(items) } else { Object::FrozenSet(items) });
                }
            }
            Some(Known::Bytes | Known::Encode) if bare => {
                if let Some(bytes) = self.bytes_of_call(index, call)? {
                    return Ok(Object::Bytes(bytes));
                }
            }
            Some(Known::ByteArray) if bare => {
                if let Some(bytes) = self.bytes_of_array(index, args)? {
                    return Ok(Object::ByteArray(bytes));
                }
            }
            Some(Known::Type) if bare && args.len() == 1 => {
                return self.instance(index, call, depth);
            }
            Some(Known::Class) => return self.instance(index, call, depth),
            _ => {}
        }
        match self.globals {
            Globals::Any => self.instance(index, call, depth),
            Globals::Known => Err(self.global_fault(index, name, "called like this")),
        }
    }

    /// Returns the name of what is called.
    fn class(&self, call: &Call) -> Name<'a> {
        match &self.nodes[call.class as usize].value {
            Value::Global(name) => **name,
            _ => unreachable!("the machine calls globals only"),
        }
    }
}

impl<'n> Builder<'n, '_> {
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

    /// Returns what `bytes()` and `_codecs.encode(text, 'latin1')` return.
    fn bytes_of_call(&mut self, index: u32, call: &Call) -> Result<Option<Vec<u8>>> {
        match self.args(call) {
            [] if self.class(call).name == "bytes" => Ok(Some(vec![])),
            [text, codec] if self.class(call).name == "encode" => self.latin_1(index, *text, *codec),
            _ => Ok(None),
        }
    }

    /// Returns what `bytearray` makes of its arguments.
    fn bytes_of_array(&mut self, index: u32, args: &[u32]) -> Result<Option<Vec<u8>>> {
        match args {
            [] => Ok(Some(vec![])),
            [bytes] => match &self.nodes[*bytes as usize].value {
                Value::Bytes(bytes) => {
                    self.text(index, bytes.len())?;
                    Ok(Some(bytes.to_vec()))
                }
                // No way down: the call's own arguments are texts.
                Value::Call(call) => self.bytes_of_call(index, call),
                _ => Ok(None),
            },
            [text, codec] => self.latin_1(index, *text, *codec),
            _ => Ok(None),
        }
    }

    fn latin_1(&mut self, index: u32, text: u32, codec: u32) -> Result<Option<Vec<u8>>> {
        let text = match &self.nodes[text as usize].value {
            Value::Str(text) => *text,
            Value::ParsedStr(text) => text,
            _ => return Ok(None),
        };
        let codec = match &self.nodes[codec as usize].value {
            Value::Str(codec) => *codec,
            _ => return Ok(None),
        };
        if codec != "latin1" && codec != "latin-1" {
            return Ok(None);
        }
        self.text(index, text.len())?;
        let bytes: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(char).ok()).collect();
        match bytes {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(self.fault(index, PickleErrorKind::Invalid { what: "latin-1" })),
        }
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
        let class = self.global(index, self.class(call))?;
        let args = self.objects(index, self.args(call), depth)?;
        let kwargs = match call.kwargs.map(|kwargs| &self.nodes[kwargs as usize].value) {
            Some(Value::Dict(items)) => self.pairs(index, items, depth)?,
            _ => vec![],
        };
        let items = self.objects(index, &call.items, depth)?;
        let pairs = self.pairs(index, &call.pairs, depth)?;
        let state = match call.state {
            Some(state) => self.objects(index, &[state], depth)?.pop(),
            None => None,
        };
        self.leave(index);
        let made: Made = call.made;
        Ok(Instance { class, made, args, kwargs, items, pairs, state }.into())
    }
}
