"""The Kubernetes API of one cluster, as the trials use it: plain JSON over the kubeconfig's connection."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from kubernetes import client, config
from kubernetes.config.config_exception import ConfigException

from seatrial.errors import ClusterError, InputError, in_words

Json = dict[str, Any]


class ApiRefused(ClusterError):
    """The server answered with an error: its status, and what it said."""

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


@dataclass(frozen=True)
class Api:
    """JSON in, JSON out; every method raises ClusterError, as ApiRefused where the server answered with an error."""

    base_url: str
    headers: Mapping[str, str]
    verify: ssl.SSLContext | bool
    http: httpx.Client = field(repr=False, compare=False)

    @staticmethod
    def connect(kubeconfig: Path, context: str | None) -> Api:
        """Read the kubeconfig. Raises InputError when it is missing or has no such context."""
        configuration = client.Configuration()
        try:
            config.load_kube_config(  # type: ignore[no-untyped-call]
                str(kubeconfig), context=context, client_configuration=configuration
            )
        except (ConfigException, OSError, TypeError) as broken:
            raise InputError(
                f"{kubeconfig}: expected a kubeconfig{f' with context {context}' if context else ''}, "
                f"found {in_words(broken)}; give the file of a running cluster"
            ) from None
        verify = _tls(configuration)
        headers = {}
        if token := configuration.get_api_key_with_prefix("authorization"):
            headers["Authorization"] = token
        http = httpx.Client(
            base_url=configuration.host,
            verify=verify,
            headers=headers,
            timeout=30,
            trust_env=False,
            limits=httpx.Limits(max_connections=32),
        )
        return Api(configuration.host, headers, verify, http)

    def get(self, path: str, **query: str) -> Json:
        """One object or list."""
        return self._json("GET", path, params=query)

    def find(self, path: str) -> Json | None:
        """One object, or None when there is none."""
        answer = self._send("GET", path)
        return None if answer.status_code == 404 else self._checked("GET", path, answer)

    def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """Create an object in the collection at path."""
        return self._json("POST", path, json=body)

    def apply(self, path: str, body: Mapping[str, Any]) -> Json:
        """Server-side apply of one object, forced: trials own what they bring."""
        return self._json(
            "PATCH",
            path,
            content=json.dumps(body),
            params={"fieldManager": "seatrial", "force": "true"},
            headers={"Content-Type": "application/apply-patch+yaml"},
        )

    def patch(self, path: str, body: Mapping[str, Any]) -> Json:
        """Merge patch."""
        return self._json(
            "PATCH", path, content=json.dumps(body), headers={"Content-Type": "application/merge-patch+json"}
        )

    def delete(self, path: str, **query: str) -> Json | None:
        """Delete an object; None when it was gone already."""
        answer = self._send("DELETE", path, params=query)
        return None if answer.status_code == 404 else self._checked("DELETE", path, answer)

    def text(self, path: str, **query: str) -> str:
        """A plain answer, such as a log."""
        answer = self._send("GET", path, params=query)
        if answer.status_code >= 400:
            self._checked("GET", path, answer)
        return answer.text

    def _json(self, method: str, path: str, **request: Any) -> Json:
        return self._checked(method, path, self._send(method, path, **request))

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        try:
            return self.http.request(method, path, **request)
        except httpx.HTTPError as broken:
            raise ClusterError(
                f"{self.base_url}: expected an answer to {method} {path}, found {in_words(broken)}; is the cluster up?"
            ) from broken

    def _checked(self, method: str, path: str, answer: httpx.Response) -> Json:
        if answer.status_code >= 400:
            try:
                said = answer.json().get("message", answer.text)
            except ValueError:
                said = answer.text
            raise ApiRefused(
                f"{self.base_url}: expected {method} {path} to be done, found {answer.status_code}: {said[:500]}",
                answer.status_code,
                said,
            )
        found: Json = answer.json()
        return found


def _tls(configuration: client.Configuration) -> ssl.SSLContext | bool:
    if not configuration.host.startswith("https"):
        return True
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    # Cluster certificates made by kubeadm lack what newer OpenSSL calls strict.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not configuration.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
