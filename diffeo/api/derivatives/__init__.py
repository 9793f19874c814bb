"""Derivatives for users: of first and of any order, dense and sparse."""
