"""What the schemas of Kubernetes do not see: the Prometheus operator's resource, whose definition is the argument, and
that manifests agree with each other and with the gateway's configuration. The second argument is the gateway,
the third the folder with what kustomize rendered."""

import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import jsonschema
import yaml

folder = pathlib.Path("deploy/kubernetes")
manifests = {path.stem: yaml.safe_load(path.read_text()) for path in folder.glob("*.yaml")}
config = tomllib.loads(manifests["configmap"]["data"]["tickfan.toml"])
spec = manifests["deployment"]["spec"]
pod = spec["template"]["spec"]
(container,) = pod["containers"]
ports = {port["name"]: port["containerPort"] for port in container["ports"]}


def strict(schema):
    """The schema, without room for keys that it does not name: the API server would drop them in silence."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: strict(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


(served,) = [version for version in yaml.safe_load(pathlib.Path(sys.argv[1]).read_text())["spec"]["versions"]]
jsonschema.validate(manifests["podmonitor"], strict(served["schema"]["openAPIV3Schema"]))


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60}[unit]


server = config["server"]
needed = seconds(server["drain_delay"]) + seconds(server["drain"]) + 6.5
assert pod["terminationGracePeriodSeconds"] >= needed, f"the kubelet kills before {needed} s have passed"
# A pod leaves the endpoints after it has failed its probe, or at once where the API server is quick.
probe = container["readinessProbe"]
assert seconds(server["drain_delay"]) > probe["periodSeconds"] * probe["failureThreshold"]
assert ports == {"http": int(server["listen"].rsplit(":", 1)[1]), "admin": int(server["admin_listen"].rsplit(":", 1)[1])}
labels = spec["template"]["metadata"]["labels"].items()
selectors = [
    spec["selector"]["matchLabels"],
    manifests["service"]["spec"]["selector"],
    manifests["pdb"]["spec"]["selector"]["matchLabels"],
    manifests["podmonitor"]["spec"]["selector"]["matchLabels"],
    manifests["networkpolicy"]["spec"]["podSelector"]["matchLabels"],
]
assert all(selector.items() <= labels for selector in selectors)
names = [probe["httpGet"]["port"] for name, probe in container.items() if name.endswith("Probe")]
names += [manifests["service"]["spec"]["ports"][0]["targetPort"]]
names += [endpoint["port"] for endpoint in manifests["podmonitor"]["spec"]["podMetricsEndpoints"]]
# The alerts of a cluster wait for one scrape.
scrapes = yaml.safe_load(pathlib.Path("grafana/prometheus.yml").read_text())["global"]["scrape_interval"]
assert all(endpoint["interval"] == scrapes for endpoint in manifests["podmonitor"]["spec"]["podMetricsEndpoints"])
names += [rule["ports"][0]["port"] for rule in manifests["networkpolicy"]["spec"]["ingress"]]
assert set(names) <= set(ports), names
hpa = manifests["hpa"]["spec"]
assert hpa["scaleTargetRef"]["name"] == manifests["deployment"]["metadata"]["name"]
share = int(hpa["metrics"][0]["pods"]["target"]["averageValue"]) / config["limits"]["streams"]
assert 0.3 < share < 0.8, f"the autoscaler grows at {share:.0%} of the limit"
assert hpa["minReplicas"] == spec["replicas"] > manifests["pdb"]["spec"]["maxUnavailable"]
secrets = manifests["secret"]["stringData"]
assert {config["cluster"]["user_env"], config["cluster"]["password_env"]} <= set(secrets)
listed = {line.strip("# -\n") for line in (folder / "kustomization.yaml").read_text().splitlines() if line.endswith(".yaml")}
assert listed == {path.name for path in folder.glob("*.yaml")} - {"kustomization.yaml"}, listed
# One replica without brokers: the same files, with patches.
overlay = yaml.safe_load(pathlib.Path("deploy/kubernetes-single/kustomization.yaml").read_text())
assert overlay["resources"] == [f"../{folder.name}"]
patches = {patch["kind"]: patch for patch in (yaml.safe_load(entry["patch"]) for entry in overlay["patches"])}
for kind, patch in patches.items():
    base = manifests[kind.lower()]["metadata"]
    assert (patch["metadata"]["name"], patch["metadata"]["namespace"]) == (base["name"], base["namespace"])
single = tomllib.loads(patches["ConfigMap"]["data"]["tickfan.toml"])
assert "cluster" not in single and patches["Deployment"]["spec"]["replicas"] == 1
(patched,) = patches["Deployment"]["spec"]["template"]["spec"]["containers"]
assert patched["name"] == container["name"]
gone = {entry["name"] for entry in patched["env"] if entry.get("$patch") == "delete"}
assert gone == {entry["name"] for entry in container["env"]}, "a variable of [cluster] would make that table"
# As kustomize applies them.
version = tomllib.loads(pathlib.Path("Cargo.toml").read_text())["package"]["version"]
for name, file, replicas, variables in (
    (folder.name, manifests["configmap"]["data"]["tickfan.toml"], spec["replicas"], container["env"]),
    ("kubernetes-single", patches["ConfigMap"]["data"]["tickfan.toml"], 1, []),
):
    rendered = {each["kind"]: each for each in yaml.safe_load_all(pathlib.Path(sys.argv[3], f"{name}.yaml").read_text())}
    deployment = rendered["Deployment"]["spec"]
    (ran,) = deployment["template"]["spec"]["containers"]
    assert len(rendered) == 6 and "Secret" not in rendered, rendered.keys()
    assert (deployment["replicas"], ran["env"]) == (replicas, variables), (name, deployment["replicas"], ran["env"])
    assert ran["image"] == f"tickfan:{version}", ran["image"]
    # A patch loses its last line's end.
    assert rendered["ConfigMap"]["data"]["tickfan.toml"].rstrip() == file.rstrip(), name
    # A single one needs no Secret.
    assert ran["envFrom"][0]["secretRef"].get("optional", False) == (replicas == 1), name
print("the manifests agree")

# The gateway judges both files, as their pods would.
tickfan = pathlib.Path(sys.argv[2])
variables = {entry["name"]: "a-pod" for entry in container["env"]} | secrets
for text, environment in (
    (manifests["configmap"]["data"]["tickfan.toml"], variables),
    (patches["ConfigMap"]["data"]["tickfan.toml"], {}),
):
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(text)
        file.flush()
        subprocess.run([tickfan, "check", file.name], env=environment, check=True)
