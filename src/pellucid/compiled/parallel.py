"""A kernel on all threads: each runs the same function, over its own share of the items.

Numba's ``prange`` turns the body of a loop into a function of its own, with two wrappers around it,
and compiles each several times. Here a kernel is an ordinary function, which is compiled once and
serves one thread as well as many. The threads are Numba's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pellucid.compiled.libraries import AS_PART

WORK_OF_ONE = 1 << 15
"""To wake another thread and to wait for it takes as long as some ten thousand steps of a loop."""

WORK_IN_TEAM = 1 << 12
"""Threads that already wait, see `team`, are told in a tenth of that time."""

alone = False
"""Whether this process has no threads but one: what is compiled from now on calls no others."""

_MINE = types.UniTuple(types.intp, 2)
BYTES, INT = ir.IntType(8).as_pointer(), ir.IntType(64)
TASK = ir.FunctionType(ir.VoidType(), [BYTES.as_pointer(), *[INT.as_pointer()] * 2, BYTES])
"""What a thread runs, for Numba: ``void (char **args, intp *count, intp *steps, void *data)``."""
HEAD = 3 * 8
"""Bytes of a note before what threads share: task, whether it is little, size of what follows."""


@numba.njit(**AS_PART)
def share_of(mine, count):
    """Return the items, of those from 0 to before `count`, that this thread works on.

    `mine` is what a kernel is given first: (number of the thread, number of threads).
    """
    number, threads = mine
    return range(count * number // threads, count * (number + 1) // threads)


NOTE = 4096
"""Bytes that suffice for what is noted of one call."""


@intrinsic
def launch(typing: Any, kernel: Any, few: Any, note: Any, work: Any, args: Any) -> Any:
    """``launch(kernel, few, note, work, args)``: ``kernel(mine, *args)`` on all threads.

    For little work it is ``few((0, 1), *args)`` in this thread; `few` may be `kernel`. If `note` is
    an address and not 0, the call is not made but noted there, for `launch_noted`.
    """
    given = (_MINE, *args.types)
    compiled = {each: _compiled(each.dispatcher, given) for each in (kernel, few)}

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        little = builder.icmp_signed("<=", values[3], INT(WORK_OF_ONE))
        lent = _lent(context, builder, args, values[4])
        threads = builder.select(little, INT(1), threads_asked_for(builder))
        shared = cgutils.pack_struct(builder, [threads, INT(0), lent])
        tasks = {
            each: _task(context, builder.module, _declared(context, builder, found), given, shared)
            for each, found in compiled.items()
        }
        with builder.if_else(cgutils.is_null(builder, values[2])) as (now, later):
            with now:
                together = cgutils.alloca_once_value(builder, shared)
                with builder.if_else(little) as (here, everywhere):
                    with here:
                        call(builder, tasks[few], together, INT(0), INT(1))
                    with everywhere, without_python(context, builder):
                        call_on_all(builder, tasks[kernel], together, threads)
                failed = builder.load(cgutils.gep_inbounds(builder, together, 0, 1))
                raise_if(context, builder, failed)
            with later:
                if few == kernel:
                    little = builder.icmp_signed("<=", values[3], INT(WORK_IN_TEAM))
                task = builder.select(little, tasks[few], tasks[kernel])
                size = context.get_abi_sizeof(shared.type)
                if HEAD + size > NOTE:
                    raise AssertionError(f"a note of {size} bytes")
                noted = [
                    builder.bitcast(task, BYTES),
                    builder.zext(little, INT),
                    INT(size),
                    shared,
                ]
                whole = cgutils.pack_struct(builder, noted)
                builder.store(whole, builder.inttoptr(values[2], whole.type.as_pointer()))
        return context.get_dummy_value()

    return types.void(kernel, few, types.intp, types.intp, args), code


def _lent(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return arguments without the owners of their memory: who calls keeps it."""
    if isinstance(kind, types.Array):
        array = context.make_array(kind)(context, builder, value)
        array.meminfo = cgutils.get_null_value(array.meminfo.type)
        array.parent = cgutils.get_null_value(array.parent.type)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        kinds: Any = kind
        parts = zip(kinds, cgutils.unpack_tuple(builder, value, len(kinds)), strict=True)
        lent = [_lent(context, builder, *each) for each in parts]
        return context.make_tuple(builder, kind, lent)
    if not isinstance(kind, types.Number | types.Boolean | types.NoneType):
        raise AssertionError(f"a kernel's argument is {kind}, whose memory nobody keeps")
    return value


def _compiled(dispatcher: Any, given: Any) -> Any:
    dispatcher.compile(given)
    return dispatcher.overloads[given]


def _declared(context: Any, builder: Any, compiled: Any) -> Any:
    """Return the kernel as a function of the module that is being built."""
    context.add_linking_libs([compiled.library])
    kind = context.call_conv.get_function_type(types.none, compiled.signature.args)
    return cgutils.get_or_insert_function(builder.module, kind, compiled.fndesc.llvm_func_name)


def threads_asked_for(builder: Any) -> Any:
    """Return the number of threads that are asked for."""
    if alone:
        return INT(1)
    asked = ir.FunctionType(INT, [])
    return builder.call(
        cgutils.get_or_insert_function(builder.module, asked, "get_num_threads"), []
    )


@contextmanager
def without_python(context: Any, builder: Any) -> Iterator[None]:
    """Let other threads of Python run during the code that is built inside the ``with`` block."""
    python = context.get_python_api(builder)
    state = python.gil_ensure()
    released = python.save_thread()
    yield
    python.restore_thread(released)
    python.gil_release(state)


def raise_if(context: Any, builder: Any, failed: Any) -> None:
    with builder.if_then(cgutils.is_not_null(builder, failed), likely=False):
        context.call_conv.return_user_exc(builder, MemoryError, ())


def call(builder: Any, task: Any, together: Any, number: Any, many: Any) -> None:
    """Have this thread call the kernel, for `many` items from `number` on."""
    given = zip(_items(builder, together, number, many), TASK.args, strict=True)
    builder.call(task, [builder.bitcast(*each) for each in given])


def call_on_all(builder: Any, task: Any, together: Any, threads: Any) -> None:
    """Have each of Numba's threads call the kernel."""
    if alone:
        call(builder, task, together, INT(0), INT(1))
        return
    kind = ir.FunctionType(ir.VoidType(), [BYTES] * 5 + [INT] * 3)
    run = cgutils.get_or_insert_function(builder.module, kind, "numba_parallel_for")
    given = [task, *_items(builder, together, INT(0), threads)]
    pointers = [builder.bitcast(each, BYTES) for each in given]
    builder.call(run, [*pointers, INT(0), INT(1), threads])


def _items(builder: Any, together: Any, number: Any, many: Any) -> list[Any]:
    """Return what a task is given for `many` numbers from `number` on."""
    # the "array" that is shared out has steps of one byte: its addresses are numbers
    first = cgutils.alloca_once_value(builder, builder.inttoptr(number, BYTES))
    step = cgutils.alloca_once_value(builder, INT(1))
    count = cgutils.alloca_once_value(builder, many)
    return [first, count, step, together]


def _task(context: Any, module: Any, function: Any, given: Any, shared: Any) -> Any:
    """Return a function of type `TASK` that calls the kernel for some items."""
    task = ir.Function(module, TASK, module.get_unique_name("task"))
    task.linkage = "internal"
    builder = ir.IRBuilder(task.append_basic_block("entry"))
    data = builder.bitcast(task.args[3], shared.type.as_pointer())
    threads, _, args = cgutils.unpack_tuple(builder, builder.load(data), 3)
    first = builder.ptrtoint(builder.load(task.args[0]), INT)
    with cgutils.for_range(builder, builder.load(task.args[1]), intp=INT) as loop:
        number = builder.add(first, loop.index)
        mine = context.make_tuple(builder, _MINE, [number, threads])
        values = [mine, *cgutils.unpack_tuple(builder, args)]
        status, _ = context.call_conv.call_function(builder, function, types.none, given, values)
        with builder.if_then(status.is_error, likely=False):  # no memory: nothing else is raised
            builder.store(INT(1), cgutils.gep_inbounds(builder, data, 0, 1))
    builder.ret_void()
    return task
