"""The primitives as functions, with jax.lax's names and its strictness.

Shapes and dtypes are not adapted: operands of an operation have one shape and one dtype, and only
scalars join them. diffeo.numpy's functions broadcast and promote.

Examples:
    >>> import diffeo as dx
    >>> x = dx.numpy.arange(3.0)
    >>> dx.lax.add(x, 1)
    Array([1., 2., 3.])
    >>> dx.lax.add(x, dx.numpy.arange(3))
    Traceback (most recent call last):
    TypeError: add: the operands need equal shapes and dtypes, got f64[3], i64[3]; ...
"""

from typing import TYPE_CHECKING

from .._loading import Late as _Late

#: Where each name is defined; a module is loaded when the first of its names is asked for.
_late = _Late(__name__, {
    "..api.control_flow.conditionals": "cond switch",
    "..api.control_flow.implicit": "custom_linear_solve custom_root",
    "..api.control_flow.loops": "fori_loop map scan while_loop",
    ".": "linalg",
    ".bits": "RandomAlgorithm rng_bit_generator",
    ".convolution": (
        "ConvDimensionNumbers ConvGeneralDilatedDimensionNumbers conv conv_dimension_numbers "
        "conv_general_dilated conv_general_dilated_local conv_general_dilated_patches "
        "conv_general_permutations conv_general_shape_tuple conv_shape_tuple conv_transpose "
        "conv_transpose_shape_tuple conv_with_general_padding padtype_to_pads"
    ),
    ".cumulative": "associative_scan cumlogsumexp cummax cummin cumprod cumsum",
    ".elementwise": (
        "RoundingMethod abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_not "
        "bitwise_or bitwise_xor cbrt ceil clamp clz complex conj cos cosh div eq erf erf_inv exp "
        "exp2 expm1 floor ge gt imag integer_pow is_finite le log log1p logistic lt max min mul "
        "mulhi ne neg nextafter optimization_barrier population_count pow real reciprocal "
        "reduce_precision rem round rsqrt select select_n shift_left shift_right_arithmetic "
        "shift_right_logical sign sin sinh sqrt square stop_gradient sub tan tanh"
    ),
    ".fourier": "FftType fft",
    ".indexing": (
        "GatherDimensionNumbers GatherScatterMode ScatterDimensionNumbers dynamic_index_in_dim "
        "dynamic_slice dynamic_slice_in_dim dynamic_update_index_in_dim dynamic_update_slice "
        "dynamic_update_slice_in_dim gather index_take scatter scatter_add scatter_apply "
        "scatter_max scatter_min scatter_mul scatter_sub"
    ),
    ".parallel": (
        "all_gather all_to_all axis_index axis_size pbroadcast pmax pmean pmin ppermute pshuffle "
        "psum psum_scatter pswapaxes"
    ),
    ".products": (
        "DotAlgorithm DotAlgorithmPreset DotDimensionNumbers Precision PrecisionLike "
        "RaggedDotDimensionNumbers batch_matmul dot dot_general ragged_dot ragged_dot_general"
    ),
    ".reducing": (
        "argmax argmin reduce reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum "
        "reduce_xor"
    ),
    ".shaping": (
        "bitcast_convert_type broadcast broadcast_in_dim broadcast_like broadcast_shapes "
        "broadcast_to_rank broadcasted_iota collapse concatenate convert_element_type dtype empty "
        "expand_dims full full_like index_in_dim iota pad reshape rev slice slice_in_dim split "
        "squeeze stack tile transpose unstack"
    ),
    ".sorting": "approx_max_k approx_min_k sort sort_key_val top_k",
    ".special": (
        "bessel_i0e bessel_i1e betainc digamma erfc igamma igamma_grad_a igammac lgamma polygamma "
        "random_gamma_grad zeta"
    ),
    ".windows": "reduce_window reduce_window_shape_tuple",
})

# isort: off
if TYPE_CHECKING:  # the same for type checkers; a test compares
    from ..api.control_flow.conditionals import cond as cond, switch as switch
    from ..api.control_flow.implicit import (
        custom_linear_solve as custom_linear_solve, custom_root as custom_root,
    )
    from ..api.control_flow.loops import (
        fori_loop as fori_loop, map as map, scan as scan, while_loop as while_loop,
    )
    from . import linalg as linalg
    from .bits import RandomAlgorithm as RandomAlgorithm, rng_bit_generator as rng_bit_generator
    from .convolution import (
        ConvDimensionNumbers as ConvDimensionNumbers,
        ConvGeneralDilatedDimensionNumbers as ConvGeneralDilatedDimensionNumbers, conv as conv,
        conv_dimension_numbers as conv_dimension_numbers,
        conv_general_dilated as conv_general_dilated,
        conv_general_dilated_local as conv_general_dilated_local,
        conv_general_dilated_patches as conv_general_dilated_patches,
        conv_general_permutations as conv_general_permutations,
        conv_general_shape_tuple as conv_general_shape_tuple, conv_shape_tuple as conv_shape_tuple,
        conv_transpose as conv_transpose, conv_transpose_shape_tuple as conv_transpose_shape_tuple,
        conv_with_general_padding as conv_with_general_padding, padtype_to_pads as padtype_to_pads,
    )
    from .cumulative import (
        associative_scan as associative_scan, cumlogsumexp as cumlogsumexp, cummax as cummax,
        cummin as cummin, cumprod as cumprod, cumsum as cumsum,
    )
    from .elementwise import (
        RoundingMethod as RoundingMethod, abs as abs, acos as acos, acosh as acosh, add as add,
        asin as asin, asinh as asinh, atan as atan, atan2 as atan2, atanh as atanh,
        bitwise_and as bitwise_and, bitwise_not as bitwise_not, bitwise_or as bitwise_or,
        bitwise_xor as bitwise_xor, cbrt as cbrt, ceil as ceil, clamp as clamp, clz as clz,
        complex as complex, conj as conj, cos as cos, cosh as cosh, div as div, eq as eq,
        erf as erf, erf_inv as erf_inv, exp as exp, exp2 as exp2, expm1 as expm1, floor as floor,
        ge as ge, gt as gt, imag as imag, integer_pow as integer_pow, is_finite as is_finite,
        le as le, log as log, log1p as log1p, logistic as logistic, lt as lt, max as max,
        min as min, mul as mul, mulhi as mulhi, ne as ne, neg as neg, nextafter as nextafter,
        optimization_barrier as optimization_barrier, population_count as population_count,
        pow as pow, real as real, reciprocal as reciprocal, reduce_precision as reduce_precision,
        rem as rem, round as round, rsqrt as rsqrt, select as select, select_n as select_n,
        shift_left as shift_left, shift_right_arithmetic as shift_right_arithmetic,
        shift_right_logical as shift_right_logical, sign as sign, sin as sin, sinh as sinh,
        sqrt as sqrt, square as square, stop_gradient as stop_gradient, sub as sub, tan as tan,
        tanh as tanh,
    )
    from .fourier import FftType as FftType, fft as fft
    from .indexing import (
        GatherDimensionNumbers as GatherDimensionNumbers, GatherScatterMode as GatherScatterMode,
        ScatterDimensionNumbers as ScatterDimensionNumbers,
        dynamic_index_in_dim as dynamic_index_in_dim, dynamic_slice as dynamic_slice,
        dynamic_slice_in_dim as dynamic_slice_in_dim,
        dynamic_update_index_in_dim as dynamic_update_index_in_dim,
        dynamic_update_slice as dynamic_update_slice,
        dynamic_update_slice_in_dim as dynamic_update_slice_in_dim, gather as gather,
        index_take as index_take, scatter as scatter, scatter_add as scatter_add,
        scatter_apply as scatter_apply, scatter_max as scatter_max, scatter_min as scatter_min,
        scatter_mul as scatter_mul, scatter_sub as scatter_sub,
    )
    from .parallel import (
        all_gather as all_gather, all_to_all as all_to_all, axis_index as axis_index,
        axis_size as axis_size, pbroadcast as pbroadcast, pmax as pmax, pmean as pmean,
        pmin as pmin, ppermute as ppermute, pshuffle as pshuffle, psum as psum,
        psum_scatter as psum_scatter, pswapaxes as pswapaxes,
    )
    from .products import (
        DotAlgorithm as DotAlgorithm, DotAlgorithmPreset as DotAlgorithmPreset,
        DotDimensionNumbers as DotDimensionNumbers, Precision as Precision,
        PrecisionLike as PrecisionLike, RaggedDotDimensionNumbers as RaggedDotDimensionNumbers,
        batch_matmul as batch_matmul, dot as dot, dot_general as dot_general,
        ragged_dot as ragged_dot, ragged_dot_general as ragged_dot_general,
    )
    from .reducing import (
        argmax as argmax, argmin as argmin, reduce as reduce, reduce_and as reduce_and,
        reduce_max as reduce_max, reduce_min as reduce_min, reduce_or as reduce_or,
        reduce_prod as reduce_prod, reduce_sum as reduce_sum, reduce_xor as reduce_xor,
    )
    from .shaping import (
        bitcast_convert_type as bitcast_convert_type, broadcast as broadcast,
        broadcast_in_dim as broadcast_in_dim, broadcast_like as broadcast_like,
        broadcast_shapes as broadcast_shapes, broadcast_to_rank as broadcast_to_rank,
        broadcasted_iota as broadcasted_iota, collapse as collapse, concatenate as concatenate,
        convert_element_type as convert_element_type, dtype as dtype, empty as empty,
        expand_dims as expand_dims, full as full, full_like as full_like,
        index_in_dim as index_in_dim, iota as iota, pad as pad, reshape as reshape, rev as rev,
        slice as slice, slice_in_dim as slice_in_dim, split as split, squeeze as squeeze,
        stack as stack, tile as tile, transpose as transpose, unstack as unstack,
    )
    from .sorting import (
        approx_max_k as approx_max_k, approx_min_k as approx_min_k, sort as sort,
        sort_key_val as sort_key_val, top_k as top_k,
    )
    from .special import (
        bessel_i0e as bessel_i0e, bessel_i1e as bessel_i1e, betainc as betainc, digamma as digamma,
        erfc as erfc, igamma as igamma, igamma_grad_a as igamma_grad_a, igammac as igammac,
        lgamma as lgamma, polygamma as polygamma, random_gamma_grad as random_gamma_grad,
        zeta as zeta,
    )
    from .windows import (
        reduce_window as reduce_window, reduce_window_shape_tuple as reduce_window_shape_tuple,
    )
else:
    __getattr__, __dir__ = _late.load, _late.listed
    __all__ = _late.names
# isort: on
del TYPE_CHECKING
