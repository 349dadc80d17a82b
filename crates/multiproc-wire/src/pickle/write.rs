//! The writer: objects to opcodes.

use super::{
    Exception, Global, Instance, Made, Object, ObjectError, ObjectErrorKind, Protocol,
    error::Fault, globals::ancient, limits::MAX_DEPTH, opcode as op, surrogates,
};

type Result<T> = std::result::Result<T, Fault>;

/// Writes an object as a pickle.
///
/// **Invariant:** what this writes, [`decode`](super::decode) reads, if it names no global that is
/// left out there, and so does Python, if it knows those names.
///
/// # Python
///
/// `pickle.dumps(object, protocol)`, without what only optimises: frames and the memo.
///
/// # Errors
///
/// Returns [`ObjectError`] when the object is nested more than 512 levels deep, a key or member
/// cannot be hashed, or the protocol has no way to write a value: each can write all plain data,
/// but texts of 4 GiB and more need protocol 4.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Object, Protocol};
///
/// let pair = Object::from((1, "x"));
/// assert_eq!(pickle::encode(&pair, Protocol::V3)?, b"\x80\x03K\x01X\x01\0\0\0x\x86.");
///
/// let err = pickle::encode(&Object::Set(vec![Object::List(vec![])]), Protocol::V4).unwrap_err();
/// assert_eq!(err.kind().to_string(), "unhashable type: 'list'");
/// # Ok::<(), pickle::ObjectError>(())
/// ```
pub fn encode(object: &Object, protocol: Protocol) -> std::result::Result<Vec<u8>, ObjectError> {
    let mut bytes = vec![];
    encode_into(object, protocol, &mut bytes)?;
    Ok(bytes)
}

/// Writes an object as a pickle behind what the buffer holds, reusing its capacity.
///
/// # Errors
///
/// As [`encode`]. The buffer is then as it was.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Object, Protocol};
///
/// let mut bytes = b"before".to_vec();
/// pickle::encode_into(&Object::None, Protocol::V4, &mut bytes)?;
/// assert_eq!(bytes, b"before\x80\x04N.");
/// # Ok::<(), pickle::ObjectError>(())
/// ```
pub fn encode_into(
    object: &Object,
    protocol: Protocol,
    bytes: &mut Vec<u8>,
) -> std::result::Result<(), ObjectError> {
    let start = bytes.len();
    let mut writer = Writer { bytes, protocol };
    writer.bytes.extend([op::PROTO, protocol.number()]);
    let result = writer.object(object, MAX_DEPTH);
    writer.bytes.push(op::STOP);
    result.map_err(|fault| {
        bytes.truncate(start);
        ObjectError::new("write a pickle", fault)
    })
}

struct Writer<'a> {
    bytes: &'a mut Vec<u8>,
    protocol: Protocol,
}

impl Writer<'_> {
    /// Writes an object, with so many levels below it.
    fn object(&mut self, object: &Object, depth: usize) -> Result<()> {
        match object {
            Object::None => self.bytes.push(op::NONE),
            Object::Bool(true) => self.bytes.push(op::NEWTRUE),
            Object::Bool(false) => self.bytes.push(op::NEWFALSE),
            Object::Int(value) => self.int(*value),
            Object::BigInt(value) => self.integer(value.as_le_bytes())?,
            Object::Float(value) => {
                self.bytes.push(op::BINFLOAT);
                self.bytes.extend(value.to_be_bytes());
            }
            Object::Str(text) => self.text(text.as_bytes())?,
            Object::Surrogates(text) if surrogates::are_text(text) => self.text(text)?,
            Object::Surrogates(_) => return Err(ObjectErrorKind::InvalidText.into()),
            Object::Bytes(bytes) => self.byte_string(bytes)?,
            Object::ByteArray(bytes) => self.byte_array(bytes)?,
            Object::Global(global) => self.global(global)?,
            _ => {
                let below = depth.checked_sub(1);
                let below = below.ok_or(ObjectErrorKind::TooDeep { limit: MAX_DEPTH })?;
                self.container(object, below)?;
            }
        }
        Ok(())
    }

    /// Writes what holds other objects, with so many levels below itself.
    #[inline(never)]
    fn container(&mut self, object: &Object, depth: usize) -> Result<()> {
        match object {
            Object::List(items) => {
                self.bytes.push(op::EMPTY_LIST);
                self.append(items, depth)
            }
            Object::Tuple(items) => self.tuple(items, depth),
            Object::Dict(pairs) => {
                self.bytes.push(op::EMPTY_DICT);
                self.set_items(pairs, depth)
            }
            Object::Set(items) => self.set(items, depth),
            Object::FrozenSet(items) => self.frozen_set(items, depth),
            Object::Exception(exception) => self.exception(exception, depth),
            Object::Instance(instance) => self.instance(instance, depth),
            // Everything else is a leaf.
            _ => self.object(object, depth),
        }
    }

    fn int(&mut self, value: i64) {
        if let Ok(value) = u8::try_from(value) {
            self.bytes.extend([op::BININT1, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.bytes.push(op::BININT2);
            self.bytes.extend(value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.bytes.push(op::BININT);
            self.bytes.extend(value.to_le_bytes());
        } else {
            // The sign may be repeated.
            self.bytes.extend([op::LONG1, 8]);
            self.bytes.extend(value.to_le_bytes());
        }
    }

    fn integer(&mut self, bytes: &[u8]) -> Result<()> {
        if let Ok(len) = u8::try_from(bytes.len()) {
            self.bytes.extend([op::LONG1, len]);
        } else {
            let len = i32::try_from(bytes.len());
            let len = len.map_err(|_| self.refused("an int of more than 2 GiB"))?;
            self.bytes.push(op::LONG4);
            self.bytes.extend(len.to_le_bytes());
        }
        self.bytes.extend(bytes);
        Ok(())
    }

    fn text(&mut self, text: &[u8]) -> Result<()> {
        let new = Protocol::V4 <= self.protocol;
        let short = new.then_some(op::SHORT_BINUNICODE);
        let long = new.then_some(op::BINUNICODE8);
        self.run([short, Some(op::BINUNICODE), long], text, "a str of 4 GiB or more")
    }

    fn byte_string(&mut self, bytes: &[u8]) -> Result<()> {
        if Protocol::V3 <= self.protocol {
            let long = (Protocol::V4 <= self.protocol).then_some(op::BINBYTES8);
            let opcodes = [Some(op::SHORT_BINBYTES), Some(op::BINBYTES), long];
            return self.run(opcodes, bytes, "bytes of 4 GiB or more");
        }
        if bytes.is_empty() {
            self.bytes.extend(b"c__builtin__\nbytes\n)R");
            return Ok(());
        }
        // A text whose characters are the bytes: what Python 2 understands, too.
        let text: String = bytes.iter().copied().map(char::from).collect();
        self.bytes.extend(b"c_codecs\nencode\n");
        self.text(text.as_bytes())?;
        self.text(b"latin1")?;
        self.bytes.extend([op::TUPLE2, op::REDUCE]);
        Ok(())
    }

    fn byte_array(&mut self, bytes: &[u8]) -> Result<()> {
        if Protocol::V5 <= self.protocol {
            return self.run([None, None, Some(op::BYTEARRAY8)], bytes, "a bytearray");
        }
        self.known("bytearray")?;
        self.byte_string(bytes)?;
        self.bytes.extend([op::TUPLE1, op::REDUCE]);
        Ok(())
    }

    /// Writes a length and bytes, with the first opcode whose length has one, four or eight bytes.
    fn run(&mut self, opcodes: [Option<u8>; 3], run: &[u8], what: &'static str) -> Result<()> {
        let len = run.len() as u64;
        let (opcode, width) = match opcodes {
            [Some(opcode), ..] if len < 1 << 8 => (opcode, 1),
            [_, Some(opcode), _] if len < 1 << 32 => (opcode, 4),
            [.., Some(opcode)] => (opcode, 8),
            _ => return Err(self.refused(what)),
        };
        self.bytes.push(opcode);
        self.bytes.extend(&len.to_le_bytes()[..width]);
        self.bytes.extend(run);
        Ok(())
    }

    fn objects(&mut self, items: &[Object], depth: usize) -> Result<()> {
        items.iter().try_for_each(|item| self.object(item, depth))
    }

    fn tuple(&mut self, items: &[Object], depth: usize) -> Result<()> {
        if 3 < items.len() {
            self.bytes.push(op::MARK);
        }
        self.objects(items, depth)?;
        self.bytes.push(match items.len() {
            0 => op::EMPTY_TUPLE,
            1 => op::TUPLE1,
            2 => op::TUPLE2,
            3 => op::TUPLE3,
            _ => op::TUPLE,
        });
        Ok(())
    }

    fn append(&mut self, items: &[Object], depth: usize) -> Result<()> {
        for batch in items.chunks(BATCH) {
            if let [item] = batch {
                self.object(item, depth)?;
                self.bytes.push(op::APPEND);
                continue;
            }
            self.bytes.push(op::MARK);
            self.objects(batch, depth)?;
            self.bytes.push(op::APPENDS);
        }
        Ok(())
    }

    fn set_items(&mut self, pairs: &[(Object, Object)], depth: usize) -> Result<()> {
        for batch in pairs.chunks(BATCH) {
            self.bytes.push(op::MARK);
            for (key, value) in batch {
                check_hashable(key)?;
                self.object(key, depth)?;
                self.object(value, depth)?;
            }
            self.bytes.push(op::SETITEMS);
        }
        Ok(())
    }

    fn set(&mut self, items: &[Object], depth: usize) -> Result<()> {
        items.iter().try_for_each(check_hashable)?;
        if self.protocol < Protocol::V4 {
            return self.set_by_list("set", items, depth);
        }
        self.bytes.push(op::EMPTY_SET);
        for batch in items.chunks(BATCH) {
            self.bytes.push(op::MARK);
            self.objects(batch, depth)?;
            self.bytes.push(op::ADDITEMS);
        }
        Ok(())
    }

    fn frozen_set(&mut self, items: &[Object], depth: usize) -> Result<()> {
        items.iter().try_for_each(check_hashable)?;
        if self.protocol < Protocol::V4 {
            return self.set_by_list("frozenset", items, depth);
        }
        self.bytes.push(op::MARK);
        self.objects(items, depth)?;
        self.bytes.push(op::FROZENSET);
        Ok(())
    }

    fn set_by_list(&mut self, class: &str, items: &[Object], depth: usize) -> Result<()> {
        self.known(class)?;
        self.bytes.push(op::EMPTY_LIST);
        self.append(items, depth)?;
        self.bytes.extend([op::TUPLE1, op::REDUCE]);
        Ok(())
    }

    fn exception(&mut self, exception: &Exception, depth: usize) -> Result<()> {
        let Exception { class, args, attributes } = exception;
        self.global(class)?;
        self.tuple(args, depth)?;
        self.bytes.push(op::REDUCE);
        if !attributes.is_empty() {
            self.bytes.push(op::EMPTY_DICT);
            self.set_items(attributes, depth)?;
            self.bytes.push(op::BUILD);
        }
        Ok(())
    }

    fn instance(&mut self, instance: &Instance, depth: usize) -> Result<()> {
        let Instance { class, made, args, kwargs, items, pairs, state } = instance;
        self.global(class)?;
        self.tuple(args, depth)?;
        match made {
            _ if kwargs.is_empty() => {
                let call = *made == Made::Call;
                self.bytes.push(if call { op::REDUCE } else { op::NEWOBJ });
            }
            Made::New if Protocol::V4 <= self.protocol => {
                self.bytes.push(op::EMPTY_DICT);
                self.set_items(kwargs, depth)?;
                self.bytes.push(op::NEWOBJ_EX);
            }
            _ => return Err(self.refused("a call with keyword arguments")),
        }
        self.append(items, depth)?;
        self.set_items(pairs, depth)?;
        if let Some(state) = state {
            self.object(state, depth)?;
            self.bytes.push(op::BUILD);
        }
        Ok(())
    }

    fn known(&mut self, name: &str) -> Result<()> {
        self.global(&Global::new("builtins", name))
    }

    fn global(&mut self, global: &Global) -> Result<()> {
        let Global { module, name } = global;
        if Protocol::V4 <= self.protocol {
            self.text(module.as_bytes())?;
            self.text(name.as_bytes())?;
            self.bytes.push(op::STACK_GLOBAL);
            return Ok(());
        }
        // What follows a line break would be read as opcodes.
        if module.contains('\n') || name.contains('\n') {
            return Err(self.refused("a name with a line break"));
        }
        let module = match self.protocol {
            Protocol::V2 => ancient(module, name),
            _ => module,
        };
        self.bytes.push(op::GLOBAL);
        for line in [module, name] {
            self.bytes.extend(line.as_bytes());
            self.bytes.push(b'\n');
        }
        Ok(())
    }

    #[cold]
    fn refused(&self, what: &'static str) -> Fault {
        ObjectErrorKind::Protocol { protocol: self.protocol.number(), what }.into()
    }
}

/// How many values go onto the reader's stack before they are moved to their container.
const BATCH: usize = 1000;

fn check_hashable(object: &Object) -> Result<()> {
    match object.unhashable() {
        None => Ok(()),
        Some(object) => {
            let type_name = object.type_name().to_owned();
            Err(ObjectErrorKind::Unhashable { type_name }.into())
        }
    }
}
