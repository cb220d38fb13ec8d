"""A client for a kubeconfig, and errors that say who must act when there is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from seatrial.clusters.base import Address
from seatrial.documents import read_yaml
from seatrial.errors import ClusterError, InputError, in_words

ANSWERS_WITHIN_S = 10.0  # a load balancer far away, with a handshake


def contexts(kubeconfig: Path) -> list[str]:
    """The context names in a kubeconfig. Raises InputError when it is none."""
    if not kubeconfig.is_file():
        raise InputError(f"{kubeconfig}: expected a kubeconfig, found no file; give the path with --kubeconfig")
    content = read_yaml(kubeconfig, "a kubeconfig")
    try:
        return [str(context["name"]) for context in content.get("contexts") or []]
    except (AttributeError, TypeError, KeyError):
        raise InputError(
            f"{kubeconfig}: expected a kubeconfig (YAML with `contexts`), found something else; "
            "give the file that kubectl uses"
        ) from None


def connect(kubeconfig: Path, context: str | None) -> client.ApiClient:
    """A client whose server answered just now.

    Raises InputError for a file or context that is wrong, and where nothing answers there or the credentials are
    refused: whoever gave the kubeconfig has to give another, or to start its cluster.
    """
    known = contexts(kubeconfig)
    if context is not None and context not in known:
        raise InputError(
            f"{kubeconfig}: expected a context named {context!r}, found {', '.join(known) or 'none'}; "
            "name one with --context"
        )
    load: Callable[..., client.ApiClient] = config.new_client_from_config
    try:
        api = load(str(kubeconfig), context=context)
    except config.ConfigException as error:
        raise InputError(f"{kubeconfig}: expected a usable context, found: {error}; name one with --context") from None
    except (ValueError, TypeError, OSError) as error:
        raise InputError(f"{kubeconfig}: expected a kubeconfig, found {in_words(error)}; give another") from None
    _refuse_unreachable(kubeconfig, api)
    return api


def _refuse_unreachable(kubeconfig: Path, api: client.ApiClient) -> None:
    host = api.configuration.host
    if not host.startswith(("https://", "http://")):
        raise InputError(f"{kubeconfig}: expected a server such as https://HOST:6443, found {host!r}; correct it")
    try:
        # Asked once: the client itself would try four times before it says that nobody answers.
        api.rest_client.pool_manager.request("GET", f"{host}/version", timeout=ANSWERS_WITHIN_S, retries=False)
        client.VersionApi(api).get_code(_request_timeout=ANSWERS_WITHIN_S)
    except client.ApiException as error:
        raise InputError(
            f"{kubeconfig}: expected {host} to accept its credentials, found {error.status}: {_said(error)}; "
            "give a kubeconfig that is valid there"
        ) from None
    except (HTTPError, OSError) as error:
        raise InputError(
            f"{kubeconfig}: expected a Kubernetes API at {host}, found {_reason(error)}; "
            "is the cluster up, and the file still of it?"
        ) from None


def _reason(error: Exception) -> str:
    """What lies beneath, without the layers that carried it."""
    inner = getattr(error, "reason", None)
    if isinstance(inner, Exception):
        return _reason(inner)
    # urllib3 begins with the repr of its pool or connection.
    return str(error).rpartition("): ")[2].rstrip(".")


def kubernetes_version(api: client.ApiClient) -> str:
    """The server's version, such as v1.34.4. Raises ClusterError when it does not say."""
    return str(ask(lambda: client.VersionApi(api).get_code(_request_timeout=10), api).git_version)


def ask(call: Any, api: client.ApiClient) -> Any:
    """What `call()` returns; the client's own errors as a ClusterError with the server's message.

    Raises InputError where the kubeconfig's account is not allowed it.
    """
    host = api.configuration.host
    try:
        return call()
    except client.ApiException as error:
        if error.status in (401, 403):
            raise InputError(
                f"{host}: expected to be allowed this, found {error.status}: {_said(error)}; "
                "give a kubeconfig with the rights"
            ) from None
        raise ClusterError(f"{host}: expected an answer, found {error.status}: {_said(error)}") from None
    except (HTTPError, OSError) as error:
        raise ClusterError(
            f"{host}: expected a Kubernetes API, found nothing that answers ({_reason(error)}); is the cluster up?"
        ) from None


def in_cluster_address(api: client.ApiClient, namespace: str, service: str, port: int) -> Address:
    """The address of a Service for a generator that runs in a pod of the cluster."""
    found = ask(lambda: client.CoreV1Api(api).read_namespaced_service(service, namespace), api)
    ports = [offered.port for offered in found.spec.ports or []]
    if port not in ports:
        raise InputError(f"Service {namespace}/{service}: expected port {port}, found {ports}; give one of these")
    headless = found.spec.cluster_ip in (None, "None", "")
    return Address(
        namespace=namespace,
        service=service,
        # By number, so that name resolution is no part of a measured latency.
        host=f"{service}.{namespace}.svc.cluster.local" if headless else found.spec.cluster_ip,
        port=port,
        generator="pod",
        choose_endpoints=False,
    )


def _said(error: client.ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
