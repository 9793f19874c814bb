"""diffeo: composable function transformations for numerical Python.

    import diffeo as dx

`dx.grad`, `dx.vmap`, `dx.jit` and the others transform pure functions of arrays and trees of
arrays; `dx.numpy` is NumPy's interface on diffeo's arrays, and plain NumPy code is traced, too.
Names and signatures are JAX's where the concept is the same. For a tour, run `python -m diffeo`.
"""

from ._uncollected import Uncollected as _Uncollected

with _Uncollected():
    from . import _config as _config
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

#: Where each other name is defined; a module is loaded when the first of its names is asked for.
_late = _Late(
    __name__,
    """
.: ad_checkpoint compilation_cache core custom_batching custom_derivatives debug dlpack dtypes
    errors example_libraries experimental extend flatten_util image interop interpreters lax
    monitoring nn ops profiler random ref scipy stages test_util tree tree_util typing
._contexts: allow_f16_reductions array_garbage_collection_guard check_tracer_leaks checking_leaks
    debug_infs debug_nans default_matmul_precision default_prng_impl disable_jit
    enable_checks enable_custom_prng enable_x64 explain_cache_misses legacy_prng_key log_compiles
    make_user_context no_execution no_tracing numpy_dtype_promotion numpy_rank_promotion
    softmax_custom_jvp thread_guard threefry_partitionable transfer_guard
    transfer_guard_device_to_device transfer_guard_device_to_host transfer_guard_host_to_device
._environment: copy_to_host_async effects_barrier host_count host_id host_ids live_arrays
    print_environment_info process_count process_index process_indices
.api.clearing: clear_caches
.api.closures: closure_convert custom_gradient
.api.control_flow.checkpoint: checkpoint checkpoint_name checkpoint_policies
    print_saved_residuals remat saved_residuals
.api.custom: custom_jvp custom_vjp
.api.custom_rule: custom_rule
.api.derivatives.hessian_products: gauss_newton_vp hvp vhp
.api.derivatives.jacobians: hessian jacfwd jacobian jacrev
.api.derivatives.jets: derivatives jet nth_derivative taylor
.api.derivatives.passes: fwd_and_bwd
.api.derivatives.sparse: sparse_hessian sparse_jacobian
.api.derivatives.sparsity: hessian_sparsity jacobian_sparsity
.api.device_put: block_until_ready default_device device_get device_put
.api.eager: ensure_compile_time_eval
.api.mutable: empty_ref free_ref freeze new_ref
.api.naming: named_call named_scope
.api.pure_callback: io_callback pure_callback
.api.vmap: vmap
.differential: D ForwardLaplacian Operator bilaplacian curl derivative_tensor
    differential_operator directional divergence forward_laplacian laplacian weighted_laplacian
.engine.explain: explain
.engine.refs: Ref
.lax: stop_gradient
.lowering.devices.devices: Device default_backend device_count devices local_device_count
    local_devices
.lowering.devices.plugins: register_plugin
.random.reuse: debug_key_reuse
.transforms.sparsity.pattern: Sparsity
""",
)
__getattr__, __dir__ = _late.load, _late.listed

__version__ = "0.1.0"

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    *_late.names, "Array", "Interpreter", "Jaxpr", "Primitive", "ShapeDtypeStruct", "ShapedArray",
    "Tracer", "check_jaxpr", "config", "eval_jaxpr", "eval_shape", "float0", "grad", "jit", "jvp",
    "linear_transpose", "linearize", "make_jaxpr", "numpy", "typeof", "value_and_grad", "vjp",
]  # fmt: skip
