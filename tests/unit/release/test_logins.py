"""Who logs in where: what is typed, and what docker login has written."""

import base64
import json

import pytest

from ci.core.errors import DrydockError
from ci.registry.auth import Credentials
from ci.release.logins import Logins, parse_docker_config, parse_login

SECRET = "planted-5512"


def auth(pair: str) -> dict[str, str]:
    return {"auth": base64.b64encode(pair.encode()).decode()}


@pytest.mark.parametrize(
    ("text", "host", "username", "password"),
    [
        ("docker.io=ada:token", "docker.io", "ada", "token"),
        ("index.docker.io=ada:token", "docker.io", "ada", "token"),
        ("ghcr.io=ada:to:k=en\n", "ghcr.io", "ada", "to:k=en"),
        ("127.0.0.1:5000=robot$ci:token", "127.0.0.1:5000", "robot$ci", "token"),
        ("eu.gcr.io=_json_key:{\n}", "eu.gcr.io", "_json_key", "{\n}"),
    ],
)
def test_a_login_is_a_host_and_who_logs_in_there(text: str, host: str, username: str, password: str) -> None:
    assert parse_login(text, given="env:X") == (host, Credentials(username=username, password=password))


@pytest.mark.parametrize(
    "text",
    [
        *(SECRET, f"ada:{SECRET}", f"docker.io={SECRET}", f"docker.io=:{SECRET}", "docker.io=ada:", "=ada:x"),
        *(f"https://docker.io=ada:{SECRET}", f"docker=ada:{SECRET}", f"docker.io/acme=ada:{SECRET}", ""),
    ],
)
def test_another_text_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(DrydockError, match="The value of --login env:HUB is not HOST=USER:TOKEN") as caught:
        parse_login(text, given="env:HUB")
    assert SECRET not in str(caught.value)


def test_what_docker_login_has_written() -> None:
    text = json.dumps(
        {
            "auths": {
                "https://index.docker.io/v1/": auth("ada:one"),
                "ghcr.io": auth("ada:two:three"),
                "https://quay.io": {"username": "ada", "password": "four"},
                "gitlab.test:5050": {},
            },
            "HttpHeaders": {"User-Agent": "Docker-Client"},
        }
    )
    logins = parse_docker_config(text)
    assert {host: (one.username, one.password) for host, one in logins.known.items()} == {
        "docker.io": ("ada", "one"),
        "ghcr.io": ("ada", "two:three"),
        "quay.io": ("ada", "four"),
    }
    assert logins.of("gitlab.test:5050") is None
    assert logins.of("elsewhere.test") is None
    written = json.loads(logins.render())
    assert written["auths"]["https://index.docker.io/v1/"] == auth("ada:one")
    assert parse_docker_config(logins.render()).known == logins.known


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"auths": {"ghcr.io": {}}, "credsStore": "desktop"}, "the credential store 'desktop' of the machine keeps it"),
        ({"credsStore": "osxkeychain"}, "'osxkeychain'"),
        ({"credHelpers": {"ghcr.io": "ecr-login"}}, "the credential helper 'ecr-login' keeps it"),
        ({"auths": {"ghcr.io": {**auth("0:0"), "identitytoken": SECRET}}}, "it is an identity token"),
    ],
)
def test_a_login_that_a_container_cannot_read_says_why_and_what_to_do(config: dict[str, object], reason: str) -> None:
    logins = parse_docker_config(json.dumps(config))
    with pytest.raises(DrydockError, match=reason) as caught:
        logins.of("ghcr.io")
    assert "--login env:NAME, with NAME set to HOST=USER:TOKEN" in str(caught.value)
    assert SECRET not in str(caught.value)
    given = Logins(known={"ghcr.io": Credentials(username="ada", password=SECRET)})
    assert logins.joined(given).of("ghcr.io") == given.known["ghcr.io"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"auths": {"a": 1}}', '{"auths": {"a": {"auth": "%"}}}'])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(DrydockError, match=r"--docker-config is not a config.json as docker login writes it"):
        parse_docker_config(text)
