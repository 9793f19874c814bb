"""diffeo: composable function transformations for numerical Python.

    import diffeo as dx

`dx.grad`, `dx.vmap`, `dx.jit` and the others transform pure functions of arrays and trees of
arrays; `dx.numpy` is NumPy's interface on diffeo's arrays, and plain NumPy code is traced, too.
Names and signatures are JAX's where the concept is the same. For a tour, run `python -m diffeo`.
"""

from typing import TYPE_CHECKING

from ._uncollected import Uncollected as _Uncollected

with _Uncollected():
    from . import numpy
    from ._loading import Late as _Late
    from .engine import evaluation as _evaluation  # noqa: F401  (the trace at the bottom)
    from .engine.stages import ShapeDtypeStruct
    from .primitives.array import Array
    from .primitives.config import config
    from .primitives.core import Primitive, Tracer, typeof
    from .primitives.jaxpr import Jaxpr, check_jaxpr, eval_jaxpr
    from .primitives.types import ShapedArray, float0
    from .transforms.autodiff import jvp, linear_transpose, linearize, vjp
    from .transforms.gradients import grad, value_and_grad
    from .transforms.interpreter import Interpreter
    from .transforms.jit import eval_shape, jit, make_jaxpr

if TYPE_CHECKING:  # the names that load late; a test compares with the table
    from . import (
        compilation_cache,
        custom_batching,
        custom_derivatives,
        debug,
        errors,
        lax,
        nn,
        random,
        scipy,
        tree,
    )
    from .api.sparsity import hessian_sparsity, jacobian_sparsity
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
    from .engine.explain import explain
    from .lax import stop_gradient
    from .lowering.devices import (
        Device,
        default_backend,
        device_count,
        devices,
        local_device_count,
        local_devices,
    )
    from .lowering.plugins import register_plugin
    from .transforms.callbacks import io_callback, pure_callback
    from .transforms.checkpoint import (
        checkpoint,
        checkpoint_name,
        checkpoint_policies,
        print_saved_residuals,
        remat,
        saved_residuals,
    )
    from .transforms.clearing import clear_caches
    from .transforms.closures import closure_convert, custom_gradient
    from .transforms.custom import custom_jvp, custom_rule, custom_vjp
    from .transforms.jacobians import hessian, jacfwd, jacobian, jacrev
    from .transforms.jets import derivatives, jet, nth_derivative, taylor
    from .transforms.naming import named_call, named_scope
    from .transforms.placement import block_until_ready, default_device, device_get, device_put
    from .transforms.products import gauss_newton_vp, hvp, vhp
    from .transforms.sparse import sparse_hessian, sparse_jacobian
    from .transforms.sparsity.pattern import Sparsity
    from .transforms.vmap import vmap
else:
    _late = _Late(__name__, {
        ".": (
            "compilation_cache custom_batching custom_derivatives debug errors lax nn random scipy "
            "tree"
        ),
        ".differential": (
            "D ForwardLaplacian Operator bilaplacian curl derivative_tensor differential_operator "
            "directional divergence forward_laplacian laplacian weighted_laplacian"
        ),
        ".lax": "stop_gradient",
        ".lowering.devices": (
            "Device default_backend device_count devices local_device_count local_devices"
        ),
        ".lowering.plugins": "register_plugin",
        ".transforms.callbacks": "io_callback pure_callback",
        ".transforms.checkpoint": (
            "checkpoint checkpoint_name checkpoint_policies print_saved_residuals remat "
            "saved_residuals"
        ),
        ".transforms.clearing": "clear_caches",
        ".transforms.closures": "closure_convert custom_gradient",
        ".transforms.custom": "custom_jvp custom_rule custom_vjp",
        ".engine.explain": "explain",
        ".transforms.jacobians": "hessian jacfwd jacobian jacrev",
        ".transforms.jets": "derivatives jet nth_derivative taylor",
        ".transforms.naming": "named_call named_scope",
        ".transforms.placement": "block_until_ready default_device device_get device_put",
        ".transforms.products": "gauss_newton_vp hvp vhp",
        ".transforms.sparse": "sparse_hessian sparse_jacobian",
        ".api.sparsity": "hessian_sparsity jacobian_sparsity",
        ".transforms.sparsity.pattern": "Sparsity",
        ".transforms.vmap": "vmap",
    })
    __getattr__, __dir__ = _late.load, _late.listed

del TYPE_CHECKING

__version__ = "0.1.0"

__all__ = [
    "Array",
    "D",
    "Device",
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
    "block_until_ready",
    "check_jaxpr",
    "checkpoint",
    "checkpoint_name",
    "checkpoint_policies",
    "clear_caches",
    "closure_convert",
    "compilation_cache",
    "config",
    "curl",
    "custom_batching",
    "custom_derivatives",
    "custom_gradient",
    "custom_jvp",
    "custom_rule",
    "custom_vjp",
    "debug",
    "default_backend",
    "default_device",
    "derivative_tensor",
    "derivatives",
    "device_count",
    "device_get",
    "device_put",
    "devices",
    "differential_operator",
    "directional",
    "divergence",
    "errors",
    "eval_jaxpr",
    "eval_shape",
    "explain",
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
    "local_device_count",
    "local_devices",
    "make_jaxpr",
    "named_call",
    "named_scope",
    "nn",
    "nth_derivative",
    "numpy",
    "print_saved_residuals",
    "pure_callback",
    "random",
    "register_plugin",
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
