"""The tables of `bench texts`."""

from esmc_core.bench.text_report import markdown


def figures(acc, nmi):
    return {"acc_mean": acc, "nmi_mean": nmi}


def run(acc, *, sampling="entropy", n_answers=1024, accuracy=0.9, is_kept=True, count=7):
    return {
        "task": "bank77",
        "method": "adapter",
        "sampling": sampling,
        "n_answers": n_answers,
        "accuracy": accuracy,
        "tuned": figures(acc, 80.0),
        "after": figures(acc, 80.0) if is_kept else figures(60.0, 79.0),
        "report": {"is_kept": is_kept, "seconds": 12.0},
        "predicted_clusters": count,
    }


TASKS = {
    "bank77": {
        "n_rows": 3080,
        "n_classes": 77,
        "published": (71.2, 85.2),
        "before": figures(60.0, 79.0),
        "unguided": figures(62.0, 79.5),
    }
}
SETTINGS = {"embedder": "some", "seeds": 5}


def test_gains_are_told_with_and_without_the_answers_worth():
    runs = [run(70.0), run(50.0, accuracy=0.75, is_kept=False)]
    found = markdown(TASKS, runs, SETTINGS)
    row = "| bank77 | 3,080 / 77 | 60.0 / 79.0 | 62.0 / 79.5 | 70.0 / 80.0 | 60.0 / 79.0 – | 71.2"
    assert row in found and "*simulated*" in found
    assert "- no answers: mean gain ACC +2.0, NMI +0.5" in found
    assert "simulated 75%, 1 tasks: mean gain ACC +0.0, NMI +0.0" in found
    assert "whatever the held-out answers say: -10.0, +1.0" in found
    assert "## Sampling" not in found and "## Number of questions" not in found
    assert "| bank77 | 77 | 7 | 7 |" in found


def test_samplings_and_budgets_are_compared():
    runs = [run(70.0), run(66.0, sampling="random", count=None), run(63.0, n_answers=256)]
    found = markdown(TASKS, runs, SETTINGS)
    assert "entropy against random, 1 runs of each: ACC +4.0, NMI +0.0" in found
    assert "| task | judge | before | 256 questions | 1,024 questions |" in found
    assert "| 60.0 / 79.0 | 63.0 / 80.0 | 70.0 / 80.0 |" in found
    assert "256 questions, entropy sampling" not in found
