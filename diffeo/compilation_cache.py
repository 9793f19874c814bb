"""The cache of compiled functions on disk: where it is, what it holds, and how to clear it.

A function that was compiled once, by any process of this user on this machine, is loaded the next
time, if its program, the version of jaxlib, the kind of device and the compiler's options are the
same.

Two environment variables configure the cache. DIFFEO_CACHE_DIR says where it is; empty or "off"
switches it off. DIFFEO_CACHE_SIZE says how many bytes it may take; 2 GiB if it is not set. What was
not used for longest goes first.
"""

from __future__ import annotations

import html
import os
import time

from .lowering.caches import cache_folder
from .lowering.caches.disk_cache import CacheEntry, DiskCache, DiskCacheInfo, size_text

__all__ = ["CacheEntry", "DiskCacheInfo", "Entries", "clear", "entries", "info", "path", "set_path"]


#: The heads of the table's columns.
_HEAD = ("function", "size", "compiled in", "created", "last used")


class Entries(list[CacheEntry]):
    """A list of `CacheEntry`, which shows itself as a table.

    Examples:
        >>> from diffeo import compilation_cache
        >>> compilation_cache.Entries()
        no compiled programs
    """

    def __repr__(self) -> str:
        if not self:
            return "no compiled programs"
        rows = [_HEAD, *map(_row, self)]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join([t.ljust(w) for t, w in zip(row, widths)]).rstrip() for row in rows]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        lines = []
        for row, tag in ((_HEAD, "th"), *[(_row(entry), "td") for entry in self]):
            cells = [f"<{tag}>{html.escape(text)}</{tag}>" for text in row]
            lines.append(f"<tr>{''.join(cells)}</tr>")
        return f"<table>{''.join(lines)}</table>"


def _row(entry: CacheEntry) -> tuple[str, ...]:
    """Return an entry as the texts of a row of the table."""
    created, used = (
        time.strftime("%Y-%m-%d %H:%M", time.localtime(t)) for t in (entry.created, entry.last_used)
    )
    return entry.name, size_text(entry.size), f"{entry.compile_seconds:.2f} s", created, used


def path() -> str | None:
    """Return the folder of the cache; None if it is off.

    Returns:
        An absolute path. The folder is made when the first executable is stored, in its subfolder
        `programs`.

    Examples:
        >>> from diffeo import compilation_cache
        >>> with compilation_cache.set_path(None):
        ...     print(compilation_cache.path())
        None
    """
    cache = cache_folder.current()
    return None if cache is None else os.path.dirname(cache.folder)


def entries() -> Entries:
    """Return the entries of the cache, the last used first.

    Returns:
        A list of `CacheEntry`: named tuples with the name of the function, the size, the times of
        compilation and of the last use, the seconds that compiling took, and what the
        executable is compiled for. Files that are damaged are left out.

    Examples:
        >>> import diffeo as dx
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with dx.compilation_cache.set_path(folder):
        ...         y = dx.jit(lambda x: dx.numpy.sin(x) / 3.25)(0.0)
        ...         [entry] = dx.compilation_cache.entries()
        >>> entry.name, entry.compile_seconds > 0
        ('_lambda_', True)
    """
    cache = cache_folder.current()
    return Entries([] if cache is None else cache.entries())


def info() -> DiskCacheInfo:
    """Return how large the cache is, and what it did for this process.

    Returns:
        A `DiskCacheInfo`: a named tuple of the folder, the number of executables, their size and
        its bound in bytes, and how many executables this process loaded from there (`hits`), did
        not find, and stored.

    Examples:
        >>> from diffeo import compilation_cache
        >>> compilation_cache.info().max_size
        2147483648
    """
    cache = cache_folder.current()
    if cache is None:
        return DiskCacheInfo(None, 0, 0, 0, 0, 0, 0)
    return cache.info()._replace(path=path())


def clear() -> int:
    """Remove all executables from the cache. Those that are in use, here or elsewhere, stay in use.

    Returns:
        How many there were.

    Examples:
        >>> import diffeo as dx
        >>> import tempfile
        >>> with dx.compilation_cache.set_path(tempfile.gettempdir() + "/diffeo-none"):
        ...     dx.compilation_cache.clear()
        0
    """
    cache = cache_folder.current()
    return 0 if cache is None else cache.clear()


class _Chosen:
    """A context manager whose end restores the folder that was set before."""

    def __init__(self, before: DiskCache | None):
        self._before = before

    def __enter__(self) -> None:
        return None

    def __exit__(self, *raised: object) -> None:
        cache_folder.restore(self._before)


def set_path(folder: str | os.PathLike[str] | None) -> _Chosen:
    """Keep compiled functions in another folder, from now on and in all threads.

    As a context manager, do so within a `with` block.

    Args:
        folder: where; None switches the cache off.

    Returns:
        A context manager whose end restores what was before.

    Raises:
        TypeError: if `folder` is no path.

    Examples:
        >>> from diffeo import compilation_cache
        >>> before = compilation_cache.path()
        >>> with compilation_cache.set_path(None):
        ...     compilation_cache.info()
        <compilation cache: off>
        >>> compilation_cache.path() == before
        True
    """
    return _Chosen(cache_folder.use(folder))
