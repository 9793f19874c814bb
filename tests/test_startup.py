"""What `import diffeo` loads, and that what it does not load is there when it is asked for."""

from __future__ import annotations

import importlib
import pickle
import sys
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from inspect import ismodule
from pathlib import Path
from subprocess import run

import numpy as np
import pytest

import diffeo as dx
from diffeo.numpy.methods import METHODS, PROPERTIES
from diffeo.primitives import Primitive, stage
from diffeo.primitives.core import Value
from diffeo.primitives.families import Linear
from diffeo.primitives.support.frozen import frozen
from diffeo.primitives.support.table import ELEMENTWISE, is_own
from diffeo.primitives.words import elementwise
from diffeo.primitives.words.structural import Transpose
from tests import stubs
from tests import whole as whole
from tests.checks import close

ROOT = Path(__file__).parent.parent
#: What most programs never need.
NOT_LOADED = (
    "jax", "scipy", "opt_einsum", "numpy.fft", "numpy.polynomial", "jaxlib.mlir", "pdb",
    "diffeo.custom_batching", "diffeo.custom_derivatives", "diffeo.data", "diffeo.debug",
    "diffeo.differential", "diffeo.lax", "diffeo.nn", "diffeo.random", "diffeo.routines",
    "diffeo.scipy", "diffeo.tour", "diffeo.numpy.linalg", "diffeo.numpy.fft",
    "diffeo.numpy.ufuncs", "diffeo.primitives.words.indexing", "diffeo.programs.scan",
    "diffeo.api.derivatives.sparse", "diffeo.api.custom", "diffeo.api.vmap",
)  # fmt: skip


def cold(code: str) -> None:
    """Run a program in a process of its own."""
    program = "import sys\nimport numpy as np\nimport diffeo as dx\n" + code
    command = [sys.executable, "-W", "error", "-c", program]
    done = run(command, cwd=ROOT, capture_output=True, text=True)
    assert not done.returncode, f"{code}\n{done.stderr}"


def test_what_an_import_loads():
    cold(f"early = [m for m in {NOT_LOADED} if m in sys.modules]\nassert not early, early")


def test_a_compiled_gradient_loads_no_more_than_it_needs():
    rest = tuple([m for m in NOT_LOADED if m not in ("diffeo.numpy.ufuncs", "diffeo.routines")])
    cold(
        "f = lambda x: dx.numpy.sum(dx.numpy.tanh(x) * x)\n"
        "assert not np.asarray(dx.jit(dx.grad(f))(np.zeros(2))).any()\n"
        f"early = [m for m in {rest} if m in sys.modules]\nassert not early, early"
    )


COLD = {
    "a late module": "assert float(dx.scipy.special.gamma(4.0)) == 6",
    "import of a module": "import diffeo.scipy.special as s\nassert s is dx.scipy.special",
    "from a module": "from diffeo.lax import scan\nfrom diffeo import lax\nassert lax.scan is scan",
    "a star": "before = {*globals()}\nfrom diffeo import *\n"
    "assert {*dx.__all__} <= {*globals()} and scipy is dx.scipy",
    "a module as a function": "import diffeo.lax.fourier\n"
    "assert dx.lax.fft is diffeo.lax.fourier.fft",
    "NumPy on a traced value": "x = dx.jit(lambda x: np.linalg.inv(x))(2 * np.eye(2))\n"
    "assert float(x[0, 0]) == 0.5",
    "NumPy's transform": "assert dx.jit(lambda x: np.fft.rfft(x))(np.ones(4))[0] == 4",
    "NumPy's reduction": "assert dx.jit(lambda x: np.multiply.reduce(x))(2 * np.ones(3)) == 8",
    "NumPy without ours": "x = dx.numpy.arange(4.0)\n"
    "assert np.linalg.matrix_rank(np.diag(np.asarray(x))) == 3 and np.may_share_memory(x, x)",
    "indexing": "x = dx.numpy.arange(3.0)\nassert x[1] == 1 and [*x][2] == 2 and x[::-1][0] == 2",
    "writing": "assert dx.grad(lambda x: x.at[0].set(5.0).sum())(np.ones(2))[1] == 1",
    "no item assignment": "try:\n    dx.numpy.ones(2)[0] = 1\n"
    "except TypeError as error:\n    assert '.at[' in str(error)\nelse:\n    raise SystemExit(1)",
    "properties": "x = dx.numpy.ones((2, 3)) * 1j\n"
    "assert x.T.shape == x.mT.shape == (3, 2) and x.imag[0, 0] == 1 + x.real[0, 0]",
    "array API": "x = dx.numpy.ones(2)\nassert x.__array_namespace__() is dx.numpy",
    "a loop": "f = lambda x: dx.lax.fori_loop(0, 3, lambda i, y: y * x, 1.0)\n"
    "assert dx.grad(f)(2.0) == 12",
    "vmap of a choice": "f = lambda x: dx.lax.cond(x > 0, lambda: x, lambda: -x)\n"
    "assert dx.vmap(f)(np.array([1.0, -2.0]))[1] == 2",
    "a named axis": "f = dx.vmap(lambda x: dx.lax.psum(x, 'i'), axis_name='i')\n"
    "assert dx.jit(f)(np.ones(3))[0] == 3",
    "own rules": "f = dx.custom_jvp(lambda x: x)\nf.defjvp(lambda p, t: (p[0], 3 * t[0]))\n"
    "assert dx.jit(dx.grad(f))(1.0) == 3",
    "random numbers": "assert dx.random.normal(dx.random.key(0), (3,)).shape == (3,)",
    "a sparse derivative": "s = dx.sparse_jacobian(lambda x: x * x)(np.ones(3))",
    "operators": "assert dx.laplacian(lambda x: (x * x).sum())(np.ones(3)) == 6",
    "a name that is not there": "try:\n    dx.numpy.tahn\n"
    "except AttributeError as error:\n"
    "    assert str(error) == \"module 'diffeo.numpy' has no attribute 'tahn'; "
    "the nearest names are: tan, tanh, atan\"\n"
    "    assert error.name == 'tahn' and not hasattr(dx, '__path') and not hasattr(dx, 'tanh')\n"
    "else:\n    raise SystemExit(1)",
}  # fmt: skip


@pytest.mark.parametrize("what", COLD)
@pytest.mark.sampled(2)
def test_from_cold(what: str):
    cold(COLD[what])


@pytest.mark.parametrize("name", stubs.PACKAGES)
def test_the_stub_says_what_the_table_says(name: str):
    written = stubs.path_of(name).read_text()
    assert written == stubs.stub_of(name), "run `python -m tests.stubs --write`"


@pytest.mark.parametrize("name", stubs.PACKAGES)
def test_names_are_shown(name: str):
    package = importlib.import_module(name)
    assert {*package._late.names} <= {*package.__all__}
    shown = {n for n in dir(package) if n[0] != "_" and not ismodule(getattr(package, n))}
    public = [n for n in package.__all__ if n[0] != "_"]
    assert shown == {n for n in public if not ismodule(getattr(package, n))}


@pytest.mark.parametrize("name", stubs.PACKAGES)
def test_every_name_resolves(name: str):
    package = importlib.import_module(name)
    assert len(package.__all__) == len({*package.__all__})
    for public in package.__all__:
        value, home = getattr(package, public), package._late.home.get(public, "")
        if home == ".":
            assert value is sys.modules[f"{name}.{public}"]
        elif home:
            assert value is getattr(importlib.import_module(home, name), public)
        assert value is getattr(package, public)


def test_no_public_name_is_lost():
    """Names come and go with a line of `public_names.txt`, and one of the changelog."""
    for line in (ROOT / "tests" / "public_names.txt").read_text().split():
        home, _, name = line.rpartition(".")
        assert hasattr(importlib.import_module(home), name), line


def test_methods_are_loaded_once():
    x = dx.numpy.ones((2, 2))
    for name in [*METHODS, *PROPERTIES]:
        getattr(x, name)
        method = vars(Value)[name]
        assert callable(method) or isinstance(method, property)
        assert method.__doc__ if callable(method) else method.fget.__doc__


def test_garbage_is_collected_as_before():
    for before in ("gc.enable()", "gc.disable()"):
        program = f"import gc\n{before}\nwas = gc.isenabled()\nimport diffeo\n"
        run([sys.executable, "-c", program + "assert gc.isenabled() is was"], check=True, cwd=ROOT)


# --------------------------------------------------------------------------------------------------
# Rows of the table


OWN = [r for r in ELEMENTWISE.values() if is_own(r.module)]


@pytest.mark.parametrize("module", sorted({r.module for r in OWN}))
@pytest.mark.sampled(2)
def test_rows_need_no_other_module(module: str):
    cold(f"""
from importlib import import_module
import_module({module!r})
from diffeo.primitives.support.table import ELEMENTWISE
rows = [r for r in ELEMENTWISE.values() if r.module == {module!r}]
assert rows
for row in rows:
    kind = next(k for k in "fcib" if k in row.accepts)
    x = np.full(3, {{"f": 0.4, "c": 0.4j, "i": 3, "b": True}}[kind])
    args = [x] * row.arity
    with np.errstate(all="ignore"):
        row.impl(*args)
    dx.jit(row.bind).lower(*args)
    if row.derivatives and kind in "fc":
        dx.make_jaxpr(lambda *args: dx.jvp(row.bind, args, args))(*args)
""")


def test_pickles_from_cold():
    program = stage(lambda x: [dx.scipy.special.gammainc(2.0, x)[::-1]], [dx.typeof(np.ones(3))])
    primitives = [e.primitive for e in program.eqns]
    for value in (dx.numpy.arange(3.0), OWN, primitives):
        text = pickle.dumps(value)
        cold(f"import pickle\nassert len(pickle.loads({text!r})) == {len(value)}")
    assert pickle.loads(pickle.dumps(primitives)) == primitives
    assert all([a is b for a, b in zip(OWN, pickle.loads(pickle.dumps(OWN)))])


def test_a_row_of_diffeo_keeps_its_name():
    with pytest.raises(ValueError, match=r"'gamma_density' is .* of diffeo .* in .*startup"):
        elementwise.Elementwise("gamma_density", np.square, "square")
    cold(
        "from diffeo.primitives.words.elementwise import Elementwise\n"
        "Elementwise('digamma', np.square, 'square')\n"
        "try:\n    dx.scipy.special\n"
        "except ValueError as error:\n    assert 'another name, in __main__' in str(error)\n"
        "else:\n    raise SystemExit(1)"
    )


# --------------------------------------------------------------------------------------------------
# Frozen classes


@frozen
class Moved(Linear):
    """For the tests."""

    axis: int
    by: int = 1


@frozen
class MovedAgain(Moved):
    """With a field more."""

    wraps: bool = True


def test_frozen_classes_are_dataclasses():
    p = Moved(0)
    assert is_dataclass(Moved) and [f.name for f in fields(MovedAgain)] == ["axis", "by", "wraps"]
    assert (p.axis, p.by) == (0, 1) and replace(p, by=2) == Moved(0, 2) != p
    assert hash(Moved(0, by=1)) == hash(p) and repr(p) == "Moved(axis=0, by=1)"
    assert MovedAgain(0, wraps=False) == MovedAgain(0, 1, False) != MovedAgain(0)
    for change in (lambda: setattr(p, "axis", 1), lambda: setattr(p, "other", 1)):
        with pytest.raises(FrozenInstanceError, match="cannot assign to field"):
            change()
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'axis'"):
        del p.axis
    with pytest.raises(TypeError, match=r"Moved\.__init__\(\) missing 1 required .*'axis'"):
        Moved()  # type: ignore[call-arg]
    match MovedAgain(3, 4):
        case MovedAgain(axis, by, wraps):
            assert (axis, by, wraps) == (3, 4, True)
    assert pickle.loads(pickle.dumps(p)) == p


def test_dataclasses_inherit_from_frozen_classes():
    @dataclass(frozen=True)
    class Mine(Moved):
        mine: int = 5

    @frozen
    class Ours(Mine):
        ours: int = 6

    class Plain(Transpose):
        def __init__(self):
            super().__init__((1, 0))
            self.kept = "here"

    assert [f.name for f in fields(Ours)] == ["axis", "by", "mine", "ours"]
    assert (Mine(1).mine, Ours(1).ours, Ours(1, 2, 3, 4).parameters()) == (5, 6, (1, 2, 3, 4))
    assert Plain().kept == "here"
    close(dx.jit(Plain().bind)(np.ones((2, 3))), np.ones((3, 2)))
    with pytest.raises(FrozenInstanceError):
        Plain().permutation = ()
    assert issubclass(Mine, Primitive)
