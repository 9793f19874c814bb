"""The price of calling a compiled function that has next to nothing to do."""

import numpy as np

from benchmarks.case import Program


def one_array(lib):
    x = lib.numpy.asarray(np.arange(1.0, 6.0))
    function = lib.jit(lambda x: x + 1.0)
    return lambda: function(x)


def dictionary(lib):
    return {f"w{i:02}": lib.numpy.asarray(np.arange(1.0, 6.0) + i) for i in range(20)}


def dictionary_in(lib):
    tree = dictionary(lib)
    function = lib.jit(lambda tree: tree["w00"] + tree["w19"])
    return lambda: function(tree)


def dictionary_in_and_out(lib):
    tree = dictionary(lib)
    function = lib.jit(lambda tree: {name: value + 1.0 for name, value in tree.items()})
    return lambda: function(tree)


CASES = [
    Program("jitted call, one array", 1.5, one_array),
    Program("jitted call, dict of 20 to one array", 1.5, dictionary_in),
    Program("jitted call, dict of 20 to dict of 20", 1.5, dictionary_in_and_out),
]
