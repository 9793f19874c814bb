"""Devices: settings, what is chosen, and several of them, in processes that have them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import diffeo as dx
from diffeo.engine.run import run_program
from diffeo.lowering.devices import buffers, devices, placement
from diffeo.primitives.array import from_buffer
from diffeo.primitives.types import ShapedArray
from tests.laws import staged

ROOT = Path(__file__).parent.parent


def in_a_process(code: str, **environment: str) -> str:
    """Run code in a new process; what it prints."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DIFFEO_", "XLA_FLAGS"))}
    done = subprocess.run(
        [sys.executable, "-c", "import diffeo as dx\n" + textwrap.dedent(code)],
        env={**clean, **environment}, capture_output=True, text=True, timeout=300, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def run_tests(*arguments: str, **environment: str) -> None:
    """Run tests in a process with three processor devices."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *arguments]
    environment = {**os.environ, "DIFFEO_NUM_CPU_DEVICES": "3", **environment}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=900, cwd=ROOT
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-5000:] + done.stderr


def test_several_devices():
    run_tests("tests/several_devices.py")


def test_jit_on_several_devices():
    run_tests("tests/several_devices_jit.py")


@pytest.mark.slow
def test_the_accelerators_tests_on_a_stand_in():
    picked = "add or dot_general or gather or scan or while or fft or scatter_add or cholesky"
    run_tests(
        "tests/test_accelerator.py", "-k", f"not test_eager and not test_compiled or ({picked})",
        DIFFEO_TEST_ACCELERATOR="cpu:1",
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Settings


def test_nothing_starts_before_it_is_needed():
    in_a_process(
        """
        import numpy as np
        from diffeo.lowering.devices import devices
        x = dx.numpy.ones(3) + 1
        np.linalg.inv(dx.numpy.eye(2)), dx.grad(lambda v: (v * v).sum())(x), dx.vmap(np.sin)(x)
        dx.config.num_cpu_devices = 4
        assert not devices.state.platforms and not devices.process.placed
        assert dx.device_count() == 4 and not devices.process.placed
        dx.config.num_cpu_devices = 4  # as it is
        for name, value in [("num_cpu_devices", 2), ("platforms", "cuda")]:
            try:
                setattr(dx.config, name, value)
            except RuntimeError as error:
                assert f"DIFFEO_{name.upper()}" in str(error) and "too late" in str(error)
            else:
                raise SystemExit(1)
        dx.config.preallocate = True  # no accelerator has started
        assert dx.config.preallocate is True
        """
    )


def test_the_number_of_processor_devices():
    count = "print(dx.device_count('cpu'))"
    flag = "--xla_force_host_platform_device_count=3"
    assert in_a_process(count) == "1"
    assert in_a_process(count, DIFFEO_NUM_CPU_DEVICES="2") == "2"
    assert in_a_process(count, XLA_FLAGS=flag) == "3"
    assert in_a_process(count, XLA_FLAGS=flag, DIFFEO_NUM_CPU_DEVICES="2") == "2"
    count = "dx.config.num_cpu_devices = 5\n" + count
    assert in_a_process(count, DIFFEO_NUM_CPU_DEVICES="2") == "5"


@pytest.mark.parametrize(
    ("name", "bad", "message"),
    [
        ("num_cpu_devices", 0, "1 or more"), ("num_cpu_devices", "2", "1 or more"),
        ("preallocate", 1, "True or False"), ("memory_fraction", 1.5, "up to 1"),
        ("platforms", "", "names of platforms"), ("platforms", [1], "names of platforms"),
    ],
)  # fmt: skip
def test_bad_settings(name, bad, message):
    with pytest.raises((TypeError, ValueError), match=rf"dx.config.{name} = .*{message}"):
        setattr(dx.config, name, bad)


def test_bad_settings_in_the_environment():
    code = """
        try:
            dx.devices()
        except ValueError as error:
            print(error)
        """
    found = in_a_process(code, DIFFEO_NUM_CPU_DEVICES="many")
    assert found.startswith("the environment variable DIFFEO_NUM_CPU_DEVICES is 'many'")
    code = "try: dx.config.preallocate\nexcept ValueError as error: print(error)"
    assert "expected true or false" in in_a_process(code, DIFFEO_PREALLOCATE="maybe")
    assert in_a_process("print(dx.config.preallocate)", DIFFEO_PREALLOCATE="true") == "True"
    assert in_a_process("print(dx.config.memory_fraction)", DIFFEO_MEMORY_FRACTION=".5") == "0.5"
    show = "print(dx.config.platforms)"
    assert in_a_process(show, DIFFEO_PLATFORMS="cuda, cpu") == "('cuda', 'cpu')"


# --------------------------------------------------------------------------------------------------
# Which platform

STAND_INS = """
import warnings
from diffeo.lowering import compat
from diffeo.lowering.devices import devices, plugins
plugins.available = lambda: ["cuda", "mine"]
Failure = plugins.NoDeviceError
def make_client(platform, **options):
    print(platform, sorted(options.items()))
    if platform == "cuda":
        raise Failure("no visible devices")
    return compat.make_cpu_client(2)
plugins.make_client = make_client
warnings.simplefilter("error")
"""


def test_the_first_accelerator_that_works_is_the_default():
    found = in_a_process(
        STAND_INS
        + """
dx.config.memory_fraction = 0.25
print(dx.devices(), dx.default_backend(), devices.process.placed, dx.devices("cpu"))
x = dx.numpy.ones(3)
y = dx.device_put(x, "mine:1")
print(y.device, (y + 1).device, x.device, dx.device_put(y, "cpu").device, (y + 1)._np)
print(dx.device_put(x, "cpu").at_home, (dx.device_put(x, "cpu") + 1).committed)
dx.jit
try:
    dx.config.preallocate = True
except RuntimeError as error:
    print("too late" in str(error))
try:
    dx.devices("gpu")
except RuntimeError as error:
    print(error)
"""
    )
    assert found.splitlines() == [
        "cuda [('memory_fraction', 0.25), ('preallocate', False)]",
        "mine [('memory_fraction', 0.25), ('preallocate', False)]",
        "(mine:0, mine:1) mine True (cpu:0,)",
        "mine:1 mine:1 cpu:0 cpu:0 None",
        "True True",
        "True",
        "cuda [('memory_fraction', 0.25), ('preallocate', False)]",
        "the platform 'cuda' does not start: no visible devices",
    ]


def test_platforms_that_are_asked_for():
    show = (
        STAND_INS
        + """
try:
    print(dx.devices())
except RuntimeError as error:
    print(error)
"""
    )
    assert in_a_process(show, DIFFEO_PLATFORMS="cpu") == "(cpu:0,)"
    assert in_a_process(show, DIFFEO_PLATFORMS="mine").splitlines()[-1] == "(mine:0, mine:1)"
    found = in_a_process(show, DIFFEO_PLATFORMS="cuda,cpu").splitlines()[-1]
    assert found == "the platform 'cuda' does not start: no visible devices"
    found = in_a_process(show, DIFFEO_PLATFORMS="abacus").splitlines()[-1]
    assert found.startswith("there is no platform 'abacus' here: installed are 'cuda', 'mine', 'cp")
    found = in_a_process(show + "dx.devices('mine')", DIFFEO_PLATFORMS="cpu,mine")
    assert found.splitlines()[0] == "(cpu:0,)"


def test_an_accelerator_that_does_not_start_is_a_warning():
    found = in_a_process(
        STAND_INS
        + """
Failure = RuntimeError
plugins.available = lambda: ["cuda"]
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    print(dx.devices(), dx.devices())
print(len(caught), caught[0].category.__name__, caught[0].message)
"""
    ).splitlines()
    assert found[1] == "(cpu:0,) (cpu:0,)"
    assert found[2].startswith("1 RuntimeWarning diffeo: the platform 'cuda' is there but does")
    assert "no visible devices" in found[2] and "DIFFEO_PLATFORMS=cpu" in found[2]


# --------------------------------------------------------------------------------------------------
# In any process


def test_a_program_returns_before_its_results_are_there():
    n = 1200
    x = dx.numpy.full((n, n), 1.0 / n)
    program = staged(lambda a: [a @ a @ a @ a @ a @ a], [x])
    run_program(program, [x])[0].block_until_ready()
    [y] = run_program(program, [x])
    early = y.is_ready()
    assert y.block_until_ready() is y and y.is_ready() and not early
    assert abs(float(y[0, 0]) - 1 / n) < 1e-12


@pytest.mark.parametrize(
    "name", ["float64", "bool", "complex64", "bfloat16", "float8_e4m3fn", "int4"]
)
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3)], ids=str)
def test_reading_as_an_accelerator_is_read(name, shape):
    dtype = np.dtype(getattr(dx.numpy, name))
    x = (np.arange(np.prod(shape, dtype=int)) % 2).astype(dtype).reshape(shape)
    aval = ShapedArray(shape, dtype)
    for ways in {True, False} if buffers.compat.BUFFERS_READ_THEMSELVES else {False}:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(buffers.compat, "BUFFERS_READ_THEMSELVES", ways)
            found = buffers.read_from_accelerator(buffers.put(x, aval), aval)
        assert found.dtype == dtype and found.shape == shape and found.tobytes() == x.tobytes()


def test_a_buffer_as_dlpacks_capsule():
    x = np.arange(3.0)
    buffer = buffers.put(x, ShapedArray((3,), x.dtype))
    capsule = buffers.compat.dlpack_capsule(buffer, None, None, False)
    assert "dltensor" in repr(capsule)


def test_an_array_around_a_buffer_is_committed_only_if_it_is_said():
    aval = ShapedArray((3,), np.dtype(np.float64))
    buffer, device = buffers.put(np.ones(3), aval), devices.devices("cpu")[0]
    assert not from_buffer(buffer, aval).committed and from_buffer(buffer, aval, device).committed
    x = placement.committed(from_buffer(buffer, aval, device), None)
    assert not x.committed and np.asarray(x).tolist() == [1, 1, 1]
    x.copy_to_host_async()
