"""The reference of the API, and a page for every error code: where ``type`` of a problem leads."""

from __future__ import annotations

from collections import defaultdict

from nightlatch.domain.errors import NotFound
from nightlatch.web.common.reference import ErrorPage, Reference
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes


def docs_routes(reference: Reference) -> PageRoutes:
    """The pages that show this reference."""
    routes = PageRoutes()
    errors = {error.code: error for error in reference.errors}

    @routes.get("/docs")
    async def show_reference(request: PageRequest) -> Page:
        """Every operation, with a call to copy."""
        return request.site.page("docs/reference.html", reference=reference)

    @routes.get("/docs/errors")
    async def show_errors(request: PageRequest) -> Page:
        """Every error code, by its status."""
        return request.site.page("docs/errors.html", by_status=_by_status(reference.errors))

    @routes.get("/docs/errors/{code}")
    async def show_error(request: PageRequest) -> Page:
        """What one error code means, and how to mend it."""
        found = errors.get(request.part("code"))
        if found is None:
            raise NotFound
        return request.site.page("docs/error.html", error=found)

    return routes


def _by_status(errors: tuple[ErrorPage, ...]) -> dict[int, list[ErrorPage]]:
    found: dict[int, list[ErrorPage]] = defaultdict(list)
    for error in errors:
        found[error.status].append(error)
    return dict(sorted(found.items()))
