"""Where this process keeps executables on disk: as the environment says, or the user.

`current` returns the cache in use. `diffeo/compilation_cache.py` changes it by `use` and `restore`.
"""

from __future__ import annotations

import os
import re
import sys
import threading

from .disk_cache import DiskCache, warn_once

#: Bytes that the cache may take unless DIFFEO_CACHE_SIZE says otherwise.
DEFAULT_SIZE = 2 << 30
#: A number of bytes from here on is taken for a mistake.
_LARGEST = float(1 << 63)
#: What the letter behind a number of bytes multiplies it by.
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class _Folder:
    """The cache of this process.

    Attributes:
        known: whether somebody has asked for it yet.
        cache: the cache; None if it is off.
    """

    known = False
    cache: DiskCache | None = None
    lock = threading.Lock()


def current() -> DiskCache | None:
    """Return the cache on disk that this process uses; None if it is off."""
    if not _Folder.known:
        with _Folder.lock:
            if not _Folder.known:
                folder = environment_folder()
                _Folder.cache, _Folder.known = _open(folder) if folder else None, True
    return _Folder.cache


def use(folder: str | os.PathLike[str] | None) -> DiskCache | None:
    """Use another folder from now on, or none. Return the cache that was in use before."""
    before = current()
    restore(None if folder is None else _open(os.path.abspath(os.path.expanduser(folder))))
    return before


def restore(cache: DiskCache | None) -> None:
    """Use a cache that `use` returned."""
    with _Folder.lock:
        _Folder.cache, _Folder.known = cache, True


def _open(folder: str) -> DiskCache:
    """Return the cache in a folder.

    The cache is a subfolder that belongs to this user alone, whatever the permissions of the folder
    itself are.
    """
    return DiskCache(os.path.join(folder, "programs"), environment_size())


def environment_folder() -> str | None:
    """Return the folder that the environment names; None if there is to be none.

    That is DIFFEO_CACHE_DIR, if it is set (empty or "off": none); else `diffeo` in the folder that
    the system has for caches of this user.
    """
    chosen = os.environ.get("DIFFEO_CACHE_DIR")
    if chosen is not None:
        off = chosen.strip().lower() in ("", "off", "none", "0")
        return None if off else os.path.abspath(os.path.expanduser(chosen))
    if sys.platform == "darwin":
        base = "~/Library/Caches"
    elif sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = os.path.join(os.path.expanduser(base), "diffeo")
    if not os.path.isabs(folder):
        warn_once(
            "home",
            "this user has no home folder, so compiled programs are not kept; name a folder in "
            "DIFFEO_CACHE_DIR ('off' for none)",
        )
        return None
    return folder


def environment_size() -> int:
    """Return the bytes that DIFFEO_CACHE_SIZE allows, as in "500M" or "2GiB"."""
    chosen = os.environ.get("DIFFEO_CACHE_SIZE", "").strip()
    if not chosen:
        return DEFAULT_SIZE
    parsed = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", chosen, re.IGNORECASE)
    size = float(parsed[1]) * _UNITS[parsed[2].lower()] if parsed else _LARGEST
    if size >= _LARGEST:
        shown = chosen if len(chosen) <= 40 else f"{chosen[:37]}..."
        warn_once(
            "size", f"DIFFEO_CACHE_SIZE is {shown!r}, but it must be like 500M or 2G; using 2G"
        )
        return DEFAULT_SIZE
    return int(size)
