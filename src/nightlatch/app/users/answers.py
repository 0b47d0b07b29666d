"""Users as the wire shows them."""

from __future__ import annotations

from nightlatch.app.messages import AddressAnswer, UserAnswer
from nightlatch.app.times import optional_moment
from nightlatch.domain.records import Address, User
from nightlatch.domain.time import moment


def user_answer(user: User) -> UserAnswer:
    """A user with everything that applications may read."""
    return UserAnswer(
        id=user.id,
        username=user.username,
        display_name=user.display_name,
        kind=user.kind,
        groups=list(user.groups),
        emails=[_address(address) for address in user.emails],
        phones=[_address(address) for address in user.phones],
        locale=user.locale,
        owner=user.owner,
        expires_at=optional_moment(user.expires_at),
        networks=list(user.networks),
        status=user.status,
        created_at=moment(user.created_at),
        updated_at=moment(user.updated_at),
    )


def _address(address: Address) -> AddressAnswer:
    return AddressAnswer(value=address.value, verified_at=optional_moment(address.verified_at))
