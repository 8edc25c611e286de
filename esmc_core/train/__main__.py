"""Command line: `python -m esmc_core.train --data DIR --out RUN_DIR`, `… export|mix|samples`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from esmc_core.errors import EsmcError


def parse_train(words: list[str]) -> argparse.Namespace:
    """The options of a training."""
    parser = argparse.ArgumentParser("python -m esmc_core.train", description="Train the model.")
    parser.add_argument("--data", type=Path, required=True, help="folder of training tars")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--avoid", type=Path, help="folder of pictures to keep out")
    parser.add_argument("--resume", action="store_true", help="go on from the run's checkpoint")
    parser.add_argument("--start", type=Path, help="begin from an exported model's weights")
    parser.add_argument("--minutes", type=float, default=60.0, help="0: no limit by time")
    parser.add_argument("--steps", type=int, default=0, help="0: no limit by steps")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=6e-3)
    parser.add_argument("--tower-share", type=float, default=0.45, help="run's share of it alone")
    parser.add_argument("--hold", type=float, default=0.4, help="share before the rate falls")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--still-lifes", type=int, default=3000, help="rendered pictures")
    parser.add_argument("--drawn-cards", type=int, default=6000, help="drawn playing cards")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(words)


def run_train(words: list[str]) -> None:
    """Train, in one process or in several."""
    from esmc_core.train.launch import launch

    launch(parse_train(words))


def run_export(words: list[str]) -> None:
    """Write a run's averaged weights as a stock model folder."""
    parser = argparse.ArgumentParser("python -m esmc_core.train export")
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(words)
    from esmc_core.train.export import export_run

    export_run(options.run, options.out)


def run_mix(words: list[str]) -> None:
    """Mix weights before and after, tell each share's loss and write the best mixture."""
    parser = argparse.ArgumentParser("python -m esmc_core.train mix", description=run_mix.__doc__)
    parser.add_argument("--start", type=Path, required=True, help="the model that was begun from")
    parser.add_argument("--run", type=Path, required=True, nargs="+", help="runs, to be averaged")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.2, 0.4, 0.6, 0.8, 1])
    parser.add_argument("--views", type=int, default=8000, help="of validation pictures")
    options = parser.parse_args(words)
    from esmc_core.train.mix import mix

    losses = mix(
        options.start, options.run, options.out, shares=options.shares, n_views=options.views
    )
    for share, loss in losses.items():
        print(f"share {share:g}: logarithmic loss {loss:.4f}")


def run_samples(words: list[str]) -> None:
    """Render the sample collection."""
    parser = argparse.ArgumentParser("python -m esmc_core.train samples")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--number", type=int, default=96)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(words)
    from esmc_core.train.samples import write_samples

    write_samples(options.out, n=options.number, side=options.side, seed=options.seed)


def main(words: list[str]) -> int:
    """Run one command; 0 on success, 1 with one clear line, 2 for wrong usage."""
    commands = {"export": run_export, "mix": run_mix, "samples": run_samples}
    try:
        if words and words[0] in commands:
            commands[words[0]](words[1:])
        else:
            run_train(words)
    except EsmcError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
