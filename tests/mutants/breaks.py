"""What can be broken in a file of Python, one small change at a time.

A change is made in the syntax tree: an operator becomes its neighbour, a number the next one, a
condition always or never true; two arguments change places; a keyword argument or a statement is
left out.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

_NEIGHBOURS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
_BOUNDS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_SYMMETRIC = {
    *("maximum", "minimum", "max", "min", "add", "multiply", "gcd", "isinstance", "current"),
    *("result_type", "shares_memory"),
}
_CAUTION = {"strict", "copy", "stacklevel", "encoding"}
"""Keyword arguments that only guard against mistakes, or only save time."""

Place = tuple[ast.AST, str, int | None]


@dataclass(frozen=True)
class Break:
    """One change. `key` names it as long as its function and its text stay what they are."""

    path: str
    scope: str
    line: int
    """Where the statement begins that holds it."""
    was: str
    becomes: str
    same: int
    """How many equal changes stand before it in the same function."""
    number: int
    """Its place among all changes of the file."""

    @property
    def key(self) -> str:
        again = f" #{self.same + 1}" if self.same else ""
        return f"{self.path} {self.scope}: {self.was} -> {self.becomes}{again}"


def breaks(source: str, path: str) -> list[Break]:
    """Return all changes of a file."""
    found: list[Break] = []
    seen: Counter[tuple[str, str, str]] = Counter()
    for number, (place, new, line, scope) in enumerate(_changes(ast.parse(source))):
        old = _at(place)
        shown = scope, _text(old), _text(new)
        found.append(Break(path, scope, line, shown[1], shown[2], seen[shown], number))
        seen[shown] += 1
    return found


def broken(source: str, number: int) -> ast.Module:
    """Return the file's syntax tree with one change made."""
    tree = ast.parse(source)
    for i, ((parent, field, index), new, _, _) in enumerate(_changes(tree)):
        if i == number:
            if index is None:
                setattr(parent, field, new)
            else:
                getattr(parent, field)[index] = new
            return ast.fix_missing_locations(tree)
    raise IndexError(number)


def python_files(folder: Path) -> list[Path]:
    """Return a module, or the modules of a package."""
    module = folder.with_suffix(".py")
    return [module] if module.is_file() else sorted(folder.rglob("*.py"))


def _at(place: Place) -> ast.AST:
    parent, field, index = place
    found = getattr(parent, field)
    return found if index is None else found[index]


def _text(node: ast.AST) -> str:
    return " ".join(ast.unparse(node).split())


def _changes(tree: ast.Module) -> Iterator[tuple[Place, ast.AST, int, str]]:
    """Yield where, what stands there instead, the statement's line and the function's name."""
    for place, line, scope in list(_places(tree, 1, "module")):
        for new in _instead(_at(place), place):
            yield place, ast.copy_location(new, _at(place)), line, scope


def _places(node: ast.AST, line: int, scope: str) -> Iterator[tuple[Place, int, str]]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "bases", "type_params"):
            continue
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _says_only(child):
                continue
            at = child.lineno if isinstance(child, ast.stmt) else line
            named = scope
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                named = child.name if scope == "module" else f"{scope}.{child.name}"
            else:
                yield (node, field, index), at, scope
            yield from _places(child, at, named)


def _says_only(node: ast.AST) -> bool:
    """Return whether it is words for a reader: an error's message, a docstring, a type."""
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.Yield):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return True
    if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("__all__", "__slots__"):
        return True
    if isinstance(node, ast.FunctionDef) and node.name in ("__repr__", "__str__"):
        return True
    if isinstance(node, ast.Call):
        name = _name(node)
        return name in ("cast", "TypeVar", "warn", "print") or name.endswith("Error")
    return False


def _name(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def _instead(node: ast.AST, place: Place) -> Iterator[ast.AST]:
    """Yield what could stand in the place of a node."""
    parent, field, _ = place
    decides = field == "test" or (field == "ifs" and isinstance(parent, ast.comprehension))
    if decides:
        yield ast.Constant(False)
        if not isinstance(parent, ast.While):
            yield ast.Constant(True)
    match node:
        case ast.Compare(ops=[op]) if not decides or isinstance(op, _BOUNDS):
            yield _with(node, ops=[_NEIGHBOURS[type(op)]()])
        case ast.Compare(ops=[_, *_]) if len(node.ops) > 1:
            for i, op in enumerate(node.ops):
                yield _with(node, ops=[*node.ops[:i], _NEIGHBOURS[type(op)](), *node.ops[i + 1 :]])
        case ast.BinOp() if type(node.op) in _NEIGHBOURS and not _is_text(node):
            yield _with(node, op=_NEIGHBOURS[type(node.op)]())
        case ast.AugAssign():
            yield ast.Pass()
            if type(node.op) in _NEIGHBOURS:
                yield _with(node, op=_NEIGHBOURS[type(node.op)]())
        case ast.BoolOp():
            yield _with(node, op=_NEIGHBOURS[type(node.op)]())
        case ast.UnaryOp(op=ast.USub() | ast.Not()) if not decides:
            yield copy.deepcopy(node.operand)
        case ast.Constant(value=bool(value)):
            if not (isinstance(parent, ast.keyword) and parent.arg in _CAUTION):
                yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(2 * value if value else 1.0)
        case ast.Call():
            yield from _calls(node)
        case (
            ast.Expr(value=ast.Call())
            | ast.Delete()
            | ast.Break()
            | ast.Continue()
            | ast.Assign(targets=[ast.Attribute() | ast.Subscript()])
        ):
            yield ast.Pass()


def _calls(call: ast.Call) -> Iterator[ast.AST]:
    if _name(call) not in _SYMMETRIC:
        first = _name(call) == "clip"  # of its first two arguments, the larger one is taken
        for i, (a, b) in enumerate(pairwise(call.args)):
            if _text(a) != _text(b) and not isinstance(a, ast.Starred) and i >= first:
                yield _with(call, args=[*call.args[:i], b, a, *call.args[i + 2 :]])
    for i, keyword in enumerate(call.keywords):
        if keyword.arg is not None and keyword.arg not in _CAUTION:
            yield _with(call, keywords=[*call.keywords[:i], *call.keywords[i + 1 :]])


def _with(node: ast.AST, **changed: object) -> ast.AST:
    new = copy.deepcopy(node)
    for name, value in changed.items():
        setattr(new, name, copy.deepcopy(value))
    return new


def _is_text(node: ast.BinOp) -> bool:
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        for n in (node.left, node.right)
    )
