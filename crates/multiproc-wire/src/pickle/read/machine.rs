//! The machine that follows a pickle's opcodes.

use super::{
    Result,
    memo::Memo,
    node::{Call, Name, Node, Value},
    source::Source,
};
use crate::pickle::{
    Globals, Made, PickleErrorKind, big_int,
    globals::{known, modern},
    opcode as op,
};

pub(super) struct Machine<'a> {
    pub(super) source: Source<'a>,
    /// Every value made so far; stack, memo and containers hold their numbers.
    pub(super) nodes: Vec<Node<'a>>,
    stack: Vec<u32>,
    /// How high the stack stood at each mark.
    ///
    /// **Invariant:** ascending, and none above the height of the stack.
    marks: Vec<usize>,
    memo: Memo,
    protocol: u8,
    globals: Globals,
}

const EMPTY: &str = "opcode needs a value where the stack has none";
const NO_MARK: &str = "opcode needs a mark where the stack has none";

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8], globals: Globals) -> Self {
        let (nodes, stack, marks, memo) = (vec![], vec![], vec![], Memo::default());
        Self { source: Source::new(bytes), nodes, stack, marks, memo, protocol: 0, globals }
    }

    /// Follows all opcodes and returns the number of the value they leave.
    pub(super) fn run(&mut self) -> Result<u32> {
        loop {
            match self.source.opcode()? {
                op::STOP => break,
                opcode => self.step(opcode)?,
            }
        }
        let root = self.pop()?;
        if !self.stack.is_empty() || !self.marks.is_empty() {
            return Err(self.stack_fault("more than one value is left at the end"));
        }
        self.source.finish()?;
        Ok(root)
    }

    fn step(&mut self, opcode: u8) -> Result<()> {
        match opcode {
            op::PROTO => self.protocol = self.source.byte()?,
            op::FRAME => self.source.frame()?,
            op::MARK => self.marks.push(self.stack.len()),
            op::POP if self.marks.last() == Some(&self.stack.len()) => drop(self.marks.pop()),
            op::POP => drop(self.pop()?),
            op::POP_MARK => drop(self.pop_to_mark()?),
            op::DUP => self.stack.push(self.top()?),

            op::NONE => self.push(Value::None)?,
            op::NEWTRUE => self.push(Value::Bool(true))?,
            op::NEWFALSE => self.push(Value::Bool(false))?,
            op::BININT1 => {
                let value = self.source.byte()?;
                self.push(Value::Int(value.into()))?;
            }
            op::BININT2 => {
                let value = u16::from_le_bytes(self.source.array()?);
                self.push(Value::Int(value.into()))?;
            }
            op::BININT => {
                let value = i32::from_le_bytes(self.source.array()?);
                self.push(Value::Int(value.into()))?;
            }
            op::LONG1 => {
                let bytes = self.source.run_1()?;
                self.integer(bytes)?;
            }
            op::LONG4 => {
                let bytes = self.source.run_signed()?;
                self.integer(bytes)?;
            }
            op::BINFLOAT => {
                let value = f64::from_be_bytes(self.source.array()?);
                self.push(Value::Float(value))?;
            }
            op::INT | op::LONG | op::FLOAT | op::UNICODE => {
                let value = self.source.scalar(opcode)?;
                self.push(value)?;
            }

            op::SHORT_BINUNICODE | op::BINUNICODE | op::BINUNICODE8 => {
                let bytes = match opcode {
                    op::SHORT_BINUNICODE => self.source.run_1()?,
                    op::BINUNICODE => self.source.run_4()?,
                    _ => self.source.run_8()?,
                };
                let value = self.source.text(bytes)?;
                self.push(value)?;
            }
            op::SHORT_BINSTRING | op::BINSTRING => {
                let bytes = match opcode {
                    op::SHORT_BINSTRING => self.source.run_1()?,
                    _ => self.source.run_signed()?,
                };
                let value = self.source.ascii(bytes)?;
                self.push(value)?;
            }
            op::SHORT_BINBYTES | op::BINBYTES | op::BINBYTES8 => {
                let bytes = match opcode {
                    op::SHORT_BINBYTES => self.source.run_1()?,
                    op::BINBYTES => self.source.run_4()?,
                    _ => self.source.run_8()?,
                };
                self.push(Value::Bytes(bytes))?;
            }
            op::BYTEARRAY8 => {
                let bytes = self.source.run_8()?;
                self.push(Value::ByteArray(bytes))?;
            }

            op::EMPTY_TUPLE => self.push(Value::Tuple([].into()))?,
            op::TUPLE1 | op::TUPLE2 | op::TUPLE3 => {
                self.tuple(usize::from(opcode - op::TUPLE1) + 1)?
            }
            op::TUPLE => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items.into()))?;
            }
            op::EMPTY_LIST => self.push(Value::List(vec![]))?,
            op::LIST => {
                let items = self.pop_to_mark()?;
                self.push(Value::List(items))?;
            }
            op::EMPTY_DICT => self.push(Value::Dict(vec![]))?,
            op::DICT => {
                let items = self.pop_to_mark()?;
                self.push(Value::Dict(vec![]))?;
                self.set_items(&items)?;
            }
            op::EMPTY_SET => self.push(Value::Set(vec![]))?,
            op::FROZENSET => {
                let items = self.pop_to_mark()?;
                self.push(Value::FrozenSet(items.into()))?;
            }
            op::APPEND => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            op::APPENDS => {
                let items = self.pop_to_mark()?;
                self.append(&items)?;
            }
            op::SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])?;
            }
            op::SETITEMS => {
                let items = self.pop_to_mark()?;
                self.set_items(&items)?;
            }
            op::ADDITEMS => {
                let items = self.pop_to_mark()?;
                self.add(&items)?;
            }

            op::GLOBAL => {
                let module = self.source.text_line()?;
                let name = self.source.text_line()?;
                self.global(module, name)?;
            }
            op::STACK_GLOBAL => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (module, name) = (self.str(module)?, self.str(name)?);
                self.global(module, name)?;
            }
            op::REDUCE | op::NEWOBJ => {
                let (args, class) = (self.pop()?, self.pop()?);
                let made = if opcode == op::REDUCE { Made::Call } else { Made::New };
                self.call(class, made, args, None)?;
            }
            op::NEWOBJ_EX => {
                let (kwargs, args, class) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(class, Made::New, args, Some(kwargs))?;
            }
            op::BUILD => {
                let state = self.pop()?;
                self.build(state)?;
            }

            op::MEMOIZE => {
                let node = self.top()?;
                self.memo.memoize(node);
            }
            op::PUT | op::BINPUT | op::LONG_BINPUT => {
                let index = self.memo_index(opcode, op::PUT, op::BINPUT)?;
                let node = self.top()?;
                self.memo.put(index, node);
            }
            op::GET | op::BINGET | op::LONG_BINGET => {
                let index = self.memo_index(opcode, op::GET, op::BINGET)?;
                let Some(node) = self.memo.get(index) else {
                    return Err(self.source.fault(PickleErrorKind::NoSuchMemo { index }));
                };
                self.stack.push(node);
            }
            opcode => return Err(self.source.fault(refused(opcode))),
        }
        if 5 < self.protocol {
            let what = "protocols above 5";
            return Err(self.source.fault(PickleErrorKind::Unsupported { what }));
        }
        Ok(())
    }

    #[cold]
    fn stack_fault(&self, what: &'static str) -> crate::pickle::PickleError {
        self.source.fault(PickleErrorKind::Stack { what })
    }

    #[cold]
    fn type_fault(&self, what: &'static str) -> crate::pickle::PickleError {
        self.source.fault(PickleErrorKind::WrongType { what })
    }

    fn push(&mut self, value: Value<'a>) -> Result<()> {
        let Ok(number) = u32::try_from(self.nodes.len()) else {
            let limit = u32::MAX as usize;
            return Err(self.source.fault(PickleErrorKind::TooManyNodes { limit }));
        };
        self.nodes.push(Node { at: self.source.at(), value });
        self.stack.push(number);
        Ok(())
    }

    /// Returns the topmost value, unless a mark lies upon it.
    fn top(&self) -> Result<u32> {
        let fence = self.marks.last().copied().unwrap_or(0);
        let top = self.stack[fence..].last().copied();
        top.ok_or_else(|| self.stack_fault(EMPTY))
    }

    fn pop(&mut self) -> Result<u32> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Takes the topmost mark, and the values above it.
    fn pop_to_mark(&mut self) -> Result<Vec<u32>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => Err(self.stack_fault(NO_MARK)),
        }
    }

    fn tuple(&mut self, len: usize) -> Result<()> {
        let mut items = vec![0; len];
        for place in items.iter_mut().rev() {
            *place = self.pop()?;
        }
        self.push(Value::Tuple(items.into()))
    }

    fn integer(&mut self, bytes: &'a [u8]) -> Result<()> {
        self.push(big_int::to_i64(bytes).map_or(Value::BigInt(bytes), Value::Int))
    }

    fn value(&self, node: u32) -> &Value<'a> {
        &self.nodes[node as usize].value
    }

    fn append(&mut self, items: &[u32]) -> Result<()> {
        let target = self.top()?;
        match &mut self.nodes[target as usize].value {
            Value::List(list) => list.extend(items),
            Value::Call(call) => call.items.extend(items),
            _ => return Err(self.type_fault("value is appended to something that is no list")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[u32]) -> Result<()> {
        if !items.len().is_multiple_of(2) {
            return Err(self.stack_fault("key has no value"));
        }
        let target = self.top()?;
        match &mut self.nodes[target as usize].value {
            Value::Dict(dict) => dict.extend(items),
            Value::Call(call) => call.pairs.extend(items),
            _ => return Err(self.type_fault("key is set in something that is no dict")),
        }
        Ok(())
    }

    fn add(&mut self, items: &[u32]) -> Result<()> {
        let target = self.top()?;
        match &mut self.nodes[target as usize].value {
            Value::Set(set) => set.extend(items),
            _ => return Err(self.type_fault("value is added to something that is no set")),
        }
        Ok(())
    }

    fn str(&self, node: u32) -> Result<&'a str> {
        match self.value(node) {
            Value::Str(text) => Ok(text),
            _ => Err(self.type_fault("name of a global is no str")),
        }
    }

    fn global(&mut self, module: &'a str, name: &'a str) -> Result<()> {
        let (module, name) = modern(module, name, self.protocol);
        if self.globals == Globals::Known && known(module, name).is_none() {
            let (module, name) = (module.to_owned(), name.to_owned());
            let kind = PickleErrorKind::Global { module, name, verb: "read" };
            return Err(self.source.fault(kind));
        }
        self.push(Value::Global(Box::new(Name { module, name })))
    }

    fn call(&mut self, class: u32, made: Made, args: u32, kwargs: Option<u32>) -> Result<()> {
        if !matches!(self.value(class), Value::Global(_)) {
            return Err(self.type_fault("what is called is no global"));
        }
        if !matches!(self.value(args), Value::Tuple(_)) {
            return Err(self.type_fault("arguments of a call are no tuple"));
        }
        if kwargs.is_some_and(|kwargs| !matches!(self.value(kwargs), Value::Dict(_))) {
            return Err(self.type_fault("keyword arguments of a call are no dict"));
        }
        let (items, pairs) = (vec![], vec![]);
        self.push(Value::Call(Box::new(Call {
            class,
            made,
            args,
            kwargs,
            items,
            pairs,
            state: None,
        })))
    }

    fn build(&mut self, state: u32) -> Result<()> {
        let target = self.top()?;
        match &mut self.nodes[target as usize].value {
            Value::Call(call) if call.state.is_none() => call.state = Some(state),
            Value::Call(_) => return Err(self.type_fault("state is set twice")),
            _ => return Err(self.type_fault("state is set in something that has none")),
        }
        Ok(())
    }

    fn memo_index(&mut self, opcode: u8, text: u8, byte: u8) -> Result<u32> {
        if opcode == byte {
            self.source.byte().map(u32::from)
        } else if opcode == text {
            let line = self.source.text_line()?;
            line.parse().map_err(|_| self.source.invalid("memo index"))
        } else {
            self.source.array().map(u32::from_le_bytes)
        }
    }
}

/// Returns why an opcode is not followed.
#[cold]
fn refused(opcode: u8) -> PickleErrorKind {
    let what = match opcode {
        op::PERSID | op::BINPERSID => "persistent ids",
        op::EXT1 | op::EXT2 | op::EXT4 => "extension codes",
        op::NEXT_BUFFER | op::READONLY_BUFFER => "out-of-band buffers",
        op::STRING => "texts of Python 2",
        op::INST | op::OBJ => "instances of Python 2",
        opcode => return PickleErrorKind::UnknownOpcode { opcode },
    };
    PickleErrorKind::Unsupported { what }
}
