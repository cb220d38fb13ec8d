"""A client for a kubeconfig, and errors that say who must act when there is none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from kubernetes import client, config
from urllib3.exceptions import HTTPError

from seatrial.clusters.base import Address
from seatrial.errors import ClusterError, InputError


def contexts(kubeconfig: Path) -> list[str]:
    """The context names in a kubeconfig. Raises InputError when it is none."""
    if not kubeconfig.is_file():
        raise InputError(f"{kubeconfig}: expected a kubeconfig, found no file; give the path with --kubeconfig")
    try:
        content = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        return [str(context["name"]) for context in content.get("contexts") or []]
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, TypeError, KeyError):
        raise InputError(f"{kubeconfig}: expected a kubeconfig (YAML with `contexts`), found something else") from None


def connect(kubeconfig: Path, context: str | None) -> client.ApiClient:
    """A client whose server answered just now.

    Raises InputError for a file or context that is wrong, ClusterError when nothing answers or the
    credentials are refused.
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
    kubernetes_version(api)
    return api


def kubernetes_version(api: client.ApiClient) -> str:
    """The server's version, such as v1.34.4. Raises ClusterError when it does not say."""
    return str(ask(lambda: client.VersionApi(api).get_code(_request_timeout=10), api).git_version)


def ask(call: Any, api: client.ApiClient) -> Any:
    """What `call()` returns; the client's own errors as a ClusterError with the server's message."""
    host = api.configuration.host
    try:
        return call()
    except client.ApiException as error:
        raise ClusterError(f"{host}: expected an answer, found {error.status}: {_said(error)}") from None
    except (HTTPError, OSError) as error:
        raise ClusterError(
            f"{host}: expected a Kubernetes API, found nothing that answers ({error}); is the cluster up?"
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
