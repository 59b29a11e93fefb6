"""The model: a network of two layers that computes exclusive or, and is linear in between."""

from __future__ import annotations

import logging
from importlib.resources import files

import numpy as np
import onnxruntime

from drydock_worker.jobs import Rows
from drydock_worker.providers import CUDA, choose, device_of, find_gpu_fault, usable

logger = logging.getLogger(__name__)


class Model:
    """The loaded model on the device it found."""

    def __init__(self) -> None:
        available = onnxruntime.get_available_providers()
        choice = choose(available, find_gpu_fault() if CUDA in available else None)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the model is smaller than the cost of sharing it out
        model = files(__package__).joinpath("xor.onnx").read_bytes()
        self._session = onnxruntime.InferenceSession(model, options, providers=list(choice.providers))
        self.providers = usable(available)
        self.provider: str = self._session.get_providers()[0]
        self.device = device_of(self.provider)
        logger.info("running on %s: %s", self.provider, choice.reason)

    def predict(self, rows: Rows) -> Rows:
        """Compute the answer to each row."""
        (outputs,) = self._session.run(["y"], {"x": np.asarray(rows, dtype=np.float32)})
        answers: Rows = outputs.tolist()
        return answers
