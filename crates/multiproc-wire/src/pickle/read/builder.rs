//! From the graph of nodes to an object.

use super::{
    Result,
    node::{Name, Node, Value},
};
use crate::pickle::{
    BigInt, Global, Globals, Limits, Object, PickleError, PickleErrorKind, globals,
    limits::MAX_DEPTH,
};

/// Copies values out of the graph, counting them.
pub(super) struct Builder<'n, 'a> {
    pub(super) nodes: &'n [Node<'a>],
    /// Which nodes stand around the one that is being copied.
    open: Vec<bool>,
    /// How many more values there may be.
    nodes_left: usize,
    node_limit: usize,
    /// How many more bytes of text there may be.
    bytes_left: usize,
    byte_limit: usize,
    depth_limit: usize,
    pub(super) globals: Globals,
}

impl<'n, 'a> Builder<'n, 'a> {
    pub(super) fn new(nodes: &'n [Node<'a>], len: usize, limits: Limits) -> Self {
        let node_limit = limits.nodes.saturating_add(len);
        let byte_limit = limits.bytes.saturating_add(len.saturating_mul(16));
        Self {
            nodes,
            open: vec![],
            nodes_left: node_limit,
            node_limit,
            bytes_left: byte_limit,
            byte_limit,
            depth_limit: limits.depth.min(MAX_DEPTH),
            globals: limits.globals,
        }
    }

    pub(super) fn root(&mut self, index: u32) -> Result<Object> {
        self.count(index, 1)?;
        self.object(index, self.depth_limit)
    }

    /// Makes the object of a node, with so many levels below it.
    ///
    /// What is deep goes through here at every level, so this takes as little of the stack as it
    /// can, and all that needs more is a function of its own.
    fn object(&mut self, index: u32, depth: usize) -> Result<Object> {
        let nodes = self.nodes;
        match &nodes[index as usize].value {
            Value::List(items) => self.sequence(index, items, depth).map(Object::List),
            Value::Tuple(items) => self.sequence(index, items, depth).map(Object::Tuple),
            Value::Dict(items) => self.mapping(index, items, depth).map(Object::Dict),
            Value::Set(items) => self.set(index, items, depth).map(Object::Set),
            Value::FrozenSet(items) => self.set(index, items, depth).map(Object::FrozenSet),
            Value::Call(call) => self.call(index, call, depth),
            value => self.leaf(index, value),
        }
    }

    #[inline(never)]
    fn leaf(&mut self, index: u32, value: &Value<'a>) -> Result<Object> {
        let bytes = match value {
            Value::BigInt(bytes) | Value::Bytes(bytes) | Value::ByteArray(bytes) => bytes.len(),
            Value::ParsedBigInt(value) => value.as_le_bytes().len(),
            Value::Str(text) => text.len(),
            Value::ParsedStr(text) => text.len(),
            Value::Surrogates(bytes) => bytes.len(),
            _ => 0,
        };
        self.text(index, bytes)?;
        Ok(match value {
            Value::Bool(value) => Object::Bool(*value),
            Value::Int(value) => Object::Int(*value),
            Value::BigInt(bytes) => Object::BigInt(BigInt::from_le_bytes(bytes)),
            Value::ParsedBigInt(value) => Object::BigInt(BigInt::clone(value)),
            Value::Float(value) => Object::Float(*value),
            Value::Str(text) => Object::Str((*text).to_owned()),
            Value::ParsedStr(text) => Object::Str(text.clone().into()),
            Value::Surrogates(bytes) => Object::Surrogates(bytes.to_vec()),
            Value::Bytes(bytes) => Object::Bytes(bytes.to_vec()),
            Value::ByteArray(bytes) => Object::ByteArray(bytes.to_vec()),
            Value::Global(name) => self.name(index, **name)?,
            // Containers never come here.
            _ => Object::None,
        })
    }

    pub(super) fn sequence(
        &mut self,
        index: u32,
        items: &[u32],
        depth: usize,
    ) -> Result<Vec<Object>> {
        let depth = self.enter(index, depth)?;
        let objects = self.objects(index, items, depth);
        self.leave(index);
        objects
    }

    fn mapping(
        &mut self,
        index: u32,
        items: &[u32],
        depth: usize,
    ) -> Result<Vec<(Object, Object)>> {
        let depth = self.enter(index, depth)?;
        let pairs = self.pairs(index, items, depth);
        self.leave(index);
        pairs
    }

    /// Makes the objects of a set's nodes.
    pub(super) fn set(&mut self, index: u32, items: &[u32], depth: usize) -> Result<Vec<Object>> {
        let objects = self.sequence(index, items, depth)?;
        for (item, object) in items.iter().zip(&objects) {
            self.check_hashable(*item, object)?;
        }
        Ok(objects)
    }

    /// Goes one level down into a container.
    pub(super) fn enter(&mut self, index: u32, depth: usize) -> Result<usize> {
        // A flat value of plain data never needs the table.
        if self.open.is_empty() {
            self.open.resize(self.nodes.len(), false);
        }
        if std::mem::replace(&mut self.open[index as usize], true) {
            return Err(self.fault(index, PickleErrorKind::Recursive));
        }
        let limit = self.depth_limit;
        depth.checked_sub(1).ok_or_else(|| self.fault(index, PickleErrorKind::TooDeep { limit }))
    }

    pub(super) fn leave(&mut self, index: u32) {
        self.open[index as usize] = false;
    }

    /// Makes the objects of a container's nodes.
    pub(super) fn objects(
        &mut self,
        owner: u32,
        items: &[u32],
        depth: usize,
    ) -> Result<Vec<Object>> {
        // All are counted before there is room for any.
        self.count(owner, items.len())?;
        let mut objects = Vec::with_capacity(items.len());
        for item in items {
            objects.push(self.object(*item, depth)?);
        }
        Ok(objects)
    }

    /// Makes the objects of a dict's nodes.
    pub(super) fn pairs(
        &mut self,
        owner: u32,
        items: &[u32],
        depth: usize,
    ) -> Result<Vec<(Object, Object)>> {
        self.count(owner, items.len())?;
        let mut pairs = Vec::with_capacity(items.len() / 2);
        for pair in items.chunks_exact(2) {
            let key = self.object(pair[0], depth)?;
            self.check_hashable(pair[0], &key)?;
            pairs.push((key, self.object(pair[1], depth)?));
        }
        Ok(pairs)
    }

    fn check_hashable(&self, index: u32, object: &Object) -> Result<()> {
        match object.unhashable() {
            None => Ok(()),
            Some(object) => {
                let type_name = object.type_name().to_owned();
                Err(self.fault(index, PickleErrorKind::Unhashable { type_name }))
            }
        }
    }

    /// Makes the object of a name that is not called.
    fn name(&mut self, index: u32, name: Name<'a>) -> Result<Object> {
        let encode = globals::known(name.module, name.name) == Some(globals::Known::Encode);
        if encode && self.globals == Globals::Known {
            return Err(self.global_fault(index, name, "read"));
        }
        Ok(self.global(index, name)?.into())
    }

    pub(super) fn global(&mut self, index: u32, name: Name<'a>) -> Result<Global> {
        self.text(index, name.module.len() + name.name.len())?;
        Ok(Global::new(name.module, name.name))
    }

    /// Counts values.
    fn count(&mut self, index: u32, nodes: usize) -> Result<()> {
        match self.nodes_left.checked_sub(nodes) {
            Some(left) => self.nodes_left = left,
            None => {
                let limit = self.node_limit;
                return Err(self.fault(index, PickleErrorKind::TooManyNodes { limit }));
            }
        }
        Ok(())
    }

    /// Counts bytes of text.
    pub(super) fn text(&mut self, index: u32, bytes: usize) -> Result<()> {
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => {
                let limit = self.byte_limit;
                return Err(self.fault(index, PickleErrorKind::TooManyBytes { limit }));
            }
        }
        Ok(())
    }

    #[cold]
    pub(super) fn fault(&self, index: u32, kind: PickleErrorKind) -> PickleError {
        PickleError::new(self.nodes[index as usize].at, kind)
    }

    #[cold]
    pub(super) fn global_fault(
        &self,
        index: u32,
        name: Name<'a>,
        verb: &'static str,
    ) -> PickleError {
        let (module, name) = (name.module.to_owned(), name.name.to_owned());
        self.fault(index, PickleErrorKind::Global { module, name, verb })
    }
}
