"""Files of text as blocks of whole lines: plain, .gz or .zip, UTF-8 or UTF-16, with limits to what they unpack to."""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import IO

from sim_worker.formats import BadFile

BLOCK = 4 << 20  # bytes of text that are read at once
LONGEST_LINE = 64 << 10
#: Prices pack to a tenth or so. What unpacks to 200 times its size, and to more than the free part, is something else.
RATIO = 200
FREE = 64 << 20
#: What a directory and an archive may hold. The list of an archive is read again for each member.
MOST_FILES, MOST_MEMBERS = 200_000, 2_000
TEXT = (".csv", ".txt", ".tsv")
KINDS = (*TEXT, ".gz", ".zip", ".bi5")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file, or the member of an archive."""

    path: Path
    member: str = ""
    packed: int = 0  # bytes of a member

    def __str__(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)

    @property
    def name(self) -> str:
        """The name without its directory."""
        return self.member or self.path.name

    @property
    def size(self) -> int:
        """The bytes on the disk; of a member, the packed ones."""
        return self.packed if self.member else self.path.stat().st_size

    def head(self) -> bytes:
        """The first bytes, decoded; a line may be cut."""
        for block, _, _ in self.blocks(LONGEST_LINE):
            return block
        return b""

    def blocks(self, size: int | None = None) -> Iterator[tuple[bytes, int, float]]:
        """Whole lines in UTF-8, the number of the first one, and the part of the file (0 to 1) that is read then.

        BadFile for a line that is too long, a damaged archive, and one that unpacks to far too much.
        """
        rest, line, limit = b"", 1, BLOCK if size is None else size
        with self._errors(), self._opened() as (stream, packed):
            total = max(1, self.path.stat().st_size)
            decode, unpacked = _decoder, 0
            text = None
            while data := stream.read(limit):
                unpacked += len(data)
                if unpacked > FREE and unpacked > RATIO * max(1, packed()):
                    raise BadFile(f"{self}: unpacks to more than {RATIO} times its size: is this a file of quotes?")
                text = text or decode(data)
                rest += text(data)
                end = rest.rfind(b"\n") + 1
                if not end and len(rest) > LONGEST_LINE:
                    raise BadFile(f"{self}, line {line}: longer than {LONGEST_LINE} bytes: is this a file of quotes?")
                if end:
                    block, rest = rest[:end], rest[end:]
                    yield block, line, min(1.0, packed() / total)
                    line += block.count(b"\n")
            if rest:
                yield rest, line, 1.0

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """One sentence for what an archive or an encoding got wrong."""
        try:
            yield
        except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
            raise BadFile(f"{self}: damaged or cut short ({error})") from error
        except UnicodeDecodeError as error:
            raise BadFile(f"{self}: not UTF-16, as its first bytes say ({error.reason})") from error
        except (RuntimeError, NotImplementedError, KeyError) as error:
            raise BadFile(f"{self}: cannot be unpacked ({error})") from error

    @contextmanager
    def _opened(self) -> Iterator[tuple[IO[bytes], Callable[[], int]]]:
        """The unpacked bytes, and how many packed ones are read so far."""
        if self.member:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as stream:
                size, whole = archive.getinfo(self.member).compress_size, max(1, archive.getinfo(self.member).file_size)
                yield stream, lambda: min(size, size * stream.tell() // whole)
            return
        with self.path.open("rb") as raw:
            if raw.read(2) == b"\x1f\x8b":
                raw.seek(0)
                with gzip.GzipFile(fileobj=raw) as packed:
                    yield packed, raw.tell  # type: ignore[misc]
            else:
                raw.seek(0)
                yield raw, raw.tell


def _decoder(start: bytes) -> Callable[[bytes], bytes]:
    """What makes UTF-8 without a mark of the file's bytes, which begin like this."""
    if start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        wide = codecs.getincrementaldecoder("utf-16")()
        return lambda data: wide.decode(data).encode()
    if start.startswith(codecs.BOM_UTF8):
        marks = iter([3])
        return lambda data: data[next(marks, 0) :]
    return lambda data: data


def find_files(paths: Sequence[Path]) -> list[TextFile]:
    """The files of these paths: of a directory all that may hold quotes, of a .zip its members, by name."""
    found = [file for path in paths for file in _inside(path)]
    if not found:
        raise BadFile(f"{', '.join(map(str, paths))}: no file that ends in {', '.join(KINDS)}")
    return found


def _inside(path: Path) -> Iterator[TextFile]:
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if _may_hold(p.relative_to(path)) and p.is_file())
        if len(inside) > MOST_FILES:
            raise BadFile(f"{path}: more than {MOST_FILES} files")
        for file in inside:
            yield from _inside(file)
    elif path.exists() and not path.is_file():
        raise BadFile(f"{path}: neither a file nor a directory")  # a pipe may never end
    elif _is_zip(path):
        yield from _members(path)
    else:
        yield TextFile(path)


def _may_hold(path: PurePath) -> bool:
    return path.suffix.lower() in KINDS and not _hidden(path)


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def _members(path: Path) -> Iterator[TextFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadFile(f"{path}: damaged or cut short ({error})") from error
    if len(infos) > MOST_MEMBERS:
        raise BadFile(f"{path}: more than {MOST_MEMBERS} files")
    sizes = {info.filename: info.compress_size for info in infos if not _hidden(PurePosixPath(info.filename))}
    tables = [name for name in sorted(sizes) if name.lower().endswith(".csv")]
    for name in tables or [name for name in sorted(sizes) if name.lower().endswith(TEXT)]:
        yield TextFile(path, name, sizes[name])


def _hidden(path: PurePath) -> bool:
    """Whether a system put it there: `.DS_Store`, `__MACOSX/._quotes.csv`."""
    return any(part.startswith((".", "__MACOSX")) for part in path.parts)
