"""The template drops the value: every pod has the cluster's default grace period."""

BREAKS = {"D7"}


def patch(manifests):
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            manifest["spec"]["template"]["spec"].pop("terminationGracePeriodSeconds", None)
    return manifests
