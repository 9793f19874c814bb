"""diffeo and jax share jaxlib: neither needs the other, and neither disturbs the other.

Every case is a process of its own, since what is tested is what an import does to a process.
"""

import importlib.util
import subprocess
import sys
import textwrap

import pytest

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="jax is not installed"
)

# As if jax were not installed. A finder, since a broken entry in sys.modules would look otherwise.
WITHOUT_JAX = """
import sys

class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "jax":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())
"""

USE_DIFFEO = """
import gc, sys
import ml_dtypes
import numpy as np
from diffeo.lowering import compiler, executables, pytree
from diffeo.lowering.devices import buffers, devices
from diffeo.primitives.types import ShapedArray

def use_diffeo():
    aval, half = ShapedArray((3,), np.float64), ShapedArray((3,), ml_dtypes.bfloat16)
    text = '''module {
      func.func public @main(%x: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xbf16>) {
        %y = stablehlo.add %x, %x : tensor<3xf64>
        %z = stablehlo.convert %y : (tensor<3xf64>) -> tensor<3xbf16>
        return %y, %z : tensor<3xf64>, tensor<3xbf16> } }'''
    executable = compiler.compile_program(text, [aval], [aval, half]).executable
    x = buffers.put(np.arange(3.0), aval)
    y, z = executable.execute([x])
    assert buffers.to_numpy(x, aval).tolist() == [0, 1, 2]
    assert buffers.to_numpy(y, aval).tolist() == [0, 2, 4]
    assert buffers.to_numpy(z, half).tolist() == [0, 2, 4]
    b = np.ones(3, ml_dtypes.bfloat16)
    assert buffers.to_numpy(buffers.put(b, half), half).tolist() == [1, 1, 1]
    leaves, treedef = pytree.flatten_adopting({"a": [x, y], "b": None})
    assert leaves == [x, y] and pytree.unflatten(treedef, leaves) == {"a": [x, y], "b": None}
    try:
        executables.compile_module("nonsense", [], [])
    except executables.CompilationError:
        pass
    gc.collect()
    devices.device_description()
"""

USE_JAX = """
import jax
import jax.numpy as jnp

def use_jax():
    grad = jax.jit(jax.grad(lambda x: jnp.sin(x).sum()))
    assert np.allclose(grad(jnp.zeros(3)), 1)
    assert jax.tree.leaves({"a": [1, 2], "b": None}) == [1, 2]
    assert jnp.linalg.cholesky(jnp.eye(2)).shape == (2, 2)
"""


def in_a_process(*parts):
    code = "\n".join(textwrap.dedent(part) for part in parts)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_jax_is_not_needed():
    in_a_process(WITHOUT_JAX, USE_DIFFEO, "use_diffeo()\nassert 'jax' not in sys.modules")


@needs_jax
def test_jax_is_not_imported():
    in_a_process(USE_DIFFEO, "use_diffeo()\nassert 'jax' not in sys.modules")


@needs_jax
def test_jax_before():
    in_a_process("import numpy as np", USE_JAX, "use_jax()", USE_DIFFEO, "use_diffeo()\nuse_jax()")


@needs_jax
def test_jax_after():
    in_a_process(USE_DIFFEO, "use_diffeo()", USE_JAX, "use_jax()\nuse_diffeo()")


THE_TOUR = """
from diffeo.__main__ import main

def use_everything():
    assert main([]) == 0
"""


def test_the_tour_without_jax():
    in_a_process(WITHOUT_JAX, THE_TOUR, "use_everything()\nassert 'jax' not in sys.modules")


@needs_jax
def test_the_tour_does_not_import_jax():
    in_a_process("import sys", THE_TOUR, "use_everything()\nassert 'jax' not in sys.modules")


@needs_jax
def test_the_tour_beside_jax():
    steps = "use_jax()\nuse_everything()\nuse_jax()"
    in_a_process("import numpy as np", USE_JAX, THE_TOUR, steps)


@needs_jax
def test_the_tour_and_then_jax():
    steps = "use_everything()\nimport jax\nimport jax.numpy as jnp\nuse_jax()\nuse_everything()"
    after = USE_JAX.replace("import jax\nimport jax.numpy as jnp\n", "import numpy as np\n")
    in_a_process(THE_TOUR, after, steps)


JITTED_CALLS = """
import numpy as np
import diffeo as dx

f = dx.jit(lambda x, y: x * y)

def use_jit():
    # Numbers that float32 cannot hold, as NumPy arrays, NumPy and Python scalars, and Arrays.
    x = np.full(4, 1 / 3)
    for _ in range(3):
        for a, b in ((x, 1 / 3), (x, np.float64(1 / 3)), (dx.numpy.asarray(x), x)):
            y = np.asarray(f(a, b))
            assert y.dtype == np.float64 and (y == 1 / 3 * (1 / 3)).all(), y
        assert int(f(2**40 + 1, 3)) == 3 * (2**40 + 1)
        assert f(np.float32(2), np.ones(2, "float32")).dtype == np.float32
"""

JAX_IN_EVERY_STATE = """
import jax

def in_every_state(use):
    assert jax.numpy.ones(2).dtype == "float32" and not jax.config.jax_enable_x64
    use()
    for wide in (True, False, True, False):
        jax.config.update("jax_enable_x64", wide)
        use()
        with jax.disable_jit():
            use()
        assert jax.jit(lambda x: x)(np.ones(2)).dtype == ("float64" if wide else "float32")
        assert jax.jit(lambda x: x)(2.0).dtype == ("float64" if wide else "float32")
    use()
"""


@needs_jax
@pytest.mark.parametrize("jax_first", [True, False])
def test_the_settings_of_jax_are_not_ours_and_stay_as_they_are(jax_first):
    before = JAX_IN_EVERY_STATE if jax_first else "use_jit()"
    after = "" if jax_first else JAX_IN_EVERY_STATE
    in_a_process("import numpy as np", *((before, JITTED_CALLS) if jax_first else
                 (JITTED_CALLS, before, after)), "in_every_state(use_jit)")  # fmt: skip


REGISTERED_WITH_JAX = """
import dataclasses
from diffeo.trees import tree

class Pair:
    def __init__(self, a, b): self.a, self.b = a, b
    def __eq__(self, other): return (self.a, self.b) == (other.a, other.b)

rules = Pair, lambda p: ((p.a, p.b), "static"), lambda aux, ab: Pair(*ab)

@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Layer:
    weight: object
    child: object
    name: str = dataclasses.field(metadata={"static": True}, default="layer")
"""


@needs_jax
def test_containers_that_jax_knows_are_containers_here():
    in_a_process(
        "import numpy as np",
        USE_JAX,
        REGISTERED_WITH_JAX,
        """
        jax.tree_util.register_pytree_node(*rules)
        value = {"x": Pair(1, Pair(Layer(2, None, "inner"), 3)), "y": jax.tree_util.Partial(max, 4)}
        assert tree.leaves(value) == jax.tree.leaves(value) == [1, 2, 3, 4]
        ours, theirs = tree.leaves_with_path(value), jax.tree_util.tree_leaves_with_path(value)
        assert [p for p, _ in ours] == [p for p, _ in theirs], (ours, theirs)
        doubled = tree.map(lambda x: 2 * x, value)
        assert doubled["x"] == Pair(2, Pair(Layer(4, None, "inner"), 6))
        assert doubled["y"](1) == 8
        assert tree.structure(value) == tree.structure(doubled)
        assert hash(tree.structure(value)) == hash(tree.structure(doubled))
        assert tree.structure(Layer(1, 2, "a")) != tree.structure(Layer(1, 2, "b"))
        assert tree.leaves(Pair(None, 1), is_leaf=lambda x: x is None) == [None, 1]
        assert tree.leaves([Pair(1, 2)], is_leaf=lambda x: isinstance(x, Pair)) == [Pair(1, 2)]
        found = tree.first_difference(Pair(1, Layer(2, 3)), Pair(1, Layer(2, (3, 4))))
        assert ".child" in found, found
        assert jax.tree.leaves(value) == [1, 2, 3, 4]
        """,
    )


@needs_jax
@pytest.mark.parametrize("order", ["jax first", "diffeo first", "adopted in between"])
def test_a_class_may_be_registered_with_both(order):
    with_jax = """
        jax.tree_util.register_pytree_node(*rules)
        """
    in_between = """
        old_structure = tree.structure(Pair(1, 2))
        assert old_structure.num_leaves == 2
        old_layer = tree.structure(Layer(1, 2))
    """
    with_diffeo = """
        tree.register_pytree_node(Pair, lambda p: ((p.b,), p.a), lambda a, b: Pair(a, *b))
        tree.register_dataclass(Layer)
        """
    steps = {
        "jax first": [with_jax, with_diffeo],
        "diffeo first": [with_diffeo, with_jax],
        "adopted in between": [with_jax, in_between, with_diffeo],
    }[order]
    in_a_process(
        "import numpy as np",
        USE_JAX,
        REGISTERED_WITH_JAX,
        *steps,
        """
        assert tree.leaves(Pair(1, 2)) == [2] and jax.tree.leaves(Pair(1, 2)) == [1, 2]
        assert tree.map(lambda x: -x, Pair(1, 2)) == Pair(1, -2)
        assert tree.map(lambda x: -x, Layer(1, (2,), "n")) == Layer(-1, (-2,), "n")
        assert [tree.keystr(p) for p, _ in tree.leaves_with_path(Layer(1, 2))] == [
            ".weight", ".child"]
        """,
        "" if len(steps) < 3 else "assert old_structure.unflatten([3, 4]) == Pair(3, 4)",
        "" if len(steps) < 3 else "assert old_layer.unflatten([3, 4]) == Layer(3, 4)",
    )
