"""The public names of jax that diffeo does not have, each with its reason: data, and its lookup.

It is loaded when somebody asks for a name that is missing, and by `tests/test_jax_coverage.py`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

_SHARDING = "it comes with diffeo's modules of sharding, which are not there yet"
_PROCESSES = "it comes with diffeo's module for several processes, which is not there yet"
_EXPORT = "it comes with diffeo's module of export, which is not there yet"
_DIMENSIONS = "the sizes of axes are numbers: there is no dimension to be inconclusive about"
_PALLAS = "kernels are written in jax's own languages for GPUs and TPUs"
_PRIMITIVE = (
    "jax's primitives are objects with tables of rules; diffeo's are classes (`dx.Primitive`), and "
    "the function of that name binds them"
)
_INSIDES = "a part of jax's insides that no documentation names"

#: (reason, names): a name of a module stands for all in it, `*` for any letters, and
#: `jax.numpy.foo(bar=)` for a parameter.
_TABLE: tuple[tuple[str, str], ...] = (
    (
        _SHARDING,
        """
        jax.sharding jax.NamedSharding jax.P jax.Shard jax.make_mesh jax.set_mesh jax.shard_map
        jax.smap jax.pmap jax.reshard jax.auto_pcast jax.remove_size_one_mesh_axis_from_type
        jax.make_array_from_callback jax.make_array_from_process_local_data
        jax.make_array_from_single_device_arrays jax.get_abstract_mesh jax.get_mesh
        jax.use_abstract_mesh jax.lax.pcast jax.lax.with_sharding_constraint
        jax.lax.ragged_all_to_all jax.lax.psend jax.lax.precv jax.lax.psum_scatter_start
        jax.debug.inspect_array_sharding jax.debug.visualize_array_sharding
        jax.debug.visualize_sharding jax.experimental.mesh_utils jax.experimental.shard_map
        jax.memory jax.experimental.pjit jax.experimental.custom_partitioning
        jax.experimental.layout
        """,
    ),
    (_PROCESSES, "jax.distributed jax.experimental.multihost_utils"),
    ("XLA has no arrays of these numbers", "jax.numpy.float6_e2m3fn jax.numpy.float6_e3m2fn"),
    (_DIMENSIONS, "jax.errors.InconclusiveDimensionOperation"),
    (
        "`m[...]`, bcoo_slice and bcoo_dynamic_slice take parts of sparse arrays; windows at "
        "several places at once are not there yet",
        "jax.experimental.sparse.bcoo_gather",
    ),
    (
        "convolutions of sparse arrays are not there yet",
        "jax.experimental.sparse.bcoo_conv_general_dilated",
    ),
    (
        "solvers that take a sparse matrix apart are not there yet; dx.scipy.sparse.linalg's cg, "
        "gmres and bicgstab take a function, such as `lambda v: m @ v`",
        "jax.experimental.sparse.linalg",
    ),
    (
        "sparsify is an interpreter, whose tracers are those of every `dx.Interpreter`",
        "jax.experimental.sparse.SparseTracer",
    ),
    ("a Ref says its type itself, by `aval`, `shape` and `dtype`", "jax.ref.AbstractRef"),
    (
        "it is about types of jax's own that are changed in place",
        "jax.experimental.EArray jax.experimental.cur_qdd jax.experimental.primal_tangent_dtype",
    ),
    (
        "it is about jax's traces and jaxprs from inside, for which diffeo's have no counterpart",
        """
        jax.extend.core.AbstractToken jax.extend.core.CallPrimitive jax.extend.core.DebugInfo
        jax.extend.core.DropVar jax.extend.core.Effects
        jax.extend.core.InconclusiveDimensionOperation jax.extend.core.JaxprTypeError
        jax.extend.core.Token jax.extend.core.TraceTag jax.extend.core.array_types
        jax.extend.core.call_impl jax.extend.core.concrete_or_error
        jax.extend.core.find_top_trace jax.extend.core.gensym
        jax.extend.core.no_effects jax.extend.core.nonempty_axis_env_DO_NOT_USE
        jax.extend.core.primal_dtype_to_tangent_dtype jax.extend.core.set_current_trace
        jax.extend.core.take_current_trace
        jax.extend.core.unsafe_am_i_under_a_jit_DO_NOT_USE
        jax.extend.core.unsafe_am_i_under_a_vmap_DO_NOT_USE
        jax.extend.core.unsafe_get_axis_names_DO_NOT_USE
        """,
    ),
    ("foreign functions of one's own cannot be called yet", "jax.ffi jax.extend.ffi"),
    (
        "it is jax's own way into XLA and MLIR",
        """
        jax.extend.backend jax.extend.lowering jax.extend.mlir jax.extend.xla jax.extend.random
        """,
    ),
    (_EXPORT, "jax.export jax.experimental.serialize_executable jax.experimental.jax2tf"),
    (_PALLAS, "jax.experimental.pallas jax.extend.pallas jax.experimental.mosaic"),
    (
        _PRIMITIVE,
        """
        jax.lax.*_p jax.lax.linalg.*_p jax.experimental.sparse.*_p jax.custom_derivatives.*_p
        jax.random.random_gamma_p jax.ad_checkpoint.name_p
        """,
    ),
    (_INSIDES, "jax.ad jax.ad_checkpoint.checkpoint_name_fwd jax._src"),
    (
        "effects are words here, which a primitive says (`effects`)",
        "jax.debug.DebugEffect jax.debug.OrderedDebugEffect",
    ),
    (
        "residuals are kept where they are, or computed again: there is no third place for them",
        "jax.ad_checkpoint.Offloadable",
    ),
    (
        "a text of dialects, and no MLIR objects, is what is lowered: `as_text()`",
        "jax.stages.Lowered.compiler_ir",
    ),
    (
        "effects happen in the program's order without tokens, and are never dead",
        "jax.lax.after_all jax.lax.create_token jax.lax.dce_sink",
    ),
    (
        "its numbers depend on the device; dx.random.uniform draws the same everywhere",
        "jax.lax.rng_uniform",
    ),
    ("dx.lax.dynamic_slice takes a start that is traced", "jax.ds"),
    (
        "it is newer than the jax whose names diffeo has, 0.10.2",
        """
        jax.CompilerEffortLevel jax.Inline jax.numpy.minmax jax.numpy.top_k jax.lax.log2
        jax.lax.one_minus_square jax.lax.polynomial jax.random.Key
        jax.extend.core.create_call_primitive jax.extend.core.eval_jaxpr_transpose
        jax.extend.core.register_call_primitive_rules jax.profiler.ProfileSession
        jax.profiler.export_profile_data
        """,
    ),
    (
        "NumPy reads one triangle, and so does diffeo: the other one may hold anything",
        """
        jax.numpy.linalg.cholesky(symmetrize_input=) jax.numpy.linalg.eigh(symmetrize_input=)
        jax.numpy.linalg.eigvalsh(symmetrize_input=)
        """,
    ),
    (
        "eigenvectors have derivatives without asking",
        "jax.lax.linalg.eig(enable_eigvec_derivs=)",
    ),
    ("it is about jax's converter to TensorFlow", "jax.jax2tf_associative_scan_reductions"),
)

#: Every entry of the table: the name, or pattern -> the reason.
EXCEPTIONS: dict[str, str] = {name: why for why, names in _TABLE for name in names.split()}


def reason(name: str) -> str | None:
    """Return why diffeo lacks a name of jax's, or None if the table does not have it.

    Args:
        name: in full, as `jax.lax.precv`, or of a parameter, as `jax.numpy.foo(bar=)`.

    Examples:
        >>> from diffeo.interop.exceptions import reason
        >>> reason("jax.lax.add_p") == reason("jax.lax.scan_p") is not None
        True
        >>> reason("jax.lax.add") is None
        True
    """
    entry = entry_of(name)
    return None if entry is None else EXCEPTIONS[entry]


def entry_of(name: str) -> str | None:
    """Return the entry of the table that a name falls under: itself, a module, or a pattern."""
    parts = name.partition("(")[0].split(".")
    above = [".".join(parts[:count]) for count in range(len(parts), 1, -1)]
    for candidate in [name, *above]:
        if candidate in EXCEPTIONS:
            return candidate
    patterns = [entry for entry in EXCEPTIONS if "*" in entry]
    return next((entry for entry in patterns if fnmatchcase(name, entry)), None)
