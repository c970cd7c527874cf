"""Which renderer draws on this machine: OpenGL where it works, ray casting where it does not."""

from __future__ import annotations

from typing import Literal

from yaff.errors import ConfigError
from yaff.scene.render import Renderer
from yaff.scene.render_raycast import RaycastRenderer

Preference = Literal["auto", "pyrender", "raycast"]


def make_renderer(prefer: Preference | str = "auto") -> Renderer:
    """The renderer to use on this machine.

    ``auto`` takes pyrender where it can open an offscreen context (EGL, OSMesa) and ray casting, which needs no
    graphics at all, where it cannot; ``note`` of the result then says why.

    Raises:
        ConfigError: an unknown preference, or pyrender was demanded and does not work here.
    """
    if prefer == "raycast":
        return RaycastRenderer()
    if prefer not in ("auto", "pyrender"):
        raise ConfigError(f"unknown renderer {prefer!r}", remedy="one of auto, pyrender, raycast")
    try:
        from yaff.scene.render_pyrender import PyrenderRenderer

        return PyrenderRenderer()
    # A missing driver shows itself as whatever OpenGL, EGL or ctypes raise on that machine.
    except Exception as error:
        reason = f"pyrender cannot open an offscreen context here ({type(error).__name__}: {error})"
        if prefer == "pyrender":
            raise ConfigError(
                reason, remedy="install EGL or OSMesa (set PYOPENGL_PLATFORM), or use renderer 'raycast'"
            ) from error
        return RaycastRenderer(note=reason)
