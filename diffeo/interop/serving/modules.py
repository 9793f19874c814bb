"""Which of jax's modules are served, and where jax means something else than diffeo by a name."""

from __future__ import annotations

#: The version of jax whose public names these are.
VERSION = "0.10.2"

_MODULES = """
jax jax.ad_checkpoint jax.api_util jax.core jax.custom_batching jax.custom_derivatives jax.debug
jax.distributed jax.dlpack jax.dtypes jax.errors jax.export jax.ffi jax.flatten_util jax.image
jax.monitoring jax.ops jax.profiler jax.random jax.ref jax.sharding jax.stages jax.test_util
jax.tree jax.tree_util jax.typing jax.version jax.lib jax.lib.xla_bridge
jax.example_libraries jax.example_libraries.optimizers jax.example_libraries.stax
jax.experimental jax.experimental.checkify jax.experimental.compilation_cache
jax.experimental.compilation_cache.compilation_cache jax.experimental.jet jax.experimental.ode
jax.experimental.multihost_utils jax.experimental.mesh_utils jax.experimental.pjit
jax.experimental.shard_map jax.experimental.sparse jax.experimental.sparse.linalg
jax.experimental.key_reuse jax.experimental.layout
jax.extend jax.extend.backend jax.extend.core jax.extend.core.primitives jax.extend.linear_util
jax.extend.random jax.extend.source_info_util
jax.interpreters jax.interpreters.ad jax.interpreters.batching jax.interpreters.mlir
jax.interpreters.partial_eval jax.interpreters.pxla jax.interpreters.xla
jax.lax jax.lax.linalg jax.nn jax.nn.initializers
jax.numpy jax.numpy.fft jax.numpy.linalg
jax.scipy jax.scipy.cluster jax.scipy.cluster.vq jax.scipy.fft jax.scipy.integrate
jax.scipy.interpolate jax.scipy.linalg jax.scipy.ndimage jax.scipy.optimize jax.scipy.signal
jax.scipy.sparse jax.scipy.sparse.linalg jax.scipy.spatial jax.scipy.spatial.transform
jax.scipy.special jax.scipy.stats jax.scipy.stats.bernoulli jax.scipy.stats.beta
jax.scipy.stats.betabinom jax.scipy.stats.binom jax.scipy.stats.cauchy jax.scipy.stats.chi2
jax.scipy.stats.dirichlet jax.scipy.stats.expon jax.scipy.stats.gamma
jax.scipy.stats.gennorm jax.scipy.stats.geom jax.scipy.stats.gumbel_l jax.scipy.stats.gumbel_r
jax.scipy.stats.laplace jax.scipy.stats.logistic jax.scipy.stats.multinomial
jax.scipy.stats.multivariate_normal jax.scipy.stats.nbinom jax.scipy.stats.norm
jax.scipy.stats.pareto jax.scipy.stats.poisson jax.scipy.stats.t jax.scipy.stats.truncnorm
jax.scipy.stats.uniform jax.scipy.stats.vonmises jax.scipy.stats.wrapcauchy
"""
#: jax's public modules. One is served if diffeo has a module of that name, or there is an overlay.
MODULES = frozenset(_MODULES.split())

_HERE = "diffeo.interop.serving.overlays"
#: For one of jax's modules, where the names stand that are not diffeo's of the same name.
OVERLAYS = {
    "jax": f"{_HERE}.top",
    "jax.core": f"{_HERE}.array_classes",
    "jax.experimental": f"{_HERE}.experimental",
    "jax.lax": f"{_HERE}.primitive_names",
    "jax.extend.core.primitives": f"{_HERE}.primitive_names",
    "jax.numpy": f"{_HERE}.numpy_names",
    "jax.api_util": "diffeo.extend.linear_util",
    "jax.extend.source_info_util": f"{_HERE}.tracebacks",
    "jax.version": f"{_HERE}.version",
}

#: What stands in for names that diffeo does not have, so that libraries can import them.
FALLBACKS = {
    "jax": f"{_HERE}.refused",
    "jax.extend.core": f"{_HERE}.traces",
    "jax.extend.linear_util": f"{_HERE}.traces",
    "jax.lax": f"{_HERE}.meshes",
    "jax.lib": f"{_HERE}.version",
    "jax.sharding": f"{_HERE}.sharding",
    **dict.fromkeys(
        (
            "jax.experimental.layout",
            "jax.experimental.mesh_utils",
            "jax.experimental.multihost_utils",
            "jax.experimental.pjit",
            "jax.experimental.shard_map",
        ),
        f"{_HERE}.meshes",
    ),
}

#: jax's internals that popular libraries import, and the modules that have these names.
INTERNALS = {
    "jax._src": "",
    "jax._src.compiler": f"{_HERE}.compiling",
    "jax._src.core": "diffeo.core diffeo.extend.core diffeo",
    "jax._src.dispatch": f"{_HERE}.compiling",
    "jax._src.dtypes": f"{_HERE}.extended_dtypes diffeo.dtypes diffeo.numpy",
    "jax._src.flatten_util": "diffeo.flatten_util",
    "jax._src.traceback_util": f"{_HERE}.tracebacks",
    "jax._src.tree_util": "diffeo.tree_util",
    "jax._src.xla_bridge": f"{_HERE}.compiling",
}
