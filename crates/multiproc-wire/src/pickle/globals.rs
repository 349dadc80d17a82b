//! Which names a pickle may hold, and what is done with those we know.

/// Which classes and functions a pickle may name.
///
/// Whatever is chosen, a name stays a name: nothing is looked up, imported or called.
///
/// # Python
///
/// What a restricted `Unpickler.find_class` decides.
///
/// # Examples
///
/// ```
/// use multiproc_wire::pickle::{self, Globals, Limits};
///
/// let bytes = b"cdecimal\nDecimal\n(X\x03\x00\x00\x001.5tR.";
/// let err = pickle::decode(bytes).unwrap_err();
/// assert_eq!(err.kind().to_string(), "global `decimal.Decimal` is not one that may be read");
///
/// let limits = Limits { globals: Globals::Any, ..Limits::DEFAULT };
/// assert_eq!(pickle::decode_with(bytes, limits)?.to_string(), "decimal.Decimal('1.5')");
/// # Ok::<(), pickle::PickleError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Globals {
    /// Those that plain data and Python's managers need; any other is an error that names it.
    ///
    /// They are the builtin types and exceptions, `queue.Empty` and `queue.Full`, the exceptions of
    /// `multiprocessing`, the tokens and proxies of its managers, `array.array` and
    /// `collections.OrderedDict`.
    #[default]
    Known,

    /// All of them; those we do not know become [`Global`](super::Global) and
    /// [`Instance`](super::Instance) values.
    ///
    /// Such a value does no harm here, but to a Python process that it is sent on to it means what
    /// it says. Never forward one to a peer that trusts you more than its author.
    Any,
}

/// What a name that we know stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// A class of exceptions: its instances are [`Exception`](super::Exception)s.
    Exception,
    /// A name only: calling it is refused.
    Name,
    /// A class whose instances may appear.
    Class,
    /// `builtins.type`, which older protocols call to get the type of a constant.
    Type,
    /// `_codecs.encode`: how protocols without bytes spell them.
    Encode,
    Bytes,
    ByteArray,
    Set,
    FrozenSet,
    /// `builtins.list`, which managers call to copy the views of a dict.
    List,
}

/// Returns what a name stands for, or nothing if we do not know it.
pub(super) fn known(module: &str, name: &str) -> Option<Known> {
    let known = match (module, name) {
        ("builtins", "bytes") => Known::Bytes,
        ("builtins", "bytearray") => Known::ByteArray,
        ("builtins", "set") => Known::Set,
        ("builtins", "frozenset") => Known::FrozenSet,
        ("builtins", "type") => Known::Type,
        ("builtins", "list") => Known::List,
        ("builtins", "complex" | "range" | "reversed" | "slice") => Known::Class,
        ("builtins", name) if TYPES.contains(&name) => Known::Name,
        ("builtins", name) if EXCEPTIONS.contains(&name) => Known::Exception,
        ("_codecs", "encode") => Known::Encode,
        ("array", "array") | ("collections", "OrderedDict") => Known::Class,
        ("queue", "Empty" | "Full" | "ShutDown") => Known::Exception,
        ("threading", "BrokenBarrierError") => Known::Exception,
        ("multiprocessing.managers", "RebuildProxy" | "Token") => Known::Class,
        ("multiprocessing.managers", "RemoteError") => Known::Exception,
        ("multiprocessing.managers", name) if PROXIES.contains(&name) => Known::Name,
        (
            "multiprocessing.context",
            "ProcessError" | "AuthenticationError" | "BufferTooShort" | "TimeoutError",
        ) => Known::Exception,
        _ => return None,
    };
    Some(known)
}

/// Returns the module of a name of today as Python 2 spelled it, for protocols that it can read.
///
/// Exceptions keep theirs: Python 2 had only some of them, and Python 3 knows the old place of only those.
pub(super) fn ancient<'a>(module: &'a str, name: &str) -> &'a str {
    match module {
        "builtins" if !EXCEPTIONS.contains(&name) => "__builtin__",
        "queue" => "Queue",
        "copyreg" => "copy_reg",
        _ => module,
    }
}

/// Returns today's spelling of a name, which protocols up to 2 spell as Python 2 did.
pub(super) fn modern<'a>(module: &'a str, name: &'a str, protocol: u8) -> (&'a str, &'a str) {
    let (module, name) = match (module, name) {
        ("__builtin__", "long") if protocol < 3 => ("builtins", "int"),
        ("__builtin__", "unicode") if protocol < 3 => ("builtins", "str"),
        ("__builtin__", "xrange") if protocol < 3 => ("builtins", "range"),
        ("__builtin__" | "exceptions", name) if protocol < 3 => ("builtins", name),
        ("Queue", name) if protocol < 3 => ("queue", name),
        ("copy_reg", name) if protocol < 3 => ("copyreg", name),
        ("multiprocessing", name) if protocol < 3 => ("multiprocessing.context", name),
        names => names,
    };
    match (module, name) {
        // The class lives in the C half of its module, a detail nobody wants to match on.
        ("_queue", "Empty") => ("queue", "Empty"),
        names => names,
    }
}

const PROXIES: &[&str] = &[
    "AcquirerProxy",
    "ArrayProxy",
    "AutoProxy",
    "BarrierProxy",
    "ConditionProxy",
    "DictProxy",
    "EventProxy",
    "IteratorProxy",
    "ListProxy",
    "NamespaceProxy",
    "PoolProxy",
    "SetProxy",
    "ValueProxy",
];

const TYPES: &[&str] =
    &["bool", "dict", "float", "int", "object", "str", "tuple", "Ellipsis", "NotImplemented"];

/// Every exception of Python 3.8 to 3.14.
const EXCEPTIONS: &[&str] = &[
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "BaseException",
    "BaseExceptionGroup",
    "BlockingIOError",
    "BrokenPipeError",
    "BufferError",
    "BytesWarning",
    "ChildProcessError",
    "ConnectionAbortedError",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "DeprecationWarning",
    "EOFError",
    "EncodingWarning",
    "Exception",
    "ExceptionGroup",
    "FileExistsError",
    "FileNotFoundError",
    "FloatingPointError",
    "FutureWarning",
    "GeneratorExit",
    "ImportError",
    "ImportWarning",
    "IndentationError",
    "IndexError",
    "InterruptedError",
    "IsADirectoryError",
    "KeyError",
    "KeyboardInterrupt",
    "LookupError",
    "MemoryError",
    "ModuleNotFoundError",
    "NameError",
    "NotADirectoryError",
    "NotImplementedError",
    "OSError",
    "OverflowError",
    "PendingDeprecationWarning",
    "PermissionError",
    "ProcessLookupError",
    "PythonFinalizationError",
    "RecursionError",
    "ReferenceError",
    "ResourceWarning",
    "RuntimeError",
    "RuntimeWarning",
    "StopAsyncIteration",
    "StopIteration",
    "SyntaxError",
    "SyntaxWarning",
    "SystemError",
    "SystemExit",
    "TabError",
    "TimeoutError",
    "TypeError",
    "UnboundLocalError",
    "UnicodeDecodeError",
    "UnicodeEncodeError",
    "UnicodeError",
    "UnicodeTranslateError",
    "UnicodeWarning",
    "UserWarning",
    "ValueError",
    "Warning",
    "ZeroDivisionError",
];
