"""The server's source, as the chart brings it in a ConfigMap: a mutant replaces methods of it before it starts."""

FILE, START = "storyteller.py", 'if __name__ == "__main__":\n'


def planted(manifests, defect):
    """The manifests with this code run when everything is defined and nothing has started."""
    for manifest in manifests:
        data = manifest.get("data") or {}
        if FILE in data:
            data[FILE] = data[FILE].replace(START, f"{defect.strip()}\n\n\n{START}")
    return manifests
