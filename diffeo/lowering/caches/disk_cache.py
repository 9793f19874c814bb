"""Compiled programs on disk: what one process compiled, the next one loads.

A folder holds a file per program: a magic number, the SHA-256 of all that follows, a header in
JSON, and the compressed executable. jaxlib itself checks nothing of an executable (a flipped bit
crashes, or computes something else), and an executable is code: only files that are whole, that
say themselves which program they are, that belong to this user and that nobody else can write are
handed to it. Anything else is a miss, with a warning, once for each cause.

Files appear in one piece (they are written under another name and renamed), so that any number of
processes may share a folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import struct
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from io import FileIO
from typing import Any, NamedTuple

from ...primitives.support.errors import CacheWarning

MAGIC = b"diffeo program 2\n"
SUFFIX, PARTIAL = ".program", ".partial"
_HEAD = struct.Struct(f">{len(MAGIC)}s32sI")
#: A header is a few hundred bytes; more is damage.
_MAX_HEADER = 1 << 20
#: How many times as large as on disk an executable may be: more than zlib's level 1 makes of zeros,
#: and less than the thousand times of its other levels, which fill the memory.
_MAX_RATIO = 256
#: Seconds after which use is noted again, and after which an unfinished file is an orphan.
_HOUR = 3600.0


class StoredProgram(NamedTuple):
    """An executable as it is on disk: its bytes, and what was noted with them."""

    payload: bytes
    about: dict[str, Any]


class CacheEntry(NamedTuple):
    """A program in the cache on disk, for people.

    Attributes:
        name: of the function that it was made from.
        key: the name of its file.
        size: in bytes, on disk.
        created: when it was compiled, in seconds since 1970.
        last_used: when it was last loaded (to the hour), or stored.
        compile_seconds: how long XLA took.
        description: what it is compiled for, a line for each thing that matters.
    """

    name: str
    key: str
    size: int
    created: float
    last_used: float
    compile_seconds: float
    description: str

    def __repr__(self) -> str:
        return (
            f"<{self.name or 'program'}: {size_text(self.size)}, compiled in "
            f"{self.compile_seconds:.2f} s, last used {_date(self.last_used)}>"
        )


class DiskCacheInfo(NamedTuple):
    """The state of the cache on disk.

    Attributes:
        path: its folder; None if it is off.
        entries, size, max_size: how many programs it holds, and how many bytes of how many.
        hits, misses, stored: what this process has found there, not found, and added.
    """

    path: str | None
    entries: int
    size: int
    max_size: int
    hits: int
    misses: int
    stored: int

    def __repr__(self) -> str:
        if self.path is None:
            return "<compilation cache: off>"
        return (
            f"<compilation cache: {self.entries} programs, {size_text(self.size)} of "
            f"{size_text(self.max_size)}, in {self.path}; this process: {self.hits} hits, "
            f"{self.misses} misses, {self.stored} stored>"
        )


class Damaged(Exception):
    """The reason why a file is not the entry that it should be."""


class DiskCache:
    """Executables in a folder, by key. Thread-safe, and safe with many processes.

    Args:
        folder: where; it is made when something is first stored, for this user alone.
        max_size: bytes; above it, what was not used for longest goes.
    """

    def __init__(self, folder: str, max_size: int):
        self.folder, self.max_size = folder, max_size
        self.hits = self.misses = self.stored = 0
        self.writing = True
        self._trusted: bool | None = None
        self._lock = threading.Lock()
        #: Bytes that may be stored before the folder is looked through again.
        self._room = 0

    # -- Reading --

    def get(self, key: str, description: str) -> StoredProgram | None:
        """What is stored under a key for this description, or None."""
        found = self._get(key, description) if self._usable() else None
        with self._lock:
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
        return found

    def _get(self, key: str, description: str) -> StoredProgram | None:
        path = self._file(key)
        try:
            with _opened(path) as file:
                status = os.fstat(file.fileno())
                if not _is_private(status):
                    raise Damaged("it belongs to another user, or another user may write it")
                if status.st_size > self.max_size:
                    raise Damaged("it is larger than the whole cache may be")
                about, payload = _decode(file.readall())
            if about["key"] != key or about["description"] != description:
                raise Damaged("it is of another program, or for another machine")
        except FileNotFoundError:
            return None
        except OSError as error:
            warn_once("unreadable", f"{path} cannot be read: {error.strerror}; compiling instead")
            return None
        except Damaged as reason:
            self.discard(key, str(reason))
            return None
        if time.time() - status.st_mtime > _HOUR:
            with contextlib.suppress(OSError):
                os.utime(path)
        return StoredProgram(payload, about)

    def discard(self, key: str, reason: str) -> None:
        """Warn of an entry that is of no use, and remove it."""
        path = self._file(key)
        warn_once("damaged", f"{path} is ignored and removed, since {reason}; compiling instead")
        with contextlib.suppress(OSError):
            os.unlink(path)

    # -- Writing --

    def put(self, key: str, description: str, payload: bytes, **about: Any) -> None:
        """Store an executable; `about` is noted in the header. What fails is a warning."""
        noted = {"name": "", "seconds": 0.0, "tuning": [], **about}
        noted.update(key=key, description=description, created=time.time(), bytes=len(payload))
        content = _encode(noted, payload)
        if not self.writing or len(content) > self.max_size or not self._usable():
            return
        path = self._file(key)
        try:
            try:
                self._write(path, content)
            except FileNotFoundError:  # the first entry, or the folder was removed
                os.makedirs(self.folder, mode=0o700, exist_ok=True)
                self._trusted = None
                if not self._usable():
                    return
                self._write(path, content)
        except IsADirectoryError:
            warn_once("no file", f"{path} is a folder; remove it: its program cannot be stored")
            return
        except OSError as error:
            self.writing = False
            warn_once(
                "unwritable",
                f"{self.folder} takes no programs: {error.strerror}; this process stores no more. "
                "Make room or change the permissions there, or name another folder in "
                "DIFFEO_CACHE_DIR ('off' for none)",
            )
            return
        with self._lock:
            self.stored += 1
            self._room -= len(content)
            if self._room < 0:
                self._room = (self.max_size - self._sweep()) // 4

    def _write(self, path: str, content: bytes) -> None:
        partial = os.path.join(self.folder, os.urandom(16).hex() + PARTIAL)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        number = os.open(partial, flags, 0o600)
        try:
            try:
                rest = memoryview(content)
                while rest:
                    rest = rest[os.write(number, rest) :]
            finally:
                os.close(number)
            os.replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise

    def _sweep(self) -> int:
        """Remove orphans and, above the bound, the oldest; the bytes that are left."""
        now, found, total = time.time(), [], 0
        for item, status in self._files():
            if item.name.endswith(SUFFIX):
                found.append((status.st_mtime, status.st_size, item.path))
                total += status.st_size
            elif now - status.st_mtime > _HOUR:
                with contextlib.suppress(OSError):
                    os.unlink(item.path)
        if total > self.max_size:
            for _, size, path in sorted(found):
                # A little below the bound, or else each new program would lead here.
                if total <= 0.9 * self.max_size:
                    break
                with contextlib.suppress(OSError):
                    os.unlink(path)
                total -= size
        return total

    # -- For people --

    def entries(self) -> list[CacheEntry]:
        """All entries, the last used first. Their executables are not looked at."""
        found = []
        for item, status in self._files():
            if not item.name.endswith(SUFFIX):
                continue
            try:
                with _opened(item.path) as file:
                    about = _header(file.read(_HEAD.size), file)
            except (OSError, Damaged):
                continue
            found.append(
                CacheEntry(
                    name=about["name"],
                    key=item.name.removesuffix(SUFFIX),
                    size=status.st_size,
                    created=about["created"],
                    last_used=status.st_mtime,
                    compile_seconds=about["seconds"],
                    description=about["description"],
                )
            )
        return sorted(found, key=lambda entry: -entry.last_used)

    def info(self) -> DiskCacheInfo:
        """Where it is, what it holds, and what it did for this process."""
        sizes = [s.st_size for item, s in self._files() if item.name.endswith(SUFFIX)]
        return DiskCacheInfo(
            self.folder,
            len(sizes),
            sum(sizes),
            self.max_size,
            self.hits,
            self.misses,
            self.stored,
        )

    def clear(self) -> int:
        """Remove all entries, and files that were not finished; how many entries it were."""
        count = 0
        for item, _ in self._files():
            with contextlib.suppress(OSError):
                os.unlink(item.path)
                count += item.name.endswith(SUFFIX)
        return count

    # -- Common --

    def _file(self, key: str) -> str:
        return os.path.join(self.folder, key + SUFFIX)

    def _files(self) -> Iterator[tuple[os.DirEntry, os.stat_result]]:
        """The cache's files, finished or not, with their status; those that vanish are left out."""
        with contextlib.suppress(OSError), os.scandir(self.folder) as items:
            for item in items:
                if item.name.endswith((SUFFIX, PARTIAL)):
                    with contextlib.suppress(OSError):
                        yield item, item.stat()

    def _usable(self) -> bool:
        """Whether the folder is one that only this user can write (or does not exist yet)."""
        if self._trusted is None:
            try:
                status = os.stat(self.folder)
            except FileNotFoundError:
                return True
            except OSError as error:
                problem = f"{self.folder} cannot be used: {error.strerror}"
                warn_once("folder", f"{problem}; {_NAME_ANOTHER}")
                self._trusted = False
                return False
            self._trusted = stat.S_ISDIR(status.st_mode) and _is_private(status)
            if not self._trusted:
                warn_once(
                    "folder",
                    f"{self.folder} is not used: it is no folder of this user that only this user "
                    f"can write, and its programs would be run; chmod 700 it, or {_NAME_ANOTHER}",
                )
        return self._trusted


_NAME_ANOTHER = "name another folder in DIFFEO_CACHE_DIR ('off' for none)"


def _is_private(status: os.stat_result) -> bool:
    """Whether a file is this user's, and nobody else may write it. Where users have no numbers
    (Windows), the folder's place is what protects it.
    """
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _encode(about: dict[str, Any], payload: bytes) -> bytes:
    header = json.dumps(about).encode()
    # Level 1 takes 6 ns a byte, saves two thirds, and costs 2 ns a byte when it is read.
    body = header + zlib.compress(payload, 1)
    length = struct.pack(">I", len(header))
    digest = hashlib.sha256(length + body).digest()
    return MAGIC + digest + length + body


def _opened(path: str) -> FileIO:
    """A file, open for reading; Damaged if it is a pipe or a device, which might wait for ever."""
    number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = os.fstat(number).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise Damaged("it is no file, but a pipe or a device")
        return FileIO(number)  # OSError for a folder
    except BaseException:
        os.close(number)
        raise


def _decode(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The header and the executable of a file, or Damaged."""
    if len(content) < _HEAD.size:
        raise Damaged("it is truncated")
    magic, digest, length = _HEAD.unpack_from(content)
    if magic != MAGIC:
        raise Damaged("it is not a file of this version of diffeo")
    if hashlib.sha256(memoryview(content)[_HEAD.size - 4 :]).digest() != digest:
        raise Damaged("it is damaged")
    end = _HEAD.size + length
    about = _understood(content[_HEAD.size : end])
    size = about["bytes"]
    if size > _MAX_RATIO * len(content):
        raise Damaged("its executable is too large to be one")
    unpacker = zlib.decompressobj()
    try:
        payload = unpacker.decompress(memoryview(content)[end:], size + 1)
    except zlib.error as error:
        raise Damaged(f"it cannot be understood ({error})") from None
    if len(payload) != size or not unpacker.eof:
        raise Damaged("its executable is not as large as it says")
    return about, payload


def _header(head: bytes, file: Any) -> dict[str, Any]:
    """The header of an open file whose first bytes are `head`, or Damaged."""
    if len(head) < _HEAD.size:
        raise Damaged("it is truncated")
    magic, _, length = _HEAD.unpack(head)
    if magic != MAGIC or length > _MAX_HEADER:
        raise Damaged("it is not a file of this version of diffeo")
    return _understood(file.read(length))


def _understood(header: bytes) -> dict[str, Any]:
    """A header in which everything is as `put` writes it, or Damaged."""
    try:
        about = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"it cannot be understood ({error})") from None
    if type(about) is not dict or not all([is_so(about.get(k)) for k, is_so in _FIELDS.items()]):
        raise Damaged("its header is not as it should be")
    return about


def _is_text(x: Any) -> bool:
    return type(x) is str


def _is_time(x: Any) -> bool:
    """Seconds of a compilation, or since 1970."""
    return type(x) in (int, float) and 0 <= x < 1e11


def _is_tuning(x: Any) -> bool:
    """Rows of measurements: a name, two times, and whether it was chosen."""
    return type(x) is list and all(
        [
            type(row) is list
            and [*map(type, row)] in ([str, float, float, bool],)
            and _is_time(row[1])
            and _is_time(row[2])
            for row in x
        ]
    )


#: What a header has.
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "key": _is_text,
    "description": _is_text,
    "name": _is_text,
    "seconds": _is_time,
    "created": _is_time,
    "tuning": _is_tuning,
    "bytes": lambda x: type(x) is int and x >= 0,
}


def size_text(size: float) -> str:
    """A number of bytes for people.

    Examples:
        >>> size_text(80_000_000), size_text(512)
        ('76.3 MiB', '512 bytes')
    """
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


_warned: set[str] = set()


def warn_once(cause: str, message: str) -> None:
    """A warning, once in a process for each cause."""
    if cause not in _warned:
        _warned.add(cause)
        warnings.warn(f"compilation cache: {message}", CacheWarning, stacklevel=2)
