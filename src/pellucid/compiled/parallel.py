"""A kernel on all threads: each runs the same function, over its own share of the items.

Numba's ``prange`` turns the body of a loop into a function of its own, with two wrappers around it,
and compiles each several times. Here a kernel is an ordinary function, which is compiled once and
serves one thread as well as many. The threads are Numba's.
"""

from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pellucid.compiled.libraries import AS_PART

WORK_OF_ONE = 1 << 15
"""To wake another thread and to wait for it takes as long as some ten thousand steps of a loop."""

alone = False
"""Whether this process has no threads but one: what is compiled from now on calls no others."""

_MINE = types.UniTuple(types.intp, 2)
_BYTES, _INT = ir.IntType(8).as_pointer(), ir.IntType(64)


@numba.njit(**AS_PART)
def share_of(mine, count):
    """Return the items, of those from 0 to before `count`, that this thread works on.

    `mine` is what a kernel is given first: (number of the thread, number of threads).
    """
    number, threads = mine
    return range(count * number // threads, count * (number + 1) // threads)


@intrinsic
def launch(typing: Any, kernel: Any, few: Any, work: Any, args: Any) -> Any:
    """``launch(kernel, few, work, args)``: ``kernel(mine, *args)`` on all threads.

    For little work it is ``few((0, 1), *args)`` in this thread.
    """
    given = (_MINE, *args.types)
    shared, single = (_compiled(each.dispatcher, given) for each in (kernel, few))

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        little = builder.icmp_signed("<=", values[2], _INT(WORK_OF_ONE))
        with builder.if_else(little) as (here, everywhere):
            with here:
                _here(context, builder, _declared(context, builder, single), given, values[3])
            with everywhere:
                function = _declared(context, builder, shared)
                if alone:
                    _here(context, builder, function, given, values[3])
                else:
                    _on_all(context, builder, function, given, values[3])
        return context.get_dummy_value()

    return types.void(kernel, few, types.intp, args), code


def _compiled(dispatcher: Any, given: Any) -> Any:
    dispatcher.compile(given)
    return dispatcher.overloads[given]


def _declared(context: Any, builder: Any, compiled: Any) -> Any:
    """Return the kernel as a function of the module that is being built."""
    context.add_linking_libs([compiled.library])
    kind = context.call_conv.get_function_type(types.none, compiled.signature.args)
    return cgutils.get_or_insert_function(builder.module, kind, compiled.fndesc.llvm_func_name)


def _call(
    context: Any, builder: Any, function: Any, given: Any, number: Any, threads: Any, args: Any
) -> Any:
    mine = context.make_tuple(builder, _MINE, [number, threads])
    values = [mine, *cgutils.unpack_tuple(builder, args)]
    return context.call_conv.call_function(builder, function, types.none, given, values)[0]


def _here(context: Any, builder: Any, function: Any, given: Any, args: Any) -> None:
    """Call the kernel in this thread, for all items."""
    status = _call(context, builder, function, given, _INT(0), _INT(1), args)
    with builder.if_then(status.is_error, likely=False):
        context.call_conv.return_status_propagate(builder, status)


def _on_all(context: Any, builder: Any, function: Any, given: Any, args: Any) -> None:
    """Have each of Numba's threads call the kernel; what they share lies on the stack."""
    asked = ir.FunctionType(_INT, [])
    threads = builder.call(
        cgutils.get_or_insert_function(builder.module, asked, "get_num_threads"), []
    )
    together = cgutils.alloca_once_value(
        builder, cgutils.pack_struct(builder, [threads, _INT(0), args])
    )
    task = _task(context, builder.module, function, given, together.type)
    # the "array" that is shared out begins at 0 in steps of one byte: its addresses are numbers
    first = cgutils.alloca_once_value(builder, ir.Constant(_BYTES, None))
    count = cgutils.alloca_once_value(builder, threads)
    step = cgutils.alloca_once_value(builder, _INT(1))
    run = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(ir.VoidType(), [_BYTES] * 5 + [_INT] * 3),
        "numba_parallel_for",
    )
    python = context.get_python_api(builder)
    state = python.gil_ensure()
    released = python.save_thread()
    pointers = [builder.bitcast(each, _BYTES) for each in (task, first, count, step, together)]
    builder.call(run, [*pointers, _INT(0), _INT(1), threads])
    python.restore_thread(released)
    python.gil_release(state)
    failed = builder.load(cgutils.gep_inbounds(builder, together, 0, 1))
    with builder.if_then(cgutils.is_not_null(builder, failed), likely=False):
        context.call_conv.return_user_exc(builder, MemoryError, ())


def _task(context: Any, module: Any, function: Any, given: Any, together: Any) -> Any:
    """Return what a thread runs: ``void (char **args, intp *count, intp *steps, void *data)``."""
    kind = ir.FunctionType(ir.VoidType(), [_BYTES.as_pointer(), *[_INT.as_pointer()] * 2, _BYTES])
    task = ir.Function(module, kind, module.get_unique_name("task"))
    task.linkage = "internal"
    builder = ir.IRBuilder(task.append_basic_block("entry"))
    data = builder.bitcast(task.args[3], together)
    threads, _, args = cgutils.unpack_tuple(builder, builder.load(data), 3)
    first = builder.ptrtoint(builder.load(task.args[0]), _INT)
    with cgutils.for_range(builder, builder.load(task.args[1]), intp=_INT) as loop:
        number = builder.add(first, loop.index)
        status = _call(context, builder, function, given, number, threads, args)
        with builder.if_then(status.is_error, likely=False):  # no memory: nothing else is raised
            builder.store(_INT(1), cgutils.gep_inbounds(builder, data, 0, 1))
    builder.ret_void()
    return task
