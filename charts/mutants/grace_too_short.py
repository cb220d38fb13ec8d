"""The pod gets a grace period shorter than the drain it promises."""

BREAKS = {"D7"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 4
    return manifests
