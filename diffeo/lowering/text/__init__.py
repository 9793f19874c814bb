"""StableHLO, the text that XLA compiles.

`module.py` has the entry point, `stablehlo.py` the builder that lowering rules get as `ctx`,
`writer.py` its lines and constants, `foreign_calls.py` its calls of kernels and of Python, and
`mlir_types.py` the names of types.
"""
