"""A folder of compiled programs: kept, bounded, and never trusted blindly."""

import errno
import hashlib
import json
import os
import random
import stat
import struct
import time
import tracemalloc
import warnings
import zlib

import pytest

import diffeo as dx
from diffeo.lowering.caches import disk_cache
from diffeo.lowering.caches.disk_cache import MAGIC, PARTIAL, SUFFIX, DiskCache
from tests.checks import warn_again as warn_again

KEY, OTHER = "0" * 64, "1" * 64
CacheWarning = dx.errors.CacheWarning


@pytest.fixture
def cache(tmp_path):
    return DiskCache(str(tmp_path / "programs"), 1 << 20)


def file_of(cache, key=KEY):
    return os.path.join(cache.folder, key + SUFFIX)


def test_what_is_stored_is_found(cache):
    assert cache.get(KEY, "here") is None
    cache.put(KEY, "here", b"payload" * 100, name="f", seconds=1.5)
    found = cache.get(KEY, "here")
    assert found.payload == b"payload" * 100 and found.about["seconds"] == 1.5
    assert cache.info()[1:] == (1, os.path.getsize(file_of(cache)), 1 << 20, 1, 1, 1)
    [entry] = cache.entries()
    assert entry.name == "f" and entry.key == KEY and "1.50 s" in repr(entry)
    assert cache.clear() == 1 and cache.get(KEY, "here") is None


def test_nobody_else_may_read_or_write(cache):
    before = os.umask(0)
    try:
        cache.put(KEY, "here", b"payload")
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(cache.folder).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(file_of(cache)).st_mode) == 0o600


def is_a_miss(cache, description="here"):
    """A miss with a warning the first time, after which the program can be stored again."""
    disk_cache._warned.clear()
    with pytest.warns(CacheWarning, match=KEY):
        assert cache.get(KEY, description) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert cache.get(KEY, description) is None
    cache.put(KEY, description, b"payload")
    assert cache.get(KEY, description).payload == b"payload"


def test_truncated_files(cache):
    cache.put(KEY, "here", os.urandom(500))
    with open(file_of(cache), "rb") as file:
        whole = file.read()
    start = len(MAGIC)
    edges = {0, 1, start, start + 32, start + 36, len(whole) - 1, *range(0, len(whole), 37)}
    for edge in edges | {e - 1 for e in edges if e} | {e + 1 for e in edges}:
        if edge < len(whole):
            with open(file_of(cache), "wb") as file:
                file.write(whole[:edge])
            is_a_miss(cache)


def test_flipped_bits(cache):
    cache.put(KEY, "here", random.Random(0).randbytes(500), name="f")
    with open(file_of(cache), "rb") as file:
        whole = file.read()
    for bit in random.Random(1).sample(range(8 * len(whole)), 400):
        wrong = bytearray(whole)
        wrong[bit // 8] ^= 1 << bit % 8
        with open(file_of(cache), "wb") as file:
            file.write(wrong)
        is_a_miss(cache)


def rewritten(cache, **changes):
    """Another header, with a checksum that is right."""
    with open(file_of(cache), "rb") as file:
        content = file.read()
    size = struct.unpack_from(">I", content, len(MAGIC) + 32)[0]
    start = len(MAGIC) + 36
    about = json.loads(content[start : start + size]) | changes
    body = json.dumps(about).encode()
    body = struct.pack(">I", len(body)) + body + content[start + size :]
    with open(file_of(cache), "wb") as file:
        file.write(MAGIC + hashlib.sha256(body).digest() + body)


def test_an_entry_of_something_else(cache):
    cache.put(KEY, "here", b"payload")
    rewritten(cache, description="jaxlib: 0.0.1")
    is_a_miss(cache)
    with open(file_of(cache), "wb") as file:
        file.write(b"diffeo program 9\n" + bytes(100))
    is_a_miss(cache)


def with_header(cache, header, payload=None):
    """An entry with these bytes for a header and for what is compressed; its checksum is right."""
    packed = zlib.compress(b"payload") if payload is None else payload
    body = struct.pack(">I", len(header)) + header + packed
    with open(file_of(cache), "wb") as file:
        file.write(MAGIC + hashlib.sha256(body).digest() + body)


ODD = [None, [], {}, "text", True, -1, -0.5, 1e300, float("nan"), float("inf"), 10**400, [[]],
       [1], [["a", 1.0, 1.0, 1]], [["a", -1.0, 1.0, True]],
       [["a", 1.0, float("nan"), True]]]  # fmt: skip


@pytest.mark.parametrize(
    "field", ["key", "description", "name", "seconds", "created", "tuning", "bytes"]
)
def test_odd_fields_of_a_header(cache, field):
    kind = {"name": str, "key": str, "description": str, "tuning": list}.get(field, (int, float))
    for value in ODD:
        if field in ("name", "tuning") and value in ("text", []):
            continue  # as it may be
        cache.put(KEY, "here", b"payload")
        rewritten(cache, **{field: value})
        for entry in cache.entries():
            assert isinstance(getattr(entry, field, value), kind) and repr(entry)
            repr(dx.compilation_cache.Entries([entry]))
        is_a_miss(cache)


@pytest.mark.parametrize(
    "header",
    [b"", b"[]", b"3", b"null", b'"text"', b"{}", b"\xff", b"[" * 200_000, b'{"a":' * 100_000,
     b'{"seconds": ' + b"9" * 9999 + b"}"],
)  # fmt: skip
def test_odd_headers(cache, header):
    cache.put(OTHER, "here", b"payload")
    with_header(cache, header)
    assert [entry.key for entry in cache.entries()] == [OTHER]
    is_a_miss(cache)


def test_exchanged_names(cache):
    cache.put(KEY, "here", b"one")
    cache.put(OTHER, "here", b"two")
    between = file_of(cache, "2" * 64)
    os.rename(file_of(cache), between)
    os.rename(file_of(cache, OTHER), file_of(cache))
    os.rename(between, file_of(cache, OTHER))
    is_a_miss(cache)
    disk_cache._warned.clear()
    with pytest.warns(CacheWarning, match="another program"):
        assert cache.get(OTHER, "here") is None


@pytest.mark.parametrize("said", [7, 1 << 20, 1 << 30, 1 << 62])
def test_what_inflates_without_end(cache, said):
    cache.put(KEY, "here", bytes(1 << 24))  # of all, what takes the least room
    assert len(cache.get(KEY, "here").payload) == 1 << 24
    about = json.loads(header_of(cache)) | {"bytes": said}
    with_header(cache, json.dumps(about).encode(), zlib.compress(bytes(1 << 26), 9))
    tracemalloc.start()
    try:
        is_a_miss(cache)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def header_of(cache):
    with open(file_of(cache), "rb") as file:
        content = file.read()
    start = len(MAGIC) + 36
    return content[start : start + struct.unpack_from(">I", content, start - 4)[0]]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("kind", ["pipe", "link to a device", "link to a pipe"])
def test_what_would_be_waited_for(cache, kind):
    cache.put(OTHER, "here", b"payload")
    if kind == "link to a device":
        os.symlink("/dev/zero", file_of(cache))
    else:
        target = file_of(cache) + ("" if kind == "pipe" else ".pipe")
        os.mkfifo(target, 0o600)
        if kind != "pipe":
            os.symlink(target, file_of(cache))
    assert [entry.key for entry in cache.entries()] == [OTHER]
    is_a_miss(cache)


def test_a_file_larger_than_the_cache(cache):
    cache.put(KEY, "here", b"payload")
    os.truncate(file_of(cache), 1 << 40)  # it has holes
    is_a_miss(cache)


def test_an_empty_file(cache):
    cache.put(KEY, "here", b"payload")
    with open(file_of(cache), "wb"):
        pass
    assert cache.entries() == []
    is_a_miss(cache)


def test_a_file_that_others_may_write(cache):
    cache.put(KEY, "here", b"payload")
    os.chmod(file_of(cache), 0o606)
    is_a_miss(cache)


def test_a_file_of_somebody_else(cache, monkeypatch):
    cache.put(KEY, "here", b"payload")
    assert cache.get(KEY, "here")
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.warns(CacheWarning, match="another user"):
        assert cache.get(KEY, "here") is None
    with pytest.warns(CacheWarning, match="chmod 700"):
        assert DiskCache(cache.folder, 1 << 20).get(KEY, "here") is None


def test_a_folder_that_others_may_write(tmp_path):
    folder = tmp_path / "programs"
    folder.mkdir()
    folder.chmod(0o777)
    cache = DiskCache(str(folder), 1 << 20)
    with pytest.warns(CacheWarning, match="chmod 700"):
        cache.put(KEY, "here", b"payload")
    assert cache.get(KEY, "here") is None and not list(folder.iterdir())


def test_a_folder_where_a_file_should_be(cache):
    cache.put(OTHER, "here", b"payload")
    os.mkdir(file_of(cache))
    with pytest.warns(CacheWarning, match="cannot be read"):
        assert cache.get(KEY, "here") is None
    with pytest.warns(CacheWarning, match="is a folder"):
        cache.put(KEY, "here", b"payload")
    cache.put(OTHER, "here", b"changed")
    assert cache.get(OTHER, "here").payload == b"changed"
    assert cache.clear() == 1


def test_a_file_that_cannot_be_read(cache):
    cache.put(OTHER, "here", b"payload")
    os.symlink(file_of(cache), file_of(cache))  # leads to itself, also for a superuser
    with pytest.warns(CacheWarning, match="cannot be read"):
        assert cache.get(KEY, "here") is None
    cache.put(KEY, "here", b"payload")
    assert cache.get(KEY, "here").payload == b"payload"


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "programs").write_text("mine")
    for folder in ("programs", "programs/below"):
        disk_cache._warned.clear()
        cache = DiskCache(str(tmp_path / folder), 1 << 20)
        with pytest.warns(CacheWarning, match="DIFFEO_CACHE_DIR"):
            cache.put(KEY, "here", b"payload")
        assert cache.get(KEY, "here") is None
    assert (tmp_path / "programs").read_text() == "mine"


@pytest.mark.parametrize("call", ["open", "write", "replace", "makedirs"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_disk_that_is_full_or_not_writable(cache, monkeypatch, call, number):
    if call != "makedirs":
        cache.put(OTHER, "here", b"payload")

    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fail)
        with pytest.warns(CacheWarning, match=os.strerror(number)):
            cache.put(KEY, "here", b"payload")
    cache.put(KEY, "here", b"payload")  # writing is off
    assert cache.get(KEY, "here") is None
    if call != "makedirs":
        assert cache.get(OTHER, "here").payload == b"payload"
        assert [f for f in os.listdir(cache.folder) if f.endswith(PARTIAL)] == []


def test_the_folder_is_removed_meanwhile(cache):
    cache.put(KEY, "here", b"payload")
    os.unlink(file_of(cache))
    os.rmdir(cache.folder)
    assert cache.get(KEY, "here") is None and cache.entries() == [] and cache.clear() == 0
    cache.put(KEY, "here", b"payload")
    assert cache.get(KEY, "here").payload == b"payload"


def test_the_least_recently_used_go_first(tmp_path):
    cache = DiskCache(str(tmp_path / "programs"), 20_000)
    rng = random.Random(0)
    keys = [f"{i:064}" for i in range(12)]
    for age, key in enumerate(keys[:8]):
        cache.put(key, "here", rng.randbytes(2000))
        os.utime(file_of(cache, key), (0, 1e9 - 1e4 * age))  # the first is the youngest
    assert cache.get(keys[7], "here")  # the oldest is used
    for key in keys[8:]:
        cache.put(key, "here", rng.randbytes(2000))
    again = DiskCache(cache.folder, 20_000)
    again.put(KEY, "here", b"x")
    assert again.info().size <= 18_000
    left = [key for key in keys if cache.get(key, "here")]
    assert keys[7] in left and keys[0] in left and keys[6] not in left and keys[5] not in left
    again.put(OTHER, "here", rng.randbytes(30_000))  # larger than all: not stored
    assert again.get(OTHER, "here") is None


def test_a_process_that_writes_much_stays_near_the_bound(tmp_path):
    cache = DiskCache(str(tmp_path / "programs"), 50_000)
    rng = random.Random(0)
    for i in range(100):
        cache.put(f"{i:064}", "here", rng.randbytes(2000))
        assert cache.info().size < 55_000
    assert cache.info().size > 40_000


def test_orphans_are_swept(cache):
    cache.put(KEY, "here", b"payload")
    old, new = (os.path.join(cache.folder, name + PARTIAL) for name in ("old", "new"))
    for path in (old, new):
        with open(path, "wb"):
            pass
    os.utime(old, (0, time.time() - 7200))
    DiskCache(cache.folder, 1 << 20).put(OTHER, "here", b"payload")
    assert not os.path.exists(old) and os.path.exists(new)


def test_use_is_noted_once_an_hour(cache):
    cache.put(KEY, "here", b"payload")
    recent = time.time() - 600
    os.utime(file_of(cache), (recent, recent))
    cache.get(KEY, "here")
    assert os.stat(file_of(cache)).st_mtime == pytest.approx(recent, abs=1)
    os.utime(file_of(cache), (0, 0))
    cache.get(KEY, "here")
    assert os.stat(file_of(cache)).st_mtime > recent
