"""The command line: `cluster`, `lens` and `extract` of pictures, `text cluster`, and `bench`."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from esmc_core.allocator import keep_freed_memory
from esmc_core.console import check_files
from esmc_core.errors import EsmcError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 if it worked, 1 with one line on stderr if not, 2 for wrong usage."""
    options = make_parser().parse_args(arguments)
    # Threads that wait must sleep; OpenMP reads this once, when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    try:
        _command(options)(options)
    except EsmcError as error:
        print(f"esmc: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    except OSError as error:
        parts = [error.strerror or str(error), error.filename2 or error.filename]
        print(f"esmc: {' '.join(': '.join(filter(None, parts)).split())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("esmc: stopped; the same command goes on from here.", file=sys.stderr)
        return 1
    return 0


def _command(options: argparse.Namespace) -> Callable[[argparse.Namespace], None]:
    """What a command does. Its files are looked for first: torch takes seconds to import.

    Raises:
        EsmcError: a package is missing, or a file.
    """
    try:
        check_files(options)
        from esmc_core import commands
    except ModuleNotFoundError as error:
        raise EsmcError(f"{error.name} is missing; install requirements.txt.") from error
    found: Callable[[argparse.Namespace], None] = getattr(commands, options.command)
    return found


def make_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(
        prog="python -m esmc_core",
        description="Cluster pictures by a criterion in words, or texts from a perspective.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    cluster = commands.add_parser("cluster", help="write a table of named clusters")
    _add_common(cluster, written=".csv or .parquet")
    add = cluster.add_argument
    add("--clusters", type=_positive, required=True, metavar="K", help="how many")
    add("--layer", type=int, help="of the target cell; the suggested one if left")
    add("--position", type=int, help="of the target cell; negative from the end")
    add("--alpha", type=_share, help="share of a cluster that teaches the head; 0.6 if left")
    add("--seed", type=_seed, default=0, help="of K-means and head; 0 if left")
    add(
        "--representation",
        choices=["vocabulary", "hidden"],
        help="the lens's words, as if left, or the hidden state",
    )
    add(
        "--geometry",
        choices=["fourth_root", "hellinger", "euclidean"],
        help="of the words: fourth roots of their probabilities, as if left, square roots, or "
        "these as they are",
    )
    cluster.add_argument("--no-head", action="store_true", help="K-means alone")
    lens = commands.add_parser("lens", help="write the heatmap over layers and prompt tokens")
    _add_common(lens, written=".html or .json")
    lens.add_argument(
        "--score",
        choices=["information", "keywords", "confidence"],
        help="of a cell; keywords where --keywords are given, else information, if left",
    )
    text = commands.add_parser("text", help="cluster texts, bent by a judge's answers")
    steps = text.add_subparsers(dest="step", required=True, metavar="STEP")
    _add_text_cluster(steps.add_parser("cluster", help="write a table of named clusters"))
    _add_extract(commands.add_parser("extract", help="look at pictures, here or on a Ray cluster"))
    bench = commands.add_parser("bench", help="measure the methods and their speed")
    kinds = bench.add_subparsers(dest="kind", required=True, metavar="KIND")
    _add_bench_images(kinds.add_parser("images", help="pictures by criteria in words"))
    _add_bench_texts(kinds.add_parser("texts", help="texts from a perspective, before and after"))
    _add_bench_speed(kinds.add_parser("speed", help="the pass and the clustering, timed"))
    return parser


def _add_extract(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "photos",
        type=_place,
        metavar="PHOTOS",
        help="a folder, archive, .txt file with a path or URL a line, or URL such as s3://…",
    )
    parser.add_argument(
        "--criterion", type=_text, required=True, action="append", help="may be given again"
    )
    parser.add_argument(
        "--out", type=_path, required=True, metavar="STORE", help="the app opens it as ESMC_HOME"
    )
    _add_lens(parser)
    parser.add_argument("--batch-size", type=_positive, metavar="N", help="pictures at a time")
    parser.add_argument(
        "--threads",
        type=_positive,
        metavar="N",
        help="of the CPU for each model; its cores if left",
    )
    _add_model(parser)
    parser.add_argument(
        "--engine", choices=["local", "ray"], default="local", help="this computer alone if left"
    )
    parser.add_argument(
        "--address", help='"local" starts Ray here; "auto", host:port or ray://host:port joins one'
    )
    parser.add_argument(
        "--workers", type=_positive, metavar="N", help="models; one a GPU or core if left"
    )
    parser.add_argument(
        "--shards", metavar="PLACE", help="folder or URL that all workers write to; STORE if left"
    )


def _add_text_cluster(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("file", type=_path, metavar="FILE", help="CSV, TSV, JSONL, Parquet or plain lines")
    add("--column", type=_text, required=True, help="where the texts are; “text” of plain lines")
    add("--encoding", help="of the file; found out if left")
    add("--perspective", type=_text, required=True, help='such as "intent" or "topic"')
    add(
        "--judge",
        type=_judge,
        default="none",
        metavar="simulated:0.9|openai|none",
        help="who answers; nobody if left",
    )
    add("--label-column", type=_text, help="for simulated judges and the metrics alone")
    add("--clusters", type=_positive, metavar="K", help="as many as the judge says if left")
    add("--out", type=_path, required=True, metavar="FILE", help=".csv or .parquet")
    _add_embedder(parser)
    add("--prompt", type=_text, help="before each text; what the embedder wants if left")
    add(
        "--questions",
        type=_positive,
        default=1024,
        metavar="N",
        help="about triplets, 1024 if left; without --clusters up to 597 about pairs come on top",
    )
    add("--ask-again", action="store_true", help="questions whose answer said nothing or was lost")
    add(
        "--method",
        choices=["adapter", "full"],
        default="adapter",
        help="a linear map is tuned, as if left, or the embedder's upper layers",
    )
    add("--concurrency", type=_positive, default=4, help="questions at a time; 4 if left")
    add("--price-prompt", type=_price, default=0.0, metavar="MONEY", help="per million tokens")
    add("--price-completion", type=_price, default=0.0, metavar="MONEY", help="the answers'")
    add("--max-money", type=_price, metavar="MONEY", help="where asking ends; no limit if left")
    add("--save-embedder", type=_path, metavar="FOLDER", help="the tuned one, to use elsewhere")
    add("--seed", type=_seed, default=0, help="of all that is drawn; 0 if left")


def _add_embedder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--embedder",
        type=_text,
        default="all-MiniLM-L6-v2",
        help="hub id or folder; %(default)s if left",
    )


def _add_bench_texts(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=_path, metavar="DIR", help="with bank77.jsonl, clinc.jsonl …")
    add("--json", type=_path, required=True, metavar="FILE", help="what is there is kept")
    add("--markdown", type=_path, metavar="FILE", help="write the tables")
    add("--tasks", type=_list, help="such as bank77,clinc-domain; all that are there if left")
    add(
        "--accuracies",
        type=_list,
        default=["1.0", "0.9", "0.75"],
        help="of the simulated judges; 1.0,0.9,0.75 if left",
    )
    add(
        "--samplings",
        type=_list,
        default=["entropy", "random"],
        help="of the questions; entropy,random if left, paper is the third",
    )
    add("--answers", type=_list, default=["1024"], help="such as 256,512,1024, the last if left")
    add("--methods", type=_list, default=["adapter"], help="adapter, as if left, or adapter,full")
    add("--seeds", type=_positive, default=5, metavar="N", help="of K-means; 0 to 4 if left")
    add("--no-count", action="store_true", help="do not ask for the number of clusters")
    _add_embedder(parser)


def _add_bench_images(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", type=_path, metavar="DATA", help="a folder of sets, each with a labels.csv, or one"
    )
    parser.add_argument("--sets", type=_names, metavar="A,B", help="some of the sets only")
    parser.add_argument("--prompts", type=_path, metavar="FILE", help="JSON, set: column: prompt")
    parser.add_argument(
        "--seeds", type=_positive, default=10, metavar="N", help="0 to N - 1; 10 if left"
    )
    parser.add_argument("--rules", action="store_true", help="also the label-free rules on trial")
    parser.add_argument("--json", type=_path, metavar="FILE", help="write everything, per seed too")
    parser.add_argument("--markdown", type=_path, metavar="FILE", help="write the tables")
    _add_model(parser)


def _add_bench_speed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--photos", type=_path, metavar="PHOTOS", help="the samples if left")
    parser.add_argument("--images", type=_positive, metavar="N", help="in each timed pass")
    parser.add_argument("--rounds", type=_positive, metavar="N", help="turns of each pass")
    parser.add_argument(
        "--many-images", type=_positive, metavar="N", help="in a long pass, for its memory"
    )
    parser.add_argument("--quick", action="store_true", help="little of everything, as a trial")
    parser.add_argument(
        "--random-weights",
        action="store_true",
        help="LLaVA-1.5-7B, or the LLaVA-1.5 of --model, without its weights: as slow as with them",
    )
    parser.add_argument("--json", type=_path, metavar="FILE", help="write everything")
    _add_model(parser)


def _add_common(parser: argparse.ArgumentParser, *, written: str) -> None:
    parser.add_argument(
        "photos",
        type=_place,
        metavar="PHOTOS",
        help="a folder, a zip or tar, or what extract takes or made",
    )
    parser.add_argument(
        "--criterion",
        type=_text,
        required=True,
        action=_Once,
        help='such as "the color of the car is"; one a command',
    )
    parser.add_argument("--out", type=_path, required=True, metavar="FILE", help=written)
    _add_lens(parser)
    parser.add_argument(
        "--keywords", type=_text, help='expected answers, such as "red, black, white"'
    )
    _add_model(parser)


def _add_lens(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--lens",
        choices=["norm", "raw"],
        default="norm",
        help="with the final norm in front, as if left, or without",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", help="hub id or folder; the best one here if left")
    parser.add_argument(
        "--device", type=_device, help="cuda, mps or cpu; the best one here if left"
    )


class _Once(argparse.Action):
    """An option whose second value would silently replace the first."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest) is not None:
            parser.error(f"{option_string} is given twice: run the command once for each")
        setattr(namespace, self.dest, values)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number of 1 or more")
    return int(text)


def _seed(text: str) -> int:
    number = int(text)
    if not 0 <= number < 2**31:  # as in the app, which opens what the command made
        raise argparse.ArgumentTypeError(f"{number} is not from 0 to {2**31 - 1}")
    return number


def _path(text: str) -> Path:
    if not text:  # an unset variable of a script; Path("") would be the folder it runs in
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def _place(text: str) -> Path | str:
    """A path, or a URL as it is."""
    return text if "://" in text else _path(text)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("it names nothing")
    return names


def _text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("it is not written in UTF-8") from None
    return text


def _device(text: str) -> str:
    if not re.fullmatch(r"cuda(:\d+)?|mps|cpu", text):
        raise argparse.ArgumentTypeError(f"{text} is not cuda, mps or cpu")
    return text


def _judge(text: str) -> str:
    if text in ("openai", "none") or re.fullmatch(r"simulated(:(0?\.\d+|[01](\.0*)?))?", text):
        return text
    raise argparse.ArgumentTypeError(f"{text} is not simulated:0.9, openai or none")


def _price(text: str) -> float:
    money = float(text)
    if not 0 <= money < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no amount of money")
    return money


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _share(text: str) -> float:
    share = float(text)
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{share} is not above 0 and at most 1")
    return share


if __name__ == "__main__":
    sys.exit(main())
