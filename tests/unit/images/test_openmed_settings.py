"""What the environment may say, and what ends the process before it listens."""

import math

import pytest
from openmed_reference import server
from openmed_service.durations import parse_keep_alive
from openmed_service.settings import SettingError, read_settings

PREFIX = "OPENMED_SERVICE_"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("90", 90),
        (1.5, 1.5),
        ("10m", 600),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("0", 0),
        ("", math.inf),
        ("Never", math.inf),
        ("off", math.inf),
    ],
)
def test_keep_alive_is_seconds_a_duration_or_never(value: str | float, seconds: float) -> None:
    assert parse_keep_alive(value) == seconds


@pytest.mark.parametrize("value", ["soon", "10 m", "5x", "-1", "1m-5s", "nan"])
def test_any_other_keep_alive_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        parse_keep_alive(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OPENMED_PROFILE", "staging"),
        (PREFIX + "KEEP_ALIVE", "soon"),
        (PREFIX + "BATCHING_ENABLED", "maybe"),
        (PREFIX + "BATCH_MAX_SIZE", "0"),
        (PREFIX + "BATCH_MAX_SIZE", "101"),
        (PREFIX + "BATCH_MAX_WAIT_MS", "-1"),
        (PREFIX + "RATE_LIMIT_RPS", "many"),
        (PREFIX + "RATE_LIMIT_MAX_CONCURRENCY", "1.5"),
        (PREFIX + "THROTTLE_KEY", "user"),
        (PREFIX + "CORS_ORIGINS", "https://*.example.com"),
        (PREFIX + "TRUSTED_HOSTS", "localhost,*"),
        (PREFIX + "MAX_RESIDENT_MODELS", "0"),
        (PREFIX + "SHUTDOWN_DRAIN_SECONDS", "inf"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=name) as refused:
        read_settings({name: value})
    assert refused.value.variable == name


@pytest.mark.parametrize("value", ["", "lots", "0", "-5"])
def test_an_unusable_text_length_falls_back(value: str) -> None:
    assert read_settings({PREFIX + "MAX_TEXT_LENGTH": value}).max_text_length == 1_000_000


def test_lists_lose_blanks_and_repeats() -> None:
    settings = read_settings({PREFIX + "PRELOAD_MODELS": " a,,b , a"})
    assert settings.preload_models == ("a", "b")


@pytest.mark.parametrize(("profile", "timeout_s"), [("dev", 600), ("prod", 300), ("test", 60), ("fast", 120)])
def test_the_profile_sets_the_timeout(profile: str, timeout_s: float) -> None:
    assert read_settings({"OPENMED_PROFILE": profile}).timeout_s == timeout_s


def test_a_burst_of_nothing_switches_the_rate_limit_off() -> None:
    assert not server(RATE_LIMIT_RPS="5").service.rate.on
