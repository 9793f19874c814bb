"""Compiled programs, found again: by this process, by the next, and by many at once."""

import os
import re
import subprocess
import sys
import textwrap
import weakref

import numpy as np
import pytest

import diffeo as dx
from diffeo.lowering import compat, compiler
from diffeo.lowering.caches import cache_folder, disk_cache, program_keys
from diffeo.lowering.caches.disk_cache import SUFFIX
from diffeo.lowering.devices import buffers
from diffeo.primitives.types import ShapedArray
from tests.checks import warn_again as warn_again

CacheWarning = dx.errors.CacheWarning


def program(name, text="stablehlo.add %x, %x"):
    return (
        f"module @{name} {{ func.func public @main(%x: tensor<64xf64>) -> tensor<64xf64> {{\n"
        f"  %y = {text} : tensor<64xf64>\n  return %y : tensor<64xf64>\n}} }}"
    )


AVAL = ShapedArray((64,), np.float64)


def compiled(text, **how):
    """From a program cache of its own, so that only the disk remembers."""
    return compiler.ProgramCache().compile_program(text, [AVAL], [AVAL], **how)


def run(executable, x):
    [y] = executable.execute([buffers.put(x, AVAL)])
    return buffers.to_numpy(y, AVAL)


@pytest.fixture
def folder(tmp_path):
    with dx.compilation_cache.set_path(tmp_path):
        yield tmp_path


def test_a_program_is_loaded(folder):
    first = compiled(program("f"))
    second = compiled(program("g"))  # another name is no other program
    assert (first.origin, second.origin) == ("compiled", "disk")
    a, b = first.executable, second.executable
    assert a.compile_seconds == b.compile_seconds
    x = np.random.default_rng(0).normal(size=64)
    assert run(a, x).tobytes() == run(b, x).tobytes()
    assert a.cost_analysis() == b.cost_analysis() and b.cost_analysis()["flops"] == 64
    assert a.memory_analysis() == b.memory_analysis() and b.memory_analysis()["output"] == 512
    assert "f64[64]" in b.as_text()


def test_what_makes_another_program(folder, monkeypatch):
    compiled(program("f"))
    kinds = [{"options": {"xla_cpu_enable_fast_math": True}}, {"optimize": False}]
    for kind in kinds:
        assert compiled(program("f"), **kind).origin == "compiled"
        assert compiled(program("f"), **kind).origin == "disk"
    assert compiled(program("f", "stablehlo.multiply %x, %x")).origin == "compiled"
    monkeypatch.setattr(compat, "version", "0.0.1")
    assert compiled(program("f")).origin == "compiled"
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert compiled(program("f")).origin == "compiled"


def test_a_loaded_program_consumes_donated_arguments(folder):
    text = program("f").replace("tensor<64xf64>)", "tensor<64xf64> {tf.aliasing_output = 0 : i32})")
    assert compiled(text).origin == "compiled"
    loaded = compiled(text)
    assert loaded.origin == "disk" and loaded.executable.memory_analysis()["alias"] == 512
    x = buffers.put(np.ones(64), AVAL)
    [y] = loaded.executable.execute([x])
    assert buffers.to_numpy(y, AVAL).tolist() == [2.0] * 64 and x.is_deleted()


def test_an_entry_that_jaxlib_refuses(folder):
    compiled(program("f"))
    cache = cache_folder.current()
    [entry] = cache.entries()
    cache.put(entry.key, entry.description, b"no executable", seconds=1.0, tuning=[])
    with pytest.warns(CacheWarning, match="does not load"):
        assert compiled(program("f")).origin == "compiled"
    assert compiled(program("f")).origin == "disk"


def test_programs_that_call_python_are_not_stored(folder):
    f = dx.jit(lambda x: dx.pure_callback(np.cbrt, x, x) + 1)
    assert f(np.array([8.0])).tolist() == [3.0]
    assert dx.compilation_cache.entries() == []


def test_who_asks_for_a_dump_gets_one(folder, tmp_path):
    for where in ("a", "b"):
        options = {"xla_dump_to": str(tmp_path / where), "xla_dump_hlo_as_text": True}
        assert compiled(program("f"), options=options).origin == "compiled"
        assert os.listdir(tmp_path / where)


def test_names_are_no_part_of_a_program():
    def text(module, inner, call="@no_1"):
        return (
            f"module @{module} {{\nfunc.func private @{inner}(%0: f) {{ }}\n"
            f"func.func public @main() {{ callee = @{inner} custom_call {call} }} }}"
        )

    digest = program_keys.program_digest
    first = digest(text("loss", "body_0"))
    assert first == digest(text("f", "g_0")) == digest(text("f", "main_0"))
    assert first != digest(text("loss", "body_0", "@no_2"))


def test_the_processor(monkeypatch):
    here = program_keys._processor.__wrapped__()
    assert re.fullmatch(r"\w+ [0-9a-f]{32}, \d+ cores", here)
    monkeypatch.setattr("builtins.open", lambda *_: (_ for _ in ()).throw(FileNotFoundError()))
    elsewhere = program_keys._processor.__wrapped__()
    assert os.uname().nodename in elsewhere and elsewhere != here


def test_numbers_of_all_kinds_make_two_programs():
    """One of an integer, one of a float; weak or strong, their texts are the same."""
    constant = np.random.default_rng().normal()  # a program that nobody has compiled
    before = compiler.cache_info().misses

    def f(x):
        return dx.numpy.sin(x) * constant

    for _ in range(2):  # the second time as a function that is new
        again = dx.jit(lambda x: f(x))
        for x in (1, 1.0, np.float64(1), np.array(1.0), dx.numpy.array(1.0), np.int64(1)):
            again(x)
    assert compiler.cache_info().misses == before + 2


def test_the_public_face(folder):
    assert dx.compilation_cache.path() == dx.compilation_cache.info().path == str(folder)
    constant = np.random.default_rng().normal()

    def loss(x):
        return dx.numpy.tanh(x) * constant

    dx.jit(loss)(np.ones(3))
    [entry] = dx.compilation_cache.entries()
    assert entry.name == "loss" and entry.size > 1000
    assert f"jaxlib: {compat.version}" in entry.description
    assert "loss" in repr(dx.compilation_cache.entries()).splitlines()[1]
    assert "<td>loss</td>" in dx.compilation_cache.entries()._repr_html_()
    assert "1 programs" in repr(dx.compilation_cache.info())
    assert dx.compilation_cache.clear() == 1 and dx.compilation_cache.info().entries == 0
    with dx.compilation_cache.set_path(None):
        assert dx.compilation_cache.path() is None and dx.compilation_cache.entries() == []
        assert dx.compilation_cache.clear() == 0 and "off" in repr(dx.compilation_cache.info())
        assert compiled(program("f")).origin == compiled(program("f")).origin == "compiled"
    with pytest.raises(TypeError):
        dx.compilation_cache.set_path(3.5)
    assert dx.compilation_cache.path() == str(folder)


def test_the_environment(monkeypatch, tmp_path):
    for off in ("", "off", " OFF "):
        monkeypatch.setenv("DIFFEO_CACHE_DIR", off)
        assert cache_folder.environment_folder() is None
    monkeypatch.setenv("DIFFEO_CACHE_DIR", str(tmp_path))
    assert cache_folder.environment_folder() == str(tmp_path)
    monkeypatch.delenv("DIFFEO_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder.environment_folder() == str(tmp_path / "diffeo")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_folder.environment_folder().endswith("Library/Caches/diffeo")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.warns(CacheWarning, match="no home"):
        assert cache_folder.environment_folder() is None


def test_the_bound_from_the_environment(monkeypatch):
    sizes = {"1000": 1000, "500M": 500 << 20, "2 GiB": 2 << 30, "1.5kb": 1536, "": 2 << 30}
    for text, size in sizes.items():
        monkeypatch.setenv("DIFFEO_CACHE_SIZE", text)
        assert cache_folder.environment_size() == size
    for text in ("plenty", "-1", "nan", "1e9", "9" * 400, "9" * 5000 + "G", f"{1 << 63}", "1" * 19):
        monkeypatch.setenv("DIFFEO_CACHE_SIZE", text)
        disk_cache._warned.clear()
        if text == "1" * 19:  # an exbibyte, for once
            assert cache_folder.environment_size() == pytest.approx(int(text))
            continue
        with pytest.warns(CacheWarning, match=text[:30]) as caught:
            assert cache_folder.environment_size() == 2 << 30
        assert len(str(caught[0].message)) < 200


# --------------------------------------------------------------------------------------------------
# Memory


def test_the_memory_of_programs_is_bounded(monkeypatch):
    dx.clear_caches()
    monkeypatch.setattr(compiler._programs, "_max_bytes", 40_000)
    functions = [dx.jit(lambda x, i=i: x * 2 + i) for i in range(30)]
    for _ in range(2):
        for i, f in enumerate(functions):
            for _ in range(3):
                assert f(1.0) == 2 + i
            programs = compiler._programs._programs.values()
            assert compiler._programs._bytes == sum([p.size for p in programs]) <= 40_000
            held = [t for g in functions for t in g.cache.values()]
            assert len(held) == len(programs) < 30
    dx.clear_caches()


def test_all_caches_can_be_cleared():
    f, g = dx.jit(lambda x: x * 3), dx.jit(lambda x: dx.numpy.sin(x))
    lists = [f(1.0), g(1.0), g(dx.numpy.ones(3))]
    assert compiler.cache_info().size and f.explain().signatures
    alive = weakref.ref(next(iter(f.cache.values())))
    dx.clear_caches()
    assert compiler.cache_info().size == 0 and not f.explain().signatures
    assert alive() is None
    assert [f(1.0), g(1.0)] == lists[:2]


# --------------------------------------------------------------------------------------------------
# Processes


def process(code, folder, *args):
    """Start Python; warnings are errors."""
    env = {**os.environ, "DIFFEO_CACHE_DIR": str(folder)}
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", textwrap.dedent(code), *args]
    return subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(started):
    out, err = started.communicate(timeout=300)
    assert started.returncode == 0 and not err, err
    return out


def test_the_next_process_loads(tmp_path):
    code = """
        import numpy as np
        import diffeo as dx
        def f(a):
            w, v = np.linalg.eigh(a @ a.T)
            return np.sum(np.sin(v) * w)
        a = np.arange(9.0).reshape(3, 3)
        print(float(dx.jit(f)(a)).hex(), dx.jit(dx.grad(f))(a)[0].tolist())
        info = dx.compilation_cache.info()
        print(info.hits, info.misses, info.stored)
    """
    first, second = (finished(process(code, tmp_path)).splitlines() for _ in range(2))
    assert first[0] == second[0]
    assert first[1] == "0 2 2" and second[1] == "2 0 0"


def test_many_processes_share_a_folder(tmp_path):
    code = """
        import sys
        import numpy as np
        import diffeo as dx
        x = np.arange(4.0)
        for i in range(4):
            c = i if i % 2 else i + 10 * int(sys.argv[1])
            y = dx.jit(lambda x: dx.numpy.sin(x) * (c + 0.5))(x)
            assert np.allclose(y, np.sin(x) * (c + 0.5), rtol=1e-14), (c, y)
        print(dx.compilation_cache.info().stored)
    """
    started = [process(code, tmp_path, str(n)) for n in range(5)]
    assert sum([int(finished(p)) for p in started]) >= 10
    files = os.listdir(tmp_path / "programs")
    assert len(files) == 5 * 2 + 2 and all([name.endswith(SUFFIX) for name in files])
    for name in files:
        about, payload = disk_cache._decode((tmp_path / "programs" / name).read_bytes())
        assert about["name"] == "_lambda_" and len(payload) > 1000
