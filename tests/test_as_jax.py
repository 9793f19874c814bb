"""Modules named jax that are diffeo's. Every case is a process of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import diffeo as dx
from diffeo.interop.serving.modules import FALLBACKS, INTERNALS, MODULES, OVERLAYS

ROOT = Path(__file__).parent.parent
needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed"
)


def run(*arguments: str, code: str = "", **environment: str) -> str:
    """What a command prints; with code, that of a script."""
    if code:
        arguments = ("-m", "diffeo.as_jax", "-c", textwrap.dedent(code))
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "JAX_ENABLE_X64": "0", **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_programs_are_of_32_bits():
    """Whatever comes in, from whichever side, as in jax without x64."""
    code = """
    import threading
    import numpy as np
    import jax, jax.numpy as jnp
    from jax import lax, random

    wide = ("float64", "int64", "uint64", "complex128")
    f64, i64 = np.linspace(0.1, 0.9, 4), np.arange(4)
    f = jax.jit(lambda x, y: (x + y, x * 2))
    made = dict(
        numbers=(jnp.array([1.0]), jnp.array(1), jnp.array(1j), jnp.asarray(2.0)),
        creation=(jnp.ones(3), jnp.arange(3), jnp.linspace(0, 1, 3), jnp.eye(2), jnp.full(2, 1.5)),
        of_numpy=(jnp.asarray(f64), jnp.array(i64), jnp.asarray(np.float64(2)), jnp.sin(f64)),
        asked_for=(jnp.zeros(3, "float64"), jnp.ones(3, np.int64), jnp.ones(3).astype(float),
                   jnp.array([1], dtype=jnp.int64), lax.convert_element_type(1.0, "float64")),
        mixed=(jnp.ones(4) * f64, f64 * jnp.ones(4), np.float64(2) * jnp.ones(3),
               jnp.arange(4) + i64, jnp.ones(1, "uint32") + jnp.ones(1, "int32"),
               jnp.exp(1j * jnp.ones(2))),
        reductions=(jnp.arange(3).sum(), jnp.argmax(f64), jnp.mean(i64), jnp.cumsum(i64),
                    jnp.nonzero(i64)[0], jnp.argsort(f64), jnp.ones(3, bool).sum(), jnp.var(f64)),
        compiled=(f(f64, 1), f(f64, np.float64(2)), f(i64, i64), f(f64, 1), f(i64, i64)),
        derived=(jax.grad(jnp.tanh)(np.float64(0.5)), jax.grad(lambda x: (x ** 2).sum())(f64),
                 jax.jvp(jnp.sin, (f64,), (f64,)), jax.hessian(jnp.prod)(f64),
                 jax.vjp(jnp.sin, f64)[1](f64)),
        loops=(lax.scan(lambda c, x: (c + x, c), 0.0, f64),
               lax.fori_loop(0, 3, lambda i, x: x + i, 0),
               jax.grad(lambda x: lax.while_loop(lambda c: c[0] < 3,
                                                 lambda c: (c[0] + 1, c[1] * x), (0, x))[1])(2.0)),
        random=(random.normal(random.PRNGKey(0), (3,)), random.uniform(random.PRNGKey(1)),
                random.randint(random.PRNGKey(0), (3,), 0, 10)),
        linalg=(jnp.linalg.inv(np.eye(2)), jnp.linalg.svd(np.ones((2, 3)))),
        vmapped=(jax.vmap(lambda x: x + np.float64(1))(f64),),
    )
    for kind, arrays in made.items():
        for x in jax.tree.leaves(arrays):
            assert str(x.dtype) not in wide, (kind, x.dtype)
    found = []
    thread = threading.Thread(target=lambda: found.append(jnp.ones(3).dtype))
    thread.start(); thread.join()
    assert found == ["float32"], found
    try:
        jnp.array(2**40)
    except OverflowError:
        pass
    else:
        raise SystemExit("2**40 does not fit")
    print("done")
    """
    assert run(code=code) == "done\n"


def test_64_bits_where_they_are_asked_for():
    code = """
    import numpy as np
    import jax, jax.numpy as jnp
    from jax import config
    from jax.experimental import enable_x64, disable_x64

    f = jax.jit(lambda x: x * 2)
    x = np.ones(3)
    usual = lambda: np.dtype(jnp.float_)
    before = f(x).dtype, usual(), config.jax_enable_x64
    with enable_x64():
        inside = f(x).dtype, usual(), (jnp.ones(2) + x[:2]).dtype
    after = f(x).dtype, (jnp.ones(2) + x[:2]).dtype
    config.update("jax_enable_x64", True)
    on = f(x).dtype, jnp.arange(2).dtype, config.jax_enable_x64, config.read("jax_enable_x64")
    with disable_x64():
        off = f(x).dtype
    print(*before, *inside, *after, *on, off)
    """
    words = run(code=code).split()
    assert words[:3] == ["float32", "float32", "False"] and words[3:6] == ["float64"] * 3
    assert words[6:8] == ["float32", "float32"]
    assert words[8:] == ["float64", "int64", "True", "True", "float32"]
    ones = "import jax.numpy as jnp; print(jnp.ones(1).dtype)"
    assert run(code=ones, JAX_ENABLE_X64="1") == "float64\n"
    call = "import diffeo as dx; jax = dx.interop.as_jax({}); print(jax.numpy.ones(1).dtype)"
    assert run("-c", call.format("enable_x64=True")) == "float64\n"
    assert run("-c", call.format("")) == "float32\n"


def test_the_command(tmp_path: Path):
    """A script, a module and code run as Python runs them."""
    (tmp_path / "beside.py").write_text("import jax\nvalue = jax.__version__\n")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nimport beside\nprint(sys.argv[1:], __name__, beside.value)\nsys.exit(3)\n"
    )
    command = [sys.executable, "-m", "diffeo.as_jax"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def call(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, env=environment, cwd=tmp_path
        )

    done = call(str(script), "a", "-b")
    assert done.returncode == 3 and done.stdout.startswith("['a', '-b'] __main__ 0.10.2"), done
    done = call("-m", "beside", "x")
    assert done.returncode == 0, done.stderr
    done = call("-c", "import sys, jax; print(sys.argv, jax.__version_info__)", "y")
    assert done.stdout == "['-c', 'y'] (0, 10, 2)\n", done
    test = tmp_path / "test_sine.py"
    test.write_text("import jax\n\ndef test():\n    assert jax.numpy.sin(0.0) == 0\n")
    done = call("-m", "pytest", "-q", "-p", "no:cacheprovider", str(test))
    assert done.returncode == 0 and "1 passed" in done.stdout, done
    assert call("--help").stdout.startswith("usage: python -m diffeo.as_jax script.py")
    for bad, message in (
        ([], "usage"),
        (["-x"], "unknown option -x"),
        (["-m"], "usage"),
        (["nothing.py"], "there is no file 'nothing.py'"),
    ):
        done = call(*bad)
        assert done.returncode == 2 and message in done.stderr, (bad, done)


def test_names():
    """Imports of every form, and what is not there."""
    code = """
    import jax
    import jax.numpy as jnp
    import jax.scipy.special
    from jax import grad, lax, numpy, random, vmap, version
    from jax.lax import scan, sin_p
    from jax.numpy.linalg import norm
    from jax.nn.initializers import normal
    from jax.experimental import io_callback
    from jax.interpreters import ad, batching, mlir, partial_eval, xla
    from jax.extend.core import Primitive, primitives
    from jax.extend import linear_util
    from jax.sharding import PartitionSpec as P, Mesh
    from jax import shard_map, pmap
    import sys

    assert jnp is numpy is jax.numpy is sys.modules["jax.numpy"]
    assert jax.lax.scan is scan
    space = {}
    exec("from jax.numpy import *", space)
    assert space["arange"](3).sum() == 3
    assert version.__version__ == jax.__version__
    assert isinstance(jnp.ones(1), jax.Array) and "scan" in dir(lax) and "sin" in dir(jnp)
    eqn = jax.make_jaxpr(jnp.sin)(1.0).jaxpr.eqns[0]
    assert eqn.primitive is sin_p is primitives.sin_p
    assert lax.while_p != lax.scan_p and {lax.scan_p: 1}[lax.scan_p]
    assert P("a", None) == ("a", None)
    assert jnp.ones(1).sharding.device_set == jnp.ones(1).devices()
    assert not any(getattr(m, "__file__", None) and "site-packages/jax/" in m.__file__
                   for m in list(sys.modules.values()))

    def says(statement, error, *words):
        try:
            exec(statement)
        except error as e:
            assert all(w in str(e) for w in words), (statement, str(e))
        else:
            raise SystemExit(statement)

    says("jnp.nope", AttributeError, "jax.numpy", "nope")
    says("from jax import nope", ImportError, "nope")
    says("import jax.nope", ModuleNotFoundError, "jax.nope")
    says("import jax._src.lib.xla_client", ModuleNotFoundError, "insides")
    says("from jax.experimental import pallas", ImportError, "pallas")
    says("shard_map(lambda x: x)", NotImplementedError, "jax.shard_map", "one device")
    says("Mesh([], ())", NotImplementedError, "Mesh")
    says("lax.dot_general_p.bind(1.0)", NotImplementedError, "jax.lax.dot_general")
    print("done")
    """
    assert run(code=code) == "done\n"


@needs_jax
def test_jax_itself_comes_first():
    code = """
    import jax, diffeo as dx
    try:
        dx.interop.as_jax()
    except RuntimeError as error:
        print(error)
    """
    said = run("-c", textwrap.dedent(code))
    assert "jax is already imported" in said and "python -m diffeo.as_jax" in said


def test_diffeo_itself_stays_as_it_is():
    """Before and after, in its own modules, names are not touched."""
    code = """
    import diffeo as dx
    import diffeo.numpy
    names = set(vars(diffeo.numpy))
    dx.interop.as_jax(enable_x64=True)
    import jax, jax.numpy as jnp
    jnp.sin, jnp.float_
    jnp.something = 1
    assert not hasattr(diffeo.numpy, "something")
    assert dx.numpy.ones(1).dtype == "float64"
    assert dx.interop.as_jax() is jax
    print("done")
    """
    assert run("-c", textwrap.dedent(code)) == "done\n"


PRIMITIVE = """
import functools
import numpy as np
import jax
from jax import numpy as jnp
from jax.extend import core
from jax.interpreters import ad, batching, mlir, xla
from jax.core import ShapedArray
from jaxlib.mlir.dialects import stablehlo as hlo

square_p = core.Primitive("square")
square = square_p.bind
square_p.def_impl(functools.partial(xla.apply_primitive, square_p))
square_p.def_abstract_eval(lambda x: ShapedArray(x.shape, x.dtype))
mlir.register_lowering(square_p, lambda ctx, x: [hlo.multiply(x, x)])
ad.defjvp(square_p, lambda t, x: 2 * x * t)
batching.defvectorized(square_p)
x = np.array([1.0, 2.0, 3.0])
assert square(x).tolist() == [1, 4, 9] and square(x).dtype == "float32"
assert jax.jit(jax.vmap(jax.grad(lambda x: square(square(x)))))(x).tolist() == [4, 32, 108]
assert jax.grad(jax.grad(square))(2.0) == 2
print("done")
"""


def test_a_primitive_of_jax():
    needed = importlib.util.find_spec("diffeo.core")
    code = PRIMITIVE if needed else PRIMITIVE.replace("jax.core import", "jax import")
    assert run(code=code) == "done\n"


@pytest.mark.parametrize("name", sorted({*FALLBACKS, *OVERLAYS, *INTERNALS} - {"jax._src"}))
def test_overlays_are_modules_of_ours(name: str):
    assert name in MODULES or name in INTERNALS
    for module in (FALLBACKS.get(name) or OVERLAYS.get(name) or INTERNALS[name]).split():
        if module.startswith("diffeo.interop"):
            assert importlib.util.find_spec(module) is not None


def test_what_functions_make_meets_32_bits():
    """Places and words of 64 bits that functions make for themselves, beside traced ones of 32."""
    code = """
    import numpy as np
    import jax, jax.numpy as jnp

    x = np.arange(12.0, dtype="f").reshape(3, 4)
    for shift, axis in ((3, None), ((1, 2), (0, -1)), (1, 1)):
        f = jax.jit(lambda x, s: jnp.roll(x, s, axis=axis))
        np.testing.assert_array_equal(f(x, np.array(shift)), np.roll(x, shift, axis))
    f = jax.jit(lambda x, n: jnp.repeat(x, n, axis=0, total_repeat_length=6))
    np.testing.assert_array_equal(f(x, np.array([1, 2, 3])), np.repeat(x, [1, 2, 3], axis=0))
    print(jax.lax.rng_bit_generator(np.uint32([3, 1, 4, 2]), (2,))[0].dtype)
    for impl in ("rbg", "philox2x32", "philox4x32"):
        print(int(jax.random.bits(jax.random.key(7, impl=impl), dtype="uint32")))
    x = np.random.RandomState(0).standard_normal(9000).astype("f")
    for f in (jnp.argsort, jax.jit(jnp.argsort)):
        np.testing.assert_array_equal(f(x), np.argsort(x, kind="stable"))
    print(*jax.random.gumbel(jax.random.key(3), (2,), mode="high"))
    """
    words = [
        int(dx.random.bits(dx.random.key(7, impl=impl), dtype="uint32"))
        for impl in ("rbg", "philox2x32", "philox4x32")
    ]
    drawn = dx.random.gumbel(dx.random.key(3), (2,), np.float32, mode="high")
    assert run(code=code).split() == ["uint32", *map(str, [*words, *drawn])]
