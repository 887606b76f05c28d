"""PHP's habits that show on the wire: bracket keys in forms, arrays that are lists or maps by their keys, casts."""

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl


def decode(query: str) -> dict[str, Any]:
    """A query or form body as PHP reads it: `fields[PHONE][0][VALUE]=x` nests, `ids[]=1` appends."""
    return nest(parse_qsl(query, keep_blank_values=True))


def nest(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Bracket keys to nested arrays. A later key overwrites an earlier one, as in PHP."""
    root: dict[str, Any] = {}
    for key, value in pairs:
        head, steps = _steps(key)
        if not head:
            continue
        here = root
        name = head
        for step in steps:
            below = here.get(name)
            if not isinstance(below, dict):
                below = {}
                here[name] = below
            here = below
            name = step or _next_index(here)
        here[name] = value
    return {key: _settled(value) for key, value in root.items()}


def _steps(key: str) -> tuple[str, list[str]]:
    head, bracket, rest = key.partition("[")
    if not bracket or "]" not in rest:
        return key, []
    steps = [part.split("]", 1)[0] for part in ("[" + rest).split("[")[1:]]
    return head, steps


def _next_index(array: dict[str, Any]) -> str:
    return str(max((int(key) for key in array if key.isdecimal()), default=-1) + 1)


def _settled(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    settled = {key: _settled(below) for key, below in value.items()}
    return list(settled.values()) if _is_list(settled) else settled


def _is_list(array: dict[Any, Any]) -> bool:
    return all(str(key) == str(at) for at, key in enumerate(array))


def encode(value: Any) -> bytes:
    """JSON as PHP writes it: an empty map is `[]`, a map with the keys 0..n-1 is a list, slashes are escaped."""
    text = json.dumps(_shaped(value), ensure_ascii=False, separators=(",", ":"))
    return text.replace("/", "\\/").encode()


def _shaped(value: Any) -> Any:
    if isinstance(value, dict):
        if not value:
            return []
        first = next(iter(value))
        if str(first) == "0" and _is_list(value):
            return [_shaped(below) for below in value.values()]
        return {
            str(key): _shaped(below) if isinstance(below, dict | list) else below
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [_shaped(below) if isinstance(below, dict | list) else below for below in value]
    return value


def is_array(value: Any) -> bool:
    return isinstance(value, dict | list)


def pairs(value: Any) -> Iterator[tuple[str, Any]]:
    """Key and value of a PHP array, whichever of the two JSON forms it came in. Nothing for a scalar."""
    if isinstance(value, dict):
        yield from ((str(key), below) for key, below in value.items())
    elif isinstance(value, list):
        yield from ((str(at), below) for at, below in enumerate(value))


def members(value: Any) -> list[Any]:
    """The values of a PHP array; a scalar is cast to an array of one, null to an empty one."""
    if isinstance(value, dict):
        return list(value.values())
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def text(value: Any) -> str:
    """`(string)$value`."""
    if value is None or value is False:
        return ""
    if value is True:
        return "1"
    if is_array(value):
        return "Array"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def integer(value: Any) -> int:
    """`(int)$value`: the leading digits, else 0."""
    if isinstance(value, bool | int | float):
        return int(value)
    if is_array(value):
        return int(bool(value))
    stripped = text(value).strip()
    sign = -1 if stripped[:1] == "-" else 1
    digits = ""
    for letter in stripped.lstrip("+-"):
        if letter not in "0123456789":
            break
        digits += letter
    return sign * int(digits) if digits else 0


def truthy(value: Any) -> bool:
    """PHP's idea of true; `Y` and `N` flags are taken by meaning."""
    return value not in (None, False, 0, "", "0", "N", "n", "false") and value not in ([], {})


def number(value: Any) -> float:
    """`(float)$value` of a plain number, else 0."""
    try:
        return float(text(value))
    except ValueError:
        return 0.0


def mapping(value: Any) -> dict[str, Any]:
    """The value where it is a map, else an empty one."""
    return value if isinstance(value, dict) else {}
