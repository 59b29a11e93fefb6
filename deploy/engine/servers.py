"""Stand-ins of the images of servers: nginx, postgres, redis."""

from __future__ import annotations

from collections.abc import Mapping

from deploy.engine.recipe import PATH, Layer, Recipe, refuse

NGINX = {"trixie": "1.26"}
POSTGRES = {"trixie": "17", "bookworm": "15"}
REDIS = {"trixie": "8.0", "bookworm": "7.0"}
FLOATING = ("", "stable", "mainline")  # tags that name no version


def _suite(name: str, version: str, suite: str | None, served: Mapping[str, str]) -> str:
    """Find the suite whose package is of the version that a tag names; a tag such as "8" names any of its line."""
    fitting = [
        one for one, has in served.items() if version in FLOATING or has == version or has.startswith(f"{version}.")
    ]
    if suite in fitting or (suite is None and fitting):
        return suite or fitting[0]
    listed = ", ".join(f"{has} ({one})" for one, has in served.items())
    package = name.partition(":")[0]
    raise refuse(
        name,
        f"Debian serves {package} {listed}",
        f"Name one of these, such as {package}:{next(iter(served.values()))}.",
    )


def nginx(tag: str, version: str, suite: str | None) -> Recipe:
    """Stand in for nginx: Debian's, with the configuration that the genuine image documents."""
    suite = _suite(f"nginx:{tag}", version, suite, NGINX)

    def lay(layer: Layer) -> Mapping[str, str]:
        layer.copy("nginx-entrypoint.sh", "docker-entrypoint.sh")
        layer.copy("nginx-templates.sh", "docker-entrypoint.d/20-envsubst-on-templates.sh")
        layer.copy("nginx.conf", "etc/nginx/nginx.conf", 0o644)
        layer.copy("nginx-default.conf", "etc/nginx/conf.d/default.conf", 0o644)
        for page, title in (("index.html", "nginx"), ("50x.html", "An error occurred.")):
            text = f"<head><title>{title}</title></head>\n<body><h1>{title}</h1></body>"
            layer.write(f"usr/share/nginx/html/{page}", f"<!DOCTYPE html>\n<html>\n{text}\n</html>\n")
        layer.folder("var/cache/nginx", owner=101)
        layer.folder("var/log/nginx")
        for log, stream in (("access", "stdout"), ("error", "stderr")):
            layer.link(f"var/log/nginx/{log}.log", f"/dev/{stream}")
        layer.link("etc/nginx/modules", "/usr/lib/nginx/modules")
        return {"NGINX_VERSION": layer.version("nginx")}

    return Recipe(
        repository="library/nginx",
        tag=tag,
        suite=suite,
        genuine=f"nginx-{suite}",
        users=("nginx:x:101:101:nginx user:/nonexistent:/bin/false",),
        lay=lay,
        env=(("PATH", PATH),),
        config={
            "Entrypoint": ["/docker-entrypoint.sh"],
            "Cmd": ["nginx", "-g", "daemon off;"],
            "ExposedPorts": {"80/tcp": {}},
            "StopSignal": "SIGQUIT",
        },
        note=f"nginx {NGINX[suite]} of Debian, with its modules",
    )


def postgres(tag: str, version: str, suite: str | None) -> Recipe:
    """Stand in for postgres: Debian's, with an entrypoint that makes the database on the first start."""
    suite = _suite(f"postgres:{tag}", version, suite, POSTGRES)
    major = POSTGRES[suite]
    data = "/var/lib/postgresql/data"

    def lay(layer: Layer) -> Mapping[str, str]:
        layer.copy("postgres-entrypoint.sh", "usr/local/bin/docker-entrypoint.sh")
        layer.folder("docker-entrypoint-initdb.d")
        layer.folder("var/lib/postgresql", owner=999, mode=0o1777)
        layer.folder(data.lstrip("/"), owner=999, mode=0o1777)
        # /var/run leads there.
        layer.folder("run/postgresql", owner=999, mode=0o3777)
        sample = layer.packages / f"usr/share/postgresql/{major}/postgresql.conf.sample"
        text = sample.read_text().replace("#listen_addresses = 'localhost'", "listen_addresses = '*'")
        layer.write(f"usr/share/postgresql/{major}/postgresql.conf.sample", text)
        return {"PG_VERSION": layer.version(f"postgresql-{major}")}

    return Recipe(
        repository="library/postgres",
        tag=tag,
        suite=suite,
        genuine=f"postgres-{major}-{suite}",
        more=("gosu",),
        users=("postgres:x:999:999::/var/lib/postgresql:/bin/bash",),
        commands=(
            ("localedef", "-i", "en_US", "-c", "-f", "UTF-8", "en_US.UTF-8"),
            # What the package made of a cluster; the entrypoint makes one where PGDATA says.
            ("rm", "-rf", f"/var/lib/postgresql/{major}", f"/etc/postgresql/{major}"),
        ),
        lay=lay,
        env=(
            ("PATH", f"{PATH}:/usr/lib/postgresql/{major}/bin"),
            ("LANG", "en_US.utf8"),
            ("PG_MAJOR", major),
            ("PGDATA", data),
        ),
        config={
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["postgres"],
            "ExposedPorts": {"5432/tcp": {}},
            "Volumes": {data: {}},
            "StopSignal": "SIGINT",
        },
        note=f"PostgreSQL {major} of Debian",
    )


def redis(tag: str, version: str, suite: str | None) -> Recipe:
    """Stand in for redis: Debian's programs, put where the genuine image has its own, in /usr/local/bin."""
    suite = _suite(f"redis:{tag}", version, suite, REDIS)

    def lay(layer: Layer) -> Mapping[str, str]:
        files = layer.unpacked(["redis-tools", "redis-server"])
        for program in (files / "usr/bin").iterdir():
            layer.folder("usr/local/bin")
            program.rename(layer.root / "usr/local/bin" / program.name)
        layer.copy("redis-entrypoint.sh", "usr/local/bin/docker-entrypoint.sh")
        layer.folder("data", owner=999)
        return {"REDIS_VERSION": layer.version()}

    return Recipe(
        repository="library/redis",
        tag=tag,
        suite=suite,
        genuine=f"redis-{suite}",
        more=("gosu", "libatomic1", "libjemalloc2", "liblzf1"),
        users=("redis:x:999:999::/home/redis:/bin/sh",),
        lay=lay,
        env=(("PATH", PATH),),
        config={
            "Entrypoint": ["docker-entrypoint.sh"],
            "Cmd": ["redis-server"],
            "ExposedPorts": {"6379/tcp": {}},
            "Volumes": {"/data": {}},
            "WorkingDir": "/data",
        },
        note=f"Redis {REDIS[suite]} of Debian, which is without the modules of the genuine image",
    )
