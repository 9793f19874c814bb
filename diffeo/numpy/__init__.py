"""NumPy's interface, on diffeo's arrays: `import diffeo.numpy as dnp`, or `dx.numpy`.

Names and signatures are NumPy's. Dtypes promote by JAX's lattice with 64 bits on; Python numbers
give way to any array's dtype. Every function works on traced values and in every transformation.
"""

import sys as _sys

from .._loading import Late as _Late
from ..primitives.array import Array as ndarray
from .methods import install as _install

newaxis = None

#: Where each name is defined; a module is loaded when the first of its names is asked for.
_late = _Late(
    __name__,
    """
math: e inf nan pi
numpy: can_cast character complexfloating dtype euler_gamma flexible floating generic
    get_printoptions index_exp inexact integer isdtype iterable number object_ printoptions
    s_ set_printoptions signedinteger unsignedinteger
numpy.exceptions: ComplexWarning
.: fft linalg
..scipy: special
.calculus: corrcoef cov ediff1d gradient interp piecewise unwrap
.choosing: where
.contracting.convolving: convolve correlate
.contracting.polynomials: poly polyadd polyder polydiv polyfit polyint polymul polysub polyval
    roots
.contracting.diagonals: diagonal trace
.contracting.einsum: einsum einsum_path multi_dot
.contracting.products: cross dot inner kron matmul matvec outer tensordot vdot vecdot vecmat
.joining: append array_split block column_stack concat concatenate dsplit dstack hsplit hstack
    split stack unstack vsplit vstack
.limiting: clip nan_to_num
.logarithms: log10 log2 logaddexp logaddexp2
.making.creation: array asarray astype copy empty empty_like from_dlpack full full_like ones
    ones_like zeros zeros_like
.making.dtypes: array_repr array_str iscomplexobj isrealobj isscalar issubdtype ndim promote_types
    result_type shape size
.making.files: frombuffer fromfile fromiter fromstring load save savez
.making.grids: c_ diag diag_indices diag_indices_from diagflat eye fromfunction identity indices
    ix_ mask_indices meshgrid mgrid ogrid r_ ravel_multi_index tri tril tril_indices
    tril_indices_from triu triu_indices triu_indices_from unravel_index vander
.making.limits: finfo iinfo
.making.namespace_info: __array_api_version__ __array_namespace_info__
.making.number_types: bfloat16 bool bool_ cdouble complex128 complex64 complex_ csingle double
    float16 float32 float4_e2m1fn float64 float8_e3m4 float8_e4m3 float8_e4m3b11fnuz float8_e4m3fn
    float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float_ int16 int2 int32 int4 int64
    int8 int_ single uint uint16 uint2 uint32 uint4 uint64 uint8
.making.ranges: arange geomspace linspace logspace
.mapping: apply_along_axis apply_over_axes vectorize
.parts: bitwise_count fmax fmin frexp gcd lcm ldexp modf nextafter packbits spacing unpackbits
.places.padding: pad
.places.selecting: choose compress delete extract insert repeat resize roll select take
    take_along_axis trim_zeros
.places.writing: fill_diagonal place put put_along_axis
.reducing.comparing: allclose argmax argmin array_equal array_equiv
.reducing.cumulative: cumprod cumsum cumulative_prod cumulative_sum diff trapezoid
.reducing.histograms: bincount histogram histogram2d histogram_bin_edges histogramdd
.reducing.nanreductions: nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin nanprod
    nanstd nansum nanvar
.reducing.quantiles: median nanmedian nanpercentile nanquantile percentile quantile
.reducing.reductions: all amax amin any count_nonzero max mean min prod ptp sum
.reducing.sets: argwhere flatnonzero intersect1d isin nonzero setdiff1d setxor1d union1d unique
    unique_all unique_counts unique_inverse unique_values
.reducing.spread: average std var
.reducing.sorting: argpartition argsort digitize lexsort partition searchsorted sort
    sort_complex
.shaping: atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_shapes broadcast_to
    expand_dims flip fliplr flipud matrix_transpose moveaxis permute_dims ravel reshape rollaxis
    rot90 squeeze swapaxes tile transpose
.ufuncs: abs absolute acos acosh add angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh
    around asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor cbrt ceil conj conjugate copysign cos cosh
    deg2rad degrees divide divmod equal exp exp2 expm1 fabs fix float_power floor floor_divide
    fmod greater greater_equal heaviside hypot imag invert isclose iscomplex isfinite isinf
    isnan isneginf isposinf isreal left_shift less less_equal log log1p logical_and logical_not
    logical_or logical_xor maximum minimum mod multiply negative not_equal positive pow power
    rad2deg radians real reciprocal remainder right_shift rint round sign signbit sin sinc sinh
    sqrt square subtract tan tanh true_divide trunc
.universal: frompyfunc ufunc
.windows: bartlett blackman hamming hanning i0 kaiser
""",
)
__getattr__, __dir__ = _late.load, _late.listed
__all__ = ["ndarray", "newaxis", *_late.names]  # pyright: ignore[reportUnsupportedDunderAll]

_install(_sys.modules[__name__])
