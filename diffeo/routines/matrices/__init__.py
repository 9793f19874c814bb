"""Decompositions of matrices, systems of equations, and their derivatives; start with
matrices.py.
"""
