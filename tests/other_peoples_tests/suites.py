"""Which files of a suite make which group."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

#: The groups of jax's tests: the names of files under tests/, without `_test.py`.
JAX = {
    "api": ["api", "errors", "jax_jit", "pickle", "debug_nans", "python_callback"],
    "custom": ["custom_api", "custom_linear_solve", "custom_root"],
    "batching": ["batching"],
    "tree": ["tree_util"],
    "control flow": ["lax_control_flow"],
    "numpy": [
        "lax_numpy", "lax_numpy_einsum", "lax_numpy_indexing", "lax_numpy_operators",
        "lax_numpy_reducers", "lax_numpy_setops", "lax_numpy_ufuncs", "lax_numpy_vectorize",
        "polynomial",
    ],
    "lax": ["lax", "lax_autodiff", "lax_vmap", "lax_vmap_op"],
    "linalg": ["linalg"],
    "random": ["random", "random_lax"],
    "nn": ["nn"],
    "dtypes": ["dtypes"],
    "jet": ["jet"],
    "scipy": [
        "lax_scipy", "lax_scipy_special_functions", "lax_scipy_sparse", "scipy_fft",
        "scipy_interpolate", "scipy_ndimage", "scipy_optimize", "scipy_signal", "scipy_spatial",
        "scipy_stats",
    ],
    "image": ["image"],
    "extend": ["extend", "core", "mutable_array"],
    "example libraries": ["optimizers", "stax"],
    "ode": ["ode"],
    "checkify": ["checkify"],
    "sparse": ["sparse", "sparse_bcoo_bcsr"],
}  # fmt: skip


class File(NamedTuple):
    """A file of tests.

    Attributes:
        group: the group that its figures count for.
        path: where it is.
        library: whose modules are diffeo's: "jax"; "jax and internals" for jax's own tests;
            "autograd".
    """

    group: str
    path: Path
    library: str = "jax"


def files_of(suite: str, groups: list[str]) -> list[File]:
    """Return the files of a suite, all of them or those of some groups.

    Args:
        suite: `jax:/path/to/checkout`, `autograd:/path/to/checkout`, or the name of an installed
            package that ships its tests.
        groups: names of groups; none for all.

    Raises:
        SystemExit: if there is no such suite or group.
    """
    name, _, where = suite.partition(":")
    if name == "jax":
        return _of_checkout(Path(where or "."), groups)
    if name == "autograd":
        return _of_autograd(Path(where or "."), groups)
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name} is not installed here, or is no package")
    folder = Path(spec.submodule_search_locations[0])
    found = sorted({*folder.rglob("*_test.py"), *folder.rglob("test_*.py")})
    if not found:
        raise SystemExit(f"{name} ships no tests of its own in {folder}")
    files = [File(_group(name, f.relative_to(folder)), f) for f in found]
    return [f for f in files if not groups or f.group in groups]


def folders_of(files: list[File]) -> list[File]:
    """Return the folders of files in their place, each once."""
    return list(dict.fromkeys([File(f.group, f.path.parent) for f in files]))


def _group(package: str, inside: Path) -> str:
    """Return the group of a package's file: its folder, without those of tests alone."""
    folders = [p for p in inside.parts[:-1] if p.strip("_") not in ("tests", "test", "src")]
    return f"{package}.{folders[0]}" if folders else package


def _of_checkout(checkout: Path, groups: list[str]) -> list[File]:
    if not (checkout / "tests").is_dir():
        raise SystemExit(f"{checkout} is no checkout of jax: it has no folder tests")
    unknown = [g for g in groups if g not in JAX]
    if unknown:
        raise SystemExit(f"no group {', '.join(unknown)}; the groups are {', '.join(JAX)}")
    files = [
        File(group, checkout / "tests" / f"{name}_test.py", "jax and internals")
        for group in (groups or JAX)
        for name in JAX[group]
    ]
    return [f for f in files if f.path.exists()]


def _of_autograd(checkout: Path, groups: list[str]) -> list[File]:
    """Return autograd's tests, a group for each file."""
    found = sorted((checkout / "tests").glob("test_*.py"))
    if not found:
        raise SystemExit(f"{checkout} is no checkout of autograd: it has no folder tests")
    files = [File(f.stem.removeprefix("test_"), f, "autograd") for f in found]
    return [f for f in files if not groups or f.group in groups]
