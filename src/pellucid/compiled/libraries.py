"""How Numba puts a kernel's code together: its parts stay as they are, and the whole is optimised.

Numba optimises each function and makes machine code of it, even of one that is only ever a part of
others, and again of each that calls it. It also leaves all names to be seen by other kernels, which
may come from other processes and know other functions by the same names.

Before that, Numba transforms a function in two dozen passes. Those that would find nothing to do,
because no kernel contains a closure, a ``with`` block or a ``raise``, are left out.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.runtime.nrt import rtsys

_ENVIRONMENT = "_ZN08NumbaEnv"
_FROM_PYTHON = "_ZN7cpython"  # what Python calls


class _Library(JITCodeLibrary):
    def _link(self) -> None:
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)


class _Part(_Library):
    """The code of a function that other code is given, without machine code."""

    def finalize(self) -> None:
        self._link()
        for variable in self._final_module.global_variables:
            if variable.name.startswith(_ENVIRONMENT):
                variable.linkage = "internal"
        self._final_module.verify()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return what takes the place of the function in Python, where nobody calls it."""
        address: int = rtsys.library.get_pointer_to_function("nrt_unresolved_abort")
        return address

    @property
    def codegen(self) -> Any:
        return self

    def set_env(self, name: str, env: Any) -> None:
        """Do nothing: only what is called from Python has an environment."""


class _PartApart(_Part):
    """One that stays a function, however often it is called: its loops have the registers alone."""

    def add_llvm_module(self, ll_module: Any) -> None:
        for function in ll_module.functions:
            if not function.is_declaration:
                function.add_function_attribute("noinline")
        super().add_llvm_module(ll_module)


class _Kernel(_Library):
    """The code of a kernel, of which nothing is seen but what Python calls."""

    def finalize(self) -> None:
        self._codegen._check_llvm_bugs()
        self._link()
        for function in self._final_module.functions:
            if not (function.is_declaration or function.name.startswith(_FROM_PYTHON)):
                function.linkage = "internal"
        self._optimize_final_module()
        self._final_module.verify()
        self._finalize_final_module()

    def serialize_using_object_code(self) -> tuple[str, str, tuple[bytes, bytes]]:
        """Return the machine code, and the names in it: nobody links it into other code."""
        names = [f.name for f in self._final_module.functions if not f.is_declaration]
        known = [v.name for v in self._final_module.global_variables if not v.is_declaration]
        stubs = [f'define void @"{name}"() {{ ret void }}' for name in names]
        stubs += [f'@"{name}" = global i8 0' for name in known if name.startswith(_ENVIRONMENT)]
        module = binding.parse_assembly("\n".join(stubs))
        return self.name, "object", (self._get_compiled_object(), module.as_bitcode())


_WITHOUT_EFFECT = {
    "WithLifting",
    "InlineClosureLikes",
    "RewriteDynamicRaises",
    "MakeFunctionToJitFunction",
    "FindLiterallyCalls",
    "LiteralUnroll",
    "AnnotateTypes",
}


class _Compiler(Compiler):
    library: type[_Library] = _Part

    def define_pipelines(self) -> list[Any]:
        passes = PassManager("kernel")
        for each in DefaultPassBuilder.define_nopython_pipeline(self.state).passes:
            if each[0].__name__ not in _WITHOUT_EFFECT:
                passes.passes.append(each)
        passes.finalize()
        return [passes]

    def compile_extra(self, func: Callable[..., Any]) -> Any:
        self.state.library = self.library(self.state.targetctx.codegen(), func.__qualname__)
        self.state.library.enable_object_caching()
        return super().compile_extra(func)


class _ApartCompiler(_Compiler):
    library = _PartApart


class _KernelCompiler(_Compiler):
    library = _Kernel


_ALWAYS: dict[str, Any] = {"error_model": "numpy", "no_cfunc_wrapper": True}
AS_KERNEL = {**_ALWAYS, "pipeline_class": _KernelCompiler}
AS_PART = {**_ALWAYS, "no_cpython_wrapper": True, "pipeline_class": _Compiler}
AS_PART_APART = {**AS_PART, "pipeline_class": _ApartCompiler}
"""Options for `numba.njit`."""
