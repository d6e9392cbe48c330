"""The simulated terminal beside the real wheel for Windows, which is read and never run."""

from __future__ import annotations

import ast
import struct
import subprocess
import sys
import zipfile
from inspect import Parameter, signature
from types import FunctionType

import pytest

from sim_worker import terminal as mt5
from sim_worker.terminal.failures import TEXTS
from sim_worker.terminal.structs import StructSequence

pytestmark = pytest.mark.timeout(180)
DOWNLOAD = ("download", "--platform", "win_amd64", "--python-version", "3.11", "--only-binary=:all:", "--no-deps")


@pytest.fixture(scope="session")
def wheel(request: pytest.FixtureRequest) -> zipfile.ZipFile:
    """MetaTrader5 of the version that the terminal claims to be, from pytest's cache or from the index."""
    folder = request.config.cache.mkdir("metatrader5") if request.config.cache else None
    assert folder is not None, "run with pytest's cache"
    if not list(folder.glob("*.whl")):
        target = f"MetaTrader5=={mt5.__version__}"
        command = [
            sys.executable,
            "-m",
            "pip",
            *DOWNLOAD,
            "--timeout",
            "10",
            "--retries",
            "0",
            "-d",
            str(folder),
            target,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            pytest.skip(f"the wheel {target} cannot be downloaded: {done.stderr.strip().splitlines()[-1:]}")
    (found,) = folder.glob("*.whl")
    return zipfile.ZipFile(found)


@pytest.fixture(scope="session")
def module(wheel: zipfile.ZipFile) -> ast.Module:
    """`MetaTrader5/__init__.py`."""
    return ast.parse(wheel.read("MetaTrader5/__init__.py"))


@pytest.fixture(scope="session")
def extension(wheel: zipfile.ZipFile) -> Image:
    (name,) = (name for name in wheel.namelist() if name.endswith(".pyd"))
    return Image(wheel.read(name))


class Image:
    """A Windows DLL as it lies in memory: enough of it to follow pointers to texts."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        header = struct.unpack_from("<I", data, 0x3C)[0]
        sections, optional = (
            struct.unpack_from("<H", data, header + 6)[0],
            struct.unpack_from("<H", data, header + 20)[0],
        )
        self.base: int = struct.unpack_from("<Q", data, header + 24 + 24)[0]
        start = header + 24 + optional
        self.sections = [struct.unpack_from("<4I", data, start + 40 * n + 8) for n in range(sections)]

    def text(self, address: int) -> str:
        """The C string at an address; "" if there is none."""
        for size, begin, _, raw in self.sections:
            if begin <= address - self.base < begin + size:
                place = address - self.base - begin + raw
                end = self.data.find(b"\0", place, place + 64)
                return self.data[place:end].decode("ascii", "replace") if end > place else ""
        return ""

    def table(self, start: int, step: int) -> list[str]:
        """The texts that a table of pointers names, up to the first pointer that is null."""
        names = []
        while pointer := struct.unpack_from("<Q", self.data, start)[0]:
            names.append(self.text(pointer))
            start += step
        return names

    def starts(self, first: str) -> list[int]:
        """Where there are pointers to this text."""
        words = struct.unpack_from(f"<{len(self.data) // 8}Q", self.data)
        return [n * 8 for n, word in enumerate(words) if word > self.base and self.text(word) == first]

    def tables(self, step: int, first: str) -> list[list[str]]:
        """The tables with this stride whose first text is `first`."""
        return [self.table(start, step) for start in self.starts(first)]

    def methods(self) -> dict[str, int]:
        """The functions of the module with their flags (PyMethodDef: name, function, flags, documentation)."""
        (start,) = self.starts("initialize")
        names = self.table(start, 32)
        return {name: struct.unpack_from("<i", self.data, start + 32 * n + 16)[0] for n, name in enumerate(names)}


def constants(module: ast.Module) -> dict[str, int]:
    """The names in capitals and their values, computed from literals alone."""
    found: dict[str, int] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            found[node.targets[0].id] = number(node.value)
    return found


def number(node: ast.expr) -> int:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return number(node.left) | number(node.right)
    return int(ast.literal_eval(node))


def public(kind: type | tuple[type, ...]) -> set[str]:
    return {name for name, value in vars(mt5).items() if isinstance(value, kind) and not name.startswith("_")}


def test_the_constants_are_those_of_the_wheel_no_more_and_no_less(module: ast.Module):
    theirs = constants(module)
    ours = {name: int(getattr(mt5, name)) for name in public(int)}
    assert len(theirs) == 223
    assert ours == theirs


def test_version_and_author_are_those_of_the_wheel(module: ast.Module):
    texts = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and "__" in node.targets[0].id
    }
    assert texts == {"__version__": mt5.__version__, "__author__": mt5.__author__}


def test_the_helpers_have_the_same_parameters(module: ast.Module):
    theirs = {node.name: node.args for node in module.body if isinstance(node, ast.FunctionDef) and node.name[0] != "_"}
    assert set(theirs) == {"Buy", "Sell", "Close"}
    for name, args in theirs.items():
        code = getattr(mt5, name).__code__
        names = [argument.arg for argument in (*args.args, *args.kwonlyargs)]
        assert list(code.co_varnames[: len(names)]) == names
        assert (code.co_argcount, code.co_kwonlyargcount) == (len(args.args), len(args.kwonlyargs))


def test_the_functions_are_those_of_the_extension_and_the_helpers(extension: Image):
    assert public(FunctionType) == {*extension.methods(), "Buy", "Sell", "Close"}


def test_the_functions_take_arguments_by_position_or_by_keyword_as_those_of_the_extension(extension: Image):
    kinds = {name: {p.kind for p in signature(getattr(mt5, name)).parameters.values()} for name in extension.methods()}
    positional, anything = {Parameter.POSITIONAL_ONLY}, {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
    allowed = {1: (positional, {Parameter.VAR_POSITIONAL}), 3: (anything,), 4: (set(),)}  # METH_* flags
    assert [name for name, flags in extension.methods().items() if kinds[name] not in allowed[flags]] == []


@pytest.mark.parametrize("kind", StructSequence.__subclasses__(), ids=lambda kind: kind.__name__)
def test_the_tuples_have_the_fields_of_the_extension_in_its_order(kind: type[StructSequence], extension: Image):
    ours = list(kind._names)
    assert ours in extension.tables(16, ours[0])  # PyStructSequence_Field: name, documentation


def test_the_texts_of_last_error_are_in_the_extension(extension: Image):
    narrow = extension.data.replace(b"\0", b"")  # some of them are UTF-16
    fields = [f'Invalid "{name}" argument' for name in (*mt5.TradeRequest._names, *arguments_of_initialize())]
    own = ["Success", "Invalid arguments", "Unnamed arguments not allowed", "Invalid 1st unnamed argument", *fields]
    assert [text for text in (*TEXTS.values(), *own) if text.encode() not in narrow] == []


def arguments_of_initialize() -> tuple[str, ...]:
    return "login", "password", "server", "timeout", "path"
