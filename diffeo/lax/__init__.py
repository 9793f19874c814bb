"""The primitives as functions, with jax.lax's names and its strictness.

Shapes and dtypes are not adapted: operands of an operation have one shape and one dtype, and only
scalars join them. diffeo.numpy's functions broadcast and promote.

Each module has the functions of one trade; the table below says which. `strict.py` has the checks
that all of them share.

Examples:
    >>> import diffeo as dx
    >>> x = dx.numpy.arange(3.0)
    >>> dx.lax.add(x, 1)
    Array([1., 2., 3.])
    >>> dx.lax.add(x, dx.numpy.arange(3))
    Traceback (most recent call last):
    TypeError: add: the operands need equal shapes and dtypes, got f64[3], i64[3]; ...
"""

from .._loading import Late as _Late

#: Where each name is defined; a module is loaded when the first of its names is asked for.
_late = _Late(
    __name__,
    """
.: linalg
..api.control_flow.conditionals: cond switch
..api.control_flow.implicit: custom_linear_solve custom_root
..api.control_flow.loops: fori_loop map scan while_loop
.accuracy: AccuracyMode Tolerance
.bits: RandomAlgorithm rng_bit_generator
.convolution: ConvDimensionNumbers ConvGeneralDilatedDimensionNumbers conv
    conv_dimension_numbers conv_general_dilated conv_general_dilated_local
    conv_general_dilated_patches conv_general_permutations conv_transpose
    conv_with_general_padding padtype_to_pads
.convolution_shapes: conv_general_shape_tuple conv_shape_tuple conv_transpose_shape_tuple
.cumulative: associative_scan cumlogsumexp cummax cummin cumprod cumsum
.dynamic: dynamic_index_in_dim dynamic_slice dynamic_slice_in_dim dynamic_update_index_in_dim
    dynamic_update_slice dynamic_update_slice_in_dim index_take
.elementwise: RoundingMethod abs acos acosh add asin asinh atan atan2 atanh bitwise_and
    bitwise_not bitwise_or bitwise_xor cbrt ceil clamp clz complex conj cos cosh div eq erf
    erf_inv exp exp2 expm1 floor ge gt imag integer_pow is_finite le log log1p logistic lt max
    min mul mulhi ne neg nextafter optimization_barrier population_count pow real reciprocal
    reduce_precision rem round rsqrt select select_n shift_left shift_right_arithmetic
    shift_right_logical sign sin sinh sqrt square stage stop_gradient sub tan tanh
.fourier: FftType fft
.indexing: GatherDimensionNumbers GatherScatterMode ScatterDimensionNumbers gather scatter
    scatter_add scatter_apply scatter_max scatter_min scatter_mul scatter_sub
.parallel: all_gather all_to_all axis_index axis_size pbroadcast pmax pmean pmin ppermute
    pshuffle psum psum_scatter pswapaxes
.products: DotAlgorithm DotAlgorithmPreset DotDimensionNumbers Precision PrecisionLike
    RaggedDotDimensionNumbers batch_matmul dot dot_general ragged_dot ragged_dot_general
.reducing: argmax argmin reduce reduce_and reduce_max reduce_min reduce_or reduce_prod
    reduce_sum reduce_xor
.shaping: bitcast_convert_type broadcast broadcast_in_dim broadcast_like broadcast_shapes
    broadcast_to_rank broadcasted_iota collapse concatenate convert_element_type dtype empty
    expand_dims full full_like index_in_dim iota pad reshape rev shape_as_value slice
    slice_in_dim split squeeze stack tile transpose unstack
.platforms: composite platform_dependent
.scaled: scaled_dot
.sorting: approx_max_k approx_min_k sort sort_key_val top_k
.special: bessel_i0e bessel_i1e betainc digamma erfc igamma igamma_grad_a igammac lgamma
    polygamma random_gamma_grad zeta
.windows: reduce_window reduce_window_shape_tuple
""",
)
__getattr__, __dir__ = _late.load, _late.listed
__all__ = _late.names  # pyright: ignore[reportUnsupportedDunderAll]
