"""Training of a prior: resumable, on CPU or GPUs, with a validation split by patient."""

import dataclasses
import json
import math
import pickle
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import UNet2DModel
from diffusers.training_utils import EMAModel

from nullsplat.core.errors import ConfigurationError, StorageError, UnreadableFile
from nullsplat.core.files import replacing
from nullsplat.core.progress import Progress, silent
from nullsplat.prior.objective import Objective
from nullsplat.prior.weights import MANIFEST, UNET_FILE, checksum

MIXED_PRECISIONS = ("no", "bf16", "fp16")
"""What accelerate can compute in; `no` is float32."""

_MAY_CHANGE = {"steps", "checkpoint_every", "mixed_precision"}
"""Settings that a resumed run may change: how far it goes, how often it saves, on which machine it goes on."""


@dataclass(frozen=True)
class TrainingConfig:
    """How a prior is trained, whatever it learns.

    Attributes:
        steps: optimiser steps in all; a resumed run counts on.
        batch: crops per step.
        learning_rate: of AdamW, after `warmup` steps, decaying to a tenth by a cosine.
        warmup: steps of linear warm-up.
        ema_decay: of the exponential moving average whose weights are kept.
        mixed_precision: one of `MIXED_PRECISIONS`.
        checkpoint_every: steps between checkpoints.
        seed: of everything random.
    """

    steps: int = 8000
    batch: int = 8
    learning_rate: float = 4e-4
    warmup: int = 100
    ema_decay: float = 0.998
    mixed_precision: str = "no"
    checkpoint_every: int = 250
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing.

        Raises:
            ConfigurationError: a count below 1 or a mixed precision that does not exist.
        """
        if min(self.steps, self.batch, self.warmup, self.checkpoint_every) < 1:
            raise ConfigurationError(
                f"steps, batch, warmup and checkpoint_every must be at least 1, got {self}"
            )
        if self.mixed_precision not in MIXED_PRECISIONS:
            raise ConfigurationError(
                f"mixed_precision must be one of {', '.join(MIXED_PRECISIONS)}, got {self.mixed_precision!r}"
            )


Report = Callable[[int, float, float], None]
"""Called with (step, training loss, validation loss)."""


class PriorTraining:
    """One training run in a folder of its own."""

    def __init__(
        self, config: TrainingConfig, objective: Objective, folder: Path, initial: UNet2DModel | None = None
    ) -> None:
        """Set up or resume the run in `folder`.

        Args:
            config: how the prior is trained.
            objective: what it learns.
            folder: of the run.
            initial: network whose weights a new run starts from; None starts from fresh ones.

        Raises:
            ConfigurationError: the checkpoint in `folder` is of a run with other settings, or `initial` is of another size.
            UnreadableFile: the checkpoint in `folder` is damaged.
        """
        self.config, self.objective, self.folder = config, objective, folder
        self.accelerator = Accelerator(mixed_precision=config.mixed_precision)
        torch.manual_seed(config.seed)
        unet = objective.build_unet()
        if initial is not None:
            _start_from(initial, unet)
        optimizer = torch.optim.AdamW(unet.parameters(), lr=config.learning_rate, weight_decay=1e-4)
        self.unet, self.optimizer = self.accelerator.prepare(unet, optimizer)
        self.ema = EMAModel(unet.parameters(), decay=config.ema_decay, use_ema_warmup=True, power=0.75)
        self.ema.to(self.accelerator.device)
        self.scheduler = objective.build_scheduler()
        self.step = 0
        self.history: list[dict[str, float]] = []
        self._resume()

    def run(self, report: Report, progress: Progress = silent) -> None:
        """Train up to `config.steps`, writing a checkpoint and the packaged form every so often.

        Args:
            report: called after every checkpoint.
            progress: called after every step.

        Raises:
            StorageError: a checkpoint cannot be written.
        """
        losses: list[float] = []
        for examples in self._examples():
            losses.append(self._update(examples))
            self.step += 1
            progress(self.step / self.config.steps, f"step {self.step}, loss {losses[-1]:.4f}")
            if self.step % self.config.checkpoint_every == 0 or self.step == self.config.steps:
                mean = sum(losses) / len(losses)
                losses.clear()
                validation = self.validate()
                self.history.append({"step": self.step, "train": mean, "validation": validation})
                self._checkpoint()
                report(self.step, mean, validation)

    def validate(self) -> float:
        """Validation loss of the averaged weights."""
        self.ema.store(self.unet.parameters())
        self.ema.copy_to(self.unet.parameters())
        self.unet.eval()
        try:
            with torch.no_grad(), self.accelerator.autocast():
                return float(self.objective.validation_losses(self.unet).mean())
        finally:
            self.ema.restore(self.unet.parameters())
            self.unet.train()

    def _examples(self) -> Iterator[Any]:
        """The batches of the steps that are left; each is drawn while the one before it is learned."""
        left = range(self.step, self.config.steps)
        if not left:
            return
        with ThreadPoolExecutor(1) as beside:
            coming = beside.submit(self.objective.draw, self.config.batch, self._batch_seed(left[0]))
            for step in left:
                examples = coming.result()
                if step + 1 < left.stop:
                    coming = beside.submit(self.objective.draw, self.config.batch, self._batch_seed(step + 1))
                yield examples

    def _batch_seed(self, step: int) -> int:
        """Every process has a batch of its own at every step."""
        batch: int = step * self.accelerator.num_processes + self.accelerator.process_index
        return self.config.seed * 2**32 + batch

    def _update(self, examples: Any) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        with self.accelerator.autocast():
            loss = self.objective.loss(self.unet, examples, self._batch_seed(self.step))
        self.accelerator.backward(loss)
        self.accelerator.clip_grad_norm_(self.unet.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.ema.step(self.unet.parameters())
        return float(loss.detach())

    def _learning_rate(self) -> float:
        """Linear warm-up, then half a cosine down to a tenth."""
        ramp = min(1.0, (self.step + 1) / self.config.warmup)
        cosine = 0.55 + 0.45 * math.cos(math.pi * self.step / self.config.steps)
        return self.config.learning_rate * ramp * cosine

    @property
    def _state_file(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _resume(self) -> None:
        if not self._state_file.exists():
            return
        try:
            state = torch.load(self._state_file, map_location=self.accelerator.device, weights_only=True)
        except (OSError, EOFError, RuntimeError, pickle.UnpicklingError) as error:
            raise UnreadableFile(
                f"the checkpoint {self._state_file} is damaged ({error}); delete it to start again"
            ) from error
        self._check_same_run(state.get("config", {}))
        self.accelerator.unwrap_model(self.unet).load_state_dict(state["unet"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        if self.accelerator.scaler is not None and state.get("scaler"):
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.step, self.history = state["step"], state["history"]

    def _check_same_run(self, before: dict[str, Any]) -> None:
        """Refuse to go on with other settings, which the manifest would then claim for the whole run."""
        now = self._recorded_config()
        changed = [key for key in before if key not in _MAY_CHANGE and before[key] != now[key]]
        if changed:
            differences = ", ".join(f"{key} was {before[key]} and is {now[key]}" for key in changed)
            raise ConfigurationError(
                f"{self.folder} holds a run with other settings ({differences}); "
                "give the same settings to resume it, or train into another folder"
            )

    def _recorded_config(self) -> dict[str, Any]:
        return dataclasses.asdict(self.config) | self.objective.settings

    def _checkpoint(self) -> None:
        if not self.accelerator.is_main_process:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        unet, scaler = self.accelerator.unwrap_model(self.unet), self.accelerator.scaler
        state = {
            "unet": unet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "config": self._recorded_config(),
            "step": self.step,
            "history": self.history,
        }
        try:
            with replacing(self._state_file) as partial:
                torch.save(state, partial)
            self._export(unet)
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
            raise StorageError(
                f"the checkpoint in {self.folder} cannot be written ({error}); make room and start again"
            ) from error

    def _export(self, unet: UNet2DModel) -> None:
        """Write the averaged weights the way the package carries them, in half precision."""
        averaged = self.objective.build_unet()
        averaged.load_state_dict(unet.state_dict())
        self.ema.copy_to(averaged.parameters())
        target = self.folder / "prior"
        averaged.cpu().half().save_pretrained(target / "unet")
        (target / UNET_FILE).chmod(0o644)  # safetensors writes files for its owner alone
        self.scheduler.save_pretrained(target / "scheduler")
        manifest = {
            "name": self.objective.name,
            "sha256": checksum(target / UNET_FILE),
            "trained": time.strftime("%Y-%m-%d", time.gmtime()),
            "config": self._recorded_config(),
            "steps": self.step,
            "data": self.objective.data,
            "history": self.history,
        }
        (target / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")


def _start_from(initial: UNet2DModel, unet: UNet2DModel) -> None:
    try:
        unet.load_state_dict(initial.state_dict())
    except RuntimeError as error:
        raise ConfigurationError(
            f"training can only go on from a network of the same size, of channels {unet.config.block_out_channels}; "
            f"got one of {tuple(initial.config.block_out_channels)}"
        ) from error
