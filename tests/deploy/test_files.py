"""What is deployed agrees with the service, and with what the documentation tells of it."""

import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import pytest

from nextcall.access.permissions import ROUTE_PERMISSIONS
from nextcall.serve.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
DAY = 86_400
SECRETS = ("SECRET", "PASSWORD", "KEY")
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rule>:[-?])?(?P<rest>[^}]*)\}")


def filled(text: str, given: dict[str, str]) -> str:
    """Put variables in as compose does."""

    def value(found: re.Match[str]) -> str:
        if said := given.get(found["name"], ""):
            return said
        assert found["rule"] == ":-", f"{found['name']} must be given"
        return found["rest"]

    return VARIABLE.sub(value, text)


def load_from(monkeypatch: pytest.MonkeyPatch, variables: dict[str, Any]) -> Settings:
    """Read the settings as the container reads them."""
    for name, value in variables.items():
        monkeypatch.setenv(name, str(value))
    settings = load_settings()
    settings.mode()
    settings.audit_keys()
    return settings


def stages_of(deploy: Path) -> list[list[str]]:
    """Read the instructions of each stage of the Dockerfile, one a line."""
    text = (deploy / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    stages: list[list[str]] = []
    for line in lines:
        if line.startswith("FROM "):
            stages.append([])
        stages[-1].append(line)
    return stages


def test_the_image_has_two_stages_and_the_last_runs_as_nobody_special(deploy: Path) -> None:
    built, last = stages_of(deploy)
    assert built[0].endswith(" AS built")
    (user,) = [line.split()[1] for line in last if line.startswith("USER ")]
    assert all(int(each) > 0 for each in user.split(":"))
    assert last.index(f"USER {user}") > max(i for i, line in enumerate(last) if "RUN" in line)
    assert [line for line in last if line.startswith("HEALTHCHECK ") and "/health" in line]
    assert "VOLUME /data" in last
    assert not [line for line in last if "pip" in line]


def test_the_image_installs_the_libraries_of_the_extras_that_are_named(
    deploy: Path, tmp_path: Path
) -> None:
    project = tomllib.loads((deploy.parent / "pyproject.toml").read_text())["project"]
    (named,) = [line for line in stages_of(deploy)[0] if line.startswith("ARG EXTRAS=")]
    extras = named.removeprefix("ARG EXTRAS=").strip('"').split()
    assert extras == ["llm", "tracing"]
    (run,) = [line for line in stages_of(deploy)[0] if "> dependencies.txt" in line]
    (listing,) = [part for part in run.removeprefix("RUN ").split("&&") if "tomllib" in part]
    (tmp_path / "pyproject.toml").write_bytes((deploy.parent / "pyproject.toml").read_bytes())
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "EXTRAS": " ".join(extras),
    }
    subprocess.run(["sh", "-c", listing], cwd=tmp_path, env=environment, check=True)  # noqa: S607  # the shell of the image
    wanted = [*project["dependencies"]]
    wanted += [one for extra in extras for one in project["optional-dependencies"][extra]]
    assert (tmp_path / "dependencies.txt").read_text().splitlines() == wanted
    assert not [one for one in wanted if one.startswith("torch")]


def test_what_the_image_installs_is_pinned_and_no_extra_of_the_project(deploy: Path) -> None:
    (pins,) = [line for line in stages_of(deploy)[0] if "PIP_CONSTRAINT=" in line]
    assert "PIP_CONSTRAINT=/source/constraints.txt" in pins
    installs = [line for line in stages_of(deploy)[0] if "pip install" in line]
    assert len(installs) == 2
    assert not [line for line in installs if "[" in line.split("pip install")[1]]


def test_all_that_the_image_takes_is_sent_to_the_engine_and_nothing_else(deploy: Path) -> None:
    lines = (deploy / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert lines[1] == "*"  # all that is not named stays here
    copies = [
        line.split()[1:-1]
        for stage in stages_of(deploy)
        for line in stage
        if line.startswith("COPY ") and "--from=" not in line
    ]
    taken = {word for words in copies for word in words if not word.startswith("--")}
    assert taken == kept
    assert all((ROOT / name).exists() for name in taken)
    assert any(fnmatch("deploy/.env", line.replace("**/", "*/")) for line in lines)


def test_no_secret_has_a_default(deploy: Path) -> None:
    for path in (path for path in deploy.rglob("*") if path.is_file()):
        for found in VARIABLE.finditer(path.read_text()):
            name = found["name"]
            if name.endswith(SECRETS):
                assert found["rule"] == ":?", f"{path.name}: {name}"
            elif name.endswith("SECRETS"):
                assert found["rest"] == "", f"{path.name}: {name}"


def test_compose_gives_the_service_settings_that_it_takes(
    compose: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = compose["services"]["nextcall"]["environment"]
    asked = {found["name"] for found in VARIABLE.finditer(str(own))}
    given = {name: token_urlsafe(32) for name in asked if name.endswith(SECRETS)}
    with pytest.raises(AssertionError, match="must be given"):
        filled(str(own), {})
    told = {name: filled(value, given) for name, value in own.items()}
    names = {name.removeprefix("NEXTCALL_").lower() for name in told if "NEXTCALL_" in name}
    assert names <= set(Settings.model_fields)
    settings = load_from(monkeypatch, told)
    assert (settings.environment, settings.rate_limit_enabled) == ("production", True)
    password = given["NEXTCALL_DATABASE_PASSWORD"]
    assert settings.database_url == f"postgresql://nextcall:{password}@postgres/nextcall"
    (network,) = compose["networks"]["front"]["ipam"]["config"]
    assert [str(each) for each in settings.proxies] == [filled(network["subnet"], {})]


def test_every_part_of_compose_is_pinned_hardened_and_in_a_profile(
    compose: Any, deploy: Path
) -> None:
    profiles: dict[str, set[str]] = {}
    for name, part in compose["services"].items():
        (profile,) = part["profiles"]
        profiles.setdefault(profile, set()).add(name)
        assert part["read_only"], name
        assert part["cap_drop"] == ["ALL"], name
        assert name == "nextcall" or re.search(r":v?\d+(\.\d+)*(-alpine)?$", part["image"]), name
        for mount in part.get("volumes", ()):
            source = filled(mount, {}).split(":")[0]
            if source.startswith("./") and source != "./tls":
                assert (deploy / source).exists(), mount
            elif source != "./tls":
                assert source in compose["volumes"], mount
        assert set(part["networks"]) <= set(compose["networks"])
    assert profiles == {
        "production": {"nextcall", "nginx", "redis", "postgres"},
        "monitoring": {"prometheus", "grafana"},
    }
    published = [filled(p, {}) for s in compose["services"].values() for p in s.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "ports" not in compose["services"]["nextcall"]


def test_kubernetes_gives_what_was_promised_and_no_more(manifests: dict[str, Any]) -> None:
    pod = manifests["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["resources"] == {
        "requests": {"memory": "512Mi", "cpu": "500m"},
        "limits": {"memory": "1Gi", "cpu": "2000m"},
    }
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    assert container["readinessProbe"]["httpGet"]["path"] == "/performance/health"
    assert not pod["enableServiceLinks"]  # NEXTCALL_PORT would be a URL
    assert not pod["automountServiceAccountToken"]


def test_kubernetes_manifests_name_one_another(manifests: dict[str, Any]) -> None:
    spec = manifests["Deployment"]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels.items() >= spec["selector"]["matchLabels"].items()
    assert labels.items() >= manifests["Service"]["spec"]["selector"].items()
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert container["envFrom"] == [
        {"configMapRef": {"name": manifests["ConfigMap"]["metadata"]["name"]}},
        {"secretRef": {"name": manifests["Secret"]["metadata"]["name"]}},
    ]
    claims = [each["persistentVolumeClaim"] for each in pod["volumes"] if each["name"] == "data"]
    assert [claim["claimName"] for claim in claims] == [
        manifests["PersistentVolumeClaim"]["metadata"]["name"]
    ]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": load_settings().port}
    assert {port["targetPort"] for port in manifests["Service"]["spec"]["ports"]} <= set(ports)
    kept = {path.name for path in (ROOT / "deploy" / "kubernetes").glob("*.yaml")}
    kept -= {"secret.yaml"}  # of whoever deploys from here
    listed = set(manifests["Kustomization"]["resources"])
    assert kept - listed == {"kustomization.yaml", "secret.template.yaml"}


def test_kubernetes_gives_the_service_settings_that_it_takes(
    manifests: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    told, hidden = manifests["ConfigMap"]["data"], manifests["Secret"]["stringData"]
    assert set(hidden.values()) == {""}
    names = {name.removeprefix("NEXTCALL_").lower() for name in {**told, **hidden}}
    assert names - {"omp_num_threads"} <= set(Settings.model_fields)
    with pytest.raises(ValueError, match="NEXTCALL_SECRET"):
        load_from(monkeypatch, {**told, **hidden})
    settings = load_from(monkeypatch, {**told, **hidden, "NEXTCALL_SECRET": token_urlsafe(32)})
    assert settings.database_url == "sqlite:////data/nextcall.db"
    assert settings.redis_url is None


def test_probes_ask_for_what_is_open_and_stay_within_the_limits(manifests: dict[str, Any]) -> None:
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    probes = [container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")]
    assert [ROUTE_PERMISSIONS["GET", probe["httpGet"]["path"]] for probe in probes] == [None] * 3
    a_day = sum(DAY / probe["periodSeconds"] for probe in probes[1:])
    settings = load_settings()
    assert a_day <= settings.rate_per_day
    assert a_day / 24 <= settings.rate_per_hour


def test_nginx_lets_pass_what_the_service_takes(deploy: Path) -> None:
    text, settings = (deploy / "nginx.conf").read_text(), load_settings()
    assert f"client_max_body_size {settings.max_body_bytes >> 20}m;" in text
    assert f"client_body_timeout {settings.body_seconds:g}s;" in text
    assert f"server nextcall:{settings.port};" in text


def test_the_documentation_names_every_variable(deploy: Path) -> None:
    told = (ROOT / "docs" / "deployment.md").read_text()
    used = {found["name"] for found in VARIABLE.finditer((deploy / "compose.yaml").read_text())}
    assert {name for name in used if f"`{name}`" not in told} == set()
