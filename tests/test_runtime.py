"""Devices, buffers, executables and the program cache, on the real compiler."""

import gc
import os
import pickle
import re
import subprocess
import sys
import textwrap
import threading
import weakref

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from diffeo.lowering import compat, compiler, executables
from diffeo.lowering.devices import buffers, devices
from diffeo.primitives.array import Array, from_buffer


class Aval:
    def __init__(self, shape, dtype):
        self.shape, self.dtype, self.weak_type = tuple(shape), np.dtype(dtype), False

    def __eq__(self, other):
        return (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self):
        return hash((self.shape, self.dtype))


def aval_of(array):
    return Aval(array.shape, array.dtype)


MLIR = {
    "bool": "i1", "int8": "i8", "int32": "i32", "int64": "i64", "uint8": "ui8", "uint32": "ui32",
    "uint64": "ui64", "float16": "f16", "float32": "f32", "float64": "f64",
    "complex64": "complex<f32>", "complex128": "complex<f64>", "bfloat16": "bf16",
    "float8_e4m3fn": "f8E4M3FN", "float8_e5m2": "f8E5M2", "int4": "i4", "uint4": "ui4",
    "int2": "i2", "uint2": "ui2", "float4_e2m1fn": "f4E2M1FN",
}  # fmt: skip
SHAPES = [(6,), (), (0, 3), (2, 3)]


def tensor(aval):
    return f"tensor<{''.join(f'{n}x' for n in aval.shape)}{MLIR[aval.dtype.name]}>"


def dtype_of(name):
    return np.dtype(getattr(ml_dtypes, name, None) or name)


def program(aval, operation=None):
    """A module of one operand and one result: the operation applied to (x, x), or the identity."""
    kind = tensor(aval)
    body = f"%y = stablehlo.{operation} %x, %x : {kind}\n" if operation else ""
    return (
        f"module {{ func.func public @main(%x: {kind}) -> {kind} {{\n{body}"
        f"  return {'%y' if operation else '%x'} : {kind}\n}} }}"
    )


def run(array, operation=None):
    aval = aval_of(array)
    executable = compiler.compile_program(program(aval, operation), [aval], [aval]).executable
    [out] = executable.execute([buffers.put(array, aval)])
    return buffers.to_numpy(out, aval)


def aligned(n, dtype=np.float64):
    """An array that the device can use in place: its memory starts at a multiple of 64 bytes."""
    raw = np.zeros(n * np.dtype(dtype).itemsize + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + n * np.dtype(dtype).itemsize].view(dtype), raw


# --------------------------------------------------------------------------------------------------
# Devices


def test_one_device_that_is_made_once():
    assert devices.devices() is devices.devices()
    assert devices.default_device() is devices.devices()[0]
    assert repr(devices.default_device()) == "cpu:0"


def test_device_description_names_machine_and_jaxlib():
    text = devices.device_description()
    assert re.fullmatch(rf"cpu:0 \(.+ cores, jaxlib {re.escape(compat.version)}\)", text), text


def test_import_starts_no_client_and_forced_device_count_is_respected():
    code = """
        from diffeo.lowering import executables
        from diffeo.lowering.devices import buffers, devices
        assert not devices.state.platforms
        assert len(devices.devices()) == 3
        second = devices.devices()[1]
        import numpy as np
        from diffeo.primitives.types import ShapedArray
        aval = ShapedArray((3,), np.float64)
        text = '''module { func.func public @main(%x: tensor<3xf64>) -> tensor<3xf64> {
          %y = stablehlo.add %x, %x : tensor<3xf64> return %y : tensor<3xf64> } }'''
        executable = executables.compile_module(text, [aval], [aval], device=second)
        [y] = executable.execute([buffers.put(np.ones(3), aval, device=second)])
        assert buffers.to_numpy(y, aval).tolist() == [2, 2, 2]
    """
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=3"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **flags}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_use_in_a_forked_child_is_an_error_and_not_a_hang():
    code = """
        import os, warnings
        import numpy as np
        from diffeo.lowering import executables
        from diffeo.lowering.devices import buffers, devices
        from diffeo.primitives.types import ShapedArray
        aval = ShapedArray((3,), np.float64)
        text = '''module { func.func public @main(%x: tensor<3xf64>) -> tensor<3xf64> {
          %y = stablehlo.add %x, %x : tensor<3xf64> return %y : tensor<3xf64> } }'''
        executable = executables.compile_module(text, [aval], [aval])
        x = buffers.put(np.ones(3), aval)
        [y] = executable.execute([x])
        buffers.block_until_ready([y])
        warnings.simplefilter("ignore")
        child = os.fork()
        if child == 0:
            assert buffers.to_numpy(y, aval).tolist() == [2, 2, 2]  # it is there already
            for use in (lambda: executable.execute([x]), devices.devices,
                        lambda: buffers.put(np.ones(3), aval),
                        lambda: executables.compile_module(text, [aval], [aval])):
                try:
                    use()
                except RuntimeError as error:
                    assert "spawn" in str(error)
                else:
                    os._exit(3)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        raise SystemExit(os.waitstatus_to_exitcode(status))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


# --------------------------------------------------------------------------------------------------
# Buffers


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", MLIR)
@pytest.mark.parametrize("alias", [False, True], ids=["copied", "shared"])
def test_every_dtype_goes_to_the_device_and_back(name, shape, alias):
    array = (np.arange(np.prod(shape, dtype=int)) % 2).astype(dtype_of(name)).reshape(shape)
    aval = aval_of(array)
    back = buffers.to_numpy(buffers.put(array, aval, alias=alias), aval)
    assert back.dtype == array.dtype and back.shape == shape
    assert back.tobytes() == array.tobytes()
    assert not back.flags.writeable


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", MLIR)
def test_every_dtype_comes_out_of_a_program(name, shape):
    array = (np.arange(np.prod(shape, dtype=int)) % 2).astype(dtype_of(name)).reshape(shape)
    back = run(array)
    assert back.dtype == array.dtype and back.shape == shape
    assert back.tobytes() == array.tobytes()
    assert not back.flags.writeable


@settings(max_examples=60, deadline=None)
@given(
    st.data(),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    st.sampled_from([np.float64, np.float32, np.int64, np.bool_, np.complex128]),
)
def test_any_strides(data, shape, dtype):
    array = data.draw(
        hnp.arrays(
            dtype,
            shape,
            elements={"allow_nan": False}
            if dtype in (np.float64, np.float32, np.complex128)
            else None,
        )
    )
    axes = data.draw(st.permutations(range(array.ndim)))
    array = array.transpose(axes)
    if array.ndim:
        array = array[:: data.draw(st.sampled_from([1, 2, -1]))]
    aval = aval_of(array)
    for alias in (False, True):
        back = buffers.to_numpy(buffers.put(array, aval, alias=alias), aval)
        np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("n", [0, 1, 7, 1000, 1_000_000])
def test_a_copied_array_may_change_afterwards(n):
    array, _ = aligned(n)
    aval = aval_of(array)
    buffer = buffers.put(array, aval)
    array[:] = 7
    assert not buffers.to_numpy(buffer, aval).any()


def test_a_shared_array_is_used_in_place_and_lives_as_long_as_its_users():
    array, raw = aligned(1000)
    array[:] = 3
    aval, address, alive = aval_of(array), array.ctypes.data, weakref.ref(raw)
    buffer = buffers.put(array, aval, alias=True)
    del array, raw
    gc.collect()
    assert alive() is not None
    view = buffers.to_numpy(buffer, aval)
    assert view.ctypes.data == address
    del buffer
    gc.collect()
    assert alive() is not None and (view == 3).all()
    del view
    gc.collect()  # jaxlib lets go of it in our callback
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("name", ["float64", "bfloat16", "float8_e5m2"])
def test_a_view_keeps_a_result_alive(name):
    array = np.ones(100_000, dtype_of(name))
    view = run(array, "add")
    gc.collect()
    for _ in range(5):
        run(array, "multiply")
    assert (view == 2).all()


def test_put_refuses_an_array_of_another_type():
    with pytest.raises(TypeError, match=r"float32\[3\].*float64\[3\]"):
        buffers.put(np.ones(3), Aval((3,), np.float32))
    with pytest.raises(TypeError, match=r"float64\[4\].*float64\[3\]"):
        buffers.put(np.ones(3), Aval((4,), np.float64))
    with pytest.raises(TypeError, match=">f8"):
        buffers.put(np.ones(3, ">f8"), Aval((3,), np.float64))


@pytest.mark.parametrize("name", ["float64", "bfloat16", "int4"])
def test_reading_deleted_data_says_so(name):
    array = np.ones(3, dtype_of(name))
    buffer = buffers.put(array, aval_of(array))
    buffer.delete()
    with pytest.raises(RuntimeError, match="donated"):
        buffers.to_numpy(buffer, aval_of(array))


def test_a_donated_operand_is_gone():
    aval = Aval((4,), np.float64)
    text = program(aval, "add").replace(
        "%x: tensor<4xf64>", "%x: tensor<4xf64> {tf.aliasing_output = 0 : i32}"
    )
    executable = executables.compile_module(text, [aval], [aval])
    x = buffers.put(np.ones(4), aval)
    [y] = executable.execute([x])
    assert buffers.to_numpy(y, aval).tolist() == [2] * 4
    with pytest.raises(RuntimeError, match="donated"):
        buffers.to_numpy(x, aval)


# --------------------------------------------------------------------------------------------------
# Executables


def test_execute_in_many_threads():
    aval = Aval((64,), np.float64)
    executable = compiler.compile_program(program(aval, "add"), [aval], [aval]).executable
    failures = []

    def work(start):
        for i in range(start, start + 50):
            [y] = executable.execute([buffers.put(np.full(64, float(i)), aval)])
            if not (buffers.to_numpy(y, aval) == 2 * i).all():
                failures.append(i)

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(6)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not failures


def test_programs_without_operands_or_results():
    aval = Aval((), np.float32)
    text = """module { func.func public @main() -> tensor<f32> {
      %0 = stablehlo.constant dense<1.5> : tensor<f32>
      return %0 : tensor<f32> } }"""
    [y] = executables.compile_module(text, [], [aval]).execute([])
    assert buffers.to_numpy(y, aval) == 1.5
    text = "module { func.func public @main(%x: tensor<f32>) { return } }"
    nothing = executables.compile_module(text, [aval], [])
    assert nothing.execute([buffers.put(np.array(1, np.float32), aval)]) == []


def test_what_an_executable_tells():
    aval = Aval((8, 8), np.float64)
    executable = executables.compile_module(program(aval, "add"), [aval], [aval])
    assert executable.in_avals == (aval,) and executable.out_avals == (aval,)
    assert executable.compile_seconds > 0
    assert "HloModule" in executable.as_text() and "f64[8,8]" in executable.as_text()
    assert executable.cost_analysis()["flops"] == 64
    memory = executable.memory_analysis()
    assert memory["argument"] == memory["output"] == 512 and memory["alias"] == 0
    assert "cpu:0" in repr(executable)
    buffers.block_until_ready(executable.execute([buffers.put(np.ones((8, 8)), aval)]))


def test_a_refused_program_is_shown_where_it_is_wrong():
    text = program(Aval((4,), np.float32), "add").replace("%x, %x", "%x, %nobody")
    with pytest.raises(executables.CompilationError) as caught:
        executables.compile_module(text, [], [])
    message = str(caught.value)
    assert "undeclared" in message and "%nobody" in message and "bug in diffeo" in message
    lines = message.splitlines()
    mark = next(i for i, line in enumerate(lines) if line.endswith("^"))
    assert lines[mark - 1][len(lines[mark]) - 1 :].startswith("%nobody")
    assert caught.value.module_text == text
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == message and copy.module_text == text


def test_an_unknown_custom_call_is_named():
    text = """module { func.func public @main(%x: tensor<f32>) -> tensor<f32> {
      %0 = stablehlo.custom_call @no_such_target(%x) : (tensor<f32>) -> tensor<f32>
      return %0 : tensor<f32> } }"""
    with pytest.raises(executables.CompilationError, match=r"\| .*@no_such_target"):
        executables.compile_module(text, [], [])


def test_compiler_options():
    aval = Aval((4,), np.float64)
    text = program(aval, "add")
    options = {"xla_backend_optimization_level": 0}
    executable = compiler.compile_program(text, [aval], [aval], options=options).executable
    assert executable is not compiler.compile_program(text, [aval], [aval]).executable
    with pytest.raises(ValueError, match="xla_no_such_flag"):
        executables.compile_module(text, [aval], [aval], options={"xla_no_such_flag": 1})
    with pytest.raises(ValueError, match="not a valid int32"):
        wrong = {**options, "xla_gpu_autotune_level": "high"}
        executables.compile_module(text, [aval], [aval], options=wrong)


# --------------------------------------------------------------------------------------------------
# The program cache


def test_the_same_program_is_compiled_once():
    cache = compiler.ProgramCache()
    aval = Aval((5,), np.float64)
    first = cache.compile_program(program(aval, "add"), [aval], [aval]).executable
    assert cache.compile_program(program(aval, "add"), [aval], [aval]).executable is first
    assert cache.compile_program(program(aval, "subtract"), [aval], [aval]).executable is not first
    assert cache.cache_info() == (1, 2, 2, 1024)
    cache.clear_cache()
    assert cache.cache_info() == (0, 0, 0, 1024)
    assert cache.compile_program(program(aval, "add"), [aval], [aval]).executable is not first


def test_the_least_recently_used_program_goes_first():
    cache = compiler.ProgramCache(max_size=2)
    aval = Aval((5,), np.float64)
    a, b, c = (program(aval, name) for name in ("add", "subtract", "multiply"))
    for text in (a, b, a, c, a):  # c takes the place of b
        cache.compile_program(text, [aval], [aval])
    assert cache.cache_info()[:3] == (2, 3, 2)
    cache.compile_program(b, [aval], [aval])
    assert cache.cache_info().misses == 4
    with pytest.raises(ValueError, match="got 0"):
        compiler.ProgramCache(0)


def test_threads_that_want_the_same_program_compile_it_once():
    cache = compiler.ProgramCache()
    aval = Aval((9,), np.float64)
    barrier, made = threading.Barrier(8), []

    def work():
        barrier.wait()
        made.append(cache.compile_program(program(aval, "divide"), [aval], [aval]).executable)

    threads = [threading.Thread(target=work) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(made) == 8 and len(set(made)) == 1
    assert cache.cache_info()[:3] == (7, 1, 1)


def test_a_failure_is_not_kept():
    cache = compiler.ProgramCache()
    for _ in range(2):
        with pytest.raises(executables.CompilationError):
            cache.compile_program("module { nonsense }", [], [])
    assert cache.cache_info()[:3] == (0, 2, 0)


def test_the_folder_cannot_be_imported_twice(tmp_path):
    folder = os.path.dirname(os.path.abspath(compat.__file__))
    (tmp_path / "lowering").symlink_to(folder)
    done = subprocess.run(
        [sys.executable, "-c", "import lowering"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode and "import diffeo.lowering" in done.stderr


def test_arrays_are_given_their_device_memory():
    array = Array(np.arange(3.0))
    aval = array.aval
    executable = compiler.compile_program(program(aval, "add"), [aval], [aval]).executable
    [buffer] = executable.execute([array.buffer])
    result = from_buffer(buffer, array.aval)
    assert result.host.tolist() == [0, 2, 4] and not result.host.flags.writeable
