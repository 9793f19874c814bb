"""The transformations that users call: one file for each family of public functions.

The functions here check arguments, flatten trees, and call interpreters and engine; the mathematics
is on the floors below.
"""
