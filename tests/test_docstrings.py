"""The public surface of yaff explains itself: docstrings everywhere, and arrays by shape and not bare.

Public is what has no leading underscore, in a module and classes that have none. Excused are overloads, which the
implementation describes, setters, which the property describes, and methods marked ``@override``, which the base does.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import jaxtyping
import pytest

YAFF = Path(__file__).resolve().parent.parent / "yaff"
ROOMS = sorted(path.name for path in YAFF.iterdir() if path.is_dir() and (path / "__init__.py").is_file())

BARE = {"Array", "ndarray", "Tensor"}
"""Last parts of the names by which arrays without a shape go."""
SHAPED = {
    name
    for name, kind in vars(jaxtyping).items()
    if isinstance(kind, type) and issubclass(kind, jaxtyping.AbstractDtype)
}
"""Types that say the shape: ``Float[Array, "n 3"]`` and the like."""
EXCUSED = {"overload", "override", "setter"}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Check = Callable[[ast.Module], Iterator[tuple[int, str]]]


def last_part(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def has_bare_array(annotation: ast.AST | None) -> bool:
    """Whether an annotation names an array outside of a type that says its shape."""
    if isinstance(annotation, ast.Subscript) and last_part(annotation.value) in SHAPED:
        return False
    if isinstance(annotation, ast.Name | ast.Attribute):
        return last_part(annotation) in BARE
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            return has_bare_array(ast.parse(annotation.value, mode="eval").body)
        except SyntaxError:  # the text of a Literal
            return False
    return annotation is not None and any(has_bare_array(part) for part in ast.iter_child_nodes(annotation))


def public(body: list[ast.stmt], inside: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Public definitions, fields and type aliases with the names that a reader calls them by."""
    for node in body:
        if isinstance(node, ast.ClassDef | Function):
            name = node.name
        elif isinstance(node, ast.AnnAssign):
            name = last_part(node.target)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript | ast.BinOp):
            name = last_part(node.targets[0])
        else:
            continue
        if name.startswith("_"):
            continue
        yield inside + name, node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{inside}{name}.")


def excused(node: ast.stmt) -> bool:
    return isinstance(node, Function) and any(last_part(mark) in EXCUSED for mark in node.decorator_list)


def without_docstring(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of what has none, the module itself among it."""
    if not ast.get_docstring(tree):
        yield 1, "the module"
    for name, node in public(tree.body):
        if isinstance(node, ast.ClassDef | Function) and not ast.get_docstring(node) and not excused(node):
            yield node.lineno, name


def with_bare_array(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and name of arguments, results, fields and type aliases that are arrays of no stated shape."""
    for name, node in public(tree.body):
        if isinstance(node, Function):
            a = node.args
            for argument in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg):
                if argument is not None and has_bare_array(argument.annotation):
                    yield argument.lineno, f"{name}({argument.arg})"
            if has_bare_array(node.returns):
                yield node.lineno, f"what {name} returns"
            continue
        stated = node.annotation if isinstance(node, ast.AnnAssign) else getattr(node, "value", None)
        if has_bare_array(stated):
            yield node.lineno, name


def modules(room: str) -> list[Path]:
    """The public modules of a room of yaff, or of yaff itself beside its rooms."""
    found = (YAFF / room).rglob("*.py") if room else YAFF.glob("*.py")
    return sorted(path for path in found if not path.name.startswith("_") or path.name == "__init__.py")


def places(room: str, check: Check) -> list[str]:
    """``file:line name`` of everything that a check finds in a room."""
    return [
        f"{path.relative_to(YAFF.parent)}:{line} {name}"
        for path in modules(room)
        for line, name in check(ast.parse(path.read_text(encoding="utf-8")))
    ]


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_everything_public_has_a_docstring(room: str):
    found = places(room, without_docstring)
    assert not found, "no docstring:\n" + "\n".join(found)


@pytest.mark.parametrize("room", ["", *ROOMS])
def test_public_arrays_say_their_shape(room: str):
    found = places(room, with_bare_array)
    assert not found, "a bare array; say its shape with jaxtyping:\n" + "\n".join(found)


def test_the_checks_find_what_they_are_for():
    tree = ast.parse(
        '''
Alias = dict[str, Array]
Points = Float[Array, "n 3"]
_hidden = list[Tensor]

class Thing(Protocol):
    """Described."""

    field: np.ndarray | None
    shaped: Float[np.ndarray, "n 3"] | None
    quoted: "tuple[Tensor, ...]"
    choice: Literal["not an array"]

    @property
    def size(self) -> int: ...

    @size.setter
    def size(self, value: int) -> None: ...

    @override
    def described_by_the_base(self) -> None: ...

    def _hidden(self, x: Array) -> Array: ...

def bare(x: Float[Array, "n"], *rest: torch.Tensor, y: Sequence[Array] = ()) -> tuple[Array, int]:
    """Described."""
'''
    )
    assert list(without_docstring(tree)) == [(1, "the module"), (15, "Thing.size")]
    assert [name for _, name in with_bare_array(tree)] == [
        "Alias",
        "Thing.field",
        "Thing.quoted",
        "bare(y)",
        "bare(rest)",
        "what bare returns",
    ]
