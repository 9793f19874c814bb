"""Compiled programs on disk.

`cache_folder.py` chooses the folder, `disk_cache.py` reads and writes its files, and
`program_keys.py` says which programs are the same.
"""
