"""The form that every sign-in ends with: a code, typed."""

from __future__ import annotations

from nightlatch.app.prompt.answer import answer_prompt
from nightlatch.app.prompt.session import Visit
from nightlatch.app.prompt.view import Stage, view_prompt
from nightlatch.domain.errors import Conflict, Throttled
from nightlatch.domain.records import AuthenticationStatus
from nightlatch.web.pages.prompt.pages import MAX_CODE, base_of, depart
from nightlatch.web.pages.prompt.session import remembered_way, visit_of
from nightlatch.web.pages.shared.pages import Page, PageRequest, PageRoutes, go

routes = PageRoutes()


@routes.post("/prompt/{authentication}/code")
async def answer(request: PageRequest) -> Page:
    """Judge one code; a right one leads back to the application at once."""
    visit = visit_of(request)
    form = await request.form(visit.secret)
    way_id = form.get("way", "")[:MAX_CODE]
    try:
        answered = await answer_prompt(
            request.ports,
            visit,
            factor_id=way_id,
            code=form.get("code", "")[:MAX_CODE],
            remember=form.get("remember") == "yes",
        )
    except Conflict:
        # Decided meanwhile, perhaps by the first of two presses: go where that one leads.
        return await depart(request, visit)
    except Throttled:
        return again(visit, way_id, "busy")
    if answered.approved:
        cookie = remembered_way(request, way_id)
        if (await view_prompt(request.ports, visit)).stage is Stage.BETTER:
            return go(base_of(visit), cookie)
        return await depart(request, visit, cookie)
    if answered.authentication.status is not AuthenticationStatus.PENDING:
        return go(base_of(visit))
    return again(visit, way_id, answered.judged.rejection)


def again(visit: Visit, way_id: str, said: str | None) -> Page:
    """The same field, with what was wrong."""
    return go(f"{base_of(visit)}/code?way={way_id}&said={said}")
