"""Credentials are read where requests are sent from, and never shown."""

import base64

import pytest

from seatrial.errors import ClusterError, InputError
from seatrial.traffic.plan import Connects, Credentials, Exchange, OpenLoop, ServiceTarget
from seatrial.trials.credentials import missing_credentials, of_environment, of_secret, signed
from tests.helpers.observations import contract

SERVICE = ServiceTarget("web", "127.0.0.1", 1)
KEYED = Credentials("apis.chat", "Authorization", "Bearer ", "keys", "token", "CHAT_TOKEN")
PROVED = Exchange("a", "GET", "/", (("X-First", "1"),), credentials=KEYED)


def secret(**data):
    return {"data": {key: base64.b64encode(value).decode() for key, value in data.items()}}


def test_every_request_that_asks_for_them_gets_them_last_and_the_value_is_looked_up_once():
    asked = []
    loads = [
        OpenLoop("s", SERVICE, (PROVED, Exchange("b", "GET", "/")), [0.0]),
        Connects("c", SERVICE, [0.0]),
        OpenLoop("t", SERVICE, (PROVED,), [0.0]),
    ]
    filled = signed(loads, lambda given: asked.append(given) or "sesame")
    assert filled[0].exchanges[0].headers == (("X-First", "1"), ("Authorization", "Bearer sesame"))
    assert filled[0].exchanges[0].credentials is None
    assert (filled[0].exchanges[1], filled[1]) == (loads[0].exchanges[1], loads[1])
    assert filled[2].exchanges == filled[0].exchanges[:1]
    assert asked == [KEYED]


@pytest.mark.parametrize("held", [b"sesame", b"sesame\n"])
def test_a_secret_says_what_its_key_holds(held):
    assert of_secret(KEYED, "keys", secret(token=held)) == "sesame"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "expected a Secret named keys in the release's namespace, found none; correct the name"),
        ({}, "expected the key token in Secret keys, found none; correct the key"),
        (secret(tokens=b"sesame", other=b"x"), "expected the key token in Secret keys, found other, tokens; correct"),
        (secret(token=b""), "expected one line of ASCII in the key token"),
        (secret(token=b"sesame\r\nX-Evil: 1"), "expected one line of ASCII"),
        (secret(token="sésame".encode()), "expected one line of ASCII"),
        ({"data": {"token": "sesame!"}}, "expected one line of ASCII"),
    ],
)
def test_a_secret_that_does_not_say_it_is_told_without_its_value(found, told):
    with pytest.raises(ClusterError, match=told) as refused:
        of_secret(KEYED, "keys", found)
    assert str(refused.value).startswith("apis.chat.credentials.secret: ")
    assert "esame" not in str(refused.value)


def test_without_a_release_they_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("CHAT_TOKEN", " sesame\n")
    assert of_environment(KEYED) == "sesame"
    monkeypatch.setenv("CHAT_TOKEN", "ses\name")
    with pytest.raises(InputError, match="expected one line of ASCII in the environment variable CHAT_TOKEN"):
        of_environment(KEYED)
    monkeypatch.delenv("CHAT_TOKEN")
    with pytest.raises(InputError, match="CHAT_TOKEN, found it is not set; set it"):
        of_environment(KEYED)
    with pytest.raises(InputError, match="found only a Secret; add one beside it"):
        of_environment(Credentials("apis.chat", "Authorization", "", "keys", "token"))


KEY = {"name": "{release}-key", "key": "token"}
RENDERED = [
    {"kind": "Secret", "metadata": {"name": "subject-key"}, "data": {"token": "eA=="}, "stringData": {"more": "y"}},
    {"kind": "Secret", "metadata": {"name": "empty"}},
    {"kind": "ConfigMap", "metadata": {"name": "subject-other"}},
]


@pytest.mark.parametrize(
    ("credentials", "told"),
    [
        ({"secret": KEY}, []),
        ({"secret": {**KEY, "key": "more"}}, []),
        ({"secret": {"name": "from-elsewhere", "key": "token"}}, []),
        (
            {"secret": {**KEY, "key": "tokn"}},
            [
                "inference.credentials.secret.key: expected one of Secret subject-key, which the chart renders with "
                "more, token, found tokn; correct the key"
            ],
        ),
        (
            {"secret": {"name": "empty", "key": "a"}},
            [
                "inference.credentials.secret.key: expected one of Secret empty, which the chart renders with none, "
                "found a; correct the key"
            ],
        ),
        ({"secret": KEY, "environment": "NO_SUCH_KEY"}, []),
        (
            {"environment": "NO_SUCH_KEY"},
            [
                "inference.credentials.environment: expected one line of ASCII in the environment variable "
                "NO_SUCH_KEY, found it is not set; set it"
            ],
        ),
    ],
)
def test_what_is_known_to_be_missing_is_told_before_anything_is_deployed(credentials, told):
    made = contract()
    inference = {**made.inference.model_dump(), "credentials": credentials}
    asks = made.model_validate({**made.model_dump(), "inference": inference})
    assert list(missing_credentials(asks, RENDERED, "subject")) == told
