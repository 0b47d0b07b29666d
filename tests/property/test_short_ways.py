"""What is computed the short way on the hot path is what the standard's own way gives."""

from __future__ import annotations

import ipaddress
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from precis_i18n import get_profile

from nightlatch.app.networks import IPV4_PREFIX, network_of
from nightlatch.domain.fields import BadField
from nightlatch.domain.ids import has_id_prefix
from nightlatch.domain.naming import normal_username


@given(st.text(string.printable.replace("/", ""), min_size=1, max_size=20))
def test_an_ascii_name_is_what_the_profile_makes_of_it(text: str) -> None:
    assume(text not in (".", "..") and not has_id_prefix(text))
    try:
        enforced = get_profile("UsernameCaseMapped").enforce(text)
    except UnicodeError:
        with pytest.raises(BadField):
            normal_username(text)
    else:
        assert normal_username(text) == enforced


@given(st.ip_addresses(v=4))
def test_an_ipv4_network_is_what_the_library_makes_of_it(address: ipaddress.IPv4Address) -> None:
    assert network_of(str(address)) == str(ipaddress.ip_network((address, IPV4_PREFIX), strict=False))
