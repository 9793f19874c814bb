"""How decompositions may be computed: the names that jax.lax.linalg has."""

from __future__ import annotations

import enum


class EigImplementation(enum.Enum):
    """A way to compute `eig`. LAPACK computes it, whatever is asked for."""

    CUSOLVER = "cusolver"
    MAGMA = "magma"
    LAPACK = "lapack"


class EighImplementation(enum.Enum):
    """A way to compute `eigh`. LAPACK computes it, whatever is asked for."""

    QR = "qr"
    JACOBI = "jacobi"
    QDWH = "qdwh"


class SvdAlgorithm(enum.Enum):
    """A way to compute `svd`. It is computed by divide and conquer, whatever is asked for."""

    DEFAULT = "default"
    QR = "QR"
    JACOBI = "Jacobi"
    POLAR = "polar"
    DIVIDE_AND_CONQUER = "divide_and_conquer"
