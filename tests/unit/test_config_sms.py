"""``[sms]``: gateways by name, secrets from elsewhere, and nothing wrong that passes silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightlatch.adapters.delivery.options import HttpOptions, KannelOptions, SmppOptions, TwilioOptions
from nightlatch.config import ConfigError, Settings, gateway_reference, load_settings
from nightlatch.domain.sms.routing import Route

OFFICE = """
[sms.gateways.office]
kind = "kannel"
url = "http://10.0.0.5:13013/cgi-bin/sendsms"
username = "nightlatch"
"""
PASSWORD = {"NIGHTLATCH_SMS__OFFICE__PASSWORD": "hunter2"}


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    """The settings of a file and of variables."""
    file = folder / "nightlatch.toml"
    file.write_text(text, "utf-8")
    return load_settings(file=file, environ=environ or {})


def complaints(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    """What is wrong with them."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, environ)
    return [str(problem) for problem in caught.value.problems]


def test_nothing_given_sends_nothing(tmp_path: Path) -> None:
    """No gateway, no route, nobody to ask."""
    sms = load(tmp_path, "").sms
    assert (sms.gateways, sms.routes, sms.veto_url, sms.sender) == ((), (), None, None)


def test_gateways_keep_the_order_of_the_file(tmp_path: Path) -> None:
    """Each typed as its kind wants it."""
    text = """
[sms]
sender = "Meridian"
[sms.gateways.zeta]
kind = "smpp"
host = "smsc.example"
system_id = "nl"
tls = true
[sms.gateways.api]
kind = "http"
url = "https://sms.example/send"
fields = { messages = [{ to = "{to}", text = "{text}" }] }
success = { "messages.0.status" = "ok" }
"""
    sms = load(
        tmp_path, text + OFFICE, PASSWORD | {"NIGHTLATCH_SMS__ZETA__PASSWORD": "p", "NIGHTLATCH_SMS__ZETA__PORT": "9"}
    ).sms
    smpp, http, kannel = sms.gateways
    assert isinstance(smpp, SmppOptions)
    assert (smpp.name, smpp.port, smpp.tls, smpp.password) == ("zeta", 9, True, "p")
    assert isinstance(http, HttpOptions)
    assert (http.fields, http.success) == (
        {"messages": [{"to": "{to}", "text": "{text}"}]},
        {"messages.0.status": "ok"},
    )
    assert isinstance(kannel, KannelOptions)
    assert kannel.password == "hunter2"


def test_a_gateway_may_come_from_variables_alone() -> None:
    """For containers."""
    given = {
        "KIND": "twilio",
        "ACCOUNT_SID": "AC" + "0" * 32,
        "AUTH_TOKEN": "t",
    }
    (gateway,) = load_settings(
        environ={f"NIGHTLATCH_SMS__MY_CLOUD__{name}": text for name, text in given.items()}
    ).sms.gateways
    assert isinstance(gateway, TwilioOptions)
    assert gateway.name == "my_cloud"


@pytest.mark.requirement("K3")
def test_a_secret_in_the_file_is_refused_and_one_in_its_own_file_is_taken(tmp_path: Path) -> None:
    """Relative to the settings; a final line break is none of it."""
    (complaint,) = complaints(tmp_path, OFFICE + 'password = "hunter2"')
    assert complaint.startswith("nightlatch.toml:6: sms.gateways.office.password is taken from ")
    assert complaint.endswith(" NIGHTLATCH_SMS__OFFICE__PASSWORD, or from a file: password_file")
    (tmp_path / "kannel.secret").write_text("hunter2\n", "utf-8")
    settings = load(tmp_path, OFFICE + 'password_file = "kannel.secret"')
    (office,) = settings.sms.gateways
    assert isinstance(office, KannelOptions)
    assert office.password == "hunter2"
    assert "hunter2" not in repr(settings) + repr(settings.sms) + repr(office)
    (complaint,) = complaints(tmp_path, OFFICE + 'password_file = "none"')
    assert complaint == "nightlatch.toml:6: none cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OFFICE + 'usrname = "x"', "nightlatch.toml:6: unknown setting sms.gateways.office.usrname (did you mean username?)"),
        (OFFICE.replace("kannel", "kanel"), "one of smpp, kannel, twilio, vonage, sns, http, console (did you mean kannel?)"),
        (OFFICE.replace("username", "# username"), "sms.gateways.office needs username: the name of its sendsms-user"),
        (OFFICE.replace("http://10.0.0.5:13013", "ftp://x"), "nightlatch.toml:4: sms.gateways.office.url must be https://HOST/…"),
        (OFFICE.replace("office", "Office"), "named in small letters, digits and single underscores"),
        ('[sms.gateways]\noffice = "kannel"', "must be a table"),
        ('[sms]\nsnder = "x"', "nightlatch.toml:2: unknown setting sms.snder (did you mean sms.sender?)"),
        ('[sms]\nsender = "Far too long a name"', "nightlatch.toml:2: sms.sender must be who texts come from"),
        ('[sms]\nsender = "Zürich"', "nightlatch.toml:2: sms.sender must be"),
        ('[sms]\nveto_url = "http://10.0.0.1/veto"', "must be https except on loopback (did you mean https://10.0.0.1/veto?)"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line_and_the_nearest(tmp_path: Path, text: str, expected: str) -> None:
    """One mistake, one complaint."""
    variables = PASSWORD if "kind" in text and "Office" not in text else {}
    (complaint,) = complaints(tmp_path, text, variables)
    assert expected in complaint


def test_a_secret_that_is_missing_says_where_it_may_come_from(tmp_path: Path) -> None:
    """By the names that it would have."""
    (complaint,) = complaints(tmp_path, OFFICE)
    assert "needs password (NIGHTLATCH_SMS__OFFICE__PASSWORD, or password_file)" in complaint


def test_a_variable_for_a_gateway_that_is_none_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """A misspelt name is no gateway of its own."""
    (complaint,) = complaints(tmp_path, OFFICE, PASSWORD | {"NIGHTLATCH_SMS__OFICE__PASSWORD": "x"})
    assert complaint.startswith("NIGHTLATCH_SMS__OFICE__PASSWORD: sms.gateways.ofice has no kind")
    assert complaint.endswith("(did you mean office?)")


@pytest.mark.parametrize("kind", ["twilio", "vonage", "http"])
def test_codes_travel_by_https_except_to_kannel(tmp_path: Path, kind: str) -> None:
    """Kannel speaks http on networks of the operator's own."""
    needed = {
        "twilio": f'account_sid = "AC{"0" * 32}"\n',
        "vonage": 'api_key = "k"\n',
        "http": 'fields = { to = "{to}", text = "{text}" }\n',
    }[kind]
    secrets = {"twilio": ["AUTH_TOKEN"], "vonage": ["API_SECRET"], "http": []}[kind]
    text = f'[sms.gateways.a]\nkind = "{kind}"\nurl = "http://api.example/x"\n{needed}'
    variables = {f"NIGHTLATCH_SMS__A__{name}": "secret" for name in secrets}
    assert complaints(tmp_path, text, variables) == [
        "nightlatch.toml:3: sms.gateways.a.url must be https except on loopback (did you mean https://api.example/x?)"
    ]
    assert load(tmp_path, text.replace("http://api.example", "http://localhost:1"), variables).sms.gateways


def test_the_console_is_for_loopback_alone(tmp_path: Path) -> None:
    """It shows codes."""
    text = '[sms.gateways.here]\nkind = "console"\n'
    assert load(tmp_path, text).sms.gateways
    (complaint,) = complaints(tmp_path, 'public_url = "https://mfa.example"\n' + text)
    assert "on loopback only" in complaint


def test_routes_name_gateways_that_there_are(tmp_path: Path) -> None:
    """By prefix or country; a wrong one is told with its number and the nearest."""
    text = (
        OFFICE
        + '\n[[sms.routes]]\nprefix = "+49"\ngateways = ["office"]\n\n[[sms.routes]]\ncountry = "FR"\ngateways = ["office"]\n'
    )
    assert load(tmp_path, text, PASSWORD).sms.routes == (
        Route(gateways=("office",), prefix="+49"),
        Route(gateways=("office",), country="FR"),
    )
    for wrong, expected in (
        (text.replace('["office"]', '["ofice"]', 1), "number 1: unknown gateway ofice (did you mean office?)"),
        (text.replace('"FR"', '"Fr"'), "number 2: Fr is no country (ISO 3166, such as DE) (did you mean FR?)"),
        (text.replace('"+49"', '"0049"'), "number 1: "),
        (text.replace("prefix", "prefx"), "number 1: object contains unknown field `prefx`"),
        (text.replace('["office"]', "[]", 1), "number 1: "),
    ):
        (complaint,) = complaints(tmp_path, wrong, PASSWORD)
        assert expected in complaint
        assert complaint.startswith("nightlatch.toml:7: sms.routes")


def test_every_option_is_documented() -> None:
    """With the variable that gives it."""
    for kind, options in gateway_reference().items():
        assert options[0].name == "sender" or kind
        for option in options:
            assert option.description, option.name
            assert option.environment == f"NIGHTLATCH_SMS__NAME__{option.name.upper()}"
