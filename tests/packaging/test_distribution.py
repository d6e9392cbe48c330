"""What a user gets from the wheel and the source distribution, looked at from outside."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"mas", "mas_router", "sim_worker"}
BASE = {"pika", "msgpack", "pydantic", "numpy"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

pytestmark = pytest.mark.timeout(180)


def build(what: str, source: Path, target: Path) -> Path:
    """Build a wheel or an sdist with the build backend of this environment, so that no network is needed."""
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{what}", "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.iterdir()
    return built


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


def test_the_wheel_puts_exactly_the_three_packages_into_site_packages(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in names(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES
    assert len(tops) == len(PACKAGES) + 1


def test_each_package_in_the_wheel_says_that_it_is_typed(wheel: Path) -> None:
    assert {f"{package}/py.typed" for package in PACKAGES} <= names(wheel)


def test_the_tables_that_the_simulator_reads_are_in_the_wheel(wheel: Path) -> None:
    assert {"sim_worker/symbols.toml", "sim_worker/trade_server/personalities.toml"} <= names(wheel)


def test_each_package_in_the_wheel_is_a_regular_package(wheel: Path) -> None:
    assert {f"{package}/__init__.py" for package in PACKAGES} <= names(wheel)


def test_the_base_install_needs_exactly_four_libraries(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (path,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(path).decode())
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {line.split("<")[0].split(">")[0].split("=")[0].strip() for line in required} == BASE
    assert len(required) == len(BASE)


def test_the_source_distribution_carries_the_tests_and_the_compose_file(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"docker-compose.yml", "Dockerfile", "deploy/rabbitmq/start.sh", "Makefile", "tests/conftest.py"} <= held
    assert not any(name.startswith((".venv/", ".git/")) for name in held)


def test_a_wheel_built_from_the_source_distribution_is_the_same(wheel: Path, sdist: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert names(build("wheel", source, tmp_path / "again")) == names(wheel)


ENTRY_POINTS = PROJECT["scripts"] | PROJECT["entry-points"]["mas.commands"]


@pytest.mark.parametrize("target", ENTRY_POINTS.values(), ids=ENTRY_POINTS.keys())
def test_what_an_entry_point_names_exists_and_can_be_called(target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(importlib.import_module(module), name))
