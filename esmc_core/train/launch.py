"""Start a run: prepare data and tokenizer once, then one process or several."""

from __future__ import annotations

import argparse
import json
import os
import socket
from pathlib import Path

import torch
from tokenizers import Tokenizer

from esmc_core.errors import InputError
from esmc_core.train import loop
from esmc_core.train.architecture import Shape
from esmc_core.train.data import build_dataset, know_pictures, load_dataset, save_dataset
from esmc_core.train.vocabulary import build_tokenizer

CACHE = "cache"
TOKENIZER = "tokenizer.json"


def prepare(options: argparse.Namespace) -> None:
    """Make the run's folder: decoded pictures and the tokenizer, where they are not there yet."""
    cache = options.out / CACHE
    if not (cache / "records.jsonl").exists():
        from esmc_core.train.cards import draw_records
        from esmc_core.train.stills import render_records

        made = render_records(options.still_lifes, seed=options.seed + 1)
        made += draw_records(options.drawn_cards, seed=options.seed + 2)
        avoid = know_pictures(options.avoid)
        save_dataset(build_dataset(options.data, avoid=avoid, extra=made), cache)
    if (options.out / TOKENIZER).exists():
        return
    if options.start:
        load_tokenizer(options.start).save(str(options.out / TOKENIZER))
    else:
        tokenizer = build_tokenizer(load_dataset(cache), n_vocab=Shape().n_vocab)
        tokenizer.save(str(options.out / TOKENIZER))


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of a run; raises InputError where the folder holds none."""
    path = folder / TOKENIZER
    if not path.exists():
        raise InputError(f"No run in {folder}.", "Give the folder that a training wrote.")
    return Tokenizer.from_file(str(path))


def settings_of(options: argparse.Namespace) -> loop.Settings:
    """The command's options as settings."""
    return loop.Settings(
        minutes=options.minutes,
        steps=options.steps,
        batch=options.batch,
        learning_rate=options.learning_rate,
        tower_share=options.tower_share,
        hold=options.hold,
        seed=options.seed,
        device=options.device,
        processes=options.processes,
    )


def work(rank: int, options: argparse.Namespace, port: int) -> None:
    """What one process does."""
    settings = settings_of(options)
    if settings.processes > 1:
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        torch.distributed.init_process_group("gloo", rank=rank, world_size=settings.processes)
        torch.set_num_threads(1)
    data = load_dataset(options.out / CACHE)
    run = loop.Run(settings, data, load_tokenizer(options.out))
    if options.resume:
        run.load(options.out)
    elif options.start:
        run.begin_from(options.start)
    loop.train(run, options.out, rank=rank)
    if settings.processes > 1:
        torch.distributed.destroy_process_group()


def launch(options: argparse.Namespace) -> None:
    """Run a training from the command line's options.

    Raises:
        InputError: nothing to resume, or a run that would be overwritten.
    """
    checkpoint = options.out / loop.CHECKPOINT
    if options.resume and not checkpoint.exists():
        raise InputError(f"No checkpoint in {options.out}.", "Leave --resume out to begin.")
    if checkpoint.exists() and not options.resume:
        raise InputError(f"{options.out} holds a run already.", "Give --resume, or another folder.")
    options.out.mkdir(parents=True, exist_ok=True)
    prepare(options)
    (options.out / "options.json").write_text(json.dumps(vars(options), default=str, indent=1))
    if options.processes == 1:
        work(0, options, 0)
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(work, (options, port), nprocs=options.processes)
