"""The same function in jax for every primitive: the oracle's side of `test_against_jax.py`.

`JAX[name](p, jax)` is a function of jax arrays for a primitive `p` of that name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from diffeo.primitives.support.table import ELEMENTWISE
from tests import whole as whole

Oracle = Callable[[Any, Any], Callable]

#: Primitives that jax does not have, and why nothing is missed.
NOT_IN_JAX = {
    "platform_index": "it has no operands; test_parameters.py compares lax.platform_dependent",
    "scale": "a product in which zero dominates: jax has nan there",
    "fma": "a detail of our random numbers",
    **dict.fromkeys(
        ("floor_div", "mod", "fmod", "fraction"),
        "test_division.py compares with NumPy: jax's floor the rounded quotient",
    ),
    "random_bits": "jax's own is a program; dx.random is compared with jax.random bit by bit",
    "cipher": "part of a generator; dx.random is compared with jax.random bit by bit",
    "key_words": "dx.random.key_data is compared with jax's",
    "wrap_words": "dx.random.wrap_key_data is compared with jax's",
    "call": "an operation on a program, not a function",
    "custom_call": "an operation on a program; the tests of custom rules compare with jax",
    "custom_tangent": "an operation on a program; the tests of custom rules compare with jax",
    "cholesky_update": "jax's has no batch and no derivative; test_scipy_linalg.py compares it",
    "matrix_sqrt": "a program in jax; test_scipy_linalg.py compares dx.scipy.linalg.sqrtm",
    "sylvester": "a program in jax; test_scipy_linalg.py compares it with SciPy",
    "triangular_sylvester": "a part of what jax.scipy.linalg.solve_sylvester does",
    "reduce": "of a program; test_windows.py compares dx.lax.reduce",
    "reduce_window": "of a program; test_windows.py compares dx.lax.reduce_window",
    "linear_recurrence": "what the derivatives of cumulative operations are made of",
    "window_place": "what the derivatives of extrema of windows are made of",
    "hold": "a value as it is, without derivatives; test_chosen_rows.py has what is made of it",
    **dict.fromkeys(
        (
            "sech_squared",
            "one_minus_square",
            "inverse_square_plus_one",
            "inverse_root",
            "over_square_sum",
            "over_hypot",
            "continued_gamma_density",
            "beta_edge",
            "log_of_ratio",
            "relative_excess",
            "erfcinv_slope",
            "sine_of_square",
            "cosine_of_square",
            "growing_bessel_i",
        ),
        "a part of other functions and of derivatives; test_tails.py compares them with mpmath",
    ),
}

_TAILS = "tests/test_tails.py and test_special_ends.py compare with mpmath"
_COMPLEX = "tests/test_complex_special.py compares with SciPy and mpmath"
_SPECIAL = "tests/test_special.py compares with SciPy, mpmath and jax"
_LINALG = "tests/test_linalg.py and test_scipy_linalg.py compare the functions made of it"
_AXES = "tests/test_named_axes.py compares under vmap"
_CALLBACKS = "tests/test_callbacks.py compares the functions made of it"
_WINDOWS = "tests/test_windows.py compares the functions made of it"

#: Primitives whose comparison stands elsewhere, mostly because jax has a function where we have a
#: primitive with more parameters.
ELSEWHERE = {
    **dict.fromkeys(
        ("gamma_density", "beta_density", "betaln", "expi", "sine_integral", "cosine_integral",
         "fresnel_sine", "fresnel_cosine", "spence", "owens_t", "erfinv", "erfcinv", "wofz",
         "dawsn", "polygamma", "zeta", "bessel_i", "bessel_j", "igamma", "betainc",
         "hypergeometric", "expn", "erfcx"), _SPECIAL),
    **dict.fromkeys(("hypot", "soft_sign", "entr", "rel_entr", "kl_div", "poch", "box_cox",
                     "dawson"), _TAILS),
    **dict.fromkeys(("log_density", "tail", "generalized_normal", "truncated_normal",
                     "poisson_entropy"), "tests/test_stats.py compares with SciPy and mpmath"),
    **dict.fromkeys(("complex_erf", "complex_erfc", "complex_dawsn", "log_gamma"), _COMPLEX),
    **dict.fromkeys(("normal_hazard", "normal_tail_fall", "normal_tail_quantile"),
                    "tests/test_random_tails.py compares what is drawn"),
    **dict.fromkeys(
        ("lu_solve", "within_levels", "cholesky_update", "triangular_sylvester", "sylvester",
         "matrix_sqrt", "eig", "tridiagonal", "eigh", "geqrf", "qr", "given", "log_determinant",
         "determinant", "pseudo_inverse", "adjugate", "diagonal_sylvester", "eigh_levels",
         "svd_levels", "polar_factor"), _LINALG),
    **dict.fromkeys(
        ("psum", "pmax", "pmin", "all_gather", "psum_scatter", "all_to_all", "ppermute",
         "axis_index"), _AXES),
    **dict.fromkeys(("window_place", "window_reduction", "reduce", "reduce_window"), _WINDOWS),
    **dict.fromkeys(("pure_callback", "io_callback", "debug_callback"), _CALLBACKS),
    "check": "tests/test_checkify.py compares what is reported",
    **dict.fromkeys(("cond", "scan", "while"), "tests/test_control_flow.py compares programs"),
    "replay": "tests/test_reverse_loops.py compares the gradients made of it",
    "checkpoint": "tests/test_checkpoint.py compares what is kept, and memory",
    "named": "tests/test_checkpoint.py compares what policies do with names",
    "linear_recurrence": "tests/test_cumulative.py compares the functions made of it",
    "rng_bit_generator": "tests/test_random.py and test_fft.py compare its bits",
    **dict.fromkeys(("logaddexp", "logaddexp2"), "functions of jax.numpy, with its derivatives"),
    **dict.fromkeys(("gcd", "lcm"), "tests/test_names.py compares with NumPy"),
    "mulhi": "tests/test_numbers.py compares with Python's integers",
}  # fmt: skip

#: Rows whose names differ in jax.lax.
RENAMED = {
    "not": "bitwise_not",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}


def lax(name: str, *fields: str, **renamed: str) -> Oracle:
    """jax.lax's function `name`, with the primitive's fields as positional arguments after the
    operands, or as keywords (`keyword=field`).
    """

    def oracle(p: Any, jax: Any) -> Callable:
        function = getattr(jax.lax, name)
        static = [getattr(p, f) for f in fields]
        keywords = {k: getattr(p, f) for k, f in renamed.items()}
        return lambda *xs: function(*xs, *static, **keywords)

    return oracle


def along(name: str) -> Oracle:
    """jax.numpy's reduction of that name over the primitive's axes, without promotion."""

    def oracle(p: Any, jax: Any) -> Callable:
        return lambda x: getattr(jax.numpy, name)(x, axis=p.axes).astype(x.dtype)

    return oracle


def reducer(name: str) -> Oracle:
    """jax.lax's reduction over the primitive's axes."""
    return lambda p, jax: lambda x: getattr(jax.lax, name)(x, p.axes)


def gather_numbers(p: Any, jax: Any) -> Any:
    d = p.dims
    return jax.lax.GatherDimensionNumbers(
        d.offset_dims, d.collapsed, d.index_map, d.operand_batching, d.index_batching
    )


def scatter_numbers(p: Any, jax: Any) -> Any:
    d = p.dims
    return jax.lax.ScatterDimensionNumbers(
        d.offset_dims, d.collapsed, d.index_map, d.operand_batching, d.index_batching
    )


def scatter(name: str) -> Oracle:
    """A function of jax's scatter family; windows that stick out are dropped."""

    def oracle(p: Any, jax: Any) -> Callable:
        mode = jax.lax.GatherScatterMode.FILL_OR_DROP
        function = getattr(jax.lax, name)
        return lambda x, i, u: function(x, i, u, scatter_numbers(p, jax), mode=mode)

    return oracle


def _slice(p: Any, jax: Any) -> Callable:
    return lambda x: jax.lax.slice(x, p.starts, p.limits, p.strides)


def _pad(p: Any, jax: Any) -> Callable:
    config = list(zip(p.low, p.high, p.interior))
    return lambda x: jax.lax.pad(x, jax.numpy.asarray(p.value, x.dtype), config)


def _gather(p: Any, jax: Any) -> Callable:
    static = gather_numbers(p, jax), p.sizes
    return lambda x, i: jax.lax.gather(x, i, *static, mode=p.mode, fill_value=p.fill)


def _dot(p: Any, jax: Any) -> Callable:
    return lambda x, y: jax.lax.dot_general(
        x, y, (p.contract, p.batch_dims), "highest", p.preferred_element_type
    )


def _conv(p: Any, jax: Any) -> Callable:
    numbers = jax.lax.ConvDimensionNumbers(*p.dims)
    groups = p.feature_groups, p.batch_groups, "highest", p.preferred_element_type
    static = p.strides, p.padding, p.lhs_dilation, p.rhs_dilation, numbers, *groups
    return lambda x, y: jax.lax.conv_general_dilated(x, y, *static)


def _threefry(p: Any, jax: Any) -> Callable:
    from jax.extend.random import threefry2x32_p  # the oracle's, for those who have jax

    return threefry2x32_p.bind


def window(name: str) -> Oracle:
    """jax's reduction of windows by a binary function of jax.lax."""

    def oracle(p: Any, jax: Any) -> Callable:
        w, binary = p.window, getattr(jax.lax, name)
        static = w.sizes, w.strides, w.padding, w.base_dilation, w.dilation

        def reduce(x: Any) -> Any:
            start = np.asarray(p.monoid.neutral(x.dtype), x.dtype)
            return jax.lax.reduce_window(x, start, binary, *static)

        return reduce

    return oracle


def linalg(name: str, **fixed: Any) -> Oracle:
    """A function of jax.lax.linalg."""
    return lambda p, jax: lambda *xs: getattr(jax.lax.linalg, name)(*xs, **fixed)


def _triangular_solve(p: Any, jax: Any) -> Callable:
    options = {
        "left_side": p.side == "L", "lower": p.uplo == "L", "transpose_a": p.form != "N",
        "conjugate_a": p.form == "C", "unit_diagonal": p.diag == "U",
    }  # fmt: skip
    return lambda a, b: jax.lax.linalg.triangular_solve(a, b, **options)


def _svd(p: Any, jax: Any) -> Callable:
    def function(a: Any) -> Any:
        options = {"full_matrices": p.full_matrices, "compute_uv": p.vectors}
        out = jax.lax.linalg.svd(a, **options)
        return out if p.vectors else [out]

    return function


def _cumulative(name: str) -> Oracle:
    return lax(name, "axis", "reverse")


JAX: dict[str, Oracle] = {
    **{name: lax(RENAMED.get(name, name)) for name in ELEMENTWISE},
    "round": lambda p, jax: lambda x: jax.lax.round(x, jax.lax.RoundingMethod.TO_NEAREST_EVEN),
    "copy": lambda p, jax: lambda x: jax.numpy.copy(x),
    "xlogy": lambda p, jax: jax.scipy.special.xlogy,
    "xlog1py": lambda p, jax: jax.scipy.special.xlog1py,
    "select": lambda p, jax: lambda c, x, y: jax.lax.select(c, x, y),
    "integer_pow": lax("integer_pow", "n"),
    "full": lambda p, jax: lambda: jax.lax.full(p.shape, p.value, p.dtype),
    "iota": lambda p, jax: lambda: jax.lax.broadcasted_iota(p.dtype, p.shape, p.axis),
    "convert_element_type": lax("convert_element_type", "dtype"),
    "bitcast_convert_type": lax("bitcast_convert_type", "dtype"),
    "reshape": lax("reshape", "shape"),
    "transpose": lax("transpose", "permutation"),
    "broadcast_in_dim": lax("broadcast_in_dim", "shape", "dims"),
    "slice": _slice,
    "pad": _pad,
    "split": lambda p, jax: lambda x: jax.lax.split(x, p.sizes, p.axis),
    "concatenate": lambda p, jax: lambda *xs: jax.lax.concatenate(xs, p.axis),
    "rev": lax("rev", "axes"),
    "reduce_sum": along("sum"),
    "reduce_max": reducer("reduce_max"),
    "reduce_min": reducer("reduce_min"),
    "reduce_prod": along("prod"),
    "reduce_and": reducer("reduce_and"),
    "reduce_or": reducer("reduce_or"),
    "arg_max": lax("argmax", "axis", "dtype"),
    "arg_min": lax("argmin", "axis", "dtype"),
    "cum_sum": lax("cumsum", "axis", "reverse"),
    "dot_general": _dot,
    "conv_general_dilated": _conv,
    "gather": _gather,
    "scatter": scatter("scatter"),
    "scatter_add": scatter("scatter_add"),
    "dynamic_slice": lambda p, jax: lambda x, *i: jax.lax.dynamic_slice(x, i, p.sizes),
    "dynamic_update_slice": lambda p, jax: lambda x, u, *i: jax.lax.dynamic_update_slice(x, u, i),
    "sort": lambda p, jax: lambda *xs: jax.lax.sort(xs, dimension=p.axis, num_keys=p.num_keys),
    "threefry2x32": _threefry,
    "top_k": lambda p, jax: lambda x: jax.lax.top_k(x, p.k, axis=p.axis),
    "scatter_mul": scatter("scatter_mul"),
    "scatter_min": scatter("scatter_min"),
    "scatter_max": scatter("scatter_max"),
    "reduce_xor": reducer("reduce_xor"),
    "reduce_precision": lax("reduce_precision", "exponent_bits", "mantissa_bits"),
    "device_put": lambda p, jax: lambda x: jax.device_put(x),
    "optimization_barrier": lambda p, jax: lambda *xs: jax.lax.optimization_barrier(xs),
    "round_away": lambda p, jax: lambda x: jax.lax.round(x),
    "cum_prod": _cumulative("cumprod"),
    "cum_max": _cumulative("cummax"),
    "cum_min": _cumulative("cummin"),
    "cum_logsumexp": _cumulative("cumlogsumexp"),
    "reduce_window_sum": window("add"),
    "reduce_window_prod": window("mul"),
    "reduce_window_max": window("max"),
    "reduce_window_min": window("min"),
    "fft": lambda p, jax: lambda x: jax.lax.fft(x, p.kind, p.lengths),
    "triangular_solve": _triangular_solve,
    "cholesky": linalg("cholesky", symmetrize_input=False),
    "householder_product": linalg("householder_product"),
    "lu": linalg("lu"),
    "lu_pivots_to_permutation": lambda p, jax: (
        lambda x: jax.lax.linalg.lu_pivots_to_permutation(x, p.size)
    ),
    "svd": _svd,
    "hessenberg": linalg("hessenberg"),
    "schur": linalg("schur"),
    "tridiagonal": lambda p, jax: lambda x: jax.lax.linalg.tridiagonal(x, lower=p.below),
    "tridiagonal_solve": linalg("tridiagonal_solve"),
}

for _name in (*NOT_IN_JAX, *ELSEWHERE):
    JAX.pop(_name, None)

#: Of these jax has values, but not all derivatives and batches, or others by choice.
VALUES_ONLY = {
    "scatter_mul": "with equal places jax has no derivative",
    "scatter_min": "jax has no derivative",
    "scatter_max": "jax has no derivative",
    "cholesky": "jax's derivative is that of the symmetric part, ours that of the triangle read",
    "hessenberg": "jax has no derivative",
    "schur": "jax has no derivative",
    "tridiagonal": "jax has no derivative",
    "householder_product": "jax's derivative does not know which elements are read",
    "svd": "jax has no derivative for full matrices",
    "sign": "jax's derivative of complex numbers is 0",
    "clamp": "jax's derivative at swapped bounds is 0",
    "cum_max": "jax's derivative at ties goes elsewhere",
    "cum_min": "jax's derivative at ties goes elsewhere",
    "nextafter": "jax's derivative is 0",
    "reduce_window_prod": "jax has no reverse mode",
    "reduce_window_max": "jax has no derivative of dilated windows; see test_windows.py",
    "reduce_window_min": "jax has no derivative of dilated windows; see test_windows.py",
}
