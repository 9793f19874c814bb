"""Rotations beside SciPy's, and their derivatives where formulas have limits."""

import math

import numpy as np
import pytest
from scipy.spatial import transform as theirs

import diffeo as dx
from diffeo.scipy.spatial.transform import Rotation, Slerp
from tests.checks import close, rng

dnp = dx.numpy

QUATS = rng(6, 4)
VECTORS = np.concatenate([rng(4, 3), 1e-9 * rng(1, 3), np.zeros((1, 3))])
SEQUENCES = ["xyz", "XYZ", "zxz", "ZYX", "yxz", "XZX"]


def both(quats=QUATS):
    return Rotation.from_quat(quats), theirs.Rotation.from_quat(quats)


def same_rotation(found, expected):
    a, b = np.asarray(found.as_matrix()), expected.as_matrix()
    close(a, b, 1e-12, 1e-12)


@pytest.mark.parametrize("one", [False, pytest.param(True, marks=pytest.mark.exhaustive)])
def test_forms(one):
    ours, scipys = both(QUATS[0] if one else QUATS)
    for name in ("as_matrix", "as_mrp", "as_rotvec", "magnitude"):
        close(getattr(ours, name)(), getattr(scipys, name)(), 1e-12, 1e-13)
        close(dx.jit(lambda r, name=name: getattr(r, name)())(ours), getattr(scipys, name)(), 1e-12)
    close(ours.as_rotvec(True), scipys.as_rotvec(True), 1e-12)
    for canonical in (False, True):
        for first in (False, True):
            close(
                ours.as_quat(canonical, first),
                scipys.as_quat(canonical, scalar_first=first),
                1e-13,
            )
    same_rotation(ours.inv(), scipys.inv())
    for seq in SEQUENCES:
        close(ours.as_euler(seq, True), scipys.as_euler(seq, True), 1e-10, 1e-10)
    for inverse in (False, True):
        v = rng(3, seed=4)
        close(ours.apply(v, inverse), scipys.apply(v, inverse), 1e-12)
    assert ours.single is one


def test_makers():
    for degrees in (False, True):
        same_rotation(
            Rotation.from_rotvec(VECTORS, degrees), theirs.Rotation.from_rotvec(VECTORS, degrees)
        )
        for seq in [*SEQUENCES, "zx", "Y"]:
            angles = 3 * rng(5, len(seq))
            same_rotation(
                Rotation.from_euler(seq, angles, degrees),
                theirs.Rotation.from_euler(seq, angles, degrees),
            )
    assert Rotation.from_euler("z", 0.3).single and Rotation.from_euler("z", [0.3]).single
    same_rotation(Rotation.from_mrp(rng(4, 3)), theirs.Rotation.from_mrp(rng(4, 3)))
    for m in (theirs.Rotation.from_quat(QUATS).as_matrix(), -np.eye(3) + 2 * np.diag([0, 1.0, 0])):
        same_rotation(Rotation.from_matrix(m), theirs.Rotation.from_matrix(m))
    first = Rotation.from_quat(np.roll(QUATS, 1, -1), scalar_first=True)
    close(first.quat, both()[0].quat)
    assert Rotation.identity().magnitude() == 0 and len(Rotation.identity(3)) == 3
    drawn = Rotation.random(dx.random.PRNGKey(0), 2000)
    close(dnp.sum(drawn.quat**2, -1), np.ones(2000))
    assert np.abs(np.mean(drawn.as_matrix(), 0)).max() < 0.06


def test_sequences():
    ours, scipys = both()
    other, theirs_ = both(rng(6, 4, seed=3))
    same_rotation(ours * other, scipys * theirs_)
    same_rotation(ours[0] * other, scipys[0] * theirs_)
    same_rotation(ours * other[0], scipys * theirs_[0])
    same_rotation(ours[1:3], scipys[1:3])
    joined = Rotation.concatenate([ours, other[0]])
    same_rotation(joined, theirs.Rotation.concatenate([scipys, theirs_[0]]))
    for weights in (None, np.arange(1.0, 7)):
        same_rotation(ours.mean(weights), scipys.mean(weights))
    v = rng(6, 3)
    close(ours.apply(v), scipys.apply(v), 1e-12)
    close(dx.vmap(lambda r, v: r.apply(v))(ours, v), scipys.apply(v), 1e-12)
    assert len(ours) == 6 and len(dx.tree.leaves(ours)) == 1


def test_slerp():
    times, at = np.array([0.0, 1.0, 3.0, 3.5, 5.0, 6.0]), np.linspace(0, 6, 31)
    ours, scipys = both()
    ours, expected = Slerp.init(times, ours), theirs.Slerp(times, scipys)
    same_rotation(ours(at), expected(at))
    same_rotation(dx.jit(lambda s, t: s(t))(ours, at), expected(at))
    same_rotation(ours(2.0), expected(2.0))
    speed = dx.vmap(dx.grad(lambda t: ours(t).magnitude()))(at)
    assert np.isfinite(speed).all()


def test_poles_of_angles():
    for seq in SEQUENCES:
        middle = 0.0 if seq[0] == seq[2] else math.pi / 2
        for m in (middle, math.pi - middle if middle == 0 else -middle):
            angles = np.array([0.4, m, -0.7])
            r = Rotation.from_euler(seq, angles)
            found = r.as_euler(seq)
            assert abs(float(found[2])) < 1e-6
            close(Rotation.from_euler(seq, found).as_matrix(), r.as_matrix(), 1e-7, 1e-7)


@pytest.mark.parametrize("size", [0.0, 1e-8, 0.1, 0.31, 0.33, 1.0, 3.0])
def test_derivatives_have_no_seam(size):
    v, w = size * np.array([0.6, 0.0, 0.8]), np.array([0.3, -0.5, 0.2])

    def there_and_back(v):
        return Rotation.from_rotvec(v).as_rotvec()

    close(dx.jacobian(there_and_back)(v), np.eye(3), 1e-9, 1e-9)
    close(dx.jacobian(dx.jacobian(there_and_back))(v), np.zeros((3, 3, 3)), 1e-8, 1e-8)
    turned = lambda v: dnp.dot(Rotation.from_rotvec(v).apply(w), np.array([1.0, 2.0, 3.0]))
    h = 1e-3
    steps = [(np.eye(3)[i], np.eye(3)[j]) for i in range(3) for j in range(3)]
    at = lambda u: float(np.dot(theirs.Rotation.from_rotvec(v + u).apply(w), [1.0, 2.0, 3.0]))
    second = [
        (at(h * (a + b)) - at(h * (a - b)) - at(h * (b - a)) + at(-h * (a + b))) / (4 * h * h)
        for a, b in steps
    ]
    close(dx.hessian(turned)(v), np.reshape(second, (3, 3)), 1e-4, 1e-4)


def test_bad_input():
    ours, _ = both()
    for bad in ("xx", "xY", "", "xyzx", "a"):
        with pytest.raises(ValueError, match="seq must be"):
            Rotation.from_euler(bad, [0.0])
    with pytest.raises(ValueError, match=r"seq must be three"):
        ours.as_euler("xy")
    with pytest.raises(ValueError, match=r"angles, got shape \(2,\)"):
        Rotation.from_euler("xyz", np.zeros(2))
    with pytest.raises(ValueError, match=r"quat must be of shape \[\.\.\., 4\]"):
        Rotation.from_quat(np.zeros(3))
    with pytest.raises(TypeError, match="single"):
        len(ours[0])
    with pytest.raises(TypeError, match="single"):
        ours[0][0]
    with pytest.raises(ValueError, match="weights"):
        ours.mean(np.ones(2))
    with pytest.raises(ValueError, match="as many times"):
        Slerp.init(np.arange(3.0), ours)
    with pytest.raises(TypeError, match="must be a Rotation"):
        Slerp.init(np.arange(3.0), QUATS)
