"""Finding a strategy's class by its file or import path, and making one with parameters.

Whatever is imported here comes from one directory: the path of a strategy says where in it, never outside it.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeGuard

from mas.backtest.parameters import Parameter, init_names, parameters
from mas.client import Client
from mas_router.errors import CallerError, InvalidField
from mas_router.messages import Scalar

TARGET_FORM: Final = "STRATEGY.py, STRATEGY.py:Class, package.module or package.module:Class"
_PATH: Final = re.compile(r"[\w-]+(\.[\w-]+)*", re.ASCII)
_CODE_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class Source:
    """A strategy's module: `name` is its import path below `directory`."""

    directory: Path
    name: str

    @property
    def file(self) -> Path:
        """The module's file. Raises CallerError when there is none inside the directory."""
        root = self.directory.resolve()
        base = root.joinpath(*self.name.split("."))
        for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
            if path.is_file() and path.resolve().is_relative_to(root):
                return path.resolve()
        raise CallerError(f"there is no strategy {self.name} in {root}")

    @property
    def code(self) -> str:
        """The beginning of the SHA-256 of the module's file."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()[:_CODE_DIGITS]


def split(target: str) -> tuple[str, str]:
    """The file or import path, and the class, which may be empty. A drive letter's colon is part of the path."""
    path, colon, name = target.rpartition(":")
    if not colon or not path or "/" in name or "\\" in name or name.endswith(".py"):
        return target, ""
    return path, name


def source_of(path: str, directory: Path | None) -> Source:
    """Where a file or an import path leads. A file's directory is its own unless `directory` holds it.

    Raises CallerError.
    """
    if path.endswith(".py") or os.sep in path:
        return _of_file(Path(path), directory)
    if not _PATH.fullmatch(path):
        raise InvalidField("STRATEGY", path, TARGET_FORM)
    return Source(directory or Path.cwd(), path)


def _of_file(file: Path, directory: Path | None) -> Source:
    if not file.is_file() and not (directory is not None and (file := directory / file).is_file()):
        raise CallerError(f"there is no file {file}")
    root, whole = (directory or file.parent).resolve(), file.resolve()
    if not whole.is_relative_to(root):
        raise CallerError(f"{whole} is not in {root}")
    name = ".".join(whole.relative_to(root).with_suffix("").parts)
    if not _PATH.fullmatch(name):
        raise InvalidField("STRATEGY", str(file), "a file whose name has only letters, digits, _ and -")
    return Source(root, name)


def load(source: Source) -> ModuleType:
    """Import the module. Raises CallerError; what the file's own code raises comes through."""
    file, root = source.file, str(source.directory.resolve())
    if root not in sys.path:
        sys.path.insert(0, root)
    importlib.invalidate_caches()
    module = importlib.import_module(source.name)
    if Path(module.__file__ or "").resolve() != file:
        raise CallerError(f"the name {source.name} is taken by another module ({module.__file__}): rename {file.name}")
    return module


def find(module: ModuleType, name: str) -> type[Client]:
    """The class of this name, or the only strategy of the module. Raises CallerError."""
    found = {one.__name__: one for one in vars(module).values() if _is_strategy(one)}
    if name:
        if name not in found:
            raise CallerError(f"{module.__name__} has no strategy {name}; it has: {_names(found)}")
        return found[name]
    own = {key: one for key, one in found.items() if one.__module__ == module.__name__}
    if len(own) != 1:
        text = f"{module.__name__} has {len(own) or 'no'} subclasses of mas.Client ({_names(own)})"
        raise CallerError(f"{text}: name one, as in {module.__name__}:Class" if own else f"{text}: one is needed")
    return next(iter(own.values()))


def _is_strategy(value: object) -> TypeGuard[type[Client]]:
    return isinstance(value, type) and issubclass(value, Client) and value is not Client


def _names(found: Mapping[str, object]) -> str:
    return ", ".join(found) or "none"


def make(strategy: type[Client], point: Mapping[str, Scalar]) -> Client:
    """A strategy with these parameters. They are there before `__init__` runs, and stay whatever it assigns."""
    arguments = {name: value for name, value in point.items() if name in init_names(strategy, Client)}
    attributes: dict[str, Any] = {name: value for name, value in point.items() if name not in arguments}
    made = strategy.__new__(strategy)
    _assign(made, attributes)
    made.__init__(**arguments)  # type: ignore[misc]
    _assign(made, attributes)
    return made


def _assign(made: Client, attributes: Mapping[str, object]) -> None:
    for name, value in attributes.items():
        setattr(made, name, value)


def settable(strategy: type[Client]) -> dict[str, Parameter]:
    """The parameters of a strategy, by name."""
    return parameters(strategy, Client)


def forget(directory: Path) -> None:
    """Drop every module that was imported from here, so that the next run finds none of their state.

    Not those of other places on the path that happen to be below it, such as a virtual environment.
    """
    root = directory.resolve()
    places = [Path(part).resolve() for part in sys.path if part]
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file:
            continue
        with suppress(OSError, ValueError, TypeError):
            path = Path(file).resolve()
            holders = [place for place in places if path.is_relative_to(place)]
            if path.is_relative_to(root) and max(holders, key=lambda place: len(place.parts), default=root) == root:
                del sys.modules[name]
