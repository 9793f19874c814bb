"""Rotations in three dimensions, with the names of scipy.spatial.transform."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from ...numpy.common import arr, same_dtype, static_int
from ...numpy.contracting.products import dot, matvec
from ...numpy.joining import concatenate
from ...numpy.limiting import clip
from ...numpy.linalg.decompositions import eigh
from ...numpy.making.creation import asarray, ones
from ...numpy.places.selecting import roll
from ...numpy.reducing.cumulative import diff
from ...numpy.reducing.sorting import searchsorted
from ...numpy.shaping import broadcast_to, swapaxes
from ...numpy.ufuncs import deg2rad, rad2deg
from ...operations.identity import stop_gradient
from ...primitives.core import Value, describe, with_user_line
from ...primitives.words.promotion import to_inexact
from ...random.samplers import normal
from ...typing import ArrayLike
from . import quaternions as qs

__all__ = ["Rotation", "Slerp"]


def _floats(x: Any, what: str, *tail: int) -> Any:
    """Return an array of floats whose last axes have these sizes."""
    x = arr(to_inexact(asarray(x)))
    if x.shape[-len(tail) :] != tail or x.ndim < len(tail):
        shape = ", ".join(map(str, ("...", *tail)))
        raise with_user_line(ValueError(f"{what} must be of shape [{shape}], got shape {x.shape}"))
    return x


def _check_axes(seq: str, least: int) -> bool:
    """Return whether axes turn with the body (upper case); ValueError unless they are right."""
    right = isinstance(seq, str) and least <= len(seq) <= 3
    right = right and (set(seq) <= set("xyz") or set(seq) <= set("XYZ"))
    if not right or any([a == b for a, b in pairwise(seq)]):
        number = "three" if least == 3 else "one to three"
        raise with_user_line(
            ValueError(
                f"seq must be {number} letters of 'xyz', or of 'XYZ', without equal neighbours; "
                f"got {describe(seq)}"
            )
        )
    return seq.isupper()


class Rotation(NamedTuple):
    """A rotation in three dimensions, or several: a tree of one array of quaternions.

    Args:
        quat: [4] or [n, 4], (x, y, z, w), of length 1; `from_quat` takes other lengths.

    Examples:
        >>> import diffeo as dx
        >>> turn = Rotation.from_euler("z", 90.0, degrees=True)
        >>> turn.apply(dx.numpy.array([1.0, 0.0, 0.0])).round(12)
        Array([0., 1., 0.])
    """

    quat: Any

    @classmethod
    def concatenate(cls, rotations: Sequence[Rotation]) -> Rotation:
        """Join rotations to one sequence of them."""
        return cls(concatenate([r.quat[None] if r.single else r.quat for r in rotations]))

    @classmethod
    def from_euler(cls, seq: str, angles: Any, degrees: bool = False) -> Rotation:
        """Make rotations of angles about axes of the coordinates.

        Args:
            seq: the axes: one to three letters, "xyz" for axes that stay, "XYZ" for axes that turn
                with the body.
            angles: [..., k] for k axes; for one axis also a number.
            degrees: whether angles are in degrees.

        Raises:
            ValueError: for other axes, or angles of another number.
        """
        intrinsic = _check_axes(seq, 1)
        angles = arr(to_inexact(asarray(angles)))
        if len(seq) == 1 and not angles.ndim:
            angles = angles[None]
        if angles.shape[-1:] != (len(seq),):
            raise with_user_line(
                ValueError(f"{len(seq)} axes need {len(seq)} angles, got shape {angles.shape}")
            )
        angles = deg2rad(angles) if degrees else angles
        q = None
        for i, axis in enumerate(seq.lower()):
            turn = qs.about_axis("xyz".index(axis), angles[..., i])
            q = turn if q is None else qs.composed(q, turn) if intrinsic else qs.composed(turn, q)
        return cls(q)

    @classmethod
    def from_matrix(cls, matrix: Any) -> Rotation:
        """Make rotations of matrices [..., 3, 3], which must be orthogonal with determinant 1."""
        return cls(qs.from_matrix(_floats(matrix, "matrix", 3, 3)))

    @classmethod
    def from_mrp(cls, mrp: Any) -> Rotation:
        """Make rotations of modified Rodrigues parameters [..., 3]: axis times tan(angle / 4)."""
        return cls(qs.from_mrp(_floats(mrp, "mrp", 3)))

    @classmethod
    def from_quat(cls, quat: ArrayLike, *, scalar_first: bool = False) -> Rotation:
        """Make rotations of quaternions [..., 4], which are normalized.

        They are (x, y, z, w), or (w, x, y, z) with `scalar_first`.
        """
        quat = _floats(quat, "quat", 4)
        return cls(qs.normalized(roll(quat, -1, -1) if scalar_first else quat))

    @classmethod
    def from_rotvec(cls, rotvec: ArrayLike, degrees: bool = False) -> Rotation:
        """Make rotations about vectors [..., 3] by their lengths."""
        rotvec = _floats(rotvec, "rotvec", 3)
        return cls(qs.from_rotation_vector(deg2rad(rotvec) if degrees else rotvec))

    @classmethod
    def identity(cls, num: int | None = None, dtype: Any = float) -> Rotation:
        """Make the rotation that changes nothing, or `num` of them."""
        quat = asarray([0.0, 0.0, 0.0, 1.0], dtype)
        if num is None:
            return cls(quat)
        return cls(broadcast_to(quat, (static_int(num, "identity", "num"), 4)))

    @classmethod
    def random(cls, random_key: Any, num: int | None = None) -> Rotation:
        """Draw a rotation, or `num` of them, uniformly."""
        shape = (4,) if num is None else (static_int(num, "random", "num"), 4)
        return cls(qs.normalized(normal(random_key, shape)))

    def __getitem__(self, indexer: Any) -> Rotation:  # type: ignore[override]
        """Return some of several rotations."""
        if self.single:
            raise with_user_line(TypeError("a single rotation has no elements"))
        return Rotation(self.quat[indexer])

    def __len__(self) -> int:
        """Return how many rotations there are; TypeError for a single one."""
        if self.single:
            raise with_user_line(TypeError("a single rotation has no len()"))
        return self.quat.shape[0]

    def __mul__(self, other: Rotation) -> Rotation:  # type: ignore[override]
        """Compose rotations: `other` comes first."""
        return Rotation(qs.normalized(qs.composed(*_together(self.quat, other.quat))))

    def apply(self, vectors: ArrayLike, inverse: bool = False) -> Any:
        """Rotate vectors [..., 3], or rotate them back with `inverse`."""
        matrix, vectors = same_dtype(self.as_matrix(), _floats(vectors, "vectors", 3))
        return matvec(swapaxes(matrix, -1, -2) if inverse else matrix, vectors)

    def as_euler(self, seq: str, degrees: bool = False) -> Any:
        """Return angles [..., 3] about three axes; see `from_euler`.

        Where the first and the third axis become one line, the third angle is 0.

        Raises:
            ValueError: for axes that are not three different neighbours.
        """
        angles = qs.to_euler(self.quat, seq, _check_axes(seq, 3))
        return rad2deg(angles) if degrees else angles

    def as_matrix(self) -> Any:
        """Return matrices [..., 3, 3]."""
        return qs.to_matrix(self.quat)

    def as_mrp(self) -> Any:
        """Return modified Rodrigues parameters [..., 3], of a length up to 1."""
        return qs.to_mrp(self.quat)

    def as_rotvec(self, degrees: bool = False) -> Any:
        """Return rotation vectors [..., 3], of a length up to pi."""
        rotvec = qs.to_rotation_vector(self.quat)
        return rad2deg(rotvec) if degrees else rotvec

    def as_quat(self, canonical: bool = False, scalar_first: bool = False) -> Any:
        """Return quaternions [..., 4], (x, y, z, w), or (w, x, y, z) with `scalar_first`.

        With `canonical`, of q and -q the one with w > 0 is taken (for w = 0 the first of x, y, z
        that is not 0 is positive).
        """
        quat = qs.canonical(self.quat) if canonical else self.quat
        return roll(quat, 1, -1) if scalar_first else quat

    def inv(self) -> Rotation:
        """Return the inverse."""
        return Rotation(qs.inverse(self.quat))

    def magnitude(self) -> Any:
        """Return the angle, from 0 to pi."""
        return qs.magnitude(self.quat)

    def mean(self, weights: Any = None) -> Rotation:
        """Return the mean of several rotations, the one of the least squared distances.

        Args:
            weights: [n], by default equal ones.

        Raises:
            ValueError: for weights of another shape.
        """
        quat, n = self.quat, len(self)
        weights = ones((n,), quat.dtype) if weights is None else asarray(weights, quat.dtype)
        if weights.shape != (n,):
            raise with_user_line(
                ValueError(f"{n} rotations need weights of shape ({n},), got {weights.shape}")
            )
        _, vectors = eigh(dot(weights * quat.T, quat))
        return Rotation(vectors[:, -1])

    @property
    def single(self) -> bool:
        """Whether this is one rotation, not a sequence."""
        return self.quat.ndim == 1


def _together(p: Value, q: Value) -> tuple[Any, Any]:
    """Return two arrays of quaternions of one dtype and shape."""
    p, q = same_dtype(p, q)
    lead = q.shape if q.ndim > p.ndim or p.shape[0] == 1 else p.shape
    return broadcast_to(p, lead), broadcast_to(q, lead)


class Slerp(NamedTuple):
    """Interpolate between rotations at given times, at constant angular velocity; see `init`.

    Examples:
        >>> turns = Rotation.from_euler("z", [[0.0], [90.0]], degrees=True)
        >>> Slerp.init([0.0, 1.0], turns)(0.5).as_euler("xyz", degrees=True).round(12)
        Array([ 0.,  0., 45.])
    """

    times: Any
    timedelta: Any
    rotations: Rotation
    rotvecs: Any

    @classmethod
    def init(cls, times: Any, rotations: Rotation) -> Slerp:
        """Make the interpolation of rotations at times.

        Args:
            times: [n], ascending.
            rotations: n of them, at least 2.

        Raises:
            TypeError: for `rotations` that are no `Rotation`.
            ValueError: for a single rotation, or other times.
        """
        if not isinstance(rotations, Rotation):
            raise with_user_line(
                TypeError(f"rotations must be a Rotation, got {describe(rotations)}")
            )
        if rotations.single or len(rotations) < 2:
            raise with_user_line(ValueError("there must be two rotations or more"))
        times = asarray(times, rotations.quat.dtype)
        if times.shape != (len(rotations),):
            raise with_user_line(
                ValueError(
                    f"{len(rotations)} rotations need as many times, got shape {times.shape}"
                )
            )
        before, after = Rotation(rotations.quat[:-1]), Rotation(rotations.quat[1:])
        return cls(times, diff(times), before, (before.inv() * after).as_rotvec())

    def __call__(self, times: Any) -> Rotation:
        """Return the rotation at times, [] or [m]; before the first and after the last, go on."""
        times = asarray(times, self.times.dtype)
        index = searchsorted(stop_gradient(self.times), stop_gradient(times)) - 1
        index = clip(index, 0, len(self.rotations) - 1)
        share = (times - self.times[index]) / self.timedelta[index]
        moved = Rotation.from_rotvec(self.rotvecs[index] * share[..., None])
        return self.rotations[index] * moved
