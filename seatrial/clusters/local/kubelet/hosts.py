"""Names of Services: an /etc/hosts per pod, changed in place because a bind mount holds the file, not its name."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

Obj = dict[str, Any]

DOMAIN = "cluster.local"


def hosts_file(pod: Obj, pod_ip: str, services: Iterable[Obj], endpoint_slices: Iterable[Obj]) -> str:
    """Localhost, the pod itself, its hostAliases, and Services: those of its own namespace by short name too.

    A headless Service stands for its ready endpoints, each of them also by its hostname; one of type ExternalName
    for the addresses of a Service of the cluster.
    """
    namespace, spec = pod["metadata"]["namespace"], pod["spec"]
    lines = ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    hostname = spec.get("hostname") or pod["metadata"]["name"]
    own = [f"{hostname}.{spec['subdomain']}.{namespace}.svc.{DOMAIN}"] if spec.get("subdomain") else []
    lines.append("\t".join([pod_ip, *own, hostname]))
    for alias in spec.get("hostAliases") or ():
        lines.append("\t".join([alias["ip"], *(alias.get("hostnames") or ())]))
    slices, aliases = list(endpoint_slices), []
    for service in services:
        address = service["spec"].get("clusterIP")
        if address == "None":
            lines += _headless(service, slices, namespace)
        elif address:
            lines.append("\t".join([address, *_names(service["metadata"], namespace)]))
        elif service["spec"].get("type") == "ExternalName":
            aliases.append(service)
    lines += [line for alias in aliases for line in _alias(alias, lines, namespace)]
    return "\n".join(lines) + "\n"


def _names(service: Obj, namespace: str, host: str = "") -> list[str]:
    name, own = f"{host}{service['name']}", service["namespace"]
    short = [name] if own == namespace else []
    return [*short, f"{name}.{own}", f"{name}.{own}.svc", f"{name}.{own}.svc.{DOMAIN}"]


def _headless(service: Obj, slices: list[Obj], namespace: str) -> list[str]:
    metadata, lines = service["metadata"], []
    for part in slices:
        labels = part["metadata"].get("labels") or {}
        same = part["metadata"]["namespace"] == metadata["namespace"]
        if not same or labels.get("kubernetes.io/service-name") != metadata["name"]:
            continue
        for endpoint in part.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            names = _names(metadata, namespace)
            if endpoint.get("hostname"):
                names += _names(metadata, namespace, host=f"{endpoint['hostname']}.")
            lines += ["\t".join([address, *names]) for address in endpoint["addresses"]]
    return lines


def of_the_cluster(external_name: str) -> bool:
    """Whether what a Service of type ExternalName stands for is a Service: other names are not looked up."""
    return external_name.removesuffix(".").endswith(f".svc.{DOMAIN}")


def _alias(service: Obj, lines: list[str], namespace: str) -> list[str]:
    """Source: Kubernetes, "Service", ExternalName: a CNAME record, so that only a whole name leads anywhere."""
    meant = service["spec"]["externalName"].removesuffix(".")
    addresses = (
        [line.split("\t")[0] for line in lines if meant in line.split("\t")[1:]] if of_the_cluster(meant) else []
    )
    return ["\t".join([address, *_names(service["metadata"], namespace)]) for address in addresses]


def write(path: Path, content: str) -> None:
    """One write to the same inode, so that running processes see it at their next lookup."""
    if path.exists() and path.read_text() == content:
        return
    with path.open("r+" if path.exists() else "w") as file:
        file.write(content)
        file.truncate()
