"""Tests whose failures have a reason that their cause does not show; see `reasons.py`."""

#: Patterns of tests, as the file, the class and the name, and a reason.
LISTED = {
    # How tracebacks are filtered.
    "errors_test.py::FilteredTracebackTest::*": "insides",
    "errors_test.py::UserContextTracebackTest::*": "insides",
    # What jax refuses, and diffeo computes: tracers in rules, forward mode through custom_vjp,
    # derivatives of a scatter whose places repeat.
    "custom_api_test.py::*::test_nondiff_arg_hiding_jvp_tracer": "decided",
    "custom_api_test.py::*::test_nondiff_arg_tracer_error": "decided",
    "custom_api_test.py::*::test_closed_over_*tracer*": "decided",
    "custom_api_test.py::*::test_closure_with_vmap2": "decided",
    "custom_api_test.py::*::test_jvp_error": "decided",
    "custom_api_test.py::CustomVmapTest::test_partial_eval_raises": "decided",
    "lax_autodiff_test.py::*::test_scatter_apply_*": "decided",
    "lax_numpy_indexing_test.py::*::testIndexMulGradFailsIfNotUnique": "decided",
    # Programs as they are written, and their parameters.
    "custom_api_test.py::*::test_*pretty_print": "insides",
    "custom_api_test.py::*::test_dce": "insides",
    "custom_api_test.py::*::test_sequential_vmap_*": "insides",
    "custom_api_test.py::*::test_bwd_rule_shape_mismatch_disable": "insides",
    "custom_api_test.py::*::test_optimize_remat*": "insides",
    "lax_control_flow_test.py::*::testCaching": "insides",
    "lax_control_flow_test.py::*::testForiLoopBatchedIssue1190": "insides",
    "lax_numpy_indexing_test.py::*::testIndicesNormalizationByType*": "insides",
    "lax_numpy_test.py::*::testArangeJaxpr*": "insides",
    "lax_numpy_test.py::*::testDtypeWrappers*": "insides",
    "lax_numpy_test.py::*::testPiecewiseRecompile": "insides",
    "lax_numpy_test.py::*Jaxpr*": "insides",
    "lax_numpy_test.py::*::testTakeAlongAxisPromiseInBoundsNoWrap*": "insides",
    "lax_numpy_reducers_test.py::*::test*F16Casts*": "insides",
    "lax_numpy_test.py::NumpyDocTests::*": "insides",
    "lax_test.py::*::test_select_jvp_complexity": "insides",
    "lax_test.py::CompositeTest::*": "insides",
    "lax_test.py::*::testDotAlgorithmConfig": "insides",
    "batching_test.py::VmappableTest::*": "insides",
    "jax_jit_test.py::*::test_device_put_on_sharded_device_array*": "devices",
    "pickle_test.py::*sharding*": "devices",
    "nn_test.py::*::testSoftmaxGradFlag": "insides",
    # jax has symbolic zeros of Python's numbers as such.
    "custom_api_test.py::*::test_symbolic_zero_custom_*": "insides",
    # A known index out of bounds is an IndexError; integers that do not fit are an OverflowError.
    "nn_test.py::*::testDotProductAttentionMask*": "decided",
    "lax_numpy_test.py::*::testTakeAlongAxisOutOfBounds": "decided",
    "lax_numpy_test.py::*::testTakeAlongAxisDefaultAxis": "decided",
    "lax_test.py::*::testConvertElementTypeOOB": "decided",
    # Lists are indices, as they are in NumPy, and masked arrays are refused.
    "lax_numpy_indexing_test.py::*::testBooleanIndexingList*": "decided",
    "lax_numpy_indexing_test.py::*::testIndexSequenceDeprecation*": "decided",
    "jax_jit_test.py::*masked_array*": "decided",
    "lax_numpy_test.py::*MaskedArray*": "decided",
    # Elements of 4 and 8 bits are for storage; an accuracy that there is not is refused.
    "lax_test.py::*int4*": "decided",
    "lax_test.py::*::test_gather_with_asymmetric_dtype": "decided",
    "lax_test.py::*::testEvenFunctionGrads*": "decided",
    "lax_test.py::*::testExpm1Grad": "decided",
    "lax_test.py::*::test_dce_sink_prevents_xla_dce": "decided",
    # NumPy's results, where jax has its own: infinite, and not nan.
    "lax_numpy_reducers_test.py::*::testStdOrVarLargeDdofReturnsNan*": "decided",
    # The same error of another class.
    "lax_test.py::*::testConvInvalidPadding": "words",
    "lax_test.py::*::testPadErrors": "words",
    "lax_test.py::*::testReduceWindowFailures": "words",
    "lax_test.py::*::test_conv_general_dilated_different_input_ranks_error": "words",
    "lax_test.py::*::test_reduce_with_*_errors": "words",
    "lax_test.py::*::test_reduction_with_repeated_axes_error": "words",
    "lax_test.py::*::test_window_strides_dimension_shape_rule": "words",
    "lax_vmap_test.py::*::testBroadcastShapesFaultyInputs": "words",
    # Eager results are NumPy's, and differ from compiled ones in the last digits.
    "linalg_test.py::*::testTensorsolve*": "decided",
    "linalg_test.py::*::testEig0": "decided",
    "linalg_test.py::*::testQrInvalidDtypeCPU": "words",
    "linalg_test.py::*::test_tridiagonal_solve0": "decided",
}
