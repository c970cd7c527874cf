"""Geometry that knows of no hand and no object: transforms, triangle meshes, nearest points, signed distances.

Import from the modules; the package itself brings nothing in.
"""
