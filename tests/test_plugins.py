"""Accelerators' plugins: which are there, how they are loaded, and what is said if that fails.

DIFFEO_TEST_PLUGIN may name the file of a PJRT plugin whose devices are here, which is then used.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import diffeo as dx
from diffeo.lowering import compat
from diffeo.lowering.devices import buffers, cuda, plugins
from diffeo.lowering.devices.devices import Device
from diffeo.lowering.executables import compile_module
from diffeo.lowering.text.module import lower_module
from diffeo.primitives.types import ShapedArray

MINE = os.environ.get("DIFFEO_TEST_PLUGIN")
needs_cuda_plugin = pytest.mark.skipif(
    cuda.library() is None, reason="the CUDA plugin is not installed"
)


@pytest.fixture(autouse=True)
def forget():
    """What a test has registered does not stay."""
    before = dict(plugins._plugins)
    yield
    plugins._plugins.clear()
    plugins._plugins.update(before)


def test_what_is_available(tmp_path):
    start = time.perf_counter()
    before = plugins.available()
    assert time.perf_counter() - start < 0.05
    assert ("cuda" in before) == (cuda.library() is not None)
    dx.register_plugin("mine", _file(tmp_path))
    assert plugins.available() == [*before, "mine"]


def _file(folder, text: str = "no library") -> str:
    path = folder / "plugin.so"
    path.write_text(text)
    return str(path)


def test_registration_is_checked(tmp_path):
    path = _file(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"'mine'\): there is no file /nowhere/plugin.so"):
        dx.register_plugin("mine", "/nowhere/plugin.so")
    for name in ("cuda", "tpu", "cpu", "gpu"):
        with pytest.raises(ValueError, match=f"'{name}' is taken .*choose another"):
            dx.register_plugin(name, path)
    for name in ("", "my plugin", 3):
        with pytest.raises(ValueError, match="a platform's name is a word"):
            dx.register_plugin(name, path)
    dx.register_plugin("mine", tmp_path / "plugin.so")
    with pytest.raises(ValueError, match=r"'mine' is taken \(cuda, tpu, mine, cpu, gpu\)"):
        dx.register_plugin("mine", path)


def test_a_file_that_is_no_plugin(tmp_path):
    dx.register_plugin("text", _file(tmp_path))
    with pytest.raises(ValueError, match=r"plugin.so is no PJRT plugin that can be loaded"):
        plugins.make_client("text")
    dx.register_plugin("library", compat._jax.__file__)
    with pytest.raises(ValueError, match=r"no PJRT plugin that can be loaded: .*GetPjrtApi"):
        plugins.make_client("library")


def test_a_platform_that_is_not_known():
    with pytest.raises(ValueError, match=r"'metal' is known, only for cuda, tpu; dx.register_plug"):
        plugins.make_client("metal")


@pytest.mark.skipif(cuda.library() is not None, reason="the CUDA plugin is installed")
def test_the_cuda_plugin_is_not_installed():
    with pytest.raises(RuntimeError, match=r"cuda is not installed: pip install 'diffeo\[cuda13\]"):
        plugins.make_client("cuda")


def test_wheels_of_another_version(monkeypatch):
    monkeypatch.setattr(cuda, "_installed", lambda: ("13", "/nowhere/xla_cuda_plugin.so"))
    monkeypatch.setattr(cuda, "missing_device", lambda: None)
    monkeypatch.setattr(compat, "version", "0.0.7")
    advice = r"pip install 'jax-cuda13-plugin\[with-cuda\]==0.0.7'"
    with pytest.raises(RuntimeError, match=rf"jaxlib's version, 0.0.7, but .* installed: {advice}"):
        cuda.before_loading()


@pytest.mark.skipif(cuda.missing_device() is None, reason="there is an NVIDIA driver")
@needs_cuda_plugin
def test_a_machine_without_a_gpu():
    with pytest.raises(plugins.NoDeviceError, match="no NVIDIA driver"):
        plugins.make_client("cuda")


@pytest.mark.skipif(plugins._missing_tpu() is None, reason="there is a TPU")
def test_a_machine_without_a_tpu(tmp_path, monkeypatch):
    plugins._tpu_library.cache_clear()
    monkeypatch.setenv("TPU_LIBRARY_PATH", _file(tmp_path))
    assert "tpu" in plugins.available()
    with pytest.raises(plugins.NoDeviceError, match="tpu: no PCI device is a TPU"):
        plugins.make_client("tpu")
    plugins._tpu_library.cache_clear()


BESIDE_JAX = """
import sys
from diffeo.lowering.devices import plugins
if {first}:
    plugins.load("cuda")
    assert not any(name.partition(".")[0] == "jax" for name in sys.modules)
import jax
jax.devices()
plugins.load("cuda")
from jax._src import xla_bridge
assert "cuda" in xla_bridge._backend_factories, xla_bridge._backend_factories
"""


@pytest.mark.slow
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
@needs_cuda_plugin
def test_jax_has_its_own_plugin_beside_ours(first: bool):
    environment = os.environ | {"JAX_SKIP_CUDA_CONSTRAINTS_CHECK": "1"}
    code = BESIDE_JAX.format(first=first)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, timeout=120)


@pytest.mark.skipif(MINE is None, reason="DIFFEO_TEST_PLUGIN does not name a PJRT plugin")
def test_a_plugin_by_its_path():
    dx.register_plugin("mine", MINE or "")
    with pytest.raises(ValueError, match=r"mine: the plugin's client did not start: .*nonsense"):
        plugins.make_client("mine", nonsense=1)
    client = plugins.make_client("mine")
    device = Device(client, client.local_devices()[0], "mine")

    def fun(a):
        b = a @ a.mT + 5 * dx.numpy.eye(5)
        return dx.numpy.linalg.cholesky(b), dx.numpy.linalg.eigh(b)[0]

    a = np.random.default_rng(0).normal(size=(5, 5))
    jaxpr = dx.jit(fun).trace(a).jaxpr.closed_over()
    aval = ShapedArray(a.shape, a.dtype)
    given = [np.asarray(c) for c in dx.jit(fun).trace(a).jaxpr.consts]
    module = lower_module(jaxpr, "mine")
    executable = compile_module(module.text, jaxpr.in_avals, jaxpr.out_avals, device=device)
    operands = [buffers.put(x, v, device=device) for x, v in zip([*given, a], jaxpr.in_avals)]
    found = executable.execute(operands)
    assert aval in jaxpr.in_avals
    for buffer, out, expected in zip(found, jaxpr.out_avals, fun(a), strict=True):
        np.testing.assert_allclose(buffers.to_numpy(buffer, out), expected, 1e-6)
