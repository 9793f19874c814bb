"""The price of calling a compiled function that has next to nothing to do."""

from functools import partial

import numpy as np

from benchmarks.case import Program

VECTOR = np.arange(1.0, 6.0)


def one_array(lib):
    x = lib.numpy.asarray(VECTOR)
    function = lib.jit(lambda x: x + 1.0)
    return lambda: function(x)


def numpy_array(lib):
    function = lib.jit(lambda x: x + 1.0)
    return lambda: function(VECTOR)


def dictionary(count, array):
    return {f"w{i:02}": array(VECTOR + i) for i in range(count)}


def dictionary_in(lib, count):
    tree = dictionary(count, lib.numpy.asarray)
    function = lib.jit(lambda tree: tree["w00"] + tree["w19"])
    return lambda: function(tree)


def numpy_dictionary_in(lib):
    tree = dictionary(20, np.asarray)
    function = lib.jit(lambda tree: tree["w00"] + tree["w19"])
    return lambda: function(tree)


def dictionary_in_and_out(lib, count):
    tree = dictionary(count, lib.numpy.asarray)
    function = lib.jit(lambda tree: {name: value + 1.0 for name, value in tree.items()})
    return lambda: function(tree)


def scalars(lib):
    function = lib.jit(lambda x, y: x + y)
    return lambda: function(1.5, 2)


def array_and_scalar(lib):
    x = lib.numpy.asarray(VECTOR)
    function = lib.jit(lambda x, y: x + y)
    return lambda: function(x, 1.5)


#: Of the calls with NumPy arrays and numbers.
HOST = (
    "both go through jaxlib's dispatcher; to find the program, to copy and to wrap the result is "
    "Python here, about 1 µs (jax does not copy, and computes wrong numbers if the NumPy array is "
    "written to at once)"
)

CASES = [
    Program("jitted call, one array", 1.1, one_array),
    *[
        Program(f"jitted call, dict of {n} to {result}", 1.1, partial(build, count=n))
        for n in (20, 100)
        for result, build in (("one array", dictionary_in), (f"dict of {n}", dictionary_in_and_out))
    ],
    Program("jitted call, one NumPy array", 1.1, numpy_array, cause=HOST),
    Program("jitted call, dict of 20 NumPy arrays", 1.1, numpy_dictionary_in, cause=HOST),
    Program("jitted call, two Python scalars", 1.1, scalars, cause=HOST),
    Program("jitted call, an array and a Python scalar", 1.1, array_and_scalar, cause=HOST),
]
