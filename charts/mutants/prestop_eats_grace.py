"""The preStop hook sleeps for most of the grace period, and leaves too little for the drain."""

BREAKS = {"D7"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            spec = manifest["spec"]["template"]["spec"]
            seconds = int(0.8 * spec["terminationGracePeriodSeconds"])
            spec["containers"][0]["lifecycle"] = {"preStop": {"sleep": {"seconds": seconds}}}
    return manifests
