"""Executables on disk: what one process compiled, the next one loads.

`DiskCache` is a folder with one file per *entry*, named by a key: a hash that `compiler.py` makes.
A file is a magic number (`MAGIC`), the SHA-256 of everything behind it, the length of the header,
the header in JSON (`_FIELDS`), and the executable, compressed by zlib.

jaxlib itself checks nothing of an executable (a flipped bit crashes, or computes something else),
and an executable is code. So only files are handed to jaxlib that are whole, that say themselves
which program they are, that belong to this user, and that nobody else can write. Any other file is
a miss, with a warning, once for each cause.

Files appear in one piece: they are written under another name and renamed. So any number of
processes may share a folder.

Read `DiskCache.get` and `DiskCache.put` first; `_encode` and `_decode` are the file format.
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
#: What the names of finished and of unfinished files end with.
SUFFIX, PARTIAL = ".program", ".partial"
#: What stands before the header: magic, digest, length of the header.
_HEAD = struct.Struct(f">{len(MAGIC)}s32sI")
#: A header is a few hundred bytes. A longer one is damaged.
_MAX_HEADER = 1 << 20
#: How many times as large as its file an executable may be. zlib's level 1, which `_encode` uses,
#: does not reach this ratio even for zeros. Other levels reach a thousand, which fills the memory.
_MAX_RATIO = 256
#: Seconds after which use is noted again, and after which an unfinished file is an orphan.
_HOUR = 3600.0


class StoredProgram(NamedTuple):
    """An entry as it was read from disk: the executable's bytes, and the header."""

    payload: bytes
    about: dict[str, Any]


class CacheEntry(NamedTuple):
    """An entry of the cache on disk, for people.

    Attributes:
        name: the name of the function that was compiled.
        key: the name of the file, without its ending.
        size: the size of the file in bytes.
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
        path: its folder; None if the cache is off.
        entries: how many entries it holds.
        size, max_size: the bytes that it takes, and that it may take.
        hits, misses, stored: how often this process found an entry, found none, and added one.
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
    """A reason not to use a file; the text completes "the file is ignored, since ..."."""


class DiskCache:
    """Executables in a folder, by key. Thread-safe, and safe with many processes.

    Args:
        folder: the folder. It is made when something is first stored, for this user alone.
        max_size: the bytes that the files may take. Above that, those used longest ago are removed.

    Attributes:
        hits, misses, stored: what this process found, did not find, and added.
        writing: whether this process stores anything; False once the folder refused a file.
    """

    def __init__(self, folder: str, max_size: int):
        self.folder, self.max_size = folder, max_size
        self.hits = self.misses = self.stored = 0
        self.writing = True
        #: Whether only this user can write the folder; None while that is not known.
        self._trusted: bool | None = None
        self._lock = threading.Lock()
        #: Bytes that this process may store before it looks through the folder again.
        self._room = 0

    # -- Reading --

    def get(self, key: str, description: str) -> StoredProgram | None:
        """Return the entry under a key that was stored for this description, or None."""
        program = self._get(key, description) if self._usable() else None
        with self._lock:
            if program is None:
                self.misses += 1
            else:
                self.hits += 1
        return program

    def _get(self, key: str, description: str) -> StoredProgram | None:
        """Read, check and decode the file of a key. Return None if it does not serve."""
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
        # The time of a file's last change says when the entry was last used: `_sweep` goes by it.
        if time.time() - status.st_mtime > _HOUR:
            with contextlib.suppress(OSError):
                os.utime(path)
        return StoredProgram(payload, about)

    def discard(self, key: str, reason: str) -> None:
        """Warn that an entry is of no use, and remove it."""
        path = self._file(key)
        warn_once("damaged", f"{path} is ignored and removed, since {reason}; compiling instead")
        with contextlib.suppress(OSError):
            os.unlink(path)

    # -- Writing --

    def put(self, key: str, description: str, payload: bytes, **about: Any) -> None:
        """Store an executable; `about` are more fields of the header. What fails is a warning."""
        header = {"name": "", "seconds": 0.0, "tuning": [], **about}
        header.update(key=key, description=description, created=time.time(), bytes=len(payload))
        content = _encode(header, payload)
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
            # The folder is looked through again once a quarter of its free space is used up.
            if self._room < 0:
                self._room = (self.max_size - self._sweep()) // 4

    def _write(self, path: str, content: bytes) -> None:
        """Write a file under another name, and rename it once it is complete."""
        partial = os.path.join(self.folder, os.urandom(16).hex() + PARTIAL)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(partial, flags, 0o600)
        try:
            try:
                remaining = memoryview(content)
                while remaining:
                    remaining = remaining[os.write(descriptor, remaining) :]
            finally:
                os.close(descriptor)
            os.replace(partial, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(partial)
            raise

    def _sweep(self) -> int:
        """Remove orphans and, if the cache is too large, the entries used longest ago. Return the
        bytes that are left.
        """
        now, entries, total = time.time(), [], 0
        for item, status in self._files():
            if item.name.endswith(SUFFIX):
                entries.append((status.st_mtime, status.st_size, item.path))
                total += status.st_size
            elif now - status.st_mtime > _HOUR:
                with contextlib.suppress(OSError):
                    os.unlink(item.path)
        if total > self.max_size:
            for _, size, path in sorted(entries):
                # A little below the bound, or else each new program would lead here.
                if total <= 0.9 * self.max_size:
                    break
                with contextlib.suppress(OSError):
                    os.unlink(path)
                total -= size
        return total

    # -- For people --

    def entries(self) -> list[CacheEntry]:
        """Return all entries, the last used first. Only the headers are read."""
        entries = []
        for item, status in self._files():
            if not item.name.endswith(SUFFIX):
                continue
            try:
                with _opened(item.path) as file:
                    about = _header(file.read(_HEAD.size), file)
            except (OSError, Damaged):
                continue
            entries.append(
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
        return sorted(entries, key=lambda entry: -entry.last_used)

    def info(self) -> DiskCacheInfo:
        """Return where the cache is, what it holds, and what it did for this process."""
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
        """Remove all entries and unfinished files. Return how many entries there were."""
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
        """Yield the cache's files, finished or not, with their status. Files that vanish are left
        out.
        """
        with contextlib.suppress(OSError), os.scandir(self.folder) as items:
            for item in items:
                if item.name.endswith((SUFFIX, PARTIAL)):
                    with contextlib.suppress(OSError):
                        yield item, item.stat()

    def _usable(self) -> bool:
        """Return whether only this user can write the folder. A folder that does not exist yet is
        fine.
        """
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
    """Return whether a file is this user's and nobody else may write it. Where users have no
    numbers (Windows), the position of the folder is all that protects it.
    """
    if not hasattr(os, "getuid"):
        return True
    return status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _encode(about: dict[str, Any], payload: bytes) -> bytes:
    """Return the content of a file: see the top of this module."""
    header = json.dumps(about).encode()
    # Level 1 takes 6 ns a byte, saves two thirds, and costs 2 ns a byte when it is read.
    body = header + zlib.compress(payload, 1)
    length = struct.pack(">I", len(header))
    digest = hashlib.sha256(length + body).digest()
    return MAGIC + digest + length + body


def _opened(path: str) -> FileIO:
    """Open a file for reading; Damaged for a pipe or a device, which might wait for ever."""
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    try:
        kind = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            raise Damaged("it is no file, but a pipe or a device")
        return FileIO(descriptor)  # raises OSError for a folder
    except BaseException:
        os.close(descriptor)
        raise


def _decode(content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the header and the executable in a file's content; Damaged if anything is wrong."""
    if len(content) < _HEAD.size:
        raise Damaged("it is truncated")
    magic, digest, length = _HEAD.unpack_from(content)
    if magic != MAGIC:
        raise Damaged("it is not a file of this version of diffeo")
    # The digest covers the length of the header, the last 4 bytes of the head, too.
    if hashlib.sha256(memoryview(content)[_HEAD.size - 4 :]).digest() != digest:
        raise Damaged("it is damaged")
    end = _HEAD.size + length
    about = _understood(content[_HEAD.size : end])
    size = about["bytes"]
    if size > _MAX_RATIO * len(content):
        raise Damaged("its executable is too large to be one")
    unpacker = zlib.decompressobj()
    try:
        # One byte more than the header promises, so that a longer executable shows.
        payload = unpacker.decompress(memoryview(content)[end:], size + 1)
    except zlib.error as error:
        raise Damaged(f"it cannot be understood ({error})") from None
    if len(payload) != size or not unpacker.eof:
        raise Damaged("its executable is not as large as it says")
    return about, payload


def _header(head: bytes, file: FileIO) -> dict[str, Any]:
    """Return the header of an open file whose first bytes are `head`; Damaged if it is not one."""
    if len(head) < _HEAD.size:
        raise Damaged("it is truncated")
    magic, _, length = _HEAD.unpack(head)
    if magic != MAGIC or length > _MAX_HEADER:
        raise Damaged("it is not a file of this version of diffeo")
    return _understood(file.read(length))


def _understood(header: bytes) -> dict[str, Any]:
    """Return a header as a dictionary; Damaged unless every field is as `put` writes it."""
    try:
        about = json.loads(header)
    except (ValueError, RecursionError) as error:
        raise Damaged(f"it cannot be understood ({error})") from None
    if type(about) is not dict or not all([is_so(about.get(k)) for k, is_so in _FIELDS.items()]):
        raise Damaged("its header is not as it should be")
    return about


def _is_text(x: str) -> bool:
    return type(x) is str


def _is_time(x: Any) -> bool:
    """Return whether a value can be the seconds of a compilation, or since 1970."""
    return type(x) in (int, float) and 0 <= x < 1e11


def _is_tuning(x: Any) -> bool:
    """Return whether a value is a list of rows: a name, two times, and whether it was chosen."""
    return type(x) is list and all(
        [
            type(row) is list
            and [*map(type, row)] in ([str, float, float, bool],)
            and _is_time(row[1])
            and _is_time(row[2])
            for row in x
        ]
    )


#: The fields of a header, each with a check of its value. "seconds" is how long XLA took, "created"
#: when that was, "tuning" what autotuning measured, "bytes" the size of the executable.
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
    """Return a number of bytes as text for people.

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


#: The causes of which this process has warned.
_warned: set[str] = set()


def warn_once(cause: str, message: str) -> None:
    """Warn, once in a process for each cause."""
    if cause not in _warned:
        _warned.add(cause)
        warnings.warn(f"compilation cache: {message}", CacheWarning, stacklevel=2)
