"""Who may talk to whom, as the policies together say, against who has to (DESIGN 2-5)."""

from manifests import COMPONENT, selects

NAME = "app.kubernetes.io/name"
SERVICES = ("auth", "tracker", "workqueue", "scheduler", "poller")


def role(labels):
    """Name pods shortly, as `tracker-api`."""
    if "taskyard/server" in labels:
        return labels["taskyard/server"]
    return "gate" if labels[NAME] == "gate" else f"{labels[NAME]}-{labels[COMPONENT]}"


def peer_matches(peer, labels, own_namespace):
    """Return whether a peer of a rule is the pod with these labels, in a namespace with those labels."""
    if "ipBlock" in peer:
        return False
    if "namespaceSelector" in peer and not selects(peer["namespaceSelector"], own_namespace):
        return False
    return selects(peer.get("podSelector", {}), labels)


def opens(policies, direction, one, other, port, namespace):
    """Return whether some policy lets `one` send to (`egress`) or hear from (`ingress`) `other` at `port`."""
    side = "to" if direction == "egress" else "from"
    open_ports = other.ports if direction == "egress" else one.ports
    for policy in policies:
        if not selects(policy["podSelector"], one.labels):
            continue
        for rule in policy.get(direction, ()):
            numbers = [open_ports.get(entry["port"], entry["port"]) for entry in rule.get("ports", ())]
            peers = rule.get(side)
            if port in numbers and (not peers or any(peer_matches(p, other.labels, namespace) for p in peers)):
                return True
    return False


def flows(manifests):
    """Return every (caller, callee, port) that both ends allow."""
    policies = [entry["spec"] for entry in manifests.of_kind("NetworkPolicy")]
    namespace = manifests.of_kind("Namespace")[0]["metadata"].get("labels", {})
    namespace |= {"kubernetes.io/metadata.name": manifests.of_kind("Namespace")[0]["metadata"]["name"]}
    return {
        (role(caller.labels), role(callee.labels), port)
        for caller in manifests.workloads
        for callee in manifests.workloads
        for port in callee.ports.values()
        if opens(policies, "egress", caller, callee, port, namespace)
        and opens(policies, "ingress", callee, caller, port, namespace)
    }


INSIDE = (
    {("gate", f"{service}-api", 8080) for service in SERVICES}
    | {(f"{service}-{kind}", "auth-api", 8080) for service in SERVICES for kind in ("api", "worker")}
    | {("auth-api", "tracker-api", 8080), ("workqueue-transfer", "workqueue-api", 8080)}
)
SERVERS = (
    {(f"{service}-{kind}", "database", 5432) for service in SERVICES for kind in ("api", "worker", "migrate")}
    | {(f"{service}-worker", "broker", 5672) for service in SERVICES}
    | {("scheduler-runner", "database", 5432)}
)


def test_in_production_exactly_those_calls_are_possible_that_must_be(render):
    assert flows(render("production")) == INSIDE


def test_in_dev_the_servers_are_reached_by_those_who_use_them(render):
    assert flows(render("dev")) == INSIDE | SERVERS


def test_every_pod_is_shut_off_first(taskyard):
    nothing = taskyard.named("NetworkPolicy", "nothing")["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_production_sends_to_the_servers_in_their_own_namespace(render):
    production, data = render("production"), render("data")
    namespace = data.of_kind("Namespace")[0]["metadata"]["labels"]
    labels = {
        5432: data.named("Cluster", "postgres")["spec"]["inheritedMetadata"]["labels"],
        5672: data.named("RabbitmqCluster", "rabbitmq")["metadata"]["labels"],
    }
    reached = set()
    for policy in (entry["spec"] for entry in production.of_kind("NetworkPolicy")):
        for rule in policy.get("egress", ()):
            for port, server in labels.items():
                if any(entry["port"] == port for entry in rule.get("ports", ())) and any(
                    peer_matches(peer, server, namespace) for peer in rule["to"]
                ):
                    callers = [one for one in production.workloads if selects(policy["podSelector"], one.labels)]
                    reached |= {(role(one.labels), port) for one in callers}
    assert reached == {(caller, port) for caller, _, port in SERVERS}


def test_only_those_who_must_reach_the_outside_and_never_private_addresses(taskyard):
    outside = {
        role(one.labels): rule
        for entry in taskyard.of_kind("NetworkPolicy")
        for rule in entry["spec"].get("egress", ())
        if any("ipBlock" in peer for peer in rule.get("to", ()))
        for one in taskyard.workloads
        if selects(entry["spec"]["podSelector"], one.labels)
    }
    assert set(outside) == {"workqueue-transfer", "scheduler-worker"}
    for rule in outside.values():
        closed = {block for peer in rule["to"] for block in peer["ipBlock"]["except"]}
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7"} <= closed


def test_clients_reach_the_gate_alone_and_behind_a_proxy_only_through_it(render):
    for overlay, peers in (
        ("dev", None),
        ("production", [{"namespaceSelector": {"matchLabels": {"taskyard/gateway": "true"}}}]),
    ):
        manifests = render(overlay)
        hops = manifests.named("ConfigMap", "gate")["data"].get("TASKYARD_GATE_TRUSTED_HOPS", "0")
        (rule,) = manifests.named("NetworkPolicy", "clients-to-gate")["spec"]["ingress"]
        assert rule.get("from") == peers
        assert (hops == "0") is (peers is None)
    open_to_all = [
        entry["metadata"]["name"]
        for entry in render("dev").of_kind("NetworkPolicy")
        for rule in entry["spec"].get("ingress", ())
        if not rule.get("from")
    ]
    assert open_to_all == ["clients-to-gate"]
