"""Asks one server's grpc.health.v1 service until it says SERVING: a program of its own, run beside a started image.

It needs the packages of grpc.txt: `python probe_grpc.py HOST PORT QUESTIONS`, where QUESTIONS is a JSON list of
[service, seconds]. It prints a JSON list, what is wrong with each answer or nothing, and exits with 1
where anything is.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor

_POLL = 0.5  # seconds between two questions
_PATIENCE = 10  # seconds for one answer


def ask(address: str, service: str, deadline: float) -> str:
    """Ask until the service is served or the deadline is over; return what is wrong with the last answer."""
    # The function that starts this program has no use for them.
    import grpc  # noqa: PLC0415
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    end = time.monotonic() + deadline
    last = ""
    while True:
        left = max(0.1, end - time.monotonic())
        try:
            with grpc.insecure_channel(address) as channel:
                question = health_pb2.HealthCheckRequest(service=service)
                answer = health_pb2_grpc.HealthStub(channel).Check(question, timeout=min(_PATIENCE, left))
            got = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.RpcError as error:
            got = f"{error.code().name} {error.details() or ''}".strip()
            # A question that the deadline cut short says less than the answer before it.
            if last and left < _PATIENCE and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                got = last
        if got == "SERVING":
            return ""
        last = got
        if time.monotonic() >= end:
            return f"expected SERVING, got {got}"
        # The server sends no event when it is ready.
        time.sleep(min(_POLL, max(0.0, end - time.monotonic())))


def main() -> int:
    """Put all questions at once, and print what is wrong with each answer."""
    host, port, questions = sys.argv[1:]
    asked = json.loads(questions)
    with ThreadPoolExecutor(len(asked)) as pool:
        problems = list(pool.map(lambda one: ask(f"{host}:{port}", *one), asked))
    sys.stdout.write(json.dumps(problems))
    return 1 if any(problems) else 0


if __name__ == "__main__":
    sys.exit(main())
