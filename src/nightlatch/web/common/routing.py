"""A repair of Litestar's routing for ASGI handlers whose path has parameters."""

from __future__ import annotations

from typing import Any

from litestar import Litestar

_ASGI = "asgi"


class _ByAnyMethod(dict[Any, Any]):
    """What is kept for ASGI is found under every method."""

    def __missing__(self, method: object) -> Any:
        return self[_ASGI]


def mend_path_parameters(app: Litestar) -> None:
    """Let ASGI handlers have path parameters.

    Litestar 2 keeps the parameters of an ASGI route under the key ``asgi`` and looks them up under
    the request's method, so that such a route fails with ``KeyError``. Harmless once it is mended there.
    """
    nodes = [app.asgi_router.root_route_map_node]
    while nodes:
        node = nodes.pop()
        nodes += node.children.values()
        if node.is_asgi:
            node.path_parameters = _ByAnyMethod(node.path_parameters)
