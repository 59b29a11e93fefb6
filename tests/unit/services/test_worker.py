import json

import pytest
from drydock_worker.answers import EXPECTED, INPUTS, agree
from drydock_worker.jobs import MAX_MAGNITUDE, MAX_ROWS, InvalidJobError, parse_inputs
from drydock_worker.providers import CPU, CUDA, choose, device_of, usable
from drydock_worker.settings import SettingsError, read_settings


def test_settings_come_from_the_environment() -> None:
    env = {"PORT": "5002", "DRYDOCK_VERSION": "1.2.3", "DRYDOCK_REVISION": "abc"}
    settings = read_settings(env)
    assert (settings.port, settings.version, settings.revision) == (5002, "1.2.3", "abc")
    assert read_settings({}).port == 5003


@pytest.mark.parametrize("port", ["", "0", "x", "65536", "\u0663", "9" * 5000])
def test_a_bad_port_is_named(port: str) -> None:
    with pytest.raises(SettingsError, match="PORT"):
        read_settings({"PORT": port})


def test_inputs_are_read_as_floats() -> None:
    rows = parse_inputs(b'{"inputs": [[0, 1], [0.5, -2]]}')
    assert rows == [[0.0, 1.0], [0.5, -2.0]]
    assert all(type(value) is float for row in rows for value in row)


@pytest.mark.parametrize(
    "inputs",
    [
        [],
        1,
        None,
        [1, 2],
        [[1]],
        [[1, 2, 3]],
        [[1, "2"]],
        [[1, True]],
        [[1, None]],
        [[1, float("nan")]],
        [[1, float("inf")]],
        [[1, MAX_MAGNITUDE + 1]],
        [[1, 10**400]],
        [[0, 0], [0]],
        [[0, 0]] * (MAX_ROWS + 1),
    ],
)
def test_bad_inputs_are_refused(inputs: object) -> None:
    with pytest.raises(InvalidJobError, match="inputs"):
        parse_inputs(json.dumps({"inputs": inputs}).encode())


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJobError, match="JSON"):
        parse_inputs(body)


def test_a_body_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidJobError, match="inputs"):
        parse_inputs(b"[]")


def test_the_cpu_build_runs_on_the_cpu() -> None:
    assert choose(["AzureExecutionProvider", CPU], None).providers == (CPU,)


def test_the_gpu_build_prefers_a_gpu() -> None:
    assert choose(["TensorrtExecutionProvider", CUDA, CPU], None).providers == (CUDA, CPU)


def test_the_gpu_build_without_a_gpu_says_so_and_runs_on_the_cpu() -> None:
    choice = choose(["TensorrtExecutionProvider", CUDA, CPU], "no driver")
    assert choice.providers == (CPU,)
    assert "no driver" in choice.reason


def test_usable_providers_are_listed_best_first() -> None:
    assert usable([CPU, "AzureExecutionProvider", CUDA]) == (CUDA, CPU)


def test_a_provider_names_its_device() -> None:
    assert (device_of(CUDA), device_of(CPU)) == ("cuda", "cpu")


def test_outputs_are_held_against_the_expected_ones() -> None:
    assert agree(EXPECTED)
    assert agree([[value + 1e-5 for value in row] for row in EXPECTED])
    assert not agree(EXPECTED[:-1])
    assert not agree([[1 - value for value in row] for row in EXPECTED])
    assert not agree([[*row, 0] for row in EXPECTED])


def test_the_expected_answers_are_what_the_model_computes_by_definition() -> None:
    def rectify(value: float) -> float:
        return max(value, 0)

    assert [[rectify(a + b) - 2 * rectify(a + b - 1)] for a, b in INPUTS] == EXPECTED
