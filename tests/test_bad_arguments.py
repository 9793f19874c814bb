"""Bad arguments of public functions: a clear error that names the function, no internal one, no
silence. `test_bad_input.py` spoils operands of primitives; here are the functions that users call.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import diffeo as dx

dn, lax, nn, random, tree = dx.numpy, dx.lax, dx.nn, dx.random, dx.tree
linalg, fft, signal = dx.scipy.linalg, dx.scipy.fft, dx.scipy.signal
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

x, v = np.arange(1.0, 7.0).reshape(2, 3), np.array([3.0, 1.0, 2.0])
M = np.array([[2.0, 1.0], [1.0, 3.0]])
places, mask = np.array([0, 2]), np.array([True, False, True])
key = random.key(0)
image, kernel = np.ones((1, 2, 5, 5)), np.ones((3, 2, 2, 2))
dims = (((1,), (0,)), ((), ()))
T = {"a": 1.0, "b": [2.0, 3.0]}


def double(a: Any) -> Any:
    return a * 2.0


def size(a: Any) -> Any:
    return dn.sum(a**2)


def conv(**options: Any) -> Any:
    return lax.conv_general_dilated(
        image, kernel, **({"window_strides": (1, 1), "padding": "VALID"} | options)
    )


Raised = type[Exception] | tuple[type[Exception], ...]
#: A call, the error, and words of its message: the function, the argument, what came.
CALLS: list[tuple[Callable[[], Any], Raised, str]] = [
    (lambda: dn.from_dlpack(3), TypeError, r"from_dlpack.*__dlpack__.*int 3"),
    (lambda: dn.asarray(v, copy=False), ValueError, "asarray.*copy=False"),
    (lambda: dn.asarray([1.0], copy=False), ValueError, "asarray.*copy=False"),
    (lambda: dn.asarray(dn.ones(2), "int8", copy=False), ValueError, "asarray.*copy=False"),
    (lambda: dn.ones(2).astype(str), TypeError, "dtype"),
    (lambda: lax.conv(image, kernel, (0, 1), "SAME"), TypeError, r"conv.*strides.*\(0, 1\)"),
    (lambda: lax.conv(image, kernel, (-1, 1), "VALID"), TypeError, r"conv.*strides.*\(-1, 1\)"),
    (lambda: lax.conv(image, kernel, (1,), "SAME"), TypeError, r"conv.*strides.*\(1,\)"),
    (lambda: lax.conv(image, kernel, None, 3), TypeError, "conv.*padding.*int 3"),
    (lambda: conv(rhs_dilation=(0, 1)), TypeError, r"conv.*\(0, 1\)"),
    (lambda: conv(rhs_dilation=(0, 1), padding="SAME"), TypeError, r"conv.*\(0, 1\)"),
    (lambda: conv(lhs_dilation=(-1, 1)), (TypeError, ValueError), r"conv.*\(-1, 1\)"),
    (lambda: lax.conv(image, np.ones((3, 3, 2, 2)), (1, 1), "SAME"), TypeError, "conv.*features"),
    (lambda: conv(feature_group_count=0), TypeError, "feature_group_count=0"),
    (lambda: conv(batch_group_count=2), TypeError, "batch_group_count=2"),
    (lambda: conv(padding="FULL"), ValueError, "padding.*FULL"),
    (lambda: lax.reduce_window(v, 0.0, lax.add, (0,)), ValueError, "reduce_window.*dimensions"),
    (lambda: lax.reduce_window(v, 0.0, lax.add, (2,), (0,), "SAME"), ValueError,
     "reduce_window.*strides"),
    (lambda: lax.reduce_window(v, 0.0, lax.add, None), TypeError, "reduce_window.*dimensions"),
    (lambda: lax.transpose(x, None), TypeError, "transpose.*permutation.*None"),
    (lambda: lax.broadcast_in_dim(v, (2, 3), 1), TypeError, "broadcast_in_dim.*dimensions.*int 1"),
    (lambda: lax.slice(v, 0, (2,)), TypeError, "slice.*start_indices.*int 0"),
    (lambda: lax.rev(v, ""), TypeError, "rev.*dimensions"),
    (lambda: lax.squeeze(x, 0), TypeError, "squeeze.*dimensions"),
    (lambda: lax.expand_dims(x, None), TypeError, "expand_dims.*dimensions"),
    (lambda: lax.collapse(image, 3, 1), ValueError, "collapse.*3 to 1"),
    (lambda: lax.pad(v, 0.0, 3), TypeError, "pad.*padding_config.*int 3"),
    (lambda: lax.dot_general(M, M, (0,)), TypeError, "dot_general.*dimension_numbers"),
    (lambda: lax.gather(x, np.zeros((1, 1), int), (0,), (1, 3)), TypeError,
     "gather.*dimension_numbers"),
    (lambda: lax.concatenate(3, 0), TypeError, "concatenate.*operands.*int 3"),
    (lambda: lax.dynamic_slice(v, 0, (2,)), TypeError, "dynamic_slice.*start_indices.*int 0"),
    (lambda: lax.reduce_sum(v, None), TypeError, "reduce_sum.*axes.*None"),
    (lambda: lax.fft(v, "FFT", 3), TypeError, "fft.*fft_lengths.*int 3"),
    (lambda: lax.iota(bool, 3), TypeError, "iota.*bool"),
    (lambda: lax.full((2,), None), TypeError, "full.*fill_value.*None"),
    (lambda: lax.add(v, [1.0]), TypeError, "add: y: .*list"),
    (lambda: nn.relu([1.0]), TypeError, "relu.*list"),
    (lambda: nn.one_hot(places, -1), ValueError, "one_hot.*num_classes.*-1"),
    (lambda: nn.one_hot(places, 3, dtype="bogus"), TypeError, "one_hot.*dtype.*bogus"),
    (lambda: nn.initializers.variance_scaling(-1.0, "fan_in", "normal"), ValueError, "scale.*-1"),
    (lambda: random.uniform(key, (2,), "bogus"), TypeError, "uniform.*dtype.*bogus"),
    (lambda: random.uniform(key, (2,), "float8_e5m2"), ValueError, "uniform.*dtype.*float8"),
    (lambda: linalg.cho_solve(None, v), TypeError, "cho_solve.*c_and_lower.*None"),
    (lambda: linalg.funm(M, 3), TypeError, "funm.*func.*int 3"),
    (lambda: tree.map(None, T), TypeError, "tree.map.*None"),
    (lambda: tree.reduce(3, T), TypeError, "tree.reduce.*int 3"),
    (lambda: tree.unflatten(None, [1]), TypeError, "tree.unflatten.*treedef.*None"),
    (lambda: tree.unflatten(tree.structure(T), None), TypeError, "tree.unflatten.*leaves.*None"),
    (lambda: tree.transpose(None, None, [T]), TypeError, "tree.transpose.*outer_treedef.*None"),
    (lambda: dx.grad(size, argnums=None)(v), TypeError, "argnums.*None"),
    (lambda: dx.grad(size, argnums=0.5)(v), TypeError, "argnums.*0.5"),
    (lambda: dx.jacrev(double, argnums="")(v), TypeError, "argnums.*''"),
    (lambda: dx.vmap(double, out_axes="a")(v), TypeError, "out_axes.*'a'"),
    (lambda: dx.vmap(double, in_axes=0.5)(v), TypeError, "in_axes.*0.5"),
    (lambda: dx.vmap(double, axis_size=-1)(v), ValueError, "axis_size.*-1"),
    (lambda: dx.vmap(lambda a: a, None, axis_size="a")(v), ValueError, "axis_size.*'a'"),
    (lambda: dx.linear_transpose(lambda a: a * a, v)(v), TypeError, "not linear"),
    (lambda: dx.ShapeDtypeStruct("ab", float), TypeError, "ShapeDtypeStruct.*shape.*'ab'"),
    (lambda: dx.ShapeDtypeStruct((2,), "bogus"), TypeError, "dtype.*bogus|bogus.*dtype"),
    (lambda: dx.ShapeDtypeStruct((2.5,), float), TypeError, "shape.*integers.*2.5"),
    (lambda: lax.fori_loop(0.5, 3, lambda i, s: s, 0.0), TypeError, "fori_loop.*lower.*0.5"),
    (lambda: lax.scan(lambda c, a: (c, a), 0.0, (v, places)), ValueError, "scan.*one size"),
    (lambda: dx.laplacian(size, chunk=0)(v), ValueError, "laplacian.*chunk.*0"),
    (lambda: lax.map(double, v, batch_size=-1), ValueError, "map.*batch_size.*-1"),
    (lambda: dx.jit(double, static_argnums=0.5), TypeError, "static_argnums.*0.5"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CALLS)))
def test_the_error_says_what_is_wrong(number: int):
    call, kind, words = CALLS[number]
    with pytest.raises(kind, match=f"(?s){words}") as error:
        call()
    assert type(error.value) in (kind if isinstance(kind, tuple) else (kind,))


# --------------------------------------------------------------------------------------------------
# Arguments replaced by nonsense, one at a time

#: Functions with good arguments.
GOOD: list[tuple[Callable[..., Any], tuple, dict[str, Any]]] = [
    (f, args, {})
    for f, *args in (
        (lax.neg, v), (lax.add, v, v), (lax.clamp, 0.0, v, 1.0), (lax.integer_pow, v, 2),
        (lax.select, mask, v, v), (lax.convert_element_type, v, "int32"),
        (lax.bitcast_convert_type, v, "int64"), (lax.reshape, x, (3, 2)),
        (lax.transpose, x, (1, 0)), (lax.broadcast, v, (2,)),
        (lax.broadcast_in_dim, v, (2, 3), (1,)), (lax.squeeze, x[None], (0,)),
        (lax.expand_dims, v, (0,)), (lax.full, (2,), 1.0, "float64"), (lax.full_like, v, 1.0),
        (lax.iota, "int32", 3), (lax.broadcasted_iota, "int32", (2, 3), 1),
        (lax.concatenate, [v, v], 0), (lax.pad, v, 0.0, [(1, 1, 0)]), (lax.rev, v, (0,)),
        (lax.slice, v, (0,), (2,), (1,)), (lax.slice_in_dim, v, 0, 2, 1, 0),
        (lax.dynamic_slice, v, (0,), (2,)), (lax.dynamic_update_slice, v, v[:1], (0,)),
        (lax.index_take, x, (places[:1],), (0,)), (lax.dot, M, M), (lax.dot_general, M, M, dims),
        (lax.reduce, v, 0.0, lax.add, (0,)), (lax.reduce_sum, v, (0,)), (lax.argmax, v, 0, "int32"),
        (lax.cumsum, v, 0), (lax.sort, v, 0), (lax.top_k, v, 2),
        (lax.reduce_window, v, 0.0, lax.add, (2,), (1,), "VALID"),
        (lax.conv, image, kernel, (1, 1), "SAME"), (lax.switch, 0, [double, double], v),
        (lax.cond, True, double, double, v), (lax.fft, v, "FFT", (3,)),
        (nn.softmax, x, -1), (nn.one_hot, places, 3), (nn.logsumexp, x, -1),
        (random.split, key, 2), (random.fold_in, key, 1), (random.bits, key, (2,), "uint32"),
        (random.uniform, key, (2,), "float32", 0.0, 1.0),
        (random.randint, key, (2,), 0, 5, "int32"), (random.choice, key, 4, (2,)),
        (random.permutation, key, 4),
        (random.categorical, key, v), (linalg.solve, M, v[:2]), (linalg.cholesky, M),
        (linalg.cho_solve, (np.linalg.cholesky(M), True), v[:2]), (linalg.expm, M),
        (linalg.block_diag, M, M), (fft.dct, v, 2, None, -1), (signal.convolve, v, v),
        (tree.map, double, T), (tree.unflatten, tree.structure(T), [1, 2, 3]),
        (tree.transpose, tree.structure([0, 0]), tree.structure({"a": 0}), [{"a": 1}, {"a": 2}]),
        (lambda f, n: dx.grad(f, n)(v), size, 0), (lambda f, n: dx.jacfwd(f, n)(v), double, 0),
        (lambda i, o: dx.vmap(double, i, o)(v), 0, 0), (dx.jvp, double, (v,), (v,)),
        (dx.linearize, double, v), (dx.eval_shape, double, v), (dx.device_put, v),
        (dx.ShapeDtypeStruct, (2,), "float32"), (dx.hvp, size, (v,), (v,)),
    )
]  # fmt: skip
BAD = [None, "bogus", -1, 1.5, object(), [], (), {"z": 1}, np.ones((2, 2, 2, 2)), (0,), (-1,), "",
       True, np.nan, (1, 2, 3, 4, 5), [0.5], b"x"]  # fmt: skip
ALLOWED = (TypeError, ValueError, IndexError, OverflowError, NotImplementedError)
#: How Python, NumPy, XLA and diffeo's inside speak to those who know the inside.
INTERNAL = re.compile(
    r"^'\w+' object|^'[<>]=?' not supported|has no attribute|has no len|not subscriptable|unpack|"
    r"not callable|unhashable|INVALID_ARGUMENT|MLIR|stablehlo|not in list|incompatible function|"
    r"setting an array|argument of type|division by zero|invalid literal|Cannot interpret|"
    r"data type '|\w+\.__init__|AssertionError|list index|tuple index"
)
#: What the user's own function of the table makes of nonsense.
USERS = re.compile(r"can't multiply sequence|unsupported operand type\(s\) for (\*|\*\*)")


@pytest.mark.parametrize("number", range(len(GOOD)))
def test_nonsense_is_no_internal_error(number: int):
    function, args, options = GOOD[number]
    function(*args, **options)
    for place in range(len(args)):
        for bad in BAD:
            spoiled = [*args[:place], bad, *args[place + 1 :]]
            try:
                out = function(*spoiled, **options)
            except ALLOWED as error:
                text = str(error).split("\n  at ")[0]
                told = USERS.search(text) or not INTERNAL.search(text)
                assert told, f"argument {place} = {bad!r}: {error!r}"
            else:
                words = isinstance(bad, (str, bytes)) and not isinstance(args[place], str)
                in_tree = function in (tree.map, tree.unflatten, tree.transpose)
                assert not words or in_tree, f"argument {place} = {bad!r} passed: {out}"
