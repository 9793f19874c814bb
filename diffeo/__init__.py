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
    from .api.derivatives.autodiff import jvp, linear_transpose, linearize, vjp
    from .api.derivatives.gradients import grad, value_and_grad
    from .api.jit import eval_shape, jit, make_jaxpr
    from .engine import evaluation as _evaluation  # noqa: F401  (the trace at the bottom)
    from .engine.stages import ShapeDtypeStruct
    from .primitives.array import Array
    from .primitives.config import config
    from .primitives.core import Primitive, Tracer, typeof
    from .primitives.jaxpr import Jaxpr, check_jaxpr, eval_jaxpr
    from .primitives.types import ShapedArray, float0
    from .transforms.interpreter import Interpreter

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
    from .api.clearing import clear_caches
    from .api.closures import closure_convert, custom_gradient
    from .api.control_flow.checkpoint import (
        checkpoint,
        checkpoint_name,
        checkpoint_policies,
        print_saved_residuals,
        remat,
        saved_residuals,
    )
    from .api.custom import custom_jvp, custom_rule, custom_vjp
    from .api.derivatives.hessian_products import gauss_newton_vp, hvp, vhp
    from .api.derivatives.jacobians import hessian, jacfwd, jacobian, jacrev
    from .api.derivatives.jets import derivatives, jet, nth_derivative, taylor
    from .api.derivatives.sparse import sparse_hessian, sparse_jacobian
    from .api.derivatives.sparsity import hessian_sparsity, jacobian_sparsity
    from .api.device_put import block_until_ready, default_device, device_get, device_put
    from .api.naming import named_call, named_scope
    from .api.pure_callback import io_callback, pure_callback
    from .api.vmap import vmap
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
    from .lowering.devices.devices import (
        Device,
        default_backend,
        device_count,
        devices,
        local_device_count,
        local_devices,
    )
    from .lowering.devices.plugins import register_plugin
    from .transforms.sparsity.pattern import Sparsity
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
        ".lowering.devices.devices": (
            "Device default_backend device_count devices local_device_count local_devices"
        ),
        ".lowering.devices.plugins": "register_plugin",
        ".api.pure_callback": "io_callback pure_callback",
        ".api.control_flow.checkpoint": (
            "checkpoint checkpoint_name checkpoint_policies print_saved_residuals remat "
            "saved_residuals"
        ),
        ".api.clearing": "clear_caches",
        ".api.closures": "closure_convert custom_gradient",
        ".api.custom": "custom_jvp custom_rule custom_vjp",
        ".engine.explain": "explain",
        ".api.derivatives.jacobians": "hessian jacfwd jacobian jacrev",
        ".api.derivatives.jets": "derivatives jet nth_derivative taylor",
        ".api.naming": "named_call named_scope",
        ".api.device_put": "block_until_ready default_device device_get device_put",
        ".api.derivatives.hessian_products": "gauss_newton_vp hvp vhp",
        ".api.derivatives.sparse": "sparse_hessian sparse_jacobian",
        ".api.derivatives.sparsity": "hessian_sparsity jacobian_sparsity",
        ".transforms.sparsity.pattern": "Sparsity",
        ".api.vmap": "vmap",
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
