"""Bad input to conditionals and loops: messages say what came, what was expected, where in the tree
it differs, whose function it was, and the user's line.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import diffeo as dx

lax, dnp = dx.lax, dx.numpy
THREE = np.arange(3.0)


def state(n: int = 3, dtype: Any = float) -> dict:
    return {"pos": dnp.zeros(2), "vel": (dnp.zeros(n, dtype), dnp.ones(()))}


def settled(x: Any) -> dict:
    return state(3)


def shorter(x: Any) -> dict:
    return state(2)


def integral(x: Any) -> dict:
    return state(3, int)


def renamed(x: Any) -> dict:
    return {"pos": dnp.zeros(2), "speed": (dnp.zeros(3), dnp.ones(()))}


def nothing(*args: Any) -> None:
    return None


def message(error: type[Exception], run: Any) -> str:
    """The message of the error that `run` raises, without the line of this file, which it has."""
    with pytest.raises(error) as found:
        run()
    text, line = str(found.value).rsplit("\n  at ", 1)
    assert line.startswith("test_control_flow_errors.py:")
    return text


# --------------------------------------------------------------------------------------------------
# Types that differ: the first leaf by its path, both types, the user's functions


each_that_differs = pytest.mark.parametrize(
    ("other", "where", "types"),
    [
        (shorter, "['vel'][0]", ("f64[3]", "f64[2]")),
        (integral, "['vel'][0]", ("f64[3]", "i64[3]")),
        (renamed, "['vel']|['speed']", ("a tuple of 2", "no such key")),
        (nothing, "the top", ("a dict", "None")),
    ],
)


@each_that_differs
@pytest.mark.parametrize("traced", [False, True])
def test_branches_that_differ(other, where, types, traced):
    wrap = dx.jit if traced else lambda fun: fun
    pieces = [other.__name__, "settled", *types]
    for text in (
        message(TypeError, lambda: wrap(lambda x: lax.cond(x > 0, settled, other, x))(1.0)),
        message(TypeError, lambda: wrap(lambda i: lax.switch(i, [settled, settled, other], i))(1)),
    ):
        assert "one structure, and equal shapes and dtypes" in text
        assert all(piece in text for piece in pieces), text
        assert any(path in text for path in where.split("|")), text
    assert "branch 0 (settled)" in text and f"branch 2 ({other.__name__})" in text


@each_that_differs
@pytest.mark.parametrize("traced", [False, True])
def test_carries_that_differ(other, where, types, traced):
    wrap = dx.jit if traced else lambda fun: fun

    def scan(s: Any) -> Any:
        body = lambda c, x: (other(c), x)
        body.__name__ = other.__name__
        return lax.scan(body, s, THREE)

    def repeat(s: Any) -> Any:
        return lax.while_loop(lambda c: True, other, s)

    def known(s: Any) -> Any:
        body = lambda i, c: other(c)
        body.__name__ = other.__name__
        return lax.fori_loop(0, 3, body, s)

    def unknown(s: Any) -> Any:
        body = lambda i, c: other(c)
        body.__name__ = other.__name__
        return dx.jit(lambda n: lax.fori_loop(0, n, body, s))(3)

    names = {scan: "scan", repeat: "while_loop", known: "fori_loop", unknown: "fori_loop"}
    for run, name in names.items():
        text = message(TypeError, lambda run=run: wrap(run)(state()))
        assert text.startswith(f"{name} of {other.__name__}: the carry must keep its structure")
        assert all(piece in text for piece in types), text
        assert any(path in text for path in where.split("|")), text


def test_a_carry_without_a_path():
    text = message(TypeError, lambda: lax.scan(lambda c, x: (c + x, x), dnp.zeros(2, int), THREE))
    assert text == (
        "scan of <lambda>: the carry must keep its structure, shapes and dtypes: the carry it gets "
        "has i64[2], the one it returns f64[2]"
    )


def test_numbers_give_way():
    """Python numbers have no type of their own that could differ."""
    assert lax.scan(lambda c, x: (c + x, x), 0, THREE)[0] == 3.0
    assert lax.while_loop(lambda c: c < 3, lambda c: c + 0.5, 0) == 3.0
    assert lax.cond(True, lambda x: 1, lambda x: x, np.float32(2.0)).dtype == "float32"


# --------------------------------------------------------------------------------------------------
# Everything else

CASES = {
    "predicate": (TypeError, lambda: lax.cond(dnp.ones(2), abs, abs, 1.0),
                  "cond: the predicate must be one boolean or number "
                  "(dx.numpy.where chooses element by element), got f64[2]"),
    "predicate None": (TypeError, lambda: lax.cond(None, abs, abs, 1.0),
                       "cond: the predicate must be one boolean or number "
                       "(dx.numpy.where chooses element by element), got NoneType None"),
    "no branch": (TypeError, lambda: lax.cond(True, abs, 2.0),
                  "cond: false_fun expects a function, got float 2.0"),
    "called branch": (TypeError, lambda: lax.cond(True, abs(1.0), abs, 1.0),
                      "cond: true_fun expects a function, got float 1.0"),
    "operand": (TypeError, lambda: lax.cond(True, nothing, nothing, {"mode": "fast"}),
                "cond: operand [0]['mode']: not a value that diffeo can trace: str 'fast'"),
    "operands twice": (TypeError, lambda: lax.cond(True, abs, abs, 1.0, operand=2.0),
                       "cond: give the operands by position or as operand="),
    "result": (TypeError, lambda: lax.cond(True, lambda: "yes", lambda: "yes"),
               "<lambda> returned str 'yes'; a transformed function returns arrays"),
    "index": (TypeError, lambda: lax.switch(1.5, [abs], 1.0),
              "switch: the index must be one integer, got float 1.5"),
    "no branches": (ValueError, lambda: lax.switch(0, [], 1.0),
                    "switch: expects at least one branch, got none"),
    "branches": (TypeError, lambda: lax.switch(0, abs, 1.0),
                 "switch: expects a list of functions, got builtin_function_or_method"),
    "branch of switch": (TypeError, lambda: lax.switch(0, [abs, 3], 1.0),
                         "switch: branch 1 expects a function, got int 3"),
    "scan of a number": (TypeError, lambda: lax.scan(3, 0.0, THREE),
                         "scan expects a function, got int 3"),
    "no pair": (TypeError, lambda: lax.scan(lambda c, x: c, 0.0, THREE),
                "scan of <lambda>: the function must return a pair (carry, y), got f64[]; return "
                "(carry, None)"),
    "a triple": (TypeError, lambda: lax.scan(lambda c, x: (c, x, x), 0.0, THREE),
                 "must return a pair (carry, y), got tuple (f64[], f64[], f64[])"),
    "init": (TypeError, lambda: lax.scan(settled, {"h": "zero"}, THREE),
             "scan of settled: init['h']: not a value that diffeo can trace: str 'zero'"),
    "xs": (ValueError, lambda: lax.scan(settled, 0.0, {"a": THREE, "b": np.zeros((4, 2))}),
           "scan of settled: the first axes must have one size, got xs['a'] = f64[3], "
           "xs['b'] = f64[4,2]"),
    "xs and length": (ValueError, lambda: lax.scan(settled, 0.0, THREE, length=4),
                      "the first axes must have one size, got xs = f64[3], length=4"),
    "xs without axis": (ValueError, lambda: lax.scan(settled, 0.0, {"a": 1.0}),
                        "scan of settled: xs['a'] must have an axis to go along, got f64[]"),
    "no length": (ValueError, lambda: lax.scan(settled, 0.0),
                  "scan of settled: give xs, or say how many steps there are with length="),
    "negative length": (ValueError, lambda: lax.scan(settled, 0.0, length=-1),
                        "scan of settled: length must be a whole number >= 0, got int -1"),
    "float length": (ValueError, lambda: lax.scan(settled, 0.0, length=2.0),
                     "scan of settled: length must be a whole number >= 0, got float 2.0"),
    "traced length": (ValueError, lambda: dx.jit(lambda n: lax.scan(settled, 0.0, length=n))(3),
                      "scan of settled: length must be a whole number >= 0, got i64[]"),
    "unroll": (ValueError, lambda: lax.scan(settled, 0.0, THREE, unroll=-1),
               "scan of settled: unroll must be a whole number >= 0 or a bool, got -1"),
    "checkpoints": (ValueError, lambda: lax.scan(settled, 0.0, THREE, checkpoints=3),
                    "scan of settled: checkpoints must be a whole number >= 4, got 3"),
    "condition": (TypeError, lambda: lax.while_loop(True, settled, 0.0),
                  "while_loop: cond_fun expects a function, got bool True"),
    "body": (TypeError, lambda: lax.while_loop(abs, None, 0.0),
             "while_loop: body_fun expects a function, got NoneType None"),
    "an array decides": (TypeError, lambda: lax.while_loop(lambda c: c < 3, abs, dnp.ones(2)),
                         "while_loop of abs: cond_fun (<lambda>) must return one boolean, got "
                         "bool[2]; compare (y != 0), and reduce an array by dx.numpy.any or all"),
    "a number decides": (TypeError, lambda: lax.while_loop(abs, abs, 1),
                         "while_loop of abs: cond_fun (abs) must return one boolean, got i64[]"),
    "None decides": (TypeError, lambda: lax.while_loop(nothing, abs, 1),
                     "while_loop of abs: cond_fun (nothing) must return one boolean, got NoneType"),
    "a tuple decides": (TypeError, lambda: lax.while_loop(lambda c: (c < 1, c > 0), abs, 1),
                        "must return one boolean, got tuple (bool[], bool[])"),
    "init_val": (TypeError, lambda: lax.while_loop(abs, abs, [0.0, "a"]),
                 "while_loop of abs: init_val[1]: not a value that diffeo can trace: str 'a'"),
    "while checkpoints": (ValueError, lambda: lax.while_loop(abs, abs, 0.0, checkpoints=1.5),
                          "checkpoints must be a whole number >= 4, got 1.5"),
    "float bound": (TypeError, lambda: lax.fori_loop(0, 2.5, settled, 0.0),
                    "fori_loop of settled: upper must be one integer, got float 2.5"),
    "array bound": (TypeError, lambda: lax.fori_loop(dnp.arange(2), 2, settled, 0.0),
                    "fori_loop of settled: lower must be one integer, got i64[2]"),
    "fori of a number": (TypeError, lambda: lax.fori_loop(0, 3, 4, 1),
                         "fori_loop expects a function, got int 4"),
    "fori unroll": (ValueError, lambda: dx.jit(
        lambda n: lax.fori_loop(0, n, lambda i, c: c, 1, unroll=2))(3),
        "fori_loop of <lambda>: unroll needs bounds that are known"),
    "map of a number": (TypeError, lambda: lax.map(3, THREE), "map expects a function, got int 3"),
    "map sizes": (ValueError, lambda: lax.map(abs, (THREE, np.zeros(4))),
                  "map of abs: the first axes must have one size, got xs[0] = f64[3], "
                  "xs[1] = f64[4]"),
    "map of nothing": (ValueError, lambda: lax.map(abs, {}),
                       "map of abs: there is nothing to map over: no arrays in dict {}"),
    "batch_size": (ValueError, lambda: lax.map(abs, THREE, batch_size=-1),
                   "map of abs: batch_size must be a whole number >= 0, got -1"),
    "static list": (ValueError, lambda: dx.jit(
        lambda x, sizes: lax.scan(lambda c, _: (c, None), x, length=sizes[0]),
        static_argnums=1)(1.0, [3]),
        "the static argument 1 is list [3], which has no hash"),
    "Python's if": (dx.errors.TracerBoolConversionError, lambda: lax.cond(
        True, lambda x: x if x > 0 else -x, lambda x: x, 1.0),
        "needs a concrete value"),
    "index of a list": (dx.errors.TracerIntegerConversionError, lambda: lax.fori_loop(
        0, 2, lambda i, c: c + [1.0, 2.0][i], 0.0),
        "Index a dx.numpy array instead of a list"),
}  # fmt: skip


@pytest.mark.parametrize(("error", "run", "expected"), CASES.values(), ids=CASES)
def test_bad_input(error, run, expected):
    assert expected in message(error, run)


def test_missing_arguments_are_python_s_own_error():
    """It names the user's function."""
    with pytest.raises(TypeError, match=re.escape("settled() missing 1 required positional")):
        lax.cond(True, settled, settled)


def test_an_error_in_a_body_leaves_nothing_behind():
    """Functions go on as before after an error in the middle of a loop."""

    def failing(c: Any, x: Any) -> Any:
        raise KeyError("mine")

    for run in (dx.jit, dx.grad, lambda f: f):
        with pytest.raises(KeyError, match="mine"):
            run(lambda x: lax.scan(failing, x, THREE)[0])(1.0)
    assert dx.grad(lambda x: lax.scan(lambda c, a: (c * x, None), 1.0, THREE)[0])(2.0) == 12.0
