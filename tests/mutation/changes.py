"""The small faults that are planted: what may stand in the place of an expression or a statement.

One operator a line of the table that a person would make: a comparison turned or moved by one, an operand, an element or
a keyword forgotten, a condition that always or never holds, another constant, an empty answer, a line left out.
"""

import ast
import copy
from collections.abc import Iterator
from typing import TypeVar

Node = TypeVar("Node", bound=ast.AST)

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
NAMES = {"any": "all", "all": "any", "min": "max", "max": "min", "sorted": "list", "reversed": "list"}
EMPTY = {
    "str": "''",
    "int": "0",
    "tuple": "()",
    "list": "[]",
    "dict": "{}",
    "set": "set()",
    "frozenset": "frozenset()",
}


def of_expression(node: ast.expr, *, condition: bool) -> Iterator[ast.expr]:
    """What may stand for `node`. `condition`: it decides whether something is done at all."""
    if condition and not isinstance(node, ast.Constant):
        yield ast.Constant(True)
        yield ast.Constant(False)
    match node:
        case ast.Constant():
            yield from _constants(node)
        case ast.Compare():
            for number, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator)]:
                    yield _with(node, ops=[*node.ops[:number], other(), *node.ops[number + 1 :]])
        case ast.BoolOp():
            yield _with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())
            for rest in _one_less(node.values):
                yield rest[0] if len(rest) == 1 else _with(node, values=rest)
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            yield _with(node, op=ARITHMETIC[type(node.op)]())
        case ast.IfExp():
            yield node.body
            yield node.orelse
        case ast.Call():
            yield from _calls(node)
        case ast.Set() | ast.List() | ast.Tuple() if not isinstance(getattr(node, "ctx", None), ast.Store):
            for rest in _one_less(node.elts):
                yield _with(node, elts=rest)
        case ast.Dict():
            for number in range(len(node.keys)):
                keys, values = list(node.keys), list(node.values)
                del keys[number], values[number]
                yield _with(node, keys=keys, values=values)
        case ast.Lambda():
            yield _with(node, body=ast.Constant(None))
        case _:
            pass


def of_statement(node: ast.stmt, *, returns: ast.expr | None, bound: set[str]) -> Iterator[ast.stmt]:
    """`returns`: the annotation of the function around it. `bound`: the names that have a value without `node` too, so
    that leaving it out is not merely a NameError.
    """
    match node:
        case ast.Return(value=ast.expr() as value):
            for empty in _empty(returns):
                if ast.dump(empty) != ast.dump(value):
                    yield ast.Return(empty)
        case ast.Expr() | ast.Raise():
            yield ast.Pass()
        case ast.AugAssign():
            yield ast.Pass()
            if type(node.op) in ARITHMETIC:
                yield _with(node, op=ARITHMETIC[type(node.op)]())
        case ast.Assign(targets=[ast.Name(id=name)]) if name in bound:
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield ast.Pass()
        case ast.Continue():
            yield ast.Pass()
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()
        case _:
            pass


def _constants(node: ast.Constant) -> Iterator[ast.expr]:
    value = node.value
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str):
        yield ast.Constant(f"XX{value}XX")
    elif isinstance(value, bytes):
        yield ast.Constant(b"XX" + value)


def _calls(node: ast.Call) -> Iterator[ast.expr]:
    if isinstance(node.func, ast.Name) and node.func.id in NAMES:
        other = ast.Name(NAMES[node.func.id], ast.Load())
        yield _with(node, func=other, keywords=[] if other.id == "list" else node.keywords)
    for rest in _one_less(node.keywords):
        yield _with(node, keywords=rest)


def _empty(returns: ast.expr | None) -> Iterator[ast.expr]:
    """The empty answers of a function's type; None where its type says nothing of one."""
    said = ast.unparse(returns) if returns is not None else "None"
    head = said.partition("[")[0]
    if said == "bool":
        yield ast.Constant(True)
        yield ast.Constant(False)
    elif head in EMPTY and " | " not in said:
        yield ast.parse(EMPTY[head], mode="eval").body
    else:
        yield ast.Constant(None)


def _one_less(nodes: list[Node]) -> Iterator[list[Node]]:
    for number in range(len(nodes)):
        yield [*nodes[:number], *nodes[number + 1 :]]


def _with(node: Node, **fields: object) -> Node:
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other
