# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Dataclass to Avro bytes and back by a tree of nodes, without a dict in between; `schemas/plan.py` builds the tree.

A node's shape is the schema's, so bytes decide nothing about depth, and every item of an array or a map takes at least
one byte: a count larger than the bytes that are left is refused before anything is made for it.
"""
import dataclasses
import datetime as dt
import functools
import types

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.long cimport PyLong_Check
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy


cdef extern from *:
    """
    static PyObject *slot_get(PyObject *slot, PyObject *record) {
        return Py_TYPE(slot)->tp_descr_get(slot, record, (PyObject *)Py_TYPE(record));
    }
    static int slot_set(PyObject *slot, PyObject *record, PyObject *value) {
        return Py_TYPE(slot)->tp_descr_set(slot, record, value);
    }
    static double little_double(const char *from) {
        return PyFloat_Unpack8(from, 1);
    }
    static int put_double(double number, char *to) {
        return PyFloat_Pack8(number, to, 1);
    }
    """
    object slot_get(object slot, object record)
    int slot_set(object slot, object record, object value) except -1
    double little_double(const char* start) except? -1.0
    int put_double(double number, char* to) except -1

cdef extern from "Python.h":
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL
    void PyUnicode_InternInPlace(PyObject** text)
    object PyType_GenericAlloc(type cls, Py_ssize_t items)
    long long PyLong_AsLongLong(object number) except? -1
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1

cdef object EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
cdef object MILLISECOND = dt.timedelta(milliseconds=1)
cdef object DATE = dt.date
cdef object DATETIME = dt.datetime
cdef int EPOCH_ORDINAL = dt.date(1970, 1, 1).toordinal()
cdef long long LEAST = -0x7FFFFFFFFFFFFFFF - 1
cdef dict NOTHING = {}  # one empty map for all rows, which nobody changes, since they are Mappings


cdef class Writer:
    """Bytes that grow."""
    cdef char* start
    cdef Py_ssize_t size, capacity

    def __cinit__(self):
        self.capacity = 1024
        self.size = 0
        self.start = <char*>malloc(self.capacity)
        if self.start == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.start)

    cdef inline int need(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t capacity = self.capacity
        cdef char* moved
        if more > capacity - self.size:
            while more > capacity - self.size:
                if capacity > <Py_ssize_t>1 << 40:
                    raise MemoryError
                capacity *= 2
            moved = <char*>realloc(self.start, capacity)
            if moved == NULL:
                raise MemoryError
            self.start, self.capacity = moved, capacity
        return 0

    cdef inline int byte(self, char value) except -1:
        self.need(1)
        self.start[self.size] = value
        self.size += 1
        return 0

    cdef inline int number(self, long long value) except -1:
        cdef unsigned long long rest = (<unsigned long long>value << 1) ^ <unsigned long long>(value >> 63)
        self.need(10)
        while rest > 127:
            self.start[self.size] = <char>((rest & 127) | 128)
            self.size += 1
            rest >>= 7
        self.start[self.size] = <char>rest
        self.size += 1
        return 0

    cdef inline int raw(self, const char* start, Py_ssize_t size) except -1:
        self.need(size)
        memcpy(self.start + self.size, start, size)
        self.size += size
        return 0

    cdef int double(self, double value) except -1:
        """The branch of a FieldValue that holds one."""
        self.number(4)
        self.need(8)
        put_double(value, self.start + self.size)
        self.size += 8
        return 0

    cdef inline int text(self, object value) except -1:
        cdef Py_ssize_t size = 0
        cdef const char* start = PyUnicode_AsUTF8AndSize(value, &size)
        self.number(size)
        return self.raw(start, size)


cdef class Reader:
    """Bytes that are read from front to back; raises ValueError where they end too early."""
    cdef const char* start
    cdef Py_ssize_t at, size
    cdef bytes kept

    cdef inline long long number(self) except? -1:
        cdef unsigned long long value = 0
        cdef int shift = 0
        cdef unsigned char byte
        while True:
            if self.at >= self.size:
                raise ValueError("cut short")
            byte = <unsigned char>self.start[self.at]
            self.at += 1
            if shift == 63 and byte > 1:
                raise ValueError("a number of more than 64 bits")
            value |= <unsigned long long>(byte & 127) << shift
            if byte < 128:
                return <long long>(value >> 1) ^ -<long long>(value & 1)
            shift += 7

    cdef inline Py_ssize_t length(self) except -1:
        cdef long long size = self.number()
        if size < 0 or size > self.size - self.at:
            raise ValueError("a length beyond the end")
        return <Py_ssize_t>size

    cdef inline Py_ssize_t items(self) except -1:
        """How many items a block holds; a negative count stands before the block's size, which nobody needs."""
        cdef long long count = self.number()
        if count < 0:
            if count == LEAST:
                raise ValueError("a count beyond the end")
            count = -count
            self.number()
        if count > self.size - self.at:
            raise ValueError("a count beyond the end")
        return <Py_ssize_t>count

    cdef inline object text(self):
        cdef Py_ssize_t size = self.length()
        value = PyUnicode_DecodeUTF8(self.start + self.at, size, NULL)
        self.at += size
        return value

    cdef inline object name(self):
        """The same where few texts come many times: each once for all rows, not once for each."""
        value = self.text()
        cdef PyObject* one = <PyObject*>value
        Py_INCREF(value)
        PyUnicode_InternInPlace(&one)
        value = <object>one
        Py_DECREF(value)
        return value

    cdef inline object truth(self):
        if self.at >= self.size:
            raise ValueError("cut short")
        self.at += 1
        return self.start[self.at - 1] != 0


cdef class Node:
    """One type of the schema."""

    cdef int write(self, Writer to, object value) except -1:
        raise NotImplementedError

    cdef object read(self, Reader source):
        raise NotImplementedError


cdef class Text(Node):
    cdef int write(self, Writer to, object value) except -1:
        return to.text(value)

    cdef object read(self, Reader source):
        return source.text()


cdef class Long(Node):
    cdef int write(self, Writer to, object value) except -1:
        if not PyLong_Check(value):
            raise TypeError("no whole number")
        return to.number(PyLong_AsLongLong(value))

    cdef object read(self, Reader source):
        return source.number()


cdef class Boolean(Node):
    cdef int write(self, Writer to, object value) except -1:
        return to.byte(1 if value else 0)

    cdef object read(self, Reader source):
        return source.truth()


cdef class Raw(Node):
    cdef int write(self, Writer to, object value) except -1:
        if not PyBytes_Check(value):
            raise TypeError("no bytes")
        to.number(PyBytes_GET_SIZE(value))
        return to.raw(PyBytes_AS_STRING(value), PyBytes_GET_SIZE(value))

    cdef object read(self, Reader source):
        cdef Py_ssize_t size = source.length()
        value = PyBytes_FromStringAndSize(source.start + source.at, size)
        source.at += size
        return value


cdef class Value(Node):
    """A `FieldValue`; the branches are numbered as in every schema that holds one."""

    cdef int write(self, Writer to, object value) except -1:
        cdef long long number
        cdef int overflow = 0
        kind = type(value)
        if value is None:
            return to.number(0)
        if kind is str:
            to.number(1)
            return to.text(value)
        if kind is bool:
            to.number(2)
            return to.byte(1 if value else 0)
        if kind is int:
            number = PyLong_AsLongLongAndOverflow(value, &overflow)
            if overflow:  # what no long holds is a double, as fastavro chooses
                return to.double(value)
            to.number(3)
            return to.number(number)
        if kind is float:
            return to.double(value)
        if kind is DATETIME:
            to.number(6)
            return to.number(PyLong_AsLongLong((value - EPOCH) // MILLISECOND))
        if kind is DATE:
            to.number(5)
            return to.number(value.toordinal() - EPOCH_ORDINAL)
        if kind is tuple or kind is list:
            to.number(7)
            return write_items(to, TEXT, value)
        raise TypeError("no field value")

    cdef object read(self, Reader source):
        cdef long long branch = source.number()
        if branch == 1:
            return source.text()
        if branch == 0:
            return None
        if branch == 2:
            return source.truth()
        if branch == 3:
            return source.number()
        if branch == 4:
            if source.size - source.at < 8:
                raise ValueError("cut short")
            source.at += 8
            return little_double(source.start + source.at - 8)
        if branch == 5:
            return DATE.fromordinal(source.number() + <object>EPOCH_ORDINAL)
        if branch == 6:
            return EPOCH + source.number() * MILLISECOND
        if branch == 7:
            return read_items(source, TEXT)
        raise ValueError("no branch of the union")


cdef int write_items(Writer to, Node item, object values) except -1:
    cdef tuple fixed = values if type(values) is tuple else tuple(values)
    if fixed:
        to.number(len(fixed))
        for value in fixed:
            item.write(to, value)
    return to.number(0)


cdef object read_items(Reader source, Node item):
    cdef Py_ssize_t count = source.items()
    cdef list found
    if count == 0:
        return ()
    found = []
    while count:
        for _ in range(count):
            found.append(item.read(source))
        count = source.items()
    return tuple(found)


cdef class Array(Node):
    cdef Node item

    def __init__(self, Node item not None):
        self.item = item

    cdef int write(self, Writer to, object value) except -1:
        return write_items(to, self.item, value)

    cdef object read(self, Reader source):
        return read_items(source, self.item)


cdef class Map(Node):
    """`names`: the keys are few and come with every row."""
    cdef Node item
    cdef bint names

    def __init__(self, Node item not None, bint names):
        self.item = item
        self.names = names

    cdef int write(self, Writer to, object value) except -1:
        cdef dict known
        if not value:
            return to.number(0)
        known = value if type(value) is dict else dict(value)
        to.number(len(known))
        for key, one in known.items():
            to.text(key)
            self.item.write(to, one)
        return to.number(0)

    cdef object read(self, Reader source):
        cdef Py_ssize_t count = source.items()
        cdef dict found
        if count == 0:
            return NOTHING
        found = {}
        while count:
            for _ in range(count):
                key = source.name() if self.names else source.text()
                found[key] = self.item.read(source)
            count = source.items()
        return found


cdef class Optional(Node):
    cdef Node item

    def __init__(self, Node item not None):
        self.item = item

    cdef int write(self, Writer to, object value) except -1:
        if value is None:
            return to.number(0)
        to.number(1)
        return self.item.write(to, value)

    cdef object read(self, Reader source):
        cdef long long branch = source.number()
        if branch == 1:
            return self.item.read(source)
        if branch == 0:
            return None
        raise ValueError("no branch of the union")


cdef class Record(Node):
    """A frozen dataclass with slots; `fields` are its names, in the order of the schema, each with its node."""
    cdef type cls
    cdef tuple slots, nodes
    cdef Py_ssize_t size

    def __init__(self, type cls not None, tuple fields not None):
        self.cls = cls
        self.slots = tuple([cls.__dict__[name] for name, _ in fields])
        self.nodes = tuple([node for _, node in fields])
        self.size = len(fields)
        if not all(type(slot) is types.MemberDescriptorType for slot in self.slots):
            raise TypeError(f"{cls.__name__} has fields without slots")
        if not all(isinstance(node, Node) for node in self.nodes):
            raise TypeError(f"{cls.__name__} has fields without nodes")

    cdef int write(self, Writer to, object value) except -1:
        cdef Py_ssize_t n
        for n in range(self.size):
            (<Node>self.nodes[n]).write(to, slot_get(self.slots[n], value))
        return 0

    cdef object read(self, Reader source):
        cdef Py_ssize_t n
        made = PyType_GenericAlloc(self.cls, 0)
        for n in range(self.size):
            slot_set(self.slots[n], made, (<Node>self.nodes[n]).read(source))
        return made


cdef Node TEXT = Text()


def encode(Node node not None, bytes header not None, object record):
    """Header and body. Raises TypeError, OverflowError, UnicodeEncodeError for what does not fit."""
    cdef Writer to = Writer()
    to.raw(PyBytes_AS_STRING(header), PyBytes_GET_SIZE(header))
    node.write(to, record)
    return PyBytes_FromStringAndSize(to.start, to.size)


def decode(Node node not None, bytes data not None, Py_ssize_t start):
    """The record behind the header. Raises ValueError or OverflowError for anything but a whole record."""
    cdef Reader source = Reader()
    if start < 0 or start > PyBytes_GET_SIZE(data):
        raise ValueError("cut short")
    source.kept = data
    source.start = PyBytes_AS_STRING(data)
    source.size = PyBytes_GET_SIZE(data)
    source.at = start
    record = node.read(source)
    if source.at != source.size:
        from schemas.reference import BytesLeft  # at the top it would import records, whose classes this module makes

        raise BytesLeft("bytes are left")
    return record


cdef dict SLOTS = {}


def replace(record, /, **changes):
    """A copy with these fields changed. Raises TypeError for a name that is no field, or a class without slots."""
    cdef type cls = type(record)
    cdef tuple slots = <tuple>SLOTS.get(cls)
    cdef Py_ssize_t left = len(changes)
    if slots is None:
        slots = SLOTS[cls] = slots_of(cls)
    made = PyType_GenericAlloc(cls, 0)
    for name, slot in slots:
        if name in changes:
            slot_set(slot, made, changes[name])
            left -= 1
        else:
            slot_set(slot, made, slot_get(slot, record))
    if left:
        raise TypeError(f"{cls.__name__} has no such fields: {sorted(changes)}")
    return made


def slots_of(type cls not None):
    """Each field of a dataclass by name, with its slot."""
    found = tuple([(field.name, cls.__dict__.get(field.name)) for field in dataclasses.fields(cls)])
    if not all(type(slot) is types.MemberDescriptorType for _, slot in found):
        raise TypeError(f"{cls.__name__} has fields without slots")
    return found


cdef object MISSING = dataclasses.MISSING


def init_of(type cls not None):
    """What a dataclass's own `__init__` does, field by field into their slots; it is asked for whatever does not fit.

    Raises TypeError for a class without slots, or whose objects take more than their fields to be made.
    """
    cdef tuple fields = dataclasses.fields(cls)
    cdef tuple slots = tuple([slot for _, slot in slots_of(cls)])
    cdef tuple names = tuple([field.name for field in fields])
    cdef tuple defaults = tuple([field.default for field in fields])
    cdef tuple factories = tuple([field.default_factory for field in fields])
    cdef Py_ssize_t size = len(slots)
    own = cls.__init__
    if hasattr(cls, "__post_init__") or any([field.kw_only or not field.init for field in fields]):
        raise TypeError(f"{cls.__name__} is not made of its fields in their order alone")

    @functools.wraps(own)
    def __init__(self, /, *args, **named):
        cdef Py_ssize_t n, given = len(args), left = len(named)
        if given > size:
            return own(self, *args, **named)
        for n in range(given):
            slot_set(slots[n], self, args[n])
        for n in range(given, size):
            value = named.get(names[n], MISSING) if left else MISSING
            if value is not MISSING:
                left -= 1
            elif defaults[n] is not MISSING:
                value = defaults[n]
            elif factories[n] is not MISSING:
                value = factories[n]()
            else:
                return own(self, *args, **named)
            slot_set(slots[n], self, value)
        if left:
            return own(self, *args, **named)

    return __init__
