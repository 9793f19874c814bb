"""Devices and what is on them.

`devices.py` has the devices, `plugins.py` and `cuda.py` load the libraries of accelerators,
`buffers.py` turns NumPy arrays into numbers on a device and back, and `placement.py` says where
arrays are and programs run.
"""
