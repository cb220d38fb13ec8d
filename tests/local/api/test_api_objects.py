"""Creating, replacing and deleting: defaults, refusals and answers."""

import pytest
from api_manifests import autoscaler, config_map, deployment, job, service
from api_servers import Refused


def pod_spec_of(made):
    return made["spec"]["template"]["spec"]


class TestDefaults:
    def test_of_a_pod_template(self, api):
        container = {
            "ports": [{"containerPort": 80}],
            "readinessProbe": {"httpGet": {"port": 80}},
            "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        }
        volumes = [{"name": "a", "configMap": {"name": "a"}}, {"name": "b", "secret": {"secretName": "b"}}]
        made = pod_spec_of(api.create(deployment(container=container, pod={"volumes": volumes})))
        assert made == {
            "containers": [
                {
                    "name": "web",
                    "image": "web:1",
                    "imagePullPolicy": "IfNotPresent",
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                    "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    "readinessProbe": {
                        "httpGet": {"path": "/", "port": 80, "scheme": "HTTP"},
                        "timeoutSeconds": 1,
                        "periodSeconds": 10,
                        "successThreshold": 1,
                        "failureThreshold": 3,
                    },
                    "env": [
                        {"name": "IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}
                    ],
                }
            ],
            "volumes": [
                {"name": "a", "configMap": {"name": "a", "defaultMode": 0o644}},
                {"name": "b", "secret": {"secretName": "b", "defaultMode": 0o644}},
            ],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
        }

    @pytest.mark.parametrize(
        ("image", "policy"),
        [
            ("a", "Always"),
            ("a:latest", "Always"),
            ("a:1", "IfNotPresent"),
            ("host:5000/a", "Always"),
            ("host:5000/a:2", "IfNotPresent"),
        ],
    )
    def test_of_the_pull_policy(self, api, image, policy):
        made = api.create(deployment(container={"image": image}), dryRun="All")
        assert pod_spec_of(made)["containers"][0]["imagePullPolicy"] == policy

    def test_of_a_deployment(self, api):
        made = api.create(deployment())["spec"]
        assert made["strategy"] == {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
        }
        assert (made["revisionHistoryLimit"], made["progressDeadlineSeconds"]) == (10, 600)

    def test_of_a_service(self, api):
        made = api.create(service(ports=[{"port": 80}]), dryRun="All")["spec"]
        assert made["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
        assert {"ClusterIP", "None", "Cluster", "SingleStack"} == {
            made[field] for field in ("type", "sessionAffinity", "internalTrafficPolicy", "ipFamilyPolicy")
        }

    def test_of_a_job(self, api):
        made = api.create(job())
        uid = made["metadata"]["uid"]
        assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
        labels = made["spec"]["template"]["metadata"]["labels"]
        assert (labels["job-name"], labels["batch.kubernetes.io/job-name"]) == ("migrate", "migrate")
        assert (made["spec"]["backoffLimit"], made["spec"]["completionMode"]) == (6, "NonIndexed")

    def test_of_an_autoscaler(self, api):
        made = api.create(autoscaler(behavior={"scaleDown": {"stabilizationWindowSeconds": 30}}))["spec"]
        target = {"type": "Utilization", "averageUtilization": 80}
        assert made["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        assert made["minReplicas"] == 1
        assert made["behavior"]["scaleDown"] == {
            "stabilizationWindowSeconds": 30,
            "selectPolicy": "Max",
            "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
        }

    def test_plain_text_of_a_secret_is_encoded(self, api):
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"a": "b"}}
        made = api.create(secret)
        assert (made["data"], made["type"]) == ({"a": "Yg=="}, "Opaque")
        assert "stringData" not in made


CONTAINERS = [
    ({"image": ""}, "containers[0].image: Required value"),
    ({"name": "Bad_Name"}, "containers[0].name: Invalid value"),
    ({"imagePullPolicy": "Sometimes"}, 'imagePullPolicy: Unsupported value: "Sometimes"'),
    ({"env": [{"value": "1"}]}, "env[0].name: Required value"),
    ({"ports": [{"containerPort": 99999}]}, "ports[0].containerPort: Invalid value: 99999: must be"),
    ({"ports": [{"containerPort": 80, "name": "a-name-too-long-x"}]}, "ports[0].name: Invalid value"),
    ({"readinessProbe": {"periodSeconds": 3}}, "readinessProbe: Required value: must specify a handler type"),
    ({"livenessProbe": {"httpGet": {"port": 1}, "tcpSocket": {"port": 1}}}, "may not specify more than 1 handler type"),
    ({"livenessProbe": {"httpGet": {"port": 80}, "successThreshold": 2}}, "Invalid value: 2: must be 1"),
    ({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}}, "must be less than or equal to cpu limit of 1"),
    ({"volumeMounts": [{"name": "no", "mountPath": "/x"}]}, 'volumeMounts[0].name: Not found: "no"'),
    ({"lifecycle": {"preStop": {}}}, "lifecycle.preStop: Required value: must specify a handler type"),
]  # fmt: skip
DEPLOYMENTS = [
    ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    ({"selector": {"matchLabels": {"app": "db"}}}, "`selector` does not match template `labels`"),
    ({"selector": None}, "spec.selector: Required value"),
    ({"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}}, "may not be 0 when `maxSurge` is 0"),
    (
        {"strategy": {"type": "Recreate", "rollingUpdate": {}}},
        "may not be specified when strategy `type` is 'Recreate'",
    ),
]
OTHERS = [
    (service("1st"), "a DNS-1035 label must consist of"),
    (service(ports=[{"port": 80}, {"port": 81}]), "spec.ports[0].name: Required value"),
    (service(ports=[]), "spec.ports: Required value"),
    (service(type="Bla"), 'spec.type: Unsupported value: "Bla"'),
    (job(template={"spec": {"containers": [{"name": "a", "image": "b"}]}}), "spec.restartPolicy: Required value"),
    (autoscaler(minReplicas=5), "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"),
    (config_map("Par_"), "a lowercase RFC 1123 subdomain must consist of"),
    (config_map("a", **{"a/b": "c"}), "a valid config key must consist of"),
    (config_map("a", a="b" * 1_100_000), "Too long: may not be more than 1048576 bytes"),
]


class TestRefusals:
    @pytest.mark.parametrize(("container", "said"), CONTAINERS)
    def test_of_containers(self, api, container, said):
        self.refuses(api, deployment(container=container), said)

    @pytest.mark.parametrize(("spec", "said"), DEPLOYMENTS)
    def test_of_deployments(self, api, spec, said):
        self.refuses(api, deployment(**spec), said)

    @pytest.mark.parametrize(("manifest", "said"), OTHERS, ids=[said[:30] for _, said in OTHERS])
    def test_of_other_kinds(self, api, manifest, said):
        self.refuses(api, manifest, said)

    def refuses(self, api, manifest, said):
        with pytest.raises(Refused) as refused:
            api.create(manifest, dryRun="All")
        assert (refused.value.code, refused.value.reason) == (422, "Invalid")
        assert said in refused.value.message

    def test_of_types(self, api):
        with pytest.raises(Refused, match=r"unmarshal string into Go struct field DeploymentSpec.* of type int32"):
            api.create(deployment(replicas="two"))

    def test_of_another_name_than_that_of_the_path(self, api):
        api.create(config_map("a"))
        path = api.path("configmaps", "a")
        assert api.http.put(path, json=config_map("b")).json()["reason"] == "BadRequest"

    def test_of_another_namespace_than_that_of_the_path(self, api):
        with pytest.raises(Refused, match="does not match the namespace sent on the request"):
            api.create({**config_map(), "metadata": {"name": "a", "namespace": "elsewhere"}})

    def test_of_what_is_no_json(self, api):
        answer = api.http.post(api.path("configmaps"), content=b"{", headers={"Content-Type": "application/json"})
        assert (answer.status_code, answer.json()["reason"]) == (400, "BadRequest")

    def test_of_a_pod_without_its_service_account(self, api):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}
        spec = {"serviceAccountName": "absent", "containers": [{"name": "a", "image": "b"}]}
        with pytest.raises(Refused, match='serviceaccount "absent" not found') as refused:
            api.create({**pod, "spec": spec})
        assert refused.value.code == 403


class TestImmutableFields:
    def test_the_selector_of_a_deployment(self, api):
        api.create(deployment())
        with pytest.raises(Refused, match=r'"matchLabels":{"app":"db"}}: field is immutable'):
            api.patch("deployments", "web", "merge", {"spec": {"selector": {"matchLabels": {"app": "db"}}}})

    def test_the_template_of_a_job(self, api):
        api.create(job())
        image = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}
        with pytest.raises(Refused, match=r"spec\.template: Invalid value: .*: field is immutable"):
            api.patch("jobs", "migrate", "strategic", image)

    def test_what_says_so_of_itself(self, api):
        api.create({**config_map(a="1"), "immutable": True})
        with pytest.raises(Refused, match=r"field is immutable when `immutable` is set"):
            api.patch("configmaps", "settings", "merge", {"data": {"a": "2"}})

    def test_the_type_of_a_secret(self, api):
        api.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}})
        with pytest.raises(Refused, match=r"type: Invalid value: .*: field is immutable"):
            api.patch("secrets", "a", "merge", {"type": "x"})


class TestDeletion:
    def test_answers_a_status_for_most(self, api):
        uid = api.create(config_map())["metadata"]["uid"]
        answer = api.delete("configmaps", "settings")
        assert answer["status"] == "Success"
        assert answer["details"] == {"name": "settings", "kind": "configmaps", "uid": uid}

    def test_answers_the_object_for_some(self, api):
        api.create(service())
        assert api.delete("services", "web")["kind"] == "Service"

    def test_of_a_collection_by_label(self, api):
        for name, tier in (("a", "web"), ("b", "db")):
            api.create({**config_map(name), "metadata": {"name": name, "labels": {"tier": tier}}})
        api.http.request("DELETE", api.path("configmaps"), params={"labelSelector": "tier=web"}).raise_for_status()
        left = {found["metadata"]["name"] for found in api.get("configmaps", labelSelector="tier")["items"]}
        assert left == {"b"}

    def test_of_another_version_is_a_conflict(self, api):
        api.create(config_map())
        with pytest.raises(Refused) as refused:
            api.delete("configmaps", "settings", preconditions={"resourceVersion": "1"})
        assert (refused.value.code, refused.value.reason) == (409, "Conflict")

    def test_on_trial_deletes_nothing(self, api):
        api.create(config_map())
        api.delete("configmaps", "settings", dryRun=["All"])
        assert api.get("configmaps", "settings")


def test_a_service_that_is_replaced_keeps_its_address(api):
    address = api.create(service(clusterIP="None"))["spec"]["clusterIP"]
    assert api.put(service())["spec"]["clusterIP"] == address


def test_a_new_object_has_no_status_but_the_servers(api):
    made = api.create({**deployment(), "status": {"readyReplicas": 5}})
    assert made["status"] == {}
