"""diffeo: composable function transformations for numerical Python.

    import diffeo as dx

`dx.grad`, `dx.vmap`, `dx.jit` and the others transform pure functions of arrays and trees of
arrays; `dx.numpy` is NumPy's interface on diffeo's arrays, and plain NumPy code is traced, too.
Names and signatures are JAX's where the concept is the same. For a tour, run `python -m diffeo`.
"""

# First of all: imported from within our own modules, NumPy takes a tenth longer to load, as Python
# then collects garbage at a worse moment (measured; see benchmarks/startup.py).
import numpy as _numpy  # noqa: F401

from . import (
    custom_batching,
    custom_derivatives,
    debug,
    errors,
    lax,
    nn,
    numpy,
    random,
    scipy,
    tree,
)
from .differential import (
    D,
    ForwardLaplacian,
    Operator,
    bilaplacian,
    curl,
    derivative_tensor,
    differential_operator,
    directional,
    divergence,
    forward_laplacian,
    laplacian,
    weighted_laplacian,
)
from .lax import stop_gradient
from .primitives.array import Array
from .primitives.core import Primitive, Tracer, typeof
from .primitives.jaxpr import Jaxpr, check_jaxpr, eval_jaxpr
from .primitives.types import ShapedArray, config, float0
from .transforms.autodiff import jvp, linear_transpose, linearize, vjp
from .transforms.callbacks import io_callback, pure_callback
from .transforms.checkpoint import (
    checkpoint,
    checkpoint_name,
    checkpoint_policies,
    print_saved_residuals,
    remat,
    saved_residuals,
)
from .transforms.closures import closure_convert, custom_gradient
from .transforms.custom import custom_jvp, custom_rule, custom_vjp
from .transforms.gradients import grad, value_and_grad
from .transforms.interpreter import Interpreter
from .transforms.jacobians import hessian, jacfwd, jacrev
from .transforms.jets import derivatives, jet, nth_derivative, taylor
from .transforms.jit import eval_shape, jit, make_jaxpr
from .transforms.naming import named_call, named_scope
from .transforms.products import gauss_newton_vp, hvp, vhp
from .transforms.sparse import sparse_hessian, sparse_jacobian
from .transforms.sparsity import Sparsity, hessian_sparsity, jacobian_sparsity
from .transforms.stages import ShapeDtypeStruct
from .transforms.vmap import vmap

__version__ = "0.1.0"

__all__ = [
    "Array",
    "D",
    "ForwardLaplacian",
    "Interpreter",
    "Jaxpr",
    "Operator",
    "Primitive",
    "ShapeDtypeStruct",
    "ShapedArray",
    "Sparsity",
    "Tracer",
    "bilaplacian",
    "check_jaxpr",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "closure_convert",
    "config",
    "curl",
    "custom_batching",
    "custom_derivatives",
    "custom_gradient",
    "custom_jvp",
    "custom_rule",
    "custom_vjp",
    "debug",
    "derivative_tensor",
    "derivatives",
    "differential_operator",
    "directional",
    "divergence",
    "errors",
    "eval_jaxpr",
    "eval_shape",
    "float0",
    "forward_laplacian",
    "gauss_newton_vp",
    "grad",
    "hessian",
    "hessian_sparsity",
    "hvp",
    "io_callback",
    "jacfwd",
    "jacobian",
    "jacobian_sparsity",
    "jacrev",
    "jet",
    "jit",
    "jvp",
    "laplacian",
    "lax",
    "linear_transpose",
    "linearize",
    "make_jaxpr",
    "named_call",
    "named_scope",
    "nn",
    "nth_derivative",
    "numpy",
    "print_saved_residuals",
    "pure_callback",
    "random",
    "remat",
    "saved_residuals",
    "scipy",
    "sparse_hessian",
    "sparse_jacobian",
    "stop_gradient",
    "taylor",
    "tree",
    "typeof",
    "value_and_grad",
    "vhp",
    "vjp",
    "vmap",
    "weighted_laplacian",
]

jacobian = jacrev
