"""All mutants of a module, each with a name that outlives a move of its lines."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.mutation.changes import of_expression, of_statement

CONTEXT = 36
"""Letters of a statement that are shown on each side of a change."""

TYPES = {"annotation", "returns", "ctx"}
DECORATION = {"decorator_list", "bases", "keywords", "targets"}
"""Parts that are types, and parts of a statement that are names or decoration (a call has keywords too)."""


@dataclass(frozen=True, eq=False)
class Mutant:
    """`change`: the statement with what was and what is put in its place, `⟦old → new⟧`; one that stands more than once in
    a function is numbered. `function`: the qualified name, "" for the module's own lines. `owner`: the outermost
    function or method, whose code is exchanged; "" where the module must be made anew. `lines`: the statement's.
    """

    module: str
    function: str
    owner: str
    change: str
    lines: range
    holder: ast.AST
    name: str
    value: Any

    def plant(self) -> None:
        """Changes the tree for good: to be called in a process that ends afterwards."""
        setattr(self.holder, self.name, self.value)


@dataclass
class Module:
    """A module to mutate, with its tree, which its mutants point into."""

    name: str
    path: Path
    tree: ast.Module
    mutants: list[Mutant] = field(default_factory=list)


def read(name: str, path: Path) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    module = Module(name, path, tree)
    seen: dict[tuple[str, str], int] = {}
    for each in _Walk(name).statements(tree, "body", _Place()):
        key = (each.function, each.change)
        seen[key] = seen.get(key, 0) + 1
        change = each.change if seen[key] == 1 else f"{each.change} #{seen[key]}"
        module.mutants.append(Mutant(**{**vars(each), "change": change}))
    return module


@dataclass(frozen=True)
class _Place:
    function: str = ""
    owner: str = ""
    prefix: str = ""
    returns: ast.expr | None = None
    bound: frozenset[str] = frozenset()


class _Walk:
    def __init__(self, module: str) -> None:
        self._module = module

    def statements(self, holder: ast.AST, name: str, place: _Place) -> Iterator[Mutant]:
        nodes: list[ast.stmt] = getattr(holder, name)
        for number, node in enumerate(nodes):
            if _says_nothing(node, place):
                continue
            at = place
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                function = f"{place.prefix}{node.name}"
                at = _Place(
                    function, place.owner or function, f"{function}.<locals>.", node.returns, _twice(node)
                )
            elif isinstance(node, ast.ClassDef):
                at = _Place(node.name, "", f"{place.prefix}{node.name}.")
            else:
                for other in of_statement(node, returns=place.returns, bound=set(place.bound)):
                    value = [*nodes[:number], other, *nodes[number + 1 :]]
                    if not (isinstance(other, ast.Pass) and _is_docstring(node)):
                        yield self._mutant(node, place, holder, name, value, (_said(node), _said(other)))
            yield from self._inside(node, node, at, place)

    def _inside(self, statement: ast.stmt, node: ast.AST, place: _Place, outer: _Place) -> Iterator[Mutant]:
        for name, value in ast.iter_fields(node):
            if name in TYPES or (name in DECORATION and isinstance(node, ast.stmt)):
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                yield from self.statements(node, name, place)
            elif isinstance(value, list):
                for number, each in enumerate(value):
                    yield from self._part(
                        statement, node, name, each, number, outer if statement is node else place
                    )
            elif isinstance(value, ast.AST):
                yield from self._part(
                    statement, node, name, value, None, outer if statement is node else place
                )

    def _part(
        self, statement: ast.stmt, holder: ast.AST, name: str, node: object, number: int | None, place: _Place
    ) -> Iterator[Mutant]:
        if not isinstance(node, ast.AST):
            return
        if isinstance(node, ast.arguments):
            # Defaults are made once, with the module.
            place = _Place(place.function or getattr(statement, "name", ""), "", place.prefix)
        if isinstance(node, ast.expr):
            whole = getattr(holder, name)
            condition = name in {"test", "ifs"} and not isinstance(holder, ast.IfExp)
            before = _said(statement)
            for other in of_expression(node, condition=condition):
                value = other if number is None else [*whole[:number], other, *whole[number + 1 :]]
                setattr(holder, name, value)
                after = _said(statement)
                setattr(holder, name, whole)
                yield self._mutant(statement, place, holder, name, value, (before, after))
        if not (isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store)):
            yield from self._inside(statement, node, place, place)

    def _mutant(
        self,
        statement: ast.stmt,
        place: _Place,
        holder: ast.AST,
        name: str,
        value: object,
        said: tuple[str, str],
    ) -> Mutant:
        body: list[ast.stmt] = getattr(statement, "body", [])
        end = body[0].lineno if body else (statement.end_lineno or statement.lineno) + 1
        lines = range(statement.lineno, max(end, statement.lineno + 1))
        change = difference(*said)
        return Mutant(self._module, place.function, place.owner, change, lines, holder, name, value)


def difference(before: str, after: str) -> str:
    """`if a ⟦< → <=⟧ b:`, with some of what stands around it."""
    old, new = before.split(), after.split()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    head, tail = " ".join(old[:start]), " ".join(old[len(old) - end :])
    gone, come = " ".join(old[start : len(old) - end]), " ".join(new[start : len(new) - end])
    head = head if len(head) <= CONTEXT else "…" + head[-CONTEXT:]
    tail = tail if len(tail) <= CONTEXT else tail[:CONTEXT] + "…"
    return " ".join(each for each in (head, f"⟦{gone} → {come}⟧", tail) if each)


def _said(node: ast.stmt) -> str:
    """A statement's own words, without its body."""
    if isinstance(node, ast.Pass):
        return ""
    if not hasattr(node, "body"):
        return ast.unparse(node)
    shallow = type(node)(**{**vars(node), "body": [ast.Pass()]})
    for name in ("orelse", "finalbody", "decorator_list"):
        if hasattr(shallow, name):
            setattr(shallow, name, [])
    return ast.unparse(shallow).rpartition("\n")[0]


def _says_nothing(node: ast.stmt, place: _Place) -> bool:
    """Imports, docstrings, exported names and names of types: no behaviour."""
    if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
        return True
    if place.owner or not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    alias = isinstance(node.value, ast.Subscript) or (
        isinstance(node.value, ast.BinOp) and isinstance(node.value.left, ast.Name) and not place.function
    )
    named = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "TypeVar"
    return alias or named or node.targets[0].id == "__all__"


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _twice(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """The names that have a value without any one assignment to them."""
    names = [each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)]
    names += [
        each.id
        for each in ast.walk(function)
        if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)
    ]
    return frozenset(name for name in names if names.count(name) > 1)
