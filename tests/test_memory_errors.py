"""Memory that runs out."""

import numpy as np
import pytest

import diffeo as dx
from diffeo.lowering import compat, compiler, executables
from diffeo.lowering.devices import buffers
from diffeo.lowering.memory_errors import largest_arrays, out_of_memory

OutOfMemoryError = dx.errors.OutOfMemoryError


def test_a_program_that_needs_terabytes():
    """A result of 80 TB; no machine has them."""
    lowered = dx.jit(lambda x: np.broadcast_to(x, (10**7, 10**6)) * 1.0).lower(np.arange(1e6))
    jaxpr = lowered.jaxpr
    executable = compiler.compile_program(
        lowered.as_text(), jaxpr.in_avals, jaxpr.out_avals
    ).executable
    x = buffers.put(np.arange(1e6), jaxpr.in_avals[0])
    with pytest.raises(OutOfMemoryError) as caught:
        try:
            buffers.block_until_ready(executable.execute([x]))
        except compat.XlaError as error:  # it came to light when the result was waited for
            raise executables.explain_run_error(executable, error) from None
    message = str(caught.value)
    assert "72.8 TiB could not be allocated" in message
    assert "argument 7.6 MiB, output 72.8 TiB, temp" in message
    assert "f64[10000000,1000000] (72.8 TiB)" in message
    assert isinstance(caught.value, MemoryError) and isinstance(caught.value, RuntimeError)
    [y] = compiler.compile_program(
        dx.jit(lambda x: x + 1.5).lower(np.arange(3.0)).as_text(), [], [jaxpr.in_avals[0]]
    ).executable.execute([buffers.put(np.arange(3.0), dx.typeof(np.arange(3.0)))])
    assert buffers.to_numpy(y, dx.typeof(np.arange(3.0))).tolist() == [1.5, 2.5, 3.5]


def test_an_error_without_a_program():
    error = compat.XlaError("RESOURCE_EXHAUSTED: Out of memory allocating 4096 bytes.")
    explained = executables.explain_run_error(None, error)
    assert isinstance(explained, OutOfMemoryError) and "4.0 KiB could not" in str(explained)


def test_other_errors_are_left_alone():
    for error in (compat.XlaError("INTERNAL: no"), ValueError("Out of memory")):
        assert executables.explain_run_error(None, error) is error


def test_memory_that_runs_out_while_compiling():
    text = "module @f { %x : tensor<1000x1000xcomplex<f64>>, %y : tensor<8xi32>, tensor<f32> }"
    message = str(out_of_memory(compat.XlaError("RESOURCE_EXHAUSTED: too large"), text=text))
    assert message.startswith("out of memory while compiling: RESOURCE_EXHAUSTED: too large")
    assert "c128[1000,1000] (15.3 MiB), i32[8] (32 bytes)" in message


def test_largest_arrays():
    text = "%a = (f32[2,3]{1,0}, bf16[7]{0}) tuple(), pred[5], f8e4m3fn[9]{0} s32[] c64[1]"
    assert largest_arrays(text, 9) == [
        "f32[2,3] (24 bytes)",
        "bf16[7] (14 bytes)",
        "f8e4m3fn[9] (9 bytes)",
        "c64[1] (8 bytes)",
        "pred[5] (5 bytes)",
    ]
    assert largest_arrays("tensor<4xbf16>, tensor<3x2xi1>") == ["bf16[4] (8 bytes)",
                                                               "i1[3,2] (6 bytes)"]  # fmt: skip
