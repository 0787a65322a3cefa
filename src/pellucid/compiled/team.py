"""A list of calls, which all threads make together: they wait for each other, but not for Python.

To start all threads and to wait until all are done takes longer than a small kernel. So they are
started once, and each makes its share of every call; between two calls, each adds 1 to a number in
memory and waits until all have done so.

All must run at the same time for that, which nobody promises: OpenMP may have fewer threads than it
was asked for. A thread that has waited for the others in vain at the start makes all the calls
itself.
"""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from pellucid.compiled import parallel
from pellucid.compiled.parallel import (
    BYTES,
    HEAD,
    INT,
    TASK,
    call,
    call_on_all,
    raise_if,
    threads_asked_for,
    without_python,
)

_SPINS = 1 << 14
"""So many times, about 0.3 ms, a thread looks again before it sleeps for a moment.

On a busy machine, a thread that waits takes the processor from the thread for which it waits.
"""

_FIRST, _STEP, _COUNT, _THREADS = range(4)
_STARTED, _STATE, _DONE = 16, 17, 18  # written by all, so in another cache line
_WORDS = 24
_TOGETHER, _ALONE = 1, 2
"""What the threads share: notes, threads; how many have started, how it went on, shares done."""

LITTLE, AWAITED = 1, 2
"""Flags of a note: one thread makes this call; all wait for it before they make the next."""


@intrinsic
def launch_noted(typing: Any, first: Any, step: Any, count: Any, most: Any) -> Any:
    """``launch_noted(first, step, count, most)``: make `count` noted calls in their order.

    Their notes begin at the address `first` and every `step` bytes after it. At most `most` threads
    make them; if that is 0, this one does, and other threads of Python wait meanwhile.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        first, step, count, most = values
        asked, is_little = threads_asked_for(builder), cgutils.is_null(builder, most)
        threads = builder.select(builder.icmp_signed("<", most, asked), most, asked)
        threads = builder.select(is_little, INT(1), threads)
        shared = cgutils.alloca_once(builder, INT, _WORDS)
        words = {_FIRST: first, _STEP: step, _COUNT: count, _THREADS: threads}
        for number, word in {**words, _STARTED: INT(0), _STATE: INT(0), _DONE: INT(0)}.items():
            builder.store(word, _word(builder, shared, number))
        with _each_note(builder, shared) as note:
            mine = builder.select(_has(builder, note, LITTLE), INT(1), threads)
            builder.store(mine, _word(builder, note, HEAD // 8))
        make = _maker(builder.module)
        with builder.if_else(is_little) as (here, without):
            with here:
                builder.call(make, [shared, INT(0), INT(1), cgutils.false_bit])
            with without, without_python(context, builder):
                alone = builder.icmp_signed("==", threads, INT(1))
                with builder.if_else(alone) as (one, several):
                    with one:
                        builder.call(make, [shared, INT(0), INT(1), cgutils.false_bit])
                    with several:
                        if not parallel.alone:
                            member = _member(builder.module, make)
                            call_on_all(builder, member, shared, threads)
        failed = cgutils.alloca_once_value(builder, INT(0))
        with _each_note(builder, shared) as note:
            here = _word(builder, note, HEAD // 8 + 1)
            builder.store(builder.or_(builder.load(failed), builder.load(here)), failed)
            builder.store(INT(0), here)
        raise_if(context, builder, builder.load(failed))
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp), code


def _word(builder: Any, array: Any, number: int) -> Any:
    return builder.gep(array, [INT(number)])


@contextmanager
def _each_note(builder: Any, shared: Any) -> Iterator[Any]:
    """Build the code of the ``with`` block for each note, which is given its words."""
    first, step, count = (builder.load(_word(builder, shared, k)) for k in range(3))
    with cgutils.for_range(builder, count, intp=INT) as loop:
        address = builder.add(first, builder.mul(loop.index, step))
        yield builder.inttoptr(address, INT.as_pointer())


def _has(builder: Any, note: Any, flag: int) -> Any:
    flags = builder.load(_word(builder, note, 1))
    return cgutils.is_not_null(builder, builder.and_(flags, INT(flag)))


def _maker(module: Any) -> Any:
    """Return ``void make(shared, number, many, waits)``: the shares of all calls from `number` on.

    With `waits`, other threads make the other shares.
    """
    kind = ir.FunctionType(ir.VoidType(), [INT.as_pointer(), INT, INT, ir.IntType(1)])
    make = ir.Function(module, kind, module.get_unique_name("make"))
    make.linkage = "internal"
    builder = ir.IRBuilder(make.append_basic_block("entry"))
    shared, number, many, waits = make.args
    threads = builder.load(_word(builder, shared, _THREADS))
    done = cgutils.alloca_once_value(builder, INT(0))
    with _each_note(builder, shared) as note:
        task = builder.inttoptr(builder.load(note), TASK.as_pointer())
        together = builder.bitcast(_word(builder, note, HEAD // 8), BYTES)
        with builder.if_else(_has(builder, note, LITTLE)) as (little, much):
            with little, builder.if_then(cgutils.is_null(builder, number)):
                call(builder, task, together, INT(0), INT(1))
            with much:
                call(builder, task, together, number, many)
        with builder.if_then(builder.and_(waits, _has(builder, note, AWAITED))):
            all_done = builder.add(builder.load(done), threads)
            builder.store(all_done, done)
            counter = _word(builder, shared, _DONE)
            builder.atomic_rmw("add", counter, INT(1), "acq_rel")
            with _waiting(builder, lambda: _at_least(builder, counter, all_done)):
                _sleep(builder)
    builder.ret_void()
    return make


def _at_least(builder: Any, counter: Any, number: Any) -> Any:
    found = builder.load_atomic(counter, "acquire", 8)
    return builder.icmp_signed(">=", found, number)


@contextmanager
def _waiting(builder: Any, is_over: Callable[[], Any]) -> Iterator[None]:
    """Wait until `is_over`, and run the code of the ``with`` block whenever that takes long."""
    spins = cgutils.alloca_once_value(builder, INT(0))
    look, again, late, over = (
        builder.append_basic_block(name) for name in ("look", "again", "late", "over")
    )
    builder.branch(look)
    builder.position_at_end(look)
    builder.cbranch(is_over(), over, again)
    builder.position_at_end(again)
    _pause(builder)
    count = builder.add(builder.load(spins), INT(1))
    builder.store(count, spins)
    is_late = builder.icmp_signed("==", builder.and_(count, INT(_SPINS - 1)), INT(0))
    builder.cbranch(is_late, late, look)
    builder.position_at_end(late)
    yield
    builder.branch(look)
    builder.position_at_end(over)


def _pause(builder: Any) -> None:
    """Tell the processor that this thread waits."""
    if platform.machine().lower() in ("x86_64", "amd64"):
        _do(builder, "llvm.x86.sse2.pause")
    elif platform.machine().lower() in ("aarch64", "arm64"):
        _do(builder, "llvm.aarch64.hint", ir.Constant(ir.IntType(32), 1))  # "yield"


def _sleep(builder: Any) -> None:
    """Let other threads run, for the shortest time that the system knows."""
    if os.name == "posix":
        _do(builder, "usleep", ir.Constant(ir.IntType(32), 1))


def _do(builder: Any, name: str, *args: Any) -> None:
    kind = ir.FunctionType(ir.VoidType(), [each.type for each in args])
    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), args)


def _member(module: Any, make: Any) -> Any:
    """Return what each thread runs: its shares of all calls."""
    member = ir.Function(module, TASK, module.get_unique_name("member"))
    member.linkage = "internal"
    builder = ir.IRBuilder(member.append_basic_block("entry"))
    shared = builder.bitcast(member.args[3], INT.as_pointer())
    number = builder.ptrtoint(builder.load(member.args[0]), INT)
    threads = builder.load(_word(builder, shared, _THREADS))
    state = _word(builder, shared, _STATE)
    before = builder.atomic_rmw("add", _word(builder, shared, _STARTED), INT(1), "acq_rel")
    is_last = builder.icmp_signed("==", builder.add(before, INT(1)), threads)
    with builder.if_then(is_last):
        builder.cmpxchg(state, INT(0), INT(_TOGETHER), "acq_rel", "acquire")
    alone = cgutils.alloca_once_value(builder, cgutils.false_bit)
    with _waiting(builder, lambda: _at_least(builder, state, INT(1))):
        changed = builder.cmpxchg(state, INT(0), INT(_ALONE), "acq_rel", "acquire")
        builder.store(builder.extract_value(changed, 1), alone)
    with builder.if_then(builder.load(alone)):
        builder.call(make, [shared, INT(0), threads, cgutils.false_bit])
    found = builder.load_atomic(state, "acquire", 8)
    with builder.if_then(builder.icmp_signed("==", found, INT(_TOGETHER))):
        builder.call(make, [shared, number, INT(1), cgutils.true_bit])
    builder.ret_void()
    return member
