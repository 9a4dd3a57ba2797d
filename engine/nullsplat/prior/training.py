"""Training of the X-ray prior: resumable, on CPU or GPUs, with a validation split by patient."""

import dataclasses
import json
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import UNet2DModel
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn.functional import mse_loss

from nullsplat.core.errors import ConfigurationError, StorageError, UnreadableFile
from nullsplat.core.progress import Progress, silent
from nullsplat.core.seeds import torch_generator
from nullsplat.prior.image_pool import ImagePool
from nullsplat.prior.network import TRAIN_STEPS, build_scheduler, build_unet
from nullsplat.prior.weights import MANIFEST, UNET_FILE, checksum

MIXED_PRECISIONS = ("no", "bf16", "fp16")
"""What accelerate can compute in; `no` is float32."""

_MAY_CHANGE = {"steps", "checkpoint_every", "mixed_precision"}
"""Settings that a resumed run may change: how far it goes, how often it saves, on which machine it goes on."""


@dataclass(frozen=True)
class TrainingConfig:
    """How the prior is trained.

    Attributes:
        size: network size, see `build_unet`.
        steps: optimiser steps in all; a resumed run counts on.
        batch: crops per step.
        learning_rate: of AdamW, after `warmup` steps, decaying to a tenth by a cosine.
        warmup: steps of linear warm-up.
        ema_decay: of the exponential moving average whose weights are kept.
        low_noise_power: timesteps are drawn as T u^power with u uniform; above 1 favours the low noise
            levels, where super-resolution of a good first guess happens.
        ct_share: part of the crops that comes from CT projections.
        mixed_precision: one of `MIXED_PRECISIONS`.
        checkpoint_every: steps between checkpoints.
        seed: of everything random.
    """

    size: str = "small"
    steps: int = 8000
    batch: int = 8
    learning_rate: float = 4e-4
    warmup: int = 100
    ema_decay: float = 0.998
    low_noise_power: float = 3.0
    ct_share: float = 0.6
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

    def __init__(self, config: TrainingConfig, train: ImagePool, validation: ImagePool, folder: Path) -> None:
        """Set up or resume the run in `folder`.

        Raises:
            ConfigurationError: the checkpoint in `folder` is of a run with other settings.
            UnreadableFile: the checkpoint in `folder` is damaged.
        """
        self.config, self.train, self.validation, self.folder = config, train, validation, folder
        self.accelerator = Accelerator(mixed_precision=config.mixed_precision)
        torch.manual_seed(config.seed)
        unet = build_unet(config.size)
        optimizer = torch.optim.AdamW(unet.parameters(), lr=config.learning_rate, weight_decay=1e-4)
        self.unet, self.optimizer = self.accelerator.prepare(unet, optimizer)
        self.ema = EMAModel(unet.parameters(), decay=config.ema_decay, use_ema_warmup=True, power=0.75)
        self.ema.to(self.accelerator.device)
        self.scheduler = build_scheduler()
        self.step = 0
        self.history: list[dict[str, float]] = []
        self._resume()

    def run(self, report: Report, progress: Progress = silent) -> None:
        """Train up to `config.steps`, writing a checkpoint and the packaged form every so often.

        Args:
            report: called after every checkpoint.
            progress: told after every step.

        Raises:
            StorageError: a checkpoint cannot be written.
        """
        losses: list[float] = []
        while self.step < self.config.steps:
            losses.append(self._update())
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
        """Noise-prediction error of the averaged weights on fixed validation crops and noise."""
        generator = torch_generator(self.config.seed, "validation")
        self.ema.store(self.unet.parameters())
        self.ema.copy_to(self.unet.parameters())
        self.unet.eval()
        try:
            with torch.no_grad():
                batches = [self._loss(self.validation.draw(16, seed=i), generator) for i in range(4)]
        finally:
            self.ema.restore(self.unet.parameters())
            self.unet.train()
        return float(torch.stack(batches).mean())

    def _update(self) -> float:
        config = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        # every process has a batch of its own at every step
        batch = self.step * self.accelerator.num_processes + self.accelerator.process_index
        clean = self.train.draw(config.batch, seed=config.seed * 2**32 + batch, ct_share=config.ct_share)
        loss = self._loss(clean, torch_generator(config.seed, "noise", batch))
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

    def _loss(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        drawn = torch.rand(len(clean), generator=generator) ** self.config.low_noise_power
        timesteps = (drawn * TRAIN_STEPS).long()
        noise = torch.randn(clean.shape, generator=generator)
        noisy = self.scheduler.add_noise(clean, noise, timesteps)
        device = self.accelerator.device
        with self.accelerator.autocast():
            predicted = self.unet(noisy.to(device), timesteps.to(device)).sample
        return mse_loss(predicted.float(), noise.to(device))

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
        config = dataclasses.asdict(self.config)
        augmentation = dataclasses.asdict(self.train.augmentation)
        return config | {"augmentation": augmentation | {"size": list(augmentation["size"])}}

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
        partial = self._state_file.with_suffix(".partial")
        try:
            torch.save(state, partial)
            partial.replace(self._state_file)
            self._export(unet)
        except (OSError, RuntimeError) as error:  # torch's writer turns a full disk into a RuntimeError
            raise StorageError(
                f"the checkpoint in {self.folder} cannot be written ({error}); make room and start again"
            ) from error

    def _export(self, unet: UNet2DModel) -> None:
        """Write the averaged weights the way the package carries them."""
        averaged = build_unet(self.config.size)
        averaged.load_state_dict(unet.state_dict())
        self.ema.copy_to(averaged.parameters())
        target = self.folder / "prior"
        averaged.cpu().save_pretrained(target / "unet")
        self.scheduler.save_pretrained(target / "scheduler")
        manifest = {
            "name": f"xray-{self.config.size}",
            "sha256": checksum(target / UNET_FILE),
            "trained": time.strftime("%Y-%m-%d", time.gmtime()),
            "config": self._recorded_config(),
            "steps": self.step,
            "data": {"train": self.train.description, "validation": self.validation.description},
            "history": self.history,
        }
        (target / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n")
