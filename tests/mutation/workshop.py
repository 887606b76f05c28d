"""The warm process: tests are collected once, and each mutant lives and dies in a fork of it.

A mutant inside a function costs the exchange of that function's code and the tests that pass over its line, the quick
ones first, until one fails. A mutant in a table changes the table where it stands, before all tests of the files that
use its module. What that does not kill, and what else is a module's own (a field's default, a number), is met by a
process that has not imported the house yet.
"""

import ast
import contextlib
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.mutation.mutants import Module, Mutant

SURVIVED, KILLED, BROKEN = 0, 1, 70
SECONDS, FACTOR = 5.0, 3.0
"""Of processor time: what a mutant may take beyond what its tests take without it, before it counts as caught in a loop."""
MEMORY = 3 << 30
QUICK = ["-p", "no:cacheprovider", "--capture=no", "--assert=plain", "--tb=native"]
"""Nobody reads how a test failed, and to say it well takes longer than the test."""

Coverage = dict[str, dict[int, set[int]]]
"""By module and line: the numbers of the tests that pass over it."""


class Measured(msgspec.Struct):
    """`took`: the processor time of each test under the trace, in seconds; `failed`: one that fails as things stand."""

    covered: Coverage
    took: list[float]
    failed: str = ""


def in_fork(work: Callable[[], int], seconds: float) -> int:
    """The pid of a child that does `work` in silence and ends with what it returns, or by SIGPROF after the time."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = BROKEN
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        code = work()
    finally:
        os._exit(code)


class Workshop:
    """A pytest plugin that takes the place of the run: `report(mutant, code)` is called for each mutant; the code is
    SURVIVED, KILLED (also by time), or BROKEN where the mutant could not be planted.
    """

    def __init__(
        self, modules: Sequence[Module], jobs: int, report: Callable[[Mutant, int], None], scratch: Path
    ) -> None:
        self._modules = {module.name: module for module in modules}
        self._jobs = jobs
        self._report = report
        self._scratch = scratch
        self._took: list[float] = []
        self._files: list[Path] = []
        self._killers: dict[int, None] = {}

    def pytest_configure(self) -> None:
        """The same made-up examples each time, and no time spent on making a failure small."""
        import hypothesis  # not before pytest, which rewrites its assertions

        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile("mutation", derandomize=True, database=None, phases=phases)
        hypothesis.settings.load_profile("mutation")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        measured = self._measure(session)
        covered, self._took = measured.covered, measured.took
        self._files = [item.path for item in session.items]
        self._try_out(session)
        gc.freeze()  # a fork shares what the collector does not touch
        running: dict[int, Mutant] = {}
        for module in self._modules.values():
            for mutant in module.mutants:
                while len(running) >= self._jobs:
                    self._wait(running)
                chosen = self._chosen(mutant, covered[module.name])
                work = self._exchanged if mutant.owner else self._of_module
                seconds = SECONDS + FACTOR * sum(self._took[number] for number in chosen)
                running[in_fork(work(session, module, mutant, chosen), seconds)] = mutant
        while running:
            self._wait(running)
        return True

    def _try_out(self, session: pytest.Session) -> None:
        """A module that is made anew as it stands must not fail: else all mutants of that kind would seem to be killed."""
        module = next(iter(self._modules.values()))
        work = self._anew(session, module, None, range(len(session.items)))
        _, status = os.waitpid(in_fork(work, 3600), 0)
        if status != SURVIVED:
            raise RuntimeError(f"{module.name} fails when it is only imported anew: {status}")

    def _wait(self, running: dict[int, Mutant]) -> None:
        pid, status = os.wait()
        mutant = running.pop(pid)
        killer = self._scratch / str(pid)
        if killer.exists():
            number = int(killer.read_text())
            self._killers = {number: None} | {each: None for each in self._killers if each != number}
            killer.unlink()
        self._report(mutant, KILLED if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))

    def _chosen(self, mutant: Mutant, covered: dict[int, set[int]]) -> list[int]:
        """The tests that pass over the mutant's lines, or over its module: those that killed others last, then the quick."""
        lines: Iterable[int] = mutant.lines if mutant.owner else covered
        found = set().union(*(covered.get(line, set()) for line in lines))
        if not mutant.owner:
            files = {self._files[number] for number in found}
            found = {number for number, file in enumerate(self._files) if file in files}
        known = [number for number in self._killers if number in found]
        near = self._files[known[0]] if known and not mutant.owner else None
        rest = sorted(
            found - set(known),
            key=lambda number: (self._files[number] != near, round(self._took[number], 2), number),
        )
        return [*known, *rest]

    def _exchanged(
        self, session: pytest.Session, module: Module, mutant: Mutant, chosen: Sequence[int]
    ) -> Callable[[], int]:
        def work() -> int:
            mutant.plant()
            exchange(sys.modules[module.name], mutant.owner, compile_of(module))
            failed = failing(session, [session.items[number] for number in chosen])
            if failed is None:
                return SURVIVED
            (self._scratch / str(os.getpid())).write_text(str(chosen[failed]))
            return KILLED

        return work

    def _of_module(
        self, session: pytest.Session, module: Module, mutant: Mutant, chosen: Sequence[int]
    ) -> Callable[[], int]:
        anew = self._anew(session, module, mutant, chosen)

        def work() -> int:
            mutant.plant()
            changed = False
            with contextlib.suppress(TypeError, ValueError, LookupError, NameError):
                # Where the table cannot be made at all, the import below fails.
                changed = change_tables(sys.modules[module.name], module, mutant.lines.start)
            if changed:
                failed = failing(session, [session.items[number] for number in chosen])
                if failed is not None:
                    (self._scratch / str(os.getpid())).write_text(str(chosen[failed]))
                    return KILLED
            return anew()

        return work

    def _anew(
        self, session: pytest.Session, module: Module, mutant: Mutant | None, chosen: Sequence[int]
    ) -> Callable[[], int]:
        """The house is forgotten and imported again with the mutant in it."""
        files: dict[str, None] = dict.fromkeys(str(session.items[number].path) for number in chosen)

        def work() -> int:
            if mutant:
                mutant.plant()
            for name in list(sys.modules):
                if name.startswith(("kreslo", "connectors", "tests.unit", "test_")):
                    del sys.modules[name]
            sys.meta_path.insert(0, Planted(module))
            ended = pytest.main(["-x", "-q", *QUICK, *files])
            return SURVIVED if ended == pytest.ExitCode.OK else KILLED

        return work

    def _measure(self, session: pytest.Session) -> Measured:
        """Which test passes over which line, and how long each takes. In a fork, so that nothing of it stays."""
        answer = self._scratch / "coverage"

        def work() -> int:
            names = {str(module.path.resolve()): name for name, module in self._modules.items()}
            measured = Measured({name: {} for name in self._modules}, [])
            for number, item in enumerate(session.items):
                begun = time.process_time()
                with _Trace(names, measured.covered, number):
                    failed = failing(session, [item])
                measured.took.append(time.process_time() - begun)
                if failed is not None:
                    measured.failed = item.nodeid
                    break
            answer.write_bytes(msgspec.json.encode(measured))
            return SURVIVED

        _, status = os.waitpid(in_fork(work, 3600), 0)
        if not answer.exists():
            raise RuntimeError(f"the tests could not be measured: the process ended with {status}")
        found = msgspec.json.decode(answer.read_bytes(), type=Measured)
        if found.failed:
            raise RuntimeError(f"{found.failed} fails without any mutant: mend it first")
        return found


def failing(session: pytest.Session, items: Sequence[pytest.Item]) -> int | None:
    """Runs tests until one fails: its place."""
    for number, item in enumerate(items):
        following = items[number + 1] if number + 1 < len(items) else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            return number
    return None


def compile_of(module: Module) -> types.CodeType:
    return compile(ast.fix_missing_locations(module.tree), str(module.path.resolve()), "exec")


def exchange(module: types.ModuleType, owner: str, code: types.CodeType) -> None:
    """Gives the function that is known by this qualified name its code anew, wherever it was imported to."""
    found: Any = module
    for part in owner.split("."):
        found = vars(found)[part] if isinstance(found, type) else getattr(found, part)
    function: Any = found.fget if isinstance(found, property) else getattr(found, "__wrapped__", found)
    function.__code__ = _within(code, owner)


def change_tables(module: types.ModuleType, mutated: Module, line: int) -> bool:
    """Makes the module's tables (dicts) as its tree has them from this line on; whether that changes one."""
    changed = False
    made = dict(vars(module))
    for node in mutated.tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or (node.end_lineno or node.lineno) < line:
            continue
        code = compile(ast.fix_missing_locations(ast.Module([node], [])), str(mutated.path), "exec")
        exec(code, made)  # noqa: S102 - the mutant is code
    for name, table in vars(module).items():
        if isinstance(table, dict) and name in made and made[name] is not table and made[name] != table:
            new = dict(made[name])
            table.clear()
            table.update(new)
            changed = True
    return changed


def _within(code: types.CodeType, owner: str) -> types.CodeType:
    for each in code.co_consts:
        if isinstance(each, types.CodeType):
            if each.co_qualname == owner:
                return each
            if owner.startswith(f"{each.co_qualname}."):
                return _within(each, owner)
    raise LookupError(owner)


class Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds one module: the mutated one."""

    def __init__(self, module: Module) -> None:
        self._module = module

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != self._module.name:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=str(self._module.path))

    def exec_module(self, module: types.ModuleType) -> None:
        exec(compile_of(self._module), vars(module))  # noqa: S102 - the mutant is code


class _Trace:
    def __init__(self, names: dict[str, str], covered: Coverage, number: int) -> None:
        self._names, self._covered, self._number = names, covered, number

    def __enter__(self) -> None:
        sys.settrace(self._call)

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: types.FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        name = self._names.get(frame.f_code.co_filename)
        if name is None:
            return None
        lines = self._covered[name]

        def line(frame: types.FrameType, event: str, arg: object) -> Callable[..., Any]:
            lines.setdefault(frame.f_lineno, set()).add(self._number)
            return line

        return line
