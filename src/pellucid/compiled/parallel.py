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

    For little work it is ``few((0, 1), *args)`` in this thread; `few` may be `kernel`.
    """
    given = (_MINE, *args.types)
    compiled = {each: _compiled(each.dispatcher, given) for each in (kernel, few)}

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        little = builder.icmp_signed("<=", values[2], _INT(WORK_OF_ONE))
        threads = _INT(1) if alone else builder.call(_asked(builder.module), [])
        # what the threads share: their number, whether one failed, and the arguments
        shared = cgutils.pack_struct(
            builder, [builder.select(little, _INT(1), threads), _INT(0), values[3]]
        )
        together = cgutils.alloca_once_value(builder, shared)
        tasks = {
            each: _task(context, builder.module, _declared(context, builder, found), given, shared)
            for each, found in compiled.items()
        }
        with builder.if_else(little) as (here, everywhere):
            with here:
                _call(builder, tasks[few], together)
            with everywhere:
                _call_on_all(context, builder, tasks[kernel], threads, together)
        failed = builder.load(cgutils.gep_inbounds(builder, together, 0, 1))
        with builder.if_then(cgutils.is_not_null(builder, failed), likely=False):
            context.call_conv.return_user_exc(builder, MemoryError, ())
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


def _asked(module: Any) -> Any:
    """Return Numba's function for the number of threads that are asked for."""
    return cgutils.get_or_insert_function(module, ir.FunctionType(_INT, []), "get_num_threads")


def _items(builder: Any, together: Any, count: Any) -> list[Any]:
    """Return what a task is given for the numbers from 0 to before `count`."""
    # the "array" that is shared out begins at 0 in steps of one byte: its addresses are numbers
    first = cgutils.alloca_once_value(builder, ir.Constant(_BYTES, None))
    step = cgutils.alloca_once_value(builder, _INT(1))
    many = cgutils.alloca_once_value(builder, count)
    return [first, many, step, together]


def _call(builder: Any, task: Any, together: Any) -> None:
    """Have this thread call the kernel, for all items."""
    kinds = [each.type for each in task.args]
    given = _items(builder, together, _INT(1))
    builder.call(task, [builder.bitcast(*each) for each in zip(given, kinds, strict=True)])


def _call_on_all(context: Any, builder: Any, task: Any, threads: Any, together: Any) -> None:
    """Have each of Numba's threads call the kernel."""
    python = context.get_python_api(builder)
    state = python.gil_ensure()
    released = python.save_thread()
    if alone:
        _call(builder, task, together)
    else:
        run = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [_BYTES] * 5 + [_INT] * 3),
            "numba_parallel_for",
        )
        given = [task, *_items(builder, together, threads)]
        run_given = [builder.bitcast(each, _BYTES) for each in given]
        builder.call(run, [*run_given, _INT(0), _INT(1), threads])
    python.restore_thread(released)
    python.gil_release(state)


def _task(context: Any, module: Any, function: Any, given: Any, shared: Any) -> Any:
    """Return what a thread runs: ``void (char **args, intp *count, intp *steps, void *data)``."""
    kind = ir.FunctionType(ir.VoidType(), [_BYTES.as_pointer(), *[_INT.as_pointer()] * 2, _BYTES])
    task = ir.Function(module, kind, module.get_unique_name("task"))
    task.linkage = "internal"
    builder = ir.IRBuilder(task.append_basic_block("entry"))
    data = builder.bitcast(task.args[3], shared.type.as_pointer())
    threads, _, args = cgutils.unpack_tuple(builder, builder.load(data), 3)
    first = builder.ptrtoint(builder.load(task.args[0]), _INT)
    with cgutils.for_range(builder, builder.load(task.args[1]), intp=_INT) as loop:
        number = builder.add(first, loop.index)
        mine = context.make_tuple(builder, _MINE, [number, threads])
        values = [mine, *cgutils.unpack_tuple(builder, args)]
        status, _ = context.call_conv.call_function(builder, function, types.none, given, values)
        with builder.if_then(status.is_error, likely=False):  # no memory: nothing else is raised
            builder.store(_INT(1), cgutils.gep_inbounds(builder, data, 0, 1))
    builder.ret_void()
    return task
