"""NumPy's interface, on diffeo's arrays: `import diffeo.numpy as dnp`, or `dx.numpy`.

Names and signatures are NumPy's. Dtypes promote by JAX's lattice with 64 bits on; Python numbers
give way to any array's dtype. Every function works on traced values and in every transformation.
"""

import sys as _sys
from typing import TYPE_CHECKING

from .._loading import Late as _Late
from ..primitives.array import Array as ndarray
from .methods import install as _install

newaxis = None

#: Where each name is defined; a module is loaded when the first of its names is asked for.
_late = _Late(__name__, {
    "math": "e inf nan pi",
    "numpy": (
        "can_cast complexfloating dtype euler_gamma finfo floating generic get_printoptions iinfo "
        "index_exp inexact integer isdtype iterable number printoptions s_ set_printoptions "
        "signedinteger unsignedinteger"
    ),
    "..primitives.types": (
        "bfloat16 bool_ complex64 complex128 float8_e5m2 float16 float32 float64 int8 int16 int32 "
        "int64 uint8 uint16 uint32 uint64"
    ),
    ".": "fft linalg",
    ".calculus": "corrcoef cov ediff1d gradient interp piecewise unwrap",
    ".contracting.convolving": "convolve correlate",
    ".making.creation": (
        "arange array asarray astype copy empty empty_like from_dlpack full full_like geomspace "
        "linspace logspace ones ones_like result_type zeros zeros_like"
    ),
    ".reducing.cumulative": "cumprod cumsum cumulative_prod cumulative_sum diff trapezoid",
    ".making.dtypes": (
        "array_repr array_str bool cdouble complex_ csingle double float8_e3m4 float8_e4m3 "
        "float8_e4m3b11fnuz float8_e4m3fn float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu float_ "
        "int4 int_ iscomplexobj isrealobj isscalar issubdtype ndim promote_types shape single size "
        "uint uint4"
    ),
    ".making.grids": (
        "c_ diag diag_indices diag_indices_from diagflat eye fromfunction identity indices ix_ "
        "mask_indices meshgrid mgrid ogrid r_ ravel_multi_index tri tril tril_indices "
        "tril_indices_from triu triu_indices triu_indices_from unravel_index vander"
    ),
    ".reducing.histograms": "bincount histogram histogram2d histogram_bin_edges histogramdd",
    ".logarithms": "log10 log2 logaddexp logaddexp2",
    ".mapping": "apply_along_axis apply_over_axes vectorize",
    ".making.namespace_info": "__array_api_version__ __array_namespace_info__",
    ".reducing.nanreductions": (
        "nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin nanprod nanstd nansum "
        "nanvar"
    ),
    ".parts": (
        "bitwise_count fmax fmin frexp gcd lcm ldexp modf nextafter packbits spacing unpackbits"
    ),
    ".contracting.polynomials": "poly polyadd polyder polydiv polyfit polyint polymul polysub polyval roots",
    ".contracting.products": (
        "cross diagonal dot einsum einsum_path inner kron matmul matvec multi_dot outer "
        "tensordot trace vdot vecdot vecmat"
    ),
    ".reducing.quantiles": "median nanmedian nanpercentile nanquantile percentile quantile",
    ".reducing.reductions": (
        "all allclose amax amin any argmax argmin array_equal array_equiv average count_nonzero "
        "max mean min prod ptp std sum var"
    ),
    ".places.selecting": (
        "choose compress delete extract insert pad repeat resize roll select take take_along_axis "
        "trim_zeros"
    ),
    ".reducing.sets": (
        "argwhere flatnonzero intersect1d isin nonzero setdiff1d setxor1d union1d unique "
        "unique_all unique_counts unique_inverse unique_values"
    ),
    ".shaping": (
        "append array_split atleast_1d atleast_2d atleast_3d block broadcast_arrays "
        "broadcast_shapes broadcast_to column_stack concat concatenate dsplit dstack expand_dims "
        "flip fliplr flipud hsplit hstack matrix_transpose moveaxis permute_dims ravel reshape "
        "rollaxis rot90 split squeeze stack swapaxes tile transpose unstack vsplit vstack"
    ),
    ".reducing.sorting": (
        "argpartition argsort digitize lexsort partition searchsorted sort sort_complex"
    ),
    ".ufuncs": (
        "abs absolute acos acosh add angle arccos arccosh arcsin arcsinh arctan arctan2 arctanh "
        "around asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift "
        "bitwise_not bitwise_or bitwise_right_shift bitwise_xor cbrt ceil clip conj conjugate "
        "copysign cos cosh deg2rad degrees divide divmod equal exp exp2 expm1 fabs fix float_power "
        "floor floor_divide fmod greater greater_equal heaviside hypot imag invert isclose "
        "iscomplex isfinite isinf isnan isneginf isposinf isreal left_shift less less_equal log "
        "log1p logical_and logical_not logical_or logical_xor "
        "maximum minimum mod multiply nan_to_num negative not_equal positive pow power rad2deg "
        "radians real reciprocal remainder right_shift rint round sign signbit sin sinc sinh sqrt "
        "square subtract tan tanh true_divide trunc where"
    ),
    ".windows": "bartlett blackman hamming hanning i0 kaiser",
    ".places.writing": "fill_diagonal place put put_along_axis",
})

# isort: off
if TYPE_CHECKING:  # the same for type checkers; a test compares
    from ..primitives.array import Array as ndarray
    from math import e as e, inf as inf, nan as nan, pi as pi
    from numpy import (
        can_cast as can_cast, complexfloating as complexfloating, dtype as dtype,
        euler_gamma as euler_gamma, finfo as finfo, floating as floating, generic as generic,
        get_printoptions as get_printoptions, iinfo as iinfo, index_exp as index_exp,
        inexact as inexact, integer as integer, isdtype as isdtype, iterable as iterable,
        number as number, printoptions as printoptions, s_ as s_,
        set_printoptions as set_printoptions, signedinteger as signedinteger,
        unsignedinteger as unsignedinteger,
    )
    from ..primitives.types import (
        bfloat16 as bfloat16, bool_ as bool_, complex64 as complex64, complex128 as complex128,
        float8_e5m2 as float8_e5m2, float16 as float16, float32 as float32, float64 as float64,
        int8 as int8, int16 as int16, int32 as int32, int64 as int64, uint8 as uint8,
        uint16 as uint16, uint32 as uint32, uint64 as uint64,
    )
    from . import fft as fft, linalg as linalg
    from .calculus import (
        corrcoef as corrcoef, cov as cov, ediff1d as ediff1d, gradient as gradient,
        interp as interp, piecewise as piecewise, unwrap as unwrap,
    )
    from .contracting.convolving import convolve as convolve, correlate as correlate
    from .making.creation import (
        arange as arange, array as array, asarray as asarray, astype as astype, copy as copy,
        empty as empty, empty_like as empty_like, from_dlpack as from_dlpack, full as full,
        full_like as full_like, geomspace as geomspace, linspace as linspace, logspace as logspace,
        ones as ones, ones_like as ones_like, result_type as result_type, zeros as zeros,
        zeros_like as zeros_like,
    )
    from .reducing.cumulative import (
        cumprod as cumprod, cumsum as cumsum, cumulative_prod as cumulative_prod,
        cumulative_sum as cumulative_sum, diff as diff, trapezoid as trapezoid,
    )
    from .making.dtypes import (
        array_repr as array_repr, array_str as array_str, bool as bool, cdouble as cdouble,
        complex_ as complex_, csingle as csingle, double as double, float8_e3m4 as float8_e3m4,
        float8_e4m3 as float8_e4m3, float8_e4m3b11fnuz as float8_e4m3b11fnuz,
        float8_e4m3fn as float8_e4m3fn, float8_e4m3fnuz as float8_e4m3fnuz,
        float8_e5m2fnuz as float8_e5m2fnuz, float8_e8m0fnu as float8_e8m0fnu, float_ as float_,
        int4 as int4, int_ as int_, iscomplexobj as iscomplexobj, isrealobj as isrealobj,
        isscalar as isscalar, issubdtype as issubdtype, ndim as ndim,
        promote_types as promote_types, shape as shape, single as single, size as size,
        uint as uint, uint4 as uint4,
    )
    from .making.grids import (
        c_ as c_, diag as diag, diag_indices as diag_indices,
        diag_indices_from as diag_indices_from, diagflat as diagflat, eye as eye,
        fromfunction as fromfunction, identity as identity, indices as indices, ix_ as ix_,
        mask_indices as mask_indices, meshgrid as meshgrid, mgrid as mgrid, ogrid as ogrid,
        r_ as r_, ravel_multi_index as ravel_multi_index, tri as tri, tril as tril,
        tril_indices as tril_indices, tril_indices_from as tril_indices_from, triu as triu,
        triu_indices as triu_indices, triu_indices_from as triu_indices_from,
        unravel_index as unravel_index, vander as vander,
    )
    from .reducing.histograms import (
        bincount as bincount, histogram as histogram, histogram2d as histogram2d,
        histogram_bin_edges as histogram_bin_edges, histogramdd as histogramdd,
    )
    from .logarithms import (
        log2 as log2, log10 as log10, logaddexp as logaddexp, logaddexp2 as logaddexp2,
    )
    from .mapping import (
        apply_along_axis as apply_along_axis, apply_over_axes as apply_over_axes,
        vectorize as vectorize,
    )
    from .making.namespace_info import (
        __array_api_version__ as __array_api_version__,
        __array_namespace_info__ as __array_namespace_info__,
    )
    from .reducing.nanreductions import (
        nanargmax as nanargmax, nanargmin as nanargmin, nancumprod as nancumprod,
        nancumsum as nancumsum, nanmax as nanmax, nanmean as nanmean, nanmin as nanmin,
        nanprod as nanprod, nanstd as nanstd, nansum as nansum, nanvar as nanvar,
    )
    from .parts import (
        bitwise_count as bitwise_count, fmax as fmax, fmin as fmin, frexp as frexp, gcd as gcd,
        lcm as lcm, ldexp as ldexp, modf as modf, nextafter as nextafter, packbits as packbits,
        spacing as spacing, unpackbits as unpackbits,
    )
    from .contracting.polynomials import (
        poly as poly, polyadd as polyadd, polyder as polyder, polydiv as polydiv,
        polyfit as polyfit, polyint as polyint, polymul as polymul, polysub as polysub,
        polyval as polyval, roots as roots,
    )
    from .contracting.products import (
        cross as cross, diagonal as diagonal, dot as dot, einsum as einsum,
        einsum_path as einsum_path, inner as inner, kron as kron,
        matmul as matmul, matvec as matvec, multi_dot as multi_dot, outer as outer,
        tensordot as tensordot, trace as trace, vdot as vdot, vecdot as vecdot, vecmat as vecmat,
    )
    from .reducing.quantiles import (
        median as median, nanmedian as nanmedian, nanpercentile as nanpercentile,
        nanquantile as nanquantile, percentile as percentile, quantile as quantile,
    )
    from .reducing.reductions import (
        all as all, allclose as allclose, amax as amax, amin as amin, any as any, argmax as argmax,
        argmin as argmin, array_equal as array_equal, array_equiv as array_equiv,
        average as average, count_nonzero as count_nonzero, max as max, mean as mean, min as min,
        prod as prod, ptp as ptp, std as std, sum as sum, var as var,
    )
    from .places.selecting import (
        choose as choose, compress as compress, delete as delete, extract as extract,
        insert as insert, pad as pad, repeat as repeat, resize as resize, roll as roll,
        select as select, take as take, take_along_axis as take_along_axis,
        trim_zeros as trim_zeros,
    )
    from .reducing.sets import (
        argwhere as argwhere, flatnonzero as flatnonzero, intersect1d as intersect1d, isin as isin,
        nonzero as nonzero, setdiff1d as setdiff1d, setxor1d as setxor1d, union1d as union1d,
        unique as unique, unique_all as unique_all, unique_counts as unique_counts,
        unique_inverse as unique_inverse, unique_values as unique_values,
    )
    from .shaping import (
        append as append, array_split as array_split, atleast_1d as atleast_1d,
        atleast_2d as atleast_2d, atleast_3d as atleast_3d, block as block,
        broadcast_arrays as broadcast_arrays, broadcast_shapes as broadcast_shapes,
        broadcast_to as broadcast_to, column_stack as column_stack, concat as concat,
        concatenate as concatenate, dsplit as dsplit, dstack as dstack, expand_dims as expand_dims,
        flip as flip, fliplr as fliplr, flipud as flipud, hsplit as hsplit, hstack as hstack,
        matrix_transpose as matrix_transpose, moveaxis as moveaxis, permute_dims as permute_dims,
        ravel as ravel, reshape as reshape, rollaxis as rollaxis, rot90 as rot90, split as split,
        squeeze as squeeze, stack as stack, swapaxes as swapaxes, tile as tile,
        transpose as transpose, unstack as unstack, vsplit as vsplit, vstack as vstack,
    )
    from .reducing.sorting import (
        argpartition as argpartition, argsort as argsort, digitize as digitize, lexsort as lexsort,
        partition as partition, searchsorted as searchsorted, sort as sort,
        sort_complex as sort_complex,
    )
    from .ufuncs import (
        abs as abs, absolute as absolute, acos as acos, acosh as acosh, add as add, angle as angle,
        arccos as arccos, arccosh as arccosh, arcsin as arcsin, arcsinh as arcsinh,
        arctan as arctan, arctan2 as arctan2, arctanh as arctanh, around as around, asin as asin,
        asinh as asinh, atan as atan, atan2 as atan2, atanh as atanh, bitwise_and as bitwise_and,
        bitwise_invert as bitwise_invert, bitwise_left_shift as bitwise_left_shift,
        bitwise_not as bitwise_not, bitwise_or as bitwise_or,
        bitwise_right_shift as bitwise_right_shift, bitwise_xor as bitwise_xor, cbrt as cbrt,
        ceil as ceil, clip as clip, conj as conj, conjugate as conjugate, copysign as copysign,
        cos as cos, cosh as cosh, deg2rad as deg2rad, degrees as degrees, divide as divide,
        divmod as divmod, equal as equal, exp as exp, exp2 as exp2, expm1 as expm1, fabs as fabs,
        fix as fix, float_power as float_power, floor as floor, floor_divide as floor_divide,
        fmod as fmod, greater as greater, greater_equal as greater_equal, heaviside as heaviside,
        hypot as hypot, imag as imag, invert as invert, isclose as isclose, iscomplex as iscomplex,
        isfinite as isfinite, isinf as isinf, isnan as isnan, isneginf as isneginf,
        isposinf as isposinf, isreal as isreal, left_shift as left_shift, less as less,
        less_equal as less_equal, log as log, log1p as log1p, logical_and as logical_and,
        logical_not as logical_not, logical_or as logical_or, logical_xor as logical_xor,
        maximum as maximum, minimum as minimum, mod as mod, multiply as multiply,
        nan_to_num as nan_to_num, negative as negative, not_equal as not_equal,
        positive as positive, pow as pow, power as power, rad2deg as rad2deg, radians as radians,
        real as real, reciprocal as reciprocal, remainder as remainder, right_shift as right_shift,
        rint as rint, round as round, sign as sign, signbit as signbit, sin as sin, sinc as sinc,
        sinh as sinh, sqrt as sqrt, square as square, subtract as subtract, tan as tan,
        tanh as tanh, true_divide as true_divide, trunc as trunc, where as where,
    )
    from .windows import (
        bartlett as bartlett, blackman as blackman, hamming as hamming, hanning as hanning,
        i0 as i0, kaiser as kaiser,
    )
    from .places.writing import (
        fill_diagonal as fill_diagonal, place as place, put as put,
        put_along_axis as put_along_axis,
    )
else:
    __getattr__, __dir__ = _late.load, _late.listed
    __all__ = ["ndarray", "newaxis", *_late.names]
# isort: on
del TYPE_CHECKING

_install(_sys.modules[__name__])
