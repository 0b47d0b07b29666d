"""Check a policy document without applying it."""

from __future__ import annotations

from nightlatch.app.context import Ports
from nightlatch.app.messages import Answer
from nightlatch.domain.errors import FieldProblem, Invalid
from nightlatch.domain.policy.compare import weakens
from nightlatch.domain.policy.document import PolicyDocument
from nightlatch.domain.policy.lint import advise
from nightlatch.domain.policy.loader import load
from nightlatch.domain.policy.problems import PolicyErrors


class PolicyAdvice(Answer, frozen=True, kw_only=True):
    """Something to think about before applying; ``pointer`` is a JSON pointer into the document's normal form."""

    pointer: str
    code: str
    detail: str


class PolicyCheck(Answer, frozen=True, kw_only=True):
    """A good document: ``weakens`` lists what would be weaker than what is in force, ``advice`` what to think about."""

    version: int
    weakens: list[str]
    advice: list[PolicyAdvice]


async def check_policy(ports: Ports, text: str) -> PolicyCheck:
    """Read a document as ``apply_policy`` would. Raises ``Invalid`` with every problem.

    ``version`` of the answer is that of the policy in force, against which it was compared.
    """
    document = await read_document(ports, text)
    current = await ports.policies.current()
    return PolicyCheck(
        version=current.version,
        weakens=weakens(current.document, document),
        advice=[PolicyAdvice(pointer=a.pointer, code=a.code, detail=a.detail) for a in advise(document)],
    )


async def read_document(ports: Ports, text: str) -> PolicyDocument:
    """The document, its groups compared with those that users are in. Raises ``Invalid`` with line and column."""
    try:
        return load(text, groups_known=await ports.directory.groups(), to_apply=True)
    except PolicyErrors as errors:
        fields = tuple(
            FieldProblem(p.pointer, p.code, f"line {p.line}, column {p.column}: {p.detail}", p.nearest)
            for p in errors.problems
        )
        raise Invalid("The policy document is not valid.", code="invalid_policy", fields=fields) from None
