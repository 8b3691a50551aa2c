"""The settings of an estimator as they are written in its source, without importing it, which would load JAX.

Of every field under ``@settings`` it finds what `typing.Annotated` says of it, as far as that is plain: constraints
and constants of tacit's modules, tuples of them, and the keys of dictionaries.
"""

import ast
import functools
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tacit.estimators import constraints
from tacit.estimators.constraints import Constraint

PLACE = Path(__file__).parents[1]


class SettingLimits(NamedTuple):
    """What is written of a setting."""

    constraints: tuple[Constraint, ...] = ()
    optional: bool = False
    """Whether it may be None."""
    usual: Any = None
    """What it is where nothing is said, if that is plain."""

    def fault(self, name: str, value: object) -> str | None:
        """What is wrong with a value, and what it may be; None if nothing is, as far as is written."""
        if value is None and self.optional:
            return None
        return next((said for each in self.constraints if (said := each.fault(name, value)) is not None), None)


class _Module(NamedTuple):
    """A module as it is written."""

    classes: Mapping[str, ast.ClassDef]
    taken: Mapping[str, tuple[str, str]]
    """Where the names that it takes from tacit come from."""
    constants: Mapping[str, ast.expr]


def source(module: str) -> Path:
    """The file of a module of tacit."""
    return PLACE.joinpath(*module.split(".")[1:]).with_suffix(".py")


@functools.cache
def settings(module: str, name: str) -> Mapping[str, SettingLimits]:
    """The fields under ``@settings`` of a class and of those of tacit that it inherits from."""
    written = _module(module)
    if name not in written.classes:
        return {}
    own, found = written.classes[name], dict[str, SettingLimits]()
    for base in reversed(own.bases):
        if isinstance(base, ast.Name) and (base.id in written.classes or base.id in written.taken):
            found |= settings(*written.taken.get(base.id, (module, base.id)))
    if any(isinstance(mark, ast.Name) and mark.id == "settings" for mark in own.decorator_list):
        found |= dict(_fields(module, own.body))
    return found


def _fields(module: str, lines: Iterable[ast.stmt]) -> Iterable[tuple[str, SettingLimits]]:
    for line in lines:
        match line:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=hint, value=usual) if not name.startswith("_"):
                if not _is(hint, "ClassVar"):
                    yield name, _written(module, hint)._replace(usual=_plain(module, usual))


def _is(hint: ast.expr, name: str) -> bool:
    """Whether an annotation is ``name`` or ``name[…]``."""
    bare = hint.value if isinstance(hint, ast.Subscript) else hint
    return isinstance(bare, ast.Name) and bare.id == name


def _plain(module: str, node: ast.expr | None) -> Any:
    try:
        return None if node is None else _value(module, node)
    except LookupError:
        return None


def _written(module: str, hint: ast.expr) -> SettingLimits:
    match hint:
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *said])):
            try:
                found = tuple(_value(module, each) for each in said)
            except LookupError:  # it is not plain
                return SettingLimits()
            optional = any(isinstance(part, ast.Constant) and part.value is None for part in ast.walk(kind))
            return SettingLimits(tuple(each for each in found if isinstance(each, Constraint)), optional)
    return SettingLimits()


@functools.cache
def _module(name: str) -> _Module:
    classes: dict[str, ast.ClassDef] = {}
    taken: dict[str, tuple[str, str]] = {}
    constants: dict[str, ast.expr] = {}
    path = source(name)
    for node in _parsed(path.read_text(encoding="utf-8") if path.exists() else ""):
        match node:
            case ast.ClassDef():
                classes[node.name] = node
            case ast.ImportFrom(module=str(place)) if place.startswith("tacit."):
                taken |= {each.asname or each.name: (place, each.name) for each in node.names}
            case ast.Assign(targets=[ast.Name(id=target)], value=value):
                constants[target] = value
            case ast.AnnAssign(target=ast.Name(id=target), value=ast.expr() as value):
                constants[target] = value
    return _Module(classes, taken, constants)


def _parsed(text: str) -> list[ast.stmt]:
    """The statements of a file; functions, and all of a class from its first method on, may be left out."""
    try:
        return ast.parse(_heads(text)).body
    except SyntaxError:  # a line of a text looked like the beginning of a statement
        return ast.parse(text).body


def _heads(text: str) -> str:
    """A file without its functions, which are most of it, and of which no setting is told."""
    kept, marks, keep, within = list[str](), list[str](), True, False
    for line in text.splitlines():
        if line.startswith("@"):
            marks.append(line)
            continue
        if line[:1] not in ("", " ", ")", "]", "}"):
            keep, within = not line.startswith(("def ", "async def ")), line.startswith("class ")
            kept += marks if keep else []
            marks = []
        elif within and keep and line.startswith(("    def ", "    async def ", "    @")):
            kept.append("    ...")
            keep = False
        if keep:
            kept.append(line)
    return "\n".join(kept)


def _value(module: str, node: ast.expr) -> Any:
    """What an expression stands for; raises `LookupError` where it is not plain."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=positive):
            return -_value(module, positive)
        case ast.Tuple(elts=parts):
            return tuple(_values(module, parts))
        case ast.Dict(keys=keys):
            return dict.fromkeys(_values(module, [key for key in keys if key is not None]))
        case ast.Attribute(value=ast.Name(id="math"), attr="inf"):
            return math.inf
        case ast.Call(func=ast.Name(id="field"), keywords=words):
            return next((_value(module, word.value) for word in words if word.arg == "default"), None)
        case ast.Call(func=ast.Name(id="tuple"), args=[one]):
            return tuple(_value(module, one))
        case ast.Call(func=ast.Name() as function, args=parts, keywords=words):
            made = _value(module, function)
            if isinstance(made, type) and issubclass(made, Constraint):
                named = {word.arg: _value(module, word.value) for word in words if word.arg}
                return made(*_values(module, parts), **named)
        case ast.Name(id=name):
            return _named(module, name)
    raise LookupError(ast.unparse(node))


def _values(module: str, parts: Iterable[ast.expr]) -> Iterable[Any]:
    for part in parts:
        if isinstance(part, ast.Starred):
            yield from _value(module, part.value)
        else:
            yield _value(module, part)


def _named(module: str, name: str) -> Any:
    if name in vars(constraints):
        return vars(constraints)[name]
    written = _module(module)
    if name in written.constants:
        return _value(module, written.constants[name])
    place, own = written.taken.get(name, ("", ""))
    if not place:
        raise LookupError(name)
    return _named(place, own)
