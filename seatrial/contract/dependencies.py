"""What has to be there before the release is installed, and what of it Seatrial brings."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, RootModel, field_validator, model_validator

from seatrial.contract.base import Json, Part, Promise, Seconds

LONGEST_NAME = 40  # with what is added to it, it has to stay a DNS label of 63 characters


def _is_a_label(name: str) -> str:
    if len(name) > LONGEST_NAME or not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name):
        raise ValueError(
            f"expected a name of small letters, digits and dashes, at most {LONGEST_NAME} long, found {name!r}; "
            "it becomes part of the names of pods and Services"
        )
    return name


Label = Annotated[str, AfterValidator(_is_a_label)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Brought(Part):
    """A dependency that Seatrial brings: reached at a Service, with what is needed to use it in a Secret.

    `keys` is the Secret's data: in each text, `{role}` stands for one of the credentials; without it, each role is a
    key of its own.
    """

    roles: ClassVar[tuple[str, ...]] = ("url", "host", "port")

    service: Annotated[str, AfterValidator(lambda name: name and _is_a_label(name))] = ""
    """Name of the Service at which the release finds it; the dependency's own without it."""
    port: Port = 8080
    """Port of that Service."""
    secret: str = ""
    """Name of the Secret that says how it is reached; the dependency's own without it."""
    keys: dict[str, str] = Field(default_factory=dict)
    """What the Secret holds, by key; `{role}` in a text stands for one of the credentials."""
    ready_within_s: Seconds = 60.0
    """It has to answer after that."""
    only_at_start: bool = False
    """Only pods that start ask it, such as a store of weights: every case has to be right while it is away."""

    @field_validator("keys")
    @classmethod
    def _names_credentials(cls, given: dict[str, str]) -> dict[str, str]:
        for key, text in given.items():
            try:
                named = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
            except ValueError as broken:
                raise ValueError(
                    f"expected text with {{role}} in it at most, found {text!r} for {key} ({broken}); "
                    "a brace itself is written twice"
                ) from None
            if unknown := sorted(named - set(cls.roles)):
                known = ", ".join(f"{{{role}}}" for role in cls.roles)
                raise ValueError(f"expected {known} at most, found {{{unknown[0]}}} for {key}; correct it")
        return given

    def secret_data(self, credentials: Mapping[str, str]) -> dict[str, str]:
        """The Secret's text by key, from the credentials by role."""
        keys = self.keys or {role: f"{{{role}}}" for role in self.roles}
        return {key: text.format(**credentials) for key, text in keys.items()}


class Postgres(Brought):
    """A PostgreSQL with one empty database, or one into which SQL was read."""

    roles = ("url", "host", "port", "user", "password", "database")

    port: Port = 5432
    """Port of its Service."""
    image: str = "postgres:15-bookworm"
    """Its image where images are run; the embedded cluster runs a process instead."""
    database: str = "app"
    """Name of the one database."""
    user: str = "app"
    """Owner of that database."""
    password: str = ""
    """Of that user; a new random one for each release without it."""
    seed: str = ""
    """SQL beside the contract that is read into the database first."""


class ObjectStore(Brought):
    """An object store with the interface of Amazon S3, one bucket in it."""

    roles = ("url", "endpoint", "host", "port", "access-key", "secret-key", "bucket")

    port: Port = 9000
    """Port of its Service."""
    image: str = "minio/minio"
    """Its image where images are run; the embedded cluster runs a process instead."""
    bucket: str = "data"
    """Name of the one bucket."""
    access_key: str = ""
    """A new random one without it."""
    secret_key: str = ""
    """At least 8 characters; a new random one without it."""
    seed: str = ""
    """A folder beside the contract; each file becomes an object, by its path in the folder."""

    @field_validator("secret_key")
    @classmethod
    def _is_long_enough(cls, given: str) -> str:
        if given and len(given) < LEAST_SECRET:
            raise ValueError(
                f"expected at least {LEAST_SECRET} characters, as MinIO does, found {len(given)}; lengthen it"
            )
        return given


LEAST_SECRET = 8


class Route(Part):
    """A canned answer. The first route that fits a request answers it; none: 404."""

    path: str
    """Path of the request, without its query."""
    method: str = "GET"
    """Method of the request."""
    status: Annotated[int, Field(ge=200, le=599)] = 200
    """Status of the answer."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers of the answer."""
    body: Json = None
    """Its body; a text is sent as it is, anything else as JSON."""
    delay_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """The answer begins that much later."""


class Upstream(Brought):
    """An HTTP server of canned answers."""

    routes: tuple[Route, ...]
    """The first that fits a request answers it; 404 where none does."""

    @field_validator("routes")
    @classmethod
    def _answers_something(cls, given: tuple[Route, ...]) -> tuple[Route, ...]:
        if not given:
            raise ValueError("expected at least one route, found none; add what the service asks for")
        return given


class FromEnvironment(Part):
    """The value of a variable in the environment of the command; the record has its name only."""

    env: Annotated[str, Field(min_length=1)]
    """The variable in the environment of the command that holds the value."""


class SecretValues(Part):
    """A Secret whose values are in no file."""

    name: str
    """Name of the Secret."""
    values: dict[str, FromEnvironment]
    """Its keys, and where their values come from."""


class Dependency(Part):
    """One of five: a server that Seatrial brings, manifests to apply, or a Secret."""

    postgres: Postgres | None = None
    """A PostgreSQL that Seatrial brings."""
    s3: ObjectStore | None = None
    """An object store that speaks S3, which Seatrial brings."""
    http: Upstream | None = None
    """An HTTP server of canned answers."""
    manifests: str = ""
    """A file of manifests beside the contract to apply."""
    secret: SecretValues | None = None
    """A Secret with values that are in no file."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Dependency:
        given = [kind for kind in type(self).model_fields if getattr(self, kind)]
        if len(given) != 1:
            kinds = ", ".join(type(self).model_fields)
            raise ValueError(f"expected one of {kinds}, found {' and '.join(given) or 'none'}; give exactly one")
        return self

    @property
    def kind(self) -> str:
        """What it is, by its key in the contract."""
        return next(kind for kind in type(self).model_fields if getattr(self, kind))

    @property
    def brought(self) -> Postgres | ObjectStore | Upstream | None:
        """The server that Seatrial brings, where it is one."""
        return self.postgres or self.s3 or self.http


class Dependencies(RootModel[dict[Label, Dependency]], Promise):
    """By the names that the contract gives them; false where there are none."""

    model_config = ConfigDict(frozen=True)

    def __bool__(self) -> bool:
        return bool(self.root)

    @property
    def brought(self) -> Mapping[str, Postgres | ObjectStore | Upstream]:
        """The servers that Seatrial brings, by name."""
        return {name: server for name, dependency in self.root.items() if (server := dependency.brought)}

    @model_validator(mode="after")
    def _takes_no_name_twice(self) -> Dependencies:
        for what, names in (("Services", self._services()), ("Secrets", self._secrets())):
            for (name, of), (other, of_other) in pairwise(sorted(names)):
                if name == other:
                    raise ValueError(
                        f"expected {what} of different names, found {name} of {of} and of {of_other}; rename one"
                    )
        return self

    def _services(self) -> Iterator[tuple[str, str]]:
        for key, server in self.brought.items():
            yield server.service or key, key
            yield f"{key}-backend", key

    def _secrets(self) -> Iterator[tuple[str, str]]:
        for key, dependency in self.root.items():
            if server := dependency.brought:
                yield server.secret or key, key
            if dependency.secret:
                yield dependency.secret.name, key
